package procmgr

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// PinTo binds all threads of this process to one of the CPUs that it may use: the n-th, counted around. Threads that are started later inherit it. The error says
// what the kernel refuses.
func PinTo(n int) error {
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return fmt.Errorf("cpu affinity: %w", err)
	}
	n %= max(1, may.Count())
	for cpu := 0; ; cpu++ {
		if !may.IsSet(cpu) {
			continue
		}
		if n--; n < 0 {
			one.Set(cpu)
			break
		}
	}
	return eachThread("cpu affinity", func(tid int) error { return unix.SchedSetaffinity(tid, &one) })
}
