package tm

import (
	"kahea/shm"
)

// The handlers of tm's timers run on the loop of the process on whose wheel they stood. A timer's reference to its cell is dropped at the end.

// onCellTimer repeats a negative final reply, or ends the transaction.
func (m *mod) onCellTimer(at shm.Off) {
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
		m.h.Counts.Add(m.stats.waiting, -1)
		m.unlink(o, t)
		m.unref(o, t)
		return
	case now >= t.uasUntil:
		m.putOnWait(o, t) // no ACK came
	default:
		m.sendUp(t)
		t.uasRetr = min(t.uasRetr*2, t.retr2)
		m.arm(o, t, at, min(t.uasUntil, now+ticks(t.uasRetr)), kindCell)
	}
	m.a.Unlock(&t.mu)
	m.unref(o, t)
}

// onBranchTimer repeats a request, or ends its branch with 408.
func (m *mod) onBranchTimer(at shm.Off) {
	bo := at - shm.Off(branchOff)
	b := m.branch(bo)
	o := b.cell
	t := m.cell(o)
	now := m.h.Host.Ticks()
	m.a.Lock(&t.mu)
	if b.status >= 200 {
		m.a.Unlock(&t.mu)
		m.unref(o, t)
		return
	}
	if now >= b.fr {
		ringing := t.flags&flagInvite != 0 && b.status >= 100 && b.flags&brCancelSent == 0
		canceled := b.flags&brCancelSent != 0 || t.flags&flagCanceled != 0
		b.flags |= brTimeout
		m.a.Unlock(&t.mu)
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
		m.unref(o, t)
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
	m.unref(o, t)
}

// onCancelTimer repeats a CANCEL until it is answered or fr_timer has run out.
func (m *mod) onCancelTimer(at shm.Off) {
	bo := at - shm.Off(cancelOff)
	b := m.branch(bo)
	o := b.cell
	t := m.cell(o)
	now := m.h.Host.Ticks()
	m.a.Lock(&t.mu)
	if now < b.cancelUntil && b.cancel != 0 {
		d := b.to.get(m.h.Net)
		if err := m.h.Host.Send(d, m.a.Bytes(b.cancel)[:b.cancelLen]); err != nil {
			m.h.Logf(0, "tm", "CANCEL to %s: %v", d.Addr, err)
		}
		b.cancelRetr = min(b.cancelRetr*2, t.retr2)
		m.arm(o, t, at, min(b.cancelUntil, now+ticks(b.cancelRetr)), kindCancel)
	}
	m.a.Unlock(&t.mu)
	m.unref(o, t)
}
