package shm

import (
	"math"
	"slices"
	"sort"
	"testing"
)

type timed struct {
	n     uint64
	Timer Timer
}

func newTimers(a *Arena, n int) (offs []Off) {
	for i := range n {
		r := must(New[timed](a, 0))
		r.Get(a).n = uint64(i)
		offs = append(offs, a.OffOf(ptr(&r.Get(a).Timer)))
	}
	return offs
}

func TestWheelRandom(t *testing.T) {
	a := newTest(t, 4<<20, TLSF)
	r := random(t)
	for round := range 30 {
		now := uint64(0)
		if round%3 == 1 {
			now = r.Uint64() >> r.IntN(64)
		} else if round%3 == 2 {
			now = math.MaxUint64 - r.Uint64()>>(20+r.IntN(40))
		}
		w := must(NewWheel(a, now, 0))
		ts := newTimers(a, 100)
		armed := make(map[Off]uint64) // expiry
		span := func() uint64 { return r.Uint64() >> (20 + r.IntN(44)) }
		later := func(d uint64) uint64 { return max(now, now+d) } // no overflow
		for range 300 {
			for range r.IntN(20) {
				o := ts[r.IntN(len(ts))]
				_, was := armed[o]
				if r.IntN(3) == 0 {
					if Disarm(a, o) != was {
						t.Fatalf("disarm of a timer that was armed: %v", was)
					}
					delete(armed, o)
					continue
				}
				e := later(span())
				if r.IntN(20) == 0 {
					e = now - min(now, span())
				}
				k := Kind(e % 1000)
				if w.Arm(a, o, e, k) == was {
					t.Fatalf("arm of a timer that was armed: %v", was)
				}
				armed[o] = e
			}
			due, ok := w.NextDue(a)
			if ok != (len(armed) > 0) || w.Len(a) != len(armed) {
				t.Fatalf("due %v with %d timers, length %d", ok, len(armed), w.Len(a))
			}
			first := uint64(math.MaxUint64)
			for _, e := range armed {
				first = min(first, max(e, 0))
			}
			if ok && due > max(first, now) {
				t.Fatalf("next due is %d, a timer expires at %d, now is %d", due, first, now)
			}
			old := now
			now = later(span())
			var want, got []uint64
			for _, e := range armed {
				if e <= now {
					want = append(want, max(e, old))
				}
			}
			slices.Sort(want)
			n := w.Advance(a, now, func(o Off, k Kind, _ int) {
				e, ok := armed[o]
				if !ok || e > now || k != Kind(e%1000) || !a.timer(o).Idle() || a.timer(o).Expires() != e {
					t.Fatalf("fired kind %d, armed %v for %d, now %d", k, ok, e, now)
				}
				delete(armed, o)
				got = append(got, max(e, old))
			})
			if n != len(want) || !sort.SliceIsSorted(got, func(i, j int) bool { return got[i] < got[j] }) || !slices.Equal(got, want) {
				t.Fatalf("now %d: fired %d at %v, want %v", now, n, got, want)
			}
		}
		sound(t, a)
		for o := range armed {
			if !Disarm(a, o) {
				t.Fatal("disarm of an armed timer failed")
			}
		}
		w.Free(a)
	}
}

func TestWheelFireMayArm(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	w := must(NewWheel(a, 100, 0))
	ts := newTimers(a, 3)
	w.Arm(a, ts[0], 110, 1)
	w.Arm(a, ts[1], 120, 2)
	var fired []Kind
	n := w.Advance(a, 200, func(o Off, k Kind, _ int) {
		fired = append(fired, k)
		switch k {
		case 1:
			if a.self.held != [maxHeld]uint64{} {
				t.Error("fired with a lock held")
			}
			if Disarm(a, o) {
				t.Error("the timer that is being fired was disarmed")
			}
			if !Disarm(a, ts[1]) {
				t.Error("a due timer that is not yet fired was not disarmed")
			}
			if !w.Arm(a, o, 150, 3) {
				t.Error("the timer that is being fired is not idle")
			}
		case 3:
			w.Arm(a, o, 150, 4) // the wheel has reached that tick
		case 4:
			t.Error("a timer armed for a reached tick fired in the same Advance")
		}
	})
	if n != 2 || !slices.Equal(fired, []Kind{1, 3}) {
		t.Errorf("fired %v", fired)
	}
	if tick, ok := w.NextDue(a); !ok || tick > 200 {
		t.Errorf("next due is %d, %v", tick, ok)
	}
	fired = nil
	w.Advance(a, 200, func(o Off, k Kind, _ int) { fired = append(fired, k) })
	if !slices.Equal(fired, []Kind{4}) {
		t.Errorf("fired %v", fired)
	}
	if _, ok := w.NextDue(a); ok {
		t.Error("wheel is not empty")
	}
}

