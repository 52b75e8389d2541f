package shm

import (
	"runtime"
	"sync/atomic"
)

// pin notes that this process reads the generation at *cur, and which of its pins says so; 0 when there is none. A generation that any slot has pinned is not
// freed. The pin is set before *cur is looked at again, and a reload changes *cur before it looks at the pins: one of the two sees the other.
func (a *Arena) pin(cur *Off) (g Off, i int) {
	word := (*uint64)(cur)
	now := atomic.LoadUint64(word)
	if now == 0 {
		return 0, 0
	}
	for !a.takePin(&i, now) {
		runtime.Gosched() // more than maxPins at once: other goroutines must leave
	}
	for {
		again := atomic.LoadUint64(word)
		if again == now {
			return Off(now), i
		}
		now = again
		atomic.StoreUint64(&a.self.pins[i], now)
	}
}

func (a *Arena) takePin(at *int, g uint64) bool {
	for i := range a.self.pins {
		if p := &a.self.pins[i]; atomic.LoadUint64(p) == 0 && atomic.CompareAndSwapUint64(p, 0, g) {
			*at = i
			return true
		}
	}
	return false
}

func (a *Arena) unpin(i int) { atomic.StoreUint64(&a.self.pins[i], 0) }

// pinned says whether any process reads the generation g, which is *cur no more.
func (a *Arena) pinned(g Off) bool {
	for s := range int(atomic.LoadUint32(&a.h.slots)) {
		for i := range a.procSlot(s).pins {
			if atomic.LoadUint64(&a.procSlot(s).pins[i]) == uint64(g) {
				return true
			}
		}
	}
	return false
}

// unpinAll drops what a dead process had pinned.
func (a *Arena) unpinAll(slot int) {
	for i := range a.procSlot(slot).pins {
		atomic.StoreUint64(&a.procSlot(slot).pins[i], 0)
	}
}
