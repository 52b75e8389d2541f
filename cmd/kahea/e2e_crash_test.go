package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const crashConfig = `
listen=udp:@SERVER@
listen=tcp:@SERVER@
children=2
tcp_children=1
loadmodule "ctl.so"
loadmodule "cfgutils.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "crash.so"
request_route {
	if ($hdr(Subject) == "later") {
		usleep("1000");
		crash("kill");
	}
	sl_send_reply("200", "OK");
}
`

// crashBinaries are the debug build of the server, in which module crash is, and kaheactl.
var crashBinaries = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Dir(serverBinary) // goes with it
	for _, args := range [][]string{{"-tags", "kaheadebug", "-o", filepath.Join(dir, "kahea-debug"), "."}, {"-o", filepath.Join(dir, "kaheactl"), "../kaheactl"}} {
		if out, err := exec.Command("go", append([]string{"build"}, args...)...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build %v: %w\n%s", args, err, out)
		}
	}
	return dir, nil
})

// crashServer is a server of the debug build, and sources that keep asking it OPTIONS.
type crashServer struct {
	*instance
	bin  string // directory of crashBinaries
	conf string
	read int // lines of the log that were looked at
	n    int

	quit     chan struct{}
	wg       sync.WaitGroup
	answered atomic.Int64
}

func startCrashServer(t *testing.T, config string, env ...string) *crashServer {
	t.Helper()
	return startCrashServerBy(t, nil, config, env...)
}

// startCrashServerBy starts one by the command wrap, if there is one.
func startCrashServerBy(t *testing.T, wrap []string, config string, env ...string) *crashServer {
	t.Helper()
	bin, err := crashBinaries()
	if err != nil {
		t.Fatal(err)
	}
	s := &crashServer{instance: &instance{t: t, dir: testDir(t), addr: freeAddr(t), exited: make(chan struct{})}, bin: bin, quit: make(chan struct{})}
	s.conf = filepath.Join(s.dir, "kahea.cfg")
	if err := os.WriteFile(s.conf, []byte(strings.ReplaceAll(config, "@SERVER@", s.addr)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.runDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	args := append(wrap, filepath.Join(bin, "kahea-debug"), "-f", s.conf, "-DD", "-E", "-a", "off", "-Y", s.runDir(), "-w", s.dir)
	s.cmd = exec.Command(args[0], args[1:]...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = w, w
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	s.cmd.Env = append(os.Environ(), env...)
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
			t.Logf("log:\n%s", s.log.last(400))
		}
		s.cmd.Process.Kill()
		<-s.exited
		r.Close()
	})
	if !s.alive(patience) {
		t.Fatal("the server does not answer OPTIONS")
	}
	return s
}

// ask sends OPTIONS again and again from u until it is answered.
func (s *crashServer) ask(u *udpSocket, id string) error {
	m := []byte(probe(s.addr, u.addr(), id))
	want := []byte("Call-ID: probe-" + id + "\r\n")
	for end := time.Now().Add(2 * patience); time.Now().Before(end); {
		if err := u.write(m); err != nil {
			return err
		}
		for {
			b, err := u.read(100 * time.Millisecond)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return err
			}
			if bytes.Contains(b, want) && bytes.HasPrefix(b, []byte("SIP/2.0 200 ")) {
				return nil
			}
		}
	}
	return fmt.Errorf("OPTIONS %s was not answered within %v", id, 2*patience)
}

// traffic has n sources ask one OPTIONS after the other until calm is called, which says how many were answered.
func (s *crashServer) traffic(n int) (calm func() int64) {
	for i := range n {
		u := openUDP(s.t)
		s.t.Cleanup(func() { u.Close() })
		s.wg.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-s.quit:
					return
				default:
				}
				if err := s.ask(u, fmt.Sprintf("%d-%d", i, k)); err != nil {
					s.t.Error(err)
					return
				}
				s.answered.Add(1)
			}
		})
	}
	return func() int64 {
		close(s.quit)
		s.wg.Wait()
		return s.answered.Load()
	}
}

var deathLine = regexp.MustCompile(`child process "(.*)" \(slot \d+\) (killed by .*|exited with .*)`)

