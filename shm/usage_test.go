package shm

import (
	"errors"
	"testing"
)

func TestReserve(t *testing.T) {
	each(t, 4<<20, func(t *testing.T, a *Arena) {
		tag := a.TagFor("test", "new")
		a.SetReserve(25)
		if r := a.Usage().Reserve; r != 4<<20/100*25 {
			t.Errorf("reserve is %d", r)
		}
		var l []Off
		for {
			o, err := a.AllocUnreserved(1000, tag)
			if err != nil {
				if !errors.Is(err, ErrReserve) || !errors.Is(err, ErrNoMemory) {
					t.Errorf("refused with %v", err)
				}
				break
			}
			l = append(l, o)
		}
		u := a.Usage()
		if u.Free < u.Reserve || u.Free > u.Reserve+2048 {
			t.Errorf("%d bytes are free, the reserve is %d", u.Free, u.Reserve)
		}
		for range 500 { // what is needed to end calls
			l = append(l, must(a.Alloc(1000, tag)))
		}
		if _, err := a.AllocUnreserved(16, tag); !errors.Is(err, ErrReserve) {
			t.Errorf("a small one got %v", err)
		}
		if n := a.Usage().Refused; n != 2 {
			t.Errorf("%d refusals, want 2", n)
		}
		for _, o := range l {
			a.Free(o)
		}
		a.Free(must(a.AllocUnreserved(1000, tag)))
		a.SetReserve(0)
		if _, err := a.AllocUnreserved(5<<20, tag); err != ErrNoMemory {
			t.Errorf("without a reserve: %v", err)
		}
		if n := a.Usage().Refused; n != 2 {
			t.Errorf("%d refusals in the end, want 2", n)
		}
	})
}

func TestSizes(t *testing.T) {
	a := newTest(t, 4<<20, FM)
	before := a.Sizes()
	var l []Off
	for _, n := range []int{1, 16, 17, 48, 49, 1000, 1008, 1009, 100_000} { // with a header of 16: 32, 32, 48, 64, 80, 1024, 1024, 1040, 100,016
		l = append(l, must(a.Alloc(n, 0)))
	}
	added := func() map[uint64]SizeUsage {
		m := make(map[uint64]SizeUsage)
		for _, s := range a.Sizes() {
			m[s.Max] = s
		}
		for _, s := range before {
			d := m[s.Max]
			m[s.Max] = SizeUsage{s.Max, d.Blocks - s.Blocks, d.Bytes - s.Bytes}
		}
		return m
	}
	got := added()
	for _, want := range []SizeUsage{{32, 2, 64}, {64, 2, 112}, {128, 1, 80}, {1024, 2, 2048}, {2048, 1, 1040}, {1 << 17, 1, 100_016}} {
		if got[want.Max] != want {
			t.Errorf("up to %d: %+v, want %+v", want.Max, got[want.Max], want)
		}
	}
	for _, o := range l {
		a.Free(o)
	}
	for _, s := range added() {
		if s.Blocks != 0 || s.Bytes != 0 {
			t.Errorf("when all is freed: %+v", s)
		}
	}
}
