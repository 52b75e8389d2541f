package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// size is how large the processes are, together.
type size struct {
	Private int64 // bytes that belong to one process alone (RssAnon): heaps and stacks, not shared memory
	Main    int64 // of them, main's
	Threads int
}

func (s *subject) size() (z size, err error) {
	procs, err := s.processes()
	if err != nil {
		return z, err
	}
	if z.Main, z.Threads, err = status(s.p.Cmd.Process.Pid); err != nil {
		return z, err
	}
	z.Private = z.Main
	for pid := range procs {
		p, t, err := status(pid)
		if err != nil {
			continue // it has just ended
		}
		z.Private += p
		z.Threads += t
	}
	return z, nil
}

// status reads /proc/PID/status (proc_pid_status(5)).
func status(pid int) (private int64, threads int, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		switch w[0] {
		case "RssAnon:":
			kb, err := strconv.ParseInt(w[1], 10, 64)
			if err != nil {
				return 0, 0, fmt.Errorf("/proc/%d/status: %w", pid, err)
			}
			private = kb << 10
		case "Threads:":
			if threads, err = strconv.Atoi(w[1]); err != nil {
				return 0, 0, fmt.Errorf("/proc/%d/status: %w", pid, err)
			}
		}
	}
	return private, threads, nil
}
