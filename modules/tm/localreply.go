package tm

import (
	"bytes"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
)

// localReplied is what a reply does to a local transaction; c holds the reply, or the request for one of our own. mu is held, and let go.
func (m *mod) localReplied(c *route.Ctx, o shm.Off, t *cell, b *branch, code uint16) {
	var msg *sipparse.Msg
	if c.Msg.Line.IsReply {
		msg = &c.Msg
	}
	if code < 200 {
		b.status, t.status = code, code
		m.a.Unlock(&t.mu)
		if t.flags&flagProvisional != 0 {
			m.tell(o, t, int(code), msg)
		}
		return
	}
	if t.flags&flagDone != 0 { // late, or a 2xx once more
		if code < 300 {
			m.sendLocalACK(t)
		}
		b.status = max(b.status, code)
		m.a.Unlock(&t.mu)
		return
	}
	b.status = code
	m.keepReply(c, b)
	t.flags |= flagDone
	t.status = code
	m.stats.final(m.h, code)
	m.putOnWait(o, t)
	m.a.Unlock(&t.mu)
	if t.flags&(flagInvite|flagNoAutoACK) == flagInvite && code < 300 && msg != nil {
		if _, err := m.ack2xx(c, o, t, msg, nil, nil); err != nil {
			m.h.Logf(log.Err, "tm", "ACK of a local INVITE: %v", err)
		}
	}
	m.tell(o, t, int(code), msg)
}

// endLocal ends a local transaction with a code of our own; its branch is not looked at any more.
func (m *mod) endLocal(o shm.Off, t *cell, code uint16) {
	m.a.Lock(&t.mu)
	if t.flags&flagDone != 0 {
		m.a.Unlock(&t.mu)
		return
	}
	for bo := t.first; bo != 0; bo = m.branch(bo).next {
		b := m.branch(bo)
		m.disarm(o, t, bo+shm.Off(branchOff))
		if b.status < 200 {
			b.status = code
			b.flags |= brFaked
		}
	}
	t.flags |= flagDone
	t.status = code
	m.stats.final(m.h, code)
	m.putOnWait(o, t)
	m.a.Unlock(&t.mu)
	m.tell(o, t, int(code), nil)
}

// tell calls what the request's sender has named. A name that a reload has taken away is nobody's.
func (m *mod) tell(o shm.Off, t *cell, code int, msg *sipparse.Msg) {
	name, param := m.carriedTo(t)
	if len(name) == 0 {
		return
	}
	f := m.replies[string(name)]
	if f == nil {
		m.h.Logf(log.Warn, "tm", "nobody is told of the reply %d to a local request: %q is not there", code, name)
		return
	}
	var sent sipparse.Msg
	sent.Grammar = m.h.Proc.Par.Grammar
	if sent.Parse(m.request(o, t)) != sipparse.OK {
		return
	}
	f(&modules.UACReply{ID: modules.TransactionID{Index: t.hash, Label: t.label}, Status: code, Msg: msg, Sent: &sent, Param: bytes.Clone(param)})
}

// Transaction is modules.UAC.
func (m *mod) Transaction(id modules.TransactionID, f func(r *modules.UACReply)) bool {
	o := m.byID(id.Index, id.Label)
	if o == 0 {
		return false
	}
	t := m.cell(o)
	defer m.unref(o, t)
	if t.flags&flagLocal == 0 {
		return false
	}
	var sent, reply sipparse.Msg
	sent.Grammar = m.h.Proc.Par.Grammar
	reply.Grammar = m.h.Proc.Par.Grammar
	r := modules.UACReply{ID: id, Status: int(t.status)}
	_, b := m.branchAt(t, int(max(t.n, 1))-1)
	if b == nil || sent.Parse(m.request(o, t)) != sipparse.OK {
		return false
	}
	m.a.Lock(&t.mu)
	if b.reply != 0 && b.flags&brFaked == 0 && reply.Parse(bytes.Clone(m.a.Bytes(b.reply)[:b.replyLen])) == sipparse.OK {
		r.Msg = &reply
	}
	m.a.Unlock(&t.mu)
	r.Sent = &sent
	_, r.Param = m.carriedTo(t)
	f(&r)
	return true
}
