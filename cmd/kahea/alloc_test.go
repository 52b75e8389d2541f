//go:build !race

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
)

// bench is a server without sockets or processes: messages go in through Receive, what is sent lands in out.
type bench struct {
	*server
	buf   []byte
	out   [][]byte // the last messages sent, each in its own reused buffer
	n     int
	ticks uint64
	now   int64
}

func (b *bench) Buffer() []byte { return b.buf[:0] }

func (b *bench) Send(_ route.Dest, m []byte) error {
	i := b.n % len(b.out)
	b.out[i] = append(b.out[i][:0], m...)
	b.n++
	return nil
}

func (b *bench) Await(wait, done func()) { wait(); done() }
func (b *bench) CloseConn(uint32) error  { return nil }
func (b *bench) HasConn(uint32) bool     { return false }

func (b *bench) AddAlias(uint32, uint16) error { return nil }
func (b *bench) Now() int64                    { return b.now }
func (b *bench) Ticks() uint64                 { return b.ticks }

func (*bench) Resolve(route.Name) (route.Place, bool, func() (route.Place, error)) {
	return route.Place{}, true, nil
}

func (*bench) HasName(netip.Addr, string) bool { return false }

// last is the nth last message sent, 0 the newest.
func (b *bench) last(n int) []byte { return b.out[(b.n-1-n)%len(b.out)] }

// newBench loads a configuration as main does and makes its shared memory in this process.
func newBench(t testing.TB, text []byte) *bench {
	t.Helper()
	d := &diag.List{}
	o, err := parseArgs([]string{"-l", "udp:127.0.0.1:5060", "-a", "off", "-d"}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	o.Debug = -1
	sl := sealed{Options: o, Name: "bench.cfg", Text: text, UID: -1, GID: -1}
	c, err := load(&sl, d)
	if err != nil {
		t.Fatal(err)
	}
	sl.Endpoints, sl.Aliases = c.endpoints()
	s, err := newServer(sl, c, 0)
	if err == nil {
		err = s.openPrivate()
	}
	if err == nil {
		err = s.setup()
	}
	if err != nil {
		d.Write(os.Stderr, false)
		t.Fatal(err)
	}
	if s.arena, err = shm.Create(512<<20, shm.QM); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if errs := s.arena.Verify(); len(errs) > 0 {
			t.Errorf("shared memory: %v", errs)
		}
		s.arena.Close()
	})
	b := &bench{server: s, buf: make([]byte, 65535), out: make([][]byte, 8), now: time.Now().UnixNano(), ticks: 1000}
	s.proc.Arena, s.proc.Host = s.arena, b
	if err := s.counters(); err != nil {
		t.Fatal(err)
	}
	s.host.Main = true
	s.host.RunDir = t.TempDir()
	s.host.KeepFile = func(string, int) {}
	for _, l := range s.loaded {
		if m, ok := l.Module.(modules.Initer); ok {
			if err := m.Init(s.host); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.proc.Counts.Seal(1); err != nil {
		t.Fatal(err)
	}
	if err := s.openRuntime(nil); err != nil {
		t.Fatal(err)
	}
	if err := s.wheel(); err != nil {
		t.Fatal(err)
	}
	s.proc.Advance(b.ticks)
	if err := s.initWorker(1); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) receive(m []byte, src netip.AddrPort) {
	b.proc.Receive(m, route.Recv{Src: src, Dst: b.proc.Net.Sockets[0].Addr, Sock: b.proc.Net.Sockets[0], Proto: sipparse.UDP, Time: b.now}, nil)
}

// wait moves the clock on, so that transactions end.
func (b *bench) wait(ticks uint64) {
	b.ticks += ticks
	b.now += int64(ticks) * int64(time.Second/16)
	b.proc.Advance(b.ticks)
}

var (
	caller = netip.MustParseAddrPort("127.0.0.1:5070")
	callee = netip.MustParseAddrPort("127.0.0.1:5080")
)

// number writes n into the message at the places of the mark, which has seven digits' room.
func number(dst, tmpl []byte, n int) []byte {
	dst = append(dst[:0], tmpl...)
	for i := bytes.Index(dst, mark); i >= 0; i = bytes.Index(dst, mark) {
		for k, x := len(mark)-1, n; k >= 0; k-- {
			dst[i+k] = byte('0' + x%10)
			x /= 10
		}
	}
	return dst
}

var mark = []byte("#######")

func request(method, uri, extra string) []byte {
	return []byte(fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK%s#######;rport\r\nFrom: <sip:a@127.0.0.1>;tag=f\r\n"+
		"To: <sip:b@127.0.0.1>\r\nCall-ID: c#######\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\nUser-Agent: test phone 1.0\r\n%sContent-Length: 0\r\n\r\n", method, uri, method, method, extra))
}

