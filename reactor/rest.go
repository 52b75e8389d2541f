package reactor

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rest waits for an epoll set through Go's own poller. The goroutine parks, so the P is free at once and without help of sysmon, and other goroutines run
// meanwhile. An ordinary system call would keep the P until sysmon takes it away, and wake sysmon when it returns: several times as dear.
type rest struct {
	f     *os.File
	c     syscall.RawConn
	ready func() bool // the caller's, while it waits
	ask   func(uintptr) bool
}

// newRest makes one for the epoll set ep, which stays the caller's.
func newRest(ep int) (*rest, error) {
	fd, err := unix.FcntlInt(uintptr(ep), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicate epoll set %d: %w", ep, err)
	}
	// only a descriptor that does not block goes to Go's poller; epoll_wait does not care
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("epoll set %d: %w", ep, err)
	}
	r := &rest{f: os.NewFile(uintptr(fd), "epoll set")}
	if r.c, err = r.f.SyscallConn(); err == nil {
		err = r.f.SetReadDeadline(time.Time{}) // fails if the poller does not watch it
	}
	if err != nil {
		r.f.Close()
		return nil, fmt.Errorf("epoll set %d in go's poller: %w", ep, err)
	}
	r.ask = func(uintptr) bool { return r.ready() }
	return r, nil
}

// wait returns when ready does (it asks the set without waiting), or after most ns.
func (r *rest) wait(most int64, ready func() bool) {
	if ready() || most <= 0 {
		return
	}
	r.ready = ready
	// both errors mean that the time is over: nothing else can fail on an open set
	_ = r.f.SetReadDeadline(time.Now().Add(time.Duration(most)))
	_ = r.c.Read(r.ask)
	r.ready = nil
}

func (r *rest) close() {
	if r != nil {
		r.f.Close()
	}
}
