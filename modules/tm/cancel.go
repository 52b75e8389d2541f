package tm

import (
	"bytes"
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

var (
	cancelReason  = []byte("canceling")
	cancelNothing = []byte("ok -- no more pending branches")
)

// relayCancel cancels the INVITE that the CANCEL in hand names: the CANCEL is answered 200, its INVITE's branches are cancelled.
func (m *mod) relayCancel(c *route.Ctx, forced *route.Target) int {
	if t := m.lookup(c); t != nil && c.TransState == stateFound {
		m.retransmit(t)
		return 0
	}
	inv := m.find(&c.Msg, true)
	if inv == 0 {
		switch m.par.unmatchedCancel {
		case 2:
			return -1
		case 1:
			return m.relayAck(c, forced) // statelessly
		}
		t, found, err := m.newTransaction(c)
		if err != nil {
			c.Failed(err)
			return -1
		}
		if found {
			m.retransmit(t)
			return 0
		}
		return m.forward(c, t, forced)
	}
	m.unref(inv, m.cell(inv)) // newTransaction may wait
	t, found, err := m.newTransaction(c)
	if err != nil {
		c.Failed(err)
		return -1
	}
	if found {
		m.retransmit(t)
		return 0
	}
	if inv = m.find(&c.Msg, true); inv == 0 {
		m.replyLocal(c, c.Trans, t, 200, cancelNothing)
		return 1
	}
	it := m.cell(inv)
	defer m.unref(inv, it)
	m.a.Lock(&it.mu)
	it.flags |= flagCanceled
	m.a.Unlock(&it.mu)
	var extra []byte
	if h := c.Msg.First(sipparse.HdrReason); h != nil && m.par.e2eCancelReason != 0 && it.flags&flagNoE2EReason == 0 {
		extra = c.Msg.Buf[h.Off:h.End]
	}
	if m.cancelSuspended(c.P, inv, it) {
		m.replyLocal(c, c.Trans, t, 200, cancelNothing)
	} else if m.cancelBranches(c.P, inv, it, extra) > 0 {
		m.replyLocal(c, c.Trans, t, 200, cancelReason)
	} else {
		m.replyLocal(c, c.Trans, t, 200, cancelNothing)
	}
	return 1
}

// cancelBranches sends a CANCEL on every branch that rings, and marks those that have not answered yet (cancel_b_method).
// extra are whole header lines for the CANCEL. It returns how many branches it is about.
func (m *mod) cancelBranches(p *route.Proc, o shm.Off, t *cell, extra []byte) (n int) {
	if t.flags&flagInvite == 0 {
		return 0
	}
	for bo := t.first; bo != 0; {
		b := m.branch(bo)
		next := b.next
		if m.cancelBranch(p, o, t, bo, b, extra) {
			n++
		}
		bo = next
	}
	return n
}

func (m *mod) cancelBranch(p *route.Proc, o shm.Off, t *cell, bo shm.Off, b *branch, extra []byte) bool {
	fake, pending := false, true
	m.a.Lock(&t.mu)
	switch {
	case b.status >= 200 || b.flags&(brUnsent|brDropped) != 0:
		pending = false
	case b.flags&brCancelSent != 0:
	case b.status >= 100 || m.par.cancelMethod == 2:
		m.sendCancel(o, t, bo, b, extra)
	case m.par.cancelMethod == 0:
		b.flags |= brCanceling
		fake = true
	default:
		b.flags |= brCanceling
		m.keepExtra(b, extra)
	}
	m.a.Unlock(&t.mu)
	if fake {
		m.fakeReply(p, o, t, bo, b, 487)
	}
	return pending
}

// cancelFor cancels the other branches when a final reply has ended the forking; the CANCEL says why (RFC 3326): with a text when a 2xx ended it
// and the branch rings already, as Kamailio does.
func (m *mod) cancelFor(p *route.Proc, o shm.Off, t *cell, code uint16) {
	m.reason = append(m.reason[:0], "Reason: SIP;cause="...)
	m.reason = strconv.AppendUint(m.reason, uint64(code), 10)
	bare := len(m.reason)
	for bo := t.first; bo != 0 && t.flags&flagInvite != 0; {
		b := m.branch(bo)
		line := append(m.reason[:bare], "\r\n"...)
		if code < 300 && b.status >= 100 {
			line = append(m.reason[:bare], ";text=\"Call completed elsewhere\"\r\n"...)
		}
		m.reason = line
		if code >= 600 && b.status < 100 && m.par.cancelMethod == 1 {
			line = nil // its CANCEL comes with its first provisional reply, and says nothing then
		}
		if m.par.localCancelReason == 0 {
			line = nil
		}
		m.cancelBranch(p, o, t, bo, b, line)
		bo = b.next
	}
}

// keepExtra remembers the lines of a CANCEL that is sent later. mu is held.
func (m *mod) keepExtra(b *branch, extra []byte) {
	if len(extra) > 0 && b.cancel == 0 {
		m.store(&b.cancel, &b.cancelLen, extra, m.tagBranch)
	}
}

// sendCancel builds, keeps and sends a branch's CANCEL and starts its repetition. mu is held.
func (m *mod) sendCancel(o shm.Off, t *cell, bo shm.Off, b *branch, extra []byte) {
	if b.flags&brCancelSent != 0 {
		return
	}
	if extra == nil && b.cancel != 0 {
		extra = append(m.scratch[:0], m.a.Bytes(b.cancel)[:b.cancelLen]...)
		m.scratch = extra
	}
	out := &m.parsed
	if out.Parse(m.buffer(bo, b)) != sipparse.OK {
		return
	}
	buf := edit.AppendLocalCANCEL(m.h.Host.Buffer(), out, nil, extra)
	out.Buf = nil
	if !m.store(&b.cancel, &b.cancelLen, buf, m.tagBranch) {
		m.h.Logf(log.Err, "tm", "shared memory exhausted: CANCEL is sent once only")
	}
	b.flags |= brCanceling | brCancelSent
	d := b.to.get(m.h.Net)
	if err := m.h.Host.Send(d, buf); err != nil {
		m.h.Logf(log.Err, "tm", "CANCEL to %s: %v", d.Addr, err)
	}
	now := m.h.Host.Ticks()
	b.cancelRetr = t.retr1
	b.cancelUntil = now + ticks(t.fr)
	next := b.cancelUntil
	if b.flags&brStream == 0 {
		next = now + ticks(b.cancelRetr)
	}
	m.arm(o, t, bo+shm.Off(cancelOff), next, kindCancel)
	// the request itself is not repeated any more; a branch that never answers the CANCEL ends with fr_timer
	b.fr = min(b.fr, b.cancelUntil)
	b.nextRetr = b.fr
	m.arm(o, t, bo+shm.Off(branchOff), b.fr, kindBranch)
}

// sendAck acknowledges a negative final reply on a branch (RFC 3261 17.1.1.3); msg is the reply.
func (m *mod) sendAck(bo shm.Off, b *branch, msg *sipparse.Msg) {
	h := msg.First(sipparse.HdrTo)
	if h == nil {
		return
	}
	out := &m.parsed
	if out.Parse(m.buffer(bo, b)) != sipparse.OK {
		return
	}
	to := bytes.TrimRight(msg.Buf[h.Off:h.End], "\r\n")
	if i := bytes.IndexByte(to, ':'); i >= 0 {
		to = bytes.TrimLeft(to[i+1:], " \t")
	}
	buf := edit.AppendLocalACK(m.h.Host.Buffer(), out, to)
	out.Buf = nil
	d := b.to.get(m.h.Net)
	if err := m.h.Host.Send(d, buf); err != nil {
		m.h.Logf(log.Err, "tm", "ACK to %s: %v", d.Addr, err)
	}
}
