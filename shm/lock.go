package shm

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Mutex is a futex lock in shared memory with its owner's slot. The zero value is unlocked. It is not recursive.
// It must lie in the arena that locks it. Lock order is by class (see doc.go) and is checked in builds with the tag shmdebug.
type Mutex struct {
	word  uint32 // owner's slot+1 (0: free), lockWaiters, lockDead: one word, so that owner and state change at once
	entry uint16 // place in the owner's list of held locks; the owner's
	class uint16
}

const (
	lockOwner   = 1<<16 - 1
	lockWaiters = 1 << 30 // somebody may be asleep on the word
	lockDead    = 1 << 31 // free, but the last owner died holding it
)

// Class orders locks: a lock is taken only while all that the goroutine holds are of a lower class, or of the same class at a lower offset.
// 0 is not checked.
type Class uint16

const (
	ClassBucket   Class = 100 // of a Table, unless Table.SetClass says otherwise
	ClassRegistry Class = 60000
	ClassSwap     Class = 60500
	ClassWheel    Class = 61000
	ClassRing     Class = 62000
	ClassHeap     Class = 65000
)

// SetClass sets m's class, once, before m is used.
func (m *Mutex) SetClass(c Class) { m.class = uint16(c) }

// Held says whether somebody holds m at the moment.
func (m *Mutex) Held() bool { return atomic.LoadUint32(&m.word)&lockOwner != 0 }

// Lock takes m. It reports true when the previous owner died holding it (set by Arena.ReleaseLocksOf): the caller then
// repairs what m guards. A process holds at most 31 locks at once.
func (a *Arena) Lock(m *Mutex) (repair bool) {
	a.order.before(a, m)
	e := a.list(m)
	if !atomic.CompareAndSwapUint32(&m.word, 0, a.me) {
		e, repair = a.lockSlow(m, e)
	}
	m.entry = uint16(e)
	return repair
}

// TryLock takes m when it is free; repair is as in Lock.
func (a *Arena) TryLock(m *Mutex) (ok, repair bool) {
	e := a.list(m)
	if ok, repair = a.acquire(m, 0); !ok {
		a.self.held[e] = 0
		return false, false
	}
	m.entry = uint16(e)
	a.order.took(a, m)
	return true, repair
}

// Unlock gives m back. It panics when this process does not hold it.
func (a *Arena) Unlock(m *Mutex) {
	a.order.after(a, m)
	e := m.entry
	w := atomic.SwapUint32(&m.word, 0)
	if w != a.me {
		a.unlockSlow(m, w)
	}
	a.self.held[e] = 0
}

func (a *Arena) unlockSlow(m *Mutex, w uint32) {
	if w&lockOwner != a.me {
		panic(fmt.Sprintf("shm: slot %d unlocks a lock that it does not hold (word %#x)", a.slot, w))
	}
	futexWake(&m.word, 1)
}

// list notes m among the locks that the process holds, before it is taken: when the process dies, ReleaseLocksOf looks at all that is listed
// and releases what is also owned.
func (a *Arena) list(m *Mutex) int {
	o := uint64(uintptr(unsafe.Pointer(m)) - uintptr(a.base))
	if o >= a.size {
		panic(fmt.Sprintf("shm: lock at %p lies outside the arena", m))
	}
	for {
		for i := range a.self.held {
			if a.self.held[i] == 0 && atomic.CompareAndSwapUint64(&a.self.held[i], 0, o) {
				return i
			}
		}
		runtime.Gosched() // more than 31 at once: other goroutines must give some back
	}
}

// acquire takes m when it is free. more is lockWaiters when the caller slept: others may still sleep, and its Unlock must wake them.
func (a *Arena) acquire(m *Mutex, more uint32) (ok, repair bool) {
	for {
		w := atomic.LoadUint32(&m.word)
		if w&lockOwner != 0 {
			return false, false
		}
		if atomic.CompareAndSwapUint32(&m.word, w, a.me|more|w&lockWaiters) {
			return true, w&lockDead != 0
		}
	}
}

// lockSlow waits for m. While it sleeps, m is not listed: what is listed by sleepers would be missing for those who hold.
func (a *Arena) lockSlow(m *Mutex, e int) (entry int, repair bool) {
	more := uint32(0)
	for {
		ok, repair := a.acquire(m, more)
		if ok {
			return e, repair
		}
		a.self.held[e] = 0
		more |= a.await(m)
		e = a.list(m)
	}
}

// await returns when m may be free, having slept (lockWaiters) or not (0).
func (a *Arena) await(m *Mutex) uint32 {
	for i := range 4 {
		for range 64 {
			if atomic.LoadUint32(&m.word)&lockOwner == 0 {
				return 0
			}
		}
		if i >= 2 {
			runtime.Gosched() // the owner may be a goroutine of this process
		}
	}
	w := atomic.LoadUint32(&m.word)
	if w&lockOwner == 0 {
		return 0
	}
	if w&lockWaiters == 0 && !atomic.CompareAndSwapUint32(&m.word, w, w|lockWaiters) {
		return 0
	}
	futexWait(&m.word, w|lockWaiters)
	return lockWaiters
}

// lockUnlisted is Lock for the locks that ReleaseLocksOf knows by name.
func (a *Arena) lockUnlisted(m *Mutex) (repair bool) {
	a.order.before(a, m)
	if atomic.CompareAndSwapUint32(&m.word, 0, a.me) {
		return false
	}
	more := uint32(0)
	for {
		ok, repair := a.acquire(m, more)
		if ok {
			return repair
		}
		more |= a.await(m)
	}
}

func (a *Arena) unlockUnlisted(m *Mutex) {
	a.order.after(a, m)
	if w := atomic.SwapUint32(&m.word, 0); w != a.me {
		a.unlockSlow(m, w)
	}
}

// ReleaseLocksOf releases every lock that the dead process in slot held and marks each for repair; main calls it after
// it reaped the child, and before the slot gets a new one. It repairs the allocator's own state when the process died inside it, and frees what
// the process was building or the last to read of swap tables.
// Returns how many it released.
func (a *Arena) ReleaseLocksOf(slot int) int {
	if slot < 0 || slot >= int(a.h.nslots) || slot == a.slot {
		panic(fmt.Sprintf("shm: release locks of slot %d from slot %d", slot, a.slot))
	}
	n := 0
	if a.bury(&a.h.heap.lock, slot) {
		n++
		a.lockHeap() // repairs
		a.unlockHeap()
	}
	ps := a.procSlot(slot)
	for i := range ps.held {
		o := atomic.LoadUint64(&ps.held[i])
		if o != 0 && o <= a.size-uint64(unsafe.Sizeof(Mutex{})) && a.bury((*Mutex)(unsafe.Add(a.base, o)), slot) {
			n++
		}
		atomic.StoreUint64(&ps.held[i], 0)
	}
	a.releaseSwapsOf(slot)
	return n
}

// bury takes m from its dead owner, if that was slot.
func (a *Arena) bury(m *Mutex, slot int) bool {
	for {
		w := atomic.LoadUint32(&m.word)
		if w&lockOwner != uint32(slot)+1 {
			return false
		}
		if atomic.CompareAndSwapUint32(&m.word, w, lockDead) {
			if w&lockWaiters != 0 {
				futexWake(&m.word, 1)
			}
			return true
		}
	}
}
