package load

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	for v := uint64(0); v < 1<<40; v = v*9/8 + 1 {
		b := bucket(v)
		if bound(b) > v || bound(b+1) <= v && b < 44*subBuckets-1 {
			t.Fatalf("%d is in bucket %d, which is from %d to %d", v, b, bound(b), bound(b+1))
		}
	}
	var h Histogram
	for i := 1; i <= 1000; i++ {
		h.Add(time.Duration(i) * time.Microsecond)
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{.5, 500 * time.Microsecond}, {.99, 990 * time.Microsecond}, {1, time.Millisecond}} {
		if got := h.Quantile(c.q); got < c.want || got > c.want+c.want/16 {
			t.Errorf("quantile %v: got %v, want %v", c.q, got, c.want)
		}
	}
	if h.Max != time.Millisecond || h.Total != 1000 {
		t.Errorf("max %v, total %d", h.Max, h.Total)
	}
}

func TestTemplate(t *testing.T) {
	tm := newTemplate("a {id} {user} {seq} {other} {id}")
	got := string(tm.render([]byte("> "), 0x12345678000000ab, 0xcd, 7))
	if want := "> a 12345678000000ab 000000cd 1000000007 {other} 12345678000000ab"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, ok := parseHex([]byte("12345678000000abxx")); !ok || v != 0x12345678000000ab {
		t.Errorf("parseHex: %x, %v", v, ok)
	}
	if _, ok := parseHex([]byte("12345678000000aX")); ok {
		t.Error("parseHex took a letter")
	}
}

func TestFrame(t *testing.T) {
	const m = "OPTIONS x SIP/2.0\r\nContent-Length: 3\r\n\r\nabc"
	for _, c := range []struct {
		name, in string
		want     int
		err      error
	}{
		{"whole", m, len(m), nil},
		{"two", m + m, len(m), nil},
		{"no body yet", m[:len(m)-1], 0, nil},
		{"no head yet", m[:20], 0, nil},
		{"no length", "A\r\nB: c\r\n\r\n", 0, errNoContentLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n, err := frame([]byte(c.in)); n != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %d, %v; want %d, %v", n, err, c.want, c.err)
			}
		})
	}
}