// deaths waits for n lines about a death and wants none besides.
func (s *crashServer) deaths(n int, how string, settle func()) {
	s.t.Helper()
	for range n {
		m, next, err := s.log.find(deathLine, s.read, 3*patience)
		if err != nil {
			s.t.Fatalf("of %d deaths: %v", n, err)
		}
		if s.read = next; m[2] != how {
			s.t.Errorf("%s %s, want it to be %s", m[1], m[2], how)
		}
	}
	settle()
	text, _, _ := s.log.snapshot()
	for ; s.read < len(text); s.read++ {
		if deathLine.MatchString(text[s.read]) {
			s.t.Errorf("one death too many: %s", text[s.read])
		}
	}
}

// kill sends m over u, again and again as a client does, until its worker has died twice. Then m does nothing any more: it is sent more times, and OPTIONS behind it, from
// the same address and so to the same worker, is answered.
func (s *crashServer) kill(u *udpSocket, m []byte, how string) {
	s.t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for {
			if err := u.write(m); err != nil {
				s.t.Error(err)
				return
			}
			select {
			case <-stop:
				return
			case <-again.C:
			}
		}
	})
	s.deaths(2, how, func() {
		close(stop)
		wg.Wait()
		for range 5 {
			if err := u.write(m); err != nil {
				s.t.Error(err)
			}
		}
		s.n++
		if err := s.ask(u, fmt.Sprint("behind-", s.n)); err != nil {
			s.t.Error(err)
		}
	})
}

// ctl runs kaheactl.
func (s *crashServer) ctl(args ...string) (stdout []byte) {
	s.t.Helper()
	c := exec.Command(filepath.Join(s.bin, "kaheactl"), append([]string{"-s", filepath.Join(s.runDir(), "kamailio_ctl"), "--json"}, args...)...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		s.t.Fatalf("kaheactl %v: %v: %s", args, err, errs.Bytes())
	}
	return out
}

type quarantined struct {
	Digest, Source, Death, File, Last string
	Drops, Bytes                      int
}

// listed wants one message in the quarantine and returns it.
func (s *crashServer) listed() quarantined {
	s.t.Helper()
	var l []quarantined
	out := s.ctl("quarantine")
	if err := json.Unmarshal(out, &l); err != nil || len(l) != 1 {
		s.t.Fatalf("quarantine lists %s, %v; want one message", out, err)
	}
	return l[0]
}

func (s *crashServer) end() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Fatalf("server still runs %v after SIGTERM", patience)
	}
	if s.err != nil {
		s.t.Errorf("end after SIGTERM: %v, want exit code 0", s.err)
	}
}

// memoryLimit makes a control group whose processes have so many bytes together, and is the command that starts another within it.
func memoryLimit(t *testing.T, bytes int) (wrap []string) {
	t.Helper()
	var errs []error
	for _, g := range []struct{ root, limit string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		dir, err := os.MkdirTemp(g.root, "kahea-test-")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.Cleanup(func() {
			if !eventually(patience, func() bool { return os.Remove(dir) == nil }) {
				t.Errorf("control group %s has processes left", dir)
			}
		})
		// without O_CREATE: where the kernel has no such limit, there is no such file
		f, err := os.OpenFile(filepath.Join(dir, g.limit), os.O_WRONLY, 0)
		if err == nil {
			_, err = fmt.Fprint(f, bytes)
			f.Close()
		}
		if err == nil {
			return []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(dir, "cgroup.procs")}
		}
		errs = append(errs, err)
	}
	t.Skipf("no control group with a limit of memory can be made here (it needs root): %v", errors.Join(errs...))
	return nil
}

func crashMessage(server, from, way string) []byte {
	return []byte(strings.Replace(probe(server, from, "crash"), "Call-ID:", "X-Kahea-Crash: "+way+"\r\nCall-ID:", 1))
}

