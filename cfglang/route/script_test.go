package route

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"

	"kahea/cfglang/log"
	"kahea/shm"
	"kahea/sipparse"
)

// loop is a Host whose awaited functions run when the test says so.
type loop struct{ waiting []func() }

func (l *loop) Buffer() []byte          { return nil }
func (l *loop) Send(Dest, []byte) error { return nil }
func (l *loop) CloseConn(uint32) error  { return nil }
func (l *loop) HasConn(uint32) bool     { return false }

func (l *loop) AddAlias(uint32, uint16) error { return nil }
func (l *loop) Now() int64                    { return 0 }
func (l *loop) Ticks() uint64                 { return 0 }
func (l *loop) Await(wait func(), done func()) {
	l.waiting = append(l.waiting, func() { wait(); done() })
}
func (l *loop) Resolve(Name) (Place, bool, func() (Place, error)) { return Place{}, false, nil }
func (l *loop) HasName(netip.Addr, string) bool                   { return false }

type heap struct{}

func (heap) Chunk(n int) []byte { return make([]byte, n) }
func (heap) Release([]byte)     {}

func newProc(t testing.TB) (*Proc, *loop) {
	t.Helper()
	a, err := shm.Create(1<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	l := &loop{}
	p := &Proc{Host: l, Mem: heap{}, Net: &Net{}, Arena: a, Counts: shm.NewCounters(a), Log: log.New(log.Options{Stderr: true, Out: io.Discard}, log.Err)}
	for _, s := range p.Stat.StatNames() {
		if *s.At, err = p.Counts.Register("core", s.Name); err != nil {
			t.Fatal(err)
		}
	}
	return p, l
}

func (l *loop) next() {
	f := l.waiting[0]
	l.waiting = l.waiting[1:]
	f()
}

// TestAwait suspends two scripts and lets a third one pass.
func TestAwait(t *testing.T) {
	p, l := newProc(t)
	slot := p.Vars.Slot(VarZero, "x")
	var trace []string
	run := func(name string, waits bool) {
		c := p.Get()
		p.Runner.Run(c, func(c *Ctx) {
			p.Vars.Set(c, slot, Str([]byte(name)))
			if waits && !c.Await(func() { trace = append(trace, name+" waits") }) {
				trace = append(trace, name+" refused")
			}
			trace = append(trace, name+" has "+string(p.Vars.Get(slot).Text(c)))
		}, func(c *Ctx) { trace = append(trace, name+" done"); p.Put(c) })
	}
	run("a", true)
	run("b", true)
	run("c", false)
	if p.Runner.Suspended != 2 {
		t.Errorf("%d scripts are suspended, want 2", p.Runner.Suspended)
	}
	l.next()
	l.next()
	want := []string{"c has c", "c done", "a waits", "a has a", "a done", "b waits", "b has b", "b done"}
	if len(trace) != len(want) {
		t.Fatalf("got %q, want %q", trace, want)
	}
	for i := range want {
		if trace[i] != want[i] {
			t.Fatalf("got %q, want %q", trace, want)
		}
	}
	if p.Runner.Suspended != 0 {
		t.Errorf("%d scripts are still suspended", p.Runner.Suspended)
	}
	p.Runner.Close()
}

// TestAwaitBound refuses to wait over the bound, and outside of a coroutine.
func TestAwaitBound(t *testing.T) {
	p, l := newProc(t)
	p.Runner.Max = 1
	var got []bool
	for range 3 {
		p.Runner.Run(p.Get(), func(c *Ctx) { got = append(got, c.Await(func() {})) }, func(c *Ctx) { p.Put(c) })
	}
	if len(got) != 2 || got[0] || got[1] {
		t.Errorf("the second and third Await returned %v, want false at once", got)
	}
	l.next()
	if len(got) != 3 || !got[2] {
		t.Errorf("the first Await returned %v, want true", got)
	}
	c := p.Get()
	if c.Await(func() { t.Error("wait ran") }) {
		t.Error("Await outside of a coroutine returned true")
	}
	p.Runner.Close()
}

// TestKeep asks for the message's buffer once, when the script waits for the first time, and gives it back at the end.
func TestKeep(t *testing.T) {
	p, l := newProc(t)
	kept, released := 0, 0
	c := p.Get()
	c.keep = func() func() { kept++; return func() { released++ } }
	p.Runner.Run(c, func(c *Ctx) { c.Await(func() {}); c.Await(func() {}) }, p.end)
	l.next()
	if kept != 1 || released != 0 {
		t.Errorf("while it waits: kept %d times, released %d times", kept, released)
	}
	l.next()
	if kept != 1 || released != 1 {
		t.Errorf("at the end: kept %d times, released %d times", kept, released)
	}
	p.Runner.Close()
}

// TestVars of the three kinds.
func TestVars(t *testing.T) {
	p, _ := newProc(t)
	c := p.Get()
	zero, null := p.Vars.Slot(VarZero, "a"), p.Vars.Slot(VarNull, "a")
	if zero == null {
		t.Fatal("$var(a) and $vn(a) share a slot")
	}
	if p.Vars.Slot(VarZero, "a") != zero {
		t.Error("the same name got another slot")
	}
	for _, tc := range []struct {
		name       string
		set        Value
		zero, null string
		nullIsNull bool
	}{
		{"a text", Str([]byte("x")), "x", "x", false},
		{"an empty text", Str([]byte{}), "", "", false},
		{"a number", Int(-7), "-7", "-7", false},
		{"null", Null, "0", "", true},
	} {
		p.Vars.Set(c, zero, tc.set)
		p.Vars.Set(c, null, tc.set)
		if got := string(p.Vars.Get(zero).Text(c)); got != tc.zero {
			t.Errorf("%s: $var is %q, want %q", tc.name, got, tc.zero)
		}
		if v := p.Vars.Get(null); string(v.Text(c)) != tc.null || v.IsNull() != tc.nullIsNull {
			t.Errorf("%s: $vn is %q (null: %v), want %q", tc.name, v.Text(c), v.IsNull(), tc.null)
		}
	}
}

func avpText(c *Ctx, v Value) string {
	if v.IsNull() {
		return "null"
	}
	if v.IsInt() {
		return "i:" + string(v.Text(c))
	}
	return "s:" + string(v.Text(c))
}

// TestAVPs checks order, deletion and the way to shared memory and back.
func TestAVPs(t *testing.T) {
	p, _ := newProc(t)
	c := p.Get()
	l := &c.AVPs
	add := func(name []byte, id int64, v Value) {
		if err := l.Add(c, name, id, v); err != nil {
			t.Fatal(err)
		}
	}
	a := []byte("a")
	add(a, 0, Str([]byte("one")))
	add(a, 0, Int(2))
	add(a, 0, Str([]byte{}))
	add(nil, 7, Int(-1))
	add([]byte("7"), 0, Str([]byte("text 7")))
	check := func(when string, l *AVPs, want ...string) {
		t.Helper()
		var got []string
		for i := range 4 {
			got = append(got, avpText(c, l.Get(a, 0, i)))
		}
		got = append(got, avpText(c, l.Get(nil, 7, 0)), avpText(c, l.Get([]byte("7"), 0, 0)))
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: got %q, want %q", when, got, want)
				return
			}
		}
	}
	full := []string{"s:", "i:2", "s:one", "null", "i:-1", "s:text 7"}
	check("fresh", l, full...)
	if n := l.Count(a, 0); n != 3 {
		t.Errorf("count %d, want 3", n)
	}
	b := l.AppendBinary([]byte{})
	d := p.Get()
	rest, err := d.AVPs.Load(d, append(b, "rest"...))
	if err != nil || string(rest) != "rest" {
		t.Fatalf("load: %v, rest %q", err, rest)
	}
	check("loaded", &d.AVPs, full...)
	if d.AVPs.Modified {
		t.Error("a list just loaded counts as modified")
	}
	for n := range b {
		if _, err := d.AVPs.Load(d, b[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d of %d bytes: %v, want ErrCorrupt", n, len(b), err)
		}
		if d.AVPs.Len() != 0 {
			t.Errorf("%d of %d bytes: %d attributes are left", n, len(b), d.AVPs.Len())
		}
	}
	l.Delete(a, 0, false)
	check("the newest deleted", l, "i:2", "s:one", "null", "null", "i:-1", "s:text 7")
	l.Delete(a, 0, true)
	check("all deleted", l, "null", "null", "null", "null", "i:-1", "s:text 7")
	l.Delete(nil, 7, true)
	check("the number deleted", l, "null", "null", "null", "null", "null", "s:text 7")
}

