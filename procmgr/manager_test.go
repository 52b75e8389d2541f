package procmgr

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kahea/shm"

	"golang.org/x/sys/unix"
)

const (
	kindSay  = KindUser + iota // child -> main: text
	kindDo                     // main -> child: what to do
	kindEcho                   // main -> child -> main, with descriptors
)

// TestMain is the test binary in its three roles: the tests, a child of a Manager, and a main process of its own (KAHEA_TEST_MAIN).
func TestMain(m *testing.M) {
	switch {
	case IsChild():
		childMain()
	case os.Getenv("KAHEA_TEST_MAIN") == "daemon":
		os.Exit(daemonMain())
	case os.Getenv("KAHEA_TEST_MAIN") == "drop":
		os.Exit(dropMain())
	case os.Getenv("KAHEA_TEST_MAIN") != "":
		os.Unsetenv("KAHEA_TEST_MAIN")
		os.Exit(mainMain())
	}
	code := m.Run()
	if n := countChildren(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d children left\n", n)
		code = 1
	}
	os.Exit(code)
}

func countChildren() (n int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	return len(strings.Fields(string(b)))
}

func childMain() {
	c, err := Inherit()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	a, err := shm.Attach(c.ArenaFD, c.Slot)
	if err != nil {
		c.Control.Failed(err)
		os.Exit(3)
	}
	say := func(format string, args ...any) { _ = c.Control.Send(kindSay, fmt.Appendf(nil, format, args...)) }
	done, goOn := make(chan struct{}), make(chan struct{})
	c.Signals(func() { close(done) }, nil)
	c.Control.Handle(kindEcho, func(p []byte, fds []int) {
		_ = c.Control.Send(kindEcho, p, fds...)
		closeAll(fds)
	})
	c.Control.Handle(kindDo, func(p []byte, _ []int) {
		switch string(p) {
		case "die":
			unix.Kill(os.Getpid(), unix.SIGKILL)
		case "exit":
			os.Exit(0)
		case "go on":
			close(goOn)
		case "beat once":
			Beat(a)
			say("beaten")
		}
	})
	if c.Kind != "stubborn" {
		c.Retire(func(b []byte) { say("leaves %q", b); os.Exit(0) })
	}
	c.Control.Serve()
	switch c.Kind {
	case "fails":
		c.Control.Failed(errors.New("no database"))
		os.Exit(1)
	case "dies early":
		os.Exit(7)
	case "starts slowly":
		say("starting")
		<-goOn
	case "binds":
		gs, _ := os.Getgroups()
		say("%d %d %v %s", os.Getuid(), os.Getgid(), gs, bindLow())
	case "dies at once if restarted":
		if c.Restarted {
			os.Exit(0)
		}
	}
	say("slot=%d gen=%d kind=%s arg=%d/%d rank=%d config=%q fds=%d hand=%d restarted=%v procs=%s", c.Slot, c.Generation, c.Kind, c.Arg, c.Arg2, c.Rank, c.Config,
		len(c.Fds), len(c.Handover), c.Restarted, os.Getenv("GOMAXPROCS"))
	_ = c.Control.Ready()
	<-done
	os.Exit(0)
}

// mainMain is a whole server with two children; it prints their pids and runs.
func mainMain() int {
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		return 9
	}
	m, err := New(Options{Arena: a, Restart: os.Getenv("RESTART") != "", Name: "kahea"})
	if err != nil {
		return 9
	}
	m.Add(Proc{Desc: "one", Kind: "plain"})
	m.Add(Proc{Desc: "two", Kind: "plain"})
	m.Handle(kindSay, func(int, []byte, []int) {})
	if err := m.Start(); err != nil {
		fmt.Println("start:", err)
		return 255
	}
	for _, e := range Table(a)[1:] {
		fmt.Print(e.PID, " ")
	}
	fmt.Println()
	return m.Run()
}

