package reactor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

func TestReadProxy(t *testing.T) {
	v2 := func(command, family byte, body string) string {
		return proxyV2 + string([]byte{command, family, byte(len(body) >> 8), byte(len(body))}) + body
	}
	const four = "\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x08\xae"
	six := strings.Repeat("\x00", 15) + "\x01" + strings.Repeat("\x00", 15) + "\x02" + "\x04\x57\x08\xae"
	for _, c := range []struct {
		name, in, src, dst string
		rest               string
		err                error
	}{
		{name: "none", in: "OPTIONS sip:a SIP/2.0\r\n", rest: "OPTIONS sip:a SIP/2.0\r\n"},
		{name: "ping", in: "\r\n\r\n", rest: "\r\n\r\n"},
		{name: "nearly the first one", in: "PROX", err: errProxyMore},
		{name: "nearly the second one", in: proxyV2[:6], err: errProxyMore},
		{name: "first", in: "PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\nX", src: "1.2.3.4:1111", dst: "5.6.7.8:2222", rest: "X"},
		{name: "first, IPv6", in: "PROXY TCP6 ::1 ::2 1111 2222\r\nX", src: "[::1]:1111", dst: "[::2]:2222", rest: "X"},
		{name: "first, unknown", in: "PROXY UNKNOWN ffff::1 ff:2 1 2\r\nX", rest: "X"},
		{name: "first, in parts", in: "PROXY TCP4 1.2.3.4 ", err: errProxyMore},
		{name: "first, family", in: "PROXY TCP5 1.2.3.4 5.6.7.8 1111 2222\r\n", err: errProxy},
		{name: "first, address", in: "PROXY TCP4 1.2.3 5.6.7.8 1111 2222\r\n", err: errProxy},
		{name: "first, address of the other family", in: "PROXY TCP4 ::1 ::2 1111 2222\r\n", err: errProxy},
		{name: "first, zone", in: "PROXY TCP6 fe80::1%lo ::2 1111 2222\r\n", err: errProxy},
		{name: "first, port", in: "PROXY TCP4 1.2.3.4 5.6.7.8 99999 2222\r\n", err: errProxy},
		{name: "first, words", in: "PROXY TCP4 1.2.3.4 5.6.7.8 1111\r\n", err: errProxy},
		{name: "first, no end", in: "PROXY TCP4 " + strings.Repeat("1", 100), err: errProxy},
		{name: "second", in: v2(0x21, 0x11, four) + "X", src: "1.2.3.4:1111", dst: "5.6.7.8:2222", rest: "X"},
		{name: "second, datagram", in: v2(0x21, 0x12, four), src: "1.2.3.4:1111", dst: "5.6.7.8:2222"},
		{name: "second, IPv6", in: v2(0x21, 0x21, six) + "X", src: "[::1]:1111", dst: "[::2]:2222", rest: "X"},
		{name: "second, more fields", in: v2(0x21, 0x11, four+"\x04\x00\x02ab") + "X", src: "1.2.3.4:1111", dst: "5.6.7.8:2222", rest: "X"},
		{name: "second, local", in: v2(0x20, 0, "") + "X", rest: "X"},
		{name: "second, in parts", in: v2(0x21, 0x11, four)[:20], err: errProxyMore},
		{name: "second, version", in: v2(0x11, 0x11, four), err: errProxy},
		{name: "second, command", in: v2(0x23, 0x11, four), err: errProxy},
		{name: "second, family", in: v2(0x21, 0x31, strings.Repeat("x", 216)), err: errProxy},
		{name: "second, short", in: v2(0x21, 0x11, four[:8]), err: errProxy},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, n, err := readProxy([]byte(c.in))
			if !errors.Is(err, c.err) || err != nil && c.err == nil {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			text := func(a netip.AddrPort) string {
				if !a.IsValid() {
					return ""
				}
				return a.String()
			}
			if text(p.src) != c.src || text(p.dst) != c.dst || c.in[n:] != c.rest {
				t.Errorf("%s to %s, then %q", text(p.src), text(p.dst), c.in[n:])
			}
		})
	}
}

