package main

import (
	"bytes"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hostileConn is a connection to the server that has been used once, so that its owner has it.
type hostileConn struct {
	*net.TCPConn
	local string
	in    []byte
	ended bool // the server has closed it
	spent bool // the server takes what comes next for a part of what was sent
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
