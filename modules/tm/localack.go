package tm

import (
	"errors"
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

var errNotAnswered = errors.New("no local INVITE of that Call-ID and CSeq has a 2xx")

// ack2xx builds the ACK to the 2xx of a local INVITE, keeps it for repeated 2xx, and sends it (RFC 3261 13.2.2.4): to the dialog's target by its route set, or, as
// local_ack_mode says, where the INVITE went or where the 2xx came from. headers are further lines. It may wait for a name; no lock is held.
func (m *mod) ack2xx(c *route.Ctx, o shm.Off, t *cell, msg *sipparse.Msg, headers, body []byte) (b []byte, err error) {
	var sent sipparse.Msg
	sent.Grammar = m.h.Proc.Par.Grammar
	if sent.Parse(m.request(o, t)) != sipparse.OK {
		return nil, route.ErrBuild
	}
	s := &c.Scratch
	uri := sent.Bytes(sent.Line.URI)
	v := msg.Values(sipparse.HdrContact)
	if ok, _ := v.Next(); ok {
		uri = s.Copy(msg.Bytes(v.URI))
	}
	routes := routeSet(s, msg)
	hop := uri
	var lines []byte
	for i, r := range routes {
		if i == 0 {
			hop = r.uri
			if !r.loose { // a strict router: it becomes the R-URI, and the target the last Route
				lines = append(lines, "Route: "...)
				for _, x := range routes[1:] {
					lines = append(append(lines, x.text...), ", "...)
				}
				lines = append(append(append(lines, '<'), uri...), ">\r\n"...)
				uri = r.uri
				break
			}
			lines = append(lines, "Route: "...)
		}
		lines = append(lines, r.text...)
		if i == len(routes)-1 {
			lines = append(lines, "\r\n"...)
		} else {
			lines = append(lines, ", "...)
		}
	}
	d := m.branch(t.first).to.get(c.P.Net)
	switch m.par.localAckMode {
	case 1:
	case 2:
		d = route.Dest{Proto: c.Recv.Proto, Addr: c.Recv.Src, Sock: c.Recv.Sock, Conn: c.Recv.Conn}
	default:
		target, err := m.h.Proc.URITarget(hop)
		if err != nil {
			return nil, err
		}
		if d, err = c.Resolve(target, d.Sock); err != nil {
			return nil, err
		}
	}
	via, e := sent.Via1()
	if e != sipparse.OK {
		return nil, route.ErrBuild
	}
	branch := sent.Bytes(via.Branch)
	if m.par.localAckBranchMode == 1 {
		branch = s.Keep(append(append(s.Tail(128), branch...), 'a'))
	}
	opts := c.Via(&d, branch)
	opts.ConnID = 0 // the reply's way in says nothing of the ACK's way out
	to, cs := msg.First(sipparse.HdrTo), m.cseqOf(&sent)
	if to == nil {
		return nil, route.ErrBuild
	}
	b = append(c.P.Host.Buffer(), "ACK "...)
	b = append(append(b, uri...), " SIP/2.0\r\n"...)
	b = edit.AppendVia(b, &opts)
	b = append(append(b, "From: "...), lineOf(&sent, sipparse.HdrFrom)...)
	b = append(append(b, "\r\nCall-ID: "...), lineOf(&sent, sipparse.HdrCallID)...)
	b = append(append(b, "\r\nTo: "...), lineOf(msg, sipparse.HdrTo)...)
	b = append(append(append(b, "\r\nCSeq: "...), cs...), " ACK\r\n"...)
	b = append(append(b, lines...), m.appendUserAgent(nil)...)
	b = append(append(b, headers...), m.par.ackHeaders...)
	b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10), "\r\n\r\n"...)
	b = append(b, body...)
	m.a.Lock(&t.mu)
	t.up = toDest(&d)
	if !m.store(&t.reply, &t.replyLen, b, m.tagReply) {
		m.h.Logf(log.Err, "tm", "shared memory exhausted: the ACK of a local INVITE is sent once only")
		err = m.h.Host.Send(d, b)
	} else {
		m.sendLocalACK(t)
	}
	m.a.Unlock(&t.mu)
	if m.onAckSent != nil {
		m.ranOnOwn(c.P, t, &t.up, m.onAckSent)
	}
	return b, err
}

