package tm

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
)

// sendUp sends what is stored as the transaction's reply. mu need not be held: the bytes are only replaced under mu by who sends them.
func (m *mod) sendUp(t *cell) {
	if t.reply == 0 {
		return
	}
	b := m.a.Bytes(t.reply)[:t.replyLen]
	d := t.up.get(m.h.Net)
	if err := m.h.Host.Send(d, b); err != nil {
		m.h.Logf(log.Err, "tm", "send reply to %s: %v", d.Addr, err)
	}
	m.h.Count(m.stats.rplSent)
}

// retransmit answers a retransmission with the last reply.
func (m *mod) retransmit(t *cell) {
	m.a.Lock(&t.mu)
	m.sendUp(t)
	m.a.Unlock(&t.mu)
}

// Reply sends a local reply statefully (t_reply); it makes the transaction when there is none. > 0 on success.
func (m *mod) Reply(c *route.Ctx, code int, reason []byte) int {
	t, err := m.ensure(c)
	if err != nil || t == nil {
		if err != nil {
			refused(c, "t_reply", err)
		}
		return -1
	}
	return m.replyLocal(c, c.Trans, t, code, reason)
}

// ensure is the transaction of c, made if there is none. nil without an error: the request was a retransmission.
func (m *mod) ensure(c *route.Ctx) (*cell, error) {
	if t := m.lookup(c); t != nil {
		return t, nil
	}
	if c.Msg.Line.IsReply || c.Msg.Line.Method == sipparse.ACK {
		return nil, errNoTransaction
	}
	t, found, err := m.newTransaction(c)
	if err != nil {
		return nil, err
	}
	if found {
		m.retransmit(t)
		return nil, nil
	}
	return t, nil
}

// replyLocal builds a reply of our own to t's request, of which c holds the message, and sends it. A final reply ends the branches.
func (m *mod) replyLocal(c *route.Ctx, o shm.Off, t *cell, code int, reason []byte) int {
	return m.replyTagged(c, o, t, code, reason, nil)
}

// replyTagged is replyLocal with a To tag, nil or empty: ours.
func (m *mod) replyTagged(c *route.Ctx, o shm.Off, t *cell, code int, reason, tag []byte) int {
	if code < 100 || code > 699 {
		code, reason = m.par.defaultCode, []byte(m.par.defaultReason)
	}
	if code >= 180 && len(tag) == 0 {
		tag = c.ToTag(&m.tag)
	}
	if code/100 == 3 {
		c.AddContacts(m.par.richRedirect)
	}
	b, err := c.AppendReply(c.P.Host.Buffer(), code, reason, tag)
	if err != nil {
		c.Logf(log.Err, "tm", "t_reply: %v", err)
		if code >= 200 {
			m.a.Lock(&t.mu)
			m.giveUp(o, t, uint16(code))
			m.a.Unlock(&t.mu)
			m.cancelBranches(c.P, o, t, nil)
		}
		return -1
	}
	m.a.Lock(&t.mu)
	if t.flags&flagDone != 0 {
		m.a.Unlock(&t.mu)
		c.Logf(log.Err, "tm", "a final reply was already sent: %d dropped", code)
		return -1
	}
	ok := m.pushReply(o, t, b, uint16(code), -1)
	m.a.Unlock(&t.mu)
	if !ok {
		return -1
	}
	m.h.Count(m.stats.rplGenerated)
	if m.onLocalResponse != nil {
		m.ranOnOwn(c.P, t, &t.up, m.onLocalResponse)
	}
	if code >= 200 {
		m.cancelBranches(c.P, o, t, nil)
		m.responseOut(c, o, t, code, nil)
	}
	return 1
}

// pushReply stores a built reply as the transaction's, sends it, and starts what a final one needs. mu is held.
func (m *mod) pushReply(o shm.Off, t *cell, b []byte, code uint16, from int8) bool {
	stored := true
	if t.flags&flagReplicate == 0 {
		if code >= 200 {
			stored = m.store(&t.reply, &t.replyLen, b, m.tagReply)
		} else {
			// when only the reserve is left, a provisional reply is sent and not repeated
			m.storeOf(t.flags, &t.reply, &t.replyLen, b, m.tagReply)
		}
		d := t.up.get(m.h.Net)
		if err := m.h.Host.Send(d, b); err != nil {
			m.h.Logf(log.Err, "tm", "send reply %d to %s: %v", code, d.Addr, err)
		}
		m.h.Count(m.stats.rplSent)
	}
	t.flags |= flagReplied
	t.status, t.replyFrom = code, from
	if code < 200 {
		return stored
	}
	t.flags |= flagDone
	m.stats.final(m.h, code)
	// RFC 3261 13.3.1.4: a 2xx of our own is repeated until its ACK, too
	if t.flags&(flagInvite|flagReplicate) == flagInvite && (code >= 300 || from < 0) {
		m.startFinal(o, t)
		return stored
	}
	m.putOnWait(o, t)
	return stored
}

