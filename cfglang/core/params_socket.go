package core

// socketParams are the parameters of sockets and addresses.
func (c *Config) socketParams() []Param {
	return []Param{
		{Name: "port", Type: Number, Max: 65535, Int: &c.Port, Doc: "port of listeners without one, 5060"},
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
		{Name: "msg_recv_max_size", Fixed: true, Type: Number, Min: 512, Max: 65535, Int: &c.MsgMaxSize, Doc: "longer messages are dropped, 32767"},
	}
}
