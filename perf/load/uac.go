package load

import (
	"bytes"
	"time"
)

type state uint8

const (
	free       state = iota
	trying           // no response yet
	proceeding       // a provisional response has come: no more retransmissions of an INVITE
	ringing          // a provisional response above 100 has come
	closing          // BYE was sent
)

// A slot holds one transaction, or one call.
type slot struct {
	seq   uint32
	user  uint32
	state state
	tries uint8
	flow  *flow
	start int64  // ns since the run began
	again int64  // when to send again
	bye   []byte // closing: the BYE
	ack   []byte // closing: the ACK, for a 200 that comes twice
}

// id is what finds the slot again.
func id(seq uint32, n int) uint64 { return uint64(seq)<<32 | uint64(n) }

// begin starts the next transaction.
func (l *loop) begin(now int64) {
	n := l.spare[len(l.spare)-1]
	l.spare = l.spare[:len(l.spare)-1]
	l.high = max(l.high, n+1)
	s := &l.slots[n]
	l.seq++
	s.seq, s.user, s.state, s.tries = l.seq, (l.seq-1)%uint32(l.cfg.Users), trying, 0
	// a source stays with its user, as a phone does
	s.flow = l.sources[int(s.user)%len(l.sources)]
	s.start, s.again = now, now+int64(l.cfg.T1)
	l.active++
	l.res.Started++
	l.sendFirst(n, s)
}

func (l *loop) sendFirst(n int, s *slot) {
	if err := l.put(s.flow, s.flow.up.render(s.flow.take(), id(s.seq, n), s.user, s.seq)); err != nil {
		l.fail(err)
	}
}

// end frees the slot of a transaction that has its final response.
func (l *loop) end(n int, now int64) {
	l.last = now
	l.release(n)
}

func (l *loop) release(n int) {
	l.slots[n].state = free
	l.spare = append(l.spare, n)
	l.active--
}