// TestState carries the routing state of a request to bytes and back.
func TestState(t *testing.T) {
	p, _ := newProc(t)
	p.Net.Sockets = []*Socket{{Index: 0}, {Index: 1}}
	for _, tc := range []struct {
		name string
		set  func(c *Ctx)
	}{
		{"nothing", func(*Ctx) {}},
		{"flags", func(c *Ctx) { c.Flags, c.XFlags, c.ID, c.FwdFlags, c.RplFlags = 5, 1<<60, 9, SendClose, SendNoConnect }},
		{"ports", func(c *Ctx) {
			c.ForceRPort, c.AddLocalRPort, c.AdvPort, c.AdvHost, c.MTUProto = true, true, 5080, []byte("adv"), sipparse.SCTP
		}},
		{"uris", func(c *Ctx) { c.NewURI, c.DstURI, c.Path = []byte("sip:n"), []byte("sip:d"), []byte("<sip:p;lr>") }},
		{"branch", func(c *Ctx) {
			c.Main = BranchAttrs{ForceSock: p.Net.Sockets[1], Flags: 3, RUID: []byte("r"), LocationUA: []byte("ua"), Instance: []byte("i"), OTCPID: 4, RegID: 5}
		}},
		{"record route", func(c *Ctx) {
			c.RR = RecordRoute{On: true, User: []byte("u"), Params: []byte(";p"), Preset: []byte("Record-Route: x"), Adv: []byte("a")}
		}},
		{"edits", func(c *Ctx) { c.Edits.AddReplyHeader([]byte("X: y\r\n")) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := p.Get()
			tc.set(c)
			b := c.AppendState(nil)
			d := p.Get()
			d.Flags, d.NewURI, d.RR.On, d.Main.Flags = 99, []byte("old"), true, 99
			if err := d.LoadState(bytes.Clone(b)); err != nil {
				t.Fatal(err)
			}
			if got := d.AppendState(nil); !bytes.Equal(got, b) {
				t.Errorf("state differs after the way back:\n got %q\nwant %q", got, b)
			}
			if d.Main.ForceSock != c.Main.ForceSock || d.RR.On != c.RR.On || (d.NewURI == nil) != (c.NewURI == nil) || (d.DstURI == nil) != (c.DstURI == nil) {
				t.Error("socket, record route or uris differ")
			}
			for n := 0; n < len(b); n += 3 {
				if d.LoadState(b[:n]) == nil {
					t.Errorf("%d of %d bytes are taken for a state", n, len(b))
				}
			}
		})
	}
}

