package tm

import (
	"bytes"
	"errors"

	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// A transaction that is suspended (t_suspend of tmx) has no branch yet and waits for Continue, which any process may call: it lies in shared memory with the state
// that the script had, flagSuspended set, and its cell's timer runs for fr_timer. Whoever takes the flag off, under mu, owns what comes next: the continued route, the
// timer, or the CANCEL.

var (
	errNotSuspended = errors.New("the transaction is not there or not suspended")
	errStarted      = errors.New("the transaction has been relayed or answered")
)

// Suspend keeps the transaction of a request, which is made if there is none, until Continue or fr_timer. The caller's script goes on; what it does to the message from
// now on is its own. 0: the request is a retransmission, which is answered and ends the script.
func (m *mod) Suspend(c *route.Ctx) (rc int, err error) {
	if t := m.lookup(c); t != nil && c.TransState == stateFound && c.Kind&route.InRequest != 0 {
		m.retransmit(t)
		return 0, nil
	}
	t, err := m.ensure(c)
	switch {
	case err != nil:
		return -1, err
	case t == nil:
		return 0, nil
	case c.Msg.Line.IsReply || t.flags&flagLocal != 0:
		return -1, errNoTransaction
	case t.flags&(flagRelayed|flagDone|flagWait) != 0 && m.pending(t), t.flags&(flagDone|flagWait) != 0:
		return -1, errStarted
	}
	if err := m.saveState(c, t); err != nil {
		return -1, err
	}
	if err := m.saveAVPs(c, t); err != nil {
		return -1, err
	}
	t.msgFlags = c.Flags
	if t.flags&flagInvite != 0 && t.flags&flagAuto100 != 0 && t.status < 100 {
		m.replyLocal(c, c.Trans, t, 100, m.auto100)
	}
	m.a.Lock(&t.mu)
	t.flags |= flagSuspended
	t.uasUntil = m.h.Host.Ticks() + ticks(t.fr)
	m.arm(c.Trans, t, c.Trans+shm.Off(timerOff), t.uasUntil, kindCell)
	m.a.Unlock(&t.mu)
	return 1, nil
}

// wakeUp takes flagSuspended off; false: somebody else has. mu is held.
func (m *mod) wakeUp(o shm.Off, t *cell) bool {
	if t.flags&flagSuspended == 0 {
		return false
	}
	t.flags &^= flagSuspended
	m.disarm(o, t, o+shm.Off(timerOff))
	return true
}

// Continue runs a route on the request of a suspended transaction, as a failure route. When it has ended, or waits, Continue returns.
func (m *mod) Continue(p *route.Proc, index, label uint32, r *route.Route) error {
	o := m.byID(index, label)
	if o == 0 {
		return errNotSuspended
	}
	t := m.cell(o)
	defer m.unref(o, t)
	m.a.Lock(&t.mu)
	ok := m.wakeUp(o, t)
	if ok {
		t.failing = m.worker()
	}
	m.a.Unlock(&t.mu)
	if !ok {
		return errNotSuspended
	}
	m.resume(p, o, t, r, 0)
	return nil
}

// resume runs r on t's request; what it leaves without branch and answer is answered, with code if that is not 0. t.failing is set.
func (m *mod) resume(p *route.Proc, o shm.Off, t *cell, r *route.Route, code int) {
	m.withRequest(p, o, t, route.InFailure, func(c *route.Ctx) {
		c.ReplyCode = code
		if r != nil {
			c.RunTop(r, route.InFailure)
		}
		t.msgFlags = c.Flags
		m.keepAVPs(c, t)
		m.a.Lock(&t.mu)
		t.failing = 0
		open := t.flags&(flagDone|flagWait|flagSuspended) != 0 || m.pending(t)
		m.a.Unlock(&t.mu)
		switch {
		case open:
		case code != 0:
			m.replyLocal(c, o, t, m.par.reply408, []byte(m.par.reply408Reason))
		default:
			code, reason := c.ErrorReply("TM")
			m.replyLocal(c, o, t, code, reason)
		}
	})
}

// overslept ends a suspension that nobody has continued within fr_timer: the failure route runs if one is armed, with 408.
func (m *mod) overslept(o shm.Off, t *cell) {
	r := m.h.Prog.ByID(t.onFailure)
	t.onFailure = 0
	m.resume(m.h.Proc, o, t, r, 408)
}

// cancelSuspended ends a suspension with 487; false: there is none.
func (m *mod) cancelSuspended(p *route.Proc, o shm.Off, t *cell) bool {
	m.a.Lock(&t.mu)
	ok := m.wakeUp(o, t)
	m.a.Unlock(&t.mu)
	if ok {
		m.localFinal(p, o, t, 487, "Request canceled")
	}
	return ok
}

// byID finds a transaction by $T(id_index) and $T(id_label); it comes with a reference. 0: there is none.
func (m *mod) byID(index, label uint32) shm.Off {
	if index >= tableSize {
		return 0
	}
	return m.search(index, func(_ shm.Off, t *cell) bool { return t.label == label })
}

// byCallID finds the transaction of a request by Call-ID and CSeq number; it comes with a reference. 0: there is none.
func (m *mod) byCallID(callID, cseq []byte) shm.Off {
	return m.search(edit.CoreHash(callID, cseq, tableSize), func(o shm.Off, t *cell) bool {
		req := m.request(o, t)
		return t.method != uint32(sipparse.CANCEL) && bytes.Equal(t.callID.in(req), callID) && bytes.Equal(t.cseq.in(req), cseq)
	})
}

func (m *mod) search(bucket uint32, is func(o shm.Off, t *cell) bool) (o shm.Off) {
	m.table.Lock(m.a, int(bucket))
	defer m.table.Unlock(m.a, int(bucket))
	for o = m.table.First(m.a, int(bucket)); o != 0; o = m.table.Next(m.a, o) {
		if t := m.cell(o); is(o, t) {
			m.addRef(t)
			return o
		}
	}
	return 0
}

// CancelCallID cancels the branches of an INVITE; set are message flags that its transaction gets before. false: there is no such transaction.
func (m *mod) CancelCallID(p *route.Proc, callID, cseq []byte, set uint32) bool {
	o := m.byCallID(callID, cseq)
	if o == 0 {
		return false
	}
	t := m.cell(o)
	defer m.unref(o, t)
	if t.flags&flagInvite == 0 {
		return false
	}
	t.msgFlags |= set
	m.a.Lock(&t.mu)
	t.flags |= flagCanceled
	m.a.Unlock(&t.mu)
	if !m.cancelSuspended(p, o, t) {
		m.cancelBranches(p, o, t, nil)
	}
	return true
}

// ReplyCallID answers the request of a transaction; false: there is none, or it has its final reply.
func (m *mod) ReplyCallID(p *route.Proc, callID, cseq []byte, code int, reason []byte) (ok bool) {
	o := m.byCallID(callID, cseq)
	if o == 0 {
		return false
	}
	t := m.cell(o)
	defer m.unref(o, t)
	text := bytes.Clone(reason)
	m.withRequest(p, o, t, route.InFailure, func(c *route.Ctx) { ok = m.replyLocal(c, o, t, code, text) > 0 })
	return ok
}

// CancelBranches cancels, while a reply is in hand, the branches of its transaction that pick says.
func (m *mod) CancelBranches(c *route.Ctx, pick func(index int) bool) bool {
	t := m.transactionOf(c)
	if t == nil || t.flags&flagInvite == 0 {
		return false
	}
	for bo := t.first; bo != 0; {
		b := m.branch(bo)
		next := b.next
		if pick(int(b.index)) {
			if status := c.Msg.Line.Status; int(b.index) == c.TransBranch && status < 200 {
				m.a.Lock(&t.mu)
				b.status = max(b.status, status) // the reply in hand is noted behind its route: a CANCEL may follow it now
				m.a.Unlock(&t.mu)
			}
			m.cancelBranch(c.P, c.Trans, t, bo, b, nil)
		}
		bo = next
	}
	return true
}

// DropTransaction ends the transaction of a request without an answer; code is what it counts as.
func (m *mod) DropTransaction(c *route.Ctx, code int) bool {
	t := m.transactionOf(c)
	if t == nil || c.Msg.Line.IsReply {
		return false
	}
	m.a.Lock(&t.mu)
	m.giveUp(c.Trans, t, uint16(code))
	m.a.Unlock(&t.mu)
	return true
}