// testLoop is a loop without sockets, and a flow whose messages stay in it.
func testLoop(t *testing.T, s Scenario) (*loop, *flow) {
	t.Helper()
	l, err := newLoop(Config{Server: netip.MustParseAddrPort("127.0.0.1:5060"), Scenario: s, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	l.branch, l.via = []byte("branch="+l.branchPrefix()), []byte("Via: SIP/2.0/UDP ")
	f := newDatagramFlow(-1)
	f.sentBy, f.user, f.far = "127.0.0.1:6000", "uas0", "127.0.0.1:7000"
	f.contact = "Contact: <sip:uas@127.0.0.1:7000>\r\n"
	f.up = l.first(f)
	l.sources = []*flow{f}
	return l, f
}

// taken takes the messages out of a flow.
func taken(f *flow) (out []string) {
	for i := range f.n {
		out = append(out, string(f.buf[i*maxMessage:i*maxMessage+int(f.iov[i].Len)]))
	}
	f.n = 0
	return out
}

func TestAnswer(t *testing.T) {
	l, f := testLoop(t, Call)
	l.request(f, []byte("INVITE sip:uas@x SIP/2.0\r\nRecord-Route: <sip:p;lr>\r\nVia: SIP/2.0/UDP p;branch=1\r\nVia: SIP/2.0/UDP c;branch=2\r\nMax-Forwards: 9\r\n"+
		"From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nRequire: x\r\nContent-Type: y\r\nContent-Length: 0\r\n\r\n"))
	got := taken(f)
	want := "\r\nRecord-Route: <sip:p;lr>\r\nVia: SIP/2.0/UDP p;branch=1\r\nVia: SIP/2.0/UDP c;branch=2\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=uas\r\nCall-ID: c\r\n" +
		"CSeq: 1 INVITE\r\nContact: <sip:uas@127.0.0.1:7000>\r\nContent-Length: 0\r\n\r\n"
	if !slices.Equal(got, []string{"SIP/2.0 180 Ringing" + want, "SIP/2.0 200 OK" + want}) {
		t.Errorf("got %q", got)
	}
	l.request(f, []byte("ACK sip:uas@x SIP/2.0\r\nVia: SIP/2.0/UDP p\r\n\r\n"))
	if got := taken(f); len(got) != 0 {
		t.Errorf("an ACK was answered: %q", got)
	}
}

// response makes a response to a request that the loop sent.
func response(req, status, more string) []byte {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, n := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:"} {
		eachLine([]byte(req), func(line []byte) {
			if _, ok := value(line, n); ok {
				b.Write(line)
				if n == "To:" {
					b.WriteString(";tag=uas")
				}
				b.WriteString("\r\n")
			}
		})
	}
	b.WriteString(more + "Content-Length: 0\r\n\r\n")
	return []byte(b.String())
}

func TestCall(t *testing.T) {
	l, f := testLoop(t, Call)
	l.t0 = time.Now()
	l.begin(l.now())
	invite := taken(f)[0]
	l.message(f, response(invite, "100 Trying", ""))
	l.message(f, response(invite, "180 Ringing", ""))
	if got := taken(f); len(got) != 0 {
		t.Fatalf("provisional responses made %q", got)
	}
	ok := response(invite, "200 OK", "Record-Route: <sip:1;lr>, <sip:2;lr>\r\nRecord-Route: <sip:3;lr>\r\nContact: <sip:uas@far>\r\n")
	l.message(f, ok)
	got := taken(f)
	if len(got) != 2 {
		t.Fatalf("a 200 made %q, want ACK and BYE", got)
	}
	for i, method := range []string{"ACK", "BYE"} {
		if !strings.HasPrefix(got[i], method+" sip:uas@far SIP/2.0\r\n") ||
			!strings.Contains(got[i], "\r\nRoute: <sip:3;lr>\r\nRoute: <sip:2;lr>\r\nRoute: <sip:1;lr>\r\n") ||
			!strings.Contains(got[i], ";tag=uas\r\n") || !strings.Contains(got[i], []string{"CSeq: 1 ACK", "CSeq: 2 BYE"}[i]) {
			t.Errorf("%s along the route set: %q", method, got[i])
		}
	}
	l.message(f, ok) // once more: the ACK goes out again
	if again := taken(f); len(again) != 1 || again[0] != got[0] {
		t.Errorf("a second 200 made %q, want the ACK", again)
	}
	l.message(f, response(got[1], "200 OK", ""))
	if l.res.Done != 1 || l.active != 0 || l.res.Latency.Total != 1 {
		t.Errorf("done %d, active %d, latencies %d", l.res.Done, l.active, l.res.Latency.Total)
	}
	l.message(f, response(got[1], "200 OK", ""))
	if l.res.Strays != 2 {
		t.Errorf("strays %d, want the second 200 and the late one", l.res.Strays)
	}
}

func TestCallThatFails(t *testing.T) {
	l, f := testLoop(t, Call)
	l.t0 = time.Now()
	l.begin(l.now())
	invite := taken(f)[0]
	l.message(f, response(invite, "486 Busy Here", ""))
	got := taken(f)
	if len(got) != 1 || !strings.HasPrefix(got[0], "ACK sip:uas0@127.0.0.1:7000 SIP/2.0\r\n") {
		t.Fatalf("a 486 made %q, want ACK to the INVITE's URI", got)
	}
	branch := func(s string) string {
		_, v, _ := strings.Cut(s, ";branch=")
		v, _, _ = strings.Cut(v, "\r\n")
		return v
	}
	if branch(got[0]) != branch(invite) {
		t.Errorf("branch of the ACK %s, want the INVITE's %s", branch(got[0]), branch(invite))
	}
	if l.res.Failed != 1 || l.res.Status[486] != 1 || l.active != 0 {
		t.Errorf("failed %d, 486 %d, active %d", l.res.Failed, l.res.Status[486], l.active)
	}
}

// fakeServer answers each OPTIONS with 200; the first copy of every third is dropped.
func fakeServer(t *testing.T, drop bool) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	go func() {
		defer close(done)
		seen := map[string]bool{}
		b := make([]byte, maxMessage)
		for n := 1; ; n++ {
			k, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if via := string(b[:bytes.Index(b, []byte("Max-"))]); drop && n%3 == 0 && !seen[via] {
				seen[via] = true
				continue
			}
			if _, err := c.WriteToUDPAddrPort(response(string(b[:k]), "200 OK", ""), from); err != nil {
				return
			}
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		drop bool
	}{
		{"saturated", Config{Count: 500, Window: 20, Sources: 4}, false},
		{"paced", Config{Count: 100, Rate: 2000}, false},
		{"with loss", Config{Count: 60, Window: 10, T1: time.Millisecond}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Server, c.cfg.Scenario = fakeServer(t, c.drop), Options
			r, err := Run(c.cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Done != c.cfg.Count || r.Started != c.cfg.Count || r.Status[200] != c.cfg.Count || r.Latency.Total != c.cfg.Count {
				t.Errorf("started %d, done %d, 200 %d, latencies %d; want %d", r.Started, r.Done, r.Status[200], r.Latency.Total, c.cfg.Count)
			}
			if c.drop != (r.Retransmits > 0) {
				t.Errorf("retransmits %d", r.Retransmits)
			}
		})
	}
}

func TestRunWithoutServer(t *testing.T) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() // it listens and never answers
	r, err := Run(Config{Server: c.LocalAddr().(*net.UDPAddr).AddrPort(), Scenario: Options, Count: 3, T1: -1, Timeout: time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Lost != 3 || r.Done != 0 || r.LossShare() != 1 {
		t.Errorf("lost %d, done %d, share %v; want 3, 0, 1", r.Lost, r.Done, r.LossShare())
	}
}

func TestConfig(t *testing.T) {
	good := Config{Server: netip.MustParseAddrPort("127.0.0.1:5060"), Scenario: Options, Count: 1}
	for _, c := range []struct {
		name string
		edit func(*Config)
	}{
		{"no bound", func(c *Config) { c.Count = 0 }},
		{"no server", func(c *Config) { c.Server = netip.AddrPort{} }},
		{"IPv6", func(c *Config) { c.Server = netip.MustParseAddrPort("[::1]:5060") }},
		{"scenario", func(c *Config) { c.Scenario = "dance" }},
		{"window", func(c *Config) { c.Window = maxSlots + 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := good
			c.edit(&x)
			if _, err := newLoop(x); err == nil {
				t.Error("no error")
			}
		})
	}
}
