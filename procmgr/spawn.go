package procmgr

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawner starts children from one locked thread, which lives until close: their parent-death signal hangs on it.
type spawner struct {
	work chan func() // nil: the thread is the caller's (Resume)
	done chan struct{}
	// forking is held while a process is made: until it has executed its binary it has copies of all our descriptors
	forking sync.Mutex
	// only on the thread:
	ambient []uintptr // capabilities that children keep
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
		// Every child is gone by now. A goroutine that ends locked would take its thread along; with dropped capabilities that is what we want.
		if s.ambient == nil {
			runtime.UnlockOSThread()
		}
	}()
	return s
}

// do runs f on the thread and waits for it.
func (s *spawner) do(f func()) {
	if s.work == nil {
		f()
		return
	}
	ret := make(chan struct{})
	s.work <- func() { f(); close(ret) }
	<-ret
}

func (s *spawner) close() {
	if s.work != nil {
		close(s.work)
		<-s.done
	}
}

// start starts one child and returns its pid and main's end of its control channel.
func (s *spawner) start(h hello, name string, env []string, stdio [3]uintptr, arena, conf int, fds []int) (pid int, c *Control, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("control socketpair: %w", err)
	}
	defer unix.Close(pair[1])
	b, err := json.Marshal(h)
	if err == nil {
		_, err = unix.Write(pair[0], append([]byte{kindHello}, b...))
	}
	if err != nil {
		unix.Close(pair[0])
		return 0, nil, fmt.Errorf("write hello: %w", err)
	}
	files := []uintptr{stdio[0], stdio[1], stdio[2], fdControl: uintptr(pair[1]), fdArena: uintptr(arena), fdConfig: uintptr(conf)}
	for _, fd := range fds {
		files = append(files, uintptr(fd))
	}
	s.do(func() {
		s.forking.Lock()
		defer s.forking.Unlock()
		pid, err = syscall.ForkExec("/proc/self/exe", []string{name, h.Desc}, &syscall.ProcAttr{
			Env: env, Files: files,
			Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, AmbientCaps: s.ambient},
		})
	})
	if err != nil {
		unix.Close(pair[0])
		return 0, nil, fmt.Errorf("start %q: %w", h.Desc, err)
	}
	if c, err = newControl(pair[0]); err != nil {
		unix.Kill(pid, unix.SIGKILL)
		var ws unix.WaitStatus
		for {
			if _, werr := unix.Wait4(pid, &ws, 0, nil); !errors.Is(werr, unix.EINTR) {
				break
			}
		}
		return 0, nil, err
	}
	return pid, c, nil
}

// Dup duplicates a descriptor, closed on exec: for descriptors that become the Manager's (Proc.Fds) while somebody else keeps the first.
func Dup(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("duplicate descriptor %d: %w", fd, err)
	}
	return n, nil
}

// environ is what a child sees: main's environment, what the options add, and the marker.
func environ(extra []string) []string {
	var env []string
	procs := false
	for _, e := range append(os.Environ(), extra...) {
		if strings.HasPrefix(e, marker+"=") {
			continue
		}
		procs = procs || strings.HasPrefix(e, "GOMAXPROCS=")
		env = append(env, e)
	}
	if !procs {
		env = append(env, "GOMAXPROCS=1") // the loop's; see reactor's wait.go
	}
	return append(env, marker+"=1")
}
