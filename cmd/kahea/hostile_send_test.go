package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
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

// hostileConn is a connection to the server that has been used once, so that its owner has it.
type hostileConn struct {
	*net.TCPConn
	local string
	in    []byte
	ended bool // the server has closed it
	spent bool // the server takes what comes next for a part of what was sent
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

// sending is a message on its way over a connection.
type sending struct {
	c         *hostileConn
	id, fence string
	whole     []byte // the message and an OPTIONS behind it
	anonymous bool   // the message has no word of its own
	cut       int
	res       *result
}

func (s *hostileServer) prepare(c *hostileConn, fill func(id, local string) []byte) *sending {
	x := &sending{c: c, id: s.word(), fence: s.word(), res: &result{}}
	x.whole = fill(x.id, c.local)
	x.cut = len(x.whole)
	x.anonymous = !bytes.Contains(x.whole, []byte(x.id))
	x.whole = slices.Concat(x.whole, s.options(c.local, "TCP", x.fence))
	return x
}

// sendTCP sends a message over connections, over each cut at another offset, and looks at each result.
func (s *hostileServer) sendTCP(want string, offsets []int, fill func(id, local string) []byte, look func(x *sending)) {
	s.t.Helper()
	for len(offsets) > 0 {
		// what is relayed at a time has room in the sink's socket
		n := min(len(offsets), hostilePool, 1+1<<16/(1+len(fill("wxxxxxxx", s.probe.local))))
		for len(s.pool) < n {
			s.pool = append(s.pool, s.connect())
		}
		batch := make([]*sending, n)
		for i := range batch {
			batch[i] = s.prepare(s.pool[i], fill)
			batch[i].cut = min(offsets[i], batch[i].cut)
		}
		offsets = offsets[n:]
		for _, x := range batch {
			x.write(x.whole[:x.cut])
		}
		if batch[0].cut > 0 {
			s.fenceTCP(s.probe)
		}
		for _, x := range batch {
			x.write(x.whole[x.cut:])
		}
		// a loop reads a part of a long message at a time
		for range len(batch[0].whole)/8192 + 1 {
			s.fenceTCP(s.probe)
		}
		for _, x := range batch {
			x.res.relayed = nil
			s.until(want, x.res, func() {
				x.res.items = nil
				state := x.look()
				x.res.relayed = append(x.res.relayed, s.relayed(x.id)...)
				if state != "" {
					x.res.items = append(x.res.items, state)
				}
				if x.res.String() != want {
					s.fenceTCP(s.probe)
				}
			})
			look(x)
			if s.t.Failed() && *oracle == "" {
				s.abandon()
				return
			}
		}
		open := s.pool[:0]
		for _, c := range s.pool {
			// on a connection of Kamailio an HTTP request changes how later ones are read
			if c.ended || c.spent || *oracle != "" {
				c.Close()
				continue
			}
			c.in = c.in[:0]
			open = append(open, c)
		}
		s.pool = open
	}
}

// abandon gives the connections up: what is on them is not known.
func (s *hostileServer) abandon() {
	for _, c := range s.pool {
		c.Close()
	}
	s.pool = nil
}

// write sends a piece; that the server has closed shows when the answers are read.
func (x *sending) write(b []byte) {
	x.c.SetWriteDeadline(time.Now().Add(patience))
	for len(b) > 0 {
		n, err := x.c.Write(b[:min(len(b), 1<<16)])
		if err != nil {
			return
		}
		b = b[n:]
	}
}

// look reads what there is, without waiting: answers before the one to the OPTIONS go into the result. It returns "" if that one has come, "close" if the
// server has closed, "wait" if neither.
func (x *sending) look() string {
	raw, err := x.c.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) bool {
			b := make([]byte, 65536)
			for {
				n, err := syscall.Read(int(fd), b)
				switch {
				case n > 0:
					x.c.in = append(x.c.in, b[:n]...)
				case err == syscall.EINTR:
				case err == syscall.EAGAIN:
					return true
				default:
					x.c.ended = true
					return true
				}
			}
		})
	}
	if err != nil {
		x.c.ended = true
	}
	state := "wait"
	x.res.answers = nil
	for in := x.c.in; len(in) > 0; {
		if rest, ok := bytes.CutPrefix(in, []byte("\r\n")); ok {
			x.res.items = append(x.res.items, "pong")
			in = rest
			continue
		}
		n := messageLength(in)
		if n == 0 {
			break
		}
		m := in[:n]
		in = in[n:]
		if bytes.Contains(m, []byte("probe-"+x.fence)) {
			state = ""
			continue
		}
		if x.anonymous || bytes.Contains(m, []byte(x.id)) { // not a late answer to what was sent here before
			x.res.items = append(x.res.items, statusOf(m))
			x.res.answers = append(x.res.answers, m)
		}
	}
	if x.c.ended {
		return "close"
	}
	x.c.spent = state == "wait"
	return state
}

// messageLength is the length of the first message of a stream that the server sent, 0 if it is not there as a whole.
func messageLength(b []byte) int {
	head, _, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return 0
	}
	n := len(head) + 4
	for l := range strings.SplitSeq(string(head), "\r\n") {
		if v, ok := strings.CutPrefix(l, "Content-Length:"); ok {
			k, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil {
				return len(b)
			}
			n += k
		}
	}
	if n > len(b) {
		return 0
	}
	return n
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
