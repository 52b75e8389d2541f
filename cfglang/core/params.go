package core

import (
	"fmt"
	"slices"
	"strings"

	"kahea/cfglang/syntax"
)

// Type of a parameter's value.
type Type uint8

const (
	Bool Type = iota // a number; yes, no, on, off, true, false are numbers too
	Number
	Integer // may be negative
	String
	StringOrID
)

// Param is one row of the table of global parameters.
type Param struct {
	Name     string
	Aliases  []string
	Type     Type
	Min, Max int // of Number and Integer; both 0: any
	Bool     *bool
	Int      *int
	Str      *string
	Invert   bool     // Bool: disable_x
	OneOf    []string // of String: all that it may be; nil: any text
	Runtime  string   // group of the run-time variable (core.md 14), "" if it can not change
	RTName   string   // its name there; "" = Name
	Fixed    bool     // a reload does not change it: it belongs to what exists since the start
	Doc      string   // what it does, unit, default
}

// Params is the table, bound to c. The checker, the command line, `cfg.get` and the documentation read it.
func (c *Config) Params() []Param {
	return []Param{
		{Name: "debug", Type: Integer, Int: &c.Debug, Runtime: "core", Doc: "log level: -5 ALERT ... 3 DBG; lines up to it are printed"},
		{Name: "log_stderror", Type: Bool, Bool: &c.LogStderr, Doc: "log to standard error instead of syslog"},
		{Name: "log_color", Type: Bool, Bool: &c.LogColor, Doc: "colours in the log on standard error"},
		{Name: "log_facility", Type: StringOrID, Str: &c.LogFacility, Doc: "syslog facility, LOG_DAEMON by default"},
		{Name: "log_name", Type: String, Str: &c.LogName, Doc: "syslog ident, the program's name by default"},
		{Name: "log_prefix", Type: String, Str: &c.LogPrefix, Doc: "format evaluated for each message and put before log texts"},
		{Name: "memlog", Aliases: []string{"mem_log"}, Type: Integer, Int: &c.MemLog, Runtime: "core", Doc: "log level of the memory report at exit and at SIGUSR1"},
		{Name: "memdbg", Aliases: []string{"mem_dbg"}, Type: Integer, Int: &c.MemDbg, Runtime: "core", Doc: "log level of the ledger rows in a memory report"},
		{Name: "mem_summary", Type: Integer, Int: &c.MemSummary, Runtime: "core", Doc: "what a memory report holds: 1 private dump, 2 shared dump, 4 private sums, 8 shared sums"},
		{Name: "sip_parser_log", Type: Integer, Int: &c.ParserLog, Runtime: "core", Doc: "log level of messages that can not be parsed"},
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
		{Name: "port", Type: Number, Max: 65535, Int: &c.Port, Doc: "port of listeners without one, 5060"},
		{Name: "disable_tcp", Fixed: true, Type: Bool, Bool: &c.DisableTCP, Doc: "no TCP"},
		{Name: "enable_tls", Aliases: []string{"tls_enable"}, Type: Bool, Bool: &c.EnableTLS, Doc: "TLS (not there yet: only no is accepted)"},
		{Name: "disable_tls", Aliases: []string{"tls_disable"}, Type: Bool, Bool: &c.EnableTLS, Invert: true, Doc: "the opposite of enable_tls"},
		{Name: "enable_sctp", Type: Number, Max: 2, Int: &c.EnableSCTP, Doc: "SCTP (not there: 1 is an error, 2 means if there)"},
		{Name: "auto_aliases", Aliases: []string{"auto_domains"}, Type: Bool, Bool: &c.AutoAliases, Doc: "add the reverse names of the listen addresses to the aliases"},
		{Name: "auto_bind_ipv6", Type: Bool, Bool: &c.AutoBindIPv6, Doc: "without listen, bind IPv6 addresses too"},
		{Name: "advertised_address", Type: StringOrID, Str: &c.AdvAddress, Doc: "host in Via instead of the socket's"},
		{Name: "advertised_port", Type: Number, Max: 65535, Int: &c.AdvPort, Doc: "port in Via instead of the socket's"},
		{Name: "tos", Fixed: true, Type: Number, Max: 255, Int: &c.TOS, Doc: "IP type of service, 16"},
		{Name: "maxbuffer", Fixed: true, Type: Number, Int: &c.MaxBuffer, Doc: "ceiling of the UDP receive buffer in bytes, 262144"},
		{Name: "maxsndbuffer", Fixed: true, Type: Number, Int: &c.MaxSndBuf, Doc: "ceiling of the UDP send buffer in bytes, 262144"},
		{Name: "ip_free_bind", Fixed: true, Aliases: []string{"ipfreebind", "ip_nonlocal_bind"}, Type: Integer, Int: &c.FreeBind, Doc: "bind addresses that this host does not have"},
		{Name: "tcp_connection_lifetime", Type: Integer, Int: &c.TCPLifetime, Runtime: "tcp", RTName: "connection_lifetime", Doc: "seconds until an idle connection is closed, 120"},
		{Name: "tcp_max_connections", Fixed: true, Type: Number, Min: 1, Int: &c.TCPMaxConns, Runtime: "tcp", RTName: "max_connections", Doc: "limit of connections, 2048"},
		{Name: "tcp_connect_timeout", Type: Integer, Int: &c.TCPConnTimeout, Runtime: "tcp", RTName: "connect_timeout", Doc: "seconds, 10"},
		{Name: "tcp_send_timeout", Type: Integer, Int: &c.TCPSendTimeout, Runtime: "tcp", RTName: "send_timeout", Doc: "seconds, 10"},
		{Name: "tcp_rd_buf_size", Type: Number, Min: 512, Max: 16777216, Int: &c.TCPRdBuf, Doc: "longest message over TCP in bytes, 16384"},
		{Name: "tcp_conn_wq_max", Type: Number, Int: &c.TCPConnWQMax, Doc: "bytes queued on one connection, 32768"},
		{Name: "tcp_wq_max", Type: Number, Int: &c.TCPWQMax, Doc: "bytes queued on all connections, 10485760"},
		{Name: "tcp_no_connect", Type: Bool, Bool: &c.TCPNoConnect, Doc: "never open connections"},
		{Name: "tcp_accept_no_cl", Type: Bool, Bool: &c.TCPAcceptNoCL, Doc: "accept messages without Content-Length over TCP"},
		{Name: "tcp_crlf_ping", Type: Bool, Bool: &c.TCPCRLFPing, Doc: "answer a double CRLF with CRLF"},
		{Name: "tcp_keepalive", Type: Bool, Bool: &c.TCPKeepalive, Doc: "SO_KEEPALIVE"},
		{Name: "msg_recv_max_size", Fixed: true, Type: Number, Min: 512, Max: 65535, Int: &c.MsgMaxSize, Doc: "longer messages are dropped, 32767"},
		{Name: "server_signature", Type: Bool, Bool: &c.ServerSignature, Doc: "Server line in local replies"},
		{Name: "server_header", Type: String, Str: &c.ServerHeader, Doc: "that line, whole"},
		{Name: "user_agent_header", Type: String, Str: &c.UserAgentHeader, Doc: "User-Agent line of local requests, whole"},
		{Name: "sip_warning", Type: Bool, Bool: &c.SIPWarning, Doc: "Warning line in local replies"},
		{Name: "sip_parser_mode", Type: Integer, Max: 1, Int: &c.ParserMode, Doc: "1 strict, 0 tolerates a second From, To, Call-ID, CSeq, Content-Length"},
		{Name: "force_rport", Aliases: []string{"add_rport"}, Type: Bool, Bool: &c.ForceRPort, Doc: "as force_rport() on every request"},
		{Name: "local_rport", Type: Bool, Bool: &c.LocalRPort, Doc: ";rport in our own Via"},
		{Name: "check_via", Type: Bool, Bool: &c.CheckVia, Doc: "drop replies whose top Via is not ours"},
		{Name: "reply_to_via", Type: Bool, Bool: &c.ReplyToVia, Doc: "local replies go to the Via's address"},
		{Name: "onsend_route_reply", Type: Bool, Bool: &c.OnSendReply, Doc: "run onsend_route for replies too"},
		{Name: "phone2tel", Type: Bool, Bool: &c.Phone2Tel, Doc: "a SIP URI with user=phone counts as tel"},
		{Name: "return_mode", Type: Number, Max: 1, Int: &c.ReturnMode, Doc: "0: a route or function in an expression is 0 or 1, true when it returned more than 0; 1: it is what it returned, true unless 0"},
		{Name: "max_while_loops", Type: Number, Int: &c.MaxWhileLoops, Runtime: "core", Doc: "turns of a while, 100; 0: any number"},
		{Name: "max_recursive_level", Type: Number, Min: 1, Max: 100000, Int: &c.MaxRecursive, Doc: "nested blocks, 256"},
		{Name: "max_branches", Type: Number, Min: 1, Max: 32, Int: &c.MaxBranches, Doc: "branches of a request, 12"},
	}
}

