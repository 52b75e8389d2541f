package shm

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// swapAbandoned stands for a builder that died.
const swapAbandoned = 1<<32 - 1

// lockSwap takes the table's lock and repairs what a dead owner left half done: commitSwap and freeing.
func (a *Arena) lockSwap(h *swapHead) {
	if a.Lock(&h.lock) {
		repairSwap(h)
	}
}

func repairSwap(h *swapHead) {
	if h.retired == h.cur { // died before the store that makes it so
		h.retired = 0
	}
	if h.building == h.cur && h.cur != 0 { // died after it
		h.building, h.builder = 0, 0
	}
}

// heapLock takes the allocator's lock, or gives up.
type heapLock func() bool

func (a *Arena) heapAlways() bool { a.lockHeap(); return true }

// heapSoon gives up after some 200 ms. Main frees with it after a death: if another process that died holds the allocator's lock, only main can release it.
func (a *Arena) heapSoon() bool {
	m := &a.h.heap.lock
	more := uint32(0)
	for range 20 {
		if ok, repair := a.acquire(m, more); ok {
			a.order.took(a, m)
			if repair {
				a.rebuild()
			}
			return true
		}
		more |= a.await(m)
	}
	return false
}

// dropBuilding frees what was built and not committed; the table's lock is held.
func (a *Arena) dropBuilding(h *swapHead, lock heapLock) {
	if h.building == 0 || a.freeGeneration(&h.building, lock) {
		h.builder = 0
	}
}

// reap frees the retired generation when nobody reads it; the table's lock is held.
func (a *Arena) reap(h *swapHead, lock heapLock) {
	if h.retired != 0 && !a.pinned(h.retired) {
		a.freeGeneration(&h.retired, lock)
	}
}

// drainSwap waits until the retired generation could be freed, at most for the patience of a reload; false when it is still read.
func (a *Arena) drainSwap(h *swapHead) bool {
	for end, nap := time.Now().Add(a.patience), 20*time.Microsecond; ; nap = min(2*nap, 5*time.Millisecond) {
		a.lockSwap(h)
		a.reap(h, a.heapAlways)
		gone := h.retired == 0
		a.Unlock(&h.lock)
		if gone || time.Now().After(end) {
			return gone
		}
		time.Sleep(nap)
	}
}

// freeGeneration frees the generation at *at and makes *at 0. It may be cut short anywhere, by a death or because lock gave up (false), and goes on from there
// the next time. The table's lock is held.
func (a *Arena) freeGeneration(at *Off, lock heapLock) bool {
	g := a.generation(*at)
	for c := g.chunks; c != 0 && g.fresh != 0; c = a.chunk(c).next {
		if c == g.fresh {
			g.fresh = 0 // it is in the chain
		}
	}
	for {
		if g.fresh == 0 {
			if g.chunks == 0 {
				break
			}
			g.fresh = g.chunks
			g.chunks = a.chunk(g.fresh).next
		}
		if !lock() {
			return false
		}
		a.freeLocked(g.fresh, &g.fresh)
		a.unlockHeap()
	}
	if !lock() {
		return false
	}
	a.freeLocked(*at, at)
	a.unlockHeap()
	return true
}

// Sweep frees what reloads have left: generations that readers held too long, and what processes died over. It is for a process other than main to call now and then.
func (a *Arena) Sweep() {
	a.eachSwap(func(h *swapHead) {
		a.lockSwap(h)
		if h.builder == swapAbandoned {
			a.dropBuilding(h, a.heapAlways)
		}
		a.reap(h, a.heapAlways)
		a.Unlock(&h.lock)
	})
}

// releaseSwapsOf does that for main after the death of the process in slot. It waits for no lock that a dead process may hold: what it has to leave is for the
// burial of that process, the next Reload, or Sweep.
func (a *Arena) releaseSwapsOf(slot int) {
	a.unpinAll(slot)
	a.eachSwap(func(h *swapHead) {
		atomic.CompareAndSwapUint32(&h.builder, uint32(slot)+1, swapAbandoned)
		ok, repair := a.TryLock(&h.lock)
		if !ok {
			return
		}
		if repair {
			repairSwap(h)
		}
		if h.builder == swapAbandoned {
			a.dropBuilding(h, a.heapSoon)
		}
		a.reap(h, a.heapSoon)
		a.Unlock(&h.lock)
	})
}

// eachSwap needs no lock: the chain only grows, at its head.
func (a *Arena) eachSwap(f func(h *swapHead)) {
	for o := Off(atomic.LoadUint64((*uint64)(&a.h.swaps))); o != 0; {
		h := (*swapHead)(a.at(o, unsafe.Sizeof(swapHead{})))
		f(h)
		o = h.next
	}
}
