package edit

import (
	"math"
	"strconv"

	"kahea/sipparse"
)

// RequestOpts are what forwarding needs beyond the message and its edits.
type RequestOpts struct {
	RURI []byte   // nil: as received
	Via  *ViaOpts // nil: no Via is added
	Recv Received
	// Front are whole lines that go before the first header field (Record-Route lines, which depend on where the request is sent).
	Front []byte
	Path  []byte // Route header lines (Path vector), whole lines: they go before the first Route, or behind our Via if there is none
	CLen  CLen
}

// CLen is the rule for Content-Length: UDP corrects only if the body or header was changed, never adds; streams always.
type CLen uint8

// The rules.
const (
	CLenDatagram CLen = iota
	CLenStream
)

// AppendRequest appends the forwarded request.
func AppendRequest(dst []byte, m *sipparse.Msg, l *List, o *RequestOpts) ([]byte, sipparse.Err) {
	via, e := m.Via1()
	if e != sipparse.OK {
		return dst, e
	}
	c := cursor{dst: dst, src: m.Buf, l: l}
	if o.RURI != nil {
		c.to(m.Line.URI.Off)
		c.dst = append(c.dst, o.RURI...)
		c.skip(m.Line.URI.End())
	}
	if len(o.Front) > 0 {
		c.through(m.Hdrs[0].Off)
		c.dst = append(c.dst, o.Front...)
	}
	vh := &m.Hdrs[via.Hdr]
	route := m.First(sipparse.HdrRoute)
	if route == nil {
		route = vh
	}
	path := len(o.Path) > 0
	if path && route.Off < vh.Off {
		c.through(route.Off)
		c.dst = append(c.dst, o.Path...)
		path = false
	}
	c.through(vh.Off)
	if o.Via != nil {
		c.dst = AppendVia(c.dst, o.Via)
	}
	if path && route == vh {
		c.dst = append(c.dst, o.Path...)
		path = false
	}
	c.via(m, via, &o.Recv)
	if path {
		c.through(route.Off)
		c.dst = append(c.dst, o.Path...)
	}
	return c.tail(m, l, o.CLen, len(dst))
}

// via writes received and rport into the sender's Via: what is there is replaced where it stands, what is new goes behind sent-by,
// but a new rport in front of a received that is replaced.
func (c *cursor) via(m *sipparse.Msg, v *sipparse.Via, r *Received) {
	received, rport := r.wants(m, v)
	inPlace := received && !v.RecvAt.Empty()
	if !inPlace && (received || rport) {
		c.through(v.SentByEnd)
		if rport && !v.HasRPort {
			c.dst = r.appendRPort(c.dst)
		}
		if received {
			c.dst = r.appendReceived(c.dst)
		}
	}
	if inPlace && v.RecvAt.Off < v.RPortAt.Off {
		c.viaReceived(m, v, r)
		inPlace = false
	}
	if rport && v.HasRPort {
		c.to(v.RPortAt.Off)
		c.dst = r.appendRPort(c.dst)
		c.skip(paramEnd(m, v, v.RPortAt, v.RPort))
	}
	if inPlace {
		c.viaReceived(m, v, r)
	}
}

func (c *cursor) viaReceived(m *sipparse.Msg, v *sipparse.Via, r *Received) {
	c.to(v.RecvAt.Off)
	if r.ForceRPort && !v.HasRPort {
		c.dst = r.appendRPort(c.dst)
	}
	c.dst = r.appendReceived(c.dst)
	c.skip(paramEnd(m, v, v.RecvAt, v.Received))
}

// tail copies the rest of the message and sets Content-Length right; at an error dst ends where start says.
func (c *cursor) tail(m *sipparse.Msg, l *List, rule CLen, start int) ([]byte, sipparse.Err) {
	if rule == CLenStream {
		// Kamailio has to know all fields and where the body begins to say how long it is
		if e := m.Complete(); e != sipparse.OK {
			return c.dst[:start], e
		}
		if !m.HasBody() {
			return c.dst[:start], sipparse.ErrNoBody
		}
	}
	end := uint32(len(m.Buf))
	newBody := l != nil && l.hasBody
	bodyLen, changed := int(end-m.BodyOff), false
	if newBody {
		bodyLen, changed = len(l.body), true
	} else if l != nil && m.HasBody() {
		bodyLen = l.bodyLen(m.BodyOff, end)
		changed = bodyLen != int(end-m.BodyOff) // a change that keeps the length does not set a wrong one right
	}
	if n, has, _ := m.ContentLength(); has {
		h := m.First(sipparse.HdrContentLength)
		if (changed || rule == CLenStream) && n != bodyLen && (l == nil || !l.Removed(h.Body.Off)) {
			c.to(h.Body.Off)
			c.dst = strconv.AppendInt(c.dst, int64(bodyLen), 10)
			c.skip(rawEnd(m, h))
		}
	} else if rule == CLenStream || newBody {
		c.through(m.HdrEnd)
		c.dst = append(c.dst, "Content-Length: "...)
		c.dst = strconv.AppendInt(c.dst, int64(bodyLen), 10)
		c.dst = append(c.dst, "\r\n"...)
	}
	if newBody {
		c.to(m.BodyOff)
		return append(c.dst, l.body...), sipparse.OK
	}
	c.through(math.MaxUint32)
	return c.dst, sipparse.OK
}

// bodyLen is the length of buf[off:end] after the edits.
func (l *List) bodyLen(off, end uint32) int {
	n := int(end - off)
	pos := off
	for i := range l.ops {
		o := &l.ops[i]
		if o.kind == opRemove {
			to := o.off + min(o.n, end-min(o.off, end))
			if from := max(o.off, pos); to > from {
				n -= int(to - from)
				pos = to
			}
		} else if o.off >= off {
			n += int(o.len)
		}
	}
	return n
}
