package reactor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// serve goes on without gnet until something is ready that gnet must handle. Everything that gnet watches shows on its epoll descriptor, so nothing is missed.
//
// While there is traffic the wait is raw (design.md 3, Waiting): the thread keeps its P, because giving it away and taking it back costs more than a
// whole message. After IdleAfter without traffic the same wait is made by an ordinary system call, which gives the P away; it ends with the next tick. Resting
// here and not in gnet's own wait makes a tick one wake-up of one thread; a goroutine that rings the doorbell of a loop in gnet costs ten times that.
func (w *Worker) serve(e *engine) {
	for !w.stopping.Load() {
		n := 0
		if w.rx != nil {
			if n = w.drain(w.sock); n > 0 {
				w.clock()
				w.traffic = w.mono
			}
		}
		w.turn()
		if w.rx != nil && n == len(w.rx.msgs) {
			continue
		}
		// gnet may have taken the wake-up for an enrolment (edge-triggered) together with the event that is being handled here, and would not be told again.
		if w.tcp != nil && w.tcp.enrolling.Load() > 0 || !w.wait(e) {
			break
		}
	}
	for {
		w.state.Store(resting)
		if w.nposts.Load() == 0 || w.stopping.Load() {
			return
		}
		w.state.Store(running)
		w.turn()
	}
}

// longestRest is how many ticks an idle loop sleeps at most: a second, so that its heart is heard.
const longestRest = 16

// wait waits for more, at most until the next tick; false: back to gnet.
func (w *Worker) wait(e *engine) bool {
	next := w.tick + 1
	if w.rester != nil && w.mono >= w.traffic+w.o.IdleAfter && len(w.old) == 0 && (w.tcp == nil || len(w.tcp.list) == 0 && len(w.tcp.untold) == 0) {
		next = min(max(w.rester.NextTick(w.tick), next), w.tick+longestRest)
	}
	tick := int64(next)*tickTime + w.sh.root.Epoch - w.mono
	busy := w.traffic + w.o.IdleAfter - w.mono
	most := max(tick, 0)
	if busy > 0 {
		most = min(most, busy)
	}
	w.state.Store(polling)
	if w.nposts.Load() > 0 || w.stopping.Load() {
		most = 0
	}
	if w.tcp != nil {
		ready := w.poll(most, busy > 0)
		return !ready
	}
	// With traffic the datagrams are what matters: the wait is recvmmsg's own, which saves a system call a message. What else may be ready (the doorbell, gnet's
	// queue) is looked at every recvWait.
	if w.rx != nil && busy > 0 && most > 2*recvWait {
		if w.mono-w.looked < recvWait {
			w.waitIn = true
			return true
		}
		w.looked = w.mono
		most = 0
	}
	// A UDP or plain worker's loop gives gnet no tasks, so the one edge-triggered descriptor in gnet's set stays silent, and its events may be taken away:
	// whatever else is ready shows again.
	switch fd := w.epollWait(most, busy > 0); fd {
	case -1, e.tokenFd:
		return true
	case e.bellFd:
		w.hush(fd)
		return true
	}
	return false
}

// epollWait waits on gnet's own epoll set and returns the event data of what is ready, -1 if nothing is.
func (w *Worker) epollWait(most int64, raw bool) int {
	ms := uintptr((most + 999_999) / 1e6)
	var n uintptr
	var errno unix.Errno
	if raw {
		n, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.ep), uintptr(unsafe.Pointer(&w.event)), 1, ms, 0, 0)
	} else {
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.ep), uintptr(unsafe.Pointer(&w.event)), 1, ms, 0, 0)
	}
	w.state.Store(running)
	w.clock()
	if errno != 0 || n == 0 {
		return -1
	}
	return int(w.event.Fd)
}

// poll waits until gnet's epoll descriptor is readable, and takes nothing from it.
func (w *Worker) poll(most int64, raw bool) (ready bool) {
	w.pfd = unix.PollFd{Fd: int32(w.ep), Events: unix.POLLIN}
	w.pts = unix.NsecToTimespec(most)
	var n uintptr
	var errno unix.Errno
	if raw {
		n, _, errno = unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&w.pfd)), 1, uintptr(unsafe.Pointer(&w.pts)), 0, 0, 0)
	} else {
		n, _, errno = unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&w.pfd)), 1, uintptr(unsafe.Pointer(&w.pts)), 0, 0, 0)
	}
	w.state.Store(running)
	w.clock()
	return errno == 0 && n > 0
}

// hush empties the doorbell.
func (w *Worker) hush(fd int) {
	var b [64]byte
	for {
		n, err := unix.Read(fd, b[:])
		if n < len(b) || err != nil {
			return
		}
	}
}
