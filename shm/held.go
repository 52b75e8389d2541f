package shm

import "sync/atomic"

// HoldsLocks says whether a goroutine of this process holds a lock of the arena, or is taking one. Who has panicked must not go on then: what the lock guards is half
// done, and nobody would give it back; a dead process's locks are released and what they guard is repaired.
func (a *Arena) HoldsLocks() bool {
	for i := range a.self.held {
		if atomic.LoadUint64(&a.self.held[i]) != 0 {
			return true
		}
	}
	return false
}