// TestParseInt: how text becomes a number.
func TestParseInt(t *testing.T) {
	for _, tc := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"", 0, true}, {"0", 0, true}, {"12", 12, true}, {"+12", 12, true}, {"-12", -12, true}, {"007", 7, true},
		{"0x1F", 31, true}, {"0XfF", 255, true}, {"-0x10", -16, true}, {"9223372036854775807", 1<<63 - 1, true},
		{"9223372036854775808", 0, false}, {"-", 0, false}, {"+", 0, false}, {"12a", 0, false}, {" 12", 0, false}, {"12 ", 0, false}, {"0x", 0, false}, {"0xg", 0, false}, {"1.5", 0, false}, {"--1", 0, false},
	} {
		if n, ok := ParseInt([]byte(tc.text)); n != tc.want || ok != tc.ok {
			t.Errorf("%q: got %d, %v, want %d, %v", tc.text, n, ok, tc.want, tc.ok)
		}
	}
}

// TestSetRURIPart changes one part of the R-URI.
func TestSetRURIPart(t *testing.T) {
	p, _ := newProc(t)
	for _, tc := range []struct {
		name string
		uri  string
		part URIPart
		val  string
		want string // "": an error
	}{
		{"host", "sip:a:pw@h:5070;x=y?H=v", PartHost, "n", "sip:a:pw@n:5070;x=y?H=v"},
		{"host without a user", "sip:h", PartHost, "n", "sip:n"},
		{"host and port", "sip:a@h:5070;x=y", PartHostPort, "n:6", "sip:a@n:6;x=y"},
		{"host drops the port", "sip:a@h:5070", PartHostPort, "n", "sip:a@n"},
		{"host, port, transport", "sip:a@h:5070;x=y;transport=tcp;z", PartHostPortTrans, "n:6;transport=udp", "sip:a@n:6;transport=udp;x=y;z"},
		{"user", "sip:a:pw@h", PartUser, "b", "sip:b:pw@h"},
		{"user where there is none", "sip:h:5070", PartUser, "b", "sip:b@h:5070"},
		{"no user", "sip:a:pw@h", PartUser, "", "sip:h"},
		{"user and password", "sip:a:pw@h", PartUserPass, "b:c", "sip:b:c@h"},
		{"user, password gone", "sip:a:pw@h", PartUserPass, "b", "sip:b@h"},
		{"port", "sip:a@h:5070;x", PartPort, "6", "sip:a@h:6;x"},
		{"no port", "sip:a@h:5070;x", PartPort, "", "sip:a@h;x"},
		{"new port", "sip:a@h", PartPort, "6", "sip:a@h:6"},
		{"prefix", "sip:1:pw@h", PartPrefix, "00", "sip:001:pw@h"},
		{"prefix where there is no user", "sip:h", PartPrefix, "00", "sip:00@h"},
		{"user=phone", "sip:1@h;x", PartUserPhone, "", "sip:1@h;x;user=phone"},
		{"user=phone twice", "sip:1@h;user=phone", PartUserPhone, "", "sip:1@h;user=phone"},
		{"IPv6 host", "sip:a@[::1]:5070", PartUser, "b", "sip:b@[::1]:5070"},
		{"sips", "sips:a@h", PartHost, "n", "sips:a@n"},
		{"tel, host", "tel:+1234", PartHost, "n", "sip:+1234@n;user=phone"},
		{"tel, port", "tel:+1234", PartPort, "6", ""},
		{"urn", "urn:service:sos", PartHost, "n", ""},
		{"no uri", "nonsense", PartHost, "n", ""},
		{"too long", "sip:a@h", PartUser, string(bytes.Repeat([]byte("x"), 1100)), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := p.Get()
			if err := c.SetRURI([]byte(tc.uri)); err != nil {
				t.Fatal(err)
			}
			c.URIFresh = false
			err := c.SetRURIPart(tc.part, []byte(tc.val))
			if tc.want == "" {
				if err == nil || string(c.RURI()) != tc.uri || c.URIFresh {
					t.Errorf("got %q (%v), want an error and the old uri", c.RURI(), err)
				}
				return
			}
			if err != nil || string(c.RURI()) != tc.want || !c.URIFresh {
				t.Errorf("got %q (%v), want %q", c.RURI(), err, tc.want)
			}
		})
	}
}

