package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostileSink is where the configurations relay to: it keeps what comes and answers every request with 200.
type hostileSink struct {
	t    testing.TB
	udp  *udpSocket
	mu   sync.Mutex
	got  [][]byte
	seen chan string // fences
}

func newHostileSink(t testing.TB) *hostileSink {
	s := &hostileSink{t: t, udp: openUDP(t), seen: make(chan string, 16)}
	t.Cleanup(func() { s.udp.Close() })
	go s.run()
	return s
}

func (s *hostileSink) run() {
	b := make([]byte, 65536)
	for {
		n, from, err := s.udp.ReadFrom(b)
		if err != nil {
			return
		}
		m := b[:n]
		if f, ok := bytes.CutPrefix(m, []byte("fence ")); ok {
			s.seen <- string(f)
			continue
		}
		s.mu.Lock()
		s.got = append(s.got, bytes.Clone(m))
		s.mu.Unlock()
		if r := hostileAnswer(m); r != nil {
			s.udp.WriteTo(r, from)
		}
	}
}

// hostileAnswer is a 200 to a request, nil for what has none.
func hostileAnswer(m []byte) []byte {
	if bytes.HasPrefix(m, []byte("SIP/2.0")) || bytes.HasPrefix(m, []byte("ACK ")) {
		return nil
	}
	out := "SIP/2.0 200 OK\r\n"
	take := false
	head, _, _ := strings.Cut(string(m), "\r\n\r\n")
	for _, l := range strings.Split(head, "\r\n")[1:] {
		if l != "" && (l[0] == ' ' || l[0] == '\t') { // a folded line
			if take {
				out += l + "\r\n"
			}
			continue
		}
		name, _, _ := strings.Cut(l, ":")
		switch take = true; strings.ToLower(strings.TrimSpace(name)) {
		case "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq":
			out += l + "\r\n"
		default:
			take = false
		}
	}
	return []byte(out + "Content-Length: 0\r\n\r\n")
}

// fence returns when everything that had arrived before is kept and answered.
func (s *hostileSink) fence(from *udpSocket, id string) {
	s.t.Helper()
	again := time.NewTicker(time.Second) // the socket was full
	defer again.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := from.WriteTo([]byte("fence "+id), s.udp.LocalAddr()); err != nil {
			s.t.Fatal(err)
		}
	wait:
		for {
			select {
			case got := <-s.seen:
				if got == id {
					return
				}
			case <-again.C:
				break wait
			}
		}
	}
	s.t.Fatalf("the sink does not see fence %s", id)
}

// take gives the messages that hold a word, once each, and forgets them.
func (s *hostileSink) take(id string) (l [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.got[:0]
	for _, m := range s.got {
		if !bytes.Contains(m, []byte(id)) {
			rest = append(rest, m)
			continue
		}
		again := false
		for _, o := range l {
			again = again || bytes.Equal(o, m)
		}
		if !again {
			l = append(l, m)
		}
	}
	s.got = rest
	return l
}

// forget drops what nobody asked for.
func (s *hostileSink) forget() {
	s.mu.Lock()
	s.got = nil
	s.mu.Unlock()
}
