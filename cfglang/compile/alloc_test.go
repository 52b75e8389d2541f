//go:build !race

package compile_test

import "testing"

// TestNoAllocation: no kind of statement of perf/script allocates.
func TestNoAllocation(t *testing.T) {
	for _, k := range statementKinds(t) {
		t.Run(k[0], func(t *testing.T) {
			f := turn(t, k[1], k[2])
			for range 200 {
				f() // buffers grow
			}
			if n := testing.AllocsPerRun(500, f); n > 0 {
				t.Errorf("%v allocations a turn", n)
			}
		})
	}
}