// TestStrip takes characters of the user away.
func TestStrip(t *testing.T) {
	p, _ := newProc(t)
	for _, tc := range []struct {
		n    int
		tail bool
		want string
	}{{2, false, "sip:cd@h"}, {2, true, "sip:ab@h"}, {0, false, "sip:abcd@h"}, {9, false, "sip:h"}, {9, true, "sip:h"}, {-1, false, "sip:abcd@h"}} {
		c := p.Get()
		if err := c.SetRURI([]byte("sip:abcd@h")); err != nil {
			t.Fatal(err)
		}
		if err := c.Strip(tc.n, tc.tail); err != nil || string(c.RURI()) != tc.want {
			t.Errorf("strip %d, tail %v: got %q (%v), want %q", tc.n, tc.tail, c.RURI(), err, tc.want)
		}
	}
}

func testNet() *Net {
	sock := func(i int, proto sipparse.Proto, addr, adv string, advPort uint16) *Socket {
		a := netip.MustParseAddrPort(addr)
		host := a.Addr().String()
		if a.Addr().Is6() {
			host = "[" + host + "]"
		}
		s := &Socket{Index: i, Proto: proto, Addr: a, Host: []byte(host), Loop: a.Addr().IsLoopback(), AdvPort: advPort}
		if adv != "" {
			s.AdvHost = []byte(adv)
		}
		return s
	}
	return &Net{
		Sockets: []*Socket{
			sock(0, sipparse.UDP, "127.0.0.1:5060", "", 0),
			sock(1, sipparse.UDP, "192.0.2.1:5060", "edge.example.com", 5080),
			sock(2, sipparse.TCP, "192.0.2.1:5060", "", 0),
			sock(3, sipparse.UDP, "[2001:db8::1]:5062", "", 0),
			sock(4, sipparse.UDP, "[::1]:5062", "", 0),
		},
		Aliases: []Alias{{Host: []byte("example.com")}, {Host: []byte("tcp.example.com"), Proto: sipparse.TCP, Port: 5070}},
		Callbacks: []func([]byte, uint16, sipparse.Proto) bool{
			func(host []byte, port uint16, _ sipparse.Proto) bool {
				return string(host) == "callback.example.com" && port == 1
			},
		},
	}
}

