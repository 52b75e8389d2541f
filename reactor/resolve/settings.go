package resolve

import (
	"time"

	"kahea/sipparse"
)

// Bits of Settings.Flags (dns_cache_flags).
const (
	FlagOnlyIPv4 = 1 << iota
	FlagOnlyIPv6
	FlagPreferIPv6
)

// Settings may change while the Resolver is in use.
type Settings struct {
	TryIPv6, TryNAPTR, SRVBalance, NAPTRIgnoreRFC bool
	Pref                                          map[sipparse.Proto]int // of NAPTR records; the highest wins
	Timeout                                       time.Duration          // of one question to one server; 0: as resolv.conf says
	Attempts, Servers                             int                    // rounds, and how many servers of resolv.conf; negative: as it says
	SearchList                                    bool                   // names are tried with the domains of resolv.conf
	Cache                                         bool
	Flags                                         int
	NegTTL, MinTTL, MaxTTL                        time.Duration
	CacheBytes                                    int  // what all answers may take
	Replace                                       bool // a full cache drops answers that are still good; else new ones are not kept
	Slow                                          time.Duration
	OnSlow                                        func(name string, took time.Duration) // told of lookups that take longer than Slow, on any goroutine; nil: nobody
}

// DefaultSettings are Kamailio's.
func DefaultSettings() Settings {
	return Settings{TryIPv6: true, NAPTRIgnoreRFC: true, Pref: map[sipparse.Proto]int{sipparse.UDP: 30, sipparse.TCP: 20, sipparse.TLS: 10, sipparse.SCTP: 20},
		Attempts: -1, Servers: -1, SearchList: true, Cache: true, NegTTL: time.Minute, MaxTTL: 1 << 32 * time.Second, CacheBytes: 500 << 10}
}

// Set puts s in force; lookups under way end as they began. s belongs to the Resolver from then on.
func (r *Resolver) Set(s *Settings) { r.set.Store(s) }
