package core

// dnsParams are the parameters of name resolution (RFC 3263). All of them but dns_cache_init may change at run time, as variables of group core.
func (c *Config) dnsParams() []Param {
	return []Param{
		{Name: "rev_dns", Aliases: []string{"dns_rev_via"}, Type: Bool, Bool: &c.RevDNS, Doc: "no received parameter when the Via's host is a name that the sender's address has: asks DNS for requests without rport; no"},
		{Name: "dns_try_ipv6", Type: Bool, Bool: &c.DNSTryIPv6, Runtime: "core", Doc: "ask for AAAA records when there is an IPv6 socket; yes"},
		{Name: "dns_try_naptr", Type: Bool, Bool: &c.DNSTryNAPTR, Runtime: "core", Doc: "NAPTR records choose the transport when a URI does not; no"},
		{Name: "dns_srv_lb", Aliases: []string{"dns_srv_loadbalancing"}, Type: Bool, Bool: &c.DNSSRVLB, Runtime: "core", Doc: "SRV records of one priority are used in proportion to their weights (RFC 2782), not the heaviest first; no"},
		{Name: "dns_naptr_ignore_rfc", Type: Bool, Bool: &c.DNSNAPTRIgnoreRFC, Runtime: "core", Doc: "dns_*_pref count before the order of NAPTR records; yes"},
		{Name: "dns_udp_pref", Aliases: []string{"dns_udp_preference"}, Type: Integer, Int: &c.DNSPrefUDP, Runtime: "core", Doc: "weight of NAPTR records for UDP, the highest wins; 30"},
		{Name: "dns_tcp_pref", Aliases: []string{"dns_tcp_preference"}, Type: Integer, Int: &c.DNSPrefTCP, Runtime: "core", Doc: "of those for TCP; 20"},
		{Name: "dns_tls_pref", Aliases: []string{"dns_tls_preference"}, Type: Integer, Int: &c.DNSPrefTLS, Runtime: "core", Doc: "of those for TLS; 10"},
		{Name: "dns_sctp_pref", Aliases: []string{"dns_sctp_preference"}, Type: Integer, Int: &c.DNSPrefSCTP, Runtime: "core", Doc: "of those for SCTP; 20"},
		{Name: "dns_retr_time", Type: Integer, Int: &c.DNSRetrTime, Runtime: "core", Doc: "seconds until a server is asked again; -1: as resolv.conf says"},
		{Name: "dns_retr_no", Type: Integer, Int: &c.DNSRetrNo, Runtime: "core", Doc: "how often all servers are asked; -1: as resolv.conf says"},
		{Name: "dns_servers_no", Type: Integer, Int: &c.DNSServersNo, Runtime: "core", Doc: "how many servers of resolv.conf are used; -1: all"},
		{Name: "dns_slow_query_ms", Type: Number, Int: &c.DNSSlowQuery, Runtime: "core", Doc: "lookups that take longer are logged as warnings; 0: none"},
		{Name: "dns_use_search_list", Type: Bool, Bool: &c.DNSSearchList, Runtime: "core", Doc: "try the domains of resolv.conf; yes"},
		{Name: "dns_cache_init", Fixed: true, Type: Bool, Bool: &c.DNSCacheInit, Doc: "no: there is no cache, whatever use_dns_cache says"},
		{Name: "use_dns_cache", Aliases: []string{"dns_use_cache"}, Type: Bool, Bool: &c.DNSUseCache, Runtime: "core", Doc: "keep answers; each process has a cache of its own; yes"},
		{Name: "use_dns_failover", Aliases: []string{"dns_use_failover"}, Type: Bool, Bool: &c.DNSFailover, Runtime: "core", Doc: "when an address of a name does not answer, is not reached or answers 503, the next one is tried (RFC 3263 section 4.3); needs the cache; no"},
		{Name: "dst_blocklist_init", Fixed: true, Type: Bool, Bool: &c.BlockInit, Doc: "no: there is no list of destinations that do not work, whatever use_dst_blocklist says"},
		{Name: "use_dst_blocklist", Type: Bool, Bool: &c.BlockUse, Runtime: "core", Doc: "requests are not sent to a destination that has not worked before; no"},
		{Name: "dst_blocklist_expire", Aliases: []string{"dst_blocklist_ttl"}, Type: Number, Int: &c.BlockExpire, Runtime: "core", Doc: "seconds that a destination stays in the list, 60"},
		{Name: "dst_blocklist_mem", Type: Number, Max: 1 << 20, Int: &c.BlockMem, Runtime: "core", Doc: "KB of shared memory that the list takes when it gets its first entry, 250"},
		{Name: "dst_blocklist_udp_imask", Type: Number, Max: 255, Int: &c.BlockUDP, Runtime: "core", Doc: "reasons for which a UDP destination is not put into the list: 4 send error, 8 no connection, 16 no answer"},
		{Name: "dst_blocklist_tcp_imask", Type: Number, Max: 255, Int: &c.BlockTCP, Runtime: "core", Doc: "of those of TCP"},
		{Name: "dst_blocklist_tls_imask", Type: Number, Max: 255, Int: &c.BlockTLS, Runtime: "core", Doc: "of those of TLS"},
		{Name: "dst_blocklist_sctp_imask", Type: Number, Max: 255, Int: &c.BlockSCTP, Runtime: "core", Doc: "of those of SCTP"},
		{Name: "dns_cache_flags", Type: Number, Max: 7, Int: &c.DNSCacheFlags, Runtime: "core", Doc: "1 only IPv4, 2 only IPv6, 4 IPv6 first"},
		{Name: "dns_cache_negative_ttl", Type: Number, Int: &c.DNSNegTTL, Runtime: "core", Doc: "seconds that it is kept that a name does not exist, 60"},
		{Name: "dns_cache_min_ttl", Type: Number, Int: &c.DNSMinTTL, Runtime: "core", Doc: "seconds that an answer is kept at least, 0"},
		{Name: "dns_cache_max_ttl", Type: Number, Int: &c.DNSMaxTTL, Runtime: "core", Doc: "seconds that an answer is kept at most"},
		{Name: "dns_cache_mem", Type: Number, Int: &c.DNSCacheMem, Runtime: "core", Doc: "KB that the cache of a process may take, 500"},
		{Name: "dns_cache_del_nonexp", Aliases: []string{"dns_cache_delete_nonexpired"}, Type: Bool, Bool: &c.DNSCacheDrop, Runtime: "core", Doc: "a full cache drops answers that are still good; no: new ones are not kept"},
	}
}