func TestWheelMove(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	w := [2]Wheel{must(NewWheel(a, 0, 0)), must(NewWheel(a, 0, 0))}
	ts := newTimers(a, 2)
	for i := range 2 {
		o := ts[i]
		if !w[i].Arm(a, o, 10, 1) || w[1-i].Arm(a, o, 20, 2) {
			t.Error("wasIdle is wrong")
		}
		if w[i].Len(a) != 0 || w[1-i].Len(a) != 1 {
			t.Errorf("lengths are %d and %d", w[i].Len(a), w[1-i].Len(a))
		}
		sound(t, a)
		if n := w[i].Advance(a, 100, func(Off, Kind, int) {}); n != 0 {
			t.Error("fired on the wheel that it left")
		}
		if n := w[1-i].Advance(a, 100, func(Off, Kind, int) {}); n != 1 {
			t.Error("did not fire on the wheel that it moved to")
		}
	}
	panics(t, func() { w[0].Arm(a, Off(a.size), 1, 1) })
	_, err := OpenWheel(a, w[0].Off()+16)
	is(t, err, ErrNotThere)
	if o, err := OpenWheel(a, w[1].Off()); o != w[1] || err != nil {
		t.Error(o, err)
	}
}

// dies calls Advance and dies in the handler when it panics: what a process's death leaves.
func dies(t *testing.T, a *Arena, w Wheel, now uint64, fire func(o Off, k Kind, deaths int)) {
	t.Helper()
	func() {
		defer func() { recover() }()
		w.Advance(a, now, fire)
	}()
	w.head(a).lock.word = lockDead
	sound(t, a)
}

// TestWheelDeath stops Advance in the middle, as a death would, and wants the handler that ran to be run again, and the rest to fire in the next.
func TestWheelDeath(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	w := must(NewWheel(a, 0, 0))
	for i, o := range newTimers(a, 200) {
		w.Arm(a, o, uint64(i*37), Kind(i))
	}
	var got []Kind
	dead := Kind(0xffff)
	for len(got) < 200 {
		before := len(got)
		dies(t, a, w, 10000, func(o Off, k Kind, deaths int) {
			if again := dead != 0xffff; again != (deaths == 1) || again && dead != k {
				t.Fatalf("kind %d fired with %d deaths; died before in %d", k, deaths, dead)
			}
			if dead = 0xffff; deaths > 0 {
				return
			}
			got = append(got, k)
			if len(got)%7 == 0 {
				dead = k
				panic("dead")
			}
		})
		if len(got) == before {
			t.Fatalf("nothing fired after %d", before)
		}
	}
	for i, k := range got {
		if int(k) != i {
			t.Fatalf("fired as number %d: %d", i, k)
		}
	}
}

