package shm

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkAlloc is one Free and one Alloc in a heap of 10,000 blocks of the sizes that a call takes.
func BenchmarkAlloc(b *testing.B) {
	sizes := []int{24, 64, 120, 500, 520, 900, 1400, 3200, 5000}
	for _, k := range kinds {
		b.Run(fmt.Sprintf("kind=%s", k), func(b *testing.B) {
			a := must(Create(256<<20, k))
			defer a.Close()
			r := rand.New(rand.NewPCG(1, 2))
			offs := make([]Off, 10_000)
			order := make([]uint32, 1<<16)
			for i := range order {
				order[i] = r.Uint32()
			}
			for i := range offs {
				offs[i] = must(a.Alloc(sizes[r.IntN(len(sizes))], 0))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				v := order[i&(1<<16-1)]
				p := &offs[v%10_000]
				a.Free(*p)
				*p = must(a.Alloc(sizes[v>>16%9], 0))
			}
		})
	}
}

// BenchmarkAllocSame is Alloc and Free of the same block, in the cache.
func BenchmarkAllocSame(b *testing.B) {
	for _, k := range kinds {
		b.Run(fmt.Sprintf("kind=%s", k), func(b *testing.B) {
			a := must(Create(16<<20, k))
			defer a.Close()
			for b.Loop() {
				o, _ := a.Alloc(500, 0)
				a.Free(o)
			}
		})
	}
}

func BenchmarkLock(b *testing.B) {
	a := must(Create(1<<20, TLSF))
	defer a.Close()
	m := newLock(b, a)
	b.Run("uncontended", func(b *testing.B) {
		for b.Loop() {
			a.Lock(m)
			a.Unlock(m)
		}
	})
	b.Run("two", func(b *testing.B) {
		b.SetParallelism(1)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				a.Lock(m)
				a.Unlock(m)
			}
		})
	})
}

func BenchmarkRef(b *testing.B) {
	a := must(Create(1<<20, TLSF))
	defer a.Close()
	r := must(New[good](a, 0))
	var n uint32
	for b.Loop() {
		n += r.Get(a).A
	}
	_ = n
}

func BenchmarkTable(b *testing.B) {
	a := must(Create(16<<20, TLSF))
	defer a.Close()
	tb := must(NewTable(a, 4096, 0))
	e := newEntry(a, 1)
	i := 0
	for b.Loop() {
		i = (i + 1) & 4095
		tb.Lock(a, i)
		tb.Append(a, i, e)
		tb.Remove(a, e)
		tb.Unlock(a, i)
	}
}

func BenchmarkCounter(b *testing.B) {
	a := must(Create(1<<20, TLSF))
	defer a.Close()
	c := NewCounters(a)
	k := must(c.Register("tm", "x"))
	c.Seal(2)
	for b.Loop() {
		c.Add(k, 1)
	}
}

func BenchmarkRing(b *testing.B) {
	a := must(Create(1<<20, TLSF))
	defer a.Close()
	ring := must(NewRing(a, 1<<16, 0))
	rec := make([]byte, 600)
	n := 0
	b.SetBytes(600)
	for b.Loop() {
		ring.Put(a, rec)
		ring.Get(a, func(rec []byte) { n += len(rec) })
	}
}

func BenchmarkWheel(b *testing.B) {
	a := must(Create(64<<20, TLSF))
	defer a.Close()
	w := must(NewWheel(a, 0, 0))
	ts := newTimers(a, 10_000)
	for i, o := range ts {
		w.Arm(a, o, uint64(500+i%32_000), 1)
	}
	now, i := uint64(0), 0
	b.Run("arm+disarm", func(b *testing.B) {
		for b.Loop() {
			i = (i + 1) % len(ts)
			Disarm(a, ts[i])
			w.Arm(a, ts[i], now+500+uint64(i), 1)
		}
	})
	b.Run("rearm", func(b *testing.B) {
		for b.Loop() {
			i = (i + 1) % len(ts)
			w.Arm(a, ts[i], now+500+uint64(i), 1)
		}
	})
	b.Run("advance/idle", func(b *testing.B) {
		for b.Loop() {
			w.Advance(a, now, func(Off, Kind, int) {})
		}
	})
	b.Run("nextdue", func(b *testing.B) {
		for b.Loop() {
			w.NextDue(a)
		}
	})
	b.Run("fire+arm", func(b *testing.B) {
		fired := 0
		for fired < b.N {
			now++
			fired += w.Advance(a, now, func(o Off, k Kind, _ int) { w.Arm(a, o, now+500+uint64(o>>6)%5000, k) })
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	a := must(Create(128<<20, TLSF))
	defer a.Close()
	for range 100_000 {
		must(a.Alloc(500, 0))
	}
	for b.Loop() {
		if len(a.Verify()) != 0 {
			b.Fatal("not sound")
		}
	}
}
