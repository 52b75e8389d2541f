package procmgr

import (
	"errors"
	"fmt"
	"os"
	"strconv"

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
	pinned := map[string]bool{}
	for again := true; again; { // a thread may start another one meanwhile
		again = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("cpu affinity: %w", err)
		}
		for _, t := range tasks {
			if pinned[t.Name()] {
				continue
			}
			pinned[t.Name()], again = true, true
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return fmt.Errorf("cpu affinity: thread %q: %w", t.Name(), err)
			}
			if err := unix.SchedSetaffinity(tid, &one); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("cpu affinity of thread %d: %w", tid, err)
			}
		}
	}
	return nil
}
