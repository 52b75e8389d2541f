package shm

import (
	"bytes"
	"testing"
)

func TestRing(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		before := a.Usage().Used
		ring := must(NewRing(a, 1000, 0)) // 1024
		r := random(t)
		var want [][]byte
		used := 0 // bytes with heads and rounding, without what is skipped at the end
		dry := true
		for range 20000 {
			if r.IntN(2) == 0 {
				rec := make([]byte, r.IntN(200))
				for i := range rec {
					rec[i] = byte(r.Uint32())
				}
				cut := r.IntN(len(rec) + 1)
				wake, err := ring.Put(a, rec[:cut], nil, rec[cut:])
				need := 8 + (len(rec)+7)&^7
				switch {
				case err == ErrFull && used+need+200 > 1024:
				case err != nil:
					t.Fatalf("put of %d bytes over %d: %v", len(rec), used, err)
				default:
					if wake != dry {
						t.Fatalf("wake is %v, reader had run dry: %v", wake, dry)
					}
					want = append(want, rec)
					used += need
				}
				continue
			}
			got := ring.Get(a, func(rec []byte) {
				if !bytes.Equal(rec, want[0]) || cap(rec) != len(rec) {
					t.Fatalf("record is %x, want %x", rec, want[0])
				}
			})
			if got != (len(want) > 0) {
				t.Fatalf("got one: %v, while there are %d", got, len(want))
			}
			dry = !got
			if got {
				used -= 8 + (len(want[0])+7)&^7
				want = want[1:]
			}
		}
		sound(t, a)
		_, err := ring.Put(a, make([]byte, 600))
		is(t, err, ErrTooLong)
		_, err = OpenRing(a, ring.Off()+16)
		is(t, err, ErrNotThere)
		if o, err := OpenRing(a, ring.Off()); o != ring || err != nil {
			t.Error(o, err)
		}
		for _, n := range []int{0, -1, 1<<30 + 1} {
			_, err = NewRing(a, n, 0)
			is(t, err, ErrSize)
		}
		ring.Free(a)
		if after := a.Usage().Used; after != before {
			t.Errorf("used %d, was %d", after, before)
		}
	})
}

func TestRingWake(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	ring := must(NewRing(a, 1024, 0))
	put := func(want bool, when string) {
		t.Helper()
		if wake, err := ring.Put(a, []byte("x")); wake != want || err != nil {
			t.Errorf("%s: wake %v, %v", when, wake, err)
		}
	}
	get := func() bool { return ring.Get(a, func([]byte) {}) }
	put(true, "reader has not begun")
	put(true, "reader has not come yet")
	get()
	put(false, "reader is at work")
	get()
	get()
	put(false, "reader took the last but did not see the end")
	get()
	if get() {
		t.Error("got one of none")
	}
	put(true, "reader ran dry")
	get()
	ring.headOf(a).lock.word = lockDead
	put(true, "a writer died and may not have rung")
	put(false, "after that")
}

func TestRingKeepsWhatPanicked(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	ring := must(NewRing(a, 1024, 0))
	ring.Put(a, []byte("x"))
	panics(t, func() { ring.Get(a, func([]byte) { panic("handler") }) })
	if !ring.Get(a, func(rec []byte) {
		if string(rec) != "x" {
			t.Errorf("record is %q", rec)
		}
	}) || !ring.Empty(a) {
		t.Error("record is gone")
	}
}
