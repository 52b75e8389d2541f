package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"kahea/sipparse"
)

// Name is where a request goes, before it is looked up (RFC 3263).
type Name struct {
	Host   string
	Port   uint16         // 0: it was not said, so SRV records are asked for
	Proto  sipparse.Proto // the transport
	Any    bool           // the transport was not said: NAPTR records may choose another one
	V4, V6 bool           // families that there are sockets for
}

// Place is where it goes.
type Place struct {
	Addr  netip.AddrPort
	Proto sipparse.Proto
}

// asker gives the records of a name, or ErrNotFound, or errUnknown when it may not wait for them.
type asker func(name string, qtype uint16) ([]dns.RR, error)

var errUnknown = errors.New("not in the cache")

// Locate finds the places of a name, the first to be tried first: with a port its addresses, else those of its NAPTR and SRV records (RFC 3263 section 4), else its
// addresses and the default port. It waits.
func (r *Resolver) Locate(ctx context.Context, n Name) ([]Place, error) {
	return r.locate(n, func(name string, qtype uint16) ([]dns.RR, error) { return r.Query(ctx, name, qtype) })
}

// Located is Locate without asking anybody; known is false when somebody would have to be asked. Nothing is found when l is empty and known is true.
func (r *Resolver) Located(n Name) (l []Place, known bool) {
	l, err := r.locate(n, r.fromCache)
	return l, !errors.Is(err, errUnknown)
}

// fromCache is the asker that does not wait.
func (r *Resolver) fromCache(name string, qtype uint16) ([]dns.RR, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.names(name) {
		a := r.cache[key{strings.ToLower(x), qtype}]
		if a == nil || !r.o.Now().Before(a.until) {
			return nil, errUnknown
		}
		if len(a.rrs) > 0 {
			return a.rrs, nil
		}
	}
	return nil, ErrNotFound
}

func (r *Resolver) locate(n Name, ask asker) ([]Place, error) {
	s := r.set.Load()
	if n.Port != 0 {
		return r.places(n, s, n.Host, n.Port, n.Proto, ask)
	}
	if n.Any && s.TryNAPTR {
		l, err := r.naptr(n, s, ask)
		if len(l) > 0 || errors.Is(err, errUnknown) {
			return l, err
		}
	}
	l, err := r.srv(n, s, service(n.Proto)+n.Host, n.Proto, ask)
	if len(l) > 0 || errors.Is(err, errUnknown) {
		return l, err
	}
	port := uint16(5060)
	if n.Proto == sipparse.TLS || n.Proto == sipparse.WSS {
		port = 5061
	}
	return r.places(n, s, n.Host, port, n.Proto, ask)
}

// service is the prefix of a name's SRV records.
func service(p sipparse.Proto) string {
	switch p {
	case sipparse.TCP:
		return "_sip._tcp."
	case sipparse.TLS:
		return "_sips._tcp."
	case sipparse.SCTP:
		return "_sip._sctp."
	}
	return "_sip._udp."
}

// naptrServices are the services of RFC 3263 section 4.1 that there are transports for.
var naptrServices = map[string]sipparse.Proto{"SIP+D2U": sipparse.UDP, "SIP+D2T": sipparse.TCP}

// naptr follows the NAPTR records of a name.
func (r *Resolver) naptr(n Name, s *Settings, ask asker) (l []Place, err error) {
	rrs, err := ask(n.Host, dns.TypeNAPTR)
	if err != nil {
		return nil, err
	}
	type choice struct {
		*dns.NAPTR
		proto sipparse.Proto
	}
	var choices []choice
	for _, rr := range rrs {
		if x, ok := rr.(*dns.NAPTR); ok && strings.EqualFold(x.Flags, "s") {
			if p, ok := naptrServices[strings.ToUpper(x.Service)]; ok {
				choices = append(choices, choice{x, p})
			}
		}
	}
	slices.SortStableFunc(choices, func(a, b choice) int {
		pref := cmp.Compare(s.Pref[b.proto], s.Pref[a.proto])
		byRecord := cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
		if s.NAPTRIgnoreRFC {
			return cmp.Or(pref, byRecord)
		}
		return cmp.Or(byRecord, pref)
	})
	for _, c := range choices {
		got, err := r.srv(n, s, strings.TrimSuffix(c.Replacement, "."), c.proto, ask)
		if errors.Is(err, errUnknown) {
			return nil, err
		}
		l = append(l, got...)
	}
	return l, nil
}

