package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kahea/modules/lib/rpc"
)

// patience bounds every wait: how long until something that has to happen counts as not happening.
const patience = 20 * time.Second

// lines collects a process's output; waiters are woken for each line and at the end.
type lines struct {
	mu   sync.Mutex
	text []string
	end  bool
	more chan struct{}
}

func collect(r io.Reader) *lines {
	l := &lines{more: make(chan struct{})}
	go func() {
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<22)
		for s.Scan() {
			l.add(s.Text(), false)
		}
		l.add("", true)
	}()
	return l
}

func (l *lines) add(s string, end bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if end {
		l.end = true
	} else {
		l.text = append(l.text, s)
	}
	close(l.more)
	l.more = make(chan struct{})
}

func (l *lines) snapshot() (text []string, end bool, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text, l.end, l.more
}

// find waits for a line from number from on that matches and returns the match and the number of the line after it.
func (l *lines) find(re *regexp.Regexp, from int, d time.Duration) (m []string, next int, err error) {
	timeout := time.After(d)
	for {
		text, end, more := l.snapshot()
		for ; from < len(text); from++ {
			if m := re.FindStringSubmatch(text[from]); m != nil {
				return m, from + 1, nil
			}
		}
		if end {
			return nil, 0, fmt.Errorf("no line %q until the end", re)
		}
		select {
		case <-more:
		case <-timeout:
			return nil, 0, fmt.Errorf("no line %q within %v", re, d)
		}
	}
}

func (l *lines) waitEnd(d time.Duration) error {
	timeout := time.After(d)
	for {
		_, end, more := l.snapshot()
		if end {
			return nil
		}
		select {
		case <-more:
		case <-timeout:
			return fmt.Errorf("output still open after %v: a process lives", d)
		}
	}
}

// last is the end of the output; of the memory reports only the last one, and no line at length.
func (l *lines) last(n int) string {
	text, _, _ := l.snapshot()
	report := len(text)
	for report--; report > 0 && !usageLine.MatchString(text[report]); report-- {
	}
	var out []string
	for i, x := range text {
		if i < report && (strings.Contains(x, "shared memory") || strings.Contains(x, "private memory")) {
			continue
		}
		out = append(out, x[:min(len(x), 1000)])
	}
	return strings.Join(out[max(0, len(out)-n):], "\n")
}

// instance is one running server.
type instance struct {
	t       testing.TB
	cmd     *exec.Cmd
	dir     string // configuration and run directory
	addr    string // UDP and TCP
	log     *lines
	read    int // lines of the log that were looked at
	exited  chan struct{}
	err     error
	pids    map[int]string // children after the start
	baseUse int64
	stopped bool
}

var hostNumber atomic.Uint32

// freeAddr gives an address of 127/8 that nobody uses, so that parallel tests do not meet.
func freeAddr(t testing.TB) string {
	for range 1000 {
		n := hostNumber.Add(1)
		pid := uint32(os.Getpid())
		addr := fmt.Sprintf("127.%d.%d.%d:%d", 100+n/200%100, pid%250+1, n%200+1, 15060+pid/250%200)
		u, err := net.ListenPacket("udp4", addr)
		if err != nil {
			continue
		}
		u.Close()
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			continue
		}
		l.Close()
		return addr
	}
	t.Fatal("no free loopback address")
	return ""
}

// testDir is a directory that goes with the test unless -keep is given.
func testDir(t testing.TB) string {
	if !*keepDir {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("", "kahea-case-")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("directory: %s", dir)
	return dir
}

// startServer runs a configuration at addr and waits until it answers OPTIONS; the configuration has listen lines for it, or args have.
func startServer(t testing.TB, addr, config string, args ...string) *instance {
	t.Helper()
	return startBinary(t, serverBinary, addr, config, args...)
}

// startBinary is startServer with a binary, or a program that executes it.
func startBinary(t testing.TB, binary, addr, config string, args ...string) *instance {
	t.Helper()
	s := &instance{t: t, dir: testDir(t), addr: addr, exited: make(chan struct{})}
	if config != "" {
		file := filepath.Join(s.dir, "kahea.cfg")
		if *oracle == "" {
			config += "\ndebug=2\nmemlog=-1\nmemdbg=-1\n"
		}
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"-f", file}, args...)
	}
	if err := os.Mkdir(s.runDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-DD", "-E", "-a", "off", "-Y", s.runDir(), "-w", s.dir)
	s.cmd = exec.Command(binary, args...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = w, w
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	s.log = collect(r)
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s:\n%s", strings.Join(s.cmd.Args, " "), s.log.last(400))
		}
		if !s.stopped {
			s.cmd.Process.Kill()
			<-s.exited
		}
		r.Close()
	})
	if *oracle == "" {
		if _, _, err := s.log.find(readyLine, 0, patience); err != nil {
			t.Fatalf("start: %v", err)
		}
	}
	if !s.alive(patience) {
		t.Fatalf("server at %s does not answer OPTIONS", addr)
	}
	s.pids = children(s.cmd.Process.Pid)
	if *oracle == "" {
		s.baseUse = s.used()
	}
	return s
}

func (s *instance) runDir() string { return filepath.Join(s.dir, "run") }