// TestIsMyself: what is "myself".
func TestIsMyself(t *testing.T) {
	n := testNet()
	for _, tc := range []struct {
		host  string
		port  uint16
		proto sipparse.Proto
		want  bool
	}{
		{"127.0.0.1", 5060, sipparse.UDP, true}, {"127.0.0.1", 0, sipparse.ProtoNone, true}, {"127.0.0.1", 5061, sipparse.UDP, false}, {"127.0.0.1", 5060, sipparse.TCP, false},
		{"192.0.2.1", 5060, sipparse.TCP, true}, {"192.0.2.2", 5060, sipparse.UDP, false}, {"192.0.2.1", 5080, sipparse.UDP, true},
		{"edge.example.com", 5080, sipparse.UDP, true}, {"EDGE.example.com", 0, sipparse.UDP, true}, {"edge.example.com", 5080, sipparse.TCP, false},
		{"[2001:db8::1]", 5062, sipparse.UDP, true}, {"2001:DB8:0::1", 5062, sipparse.UDP, true}, {"[2001:db8::2]", 5062, sipparse.UDP, false},
		{"example.com", 9999, sipparse.TLS, true}, {"Example.COM", 0, sipparse.ProtoNone, true}, {"sub.example.com", 0, sipparse.ProtoNone, false},
		{"tcp.example.com", 5070, sipparse.TCP, true}, {"tcp.example.com", 5071, sipparse.TCP, false}, {"tcp.example.com", 5070, sipparse.UDP, false},
		{"callback.example.com", 1, sipparse.UDP, true}, {"callback.example.com", 2, sipparse.UDP, false}, {"", 0, sipparse.ProtoNone, false},
	} {
		if got := n.IsMyself([]byte(tc.host), tc.port, tc.proto); got != tc.want {
			t.Errorf("%s:%s:%d: got %v, want %v", tc.proto, tc.host, tc.port, got, tc.want)
		}
	}
}

// TestSendSocket: which socket a request leaves by.
func TestSendSocket(t *testing.T) {
	n := testNet()
	at := func(i int) *Socket {
		if i < 0 {
			return nil
		}
		return n.Sockets[i]
	}
	for _, tc := range []struct {
		name         string
		proto        sipparse.Proto
		to           string
		forced, recv int
		want         int
	}{
		{"none known: first that is not loopback", sipparse.UDP, "192.0.2.9", -1, -1, 1},
		{"the receiving one", sipparse.UDP, "192.0.2.9", -1, 0, 0},
		{"the receiving one has another protocol", sipparse.TCP, "192.0.2.9", -1, 0, 2},
		{"the receiving one has another family", sipparse.UDP, "2001:db8::9", -1, 0, 3},
		{"the forced one wins", sipparse.UDP, "192.0.2.9", 1, 0, 1},
		{"the forced one's address with the protocol", sipparse.TCP, "192.0.2.9", 1, -1, 2},
		{"the forced one fits not at all", sipparse.TCP, "192.0.2.9", 0, -1, 2},
		{"IPv6", sipparse.UDP, "2001:db8::9", -1, 4, 4},
		{"no socket of the protocol", sipparse.TLS, "192.0.2.9", -1, 0, -1},
		{"no socket of the family", sipparse.TCP, "2001:db8::9", -1, 2, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := n.SendSocket(tc.proto, netip.MustParseAddr(tc.to), at(tc.forced), at(tc.recv)); got != at(tc.want) {
				i := -1
				if got != nil {
					i = got.Index
				}
				t.Errorf("got socket %d, want %d", i, tc.want)
			}
		})
	}
}

