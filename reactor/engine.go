package reactor

import (
	"errors"
	"fmt"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// Addresses of the placeholders: gnet opens a UDP socket on each, and before its loop starts the descriptor is replaced by one of ours (dup3). That is how
// gnet watches a doorbell.
//
// The second place is the token. gnet must not read datagrams: what it has read and not yet given to us would be lost if the process died there, it
// has no receive time, and gnet cannot open a socket with the options that we need. So the worker opens its own socket and puts it into gnet's epoll set with
// the token's number as its event data. When a datagram comes, gnet reads the one byte that lies in the token and calls OnTraffic; the worker drains
// the socket and puts a byte back. The token itself is not watched.
const (
	bellPlace  = "127.0.0.1:0"
	tokenPlace = "0.0.0.0:0"
)

// engine is the worker as gnet sees it.
type engine struct {
	gnet.BuiltinEventEngine
	w       *Worker
	eng     gnet.Engine
	bellFd  int
	tokenFd int // 0: none
	refill  int // the token's other end
	armed   bool
}

func (w *Worker) runEngine() error {
	e := &engine{w: w}
	addrs := []string{"udp4://" + bellPlace}
	if w.c.Role == RoleUDP {
		addrs = append(addrs, "udp4://"+tokenPlace)
	}
	err := gnet.Rotate(e, addrs, gnet.WithNumEventLoop(1), gnet.WithReadBufferCap(1<<16), gnet.WithLogger(gnetLog{w.c.Log}))
	if err != nil {
		return fmt.Errorf("event loop: %w", err)
	}
	return nil
}

// OnBoot runs before the loop exists.
func (e *engine) OnBoot(eng gnet.Engine) gnet.Action {
	w := e.w
	e.eng = eng
	var err error
	if e.bellFd, err = e.replace(bellPlace, w.c.Bell); err == nil {
		unix.Close(w.c.Bell)
		w.c.Bell = -1
		if w.c.Role == RoleUDP {
			if err = e.token(); err == nil {
				err = w.bootUDP()
			}
		}
	}
	if w.tcp != nil {
		w.tcp.eng = e
	}
	if err != nil {
		w.bootErr = err
		return gnet.Shutdown
	}
	ring(w.bellW) // the first wake-up arms the loop
	return gnet.None
}

// token makes the token's pair of sockets.
func (e *engine) token() error {
	r, wr, err := MakeBells(1)
	if err != nil {
		return err
	}
	e.refill = wr[0]
	e.w.owned = append(e.w.owned, e.refill)
	e.tokenFd, err = e.replace(tokenPlace, r[0])
	unix.Close(r[0])
	return err
}

// arm runs on the loop once: it finds gnet's epoll descriptor and puts the UDP socket into it.
func (e *engine) arm() error {
	e.armed = true
	w := e.w
	if w.ep = findEpoll(e.bellFd); w.ep < 0 {
		return fmt.Errorf("epoll set of descriptor %d: %w", e.bellFd, errPlace)
	}
	var err error
	if w.rest, err = newRest(w.ep); err != nil {
		return err
	}
	w.h.Tick(w.tick) // before the first message: a process that has never ticked is not watched
	if w.tcp != nil {
		w.tcp.start()
	}
	if e.tokenFd == 0 {
		return nil
	}
	if err := unix.EpollCtl(w.ep, unix.EPOLL_CTL_DEL, e.tokenFd, nil); err != nil {
		return fmt.Errorf("token out of the epoll set: %w", err)
	}
	if err := unix.EpollCtl(w.ep, unix.EPOLL_CTL_ADD, w.sock, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(e.tokenFd)}); err != nil {
		return fmt.Errorf("socket into the epoll set: %w", err)
	}
	ring(e.refill)
	return nil
}

// findEpoll finds the epoll descriptor that watches fd, -1 if there is none: only that one can modify it. (Nothing else tells gnet's descriptor; /proc may
// be missing in a jail.)
func findEpoll(fd int) int {
	for f := range maxFD() {
		if f != fd && unix.EpollCtl(f, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: netpoll.ReadEvents, Fd: int32(fd)}) == nil {
			return f
		}
	}
	return -1
}

func maxFD() int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 1 << 10
	}
	return int(min(lim.Cur, 1<<20))
}

var errPlace = errors.New("gnet's descriptor was not found")

// replace puts fd in the place of gnet's placeholder and returns gnet's descriptor number.
func (e *engine) replace(place string, fd int) (int, error) {
	dup, err := e.eng.DupListener("udp", place)
	if err != nil {
		return -1, fmt.Errorf("placeholder %s: %w", place, err)
	}
	defer unix.Close(dup)
	var want, st unix.Stat_t
	if err := unix.Fstat(dup, &want); err != nil {
		return -1, fmt.Errorf("placeholder %s: %w", place, err)
	}
	for f := range maxFD() {
		if f == dup || unix.Fstat(f, &st) != nil || st.Ino != want.Ino || st.Dev != want.Dev {
			continue
		}
		if err := unix.Dup3(fd, f, unix.O_CLOEXEC); err != nil {
			return -1, fmt.Errorf("put %d in the place of %d: %w", fd, f, err)
		}
		return f, nil
	}
	return -1, fmt.Errorf("placeholder %s: %w", place, errPlace)
}

// OnTraffic is a wake-up by gnet: it has read something from the socket, the doorbell or a connection.
func (e *engine) OnTraffic(c gnet.Conn) gnet.Action {
	w := e.w
	w.state.Store(running)
	w.clock()
	w.stats.Wakes++
	if !e.armed {
		if err := e.arm(); err != nil {
			w.bootErr = err
			return gnet.Shutdown
		}
	}
	act := gnet.None
	fd := c.Fd()
	switch {
	case fd == e.bellFd:
		w.turn()
	case fd == e.tokenFd && e.tokenFd != 0:
		w.traffic = w.mono
	default:
		act = w.tcp.traffic(c)
		w.turn()
	}
	if act != gnet.None { // gnet closes the connection when we return, so not before long
		w.state.Store(resting)
		ring(w.bellW)
		return act
	}
	w.serve(e)
	if fd == e.tokenFd {
		ring(e.refill)
	}
	if w.stopping.Load() {
		return gnet.Shutdown
	}
	return act
}

func (e *engine) OnClose(c gnet.Conn, err error) gnet.Action {
	if t := e.w.tcp; t != nil {
		t.closed(c, err)
	}
	return gnet.None
}

func (e *engine) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	if t := e.w.tcp; t != nil {
		e.w.clock()
		return nil, t.opened(c)
	}
	return nil, gnet.None
}

func (e *engine) OnTick() (time.Duration, gnet.Action) { return time.Hour, gnet.None }

// gnetLog passes on what gnet has to complain about.
type gnetLog struct{ log func(string) }

func (gnetLog) Debugf(string, ...any)          {}
func (gnetLog) Infof(string, ...any)           {}
func (l gnetLog) Warnf(f string, args ...any)  { l.log("gnet: " + fmt.Sprintf(f, args...)) }
func (l gnetLog) Errorf(f string, args ...any) { l.log("gnet: " + fmt.Sprintf(f, args...)) }
func (l gnetLog) Fatalf(f string, args ...any) { l.log("gnet: " + fmt.Sprintf(f, args...)) }
