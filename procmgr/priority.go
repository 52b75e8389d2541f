package procmgr

import (
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LockMemory keeps all memory of this process in RAM (mlock_pages), what it maps later too. Locks do not survive an exec, so every process does it.
func LockMemory() error {
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE); err != nil {
		return fmt.Errorf("mlockall: %w", err)
	}
	return nil
}

// SetPriority gives all threads of this process a real-time policy: 0 the ordinary one, 1 round robin, 2 first in first out (rt_policy), and a priority of 1 to 99.
// Threads that are started later inherit it.
func SetPriority(policy, priority int) error {
	var p uint32
	switch policy {
	case 0:
		priority = 0
	case 1:
		p = unix.SCHED_RR
	case 2:
		p = unix.SCHED_FIFO
	default:
		return fmt.Errorf("real-time policy %d: want 0 other, 1 round robin, 2 first in first out: %w", policy, unix.EINVAL)
	}
	return eachThread("real-time priority", func(tid int) error {
		attr := unix.SchedAttr{Size: uint32(unsafe.Sizeof(unix.SchedAttr{})), Policy: p, Priority: uint32(priority)}
		return unix.SchedSetAttr(tid, &attr, 0)
	})
}

// eachThread calls f for every thread of this process, also for those that start meanwhile; one that has ended is no error.
func eachThread(what string, f func(tid int) error) error {
	done := map[string]bool{}
	for again := true; again; {
		again = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for _, t := range tasks {
			if done[t.Name()] {
				continue
			}
			done[t.Name()], again = true, true
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return fmt.Errorf("%s: thread %q: %w", what, t.Name(), err)
			}
			if err := f(tid); err != nil && err != unix.ESRCH { //nolint:errorlint // it is a bare Errno
				return fmt.Errorf("%s of thread %d: %w", what, tid, err)
			}
		}
	}
	return nil
}
