package procmgr

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// DaemonOptions are the ids, directories, limits and files of a daemon.
type DaemonOptions struct {
	Foreground, NoFork                                      bool // -DD, -D
	Chroot, Workdir, PidFile, PgidFile, User, Group, RunDir string
	DisableCoreDump                                         bool
	OpenFilesLimit                                          int // 0: untouched
	LogStderr                                               bool
	Name                                                    string
}

// daemonMarker is the environment variable that says "you are detached"; its value is the descriptor of the status pipe.
const daemonMarker = "KAHEA_DAEMON"

// failedStart is the exit code of the caller when the server ended without a word.
const failedStart = 255

// Detach is the fork of daemon mode. A Go process cannot fork, so the caller's process executes itself again in a session of its own, waits until that
// one calls Daemon.Report, and gets parent true and the code to exit with. In the detached process, and with -D and -DD, parent is false and the
// program goes on. It must be called before anything is opened that the second process would open again; the configuration is read twice.
func Detach(o DaemonOptions) (parent bool, code int, err error) {
	if o.Foreground || o.NoFork || os.Getenv(daemonMarker) != "" {
		return false, 0, nil
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return true, failedStart, fmt.Errorf("status pipe: %w", err)
	}
	defer unix.Close(p[0])
	pid, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env: append(os.Environ(), daemonMarker+"=3"), Files: []uintptr{0, 1, 2, uintptr(p[1])}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	unix.Close(p[1])
	if err != nil {
		return true, failedStart, fmt.Errorf("detach: %w", err)
	}
	var b [1]byte
	for {
		n, err := unix.Read(p[0], b[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n == 1 {
			return true, int(b[0]), nil
		}
		break
	}
	var ws unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &ws, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return true, failedStart, nil
}

// IsDetached says whether this process is the one that Detach has started, before Enter.
func IsDetached() bool { return os.Getenv(daemonMarker) != "" }

// Daemon is what a running server has taken on by Enter.
type Daemon struct {
	o      DaemonOptions
	status int // write end of the status pipe, -1: none
	files  []string
}

// Enter does it in Kamailio's order: chroot, working directory, run directory, limits, pid file, pgid file. With -D it does nothing but the limits. User and
// group are looked up inside the jail. After an error Close has been called.
func Enter(o DaemonOptions) (_ *Daemon, err error) {
	d := &Daemon{o: o, status: -1}
	if v := os.Getenv(daemonMarker); v != "" {
		os.Unsetenv(daemonMarker)
		if d.status, err = strconv.Atoi(v); err != nil {
			return nil, fmt.Errorf("%s=%q: %w", daemonMarker, v, err)
		}
		unix.CloseOnExec(d.status)
	}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if err := limits(o); err != nil {
		return nil, err
	}
	if o.NoFork {
		return d, nil
	}
	if o.Chroot != "" {
		if err := unix.Chroot(o.Chroot); err != nil {
			return nil, fmt.Errorf("chroot %s: %w", o.Chroot, err)
		}
	}
	dir := o.Workdir
	if dir == "" {
		dir = "/"
	}
	if err := os.Chdir(dir); err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	if o.Chroot != "" {
		if err := unix.Access("/proc/self/exe", unix.X_OK); err != nil {
			return nil, fmt.Errorf("chroot %s: /proc/self/exe (a jail needs /proc, processes are started through it): %w", o.Chroot, err)
		}
	}
	id, err := LookupIdentity(o.User, o.Group)
	if err != nil {
		return nil, err
	}
	if o.RunDir != "" {
		switch err := os.Mkdir(o.RunDir, 0o700); {
		case err == nil:
			if err := os.Chown(o.RunDir, id.chownUID(), id.chownGID()); err != nil {
				return nil, fmt.Errorf("run directory: %w", err)
			}
		case !errors.Is(err, os.ErrExist):
			return nil, fmt.Errorf("run directory: %w", err)
		}
	}
	if o.PidFile != "" {
		if err := writePid(o.PidFile, os.Getpid(), true, id); err != nil {
			return nil, err
		}
		d.files = append(d.files, o.PidFile)
	}
	if o.PgidFile != "" {
		own := unix.Getpgrp() == os.Getpid()
		if err := checkPid(o.PgidFile, false); err != nil {
			return nil, err
		}
		if !own {
			if err := os.Remove(o.PgidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("pgid file: %w", err)
			}
		} else {
			if err := writePid(o.PgidFile, unix.Getpgrp(), false, id); err != nil {
				return nil, err
			}
			d.files = append(d.files, o.PgidFile)
		}
	}
	return d, nil
}

// ResumeDaemon is Enter's result for a new binary in the place of a process that had entered already. files are the pid files that it wrote.
func ResumeDaemon(o DaemonOptions, files []string) *Daemon {
	return &Daemon{o: o, files: files, status: -1}
}

// Files are the pid files to remove at the end.
func (d *Daemon) Files() []string { return d.files }

// limits sets core size and the number of descriptors.
func limits(o DaemonOptions) error {
	core := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if o.DisableCoreDump {
		core = unix.Rlimit{}
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &core); err != nil {
		var have unix.Rlimit
		if e := unix.Getrlimit(unix.RLIMIT_CORE, &have); e != nil || o.DisableCoreDump {
			return fmt.Errorf("core limit: %w", err)
		}
		have.Cur = have.Max // not root: as far as it goes
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &have); err != nil {
			return fmt.Errorf("core limit: %w", err)
		}
	}
	if o.OpenFilesLimit > 0 {
		var l unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
			return fmt.Errorf("open files limit: %w", err)
		}
		if n := uint64(o.OpenFilesLimit); n > l.Cur {
			l.Cur, l.Max = n, max(l.Max, n)
			// syscall's, not unix's: the runtime must know, or it gives children the old limit back.
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: l.Cur, Max: l.Max}); err != nil {
				return fmt.Errorf("open files limit %d: %w", n, err)
			}
		}
	}
	return nil
}

// Silence puts /dev/null in the place of stdin, stdout and, unless LogStderr, stderr; with -D it does nothing. Call it when whatever may still be worth
// reading on the terminal has been said. Children have /dev/null from their start (Options.Silent).
func (d *Daemon) Silence() error {
	if d.o.NoFork {
		return nil
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("/dev/null: %w", err)
	}
	defer unix.Close(null)
	for fd := range 3 {
		if fd == 2 && d.o.LogStderr {
			continue
		}
		if err := unix.Dup3(null, fd, 0); err != nil {
			return fmt.Errorf("/dev/null as descriptor %d: %w", fd, err)
		}
	}
	return nil
}

// Report tells the process that called Detach how the start went (0: all processes are up); it exits with that.
func (d *Daemon) Report(code int) {
	if d.status >= 0 {
		_, _ = unix.Write(d.status, []byte{byte(code)}) // nobody there: nothing to tell
		unix.Close(d.status)
		d.status = -1
	}
}

// Close removes the pid files (clean exit) and, if nothing was reported, lets the caller of Detach see a failure.
func (d *Daemon) Close() {
	for _, f := range d.files {
		_ = os.Remove(f) // the user may have lost the right to
	}
	d.files = nil
	if d.status >= 0 {
		unix.Close(d.status)
		d.status = -1
	}
}
