package reactor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kahea/procmgr"
	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

// receiveTCP is the handler of the processes in these tests. A request's method says what to do; UDP requests are in the same form, without framing.
func (h *childHandler) receiveTCP(p *Packet) Verdict {
	line, _, _ := bytes.Cut(p.Buf, []byte("\r\n"))
	f := strings.Fields(string(line))
	say := func(format string, args ...any) {
		text := fmt.Appendf(nil, format, args...)
		m := fmt.Appendf(nil, "SIP/2.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		if p.Conn == 0 {
			_ = h.w.SendUDP(p.Sock, p.Src, text)
			return
		}
		if err := h.w.SendTCP(p.Conn, p.Sock, p.Src, m, 0); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	dst := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	switch f[0] {
	case "ECHO":
		_, body, _ := bytes.Cut(p.Buf, []byte("\r\n\r\n"))
		say("%s %s", f[1], body)
	case "FROM":
		say("%s %s", p.Src, p.Dst)
	case "WHO":
		say("%d %d %d", h.w.c.Slot, os.Getpid(), p.Conn)
	case "BAD":
		return Close
	case "DIE":
		unix.Kill(os.Getpid(), unix.SIGKILL)
	case "BYE":
		_ = h.w.SendTCP(p.Conn, p.Sock, p.Src, []byte("bye"), ForceClose)
	case "ID": // ID <connection> <text>
		id, _ := strconv.Atoi(f[1])
		if err := h.w.SendTCP(uint32(id), p.Sock, netip.AddrPort{}, []byte(f[2]), 0); err != nil {
			say("%v", err)
		}
	case "TO": // TO <address> <text> [n]
		var fl SendFlags
		if len(f) > 3 {
			fl = NoConnect
		}
		h.failed = func(_ int, dst netip.AddrPort, b []byte, err error) { say("failed %s %s: %v", dst, b, err) }
		if err := h.w.SendTCP(0, 1, dst(f[1]), []byte(f[2]), fl); err != nil {
			say("%v", err)
		}
	case "MANY": // MANY <address> <n>: n times our slot and a number, a line each
		n, _ := strconv.Atoi(f[2])
		for i := range n {
			if err := h.w.SendTCP(0, 1, dst(f[1]), fmt.Appendf(nil, "%d %d\n", h.w.c.Slot, i), 0); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	case "ALIAS":
		port, _ := strconv.Atoi(f[1])
		say("%v", h.w.AddAlias(p.Conn, uint16(port)))
	case "LIFETIME":
		s, _ := strconv.Atoi(f[1])
		_ = h.w.SetLifetime(p.Conn, s)
	case "BIG":
		n, _ := strconv.Atoi(f[1])
		_ = h.w.SendTCP(p.Conn, p.Sock, p.Src, make([]byte, n), 0)
	}
	return Done
}

type client struct {
	*net.TCPConn
	t *testing.T
	r *bufio.Reader
}

func connect(t *testing.T, to netip.AddrPort) *client {
	t.Helper()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{c, t, bufio.NewReader(c)}
}

func (c *client) send(line, body string) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, "%s\r\nContent-Length: %d\r\n\r\n%s", line, len(body), body); err != nil {
		c.t.Error(err)
	}
}