// notYet are parameters of Kamailio that kahea does not have yet: an error of their own kind, so that nobody takes them for a slip of
// the pen.
var notYet = strings.Fields(`tls_port_no advertised_socket mhomed bind_ipv6_link_local ipv6_hex_style pmtu_discovery mcast mcast_loopback mcast_ttl
udp_mtu udp_mtu_try_proto udp4_raw udp4_raw_mtu udp4_raw_ttl udp_receiver_mode udp_accept_proxy dns rev_dns dns_rev_via
uri_host_extra_chars hdr_name_extra_chars xavp_via_params xavp_via_fields xavp_via_reply_params tcp_accept_aliases tcp_accept_unique
tcp_connection_match tls_max_connections tcp_source_ipv4 tcp_source_ipv6 tcp_fd_cache tcp_async tcp_buf_write tcp_wq_blk_size tcp_defer_accept
tcp_delayed_ack tcp_syncnt tcp_linger2 tcp_keepidle tcp_keepintvl tcp_keepcnt tcp_accept_hep3 tcp_accept_haproxy tcp_accept_protocols tcp_accept_protos
tcp_close_rst tcp_clone_rcvbuf tcp_reuse_port tcp_wait_data tcp_script_mode tcp_listen_backlog tcp_msg_read_timeout tcp_msg_data_timeout tcp_check_timer
tcp_accept_iplimit tcp_main_threads tcp_poll_method tls_threads_mode tls_connection_match_domain tls_method tls_verify tls_require_certificate
tls_certificate tls_private_key tls_ca_list tls_handshake_timeout tls_send_timeout tlslog tls_log disable_sctp sctp_children dns_try_ipv6 dns_try_naptr
dns_srv_lb dns_srv_loadbalancing dns_udp_pref dns_tcp_pref dns_tls_pref dns_sctp_pref dns_retr_time dns_retr_no dns_servers_no dns_slow_query_ms
dns_use_search_list dns_search_full_match dns_naptr_ignore_rfc dns_cache_init use_dns_cache dns_use_cache use_dns_failover dns_use_failover
dns_cache_flags dns_cache_negative_ttl dns_cache_min_ttl dns_cache_max_ttl dns_cache_mem dns_cache_gc_interval dns_cache_del_nonexp
dns_cache_delete_nonexpired dns_cache_rec_pref dst_blocklist_init use_dst_blocklist dst_blocklist_expire dst_blocklist_ttl dst_blocklist_mem
dst_blocklist_gc_interval dst_blocklist_udp_imask dst_blocklist_tcp_imask dst_blocklist_tls_imask dst_blocklist_sctp_imask log_prefix_mode
log_engine_type log_engine_data corelog core_log sip_parser_log_oneline latency_cfg_log latency_log latency_limit_cfg latency_limit_action
latency_limit_db verbose_startup shm_force_alloc mlock_pages mem_join mem_safety mem_status_mode mem_add_size async_workers async_usleep async_nonblock
async_workers_group async_tkv_gname async_tkv_evcb fork_delay modinit_delay real_time rt_prio rt_policy rt_timer1_prio rt_timer1_policy rt_timer2_prio
rt_timer2_policy wait_worker1_mode wait_worker1_time wait_worker1_usleep http_reply_parse http_reply_hack msg_time msg_clone_extra_size
msg_apply_changes_mode route_locks_size received_route_mode kemi pv_buffer_size pv_buffer_slots pv_cache_limit pv_cache_action
stats_name_separator sql_buffer_size version_table rpc_exec_delta rpc_exec_locks rpc_exec_locks_mode`)

