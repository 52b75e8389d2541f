package procmgr

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Errors of pid files.
var (
	ErrRunning = errors.New("a running process has it")
	ErrNoPid   = errors.New("no process number in it")
)

// checkPid applies Kamailio's rules to a file that may be there: a living process (if alive counts) or unreadable content is an error.
func checkPid(path string, alive bool) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	text := strings.TrimSpace(string(b))
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 0 {
		return fmt.Errorf("pid file %s, %.20q: %w", path, text, ErrNoPid)
	}
	if !alive {
		return nil
	}
	if err := unix.Kill(pid, 0); err == nil || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("pid file %s, process %d: %w", path, pid, ErrRunning)
	}
	return nil
}

// writePid replaces the file of a dead process.
func writePid(path string, pid int, alive bool, id Identity) error {
	if err := checkPid(path, alive); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("pid file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	_, err = fmt.Fprintf(f, "%d\n", pid)
	if err == nil {
		err = f.Chown(id.chownUID(), id.chownGID())
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("pid file %s: %w", path, err)
	}
	return nil
}
