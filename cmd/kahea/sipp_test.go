package main

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var crashTime = flag.Duration("crash", 3*time.Second, "how long TestWorkerKilled calls; a worker is killed every second")

// sipp runs SIPp scenarios of testdata/sipp from an address of its own.
type sipp struct {
	t    testing.TB
	addr string
	tcp  bool
}

func newSIPp(t testing.TB, tcp bool) *sipp {
	if _, err := exec.LookPath("sipp"); err != nil {
		t.Skipf("SIPp is not installed (Debian's sip-tester): %v", err)
	}
	return &sipp{t: t, addr: freeAddr(t), tcp: tcp}
}

func (s *sipp) uri(user string) string {
	u := "sip:" + user + "@" + s.addr
	if s.tcp {
		u += ";transport=tcp"
	}
	return u
}

// sippRun is a scenario that is running.
type sippRun struct {
	s    *sipp
	name string
	cmd  *exec.Cmd
	out  bytes.Buffer
	once sync.Once
}

func (s *sipp) start(scenario, target string, args ...string) *sippRun {
	s.t.Helper()
	file, err := filepath.Abs("testdata/sipp/" + scenario + ".xml")
	if err != nil {
		s.t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(s.addr)
	all := []string{"-sf", file, "-i", host, "-p", port, "-nostdin", "-nd", "-trace_err", "-error_file", "errors.log", "-max_retrans", "10", "-max_socket", "1000"}
	if s.tcp {
		all = append(all, "-t", "t1")
	}
	all = append(append(all, args...), target)
	r := &sippRun{s: s, name: scenario, cmd: exec.Command("sipp", all...)}
	r.cmd.Dir = s.t.TempDir()
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(r.end)
	return r
}

// wait wants the scenario to end with every call successful.
func (r *sippRun) wait(d time.Duration) {
	r.s.t.Helper()
	kill := time.AfterFunc(d, func() { r.cmd.Process.Kill() })
	var err error
	r.once.Do(func() { err = r.cmd.Wait() })
	kill.Stop()
	if err != nil {
		errs, _ := exec.Command("tail", "-c", "4000", filepath.Join(r.cmd.Dir, "errors.log")).Output()
		r.s.t.Errorf("sipp %s: %v (1: some calls failed)\n%s\n%s", r.name, err, errs, tail(r.out.String(), 60))
	}
}

// end stops a scenario that runs until it is told.
func (r *sippRun) end() {
	r.once.Do(func() {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	})
}

func tail(s string, n int) string {
	l := strings.Split(s, "\n")
	return strings.Join(l[max(0, len(l)-n):], "\n")
}

func (s *sipp) register(target, user, contact string, expires int) {
	s.t.Helper()
	s.start("register", target, "-s", user, "-key", "contact", contact, "-key", "expires", strconv.Itoa(expires), "-m", "1").wait(patience)
}

// startDefault runs the built-in configuration at addr.
func startDefault(t testing.TB, addr string) *instance {
	return startServer(t, addr, "", "--default-cfg", "-l", "udp:"+addr, "-l", "tcp:"+addr)
}

// TestCalls registers a phone with the default configuration and calls it.
func TestCalls(t *testing.T) {
	for _, c := range []struct {
		name string
		tcp  bool
	}{{"udp", false}, {"tcp", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			caller, callee, reg := newSIPp(t, c.tcp), newSIPp(t, c.tcp), newSIPp(t, c.tcp)
			srv := startDefault(t, freeAddr(t))
			reg.register(srv.addr, "callee", callee.uri("callee"), 600)
			reg.register(srv.addr, "caller", caller.uri("caller"), 600)
			phone := callee.start("callee", srv.addr)
			caller.start("caller", srv.addr, "-s", "callee", "-m", "200", "-r", "50", "-d", "100").wait(60 * time.Second)
			phone.end()
			reg.register(srv.addr, "callee", callee.uri("callee"), 0)
			reg.register(srv.addr, "caller", caller.uri("caller"), 0)
			srv.sameProcesses()
			srv.memoryBack()
			srv.stop()
		})
	}
}

