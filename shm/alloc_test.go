//go:build !race && !shmdebug

package shm

import "testing"

func TestNoGoAllocations(t *testing.T) {
	a := newTest(t, 4<<20, QM)
	m := newLock(t, a)
	tb := must(NewTable(a, 8, 0))
	e := newEntry(a, 1)
	w := must(NewWheel(a, 0, 0))
	o := newTimers(a, 1)[0]
	c := NewCounters(a)
	k := must(c.Register("tm", "x"))
	if err := c.Seal(2); err != nil {
		t.Fatal(err)
	}
	ring := must(NewRing(a, 4096, 0))
	swap := loadSwap(t, a, 100)
	key, row, sum := make([]byte, 8), pair{}, uint64(0)
	x, y := []byte("head"), make([]byte, 900)
	now, n := uint64(0), 0
	for _, tt := range []struct {
		name string
		f    func()
	}{
		{"Alloc and Free", func() { p, _ := a.Alloc(100, 0); a.Bytes(p)[0] = 1; a.Free(p) }},
		{"New and Get", func() { r, _ := New[good](a, 0); r.Get(a).A = 1; a.Free(r.Off) }},
		{"Lock and Unlock", func() { a.Lock(m); a.Unlock(m) }},
		{"TryLock", func() { a.TryLock(m); a.Unlock(m) }},
		{"Table", func() { tb.Lock(a, 1); tb.Insert(a, 1, e); tb.Remove(a, e); tb.Unlock(a, 1) }},
		{"Arm and Disarm", func() { w.Arm(a, o, now+500, 1); Disarm(a, o) }},
		{"Advance", func() {
			w.Arm(a, o, now+500, 1)
			now += 600
			w.Advance(a, now, func(Off, Kind, int) { n++ })
			w.NextDue(a)
		}},
		{"Add", func() { c.Add(k, 1) }},
		{"Put and Get", func() { ring.Put(a, x, y); ring.Get(a, func(rec []byte) { n += len(rec) }) }},
		{"Swap.Get", func() { swap.Get(key, &row) }},
		{"Swap.Read", func() {
			swap.Read(func(v View[pair]) {
				v.Each(key, func(p *pair) bool { sum += p.Gen; return true })
				v.All(func(_ []byte, p *pair) bool { sum += p.Gen; return true })
				sum += v.Find(key).Gen
			})
		}},
		{"Usage", func() { n += int(a.Usage().Used) }},
	} {
		if got := testing.AllocsPerRun(200, tt.f); got != 0 {
			t.Errorf("%s: %v allocations", tt.name, got)
		}
	}
}
