package tm

import (
	"sync/atomic"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
)

// A script that works on a transaction leaves its process's mark on it (worker is slot + 1): the request's script from the transaction's birth to the
// script's end, a failure route while it runs, a reply while it is worked on, waiting included. When the process dies, the mark stays, and the successor in the
// slot ends what nobody would end any more: the request is answered 500, a reply that was being looked at counts as 500 of its branch.

// worker is this process's mark.
func (m *mod) worker() uint32 { return uint32(m.h.Slot) + 1 }

// orphan is a transaction that the predecessor's scripts worked on. It comes with the references that they held.
type orphan struct {
	cell shm.Off
	refs int  // of the dead scripts
	end  bool // with 500, the whole transaction
}

// adopt finds what the dead predecessor's scripts worked on, takes the marks off, and has the loop end it. It runs before the first message of this process.
func (m *mod) adopt() {
	if m.sum(m.stats.created) == m.sum(m.stats.freed) {
		return // as at the first start
	}
	var list []orphan
	for i := range tableSize {
		m.table.Lock(m.a, i)
		for o := m.table.First(m.a, i); o != 0; o = m.table.Next(m.a, o) {
			if x := m.orphaned(o); x.refs > 0 {
				list = append(list, x)
			}
		}
		m.table.Unlock(m.a, i)
	}
	if len(list) == 0 {
		return
	}
	m.h.Counts.Add(m.stats.orphans, int64(len(list)))
	m.h.Logf(log.Warn, "tm", "%d transactions were in the hands of a process that died", len(list))
	m.h.Loop(func() {
		for _, x := range list {
			m.endOrphan(x)
		}
	})
}

// orphaned takes this process's marks off a cell.
func (m *mod) orphaned(o shm.Off) (x orphan) {
	t := m.cell(o)
	x.cell = o
	me := m.worker()
	m.a.Lock(&t.mu)
	defer m.a.Unlock(&t.mu)
	if t.script == me {
		t.script = 0
		x.refs++
		x.end = t.flags&(flagRelayed|flagSuspended) == 0 // what was sent on, or is suspended, goes by its timers
	}
	if t.failing == me {
		t.failing = 0
		t.flags &^= flagFailure
		if t.faker != me {
			x.refs++
		}
		x.end = true
	}
	fakes := t.faker == me
	if fakes {
		x.refs += int(t.fakes)
		t.faker, t.fakes = 0, 0
		x.end = x.end || m.forgotten(t) // its answer was being made
	}
	for bo := t.first; bo != 0; bo = m.branch(bo).next {
		b := m.branch(bo)
		if b.replier == me {
			b.replier = 0
			x.refs += int(b.replies)
			b.replies = 0
			x.end = x.end || m.forgotten(t)
		}
		if b.failing == me {
			b.failing = 0
			if !fakes {
				x.refs++
			}
			x.end = x.end || m.forgotten(t)
		}
	}
	return x
}

// endOrphan ends a transaction, or the branches of it whose final reply got lost, and drops the dead scripts' references.
func (m *mod) endOrphan(x orphan) {
	t := m.cell(x.cell)
	if x.end && t.flags&(flagDone|flagWait) == 0 {
		m.localFinal(m.h.Proc, x.cell, t, 500, "")
	}
	for bo := t.first; bo != 0; {
		b := m.branch(bo)
		next := b.next
		// its timer was stopped when the final reply came
		if b.status < 200 && b.flags&(brUnsent|brDropped) == 0 && b.timer.Idle() {
			m.fakeReply(m.h.Proc, x.cell, t, bo, b, 500)
		}
		bo = next
	}
	for range x.refs {
		m.unref(x.cell, t)
	}
}

// faking marks a cell whose stored request something begins to run on; false: another process does, whose mark stays.
func (m *mod) faking(t *cell) bool {
	if me := m.worker(); atomic.LoadUint32(&t.faker) != me && !atomic.CompareAndSwapUint32(&t.faker, 0, me) {
		return false
	}
	t.fakes++ // whose mark it is, his it is
	return true
}

// faked takes back what faking has marked.
func (m *mod) faked(t *cell) {
	if t.fakes--; t.fakes == 0 {
		atomic.StoreUint32(&t.faker, 0)
	}
}

// replying marks a branch a reply of which is being worked on; false: another process works on one, whose mark stays. mu is held.
func (m *mod) replying(b *branch) bool {
	if b.replier != 0 && b.replier != m.worker() {
		return false
	}
	b.replier = m.worker()
	b.replies++
	return true
}

// replied takes back what replying has marked. When the work has not ended, in a panic, the loop ends what is left; if this process holds a lock it dies, and its
// successor does that.
func (m *mod) replied(o shm.Off, t *cell, b *branch, marked, ended bool) {
	if !ended && m.a.HoldsLocks() {
		return
	}
	if marked {
		m.a.Lock(&t.mu)
		if b.replies--; b.replies == 0 {
			b.replier = 0
		}
		m.a.Unlock(&t.mu)
	}
	if !ended {
		m.addRef(t)
		m.h.Loop(func() { m.endOrphan(orphan{cell: o, refs: 1, end: m.forgotten(t)}) })
	}
}

// forgotten says that all branches have ended and nobody is about to send the final reply.
func (m *mod) forgotten(t *cell) bool {
	return t.n > 0 && t.flags&(flagDone|flagWait) == 0 && t.failing == 0 && !m.pending(t)
}

// suspending drops the reference of a request that only found its transaction (an ACK, a retransmission): there is no mark of it, as any number of processes
// may have found the same one. woken looks it up again; it may be gone then.
func (m *mod) suspending(c *route.Ctx) {
	if c.TransState != stateFound {
		return
	}
	o := c.Trans
	c.Trans, c.TransState, c.Ext[extFound] = 0, stateUnknown, 1
	m.unref(o, m.cell(o))
}

func (m *mod) woken(c *route.Ctx) {
	if c.Ext[extFound] != 0 {
		c.Ext[extFound] = 0
		m.lookup(c)
	}
}

// absorbed answers the retransmission of a request whose script waits with the last reply, if there is one.
func (m *mod) absorbed(c *route.Ctx) {
	if c.TransState == stateNew {
		m.retransmit(m.cell(c.Trans))
	}
}

// unavailable answers a request whose script can not wait any more through its transaction, if it has one.
func (m *mod) unavailable(c *route.Ctx, reason []byte) bool {
	switch {
	case c.TransState == stateNew || c.TransState == stateFound && c.Kind&(route.InFailure|route.InBranchFailure) != 0:
		m.replyLocal(c, c.Trans, m.cell(c.Trans), 503, reason)
		return true
	case c.TransState == stateFound:
		m.retransmit(m.cell(c.Trans))
		return true
	}
	return false
}
