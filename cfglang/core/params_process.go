package core

// processParams are the parameters of processes and memory.
func (c *Config) processParams() []Param {
	return []Param{
		{Name: "children", Type: Number, Min: 1, Max: 450, Int: &c.Children, Doc: "UDP workers a socket"},
		{Name: "tcp_children", Fixed: true, Type: Number, Min: 0, Max: 450, Int: &c.TCPChildren, Doc: "TCP workers; as children when not set"},
		{Name: "socket_workers", Type: Number, Min: 0, Max: 450, Int: &c.SocketWorkers, Doc: "UDP workers of the next listen only"},
		{Name: "fork", Fixed: true, Type: Bool, Bool: &c.Fork, Doc: "no: as -D"},
		{Name: "user", Fixed: true, Aliases: []string{"uid"}, Type: StringOrID, Str: &c.User, Doc: "user to run as"},
		{Name: "group", Fixed: true, Aliases: []string{"gid"}, Type: StringOrID, Str: &c.Group, Doc: "group to run as"},
		{Name: "chroot", Fixed: true, Type: StringOrID, Str: &c.Chroot, Doc: "directory to confine the server to"},
		{Name: "workdir", Fixed: true, Aliases: []string{"wdir"}, Type: StringOrID, Str: &c.Workdir, Doc: "working directory, / by default"},
		{Name: "rundir", Fixed: true, Aliases: []string{"run_dir"}, Type: StringOrID, Str: &c.RunDir, Doc: "directory of control sockets"},
		{Name: "disable_core_dump", Fixed: true, Type: Bool, Bool: &c.DisableCore, Doc: "no core files"},
		{Name: "open_files_limit", Fixed: true, Type: Number, Int: &c.OpenFiles, Doc: "raises the limit of open files"},
		{Name: "exit_timeout", Fixed: true, Aliases: []string{"ser_kill_timeout"}, Type: Number, Int: &c.ExitTimeout, Doc: "seconds until children are killed at shutdown, 60"},
		{Name: "server_id", Type: Number, Int: &c.ServerID, Doc: "number of this server ($sid)"},
		{Name: "restart_children", Fixed: true, Type: Bool, Bool: &c.Restart, Doc: "restart a child that died (kahea's own); no: the server stops, as Kamailio does"},
		{Name: "suspend_max", Type: Number, Int: &c.SuspendMax, Doc: "scripts of one worker that may wait at a time (kahea's own), 10000; 0: any number"},
		{Name: "suspend_policy", Type: String, Str: &c.SuspendPolicy, OneOf: []string{"reply", "drop"}, Doc: "what becomes of a message whose script would wait over suspend_max (kahea's own): reply = 503 with Retry-After to a request other than ACK, drop"},
		{Name: "udp_batch", Fixed: true, Type: Number, Min: 1, Max: 256, Int: &c.UDPBatch, Doc: "datagrams that a UDP worker reads or sends in one system call (kahea's own), 32"},
		{Name: "cpu_affinity", Fixed: true, Type: String, Str: &c.CPUAffinity, OneOf: []string{"off", "workers"}, Doc: "workers (kahea's own): every UDP and TCP worker stays on one CPU, in turn; off: the kernel's choice"},
		{Name: "shm_mem_size", Fixed: true, Aliases: []string{"shm", "shm_mem"}, Type: Number, Min: 1, Max: 1 << 24, Int: &c.ShmSize, Doc: "shared memory in MB; -m wins"},
		{Name: "shm_reserve", Type: Number, Max: 50, Int: &c.ShmReserve, Runtime: "core", Doc: "percent of shared memory that is for what exists already: requests inside dialogs, CANCELs, refreshed contacts (kahea's own), 5"},
	}
}