// NotYet says whether name is a parameter of Kamailio that kahea does not have yet.
func NotYet(name string) bool {
	for _, n := range notYet {
		if n == name {
			return true
		}
	}
	return false
}

// Find is the row of a name or alias; nil if there is none.
func Find(table []Param, name string) *Param {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
		for _, a := range table[i].Aliases {
			if a == name {
				return &table[i]
			}
		}
	}
	return nil
}

// Names lists the names and aliases of a table, for suggestions.
func Names(table []Param) []string {
	var n []string
	for i := range table {
		n = append(append(n, table[i].Name), table[i].Aliases...)
	}
	return n
}

// Set stores a value as it was written; the error says what was expected.
func (p *Param) Set(v syntax.Value) error {
	switch p.Type {
	case Bool, Number, Integer:
		if v.Kind != syntax.IntValue {
			return fmt.Errorf("%s: got %q, want a number", p.Name, v.Str)
		}
		n := int(v.Int)
		if p.Type != Integer && n < 0 {
			return fmt.Errorf("%s: got %d, want a number that is not negative", p.Name, n)
		}
		if (p.Min != 0 || p.Max != 0) && (n < p.Min || p.Max != 0 && n > p.Max) {
			return fmt.Errorf("%s: got %d, want %d to %d", p.Name, n, p.Min, p.Max)
		}
		if p.Bool != nil {
			*p.Bool = (n != 0) != p.Invert
			return nil
		}
		*p.Int = n
		return nil
	case String:
		if v.Kind != syntax.StrValue {
			return fmt.Errorf("%s: want a string in quotes", p.Name)
		}
	case StringOrID:
		if v.Kind == syntax.IntValue {
			*p.Str = fmt.Sprint(v.Int)
			return nil
		}
	}
	if p.OneOf != nil && !slices.Contains(p.OneOf, v.Str) {
		return fmt.Errorf("%s: got %q, want %s", p.Name, v.Str, strings.Join(p.OneOf, " or "))
	}
	*p.Str = v.Str
	return nil
}
