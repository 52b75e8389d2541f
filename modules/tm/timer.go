package tm

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
)

// The handlers of tm's timers run on the loop of the process on whose wheel they stood. A timer's reference to its cell is dropped at the end, behind fired. After a
// death in a handler the successor runs it again: a timer that is armed by then has had its turn, and what the dead one had not finished is ended (finish).

// fired ends a handler: its work is done, and the timer's reference goes.
func (m *mod) fired(o shm.Off, t *cell) {
	m.h.Wheel.Fired(m.a)
	m.unref(o, t)
}

// onCellTimer repeats a negative final reply, or ends the transaction.
func (m *mod) onCellTimer(at shm.Off, _ bool) {
	o := at - shm.Off(timerOff)
	t := m.cell(o)
	now := m.h.Host.Ticks()
	m.a.Lock(&t.mu)
	switch {
	case !t.timer.Idle():
		// armed anew while it was being fired: that one counts
	case t.flags&flagWait != 0:
		for bo := t.first; bo != 0; bo = m.branch(bo).next {
			m.disarm(o, t, bo+shm.Off(branchOff))
			m.disarm(o, t, bo+shm.Off(cancelOff))
		}
		m.a.Unlock(&t.mu)
		m.unlink(o, t)
		m.h.Wheel.Fired(m.a)
		m.h.Counts.Add(m.stats.waiting, -1)
		m.unref(o, t)
		return
	case t.flags&flagSuspended != 0:
		t.flags &^= flagSuspended
		t.failing = m.worker()
		m.a.Unlock(&t.mu)
		m.overslept(o, t)
		m.fired(o, t)
		return
	case now >= t.uasUntil:
		m.putOnWait(o, t) // no ACK came
	default:
		m.sendUp(t)
		t.uasRetr = min(t.uasRetr*2, t.retr2)
		m.arm(o, t, at, min(t.uasUntil, now+ticks(t.uasRetr)), kindCell)
	}
	m.a.Unlock(&t.mu)
	m.fired(o, t)
}

// onBranchTimer repeats a request, or ends its branch with 408.
func (m *mod) onBranchTimer(at shm.Off, again bool) {
	bo := at - shm.Off(branchOff)
	b := m.branch(bo)
	o := b.cell
	t := m.cell(o)
	now := m.h.Host.Ticks()
	m.a.Lock(&t.mu)
	if b.status >= 200 || !b.timer.Idle() {
		m.a.Unlock(&t.mu)
		if again {
			m.finish(o, t)
		}
		m.fired(o, t)
		return
	}
	if now >= b.fr {
		ringing := t.flags&flagInvite != 0 && b.status >= 100 && b.flags&brCancelSent == 0
		canceled := b.flags&brCancelSent != 0 || t.flags&flagCanceled != 0
		b.flags |= brTimeout
		if m.par.noisyCtimer == 0 && t.flags&(flagInvite|flagLocal) == flagInvite && t.n == 1 && b.status == 0 && t.onFailure == 0 && !canceled {
			b.status = 408
			b.flags |= brFaked
			m.giveUp(o, t, 408)
			m.a.Unlock(&t.mu)
			m.fired(o, t)
			return
		}
		silent := t.flags&flagInvite != 0 && b.flags&brReplied == 0 && !canceled
		m.a.Unlock(&t.mu)
		if silent { // only INVITEs count, as in Kamailio (blst_methods_add)
			m.h.Proc.Block(route.Place{Addr: b.to.addr.get(), Proto: sipparse.Proto(b.to.proto)}, route.BlockTimeout)
		}
		code := uint16(408)
		if canceled {
			code = 487
		}
		m.fakeReply(m.h.Proc, o, t, bo, b, code)
		if ringing {
			m.a.Lock(&t.mu)
			m.sendCancel(o, t, bo, b, nil)
			m.disarm(o, t, at)
			m.a.Unlock(&t.mu)
		}
		m.fired(o, t)
		return
	}
	if b.flags&brStream == 0 && now >= b.nextRetr {
		m.resend(bo, b)
		m.h.Count(m.stats.retransmissions)
		if b.flags&brT2 != 0 {
			b.retr = t.retr2
		} else {
			b.retr = min(b.retr*2, t.retr2)
		}
		b.nextRetr = now + ticks(b.retr)
	}
	next := b.fr
	if b.flags&brStream == 0 {
		next = min(next, b.nextRetr)
	}
	m.arm(o, t, at, next, kindBranch)
	m.a.Unlock(&t.mu)
	m.fired(o, t)
}

// onCancelTimer repeats a CANCEL until it is answered or fr_timer has run out.
func (m *mod) onCancelTimer(at shm.Off, _ bool) {
	bo := at - shm.Off(cancelOff)
	b := m.branch(bo)
	o := b.cell
	t := m.cell(o)
	now := m.h.Host.Ticks()
	m.a.Lock(&t.mu)
	if now < b.cancelUntil && b.cancel != 0 && b.cancelTimer.Idle() {
		d := b.to.get(m.h.Net)
		if err := m.h.Host.Send(d, m.a.Bytes(b.cancel)[:b.cancelLen]); err != nil {
			m.h.Logf(log.Err, "tm", "CANCEL to %s: %v", d.Addr, err)
		}
		b.cancelRetr = min(b.cancelRetr*2, t.retr2)
		m.arm(o, t, at, min(b.cancelUntil, now+ticks(b.cancelRetr)), kindCancel)
	}
	m.a.Unlock(&t.mu)
	m.fired(o, t)
}

// finish ends a transaction with 500 when a process died between the end of its last branch and the reply.
func (m *mod) finish(o shm.Off, t *cell) {
	m.a.Lock(&t.mu)
	lost := m.forgotten(t)
	if lost {
		t.flags &^= flagFailure
	}
	m.a.Unlock(&t.mu)
	if lost {
		m.localFinal(m.h.Proc, o, t, 500, "")
	}
}

// dropTimer ends the transaction one of whose timers' handlers has killed two processes, or has panicked: its branches count no more, and it is answered 500, which is all that
// may go wrong once more. One that only waited for its end is taken out of the table and left where it is: something in it is broken.
func (m *mod) dropTimer(o shm.Off) {
	t := m.cell(o)
	m.a.Lock(&t.mu)
	for bo := t.first; bo != 0; {
		b := m.branch(bo)
		m.disarm(o, t, bo+shm.Off(branchOff))
		m.disarm(o, t, bo+shm.Off(cancelOff))
		if b.status < 200 {
			b.status = 500
			b.flags |= brFaked | brDropped
		}
		bo = b.next
	}
	broken, answer := t.flags&flagWait != 0, t.flags&flagDone == 0
	switch {
	case broken:
		shm.Disarm(m.a, o+shm.Off(timerOff))
	case answer:
		t.flags &^= flagFailure
		t.uasUntil = m.h.Host.Ticks()
		m.arm(o, t, o+shm.Off(timerOff), t.uasUntil+ticks(uint32(m.par.wtTimer)), kindCell) // it ends, even if the answer comes to nothing
	default:
		m.putOnWait(o, t)
	}
	m.a.Unlock(&t.mu)
	if broken {
		m.addRef(t) // the table's is dropped: its memory stays
		m.unlink(o, t)
		m.h.Wheel.Fired(m.a)
		m.h.Counts.Add(m.stats.waiting, -1)
		m.h.Count(m.stats.freed)
		return
	}
	m.h.Wheel.Fired(m.a)
	if answer {
		m.localFinal(m.h.Proc, o, t, 500, "")
	}
	m.unref(o, t)
}
