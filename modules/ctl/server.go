package ctl

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/modules/lib/rpc"
)

const (
	idleTimeout  = 120 * time.Second // of a connection
	writeTimeout = 10 * time.Millisecond
)

// server serves the sockets in the child.
type server struct {
	m     *mod
	mu    sync.Mutex
	next  int
	open  map[net.Conn]conn
	other []interface{ Close() error } // listeners and datagram sockets
	done  chan struct{}

	busy  atomic.Int32 // requests under way
	until time.Time    // draining: when connections that say nothing have waited long enough; on the loop
}

// drainWait is how long a client that has connected just before the process leaves may take to send its request.
const drainWait = time.Second

type conn struct {
	id   int
	peer []string // protocol, address, port, own address, own port
}

func newServer(m *mod) *server {
	return &server{m: m, open: map[net.Conn]conn{}, done: make(chan struct{})}
}

// serve starts the goroutine of one inherited socket.
func (s *server) serve(x *spec, fd int) error {
	f := os.NewFile(uintptr(fd), x.host())
	if f == nil {
		return fmt.Errorf("control socket %s: no descriptor", x.host())
	}
	defer f.Close() //nolint:errcheck // net has a copy of its own
	if x.proto == "unixs" || x.proto == "tcp" {
		l, err := net.FileListener(f)
		if err != nil {
			return fmt.Errorf("control socket %s: %w", x.host(), err)
		}
		s.other = append(s.other, l)
		go s.accept(x, l)
		return nil
	}
	c, err := net.FilePacketConn(f)
	if err != nil {
		return fmt.Errorf("control socket %s: %w", x.host(), err)
	}
	s.other = append(s.other, c)
	go s.datagrams(x, c)
	return nil
}

// drain stops accepting; true when no request is under way and no client is left, or those that are left say nothing.
func (s *server) drain() bool {
	if s.until.IsZero() {
		s.until = time.Now().Add(drainWait)
		for _, x := range s.other {
			x.Close() //nolint:errcheck // main keeps the socket for the successor
		}
		s.other = nil
	}
	s.mu.Lock()
	left := len(s.open)
	s.mu.Unlock()
	return s.busy.Load() == 0 && (left == 0 || time.Now().After(s.until))
}

func (s *server) close() {
	close(s.done)
	for _, x := range s.other {
		x.Close() //nolint:errcheck // the process ends
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.Close() //nolint:errcheck // as above
	}
}

// peers lists the open connections, the oldest first.
func (s *server) peers() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := make([]conn, 0, len(s.open))
	for _, c := range s.open {
		l = append(l, c)
	}
	sort.Slice(l, func(i, j int) bool { return l[i].id < l[j].id })
	out := make([][]string, len(l))
	for i := range l {
		out[i] = l[i].peer
	}
	return out
}

func (s *server) accept(x *spec, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.m.h.Logf(log.Err, "ctl", "accept: %v", err)
			select {
			case <-s.done:
				return
			case <-time.After(100 * time.Millisecond): // out of descriptors, most likely
			}
			continue
		}
		p := []string{x.name(), "<anonymous unix socket>", "", x.host(), x.portText()}
		if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			own := c.LocalAddr().(*net.TCPAddr)
			p = []string{x.name(), a.IP.String(), strconv.Itoa(a.Port), own.IP.String(), strconv.Itoa(own.Port)}
		} else if a := c.RemoteAddr().String(); a != "" && a != "@" {
			p[1] = a
		}
		s.mu.Lock()
		s.next++
		s.open[c] = conn{id: s.next, peer: p}
		s.mu.Unlock()
		go s.stream(c, p)
	}
}

