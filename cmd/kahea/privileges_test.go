package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var lockedMemory = regexp.MustCompile(`VmLck:\s*(\d+) kB`)

// TestPrivileges: what mlock_pages, shm_force_alloc and real_time ask for is what the system says of the processes.
func TestPrivileges(t *testing.T) {
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}); err != nil {
		t.Skipf("memory can not be locked without limit: %v", err)
	}
	addr := freeAddr(t)
	host, port, _ := strings.Cut(addr, ":")
	s := startServer(t, addr, fmt.Sprintf("listen=udp:%s:%s\ndisable_tcp=yes\nchildren=2\nshm_force_alloc=yes\nmlock_pages=yes\nreal_time=3\nrt_timer1_policy=1\nrt_timer1_prio=7\n"+
		"rt_timer2_policy=2\nrt_timer2_prio=3\nfork_delay=1000\nmodinit_delay=1000\nwait_worker1_mode=1\nloadmodule \"ctl.so\"\nloadmodule \"sl.so\"\nrequest_route { sl_send_reply(\"200\", \"OK\"); }\n", host, port), "-m", "16")
	main, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`Pss_Shmem:\s*(\d+) kB`).FindSubmatch(main); m != nil {
		// shared by all processes: what one has of it is a part
		n, _ := strconv.Atoi(string(m[1]))
		if n*(len(s.pids)+1) < 15<<10 {
			t.Errorf("%d kB of shared memory are there, want 16 MB in all", n*(len(s.pids)+1))
		}
	}
	for pid, title := range s.pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		if m := lockedMemory.FindSubmatch(b); m == nil || string(m[1]) == "0" {
			t.Errorf("%s has locked no memory", title)
		}
		attr, err := unix.SchedGetAttr(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := [2]uint32{unix.SCHED_NORMAL, 0}
		switch {
		case strings.Contains(title, "slow timer"):
			want = [2]uint32{unix.SCHED_FIFO, 3}
		case strings.HasSuffix(strings.TrimSpace(title), "kahea timer"):
			want = [2]uint32{unix.SCHED_RR, 7}
		}
		if got := [2]uint32{attr.Policy, attr.Priority}; got != want {
			t.Errorf("%s runs with policy and priority %v, want %v", title, got, want)
		}
	}
	s.stop()
}
