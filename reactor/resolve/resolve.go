// Package resolve looks names up: the hosts file first, then DNS as resolv.conf says, with a cache that honours the records' times to live.
//
// A lookup waits, so it never runs on a worker's loop: call it from a goroutine, through Worker.Await. A Resolver may be used by any number of goroutines of one
// process; the cache is the process's own.
package resolve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// ErrNotFound says that the name does not exist or has no record of the type; any other error means that nobody could be asked.
var ErrNotFound = errors.New("name not found")

// Options of a Resolver. The zero value is the system's configuration.
type Options struct {
	ResolvConf string   // default /etc/resolv.conf
	Hosts      string   // default /etc/hosts; "-" for none
	Servers    []string // host:port; instead of those of resolv.conf
	Now        func() time.Time
}

// Resolver is a DNS client with a cache.
type Resolver struct {
	o       Options
	conf    *dns.ClientConfig
	hosts   map[string][]netip.Addr
	mu      sync.Mutex
	cache   map[key]*answer
	bytes   int                   // of cache
	waiting map[key]chan struct{} // lookups under way: others wait for them
	set     atomic.Pointer[Settings]
}

type key struct {
	name  string
	qtype uint16
}

type answer struct {
	rrs   []dns.RR
	until time.Time
	bytes int
}

// New reads the configuration files. A resolv.conf that is not there means the server 127.0.0.1, as in the C library.
func New(o Options) (*Resolver, error) {
	def := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	def(&o.ResolvConf, "/etc/resolv.conf")
	def(&o.Hosts, "/etc/hosts")
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Resolver{o: o, hosts: map[string][]netip.Addr{}, cache: map[key]*answer{}, waiting: map[key]chan struct{}{}}
	def0 := DefaultSettings()
	r.set.Store(&def0)
	var err error
	r.conf, err = dns.ClientConfigFromFile(o.ResolvConf)
	if errors.Is(err, os.ErrNotExist) {
		r.conf = &dns.ClientConfig{Servers: []string{"127.0.0.1"}, Port: "53", Ndots: 1, Timeout: 5, Attempts: 2}
	} else if err != nil {
		return nil, fmt.Errorf("resolver configuration: %w", err)
	}
	if o.Hosts != "-" {
		if err := r.readHosts(o.Hosts); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Resolver) readHosts(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hosts file: %w", err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		line, _, _ := strings.Cut(s.Text(), "#")
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		ip, err := netip.ParseAddr(w[0])
		if err != nil {
			continue // the C library skips such a line, too
		}
		for _, n := range w[1:] {
			n = strings.ToLower(n)
			r.hosts[n] = append(r.hosts[n], ip)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("hosts file %s: %w", path, err)
	}
	return nil
}

// Lookup resolves host to addresses of the families that are wanted, IPv4 first. A literal address (brackets allowed) is returned as it is. It waits.
func (r *Resolver) Lookup(ctx context.Context, host string, v4, v6 bool) ([]netip.Addr, error) {
	want := func(ip netip.Addr) bool { return ip.Is4() && v4 || ip.Is6() && v6 }
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if ip = ip.Unmap(); want(ip) {
			return []netip.Addr{ip}, nil
		}
		return nil, fmt.Errorf("%s has the other family: %w", host, ErrNotFound)
	}
	ips := slices.DeleteFunc(slices.Clone(r.hosts[strings.ToLower(strings.TrimSuffix(host, "."))]), func(ip netip.Addr) bool { return !want(ip) })
	if len(ips) > 0 {
		return ips, nil
	}
	var failed error
	for _, t := range []struct {
		on    bool
		qtype uint16
	}{{v4, dns.TypeA}, {v6, dns.TypeAAAA}} {
		if !t.on {
			continue
		}
		rrs, err := r.Query(ctx, host, t.qtype)
		if err != nil && !errors.Is(err, ErrNotFound) {
			failed = err
		}
		ips = append(ips, addresses(rrs)...)
	}
	switch {
	case len(ips) > 0:
		return ips, nil
	case failed != nil:
		return nil, failed
	}
	return nil, fmt.Errorf("%s: %w", host, ErrNotFound)
}

// Query returns the records of one type (aliases followed by the server are among the answer's and are left out), from the cache if they are there. The names
// tried are those of resolv.conf (search, ndots). The records belong to the cache: they are not to be changed. It waits.
func (r *Resolver) Query(ctx context.Context, name string, qtype uint16) ([]dns.RR, error) {
	for _, n := range r.names(name) {
		rrs, err := r.cached(ctx, key{strings.ToLower(n), qtype})
		if err == nil || !errors.Is(err, ErrNotFound) {
			return rrs, err
		}
	}
	return nil, fmt.Errorf("%s %s: %w", name, dns.TypeToString[qtype], ErrNotFound)
}

// names are what is asked for name: with the domains of resolv.conf, or only itself.
func (r *Resolver) names(name string) []string {
	if r.set.Load().SearchList {
		return r.conf.NameList(name)
	}
	return []string{dns.Fqdn(name)}
}