// server is a Manager under test; Run runs on a goroutine.
type server struct {
	*Manager
	a    *shm.Arena
	said chan string
	code chan int
	logs chan string
	died chan string
}

func newServer(t *testing.T, o Options, ps ...Proc) *server {
	t.Helper()
	fds := countFds(t)
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{a: a, said: make(chan string, 1000), code: make(chan int, 1), logs: make(chan string, 1000), died: make(chan string, 1000)}
	o.Arena, o.Name = a, "kahea"
	o.Log = func(_ int, l string) { s.logs <- l }
	if o.Died == nil {
		o.Died = func(p Proc, slot int, status string) []int {
			s.died <- fmt.Sprintf("%s %d %s", p.Desc, slot, status)
			return nil
		}
	}
	if s.Manager, err = New(o); err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		s.Add(p)
	}
	s.Handle(kindSay, func(slot int, p []byte, _ []int) { s.said <- string(p) })
	t.Cleanup(func() {
		a.Close()
		if n := countFds(t); n != fds {
			t.Errorf("%d descriptors before, %d after", fds, n)
		}
		if n := countChildren(); n != 0 {
			t.Errorf("%d children left", n)
		}
	})
	return s
}

func (s *server) run(t *testing.T) {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.code <- s.Run() }()
}

func (s *server) end(t *testing.T, want int) {
	t.Helper()
	s.Stop()
	if got := wait(t, s.code); got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
}

func wait[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing happened for 20 s")
		panic("unreachable")
	}
}

func countFds(t *testing.T) int {
	// The runtime's own descriptors (its epoll and eventfd) open with the first network use.
	if p, err := os.OpenFile("/dev/null", os.O_RDONLY, 0); err == nil {
		p.Close()
	}
	ds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range ds {
		if l, err := os.Readlink("/proc/self/fd/" + d.Name()); err == nil && !strings.HasPrefix(l, "anon_inode:") {
			n++
		}
	}
	return n
}

func TestChildSeesWhatMainHandedDown(t *testing.T) {
	s := newServer(t, Options{Config: []byte("request_route {}\n")})
	pipe := make([]int, 2)
	if err := unix.Pipe2(pipe, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	s.Add(Proc{Desc: "udp receiver child=0 sock=127.0.0.1:5060", Kind: "udp", Rank: 1, Arg: 4, Arg2: 5, Fds: []int{pipe[1]}})
	s.run(t)
	defer s.end(t, 0)
	want := `slot=1 gen=0 kind=udp arg=4/5 rank=1 config="request_route {}\n" fds=1 hand=0 restarted=false procs=1`
	if got := wait(t, s.said); got != want {
		t.Errorf("child says\n%s, want\n%s", got, want)
	}
	es := Table(s.a)
	if len(es) != 2 || es[0].Desc != "main process - attendant" || es[0].PID != os.Getpid() || es[1].Status != 1 || es[1].Rank != 1 {
		t.Fatalf("table %+v", es)
	}
	cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", es[1].PID))
	if want := "kahea\x00udp receiver child=0 sock=127.0.0.1:5060\x00"; err != nil || string(cmd) != want {
		t.Errorf("command line %q (%v), want %q", cmd, err, want)
	}
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", es[1].PID))
	if string(comm) != "kahea\n" {
		t.Errorf("comm %q", comm)
	}
}

func TestDescriptorsTravel(t *testing.T) {
	s := newServer(t, Options{}, Proc{Desc: "a", Kind: "plain"})
	type echo struct {
		text string
		fds  []int
	}
	back := make(chan echo, 1)
	s.Handle(kindEcho, func(_ int, p []byte, fds []int) { back <- echo{string(p), fds} })
	s.run(t)
	defer s.end(t, 0)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(1, kindEcho, []byte("take this"), pipe[1]); err != nil {
		t.Fatal(err)
	}
	unix.Close(pipe[1])
	e := wait(t, back)
	if e.text != "take this" || len(e.fds) != 1 {
		t.Fatalf("echo %+v", e)
	}
	if _, err := unix.Write(e.fds[0], []byte("x")); err != nil {
		t.Error(err)
	}
	unix.Close(e.fds[0])
	b := make([]byte, 9)
	if n, err := unix.Read(pipe[0], b); n != 1 || err != nil {
		t.Errorf("read %d %v", n, err)
	}
	unix.Close(pipe[0])
	if err := s.Send(2, kindEcho, nil); !errors.Is(err, errNoProcess) {
		t.Errorf("send to nobody: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	for name, c := range map[string]struct{ kind, want string }{
		"child_init fails": {"fails", "bad one (slot 2): no database"},
		"dies early":       {"dies early", "bad one (slot 2) ended during start: exited with status 7"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, Options{Restart: true}, Proc{Desc: "good", Kind: "plain"}, Proc{Desc: "bad one", Kind: c.kind})
			if err := s.Start(); err == nil || err.Error() != c.want {
				t.Errorf("start: %v, want %s", err, c.want)
			}
		})
	}
}