// TestWheelDeaths: the deaths in one handler are counted until it returns, or has called Fired; an armed timer stays armed meanwhile.
func TestWheelDeaths(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	w := must(NewWheel(a, 0, 0))
	ts := newTimers(a, 2)
	w.Arm(a, ts[0], 1, 5)
	w.Arm(a, ts[1], 1, 6)
	var got []int
	for range 3 {
		dies(t, a, w, 1, func(o Off, k Kind, deaths int) {
			if at, kind, ok := w.Firing(a); !ok || at != o || kind != k || k != 5 {
				t.Fatalf("firing is %#x of kind %d (%v) in the handler of kind %d", at, kind, ok, k)
			}
			got = append(got, deaths)
			w.Arm(a, o, 10, 7)
			panic("dead")
		})
	}
	dies(t, a, w, 1, func(o Off, k Kind, deaths int) {
		got = append(got, deaths)
		if k == 6 {
			w.Fired(a)
			panic("dead")
		}
	})
	w.Advance(a, 20, func(o Off, k Kind, deaths int) {
		if k != 7 {
			t.Errorf("kind %d fired", k)
		}
		got = append(got, deaths)
	})
	if !slices.Equal(got, []int{0, 1, 2, 3, 0, 0}) {
		t.Errorf("deaths were %v", got)
	}
	if _, _, ok := w.Firing(a); ok {
		t.Error("a handler runs for ever")
	}
}

// TestWheelRepair dies at every step of a change by hand.
func TestWheelRepair(t *testing.T) {
	type state struct {
		w  Wheel
		h  *wheelHead
		o  Off
		tm *Timer
	}
	for _, c := range []struct {
		name string
		f    func(a *Arena, s *state)
		on   bool   // the timer is on the wheel after the repair
		at   uint64 // and fires then
	}{
		{"noted, armed before", func(a *Arena, s *state) { s.h.moving, s.h.arming = s.o, 0 }, true, 500},
		{"unlinked, not yet idle", func(a *Arena, s *state) { s.h.moving, s.h.arming = s.o, 0; s.h.unlink(a, s.tm) }, true, 500},
		{"idle, count not yet done", func(a *Arena, s *state) {
			s.h.moving, s.h.arming = s.o, 0
			s.h.unlink(a, s.tm)
			s.tm.setWheel(0)
		}, false, 0},
		{"unlinked to be armed anew", func(a *Arena, s *state) {
			s.h.moving, s.h.arming, s.h.expire = s.o, 1, 700
			s.h.unlink(a, s.tm)
		}, true, 700},
		{"taken from another wheel, not yet here", func(a *Arena, s *state) {
			s.w.take(a, s.h, s.o, s.tm)
			s.h.moving, s.h.arming, s.h.expire = s.o, 1, 800
		}, true, 800},
		{"links back and bitmap", func(a *Arena, s *state) {
			s.h.words[1], s.h.words[0] = 0, 77
			s.h.count = 9
			s.tm.prev = 5
			s.h.lists[s.tm.list].tail = 3
		}, true, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newTest(t, 1<<20, TLSF)
			s := &state{w: must(NewWheel(a, 0, 0))}
			ts := newTimers(a, 3)
			for _, o := range ts {
				s.w.Arm(a, o, 500, 1)
			}
			s.h, s.o = s.w.head(a), ts[1]
			s.tm = a.timer(s.o)
			c.f(a, s)
			s.h.lock.word = lockDead
			sound(t, a)
			fired := uint64(0)
			for now := uint64(1); now < 1000; now++ {
				s.w.Advance(a, now, func(o Off, _ Kind, _ int) {
					if o == s.o {
						fired = now
					}
				})
			}
			if !c.on && fired != 0 || c.on && fired != c.at {
				t.Errorf("fired at %d, want %d", fired, c.at)
			}
		})
	}
}

func TestVerifyFindsInWheel(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	w := must(NewWheel(a, 0, 0))
	ts := newTimers(a, 2)
	w.Arm(a, ts[0], 70, 1)
	w.Arm(a, ts[1], 71, 1)
	h, tm := w.head(a), a.timer(ts[0])
	for name, f := range map[string]func(){
		"count":   func() { h.count ^= 8 },
		"bitmap":  func() { h.words[1] ^= 1 << 9 },
		"tail":    func() { h.lists[tm.list].tail ^= 64 },
		"next":    func() { tm.next ^= 64 },
		"expires": func() { tm.expires ^= 1 << 20 },
		"wheel":   func() { tm.wheel ^= 64 },
	} {
		f()
		if len(a.Verify()) == 0 {
			t.Errorf("%s: not found", name)
		}
		f()
		sound(t, a)
	}
}
