package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// hostilePool is how many connections are cut at a time; an event loop hands out as many events at once.
const hostilePool = 50

// hostileServer is a server with a configuration of testdata/hostile, and the ends that see what it does.
//
// Nothing here waits for silence: the server has one UDP and one TCP worker, so an OPTIONS that is answered says that what
// was sent before it has been handled.
type hostileServer struct {
	t     *testing.T // of the case that is running
	root  *testing.T
	srv   *instance
	udp   *udpSocket
	sink  *hostileSink
	probe *hostileConn // fences of the TCP worker
	pool  []*hostileConn
	read  int // lines of the log that were looked at
	n     int
}

func startHostileServer(t *testing.T, config string) *hostileServer {
	text, err := os.ReadFile("testdata/hostile/" + config + ".cfg")
	if err != nil {
		t.Fatal(err)
	}
	s := &hostileServer{t: t, root: t, sink: newHostileSink(t), udp: openUDP(t)}
	addr := freeAddr(t)
	host, port, _ := net.SplitHostPort(s.sink.udp.addr())
	s.srv = startServer(t, addr, strings.NewReplacer("@SERVER@", addr, "@SINK@", s.sink.udp.addr(), "@SINK_HOST@", host, "@SINK_PORT@", port).Replace(string(text)))
	t.Cleanup(func() { s.udp.Close() })
	if s.udp.to, err = net.ResolveUDPAddr("udp4", addr); err != nil {
		t.Fatal(err)
	}
	s.probe = s.connect()
	if *oracle == "" {
		s.srv.baseUse = s.srv.used()
	}
	return s
}

// word is a word of eight letters that was not used before.
func (s *hostileServer) word() string {
	s.n++
	return fmt.Sprintf("w%07x", s.n)
}

func (s *hostileServer) options(local, proto, id string) []byte {
	return []byte(strings.Replace(probe(s.srv.addr, local, id), "/UDP", "/"+proto, 1))
}

// connect opens a connection and has an OPTIONS answered over it.
func (s *hostileServer) connect() *hostileConn {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp4", s.srv.addr, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &hostileConn{TCPConn: conn.(*net.TCPConn), local: conn.LocalAddr().String()}
	s.root.Cleanup(func() { c.Close() })
	s.fenceTCP(c)
	return c
}

// fenceTCP waits until an OPTIONS over a connection is answered; what comes before the answer is dropped.
func (s *hostileServer) fenceTCP(c *hostileConn) {
	s.t.Helper()
	id := s.word()
	if _, err := c.Write(s.options(c.local, "TCP", id)); err != nil {
		s.t.Fatalf("OPTIONS over TCP: %v", err)
	}
	c.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 65536)
	for !bytes.Contains(c.in, []byte("probe-"+id)) || !bytes.HasSuffix(c.in, []byte("\r\n\r\n")) {
		n, err := c.Read(b)
		if err != nil {
			s.t.Fatalf("OPTIONS over TCP is not answered: %v", err)
		}
		c.in = append(c.in, b[:n]...)
	}
	c.SetReadDeadline(time.Time{})
	c.in = c.in[:0]
}

// fenceUDP waits until an OPTIONS is answered and gives what came before the answer.
func (s *hostileServer) fenceUDP() (got [][]byte) {
	s.t.Helper()
	id := s.word()
	ask := s.options(s.udp.addr(), "UDP", id)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := s.udp.WriteTo(ask, s.udp.to); err != nil {
			s.t.Fatal(err)
		}
		for {
			b, err := s.udp.read(time.Second)
			if err != nil {
				break
			}
			if bytes.Contains(b, []byte("probe-"+id)) {
				return got
			}
			got = append(got, bytes.Clone(b))
		}
	}
	s.t.Fatal("OPTIONS over UDP is not answered any more")
	return nil
}

// relayed gives what was relayed of the message with a word; the sink has answered it.
func (s *hostileServer) relayed(id string) [][]byte {
	s.t.Helper()
	s.sink.fence(s.udp, id)
	return s.sink.take(id)
}

// result is what a message led to.
type result struct {
	relayed [][]byte
	items   []string // codes of answers and what became of the connection
	answers [][]byte
}

func (r *result) String() string {
	var l []string
	for range r.relayed {
		l = append(l, "relay")
	}
	for i := 0; i < len(r.items); {
		n := 1
		for i+n < len(r.items) && r.items[i+n] == r.items[i] {
			n++
		}
		if w := r.items[i]; n > 3 {
			l = append(l, fmt.Sprint(w, "*", n))
		} else {
			l = append(l, r.items[i:i+n]...)
		}
		i += n
	}
	if l == nil {
		return "none"
	}
	return strings.Join(l, ",")
}

// sendUDP sends a datagram.
func (s *hostileServer) sendUDP(b []byte, id, want string) *result {
	s.t.Helper()
	if _, err := s.udp.WriteTo(b[:min(len(b), 65507)], s.udp.to); err != nil {
		s.t.Fatal(err)
	}
	r := &result{}
	s.until(want, r, func() {
		for _, m := range s.fenceUDP() {
			if bytes.Contains(m, []byte(id)) {
				r.items = append(r.items, statusOf(m))
				r.answers = append(r.answers, m)
			}
		}
		r.relayed = append(r.relayed, s.relayed(id)...)
	})
	return r
}

// until looks until the result is what is wanted; once if that is "?". What the server does by itself has been done at the first look; what others have
// to answer, at a later one.
func (s *hostileServer) until(want string, r *result, look func()) {
	s.t.Helper()
	if want == "?" {
		look()
		return
	}
	d := patience
	if *oracle != "" {
		d = 2 * time.Second
	}
	for end := time.Now().Add(d); ; {
		if look(); r.String() == want || time.Now().After(end) {
			return
		}
	}
}

// statusOf is the code of an answer.
func statusOf(m []byte) string {
	if f := strings.Fields(string(m[:min(len(m), 40)])); len(f) > 1 && len(f[0]) >= 7 && strings.EqualFold(f[0][:7], "SIP/2.0") {
		return f[1]
	}
	return fmt.Sprintf("%.20q", m)
}

// well wants the server to be as it was after its start.
func (s *hostileServer) well(name string) {
	s.t.Helper()
	s.fenceUDP()
	s.fenceTCP(s.probe)
	s.sink.forget()
	if *oracle != "" {
		return
	}
	text, _, _ := s.srv.log.snapshot()
	for ; s.read < len(text); s.read++ {
		if l := text[s.read]; badLog.MatchString(l) && !strings.Contains(l, "<script>: ") || strings.Contains(l, "child process") {
			s.t.Fatalf("%s: in the log: %s", name, l)
		}
	}
	s.srv.sameProcesses()
	var u int64
	if !eventually(patience, func() bool {
		u = s.srv.used()
		return u == s.srv.baseUse
	}) {
		s.t.Errorf("%s: shared memory in use: %d bytes before, %d now (%+d)", name, s.srv.baseUse, u, u-s.srv.baseUse)
		s.srv.baseUse = u
	}
}

func (s *hostileServer) end() {
	s.t.Helper()
	s.abandon()
	s.probe.Close()
	s.srv.stop()
}
