package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets whose width is at most 1/32 of their value.
type Histogram struct {
	n     [44 * subBuckets]uint32
	Total int
	Max   time.Duration
}

const subBuckets = 32

// Add counts d; negative durations count as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.Max = max(h.Max, d)
	h.n[bucket(uint64(d))]++
	h.Total++
}

// bucket is v itself below 2*subBuckets; above, its exponent and its five bits after the leading one.
func bucket(v uint64) int {
	if v < 2*subBuckets {
		return int(v)
	}
	e := bits.Len64(v) - 6
	return min((e<<5)+int(v>>e), 44*subBuckets-1)
}

// bound is the smallest value of bucket i.
func bound(i int) uint64 {
	if i < 2*subBuckets {
		return uint64(i)
	}
	e := i>>5 - 1
	return uint64(i-e<<5) << e
}

// Quantile is the value below which the share q (0 to 1) of all durations lies, rounded up to the end of its bucket.
func (h *Histogram) Quantile(q float64) time.Duration {
	want, seen := int(q*float64(h.Total)), 0
	for i, n := range h.n {
		if seen += int(n); seen > want {
			return min(time.Duration(bound(i+1)), h.Max)
		}
	}
	return h.Max
}