func (c *client) body() string {
	c.t.Helper()
	n := -1
	for {
		l, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("read %q: %v", l, err)
		}
		if v, ok := strings.CutPrefix(l, "Content-Length: "); ok {
			n, _ = strconv.Atoi(strings.TrimSpace(v))
		}
		if l == "\r\n" {
			break
		}
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

func (c *client) ask(line, body string) string {
	c.t.Helper()
	c.send(line, body)
	return c.body()
}

func (c *client) ended() {
	c.t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil && !errors.Is(err, unix.ECONNRESET) || len(b) > 0 {
		c.t.Errorf("read %q, %v; want the end", b, err)
	}
}

// udpAsk sends a request to a UDP worker of the same server.
func (s *server) udpAsk(t *testing.T, line string) *net.UDPConn {
	u := dial(t, s.addr)
	if _, err := u.Write([]byte(line)); err != nil {
		t.Fatal(err)
	}
	return u
}

func tcpServer(t *testing.T, workers int, o Options) *server {
	s := newServerTCP(t, 1, workers, "tcp", o)
	s.run(t)
	return s
}

// until waits until f is true of the connection table.
func (s *server) until(t *testing.T, what string, f func([]ConnInfo) bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(Conns(s.a, s.off)); {
		if time.Now().After(end) {
			t.Fatalf("%s: the table is %+v", what, Conns(s.a, s.off))
		}
		<-time.After(time.Millisecond)
	}
}

func TestTCP(t *testing.T) {
	s := tcpServer(t, 2, Options{TCPCRLFPing: true})
	t.Run("pipelined requests are answered in order", func(t *testing.T) {
		c := connect(t, s.tcp)
		go func() {
			for i := range 1000 {
				c.send(fmt.Sprintf("ECHO %d", i), strings.Repeat("x", i))
			}
		}()
		for i := range 1000 {
			if got, want := c.body(), fmt.Sprintf("%d %s", i, strings.Repeat("x", i)); got != want {
				t.Fatalf("answer %d is %.20q", i, got)
			}
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		c := connect(t, s.tcp)
		for _, b := range []byte("\r\n ECHO 1\r\nl: 4\r\n\r\nbody") {
			_, _ = c.Write([]byte{b})
		}
		if got := c.body(); got != "1 body" {
			t.Errorf("answer %q", got)
		}
	})
	t.Run("ping", func(t *testing.T) {
		c := connect(t, s.tcp)
		_, _ = c.Write([]byte("\r\n\r\n"))
		b := make([]byte, 2)
		if _, err := io.ReadFull(c.r, b); err != nil || string(b) != "\r\n" {
			t.Errorf("pong %q %v", b, err)
		}
		if got := c.ask("ECHO 2", "x"); got != "2 x" {
			t.Errorf("answer %q", got)
		}
	})
	t.Run("connections are spread", func(t *testing.T) {
		seen := map[string]int{}
		for range 6 {
			seen[strings.Fields(connect(t, s.tcp).ask("WHO", ""))[0]]++
		}
		if len(seen) != 2 || seen["2"] != 3 {
			t.Errorf("owners %v, want three each", seen)
		}
	})
	for name, line := range map[string]string{
		"handler says close": "BAD x\r\nContent-Length: 0\r\n\r\n", "no content length": "ECHO 1\r\n\r\n", "too long": strings.Repeat("x", 20000),
		"bad content length": "ECHO\r\nContent-Length: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			other := connect(t, s.tcp)
			c := connect(t, s.tcp)
			_, _ = c.Write([]byte(line))
			c.ended()
			if got := other.ask("ECHO 3", ""); got != "3 " {
				t.Errorf("the other connection answers %q", got)
			}
		})
	}
	t.Run("force close", func(t *testing.T) {
		c := connect(t, s.tcp)
		c.send("BYE", "")
		if b, err := io.ReadAll(c.r); string(b) != "bye" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
	})
	t.Run("slow reader", func(t *testing.T) {
		c := connect(t, s.tcp)
		c.ask("ECHO 4", "")
		c.send("BIG 30000000", "")
		s.until(t, "connection given up", func(cs []ConnInfo) bool { // read only then: a reader that keeps up gets everything
			return !slices.ContainsFunc(cs, func(i ConnInfo) bool { return i.Src.String() == c.LocalAddr().String() })
		})
		n, err := io.Copy(io.Discard, c.r)
		if n >= 30000000 || err != nil {
			t.Errorf("%d bytes came, %v: the write queue has no limit", n, err)
		}
	})
	t.Run("closed connections leave the table", func(t *testing.T) {
		s.until(t, "all closed", func(cs []ConnInfo) bool { return len(cs) == 0 })
		if i, ok := Info(s.a, s.off); !ok || i.Opened != 0 || i.QueuedBytes != 0 {
			t.Errorf("info %+v", i)
		}
	})
}

func TestTCPOtherProcessSends(t *testing.T) {
	s := tcpServer(t, 2, Options{})
	c := connect(t, s.tcp)
	id := strings.Fields(c.ask("WHO", ""))[2]
	s.udpAsk(t, "ID "+id+" hello")
	b := make([]byte, 5)
	if _, err := io.ReadFull(c.r, b); err != nil || string(b) != "hello" {
		t.Errorf("read %q %v", b, err)
	}
	// by address, and by an alias
	if got := c.ask("ALIAS 7777", ""); got != "<nil>" {
		t.Fatal(got)
	}
	me := c.LocalAddr().(*net.TCPAddr).AddrPort()
	for _, to := range []netip.AddrPort{me, netip.AddrPortFrom(me.Addr(), 7777)} {
		s.udpAsk(t, fmt.Sprintf("TO %s again n", to))
		if _, err := io.ReadFull(c.r, b); err != nil || string(b) != "again" {
			t.Errorf("to %s: %q %v", to, b, err)
		}
	}
	if got := connect(t, s.tcp).ask("ALIAS 7777", ""); !strings.Contains(got, "another") {
		t.Errorf("second alias: %q", got)
	}
	text := make([]byte, 200)
	n, _ := s.udpAsk(t, "ID 9999 hello").Read(text)
	if !strings.Contains(string(text[:n]), ErrNoConn.Error()) {
		t.Errorf("unknown id: %q", text[:n])
	}
	n, _ = s.udpAsk(t, "TO 127.0.0.1:1 hello n").Read(text)
	if !strings.Contains(string(text[:n]), ErrNoConnect.Error()) {
		t.Errorf("no connect: %q", text[:n])
	}
	cs := Conns(s.a, s.off)
	if len(cs) != 2 || cs[0].ID != 1 || cs[0].Src != me || cs[0].Dst != s.tcp || cs[0].State != "CONN_OK" || cs[0].Proto != sipparse.TCP || cs[0].Timeout < 100 {
		t.Errorf("list %+v", cs)
	}
}

