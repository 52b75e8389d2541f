package reactor

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// SpareListeners is how many listeners may be added while the server runs.
const SpareListeners = 16

// Change is what a new configuration changes in a worker that runs.
type Change struct {
	// Listeners are all: the old ones keep their places, new ones stand behind them.
	Listeners []Listener
	// Senders has one descriptor for each new listener, -1 where there is none; the worker owns them.
	Senders []int
	// Listen (RoleTCPMain only) has a listening socket for each stream listener, by index, that is new or served again; the worker owns them.
	Listen  map[int]int
	Options Options // see SetOptions
}

// Apply carries out a change. On the loop.
func (w *Worker) Apply(c Change) error {
	first := len(w.c.Listeners)
	if len(c.Listeners) < first || len(c.Senders) != len(c.Listeners)-first {
		closeAll(c.Senders)
		closeListen(c.Listen)
		return fmt.Errorf("%d listeners become %d, with %d senders: %w", first, len(c.Listeners), len(c.Senders), unix.EINVAL)
	}
	w.c.Listeners = c.Listeners
	for i, fd := range c.Senders {
		w.senders = append(w.senders, fd)
		w.anySource = append(w.anySource, fd >= 0 && c.Listeners[first+i].Addr.Addr().Is4() && c.Listeners[first+i].Addr.Addr().IsUnspecified())
		if fd >= 0 {
			w.owned = append(w.owned, fd)
		}
	}
	w.SetOptions(c.Options)
	if w.main == nil {
		closeListen(c.Listen)
		return nil
	}
	return w.main.relisten(c)
}

// SetOptions takes over the timeouts, limits and switches of TCP; what belongs to a socket or a table that exists already stays as it is. On the loop.
func (w *Worker) SetOptions(o Options) {
	o.Batch, o.MaxMessage, o.IdleAfter = w.o.Batch, w.o.MaxMessage, w.o.IdleAfter
	w.o = o.withDefaults()
}

func closeListen(m map[int]int) {
	for _, fd := range m {
		unix.Close(fd)
	}
}

// relisten ends accepting on listeners that are gone and begins it on new ones.
func (m *tcpMain) relisten(c Change) error {
	for fd, i := range m.listen {
		if c.Listeners[i].Gone {
			_ = unix.Shutdown(fd, unix.SHUT_RDWR) // the duplicate in main does not listen any more either
			delete(m.listen, fd)
			m.w.disown(fd)
		}
	}
	for i, fd := range c.Listen {
		m.w.owned = append(m.w.owned, fd)
		m.listen[fd] = i
		if !m.accepting {
			continue
		}
		if err := unix.EpollCtl(m.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return fmt.Errorf("watch listener %s: %w", c.Listeners[i], err)
		}
	}
	return nil
}

// disown closes a descriptor that would be closed at the end; closing takes it out of the epoll set only if no other process has it.
func (w *Worker) disown(fd int) {
	if w.main != nil && w.main.accepting {
		_ = unix.EpollCtl(w.main.ep, unix.EPOLL_CTL_DEL, fd, nil) // not watched is just as good
	}
	for _, l := range [][]int{w.c.Fds, w.owned} {
		for i := range l {
			if l[i] == fd {
				l[i] = -1
			}
		}
	}
	unix.Close(fd)
}

// Retire makes the worker end as soon as its socket is empty and idle says that nothing which it has begun is left; it is asked every tick. A worker whose
// successor waits for its place (steered still points at it) goes on serving meanwhile, and ends after patience at the latest: so long it waits for its
// connections to be between two messages, and for scripts; without a successor for the latter as long as they take. Any goroutine.
func (w *Worker) Retire(idle func() bool, steered bool, patience time.Duration) {
	w.Post(func() {
		w.idle, w.leaveBy, w.steered = idle, w.mono+int64(patience), steered
		w.leave()
	})
}

// settled says that no connection would lose something now: none is being opened, none has part of a message in memory or bytes to be written.
func (w *Worker) settled() bool {
	if w.main != nil && len(w.main.connects) > 0 {
		return false
	}
	if w.tcp != nil {
		for _, tc := range w.tcp.list {
			if atomic.LoadUint32(&tc.row.Dirty) != 0 || tc.queued > 0 || len(tc.out) > 0 {
				return false
			}
		}
		return w.tcp.enrolling.Load() == 0 && len(w.tcp.untold) == 0
	}
	return true
}

// leave ends a worker that is to retire and has nothing left to do.
func (w *Worker) leave() {
	if w.idle == nil {
		return
	}
	if w.rx != nil {
		for w.drain(w.sock) > 0 {
			w.Flush()
		}
	}
	late := w.mono >= w.leaveBy
	if !late && !w.settled() {
		return
	}
	if w.idle() || late && w.steered {
		w.Stop()
	}
}
