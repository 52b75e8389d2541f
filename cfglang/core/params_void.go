package core

// voidParams are parameters of Kamailio that have no meaning here. They are accepted, so that a file just works, and the start says of each one that is set why it changes
// nothing; docs/differences.md lists them.
func voidParams() []Param {
	n := func(name string, t Type, why string, aliases ...string) Param {
		return Param{Name: name, Aliases: aliases, Type: t, Int: new(int), Void: why, Doc: "changes nothing here: " + why}
	}
	s := func(name string, t Type, why string, aliases ...string) Param {
		return Param{Name: name, Aliases: aliases, Type: t, Str: new(string), Void: why, Doc: "changes nothing here: " + why}
	}
	return []Param{
		n("dns", Number, "a name in a Via always gets a received parameter (RFC 3261 section 18.2.1); Kamailio asks DNS, but its comparison of addresses never matches"),
		n("dns_search_full_match", Number, "an answer always has to be of the name that was asked for"),
		n("dns_cache_gc_interval", Number, "answers that have run out leave when their room is needed"),
		n("dns_cache_rec_pref", Number, "a new answer replaces the one before, which has run out"),
		n("tls_port_no", Number, "TLS is not there: a tls listener fails at start"),
		n("tls_max_connections", Number, "TLS is not there"),
		n("tls_threads_mode", Number, "it works around a fault of libssl, which kahea does not use"),
		n("tls_connection_match_domain", Number, "TLS is not there"),
		s("tls_method", StringOrID, "it belongs to module tls since long; Kamailio only warns of it"),
		n("tls_verify", Number, "it belongs to module tls since long; Kamailio only warns of it"),
		n("tls_require_certificate", Number, "it belongs to module tls since long; Kamailio only warns of it"),
		s("tls_certificate", String, "it belongs to module tls since long; Kamailio only warns of it"),
		s("tls_private_key", String, "it belongs to module tls since long; Kamailio only warns of it"),
		s("tls_ca_list", String, "it belongs to module tls since long; Kamailio only warns of it"),
		n("tls_handshake_timeout", Number, "it belongs to module tls since long; Kamailio only warns of it"),
		n("tls_send_timeout", Number, "it belongs to module tls since long; Kamailio only warns of it"),
		n("tlslog", Number, "TLS is not there (in Kamailio it sets the TLS port by mistake)", "tls_log"),
		n("disable_sctp", Number, "SCTP is not there"),
		n("sctp_children", Number, "SCTP is not there"),
		n("udp4_raw", Integer, "UDP is sent in batches through ordinary sockets, which costs less than raw ones"),
		n("udp4_raw_mtu", Number, "there are no raw sockets"),
		n("udp4_raw_ttl", Number, "there are no raw sockets"),
		n("udp_receiver_mode", Number, "every worker has a socket of its own, and the kernel spreads the datagrams"),
		n("tcp_fd_cache", Number, "workers have their own descriptors of connections"),
		n("tcp_async", Number, "connects and writes never wait", "tcp_buf_write"),
		n("tcp_wq_blk_size", Number, "write queues are not made of blocks"),
		n("tcp_clone_rcvbuf", Number, "a script never sees the buffer that is read into change"),
		n("tcp_main_threads", Number, "TCP main does not handle data, so it needs no threads"),
		s("tcp_poll_method", StringOrID, "the reactor is built on epoll"),
		n("tcp_accept_hep3", Number, "no module takes HEP3 packets"),
		n("wait_worker1_usleep", Number, "main is told when the first process is ready"),
		n("latency_limit_db", Number, "there are no SQL modules"),
		n("verbose_startup", Number, "`--cfg-print`, `kahea fmt` and the process table show what it dumps of Kamailio's own tables"),
		n("msg_time", Number, "the kernel tells when a message came, whatever this says"),
		n("rpc_exec_delta", Number, "no command here is limited by it: in Kamailio those are reloads of modules that are not there"),
		n("rpc_exec_locks", Number, "commands of a process run one at a time, and what they change lies under locks of its own"),
		n("rpc_exec_locks_mode", Number, "commands of a process run one at a time, and what they change lies under locks of its own"),
		n("mem_join", Integer, "the allocators always join free neighbours"),
		n("mem_safety", Integer, "a wrong free is always an error"),
		n("mem_status_mode", Integer, "a memory report has one form"),
		n("mem_add_size", Integer, "blocks have the size that they need"),
		n("async_workers", Number, "a script that waits suspends only its message, so no processes are needed for it"),
		n("async_usleep", Number, "there are no async workers"),
		n("async_nonblock", Number, "there are no async workers"),
		s("async_workers_group", String, "there are no async workers"),
		s("async_tkv_gname", String, "there are no async workers"),
		s("async_tkv_evcb", String, "there are no async workers"),
		n("msg_clone_extra_size", Number, "clones of messages grow when they need to"),
		n("pv_buffer_size", Number, "values of variables are as long as they are"),
		n("pv_buffer_slots", Number, "there is no ring of buffers"),
		n("pv_cache_limit", Number, "variables are compiled at start, not looked up"),
		n("pv_cache_action", Number, "variables are compiled at start, not looked up"),
		n("sql_buffer_size", Number, "there are no SQL modules"),
		s("version_table", String, "there are no SQL modules"),
		s("kemi.request_route_callback", String, "there are no KEMI engines"),
		s("kemi.onsend_route_callback", String, "there are no KEMI engines"),
		s("kemi.reply_route_callback", String, "there are no KEMI engines"),
		s("kemi.event_route_callback", String, "there are no KEMI engines"),
		s("kemi.received_route_callback", String, "there are no KEMI engines"),
		s("kemi.pre_routing_callback", String, "there are no KEMI engines"),
	}
}