func FuzzReadProxy(f *testing.F) {
	for _, s := range []string{"PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n", "PROXY UNKNOWN\r\n", proxyV2 + "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x08\xae", proxyV2 + "\x20\x00\x00\x00", "\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, n, err := readProxy(b)
		if n < 0 || n > len(b) || err != nil && n != 0 && p.src.IsValid() || p.src.IsValid() != p.dst.IsValid() {
			t.Errorf("%d of %d bytes, %+v, %v", n, len(b), p, err)
		}
	})
}

func TestTCPProxied(t *testing.T) {
	s := tcpServer(t, 1, Options{TCPHAProxy: true, TCPWaitData: 100, TCPCRLFPing: true})
	t.Run("header and request in parts", func(t *testing.T) {
		c := connect(t, s.tcp)
		for _, b := range []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\nFROM\r\nl: 0\r\n\r\n") {
			_, _ = c.Write([]byte{b})
		}
		if got := c.body(); got != "192.0.2.1:1111 192.0.2.2:2222" {
			t.Errorf("answer %q", got)
		}
		// another process finds the connection by the address behind the proxy
		u := s.udpAsk(t, "TO 192.0.2.1:1111 hello nc")
		if b := make([]byte, 5); readFull(c, b) != nil || string(b) != "hello" {
			t.Errorf("got %q", b)
		}
		u.Close()
	})
	t.Run("without a header", func(t *testing.T) {
		c := connect(t, s.tcp)
		if got, want := c.ask("FROM", ""), fmt.Sprintf("%s %s", c.LocalAddr(), s.tcp); got != want {
			t.Errorf("answer %q, want %q", got, want)
		}
	})
	t.Run("broken header", func(t *testing.T) {
		c := connect(t, s.tcp)
		_, _ = c.Write([]byte("PROXY TCP9 x\r\n"))
		c.ended()
	})
	t.Run("nothing comes in time", func(t *testing.T) { connect(t, s.tcp).ended() })
	t.Run("half a header in time", func(t *testing.T) {
		c := connect(t, s.tcp)
		_, _ = c.Write([]byte("PROXY TCP4"))
		c.ended()
	})
}

func readFull(c *client, b []byte) error {
	_, err := io.ReadFull(c.r, b)
	return err
}

func TestTCPSlowSenders(t *testing.T) {
	s := tcpServer(t, 1, Options{TCPReadTimeout: 1, TCPDataTimeout: 1, TCPCheck: 1, TCPCRLFPing: true})
	good := connect(t, s.tcp)
	good.ask("WHO", "")
	t.Run("no message", func(t *testing.T) { connect(t, s.tcp).ended() })
	t.Run("pings only", func(t *testing.T) {
		c := connect(t, s.tcp)
		_, _ = c.Write([]byte("\r\n\r\n"))
		b, err := io.ReadAll(c.r)
		if string(b) != "\r\n" || err != nil {
			t.Errorf("read %q, %v; want the pong, then the end", b, err)
		}
	})
	t.Run("half a message", func(t *testing.T) {
		c := connect(t, s.tcp)
		c.ask("WHO", "")
		_, _ = c.Write([]byte("WHO\r\nContent-Length: 10\r\n\r\n12345"))
		c.ended()
	})
	t.Run("one that has spoken stays", func(t *testing.T) { good.ask("WHO", "") })
}

func TestTCPIPLimit(t *testing.T) {
	s := tcpServer(t, 1, Options{TCPIPLimit: 2})
	a, b := connect(t, s.tcp), connect(t, s.tcp)
	a.ask("WHO", "")
	b.ask("WHO", "")
	connect(t, s.tcp).ended()
	other, err := net.DialTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, net.TCPAddrFromAddrPort(s.tcp))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	(&client{other, t, bufio.NewReader(other)}).ask("WHO", "")
	a.Close()
	s.until(t, "one closed", func(cs []ConnInfo) bool { return len(cs) == 2 })
	// TCP main hears of it a little later
	for end := time.Now().Add(20 * time.Second); ; {
		c := connect(t, s.tcp)
		c.send("WHO", "")
		if _, err := c.r.Peek(1); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("no place is free after a connection has ended")
		}
	}
}