// answer builds a reply to the request that was forwarded.
func answer(dst, req []byte, status string) []byte {
	dst = append(append(append(dst[:0], "SIP/2.0 "...), status...), "\r\n"...)
	for rest := req[bytes.IndexByte(req, '\n')+1:]; len(rest) > 2; {
		i := bytes.IndexByte(rest, '\n') + 1
		line := rest[:i]
		rest = rest[i:]
		switch {
		case bytes.HasPrefix(line, []byte("To:")):
			dst = append(append(dst, line[:len(line)-2]...), ";tag=t\r\n"...)
		case bytes.HasPrefix(line, []byte("Via:")), bytes.HasPrefix(line, []byte("From:")), bytes.HasPrefix(line, []byte("Call-ID:")),
			bytes.HasPrefix(line, []byte("CSeq:")), bytes.HasPrefix(line, []byte("Record-Route:")):
			dst = append(dst, line...)
		}
	}
	return append(dst, "Contact: <sip:b@127.0.0.1:5080>\r\nContent-Length: 0\r\n\r\n"...)
}

// scenarios run one transaction each; i numbers it.
func scenarios(b *bench) map[string]func(i int) {
	var m, r []byte
	options := request("OPTIONS", "sip:127.0.0.1", "")
	message := request("MESSAGE", "sip:b@127.0.0.1", "")
	register := request("REGISTER", "sip:127.0.0.1", "Contact: <sip:a@127.0.0.1:5070>\r\n")
	invite := request("INVITE", "sip:b@127.0.0.1", "Contact: <sip:a@127.0.0.1:5070>\r\n")
	bye := []byte("BYE sip:b@127.0.0.1:5080 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKBYE#######;rport\r\nRoute: <sip:127.0.0.1;lr>\r\n" +
		"From: <sip:a@127.0.0.1>;tag=f\r\nTo: <sip:b@127.0.0.1>;tag=t\r\nCall-ID: c#######\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
	ack := bytes.ReplaceAll(bytes.ReplaceAll(bye, []byte("BYE"), []byte("ACK")), []byte("CSeq: 2"), []byte("CSeq: 1"))
	return map[string]func(i int){
		"OPTIONS":  func(i int) { m = number(m, options, i); b.receive(m, caller) },
		"REGISTER": func(i int) { m = number(m, register, i); b.receive(m, caller) },
		"relay": func(i int) {
			m = number(m, message, i)
			b.receive(m, caller)
			r = answer(r, b.last(0), "200 OK")
			b.receive(r, callee)
			if i%64 == 0 {
				b.wait(6 * 16)
			}
		},
		"call": func(i int) {
			m = number(m, invite, i)
			b.receive(m, caller)
			sent := b.last(0)
			r = answer(r, sent, "180 Ringing")
			b.receive(r, callee)
			r = answer(r, sent, "200 OK")
			b.receive(r, callee)
			m = number(m, ack, i)
			b.receive(m, caller)
			m = number(m, bye, i)
			b.receive(m, caller)
			r = answer(r, b.last(0), "200 OK")
			b.receive(r, callee)
			if i%64 == 0 {
				b.wait(6 * 16)
			}
		},
	}
}

// prepare registers the callee.
func prepare(t testing.TB, b *bench) {
	reg := bytes.ReplaceAll(number(nil, request("REGISTER", "sip:127.0.0.1", "Contact: <sip:b@127.0.0.1:5080>\r\n"), 1), []byte("sip:a@"), []byte("sip:b@"))
	b.receive(bytes.ReplaceAll(reg, []byte("To: <sip:b@"), []byte("To: <sip:b@")), callee)
	if !bytes.HasPrefix(b.last(0), []byte("SIP/2.0 200")) {
		t.Fatalf("registration was answered %q", b.last(0))
	}
}

// TestNoAllocation: a warm worker allocates nothing per message. 100,000 messages may cost a handful of objects (the runtime's own).
func TestNoAllocation(t *testing.T) {
	b := newBench(t, defaultConfig)
	prepare(t, b)
	const messages = 100000
	for name, f := range scenarios(b) {
		t.Run(name, func(t *testing.T) {
			for i := range 2000 {
				f(i)
			}
			if first := b.last(0); len(first) == 0 {
				t.Fatal("nothing was sent")
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for i := range messages {
				f(1000000 + i)
			}
			runtime.ReadMemStats(&after)
			if n := after.Mallocs - before.Mallocs; n > messages/1000 {
				t.Errorf("%d allocations in %d rounds", n, messages)
			}
		})
	}
}

func BenchmarkServer(bm *testing.B) {
	b := newBench(bm, defaultConfig)
	prepare(bm, b)
	for name, f := range scenarios(b) {
		bm.Run(name, func(bm *testing.B) {
			bm.ReportAllocs()
			for i := range bm.N {
				f(i)
			}
		})
	}
}