// alive asks OPTIONS until one is answered, the server ends, or time is up.
func (s *instance) alive(d time.Duration) bool {
	c := openUDP(s.t)
	defer c.Close()
	for n, end := 0, time.Now().Add(d); time.Now().Before(end); n++ {
		if c.write([]byte(probe(s.addr, c.addr(), fmt.Sprint("alive", n)))) == nil {
			if _, err := c.read(250 * time.Millisecond); err == nil {
				return true
			}
		}
		select {
		case <-s.exited:
			return false
		default:
		}
	}
	return false
}

// probe is an OPTIONS that every configuration of a test answers with 200.
func probe(server, from, id string) string {
	return fmt.Sprintf("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKprobe%s\r\nMax-Forwards: 70\r\nFrom: <sip:probe@%s>;tag=probe\r\n"+
		"To: <sip:%s>\r\nCall-ID: probe-%s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", server, from, id, from, server, id)
}

var readyLine = regexp.MustCompile(`\d+ processes, .* ready after`)

var usageLine = regexp.MustCompile(`shared memory: total \d+ free \d+ used (\d+) `)

// used asks for the bytes in use in shared memory: over the control socket if there is one, by SIGUSR1 otherwise.
func (s *instance) used() int64 {
	s.t.Helper()
	if socket := filepath.Join(s.runDir(), "kamailio_ctl"); exists(socket) {
		n, err := askUsed(socket)
		if err != nil {
			s.t.Fatalf("core.shmmem: %v", err)
		}
		return n
	}
	text, _, _ := s.log.snapshot()
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		s.t.Fatal(err)
	}
	m, _, err := s.log.find(usageLine, len(text), patience)
	if err != nil {
		s.t.Fatalf("memory report: %v", err)
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	return n
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// askUsed calls core.shmmem.
func askUsed(socket string) (int64, error) {
	out, err := rpc.Ask("unix", socket, patience, "core.shmmem", nil)
	if err != nil {
		return 0, err
	}
	for _, s := range out {
		if i := slices.Index(s.Names, "used"); i >= 0 {
			return s.Members[i].Int, nil
		}
	}
	return 0, fmt.Errorf("no used in %v", out)
}

// memoryBack waits until as much shared memory is in use as after the start.
func (s *instance) memoryBack() {
	s.t.Helper()
	s.memoryBackWithin(patience)
}

func (s *instance) memoryBackWithin(d time.Duration) {
	s.t.Helper()
	var u int64
	if !eventually(d, func() bool {
		u = s.used()
		return u == s.baseUse
	}) {
		s.t.Errorf("shared memory in use: %d bytes after the start, %d at the end (%+d)", s.baseUse, u, u-s.baseUse)
	}
}

// eventually asks until f is true; it is for states that nobody announces.
func eventually(d time.Duration, f func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); ; <-tick.C {
		if f() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// sameProcesses says when a process of the start is gone or a new one has come.
func (s *instance) sameProcesses() {
	s.t.Helper()
	if now := children(s.cmd.Process.Pid); !slices.Equal(slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(s.pids))) {
		s.t.Errorf("processes changed:\nafter the start %v\nnow             %v", s.pids, now)
	}
}

var badLog = regexp.MustCompile(`panic|fatal error|goroutine \d+|CRITICAL|BUG`)

// stop ends the server with SIGTERM and checks that it leaves nothing.
func (s *instance) stop() {
	s.t.Helper()
	if s.stopped {
		return
	}
	select {
	case <-s.exited:
		s.stopped = true
		s.t.Fatalf("server ended by itself: %v", s.err)
	default:
	}
	all := children(s.cmd.Process.Pid)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Fatalf("server still runs %v after SIGTERM", patience)
	}
	s.stopped = true
	if *oracle != "" {
		return
	}
	if s.err != nil {
		s.t.Errorf("end after SIGTERM: %v, want exit code 0", s.err)
	}
	if err := s.log.waitEnd(patience); err != nil {
		s.t.Error(err)
	}
	for pid, name := range all {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			s.t.Errorf("process %d (%s) is left", pid, name)
		}
	}
	left, err := os.ReadDir(s.runDir())
	if err != nil {
		s.t.Error(err)
	}
	for _, f := range left {
		if f.Name() == quarantineDir {
			continue // what workers had in hand that the test killed: it stays for the operator
		}
		s.t.Errorf("%s is left in the run directory", f.Name())
	}
	text, _, _ := s.log.snapshot()
	for _, l := range text {
		if badLog.MatchString(l) {
			s.t.Errorf("in the log: %s", l)
		}
	}
}

// children are the living child processes of a process, with their titles.
func children(parent int) map[int]string {
	m := map[int]string{}
	dirs, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range dirs {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid ...
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(parent) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		title, err := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
		if err != nil {
			continue
		}
		m[pid] = strings.TrimRight(strings.ReplaceAll(string(title), "\x00", " "), " ")
	}
	return m
}

// outcome is a run of the binary to its end.
type outcome struct {
	code           int
	stdout, stderr string
}

func runBinary(t testing.TB, dir string, env []string, args ...string) outcome {
	t.Helper()
	c := exec.Command(serverBinary, args...)
	var out, errs bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = dir, &out, &errs
	c.Env = append(os.Environ(), env...)
	c.WaitDelay = patience
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { c.Process.Kill() })
	err := c.Wait()
	kill.Stop()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		t.Fatalf("%v: %v", args, err)
	}
	return outcome{c.ProcessState.ExitCode(), out.String(), errs.String()}
}