func TestTCPCloseRST(t *testing.T) {
	for rst, want := range map[bool]error{false: nil, true: unix.ECONNRESET} {
		t.Run(fmt.Sprint(rst), func(t *testing.T) {
			s := tcpServer(t, 1, Options{TCPCloseRST: rst})
			c := connect(t, s.tcp)
			c.send("BAD x", "")
			if _, err := io.ReadAll(c.r); !errors.Is(err, want) {
				t.Errorf("end of the connection: %v, want %v", err, want)
			}
		})
	}
}

// TestTCPSource looks at where a connection comes from that the server opens.
func TestTCPSource(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want func(s *server, a netip.AddrPort) bool
	}{
		{"the send socket's", Options{}, func(s *server, a netip.AddrPort) bool { return a.Addr() == s.tcp.Addr() && a.Port() != s.tcp.Port() }},
		{"tcp_source_ipv4", Options{TCPSource: [2]netip.Addr{netip.MustParseAddr("127.0.0.77")}}, func(_ *server, a netip.AddrPort) bool { return a.Addr().String() == "127.0.0.77" }},
		{"one that is not there", Options{TCPSource: [2]netip.Addr{netip.MustParseAddr("192.0.2.1")}}, func(s *server, a netip.AddrPort) bool { return a.Addr() == s.tcp.Addr() }},
		{"tcp_reuse_port", Options{TCPReusePort: true}, func(s *server, a netip.AddrPort) bool { return a == s.tcp }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tcpServer(t, 1, c.o)
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s.udpAsk(t, "TO "+l.Addr().String()+" hello").Close()
			x, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			if a := x.RemoteAddr().(*net.TCPAddr).AddrPort(); !c.want(s, a) {
				t.Errorf("it comes from %s, the server is %s", a, s.tcp)
			}
		})
	}
}

// table is a connection table without processes.
func table(t *testing.T) *tcpMain {
	a := arena(t)
	ls := []Listener{{Proto: sipparse.TCP, Addr: netip.MustParseAddrPort("127.0.0.1:5060")}, {Proto: sipparse.TCP, Addr: netip.MustParseAddrPort("127.0.0.1:5061")}}
	o := Options{TCPUnique: true}.withDefaults()
	off, err := Prepare(a, ls, o, 2)
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{c: Config{Listeners: ls, Arena: a}, o: o, sh: openShared(a, off)}
	return &tcpMain{w: w}
}

func tcpSocket(t *testing.T) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestTCPUniqueAndMatch(t *testing.T) {
	m := table(t)
	conns := m.w.sh.conns
	fd, peer := tcpSocket(t), netip.MustParseAddrPort("192.0.2.1:1111")
	first, _, err := m.enter(fd, 0, peer, ConnOK, 1, connAccepted)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.enter(fd, 0, peer, ConnOK, 1, connAccepted); !errors.Is(err, ErrTwin) {
		t.Errorf("a second one of the same addresses: %v", err)
	}
	m.w.o.TCPUnique = false
	second, _, err := m.enter(fd, 1, peer, ConnOK, 1, connAccepted)
	if err != nil {
		t.Fatal(err)
	}
	for what, x := range map[string][2]int{
		"newest": {conns.byAddr(peer, sipparse.TCP), second}, "of socket 0": {conns.bySock(peer, sipparse.TCP, 0), first},
		"of socket 1": {conns.bySock(peer, sipparse.TCP, 1), second}, "of a socket without one": {conns.bySock(peer, sipparse.TCP, 2), second},
	} {
		if x[0] != x[1] {
			t.Errorf("%s: row %d, want %d", what, x[0], x[1])
		}
	}
	conns.remove(first)
	conns.remove(second)
}

func TestTCPOwners(t *testing.T) {
	all, own := &tcpPeer{slot: 1, sock: -1, conns: 5}, &tcpPeer{slot: 2, sock: 1, conns: 9}
	m := &tcpMain{workers: []*tcpPeer{all, own}}
	if m.least(0) != all || m.least(1) != own {
		t.Error("a connection goes to the wrong worker")
	}
	own.slot = 0
	if m.least(1) != all {
		t.Error("without its own worker, a listener has none")
	}
}

