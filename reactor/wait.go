package reactor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// serve goes on without gnet as long as there is traffic (design.md 3, Waiting). Everything that gnet watches shows on its epoll descriptor, so
// nothing is missed; when something else is ready there, or when nothing came for IdleAfter, gnet takes over.
func (w *Worker) serve(e *engine) {
	if w.c.Role == RoleTCPWorker {
		w.tcp.linger(e)
	} else if w.c.Role == RoleUDP {
		w.serveUDP(e)
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

func (w *Worker) serveUDP(e *engine) {
	for !w.stopping.Load() {
		n := w.drain(w.sock)
		if n > 0 {
			w.clock()
			w.traffic = w.mono
		}
		w.turn()
		if n < len(w.rx.msgs) && !w.waitUDP(e) {
			return
		}
	}
}

// waitUDP waits for more; false: back to gnet.
func (w *Worker) waitUDP(e *engine) bool {
	if w.o.IdleAfter < 0 || w.ep < 0 {
		return false
	}
	for !w.stopping.Load() {
		left := w.traffic + w.o.IdleAfter - w.mono
		if left <= 0 {
			return false
		}
		fd := w.epollWait(left)
		switch fd {
		case e.tokenFd:
			return true
		case e.bellFd:
			w.hush(fd)
			w.turn()
		case -1:
			w.turn()
		default:
			return false
		}
	}
	return false
}

// epollWait waits on gnet's own epoll set, at most most ns and not beyond the next tick, and returns the event data of what is ready, -1 if nothing is. The
// call is raw: this thread keeps its P, because giving it away and taking it back costs more than the whole message. Taking gnet's events is allowed because
// a UDP worker's loop gives gnet no tasks: whatever else is level-triggered shows again.
func (w *Worker) epollWait(most int64) int {
	tick := (int64(w.tick)+1)*tickTime + w.sh.root.Epoch - w.mono
	ms := (max(min(most, tick), 0) + 999_999) / 1e6
	w.state.Store(polling)
	if w.nposts.Load() > 0 {
		ms = 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.ep), uintptr(unsafe.Pointer(&w.event)), 1, uintptr(ms), 0, 0)
	w.state.Store(running)
	w.clock()
	if errno != 0 || n == 0 {
		return -1
	}
	return int(w.event.Fd)
}

// poll waits on the first n of pfd, at most most ns and not beyond the next tick. The call is raw: this thread keeps its P, because giving it away and taking
// it back costs more than the whole message. False: nothing happened, and the turn is done.
func (w *Worker) poll(n int, most int64) bool {
	tick := (int64(w.tick)+1)*tickTime + w.sh.root.Epoch - w.mono
	w.pts = unix.NsecToTimespec(max(min(most, tick), 0))
	w.state.Store(polling)
	if w.nposts.Load() > 0 {
		w.pts = unix.Timespec{}
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&w.pfd[0])), uintptr(n), uintptr(unsafe.Pointer(&w.pts)), 0, 0, 0)
	w.state.Store(running)
	w.clock()
	if errno == 0 && r > 0 {
		return true
	}
	w.turn() // a tick, a posted function, or the runtime's preemption signal
	return false
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