// TestWorkerKilled kills UDP workers in the middle of 500 calls a second: every call succeeds, and each worker is back within a second.
func TestWorkerKilled(t *testing.T) {
	caller, callee, reg := newSIPp(t, false), newSIPp(t, false), newSIPp(t, false)
	srv := startDefault(t, freeAddr(t))
	reg.register(srv.addr, "callee", callee.uri("callee"), 3600)
	callee.start("callee", srv.addr)
	calls := int(500 * crashTime.Seconds())
	r := caller.start("caller", srv.addr, "-s", "callee", "-m", strconv.Itoa(calls), "-r", "500", "-d", "100", "-l", "5000")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := range int(crashTime.Seconds()) - 1 {
		<-tick.C
		title := fmt.Sprintf("kahea udp receiver child=%d ", n%2)
		old := find(srv, title)
		if old == 0 {
			t.Fatalf("no process %q", title)
		}
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		if !eventually(patience, func() bool { p := find(srv, title); return p != 0 && p != old }) {
			t.Fatalf("%q is not back after %v", title, patience)
		}
		// a worker that dies again soon is kept back longer and longer
		if d := time.Since(killed); d > time.Second && n < 2 {
			t.Errorf("%q is back after %v", title, d)
		}
	}
	r.wait(*crashTime + 60*time.Second)
	if !srv.alive(patience) {
		t.Error("no answer to OPTIONS at the end")
	}
	reg.register(srv.addr, "callee", callee.uri("callee"), 0)
	// a request that died in a worker's hands after it was forwarded is only over when fr_timer (30 s) says so
	srv.memoryBackWithin(time.Minute)
	srv.stop()
}

// TestEachKindKilled kills one process of each kind in the middle of calls: each is back, and no call fails.
func TestEachKindKilled(t *testing.T) {
	caller, callee, reg := newSIPp(t, false), newSIPp(t, false), newSIPp(t, false)
	srv := startDefault(t, freeAddr(t))
	reg.register(srv.addr, "callee", callee.uri("callee"), 3600)
	callee.start("callee", srv.addr)
	const seconds = 8
	r := caller.start("caller", srv.addr, "-s", "callee", "-m", strconv.Itoa(200*seconds), "-r", "200", "-d", "100", "-l", "5000")
	for _, title := range []string{
		"kahea udp receiver child=0 ", "kahea slow timer", "kahea timer", "kahea secondary timer", "kahea ctl handler", "kahea JSONRPCS FIFO", "kahea tcp receiver (generic) child=0",
		"kahea tcp main process", "kahea udp receiver child=1 ",
	} {
		old := find(srv, title)
		if old == 0 {
			t.Errorf("no process %q in %v", title, srv.pids)
			continue
		}
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if !eventually(patience, func() bool { p := find(srv, title); return p != 0 && p != old }) {
			t.Fatalf("%q is not back after %v", title, patience)
		}
	}
	r.wait(seconds*time.Second + 60*time.Second)
	if _, err := srv.call("kahea.verify"); err != nil {
		t.Error(err)
	}
	reg.register(srv.addr, "callee", callee.uri("callee"), 0)
	srv.memoryBackWithin(time.Minute)
	srv.stop()
}

// TestMainKilled kills main: its children end with it, and the next server finds nothing in its way.
func TestMainKilled(t *testing.T) {
	srv := startDefault(t, freeAddr(t))
	if err := srv.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-srv.exited
	srv.stopped = true
	if !eventually(patience, func() bool {
		for pid := range srv.pids {
			if running(pid) {
				return false
			}
		}
		return true
	}) {
		t.Errorf("processes are left of %v", srv.pids)
	}
	next := exec.Command(srv.cmd.Path, srv.cmd.Args[1:]...)
	out, err := next.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	next.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := collect(out).find(readyLine, 0, patience); err != nil {
		t.Errorf("the next server: %v", err)
	}
	if !srv.alive(patience) {
		t.Error("the next server does not answer")
	}
	if err := next.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := next.Wait(); err != nil {
		t.Errorf("the next server: %v", err)
	}
}

// find is the child whose title starts with a text, 0 if none.
func find(s *instance, title string) int {
	for pid, x := range children(s.cmd.Process.Pid) {
		if strings.HasPrefix(x, title) {
			return pid
		}
	}
	return 0
}
