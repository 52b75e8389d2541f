// Package proctree measures what a process and everything that it started cost.
package proctree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Use is the CPU time of a process tree up to a moment, or, from Since, between two.
//
// User and System are utime and stime of /proc/PID/stat: multiples of the kernel's tick, 10 ms. Total is the sum of the processes' CPU clocks
// (clock_getcpuclockid(3)), exact to the nanosecond; threads that have ended are in all of them.
type Use struct {
	PIDs                []int // in ascending order
	Total, User, System time.Duration
}

// ErrChanged says that a process of the tree came or went between two measurements.
var ErrChanged = errors.New("processes came or went while they were measured")

// tick is 1/USER_HZ, which is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// Measure sums up the tree whose root is pid.
func Measure(pid int) (Use, error) {
	pids, err := Tree(pid)
	if err != nil {
		return Use{}, err
	}
	u := Use{PIDs: pids}
	for _, p := range pids {
		f, err := stat(p)
		if err != nil {
			return Use{}, err
		}
		u.User += time.Duration(f.utime) * tick
		u.System += time.Duration(f.stime) * tick
		// the CPU clock of a process by its id: see clock_getres(2), "dynamic clocks" and CPUCLOCK_SCHED of the kernel
		const cpuClockSched = 2
		var ts unix.Timespec
		if err := unix.ClockGettime(int32(^p<<3|cpuClockSched), &ts); err != nil {
			return Use{}, fmt.Errorf("cpu clock of process %d: %w", p, err)
		}
		u.Total += time.Duration(ts.Nano())
	}
	return u, nil
}

// Since is what was used from before to u.
func (u Use) Since(before Use) (Use, error) {
	if !slices.Equal(u.PIDs, before.PIDs) {
		return Use{}, fmt.Errorf("%w: %v, then %v", ErrChanged, before.PIDs, u.PIDs)
	}
	return Use{PIDs: u.PIDs, Total: u.Total - before.Total, User: u.User - before.User, System: u.System - before.System}, nil
}

// Tree is pid and all its descendants, in ascending order.
func Tree(pid int) ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, d := range dirs {
		p, err := strconv.Atoi(filepath.Base(d))
		if err != nil {
			continue
		}
		f, err := stat(p)
		if err != nil {
			continue // it has just ended
		}
		children[f.ppid] = append(children[f.ppid], p)
	}
	if _, err := stat(pid); err != nil {
		return nil, err
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	slices.Sort(tree)
	return tree, nil
}

type statFields struct {
	ppid         int
	utime, stime int64 // ticks
}

// stat reads /proc/PID/stat (proc_pid_stat(5)). The second field may hold blanks and parentheses, so fields are counted from the last ")".
func stat(pid int) (f statFields, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return f, err
	}
	s := string(b)
	w := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(w) < 13 {
		return f, fmt.Errorf("/proc/%d/stat: %q: too few fields", pid, s)
	}
	if f.ppid, err = strconv.Atoi(w[1]); err != nil {
		return f, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	if f.utime, err = strconv.ParseInt(w[11], 10, 64); err != nil {
		return f, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	if f.stime, err = strconv.ParseInt(w[12], 10, 64); err != nil {
		return f, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return f, nil
}
