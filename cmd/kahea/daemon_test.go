package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const daemonConfig = `
listen=udp:@SERVER@
children=2
log_stderror=no
loadmodule "sl.so"
request_route {
	sl_send_reply("200", "OK");
}
`

// TestDaemon starts the server as init scripts do: the command returns 0 when the server answers, its pid file names it, a second one is refused, and
// SIGTERM ends it and takes the pid file away.
func TestDaemon(t *testing.T) {
	dir, addr := testDir(t), freeAddr(t)
	file, pidFile, pgidFile := filepath.Join(dir, "kahea.cfg"), filepath.Join(dir, "pid"), filepath.Join(dir, "pgid")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(daemonConfig, "@SERVER@", addr)), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-f", file, "-a", "off", "-Y", filepath.Join(dir, "run"), "-w", dir, "-P", pidFile, "-G", pgidFile}
	if o := runBinary(t, dir, nil, args...); o.code != 0 {
		t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	pid := readPid(t, pidFile)
	t.Cleanup(func() {
		if running(pid) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	if pgid := readPid(t, pgidFile); pgid != pid {
		t.Errorf("process group %d, want the server's pid %d", pgid, pid)
	}
	// no second try: the server is up when the command has returned
	u := openUDP(t)
	defer u.Close()
	if err := u.write([]byte(probe(addr, u.addr(), "daemon"))); err != nil {
		t.Fatal(err)
	}
	if _, err := u.read(patience); err != nil {
		t.Fatalf("OPTIONS after the start: %v", err)
	}
	sid, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(string(sid[strings.LastIndexByte(string(sid), ')')+1:])); f[3] == strconv.Itoa(os.Getpid()) || f[4] != "0" {
		t.Errorf("session %s, terminal %s: want a session of its own without one", f[3], f[4])
	}
	for _, fd := range []string{"0", "1", "2"} {
		if to, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/" + fd); err != nil || to != "/dev/null" {
			t.Errorf("descriptor %s is %s (%v), want /dev/null", fd, to, err)
		}
	}
	all := children(pid)
	if len(all) != 5 {
		t.Errorf("children: %v, want 2 UDP receivers and 3 timers", all)
	}

	second := runBinary(t, dir, nil, args...)
	if second.code != exitError || !strings.Contains(second.stderr, pidFile) {
		t.Errorf("second instance: exit code %d, stderr %s", second.code, second.stderr)
	}
	if p := readPid(t, pidFile); p != pid || !running(pid) {
		t.Errorf("after the second instance: pid file %d, server %d runs: %v", p, pid, running(pid))
	}

	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !eventually(patience, func() bool {
		return !running(pid) && !slices.ContainsFunc(keys(all), running)
	}) {
		t.Errorf("after SIGTERM the server or a child still runs")
	}
	for _, f := range []string{pidFile, pgidFile} {
		if exists(f) {
			t.Errorf("%s is left", f)
		}
	}
}

func keys(m map[int]string) (l []int) {
	for k := range m {
		l = append(l, k)
	}
	return l
}

func readPid(t *testing.T, file string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// running says whether there is a process, not counting one that has ended and waits for its parent.
func running(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// TestDaemonFails wants the error of a start that fails after the command has gone to the background in its exit code.
func TestDaemonFails(t *testing.T) {
	dir, addr := testDir(t), freeAddr(t)
	first := startServer(t, addr, strings.ReplaceAll(daemonConfig, "@SERVER@", addr))
	o := runBinary(t, dir, nil, "-f", filepath.Join(first.dir, "kahea.cfg"), "-a", "off", "-Y", filepath.Join(dir, "run"), "-w", dir, "-P", filepath.Join(dir, "pid"))
	if o.code != exitError || !strings.Contains(o.stderr, addr) {
		t.Errorf("exit code %d, stderr %s: want %d and the address %s", o.code, o.stderr, exitError, addr)
	}
	if exists(filepath.Join(dir, "pid")) {
		t.Error("the pid file is left")
	}
	first.sameProcesses()
	first.stop()
}

// TestStockConfig runs the configuration of Debian's kamailio package: OPTIONS, a registration, and calls to the phone.
func TestStockConfig(t *testing.T) {
	const stock = "/etc/kamailio/kamailio.cfg"
	if _, err := os.Stat(stock); errors.Is(err, os.ErrNotExist) {
		t.Skipf("Debian's kamailio package is not installed: %v", err)
	}
	if _, err := exec.LookPath("sipp"); err != nil {
		t.Skipf("SIPp is not installed (Debian's sip-tester): %v", err)
	}
	caller, callee, reg := newSIPp(t, false), newSIPp(t, false), newSIPp(t, false)
	addr := freeAddr(t)
	srv := startServer(t, addr, "", "-f", stock, "-l", "udp:"+addr, "-l", "tcp:"+addr, "-n", "2")
	reg.register(addr, "callee", callee.uri("callee"), 600)
	phone := callee.start("callee", addr)
	caller.start("caller", addr, "-s", "callee", "-m", "50", "-r", "25", "-d", "50").wait(patience)
	phone.end()
	reg.register(addr, "callee", callee.uri("callee"), 0)
	srv.sameProcesses()
	srv.memoryBack()
	srv.stop()
}