func TestTCPConnects(t *testing.T) {
	s := tcpServer(t, 2, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 3 { // one connection serves all
		s.udpAsk(t, fmt.Sprintf("TO %s m%d,", l.Addr(), i))
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 9)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "m0,m1,m2," {
		t.Errorf("read %q %v", b, err)
	}
	if _, err := c.Write([]byte("ECHO 5\r\nContent-Length: 0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if l, err := bufio.NewReader(c).ReadString('\n'); err != nil || l != "SIP/2.0 200 OK\r\n" {
		t.Errorf("request over the connection that we opened: %q %v", l, err)
	}
	l.Close()
	text := make([]byte, 200)
	n, _ := s.udpAsk(t, "TO 127.0.0.1:1 hello").Read(text)
	if want := "failed 127.0.0.1:1 hello: connection refused"; string(text[:n]) != want {
		t.Errorf("%q, want %q", text[:n], want)
	}
}

// TestTCPConnectOrder: what a process sends to a peer arrives in its order, also while the connection is being opened and handed to its owner.
func TestTCPConnectOrder(t *testing.T) {
	s := tcpServer(t, 1, Options{})
	owner := connect(t, s.tcp) // the worker that gets all connections sends too
	const rounds, each = 100, 300
	for range rounds {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("MANY %s %d", l.Addr(), each)
		owner.send(line, "")
		u := s.udpAsk(t, line)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		next := map[string]int{}
		for r, n := bufio.NewReader(c), 0; n < 2*each; n++ {
			text, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("after %d lines: %v", n, err)
			}
			slot, no, _ := strings.Cut(strings.TrimSpace(text), " ")
			if want := strconv.Itoa(next[slot]); no != want {
				t.Fatalf("line %s of slot %s came in the place of %s", no, slot, want)
			}
			next[slot]++
		}
		c.Close()
		l.Close()
		u.Close()
	}
}

func TestTCPOwnerDies(t *testing.T) {
	s := tcpServer(t, 1, Options{})
	whole, half, killer := connect(t, s.tcp), connect(t, s.tcp), connect(t, s.tcp)
	before := strings.Fields(whole.ask("WHO", ""))
	half.ask("WHO", "")
	_, _ = half.Write([]byte("WHO\r\nContent-"))
	// the half message must have been read before its owner dies: it is behind this answer if it came in the same order
	half2 := connect(t, s.tcp)
	half2.ask("WHO", "")
	killer.send("DIE", "")
	if got := wait(t, s.died); got != 2 {
		t.Fatalf("slot %d died", got)
	}
	after := strings.Fields(whole.ask("WHO", ""))
	if after[0] != before[0] || after[1] == before[1] || after[2] != before[2] {
		t.Errorf("before %v, after %v: want the same slot and connection, another process", before, after)
	}
	half.ended()
	killer.ended()
	if got := connect(t, s.tcp).ask("ECHO 1", "x"); got != "1 x" {
		t.Errorf("a new connection answers %q", got)
	}
}

func TestTCPMainDies(t *testing.T) {
	s := tcpServer(t, 1, Options{})
	c := connect(t, s.tcp)
	c.ask("WHO", "")
	pid := procmgr.Table(s.a)[3].PID
	unix.Kill(pid, unix.SIGKILL)
	if got := wait(t, s.died); got != 3 {
		t.Fatalf("slot %d died", got)
	}
	if got := c.ask("ECHO 1", "x"); got != "1 x" {
		t.Errorf("an old connection answers %q", got)
	}
	if got := connect(t, s.tcp).ask("ECHO 2", "x"); got != "2 x" {
		t.Errorf("a new connection answers %q", got)
	}
}

func TestTCPLimits(t *testing.T) {
	s := tcpServer(t, 1, Options{TCPMaxConns: 3})
	a := connect(t, s.tcp)
	for _, c := range []*client{a, connect(t, s.tcp), connect(t, s.tcp)} {
		c.ask("WHO", "")
	}
	connect(t, s.tcp).ended()
	a.send("LIFETIME 1", "")
	a.ended()
	s.until(t, "one expired", func(cs []ConnInfo) bool { return len(cs) == 2 })
	if got := connect(t, s.tcp).ask("ECHO 1", "x"); got != "1 x" {
		t.Errorf("a new connection answers %q", got)
	}
}
