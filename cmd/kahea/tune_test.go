package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var allowedCPUs = regexp.MustCompile(`Cpus_allowed_list:\s*(\S+)`)

// cpus are the CPUs that a thread may use, as /proc says it.
func cpus(t *testing.T, status string) string {
	t.Helper()
	b, err := os.ReadFile(status)
	if err != nil {
		t.Fatal(err)
	}
	m := allowedCPUs.FindSubmatch(b)
	if m == nil {
		t.Fatalf("%s: no CPUs", status)
	}
	return string(m[1])
}

// TestOverlayServes: a server obeys the overlay that it is given, a reload reads it again, and workers stay on their CPU.
func TestOverlayServes(t *testing.T) {
	addr := freeAddr(t)
	tune := filepath.Join(t.TempDir(), "edge.toml")
	write := func(children int) {
		t.Helper()
		text := fmt.Sprintf("[core]\nchildren = %d\ncpu_affinity = \"workers\"\nudp_batch = 4\n[[listen]]\nsocket = \"udp:%s\"\n", children, addr)
		if err := os.WriteFile(tune, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const config = "disable_tcp=yes\nchildren=1\nloadmodule \"ctl.so\"\nloadmodule \"sl.so\"\nrequest_route { sl_send_reply(\"200\", \"OK\"); }\n"
	write(2)
	s := startServer(t, addr, config, "--tune", tune)
	workers := func() (n int) {
		for pid, title := range s.pids {
			if !strings.Contains(title, "udp receiver") {
				if got := cpus(t, fmt.Sprintf("/proc/%d/status", pid)); got != cpus(t, "/proc/self/status") {
					t.Errorf("%s is bound to CPU %s", title, got)
				}
				continue
			}
			n++
			tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
			if err != nil || len(tasks) == 0 {
				t.Fatalf("threads of %d: %v", pid, err)
			}
			for _, task := range tasks {
				if got := cpus(t, task); strings.ContainsAny(got, "-,") {
					t.Errorf("a thread of %s may use the CPUs %s", title, got)
				}
			}
		}
		return n
	}
	if n := workers(); n != 2 {
		t.Errorf("%d workers, the overlay says 2", n)
	}
	write(3)
	s.reload(config, true)
	if n := workers(); n != 3 {
		t.Errorf("%d workers after the reload, the overlay says 3", n)
	}
	s.stop()
}