// TestTCPOptions reads back what is set on sockets.
func TestTCPOptions(t *testing.T) {
	get := func(t *testing.T, fd, level, opt int) int {
		v, err := unix.GetsockoptInt(fd, level, opt)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	type want struct{ level, opt, v int }
	check := func(t *testing.T, fd int, ws ...want) {
		for _, w := range ws {
			if v := get(t, fd, w.level, w.opt); v != w.v {
				t.Errorf("option %d of level %d is %d, want %d", w.opt, w.level, v, w.v)
			}
		}
	}
	t.Run("connection", func(t *testing.T) {
		fd := tcpSocket(t)
		m := &tcpMain{w: &Worker{o: Options{TCPKeepIdle: 11, TCPKeepIntvl: 12, TCPKeepCnt: 13, TCPSynCnt: 3, TCPLinger2: 14}}}
		m.options(fd)
		check(t, fd, want{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, want{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 11}, want{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 12},
			want{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 13}, want{unix.IPPROTO_TCP, unix.TCP_SYNCNT, 3}, want{unix.IPPROTO_TCP, unix.TCP_LINGER2, 14}, want{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1})
	})
	t.Run("delayed ack", func(t *testing.T) {
		fd := tcpSocket(t)
		(&tcpMain{w: &Worker{o: Options{TCPDelayedAck: true}}}).options(fd)
		check(t, fd, want{unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0})
	})
	t.Run("listener", func(t *testing.T) {
		ls := []Listener{{Proto: sipparse.TCP, Addr: netip.MustParseAddrPort("127.0.0.1:0")}}
		fds, err := ListenTCP(ls, Options{TCPDeferAccept: 3, TCPSynCnt: 4, TCPReusePort: true})
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(fds)
		check(t, fds[0], want{unix.IPPROTO_TCP, unix.TCP_SYNCNT, 4}, want{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1})
		if get(t, fds[0], unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT) < 3 {
			t.Error("accepts are not deferred")
		}
	})
	for pmtu, kernel := range map[int]int{0: unix.IP_PMTUDISC_DONT, 1: unix.IP_PMTUDISC_DO, 2: unix.IP_PMTUDISC_WANT} {
		t.Run(fmt.Sprintf("pmtu_discovery %d", pmtu), func(t *testing.T) {
			fd, err := openUDP(Listener{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort("127.0.0.1:0")}, Options{PMTU: pmtu, McastTTL: 7, McastLoop: true})
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			check(t, fd, want{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, kernel}, want{unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 7}, want{unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 1})
		})
	}
	t.Run("device", func(t *testing.T) {
		fd, err := openUDP(Listener{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort("127.0.0.1:0"), Device: "lo"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if name, err := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE); err != nil || name != "lo" {
			t.Errorf("bound to device %q, %v", name, err)
		}
		if _, err := openUDP(Listener{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort("127.0.0.1:0"), Device: "nosuch0"}, Options{}); err == nil || !strings.Contains(err.Error(), "nosuch0") {
			t.Errorf("a device that is not there: %v", err)
		}
	})
}

func TestMulticast(t *testing.T) {
	l := Listener{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort("239.1.2.3:0"), Mcast: "lo"}
	fd, err := openUDP(l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	u := openOn(t, "127.0.0.1")
	if err := unix.SetsockoptInt(u, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 1); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptIPMreqn(u, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: 1}); err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(l.Addr.Addr(), localAddr(fd).Port())
	if err := unix.Sendto(u, []byte("hello"), 0, sockaddr(to)); err != nil {
		t.Fatal(err)
	}
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 10000); n != 1 {
		t.Fatalf("what is sent to the group does not come: %v", err)
	}
	l.Mcast = "nosuch0"
	if _, err := openUDP(l, Options{}); err == nil || !strings.Contains(err.Error(), "nosuch0") {
		t.Errorf("an interface that is not there: %v", err)
	}
}

func openOn(t *testing.T, ip string) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		t.Cleanup(func() { unix.Close(fd) })
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestSource(t *testing.T) {
	w := &Worker{}
	defer func() { closeAll(w.owned) }()
	for _, c := range [][2]string{{"127.0.0.1", "127.0.0.1"}, {"127.9.9.9", "127.0.0.1"}, {"::1", "::1"}, {"127.0.0.1", "127.0.0.1"}, {"255.255.255.255", "invalid IP"}} {
		if got := w.Source(netip.MustParseAddr(c[0])).String(); got != c[1] {
			t.Errorf("source to %s is %s, want %s", c[0], got, c[1])
		}
	}
}
