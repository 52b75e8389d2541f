package shm

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

var swapRowsFlag = flag.Int("shm.swaprows", 1_000_000, "rows of BenchmarkSwap")

// BenchmarkSwap is one Get of a random key, alone and while another process reloads all rows again and again. It reports the 50th, 99th and 99.9th percentile of single
// reads, and how many reloads there were.
func BenchmarkSwap(b *testing.B) {
	rows := *swapRowsFlag
	for _, reloading := range []bool{false, true} {
		b.Run(fmt.Sprintf("rows=%d/reloads=%t", rows, reloading), func(b *testing.B) {
			a := must(Create(int64(rows)*200+64<<20, QM))
			defer a.Close()
			w := newSwapWorld(a)
			s := loadSwap(b, a, rows)
			if reloading {
				cmd := spawnHeld(b, a, 1, "swap reload", fmt.Sprint(rows))
				defer func() {
					atomic.StoreUint32(&w.Stop, 1)
					if err := cmd.Wait(); err != nil {
						b.Error(err)
					}
				}()
			}
			r := rand.New(rand.NewPCG(1, 2))
			var key [8]byte
			var p pair
			took := make([]time.Duration, 0, b.N)
			s.Get(key[:], &p)
			first := p.Gen
			b.ResetTimer()
			for b.Loop() {
				binary.LittleEndian.PutUint64(key[:], r.Uint64N(uint64(rows)))
				t := time.Now()
				ok := s.Get(key[:], &p)
				took = append(took, time.Since(t))
				if !ok || p.Not != ^p.Gen {
					b.Fatalf("row is %v", p)
				}
			}
			b.StopTimer()
			slices.Sort(took)
			for _, q := range []struct {
				name string
				at   float64
			}{{"p50-ns", 0.5}, {"p99-ns", 0.99}, {"p99.9-ns", 0.999}} {
				b.ReportMetric(float64(took[int(float64(len(took)-1)*q.at)]), q.name)
			}
			b.ReportMetric(float64(p.Gen-first), "reloads")
		})
	}
}

// BenchmarkSwapReload is one load of all rows.
func BenchmarkSwapReload(b *testing.B) {
	rows := *swapRowsFlag
	a := must(Create(int64(rows)*200+64<<20, QM))
	defer a.Close()
	s := loadSwap(b, a, rows)
	for b.Loop() {
		if err := s.Reload(func(b *Builder[pair]) error { return load(b, rows, 2) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(a.Usage().MaxUsed)/1e6, "most-MB")
}

// swapReloader reloads until it is stopped.
func swapReloader(a *Arena, rows int) {
	s, w := must(OpenSwap[pair](a, "test", "swap")), newSwapWorld(a)
	for gen := uint64(2); atomic.LoadUint32(&w.Stop) == 0; gen++ {
		if err := s.Reload(func(b *Builder[pair]) error { return load(b, rows, gen) }); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if gen == 2 {
			sayHeld()
		}
	}
}