// response handles a response to one of the requests of this run.
func (l *loop) response(f *flow, m []byte) {
	i := bytes.Index(m, l.branch)
	if i < 0 || i+len(l.branch)+17 > len(m) || len(m) < 12 {
		l.res.Strays++
		return
	}
	key := m[i+len(l.branch):]
	x, ok := parseHex(key)
	n := int(uint32(x))
	if !ok || n >= len(l.slots) || l.slots[n].state == free || l.slots[n].seq != uint32(x>>32) {
		l.res.Strays++
		return
	}
	s := &l.slots[n]
	code := int(m[8]-'0')*100 + int(m[9]-'0')*10 + int(m[10]-'0')
	if code < 100 || code > 699 {
		l.res.Strays++
		return
	}
	kind := key[16]
	if code < 200 {
		switch {
		case kind != kindFirst:
		case code > 100 && (s.state == trying || s.state == proceeding):
			s.state = ringing
			l.ringing++
		case s.state == trying:
			s.state = proceeding
		}
		return
	}
	now := l.now()
	switch {
	case kind == kindFirst && s.state == closing: // the 200 once more
		l.res.Strays++
		if err := l.put(s.flow, append(s.flow.take(), s.ack...)); err != nil {
			l.fail(err)
		}
	case kind == kindFirst:
		l.res.Status[code]++
		if l.dialogs && code < 300 {
			l.res.Latency.Add(time.Duration(now - s.start))
			l.confirm(n, s, m)
			s.state, s.tries, s.again = closing, 0, now+int64(l.cfg.T1)
			return
		}
		if l.dialogs {
			l.res.Failed++
			l.reject(n, s, m)
			l.end(n, now)
			return
		}
		l.res.Latency.Add(time.Duration(now - s.start))
		if code < 300 {
			l.res.Done++
		} else {
			l.res.Failed++
		}
		l.end(n, now)
	case kind == kindBye && s.state == closing:
		if code < 300 {
			l.res.Done++
		} else {
			l.res.Status[code]++
			l.res.Failed++
		}
		l.end(n, now)
	default:
		l.res.Strays++
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// confirm sends ACK and BYE of a call along its route set (RFC 3261 sections 12.1.2, 12.2.1.1, 13.2.2.4).
func (l *loop) confirm(n int, s *slot, m []byte) {
	var target, from, to, callID []byte
	routes := l.routes[:0]
	eachLine(m, func(line []byte) {
		if v, ok := value(line, "Record-Route:"); ok {
			routes = append(routes, v)
		} else if v, ok := value(line, "Contact:"); ok {
			target = inBrackets(v)
		} else if _, ok := value(line, "From:"); ok {
			from = line
		} else if _, ok := value(line, "To:"); ok {
			to = line
		} else if _, ok := value(line, "Call-ID:"); ok {
			callID = line
		}
	})
	l.routes = routes
	if len(target) == 0 {
		target = []byte("sip:" + s.flow.user + "@" + s.flow.far)
	}
	s.ack = l.within(s.ack[:0], "ACK", kindAck, n, s, target, from, to, callID)
	s.bye = l.within(s.bye[:0], "BYE", kindBye, n, s, target, from, to, callID)
	for _, r := range [][]byte{s.ack, s.bye} {
		if err := l.put(s.flow, append(s.flow.take(), r...)); err != nil {
			l.fail(err)
		}
	}
}

// within appends a request inside the dialog. The routes are in the order of the response, so they go in backwards; a line may hold
// several, whose order is turned too.
func (l *loop) within(b []byte, method string, kind byte, n int, s *slot, target, from, to, callID []byte) []byte {
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " SIP/2.0\r\n"...)
	b = append(b, l.via...)
	b = append(b, s.flow.sentBy...)
	b = append(b, ";"...)
	b = append(b, l.branch...)
	at := len(b)
	b = append(b, "0123456789abcdef"...)
	putHex(b[at:], id(s.seq, n))
	b = append(b, kind)
	b = append(b, "\r\nMax-Forwards: 70\r\n"...)
	for i := len(l.routes) - 1; i >= 0; i-- {
		for r := l.routes[i]; len(r) > 0; {
			c := bytes.LastIndexByte(r, ',')
			b = append(b, "Route: "...)
			b = append(b, bytes.TrimSpace(r[c+1:])...)
			b = append(b, "\r\n"...)
			r = r[:max(c, 0)]
		}
	}
	for _, line := range [][]byte{from, to, callID} {
		b = append(b, line...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "CSeq: "...)
	b = append(b, '1'+byte(b2i(kind == kindBye)), ' ')
	b = append(b, method...)
	return append(b, "\r\nUser-Agent: load\r\nContent-Length: 0\r\n\r\n"...)
}

// reject sends the ACK of a call that failed: same branch, same URI, no route set (RFC 3261 section 17.1.1.3).
func (l *loop) reject(n int, s *slot, m []byte) {
	var from, to, callID []byte
	eachLine(m, func(line []byte) {
		if _, ok := value(line, "From:"); ok {
			from = line
		} else if _, ok := value(line, "To:"); ok {
			to = line
		} else if _, ok := value(line, "Call-ID:"); ok {
			callID = line
		}
	})
	l.routes = l.routes[:0]
	uri := s.flow.up.text[len("INVITE "):]
	uri = uri[:bytes.IndexByte(uri, ' ')]
	if err := l.put(s.flow, l.within(s.flow.take(), "ACK", kindFirst, n, s, uri, from, to, callID)); err != nil {
		l.fail(err)
	}
}

// sweep sends again what has waited too long, and gives up what has waited for Config.Timeout.
func (l *loop) sweep(now int64) {
	for n := range l.high {
		s := &l.slots[n]
		if s.state == free || l.cfg.Scenario == Ring && s.state == ringing {
			continue
		}
		if now-s.start > int64(l.cfg.Timeout) {
			l.res.Lost++
			l.release(n)
			continue
		}
		if l.cfg.TCP || l.cfg.T1 < 0 || now < s.again || l.dialogs && s.state != trying && s.state != closing {
			continue
		}
		s.tries++
		s.again = now + min(int64(l.cfg.T1)<<min(s.tries, 10), int64(4*time.Second))
		l.res.Retransmits++
		if s.state == closing {
			if err := l.put(s.flow, append(s.flow.take(), s.bye...)); err != nil {
				l.fail(err)
			}
			continue
		}
		l.sendFirst(n, s)
	}
}
