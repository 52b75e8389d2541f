package reactor

import (
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// serve goes on without gnet until something is ready that gnet must handle. Everything that gnet watches shows on its epoll descriptor, so nothing is missed.
//
// While there is traffic the wait is raw: the thread keeps its P, because giving it away and taking it back costs more than a
// whole message. A UDP worker has one P only, and lets other goroutines run by itself: with a second one every yield would wake a thread that takes the loop over.
// After IdleAfter without traffic, and while somebody awaits a goroutine, the same wait goes through Go's poller (rest.go). Resting here and not in
// gnet's own wait makes a tick one wake-up of one thread; a goroutine that rings the doorbell of a loop in gnet costs ten times that.
func (w *Worker) serve(e *engine) {
	for !w.stopping.Load() {
		if w.mono-w.yielded >= yieldEvery {
			w.yielded = w.mono
			runtime.Gosched()
		}
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

// yieldEvery is how often, in ns, a busy loop lets other goroutines run. sysmon would do it after 10 ms, by a signal that interrupts the wait.
const yieldEvery = 5_000_000

// wait waits for more, at most until the next tick; false: back to gnet.
func (w *Worker) wait(e *engine) bool {
	idle := w.mono >= w.traffic+w.o.IdleAfter
	next := w.tick + 1
	if w.rester != nil && idle && w.idle == nil && len(w.old) == 0 && (w.tcp == nil || len(w.tcp.list) == 0 && len(w.tcp.untold) == 0) {
		next = min(max(w.rester.NextTick(w.tick), next), w.tick+longestRest)
	}
	most := max(int64(next)*tickTime+w.sh.root.Epoch-w.mono, 0)
	raw := !idle && w.awaiting.Load() == 0 // goroutines that somebody awaits need the P
	if raw {
		most = min(most, w.traffic+w.o.IdleAfter-w.mono)
	}
	w.state.Store(polling)
	if w.nposts.Load() > 0 || w.stopping.Load() {
		most = 0
	}
	// With traffic the datagrams are what matters: the wait is recvmmsg's own, which saves a system call a message. What else may be ready (the doorbell, gnet's
	// queue) is looked at every recvWait.
	if w.rx != nil && raw && most > 2*recvWait {
		w.waitIn = true
		if w.mono-w.looked < recvWait {
			return true
		}
		w.looked = w.mono
		most = 0
	}
	look := w.look
	if w.tcp != nil {
		look = w.peek
	}
	w.event.Fd = 0
	if raw || most == 0 {
		w.most = most
		look()
		if w.tcp != nil && w.pfds[1].Revents != 0 { // a connection comes: the goroutine that waits for it needs Go's poller
			w.rest.wait(int64(time.Millisecond), look)
		}
	} else {
		w.most = 0
		w.rest.wait(most, look)
	}
	w.state.Store(running)
	w.clock()
	if w.tcp != nil {
		return w.event.Fd == 0
	}
	// A UDP or plain worker's loop gives gnet no tasks, so the one edge-triggered descriptor in gnet's set stays silent, and its events may be taken away:
	// whatever else is ready shows again.
	switch fd := int(w.event.Fd); fd {
	case 0:
	case e.tokenFd:
		w.waitIn = false
	case e.bellFd:
		w.waitIn = false
		w.hush(fd)
	default:
		return false
	}
	return true
}

// lookUp takes one event out of gnet's own epoll set, after w.most ns at most; w.event has it.
func (w *Worker) lookUp() bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.ep), uintptr(unsafe.Pointer(&w.event)), 1, uintptr((w.most+999_999)/1e6), 0, 0)
	if errno != 0 || n == 0 {
		w.event.Fd = 0
		return false
	}
	return true
}

// peekUp waits, w.most ns at most, until gnet's epoll descriptor is readable, and takes nothing from it; w.event says whether it is. The socket to TCP main
// ends the wait too.
func (w *Worker) peekUp() bool {
	w.pfds = [2]unix.PollFd{{Fd: int32(w.ep), Events: unix.POLLIN}, {Fd: w.tcp.unixFd, Events: unix.POLLIN}}
	w.pts = unix.NsecToTimespec(w.most)
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&w.pfds)), uintptr(len(w.pfds)), uintptr(unsafe.Pointer(&w.pts)), 0, 0, 0)
	if errno != 0 || n == 0 || w.pfds[0].Revents == 0 {
		return false
	}
	w.event.Fd = int32(w.ep)
	return true
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
