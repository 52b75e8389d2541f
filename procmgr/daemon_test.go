package procmgr

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kahea/shm"

	"golang.org/x/sys/unix"
)

// daemonMain is a server that daemonizes (KAHEA_TEST_MAIN=daemon): DIR says where its files go, FAIL makes its start fail.
func daemonMain() int {
	o := DaemonOptions{PidFile: os.Getenv("DIR") + "/pid", PgidFile: os.Getenv("DIR") + "/pgid", Workdir: os.Getenv("DIR"), RunDir: os.Getenv("DIR") + "/run"}
	parent, code, err := Detach(o)
	if parent {
		if err != nil {
			fmt.Println(err)
		}
		return code
	}
	d, err := Enter(o)
	if err != nil {
		fmt.Println(err)
		return 255
	}
	defer d.Close()
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		return 9
	}
	m, err := New(Options{Arena: a, Name: "kahea", Env: []string{"KAHEA_TEST_MAIN="}, Silent: true, SilentErr: true})
	if err != nil {
		return 9
	}
	kind := "plain"
	if os.Getenv("FAIL") != "" {
		kind = "fails"
	}
	m.Add(Proc{Desc: "one", Kind: kind})
	m.Handle(kindSay, func(int, []byte, []int) {})
	if err := m.Start(); err != nil {
		fmt.Println(err)
		return 255
	}
	if err := d.Silence(); err != nil {
		return 9
	}
	d.Report(0)
	return m.Run()
}

func runDaemon(t *testing.T, dir string, env ...string) (code int, out string) {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(append(os.Environ(), "KAHEA_TEST_MAIN=daemon", "DIR="+dir), env...)
	b, _ := c.CombinedOutput()
	return c.ProcessState.ExitCode(), string(b)
}

func TestDaemon(t *testing.T) {
	dir := t.TempDir()
	if code, out := runDaemon(t, dir); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	b, err := os.ReadFile(dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	_, _ = fmt.Sscan(string(b), &pid)
	if g, _ := os.ReadFile(dir + "/pgid"); string(g) != string(b) {
		t.Errorf("pgid file %q, pid file %q", g, b)
	}
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session %d of process %d: %v", sid, pid, err)
	}
	if cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); cwd != dir {
		t.Errorf("working directory %s", cwd)
	}
	if out, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", pid)); out != "/dev/null" {
		t.Errorf("stdout is %s", out)
	}
	if st, err := os.Stat(dir + "/run"); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("run directory %v %v", st, err)
	}
	if code, out := runDaemon(t, dir); code != 255 || !strings.Contains(out, ErrRunning.Error()) {
		t.Errorf("second instance: exit code %d: %s", code, out)
	}
	if again, _ := os.ReadFile(dir + "/pid"); string(again) != string(b) {
		t.Error("the second instance has changed the first one's pid file")
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	unix.Kill(pid, unix.SIGTERM)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n != 1 {
			t.Fatal("the daemon does not end")
		}
		break
	}
	if _, err := os.Stat(dir + "/pid"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("pid file after the end: %v", err)
	}
}

func TestDaemonStartFails(t *testing.T) {
	dir := t.TempDir()
	if code, out := runDaemon(t, dir, "FAIL=1"); code != 255 || !strings.Contains(out, "no database") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, err := os.Stat(dir + "/pid"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("pid file after a failed start: %v", err)
	}
}

func TestPidFile(t *testing.T) {
	dead := exec.Command("/proc/self/exe", "-test.run=NONE")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content string
		want    error
	}{
		"living process":  {fmt.Sprint(os.Getpid()), ErrRunning},
		"somebody else's": {"1\n", ErrRunning},
		"dead process":    {fmt.Sprintln(dead.Process.Pid), nil},
		"no number":       {"hello", ErrNoPid},
		"empty":           {"", ErrNoPid},
	} {
		t.Run(name, func(t *testing.T) {
			f := filepath.Join(t.TempDir(), "pid")
			if err := os.WriteFile(f, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := writePid(f, 42, true, Identity{}); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			want := c.content
			if c.want == nil {
				want = "42\n"
			}
			if b, _ := os.ReadFile(f); string(b) != want {
				t.Errorf("it now has %q, want %q", b, want)
			}
		})
	}
	if err := writePid("/nowhere/pid", 42, true, Identity{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not creatable: %v", err)
	}
}

func TestLookupIdentity(t *testing.T) {
	for _, c := range []struct {
		user, group string
		uid, gid    int
	}{{"nobody", "", 65534, 65534}, {"65534", "", 65534, 65534}, {"nobody", "daemon", 65534, 1}, {"4711", "4712", 4711, 4712}} {
		id, err := LookupIdentity(c.user, c.group)
		if err != nil || id.UID != c.uid || id.GID != c.gid {
			t.Errorf("%s:%s is %+v, %v", c.user, c.group, id, err)
		}
	}
	if _, err := LookupIdentity("no such user", ""); err == nil {
		t.Error("unknown user accepted")
	}
}

// dropMain (KAHEA_TEST_MAIN=drop) becomes nobody, starts a child that opens a low port, and prints what both are.
func dropMain() int {
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		return 9
	}
	m, err := New(Options{Arena: a, Name: "kahea", Env: []string{"KAHEA_TEST_MAIN="}})
	if err != nil {
		return 9
	}
	m.Add(Proc{Desc: "one", Kind: "binds"})
	said := make(chan string, 9)
	m.Handle(kindSay, func(_ int, p []byte, _ []int) { said <- string(p) })
	id, err := LookupIdentity("nobody", "")
	if err == nil {
		err = m.DropPrivileges(id, true, true)
	}
	if err == nil {
		err = m.Start()
	}
	if err != nil {
		fmt.Println(err)
		return 255
	}
	fmt.Printf("main %d %d %s; child %s\n", os.Getuid(), os.Getgid(), bindLow(), <-said)
	m.Stop()
	return m.Run()
}

func bindLow() string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: 987, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "may not"
	}
	return "may"
}

func TestDropPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root has privileges to drop")
	}
	exe := filepath.Join(t.TempDir(), "kahea") // where nobody may execute it
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, b, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), "KAHEA_TEST_MAIN=drop")
	out, err := io.ReadAll(mustPipe(t, c))
	_ = c.Wait()
	low, _ := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	main := "may not"
	if strings.TrimSpace(string(low)) == "0" {
		main = "may"
	}
	want := fmt.Sprintf("main 65534 65534 %s; child 65534 65534 [65534] may\n", main)
	if string(out) != want || err != nil {
		t.Errorf("%q (%v), want %q", out, err, want)
	}
}

func mustPipe(t *testing.T, c *exec.Cmd) io.Reader {
	r, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}
