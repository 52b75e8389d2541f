package reactor

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// simple is a datagram with the header of the simple proxy protocol.
func simple(src, dst netip.AddrPort, body string) string {
	a, b := src.Addr().As16(), dst.Addr().As16()
	port := func(p uint16) string { return string([]byte{byte(p >> 8), byte(p)}) }
	return "\x56\xec" + string(a[:]) + string(b[:]) + port(src.Port()) + port(dst.Port()) + body
}

// TestUDPProxied: the answer says who the server takes the sender for, and comes to him who has sent, whatever that is.
func TestUDPProxied(t *testing.T) {
	client, local := netip.MustParseAddrPort("192.0.2.7:7777"), netip.MustParseAddrPort("198.51.100.1:5060")
	v1 := fmt.Sprintf("PROXY TCP4 %s %s %d %d\r\n", client.Addr(), local.Addr(), client.Port(), local.Port())
	for _, c := range []struct {
		name string
		mode int
		in   []string // each but those without an answer ("!") must be answered
		want []string // "me": the address of the socket
	}{
		{"off", 0, []string{"a"}, []string{"me a"}},
		{"none", 3, []string{"a"}, []string{"me a"}},
		{"HAProxy", UDPProxyHAProxy, []string{v1 + "a", "b"}, []string{client.String() + " a", client.String() + " b"}},
		{"HAProxy, broken", UDPProxyHAProxy, []string{"!PROXY TCP9 x\r\na", "b"}, []string{"me b"}},
		{"HAProxy, nothing but the header", UDPProxyHAProxy, []string{"!" + v1, "b"}, []string{client.String() + " b"}},
		{"HAProxy, not accepted", UDPProxySimple, []string{v1 + "a"}, []string{"me " + v1 + "a"}},
		{"simple", UDPProxySimple, []string{simple(client, local, "a"), "b"}, []string{client.String() + " a", client.String() + " b"}},
		{"simple, short", UDPProxySimple, []string{"!\x56\xecx", "b"}, []string{"me b"}},
		{"another client of the same proxy", 3, []string{v1 + "a", simple(netip.MustParseAddrPort("[2001:db8::1]:9"), local, "b")}, []string{client.String() + " a", "[2001:db8::1]:9 b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &echo{}
			h.receive = func(p *Packet) { _ = h.w.SendUDP(p.Sock, p.Src, fmt.Appendf(nil, "%s %s", p.Src, p.Buf)) }
			_, addr := start(t, h, "127.0.0.1:0", Options{UDPProxy: c.mode})
			u := dial(t, addr)
			_ = u.SetDeadline(time.Now().Add(20 * time.Second))
			n := 0
			for _, in := range c.in {
				text, silent := strings.CutPrefix(in, "!")
				if _, err := u.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
				if silent {
					continue
				}
				b := make([]byte, 1000)
				k, err := u.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				if want := strings.Replace(c.want[n], "me", u.LocalAddr().String(), 1); string(b[:k]) != want {
					t.Errorf("answer %q, want %q", b[:k], want)
				}
				n++
			}
		})
	}
}

func TestProxyPeers(t *testing.T) {
	a := arena(t)
	off, err := Prepare(a, nil, Options{UDPProxy: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	peers := openShared(a, off).peers
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 5060)
	}
	proxy := func(i int) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(i)) }
	const n = 60000
	for i := 1; i <= n; i++ {
		peers.learn(a, at(i), proxy(i), int64(i))
	}
	if got := peers.proxyOf(a, at(n), n); got != proxy(n) {
		t.Errorf("the last client's proxy is %s", got)
	}
	if got := peers.behind(a, proxy(n), n); got != at(n) {
		t.Errorf("behind the last proxy is %s", got)
	}
	if got := peers.proxyOf(a, at(n), n+peerLifetime); got != at(n) {
		t.Errorf("a client that is not seen any more is sent to by %s", got)
	}
	l := ProxyPeers(a, off)
	if len(l) < peerSets*peerWays*9/10 || len(l) > peerSets*peerWays {
		t.Errorf("%d clients are known, there is room for %d", len(l), peerSets*peerWays)
	}
	old := 0
	for _, p := range l {
		if p.Used < n/2 {
			old++
		}
	}
	if got := ForgetProxyPeers(a, off, n/2); got != old {
		t.Errorf("%d are forgotten, %d were old", got, old)
	}
	if got := len(ProxyPeers(a, off)); got != len(l)-old {
		t.Errorf("%d are left of %d", got, len(l)-old)
	}
}

func FuzzDatagramHeader(f *testing.F) {
	a := netip.MustParseAddrPort("192.0.2.7:7777")
	for _, s := range []string{simple(a, a, "x"), "\x56\xec", "PROXY UNKNOWN\r\nx", proxyV2 + "\x20\x00\x00\x00", "x"} {
		f.Add(uint8(3), []byte(s))
	}
	f.Fuzz(func(t *testing.T, mode uint8, b []byte) {
		p, n, err := datagramHeader(int(mode), b)
		if n < 0 || n > len(b) || p.src.IsValid() && (n == 0 || err != nil) {
			t.Errorf("%d of %d bytes, %+v, %v", n, len(b), p, err)
		}
	})
}
