package resolve

import (
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Known is what can be said of host without asking anybody: the first address of the family from the hosts file or the cache. known is true also when
// it is known that there is none (ip is then not valid). It does not wait.
func (r *Resolver) Known(host string, v6 bool) (ip netip.Addr, known bool) {
	for _, ip := range r.hosts[strings.ToLower(strings.TrimSuffix(host, "."))] {
		if ip.Is6() == v6 {
			return ip, true
		}
	}
	qtype := dns.TypeA
	if v6 {
		qtype = dns.TypeAAAA
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.conf.NameList(host) {
		a := r.cache[key{strings.ToLower(n), qtype}]
		if a == nil || !r.o.Now().Before(a.until) {
			return netip.Addr{}, false
		}
		for _, rr := range a.rrs {
			var b net.IP
			switch x := rr.(type) {
			case *dns.A:
				b = x.A
			case *dns.AAAA:
				b = x.AAAA
			}
			if ip, ok := netip.AddrFromSlice(b); ok {
				return ip.Unmap(), true
			}
		}
	}
	return netip.Addr{}, true
}