// stream reads the requests of one connection, which may come in any number and any pieces.
func (s *server) stream(c net.Conn, peer []string) {
	defer func() {
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
		c.Close() //nolint:errcheck // nobody is left to tell
	}()
	send := func(b []byte) {
		if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return
		}
		if _, err := c.Write(b); err != nil {
			s.m.h.Logf(log.Err, "ctl", "write: %v", err)
			c.Close() //nolint:errcheck // as above
		}
	}
	var buf []byte
	tmp := make([]byte, 4096)
	for {
		for {
			h, err := rpc.ParseHeader(buf)
			if errors.Is(err, rpc.ErrShort) {
				break
			}
			if err != nil {
				send(rpc.AppendFault(nil, 0, 400, "bad request: corrupted packet"))
				return
			}
			if len(buf) < h.Size+h.Len {
				break
			}
			if !s.request(h, buf[h.Size:h.Size+h.Len], peer, send) {
				return
			}
			buf = buf[h.Size+h.Len:]
		}
		if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
			return
		}
		n, err := c.Read(tmp)
		if err != nil {
			return
		}
		buf = append(buf, tmp[:n]...)
	}
}

func (s *server) datagrams(x *spec, c net.PacketConn) {
	b := make([]byte, rpc.MaxPacket+16)
	peer := []string{x.name()}
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		send := func(b []byte) {
			if from == nil || from.String() == "" {
				return // a unix client without a path of its own gets no answer
			}
			if _, err := c.WriteTo(b, from); err != nil {
				s.m.h.Logf(log.Err, "ctl", "reply to %s: %v", from, err)
			}
		}
		h, err := rpc.ParseHeader(b[:n])
		if err != nil || n < h.Size+h.Len {
			send(rpc.AppendFault(nil, 0, 400, "bad request: corrupted packet"))
			continue
		}
		s.request(h, b[h.Size:h.Size+h.Len], peer, send)
	}
}

// request runs one request on the loop and waits until it is answered; false when the client does not speak binrpc.
func (s *server) request(h rpc.Header, body []byte, peer []string, send func([]byte)) bool {
	if h.Type != rpc.RequestPacket {
		send(rpc.AppendFault(nil, h.Cookie, 400, "bad request: corrupted packet"))
		return false
	}
	method, args, err := splitMethod(body)
	if err != nil {
		send(rpc.AppendFault(nil, h.Cookie, 400, "bad request method: "+err.Error()))
		return false
	}
	params, err := rpc.ParseBody(args)
	if err != nil {
		send(rpc.AppendFault(nil, h.Cookie, 400, "bad request: "+err.Error()))
		return true
	}
	s.busy.Add(1)
	defer s.busy.Add(-1)
	r := &modules.Request{Params: params, Strict: s.m.autoconversion == 0, Peer: peer}
	answered := make(chan struct{})
	s.m.h.Loop(func() {
		cmd := s.m.h.Commands.Find(method)
		if cmd == nil {
			send(rpc.AppendFault(nil, h.Cookie, 500, fmt.Sprintf("command %s not found", method)))
			close(answered)
			return
		}
		rpc.Call(cmd, r, func(f *modules.Fault) {
			send(s.answer(h.Cookie, r.Out, f))
			close(answered)
		})
	})
	select {
	case <-answered:
	case <-s.done:
		return false
	}
	return true
}

var (
	errNoMethod = errors.New("end of packet encountered")
	errNoText   = errors.New("record doesn't match type")
	errCut      = errors.New("more data needed")
)

// splitMethod takes the method, the first record, off a body.
func splitMethod(b []byte) (string, []byte, error) {
	if len(b) == 0 {
		return "", nil, errNoMethod
	}
	method, rest, ok, err := rpc.TakeString(b)
	switch {
	case err != nil:
		return "", nil, errCut
	case !ok:
		return "", nil, errNoText
	}
	return method, rest, nil
}

// answer encodes a reply or a fault.
func (s *server) answer(cookie uint32, out []*modules.Node, f *modules.Fault) []byte {
	if f != nil {
		return rpc.AppendFault(nil, cookie, f.Code, f.Text)
	}
	for _, n := range out {
		if (n.Kind == modules.KindStruct || n.Kind == modules.KindArray) && len(rpc.AppendNode(nil, n)) > s.m.maxStruct<<10 {
			return rpc.AppendFault(nil, cookie, 500, "Internal error")
		}
	}
	b, ok := rpc.AppendReply(nil, cookie, out, s.m.maxBody<<10)
	if !ok {
		return rpc.AppendFault(nil, cookie, 500, "Internal server error processing 's': buffer too small (overflow) (-2)")
	}
	return b
}