func TestRestart(t *testing.T) {
	var pipe [2]int
	died := make(chan string, 10)
	s := newServer(t, Options{Restart: true, Died: func(p Proc, slot int, status string) []int {
		died <- fmt.Sprintf("%s %d %s", p.Desc, slot, status)
		return pipe[:]
	}}, Proc{Desc: "a", Kind: "plain"}, Proc{Desc: "b", Kind: "plain"})
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	s.run(t)
	defer s.end(t, 0)
	wait(t, s.said)
	wait(t, s.said)
	if err := s.Send(2, kindDo, []byte("die")); err != nil {
		t.Fatal(err)
	}
	if got, want := wait(t, died), "b 2 killed by signal 9 (SIGKILL)"; got != want {
		t.Errorf("died %q, want %q", got, want)
	}
	want := `slot=2 gen=1 kind=plain arg=0/0 rank=0 config="" fds=0 hand=2 restarted=true procs=1`
	if got := wait(t, s.said); got != want {
		t.Errorf("successor says\n%s, want\n%s", got, want)
	}
	if e := Table(s.a)[2]; e.Generation != 1 || e.PID == 0 {
		t.Errorf("table %+v", e)
	}
}

func TestTooManyRestartsStop(t *testing.T) {
	s := newServer(t, Options{Restart: true, MaxRestarts: 3, MaxBackoff: time.Millisecond}, Proc{Desc: "a", Kind: "dies at once if restarted"})
	s.run(t)
	if err := s.Send(1, kindDo, []byte("die")); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, s.code); got != 0 { // the last one exited normally
		t.Errorf("exit code %d", got)
	}
	if got := len(s.died); got != 4 {
		t.Errorf("%d deaths, want 4", got)
	}
}

func TestBackoff(t *testing.T) {
	want := []time.Duration{0, 100, 200, 400, 800, 1600, 3000, 3000}
	for i, w := range want {
		if got := backoff(i, 3*time.Second); got != w*time.Millisecond {
			t.Errorf("death %d: %v, want %v ms", i, got, int(w))
		}
	}
	if got := backoff(1000, time.Second); got != time.Second {
		t.Errorf("death 1000: %v", got)
	}
}

func TestAllStop(t *testing.T) {
	for name, c := range map[string]struct {
		do   string
		code int
	}{"killed": {"die", 1}, "exited": {"exit", 0}} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, Options{}, Proc{Desc: "a", Kind: "plain"}, Proc{Desc: "b", Kind: "plain"})
			s.run(t)
			if err := s.Send(1, kindDo, []byte(c.do)); err != nil {
				t.Fatal(err)
			}
			if got := wait(t, s.code); got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
		})
	}
}

