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
		{Name: "tos", Fixed: true, Type: Number, Max: 255, Int: &c.TOS, Words: []Word{{"IPTOS_LOWDELAY", 16}, {"IPTOS_THROUGHPUT", 8}, {"IPTOS_RELIABILITY", 4}, {"IPTOS_MINCOST", 2}},
			Doc: "IP type of service, a number or IPTOS_LOWDELAY, IPTOS_THROUGHPUT, IPTOS_RELIABILITY, IPTOS_MINCOST; 16"},
		{Name: "maxbuffer", Fixed: true, Type: Number, Int: &c.MaxBuffer, Doc: "ceiling of the UDP receive buffer in bytes, 262144"},
		{Name: "maxsndbuffer", Fixed: true, Type: Number, Int: &c.MaxSndBuf, Doc: "ceiling of the UDP send buffer in bytes, 262144"},
		{Name: "ip_free_bind", Fixed: true, Aliases: []string{"ipfreebind", "ip_nonlocal_bind"}, Type: Integer, Int: &c.FreeBind, Doc: "bind addresses that this host does not have"},
		{Name: "msg_recv_max_size", Fixed: true, Type: Number, Min: 512, Max: 65535, Int: &c.MsgMaxSize, Doc: "longer messages are dropped, 32767"},
		{Name: "mhomed", Type: Bool, Bool: &c.MHomed, Doc: "a UDP message leaves from the listener whose address the kernel's routes choose for its destination"},
		{Name: "bind_ipv6_link_local", Fixed: true, Type: Number, Max: 2, Int: &c.IPv6LinkLocal, Doc: "link-local IPv6 addresses: 0 as any other, 1 bound with the scope of their interface, 2 left out"},
		{Name: "ipv6_hex_style", Fixed: true, Type: String, Str: &c.IPv6HexStyle, OneOf: []string{"c", "a", "A"}, Doc: "IPv6 addresses as text: c compressed, a eight groups in lower case, A in upper case"},
		{Name: "pmtu_discovery", Fixed: true, Type: Number, Max: 2, Int: &c.PMTUDiscovery, Doc: "path MTU discovery of UDP over IPv4: 0 none, 1 datagrams are never fragmented, 2 as the kernel knows the path"},
		{Name: "mcast", Type: StringOrID, Str: &c.Mcast, Doc: "interface on which the next listen joins its multicast group; the kernel's choice when not set"},
		{Name: "mcast_loopback", Fixed: true, Type: Bool, Bool: &c.McastLoopback, Doc: "multicast datagrams that are sent come back to this host"},
		{Name: "mcast_ttl", Fixed: true, Type: Integer, Max: 255, Min: -1, Int: &c.McastTTL, Doc: "time to live of multicast datagrams; -1: the system's"},
		{Name: "udp_accept_proxy", Fixed: true, Type: Number, Max: 3, Int: &c.UDPAcceptProxy, Doc: "a datagram may begin with a proxy's header, which says who is behind it: 1 HAProxy's, 2 the simple proxy protocol, 3 both"},
		{Name: "udp_mtu", Type: Number, Max: 65535, Int: &c.UDPMTU, Runtime: "core", Doc: "a forwarded request of more bytes leaves by udp_mtu_try_proto instead of UDP; 0: any size is for UDP"},
		{Name: "udp_mtu_try_proto", Type: Number, Min: 0, Max: 4, Int: &c.UDPMTUProto, Runtime: "core", Words: []Word{{"UDP", 1}, {"TCP", 2}, {"TLS", 3}, {"SCTP", 4}},
			Doc: "protocol of requests over udp_mtu: UDP (stay with UDP), TCP, TLS, SCTP"},
		{Name: "uri_host_extra_chars", Fixed: true, Type: String, Str: &c.HostChars, Doc: "characters that the host of a URI may hold, too"},
		{Name: "hdr_name_extra_chars", Fixed: true, Type: String, Str: &c.NameChars, Doc: "characters that the name of a header field may hold, too"},
	}
}