// TestCrash kills workers in every way that a message can: two deaths, then none, and all others are served meanwhile. What killed is listed, can be released and then
// kills again, and its file makes kahea replay crash in the same way.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		way, how string
		code     int    // of kahea replay; -1: a signal
		says     string // its standard error
	}{
		{"panic", "exited with status 2", 2, "panic: X-Kahea-Crash: panic"},
		{"segv", "exited with status 2", 2, "SIGSEGV: segmentation violation"},
		{"bus", "exited with status 2", 2, "SIGBUS: bus error"},
		{"oom", "killed by signal 9 (SIGKILL)", 4, "X-Kahea-Crash: oom"},
		{"stack", "exited with status 2", 2, "fatal error: stack overflow"},
		{"exit", "exited with status 3", 3, "X-Kahea-Crash: exit"},
		{"kill", "killed by signal 9 (SIGKILL)", -1, "X-Kahea-Crash: kill"},
		{"loop", "killed by signal 9 (SIGKILL) (no heartbeat)", 255, "main.crash("},
	} {
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()
			var wrap []string
			if c.way == "oom" {
				wrap = memoryLimit(t, 512<<20)
			}
			s := startCrashServerBy(t, wrap, crashConfig)
			calm := s.traffic(4)
			u := openUDP(t)
			defer u.Close()
			m := crashMessage(s.addr, u.addr(), c.way)
			s.kill(u, m, c.how)
			q := s.listed()
			if want := "udp:" + u.addr(); q.Source != want || q.Death != c.how || q.Bytes != len(m) || q.Drops < 6 || q.Last == "never" {
				t.Errorf("listed: %+v; want source %s, death %q, %d bytes, at least 6 drops", q, want, c.how, len(m))
			}
			b, err := os.ReadFile(q.File)
			if err != nil {
				t.Fatal(err)
			}
			if saved, err := parseSaved(b); err != nil || !bytes.Equal(saved.Msg, m) || saved.Deaths != 2 || saved.Dst.String() != s.addr {
				t.Errorf("saved: %v, %v\n%s", saved, err, b)
			}
			replay := exec.Command(filepath.Join(s.bin, "kahea-debug"), "replay", "-f", s.conf, "-a", "off", q.File)
			out, err := replay.CombinedOutput()
			if got := replay.ProcessState.ExitCode(); got != c.code || !bytes.Contains(out, []byte(c.says)) {
				t.Errorf("replay: exit code %d, %v, want %d and %q:\n%s", got, err, c.code, c.says, out[:min(len(out), 2000)])
			}
			if c.way != "loop" { // it takes its time
				s.ctl("quarantine", "release", q.Digest)
				if out := s.ctl("quarantine"); string(out) != "[]\n" {
					t.Errorf("after the release: %s", out)
				}
				s.kill(u, m, c.how)
				if again := s.listed(); again.Digest != q.Digest || again.File == q.File {
					t.Errorf("after the release it is listed as %+v, before as %+v", again, q)
				}
			}
			if n := calm(); n < 10 {
				t.Errorf("only %d OPTIONS were answered meanwhile", n)
			}
			s.end()
		})
	}
	// a script that was suspended is nowhere in the batch any more
	t.Run("suspended", func(t *testing.T) {
		t.Parallel()
		s := startCrashServer(t, crashConfig)
		calm := s.traffic(4)
		u := openUDP(t)
		defer u.Close()
		m := []byte(strings.Replace(probe(s.addr, u.addr(), "crash"), "Call-ID:", "Subject: later\r\nCall-ID:", 1))
		s.kill(u, m, "killed by signal 9 (SIGKILL)")
		if q := s.listed(); q.Source != "udp:"+u.addr() || q.Bytes != len(m) {
			t.Errorf("listed: %+v", q)
		}
		calm()
		s.end()
	})
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		s := startCrashServer(t, crashConfig)
		dial := func() (net.Conn, []byte) {
			c, err := net.Dial("tcp4", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(time.Now().Add(patience))
			return c, bytes.Replace(crashMessage(s.addr, "192.0.2.1:5060", "kill"), []byte("/UDP"), []byte("/TCP"), 1)
		}
		// each connection ends with its worker
		for range 2 {
			c, m := dial()
			if _, err := c.Write(m); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes of an answer", n)
			}
		}
		s.deaths(2, "killed by signal 9 (SIGKILL)", func() {
			c, m := dial()
			behind := strings.Replace(probe(s.addr, "192.0.2.1:5060", "behind"), "/UDP", "/TCP", 1)
			if _, err := c.Write(append(m, behind...)); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 4096)
			if n, err := c.Read(b); err != nil || !bytes.Contains(b[:n], []byte("Call-ID: probe-behind\r\n")) {
				t.Errorf("behind the dropped message: %q, %v", b[:n], err)
			}
		})
		if q := s.listed(); !strings.HasPrefix(q.Source, "tcp:127.") || q.Drops != 1 {
			t.Errorf("listed: %+v", q)
		}
		s.end()
	})
}