func (r *Resolver) cached(ctx context.Context, k key) ([]dns.RR, error) {
	for {
		r.mu.Lock()
		if a := r.cache[k]; a != nil && r.o.Now().Before(a.until) {
			r.mu.Unlock()
			if len(a.rrs) == 0 {
				return nil, fmt.Errorf("%s: %w", k.name, ErrNotFound)
			}
			return a.rrs, nil
		}
		ch := r.waiting[k]
		if ch == nil {
			ch = make(chan struct{})
			r.waiting[k] = ch
			r.mu.Unlock()
			rrs, ttl, err := r.exchange(ctx, k)
			r.mu.Lock()
			if err == nil || errors.Is(err, ErrNotFound) {
				r.keep(k, rrs, ttl)
			}
			delete(r.waiting, k)
			r.mu.Unlock()
			close(ch)
			return rrs, err
		}
		r.mu.Unlock()
		select {
		case <-ch: // look again: it may have failed
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", k.name, ctx.Err())
		}
	}
}

// keep stores an answer; when the cache is full, what has run out goes first, then anything.
func (r *Resolver) keep(k key, rrs []dns.RR, ttl time.Duration) {
	set := r.set.Load()
	if !set.Cache {
		return
	}
	now := r.o.Now()
	size := len(k.name) + 128 // of the map's entry, and of what the runtime adds to the records
	for _, rr := range rrs {
		size += dns.Len(rr) + 96
	}
	if old := r.cache[k]; old != nil {
		r.drop(k, old)
	}
	if r.bytes+size > set.CacheBytes {
		for x, a := range r.cache {
			if !now.Before(a.until) {
				r.drop(x, a)
			}
		}
		for x, a := range r.cache {
			if !set.Replace || r.bytes+size <= set.CacheBytes {
				break
			}
			r.drop(x, a)
		}
		if r.bytes+size > set.CacheBytes {
			return
		}
	}
	r.cache[k] = &answer{rrs, now.Add(ttl), size}
	r.bytes += size
}

func (r *Resolver) drop(k key, a *answer) {
	delete(r.cache, k)
	r.bytes -= a.bytes
}

// Flush empties the cache (dns.delete_all).
func (r *Resolver) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cache)
	r.bytes = 0
}

// exchange asks the servers in turn.
func (r *Resolver) exchange(ctx context.Context, k key) ([]dns.RR, time.Duration, error) {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(k.name), k.qtype)
	q.SetEdns0(1232, false)
	servers := r.o.Servers
	if len(servers) == 0 {
		for _, s := range r.conf.Servers {
			servers = append(servers, net.JoinHostPort(s, r.conf.Port))
		}
	}
	set := r.set.Load()
	if set.Servers > 0 && set.Servers < len(servers) {
		servers = servers[:set.Servers]
	}
	timeout, attempts := set.Timeout, set.Attempts
	if timeout <= 0 {
		timeout = time.Duration(max(1, r.conf.Timeout)) * time.Second
	}
	if attempts < 0 {
		attempts = r.conf.Attempts
	}
	if began := r.o.Now(); set.Slow > 0 && set.OnSlow != nil {
		defer func() {
			if took := r.o.Now().Sub(began); took >= set.Slow {
				set.OnSlow(k.name, took)
			}
		}()
	}
	c := dns.Client{Timeout: timeout}
	err := fmt.Errorf("%s: no name server: %w", k.name, os.ErrNotExist)
	for range max(1, attempts) {
		for _, s := range servers {
			a, _, e := c.ExchangeContext(ctx, q, s)
			if e == nil && a.Truncated {
				t := dns.Client{Net: "tcp", Timeout: c.Timeout}
				a, _, e = t.ExchangeContext(ctx, q, s)
			}
			if e != nil {
				err = fmt.Errorf("%s: ask %s: %w", k.name, s, e)
				if ctx.Err() != nil {
					return nil, 0, err
				}
				continue
			}
			switch a.Rcode {
			case dns.RcodeSuccess, dns.RcodeNameError:
				return r.take(k, a)
			default:
				err = fmt.Errorf("%s: %s answers %s: %w", k.name, s, dns.RcodeToString[a.Rcode], errServer)
			}
		}
	}
	return nil, 0, err
}

var errServer = errors.New("name server failed")

func (r *Resolver) take(k key, a *dns.Msg) (rrs []dns.RR, ttl time.Duration, err error) {
	set := r.set.Load()
	ttl = set.MaxTTL
	for _, rr := range a.Answer {
		ttl = min(ttl, time.Duration(rr.Header().Ttl)*time.Second) // of an alias on the way, too
		if rr.Header().Rrtype == k.qtype {
			rrs = append(rrs, rr)
		}
	}
	if len(rrs) == 0 {
		return nil, set.NegTTL, fmt.Errorf("%s: %w", k.name, ErrNotFound)
	}
	return rrs, max(ttl, set.MinTTL), nil
}
