package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"kahea/perf/serve"
)

// heading says where a result comes from: the command line, the machine, the versions.
func heading(o options, args []string, servers []serve.Server) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark of %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(&b, "- Command: `make bench ARGS=%q`\n", strings.Join(args, " "))
	fmt.Fprintf(&b, "- Machine: %s, %d CPUs, %s of memory, Linux %s; the load generator runs on the same CPUs\n",
		procField("/proc/cpuinfo", "model name"), runtime.NumCPU(), procField("/proc/meminfo", "MemTotal"), kernel())
	fmt.Fprintf(&b, "- Servers: -n %d -N %d -m %d -M %d -x %s; %d rounds of %v after %v of warming up; medians\n",
		o.Workers, o.Workers, o.Shm, o.Pkg, o.Allocator, o.Rounds, o.Duration, o.Warmup)
	for _, s := range servers {
		fmt.Fprintf(&b, "- %s: %s\n", s.Name, version(s))
	}
	fmt.Fprintf(&b, "- %s, commit %s\n", runtime.Version(), commit())
	b.WriteString("- CPU: of all processes of the server, a transaction; user: the part of it outside the kernel, from ticks of 10 ms\n")
	return b.String()
}

// procField is the value of the first line that begins with name in a file of /proc.
func procField(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// version is the first line of -v.
func version(s serve.Server) string {
	out, err := exec.Command(s.Path, "-v").Output()
	if err != nil {
		return "unknown version"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