// giveUp ends a transaction whose final reply can not be built: nothing is sent, but nothing stays either. mu is held.
func (m *mod) giveUp(o shm.Off, t *cell, code uint16) {
	if t.flags&flagDone == 0 {
		t.flags |= flagDone
		t.status, t.replyFrom = code, -1
		m.putOnWait(o, t)
	}
}

// startFinal repeats a negative final reply to an INVITE until the ACK comes or fr_timer runs out. mu is held.
func (m *mod) startFinal(o shm.Off, t *cell) {
	now := m.h.Host.Ticks()
	t.uasUntil = now + ticks(t.fr)
	t.uasRetr = t.retr1
	next := t.uasUntil
	if t.flags&flagStream == 0 {
		next = now + ticks(t.uasRetr)
	}
	m.arm(o, t, o+shm.Off(timerOff), next, kindCell)
}

// putOnWait starts the wait time at whose end the transaction goes. mu is held.
func (m *mod) putOnWait(o shm.Off, t *cell) {
	if t.flags&flagWait != 0 {
		return
	}
	t.flags |= flagWait
	m.h.Count(m.stats.waiting)
	t.uasRetr = 0
	m.arm(o, t, o+shm.Off(timerOff), m.h.Host.Ticks()+ticks(uint32(m.par.wtTimer)), kindCell)
}

// arm sets a timer of t and counts a reference for it; first, so that a death in between leaves one too many and not one too few.
func (m *mod) arm(o shm.Off, t *cell, timer shm.Off, at uint64, k shm.Kind) {
	m.addRef(t)
	if !m.h.Wheel.Arm(m.a, timer, at, k) {
		m.unref(o, t) // it had one
	}
}

// disarm stops a timer of t and drops its reference.
func (m *mod) disarm(o shm.Off, t *cell, timer shm.Off) {
	if shm.Disarm(m.a, timer) {
		m.unref(o, t)
	}
}

// acked is what the ACK to a negative final reply does.
func (m *mod) acked(o shm.Off, t *cell) {
	m.a.Lock(&t.mu)
	if t.flags&flagDone != 0 {
		t.flags |= flagAckSeen
		m.putOnWait(o, t)
	}
	m.a.Unlock(&t.mu)
}

// release puts a transaction on the wait timer (t_release).
func (m *mod) release(o shm.Off, t *cell) {
	m.a.Lock(&t.mu)
	m.putOnWait(o, t)
	m.a.Unlock(&t.mu)
}

// afterScript runs when the script has ended: an error that was not answered is answered, a transaction that the script made and
// left alone is released, the message's reference is dropped.
func (m *mod) afterScript(c *route.Ctx) {
	if c.Trans == 0 {
		return
	}
	o := c.Trans
	t := m.cell(o)
	if c.TransState == stateNew && !c.Msg.Line.IsReply {
		t.script = 0
		switch {
		case t.flags&(flagRelayed|flagDone|flagWait|flagSuspended) != 0:
		case c.Refused():
			m.release(o, t)
		case c.Broken():
			m.addRef(t)
			m.h.Loop(func() { m.endOrphan(orphan{cell: o, refs: 1, end: true}) }) // 500
		case c.Ext[extDelayed] != 0:
			code, reason := c.ErrorReply("TM")
			m.replyLocal(c, o, t, code, reason)
		default:
			c.Logf(log.Warn, "tm", "script writer didn't release transaction")
			m.release(o, t)
		}
	}
	c.Trans, c.TransState = 0, stateUnknown
	m.unref(o, t)
}

// extDelayed is tm's word in Ctx.Ext: not 0 when t_relay failed and the script may answer itself (delayed_reply).
const extDelayed = 7

// extFound is another one: not 0 while the script waits that has found a transaction (orphan.go).
const extFound = 4
