package reactor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"kahea/shm"
)

// Values of Options.UDPProxy, as bits.
const (
	UDPProxyHAProxy = 1 << iota // HAProxy's header, version 1 or 2
	UDPProxySimple              // the Simple Proxy Protocol of Cloudflare's Spectrum
)

const (
	simpleMagic  = 0x56ec
	simpleHead   = 38
	peerSets     = 2048
	peerWays     = 8
	peerLifetime = 7200 * int64(1e9) // ns without use
)

// proxyPeer is a client behind a proxy, and the address that the proxy sends his datagrams from.
type proxyPeer struct {
	Real, Proxy rawAddr
	Used        int64 // unix ns, 0: free
}

// proxyPeers lies in shared memory, so that every process sends to a client by his proxy. Each client stands in both tables, in a set of peerWays that his address,
// or the proxy's, chooses; in a full set he takes the place of the one that was not used for longest.
type proxyPeers struct {
	Mu      shm.Mutex
	_       uint32
	ByReal  [peerSets][peerWays]proxyPeer
	ByProxy [peerSets][peerWays]proxyPeer
}

func peerSet(a netip.AddrPort) int {
	b := a.Addr().As16()
	h := uint64(a.Port())*0x9e3779b97f4a7c15 ^ binary.NativeEndian.Uint64(b[:8])
	h = (h^h>>29)*0xbf58476d1ce4e5b9 ^ binary.NativeEndian.Uint64(b[8:])
	h = (h ^ h>>32) * 0x94d049bb133111eb
	return int(h >> 40 & (peerSets - 1))
}

// place is the row of a set that key names, or the one to use for it.
func place(set *[peerWays]proxyPeer, same func(*proxyPeer) bool) (row *proxyPeer, found bool) {
	row = &set[0]
	for i := range set {
		if p := &set[i]; p.Used != 0 && same(p) {
			return p, true
		} else if p.Used < row.Used {
			row = p
		}
	}
	return row, false
}

func (t *proxyPeers) learn(a *shm.Arena, real, proxy netip.AddrPort, now int64) {
	a.Lock(&t.Mu)
	defer a.Unlock(&t.Mu)
	r, _ := place(&t.ByReal[peerSet(real)], func(p *proxyPeer) bool { return get(&p.Real) == real })
	x, _ := place(&t.ByProxy[peerSet(proxy)], func(p *proxyPeer) bool { return get(&p.Proxy) == proxy })
	for _, p := range [2]*proxyPeer{r, x} {
		p.Used = 0 // while it is half written
		put(&p.Real, real)
		put(&p.Proxy, proxy)
		p.Used = now
	}
}

func (t *proxyPeers) proxyOf(a *shm.Arena, real netip.AddrPort, now int64) netip.AddrPort {
	a.Lock(&t.Mu)
	defer a.Unlock(&t.Mu)
	if p, ok := place(&t.ByReal[peerSet(real)], func(p *proxyPeer) bool { return get(&p.Real) == real }); ok && now-p.Used < peerLifetime {
		p.Used = now
		return get(&p.Proxy)
	}
	return real
}

func (t *proxyPeers) behind(a *shm.Arena, proxy netip.AddrPort, now int64) netip.AddrPort {
	a.Lock(&t.Mu)
	defer a.Unlock(&t.Mu)
	if p, ok := place(&t.ByProxy[peerSet(proxy)], func(p *proxyPeer) bool { return get(&p.Proxy) == proxy }); ok && now-p.Used < peerLifetime {
		p.Used = now
		return get(&p.Real)
	}
	return proxy
}

var errSimple = errors.New("broken header of the simple proxy protocol")

// datagramHeader reads a proxy's header at the beginning of a datagram, n bytes of it; 0: there is none.
func datagramHeader(mode int, b []byte) (p proxied, n int, err error) {
	if mode&UDPProxySimple != 0 && len(b) >= 2 && binary.BigEndian.Uint16(b) == simpleMagic {
		if len(b) < simpleHead {
			return p, 0, fmt.Errorf("%d bytes: %w", len(b), errSimple)
		}
		ip := func(at int) netip.Addr { return netip.AddrFrom16([16]byte(b[at : at+16])).Unmap() }
		p.src = netip.AddrPortFrom(ip(2), binary.BigEndian.Uint16(b[34:]))
		p.dst = netip.AddrPortFrom(ip(18), binary.BigEndian.Uint16(b[36:]))
		return p, simpleHead, nil
	}
	if mode&UDPProxyHAProxy != 0 {
		if p, n, err = readProxy(b); err == errProxyMore {
			err = nil // a datagram has all that it has
		}
	}
	return p, n, err
}

// unproxy takes a proxy's header off the datagram in slot i and puts the client's address into src; without a header it is that of the client whom this proxy has named
// last. ok is false for what is no message.
func (w *Worker) unproxy(i int, src *netip.AddrPort) (ok bool) {
	r, t := w.rx, w.sh.peers
	m := &r.msgs[i]
	b := r.buffer(r.h.BufOf[i])[:m.n]
	p, n, err := datagramHeader(w.o.UDPProxy, b)
	if err != nil {
		w.c.Log(fmt.Sprintf("datagram from %s dropped: %v", *src, err))
		return false
	}
	switch {
	case p.src.IsValid():
		t.learn(w.c.Arena, p.src, *src, w.now)
		*src = p.src
	case n == 0:
		*src = t.behind(w.c.Arena, *src, w.now)
	}
	if n > 0 { // a successor that finds the datagram here finds it without the header, too
		copy(b, b[n:])
		m.n -= uint32(n)
	}
	return m.n > 0
}

// ProxyPeer is one line of udp.proxy.dump.
type ProxyPeer struct {
	Real, Proxy netip.AddrPort
	Used        int64 // unix ns
}

// ProxyPeers lists the clients behind UDP proxies, from any process.
func ProxyPeers(a *shm.Arena, off shm.Off) (l []ProxyPeer) {
	eachPeer(a, off, func(p *proxyPeer, byReal bool) {
		if byReal {
			l = append(l, ProxyPeer{get(&p.Real), get(&p.Proxy), p.Used})
		}
	})
	return l
}

// ForgetProxyPeers removes those that were not used since the time before (unix ns) from the tables, and says how many that were. Any process.
func ForgetProxyPeers(a *shm.Arena, off shm.Off, before int64) (n int) {
	eachPeer(a, off, func(p *proxyPeer, byReal bool) {
		if p.Used < before {
			p.Used = 0
			if byReal {
				n++
			}
		}
	})
	return n
}

// ProxyPeerLifetime is how long a client behind a UDP proxy is known without use, in ns.
const ProxyPeerLifetime = peerLifetime

func eachPeer(a *shm.Arena, off shm.Off, f func(p *proxyPeer, byReal bool)) {
	t := openShared(a, off).peers
	if t == nil {
		return
	}
	a.Lock(&t.Mu)
	defer a.Unlock(&t.Mu)
	for i := range t.ByReal {
		for k := range peerWays {
			if p := &t.ByReal[i][k]; p.Used != 0 {
				f(p, true)
			}
			if p := &t.ByProxy[i][k]; p.Used != 0 {
				f(p, false)
			}
		}
	}
}

func makePeers(a *shm.Arena, tag shm.Tag) (shm.Off, error) {
	o, err := a.Alloc(int(unsafe.Sizeof(proxyPeers{})), tag)
	if err != nil {
		return 0, fmt.Errorf("clients behind udp proxies: %w", err)
	}
	clear(a.Bytes(o))
	return o, nil
}
