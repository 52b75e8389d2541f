package main

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

type resolver struct {
	mu    sync.Mutex
	known map[resolverKey]resolverEntry
}

type resolverKey struct {
	host string
	v6   bool
}

type resolverEntry struct {
	addr  netip.Addr
	until int64
}

func (r *resolver) lookup(host string, v6 bool, now int64) (netip.Addr, bool, func() error) {
	r.mu.Lock()
	e, ok := r.known[resolverKey{host, v6}]
	r.mu.Unlock()
	if ok && now < e.until {
		return e.addr, e.addr.IsValid(), nil
	}
	return netip.Addr{}, false, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		network := "ip4"
		if v6 {
			network = "ip6"
		}
		ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.known == nil {
			r.known = map[resolverKey]resolverEntry{}
		}
		e := resolverEntry{until: time.Now().Add(30 * time.Second).UnixNano()}
		if err == nil && len(ips) > 0 {
			e.addr = ips[0].Unmap()
		}
		r.known[resolverKey{host, v6}] = e
		return err
	}
}
