package shm

import (
	"strings"
	"sync"
	"testing"
)

func newLock(t testing.TB, a *Arena) *Mutex {
	r, err := New[Mutex](a, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r.Get(a)
}

func TestLockGoroutines(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	m, other := newLock(t, a), newLock(t, a)
	var wg sync.WaitGroup
	// In the arena, where the race detector does not look: it does not know these locks.
	n := must(New[[2]int](a, 0)).Get(a)
	for range 50 { // more than a process can hold at once
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 500 {
				a.Lock(m)
				n[0]++
				a.Lock(other)
				n[1]++
				a.Unlock(other)
				a.Unlock(m)
			}
		}()
	}
	wg.Wait()
	if n[0] != 25000 || n[1] != 25000 {
		t.Errorf("counted to %d, want 25000 twice", *n)
	}
	if a.self.held != [maxHeld]uint64{} {
		t.Errorf("locks are listed while none is held: %v", a.self.held)
	}
	if m.Held() || m.word != 0 {
		t.Errorf("word is %#x while nobody holds the lock", m.word)
	}
}

func TestTryLock(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	m := newLock(t, a)
	if ok, repair := a.TryLock(m); !ok || repair {
		t.Errorf("free lock: %v, repair %v", ok, repair)
	}
	if ok, _ := a.TryLock(m); ok {
		t.Error("held lock was taken")
	}
	a.Unlock(m)
	if a.self.held != [maxHeld]uint64{} {
		t.Errorf("locks are listed while none is held: %v", a.self.held)
	}
}

func TestUnlockOfAnothers(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	m := newLock(t, a)
	if text := panics(t, func() { a.Unlock(m) }); !strings.Contains(text, "does not hold") {
		t.Errorf("panics with %q", text)
	}
	var outside Mutex
	if text := panics(t, func() { a.Lock(&outside) }); !strings.Contains(text, "outside") {
		t.Errorf("panics with %q", text)
	}
}

// TestLockDeathWindows sets up what a process may leave behind at each step of Lock and Unlock.
func TestLockDeathWindows(t *testing.T) {
	const dead = 5
	for _, c := range []struct {
		name     string
		word     uint32
		listed   bool
		released int
		after    uint32
	}{
		{"listed, not yet taken", 0, true, 0, 0},
		{"listed, another took it", 9, true, 0, 9},
		{"listed and taken", dead + 1, true, 1, lockDead},
		{"taken, others asleep", lockWaiters | dead + 1, true, 1, lockDead},
		{"given back, still listed", 0, true, 0, 0},
		{"listed, marked before", lockDead, true, 0, lockDead},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newTest(t, 1<<20, TLSF)
			m := newLock(t, a)
			b := must(Attach(must(dup(a.FD())), dead))
			m.word = c.word
			if c.listed {
				b.self.held[17] = uint64(a.OffOf(ptr(m)))
			}
			if n := a.ReleaseLocksOf(dead); n != c.released || m.word != c.after {
				t.Errorf("%d released, word %#x; want %d, %#x", n, m.word, c.released, c.after)
			}
			if b.self.held != [maxHeld]uint64{} {
				t.Error("the dead one's list is not empty")
			}
			b.Close()
		})
	}
}

func TestRepairIsToldOnce(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	m := newLock(t, a)
	for i := range 2 { // the second is a new process in the slot; it dies in the repair
		b := must(Attach(must(dup(a.FD())), 1))
		defer b.Close()
		if b.Lock(Ref[Mutex]{a.OffOf(ptr(m))}.Get(b)) != (i > 0) {
			t.Errorf("owner %d: told to repair: %v", i, i == 0)
		}
		a.ReleaseLocksOf(1)
	}
	if !a.Lock(m) {
		t.Error("owner after one that died in its repair was not told")
	}
	a.Unlock(m)
	if a.Lock(m) {
		t.Error("told again after the repair")
	}
	a.Unlock(m)
}