// srv follows the SRV records of a service: by priority, and among equals the heaviest first, or by chance in proportion to the weights (RFC 2782).
func (r *Resolver) srv(n Name, s *Settings, service string, p sipparse.Proto, ask asker) (l []Place, err error) {
	rrs, err := ask(service, dns.TypeSRV)
	if err != nil {
		return nil, err
	}
	var recs []*dns.SRV
	for _, rr := range rrs {
		if x, ok := rr.(*dns.SRV); ok && x.Target != "." {
			recs = append(recs, x)
		}
	}
	slices.SortStableFunc(recs, func(a, b *dns.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight))
	})
	if s.SRVBalance {
		shuffle(recs)
	}
	for _, x := range recs {
		got, err := r.places(n, s, strings.TrimSuffix(x.Target, "."), x.Port, p, ask)
		if errors.Is(err, errUnknown) {
			return nil, err
		}
		l = append(l, got...)
	}
	return l, nil
}

// shuffle orders the records of each priority by chance, in proportion to their weights.
func shuffle(recs []*dns.SRV) {
	for i := range recs {
		sum, end := 0, i
		for ; end < len(recs) && recs[end].Priority == recs[i].Priority; end++ {
			sum += int(recs[end].Weight) + 1 // one of weight 0 has a small chance
		}
		at := rand.IntN(sum)
		for j := i; j < end; j++ {
			if at -= int(recs[j].Weight) + 1; at < 0 {
				x := recs[j]
				copy(recs[i+1:j+1], recs[i:j])
				recs[i] = x
				break
			}
		}
	}
}

// places are the addresses of a host of the families that are wanted.
func (r *Resolver) places(n Name, s *Settings, host string, port uint16, p sipparse.Proto, ask asker) (l []Place, err error) {
	families := []struct {
		on    bool
		qtype uint16
	}{{n.V4 && s.Flags&FlagOnlyIPv6 == 0, dns.TypeA}, {n.V6 && s.TryIPv6 && s.Flags&FlagOnlyIPv4 == 0, dns.TypeAAAA}}
	if s.Flags&FlagPreferIPv6 != 0 {
		families[0], families[1] = families[1], families[0]
	}
	var failed error
	for _, f := range families {
		if !f.on {
			continue
		}
		ips := r.inHosts(host, f.qtype == dns.TypeAAAA)
		if len(ips) == 0 {
			rrs, err := ask(host, f.qtype)
			if errors.Is(err, errUnknown) {
				return nil, err
			}
			if err != nil && !errors.Is(err, ErrNotFound) {
				failed = err
			}
			ips = addresses(rrs)
		}
		for _, ip := range ips {
			l = append(l, Place{netip.AddrPortFrom(ip, port), p})
		}
	}
	switch {
	case len(l) > 0:
		return l, nil
	case failed != nil:
		return nil, failed
	}
	return nil, fmt.Errorf("%s: %w", host, ErrNotFound)
}

// inHosts are the addresses of one family in the hosts file.
func (r *Resolver) inHosts(host string, v6 bool) (ips []netip.Addr) {
	for _, ip := range r.hosts[strings.ToLower(strings.TrimSuffix(host, "."))] {
		if ip.Is6() == v6 {
			ips = append(ips, ip)
		}
	}
	return ips
}

// addresses are those in records of A and AAAA.
func addresses(rrs []dns.RR) (ips []netip.Addr) {
	for _, rr := range rrs {
		var b net.IP
		switch x := rr.(type) {
		case *dns.A:
			b = x.A
		case *dns.AAAA:
			b = x.AAAA
		}
		if ip, ok := netip.AddrFromSlice(b); ok {
			ips = append(ips, ip.Unmap())
		}
	}
	return ips
}

// HasName says whether host is one of the names that ip has, in the hosts file or in DNS. It waits.
func (r *Resolver) HasName(ctx context.Context, ip netip.Addr, host string) bool {
	for name, ips := range r.hosts {
		if slices.Contains(ips, ip) && strings.EqualFold(name, host) {
			return true
		}
	}
	back, err := dns.ReverseAddr(ip.String())
	if err != nil {
		return false
	}
	rrs, err := r.cached(ctx, key{strings.ToLower(back), dns.TypePTR})
	if err != nil {
		return false
	}
	return slices.ContainsFunc(rrs, func(rr dns.RR) bool {
		p, ok := rr.(*dns.PTR)
		return ok && strings.EqualFold(strings.TrimSuffix(p.Ptr, "."), strings.TrimSuffix(host, "."))
	})
}