// sendLocalACK sends the ACK once more. mu is held.
func (m *mod) sendLocalACK(t *cell) {
	if t.reply == 0 {
		return
	}
	d := t.up.get(m.h.Net)
	if err := m.h.Host.Send(d, m.a.Bytes(t.reply)[:t.replyLen]); err != nil {
		m.h.Logf(log.Err, "tm", "local ACK to %s: %v", d.Addr, err)
	}
}

// ranOnOwn runs an event route on what was sent last and is kept in t.reply: a reply of our own, or the ACK to a 2xx of a local INVITE.
func (m *mod) ranOnOwn(p *route.Proc, t *cell, to *dest, r *route.Route) {
	if t.reply == 0 {
		return
	}
	d := to.get(p.Net)
	p.RunFaked(func(c *route.Ctx) {
		c.Faked = true
		if b := c.Scratch.Copy(m.a.Bytes(t.reply)[:t.replyLen]); b == nil || c.Msg.Parse(b) != sipparse.OK {
			m.h.Logf(log.Err, "tm", "what was sent can not be parsed")
		}
		c.Recv = route.Recv{Src: d.Sock.Addr, Dst: d.Addr, Sock: d.Sock, Proto: d.Proto, Time: p.Host.Now()}
		m.loadAVPs(c, t)
	}, func(c *route.Ctx) { c.RunTop(r, route.InEvent) })
}

// lineOf is the body of a header field.
func lineOf(msg *sipparse.Msg, h sipparse.HdrType) []byte {
	if x := msg.First(h); x != nil {
		return msg.Bytes(x.Body)
	}
	return nil
}

func (m *mod) cseqOf(msg *sipparse.Msg) []byte {
	cs, e := msg.CSeq()
	if e != sipparse.OK {
		return nil
	}
	return msg.Bytes(cs.NumText)
}

// hop is an entry of a route set.
type hop struct {
	text, uri []byte
	loose     bool
}

// routeSet is the reply's Record-Route from the end to the beginning (RFC 3261 12.1.2).
func routeSet(s *route.Scratch, msg *sipparse.Msg) (l []hop) {
	v := msg.Values(sipparse.HdrRecordRoute)
	for {
		if ok, _ := v.Next(); !ok {
			return l
		}
		h := hop{text: s.Copy(msg.Bytes(v.Whole)), uri: s.Copy(msg.Bytes(v.URI))}
		var u sipparse.URI
		h.loose = msg.Grammar.ParseURI(h.uri, &u) == sipparse.OK && u.LR
		l = append([]hop{h}, l...)
	}
}

// AckLocal sends the ACK to the 2xx of a local INVITE that has none yet (t_uac_ack_local of tmx): the caller's further header lines and body go along.
func (m *mod) AckLocal(c *route.Ctx, callID, cseq, headers, body []byte) error {
	o := m.byCallID(callID, cseq)
	if o == 0 {
		return errNotAnswered
	}
	t := m.cell(o)
	defer m.unref(o, t)
	_, b := m.branchAt(t, 0)
	if t.flags&(flagLocal|flagInvite) != flagLocal|flagInvite || t.status < 200 || t.status >= 300 || b == nil || b.reply == 0 {
		return errNotAnswered
	}
	var reply sipparse.Msg
	reply.Grammar = m.h.Proc.Par.Grammar
	kept := c.Scratch.Copy(m.a.Bytes(b.reply)[:b.replyLen])
	if kept == nil || reply.Parse(kept) != sipparse.OK {
		return route.ErrBuild
	}
	_, err := m.ack2xx(c, o, t, &reply, headers, body)
	return err
}
