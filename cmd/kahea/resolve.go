package main

import (
	"time"

	"kahea/cfglang/log"
	"kahea/reactor/resolve"
	"kahea/sipparse"
)

// resolveSettings are the parameters of name resolution as they stand now.
func (s *server) resolveSettings() *resolve.Settings {
	p := s.par
	sec := func(n int) time.Duration { return time.Duration(n) * time.Second }
	return &resolve.Settings{
		TryIPv6: p.DNSTryIPv6, TryNAPTR: p.DNSTryNAPTR, SRVBalance: p.DNSSRVLB, NAPTRIgnoreRFC: p.DNSNAPTRIgnoreRFC,
		Pref:    map[sipparse.Proto]int{sipparse.UDP: p.DNSPrefUDP, sipparse.TCP: p.DNSPrefTCP, sipparse.TLS: p.DNSPrefTLS, sipparse.SCTP: p.DNSPrefSCTP},
		Timeout: sec(max(0, p.DNSRetrTime)), Attempts: p.DNSRetrNo, Servers: p.DNSServersNo, SearchList: p.DNSSearchList,
		Cache: p.DNSUseCache && p.DNSCacheInit, Flags: p.DNSCacheFlags, NegTTL: sec(p.DNSNegTTL), MinTTL: sec(p.DNSMinTTL), MaxTTL: sec(p.DNSMaxTTL),
		CacheBytes: p.DNSCacheMem << 10, Replace: p.DNSCacheDrop, Slow: time.Duration(p.DNSSlowQuery) * time.Millisecond,
		OnSlow: func(name string, took time.Duration) {
			s.proc.Log.Printf(log.Warn, "<core>: ", "DNS query for %s took %d ms", name, took.Milliseconds())
		},
	}
}