// TestSpecialSockets: sockets of multicast send nothing, virtual ones are ours while the host has the address, mhomed asks for the way.
func TestSpecialSockets(t *testing.T) {
	sock := func(i int, addr string) *Socket {
		return &Socket{Index: i, Proto: sipparse.UDP, Addr: netip.MustParseAddrPort(addr), Host: []byte(netip.MustParseAddrPort(addr).Addr().String())}
	}
	mcast, away, here := sock(0, "224.0.1.75:5060"), sock(1, "192.0.2.1:5060"), sock(2, "192.0.2.2:5060")
	mcast.Mcast, away.Virtual, here.Virtual, here.DNSName = true, true, true, []byte("here.example.com")
	n := &Net{Sockets: []*Socket{mcast, away, here}}
	to := netip.MustParseAddr("198.51.100.1")
	if got := n.SendSocket(sipparse.UDP, to, nil, mcast); got != away {
		t.Errorf("what came by multicast is answered from socket %d", got.Index)
	}
	if got := n.SendSocket(sipparse.UDP, to, mcast, nil); got != away {
		t.Errorf("forced to multicast, it is sent from socket %d", got.Index)
	}
	n.Source = func(netip.Addr) netip.Addr { return here.Addr.Addr() }
	for host, want := range map[string]bool{"192.0.2.1": false, "192.0.2.2": true, "here.example.com": true, "Here.Example.com": true, "there.example.com": false} {
		if got := n.IsMyself([]byte(host), 5060, sipparse.UDP); got != want {
			t.Errorf("%s is ours: %v", host, got)
		}
	}
	if n.IsMyself([]byte("here.example.com"), 5061, sipparse.UDP) {
		t.Error("the name of a socket is ours at any port")
	}
	n.MHomed = true
	if got := n.SendSocket(sipparse.UDP, to, nil, away); got != here {
		t.Errorf("mhomed sends from socket %d", got.Index)
	}
	if got := n.SendSocket(sipparse.UDP, to, away, nil); got != away {
		t.Error("mhomed is stronger than a forced socket")
	}
	n.Source = func(netip.Addr) netip.Addr { return netip.Addr{} }
	if got := n.SendSocket(sipparse.UDP, to, nil, away); got != nil {
		t.Errorf("where there is no way, mhomed sends from socket %d", got.Index)
	}
}

// TestParseAddr reads IP literals and nothing else.
func TestParseAddr(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"127.0.0.1", "127.0.0.1"}, {"[::1]", "::1"}, {"::1", "::1"}, {"2001:DB8::1", "2001:db8::1"}, {"255.255.255.255", "255.255.255.255"},
		{"256.0.0.1", ""}, {"1.2.3", ""}, {"1.2.3.4.5", ""}, {"1..2.3", ""}, {"1.2.3.", ""}, {"1.2.3.4a", ""}, {"", ""}, {"[]", ""}, {"[::1", ""}, {"fe80::1%eth0", ""}, {"1111.2.3.4", ""}, {"host", ""},
	} {
		a, ok := ParseAddr([]byte(tc.text))
		got := ""
		if ok {
			got = a.String()
		}
		if got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.text, got, tc.want)
		}
	}
}

// TestAdvertisedProto: our Via names the protocol of an advertise that has one.
func TestAdvertisedProto(t *testing.T) {
	p, _ := newProc(t)
	c := p.Get()
	defer p.Put(c)
	s := &Socket{Proto: sipparse.TCP, Addr: netip.MustParseAddrPort("192.0.2.1:5060"), Host: []byte("192.0.2.1"), AdvHost: []byte("sip.example.com"), AdvPort: 5061}
	for adv, want := range map[sipparse.Proto]sipparse.Proto{sipparse.ProtoNone: sipparse.TCP, sipparse.TLS: sipparse.TLS} {
		s.AdvProto = adv
		if v := c.Via(&Dest{Proto: sipparse.TCP, Sock: s}, nil); v.Proto != want || string(v.Host) != "sip.example.com" || v.Port != 5061 {
			t.Errorf("advertised with protocol %q, Via is %s %s:%d", adv, v.Proto, v.Host, v.Port)
		}
	}
}
