package core

// tcpParams are the parameters of TCP.
func (c *Config) tcpParams() []Param {
	return []Param{
		{Name: "disable_tcp", Fixed: true, Type: Bool, Bool: &c.DisableTCP, Doc: "no TCP"},
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
	}
}