func TestHeartbeat(t *testing.T) {
	s := newServer(t, Options{Restart: true, Heartbeat: 1}, Proc{Desc: "a", Kind: "plain"}, Proc{Desc: "never beats", Kind: "plain"})
	s.run(t)
	defer s.end(t, 0)
	wait(t, s.said)
	wait(t, s.said)
	if err := s.Send(1, kindDo, []byte("beat once")); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, s.died); got != "a 1 killed by signal 9 (SIGKILL) (no heartbeat)" {
		t.Errorf("died %q", got)
	}
	if len(s.died) != 0 {
		t.Error("a process that never beat was killed")
	}
}

// startMain runs the test binary as a main process and returns it and the pids of its children.
func startMain(t *testing.T, env ...string) (*exec.Cmd, []int) {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(append(os.Environ(), "KAHEA_TEST_MAIN=1"), env...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, f := range strings.Fields(line) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatalf("main says %q", line)
		}
		pids = append(pids, n)
	}
	return c, pids
}

func TestSignalsOfMain(t *testing.T) {
	for name, c := range map[string]struct {
		sigs []unix.Signal
		code int
	}{
		"TERM":                       {[]unix.Signal{unix.SIGTERM}, 0},
		"INT":                        {[]unix.Signal{unix.SIGINT}, 0},
		"HUP, USR1, USR2, PIPE, INT": {[]unix.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGINT}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, _ := startMain(t)
			for _, s := range c.sigs {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
		})
	}
}

// TestStatusDuringStart: USR1 is answered while main still waits for its children.
func TestStatusDuringStart(t *testing.T) {
	status := make(chan bool, 1)
	s := newServer(t, Options{Status: func() { status <- true }}, Proc{Desc: "a", Kind: "starts slowly"})
	started := make(chan error, 1)
	go func() { started <- s.Start() }()
	if got := wait(t, s.said); got != "starting" {
		t.Fatalf("child says %q", got)
	}
	if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	wait(t, status)
	if err := s.Send(1, kindDo, []byte("go on")); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, started); err != nil {
		t.Fatal(err)
	}
	go func() { s.code <- s.Run() }()
	s.end(t, 0)
}

func TestTermOfAChildStopsKamailiosWay(t *testing.T) {
	cmd, pids := startMain(t)
	unix.Kill(pids[1], unix.SIGTERM)
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
}

// TestDeathOfMain: a killed main takes its children along. Their end is seen through pidfds.
func TestDeathOfMain(t *testing.T) {
	cmd, pids := startMain(t)
	var ps []unix.PollFd
	for _, p := range pids {
		fd, err := unix.PidfdOpen(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		ps = append(ps, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for len(ps) > 0 {
		n, err := unix.Poll(ps, 20000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n == 0 || err != nil {
			t.Fatalf("%d children outlive main (%v)", len(ps), err)
		}
		ps = slices.DeleteFunc(ps, func(p unix.PollFd) bool { return p.Revents != 0 })
	}
}

func TestSealed(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 1<<20)
	fd, err := seal(big)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if got, err := readSealed(fd); err != nil || !bytes.Equal(got, big) {
		t.Errorf("read back %d bytes: %v", len(got), err)
	}
	if _, err := unix.Pwrite(fd, []byte("y"), 9); !errors.Is(err, unix.EPERM) {
		t.Errorf("write to the sealed configuration: %v", err)
	}
}

func BenchmarkStart20(b *testing.B) {
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	for b.Loop() {
		a, err := shm.Create(4<<20, shm.QM)
		if err != nil {
			b.Fatal(err)
		}
		m, err := New(Options{Arena: a, Log: func(_ int, s string) {}})
		if err != nil {
			b.Fatal(err)
		}
		for i := range 20 {
			m.Add(Proc{Desc: fmt.Sprint("p", i), Kind: "plain"})
		}
		m.Handle(kindSay, func(int, []byte, []int) {})
		if err := m.Start(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		m.Stop()
		m.Run()
		a.Close()
		b.StartTimer()
	}
}
