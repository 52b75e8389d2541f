package cfgutils

import (
	"sync/atomic"
	"time"
	"unsafe"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse/edit"
)

// A lock is a word in shared memory: 0, or the slot of the process that holds it + 1. As in Kamailio it belongs to nobody in particular: it stays with its key when the
// script ends or waits, and any script may give it back. It is no shm.Mutex, which belongs to a process and must not be held while a script waits.
//
// Who finds it taken waits as in sleep, and looks again, at first after 100 microseconds, then less and less often. So the locks are not fair.

const (
	firstLook = 100 * time.Microsecond
	lastLook  = 10 * time.Millisecond
)

func (m *mod) openLocks() {
	if m.root.Locks != 0 {
		b := m.h.Arena.Bytes(m.root.Locks)
		m.locks = unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), 1<<m.root.Bits)
	}
}

func (m *mod) holder() uint64 { return uint64(m.h.Slot) + 1 }

// releaseLocks gives back what the dead predecessor in this slot held.
func (m *mod) releaseLocks() {
	for i := range m.locks {
		if atomic.CompareAndSwapUint64(&m.locks[i], m.holder(), 0) {
			m.h.Logf(log.Warn, "cfgutils", "lock %d was held by a process that died", i)
		}
	}
}

// word is the lock of the key that the argument is; upper and lower case are the same. nil: there is none, which is logged.
func (m *mod) word(c *route.Ctx, a *route.Args, name string) *uint64 {
	key, ok := a.Str(c, 0)
	if !ok {
		c.Logf(log.Err, "cfgutils", "%s: the key can not be evaluated", name)
		return nil
	}
	if len(m.locks) == 0 {
		c.Logf(log.Err, "cfgutils", "%s: there are no locks, see parameter lock_set_size", name)
		return nil
	}
	folded := c.Scratch.Copy(key)
	if folded == nil {
		c.Logf(log.Err, "cfgutils", "%s: %v", name, route.ErrNoMemory)
		return nil
	}
	for i := range folded {
		folded[i] |= 0x20
	}
	return &m.locks[edit.CoreHash(folded, nil, uint32(len(m.locks)))]
}

func (m *mod) lock(c *route.Ctx, a *route.Args) int {
	w := m.word(c, a, "lock")
	if w == nil {
		return -1
	}
	for look := firstLook; ; look = min(2*look, lastLook) {
		held := atomic.LoadUint64(w)
		if held != 0 && look == lastLook && !m.lives(held) {
			atomic.CompareAndSwapUint64(w, held, 0)
		}
		if atomic.CompareAndSwapUint64(w, 0, m.holder()) {
			return 1
		}
		if !c.Sleep(look) {
			return 0
		}
	}
}

// lives says whether there is a process in the slot that holds a lock: a reload may have taken it away for good.
func (m *mod) lives(held uint64) bool {
	for _, p := range m.h.Procs() {
		if uint64(p.Index)+1 == held {
			return true
		}
	}
	return false
}

func (m *mod) tryLock(c *route.Ctx, a *route.Args) int {
	w := m.word(c, a, "trylock")
	return truth(w != nil && atomic.CompareAndSwapUint64(w, 0, m.holder()))
}

func (m *mod) unlock(c *route.Ctx, a *route.Args) int {
	w := m.word(c, a, "unlock")
	if w == nil {
		return -1
	}
	atomic.StoreUint64(w, 0)
	return 1
}
