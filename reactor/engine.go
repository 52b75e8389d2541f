package reactor

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// Addresses of the placeholders: gnet opens a UDP socket on each, and before its loop starts the descriptor is replaced by one of ours (dup3). That is how
// gnet watches sockets with options that it cannot set (IP_FREEBIND, SO_TIMESTAMPNS), and a doorbell.
const (
	bellPlace = "127.0.0.1:0"
	sockPlace = "0.0.0.0:0"
)

// engine is the worker as gnet sees it.
type engine struct {
	gnet.BuiltinEventEngine
	w      *Worker
	eng    gnet.Engine
	bellFd int
	sockFd int // 0: none
	booted bool
}

func (w *Worker) runEngine() error {
	e := &engine{w: w}
	addrs := []string{"udp4://" + bellPlace}
	if w.c.Role == RoleUDP {
		addrs = append(addrs, "udp4://"+sockPlace)
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
			err = w.bootUDP(e)
		}
	}
	if w.tcp != nil {
		w.tcp.eng = e
	}
	if err != nil {
		w.bootErr = err
		return gnet.Shutdown
	}
	return gnet.None
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
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return -1, fmt.Errorf("descriptor limit: %w", err)
	}
	for f := 0; f < int(min(lim.Cur, 1<<20)); f++ {
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
	act := gnet.None
	switch fd := c.Fd(); {
	case fd == e.bellFd:
		w.turn()
	case fd == e.sockFd && e.sockFd != 0:
		b, _ := c.Next(-1)
		if src, ok := c.RemoteAddr().(*net.UDPAddr); ok {
			w.first(b, src.AddrPort())
		}
	default:
		act = w.tcp.traffic(c)
		w.turn()
	}
	w.serve(e)
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

// findEpoll finds the epoll descriptor that watches fd; -1 without a /proc.
func findEpoll(fd int) int {
	ds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	want := []byte(strconv.Itoa(fd))
	for _, d := range ds {
		if l, err := os.Readlink("/proc/self/fd/" + d.Name()); err != nil || l != "anon_inode:[eventpoll]" {
			continue
		}
		b, err := os.ReadFile("/proc/self/fdinfo/" + d.Name())
		if err != nil {
			continue
		}
		for ln := range bytes.Lines(b) {
			if f := bytes.Fields(ln); len(f) > 1 && string(f[0]) == "tfd:" && bytes.Equal(f[1], want) {
				if n, err := strconv.Atoi(d.Name()); err == nil {
					return n
				}
			}
		}
	}
	return -1
}

// gnetLog passes on what gnet has to complain about.
type gnetLog struct{ log func(string) }

func (gnetLog) Debugf(string, ...any)          {}
func (gnetLog) Infof(string, ...any)           {}
func (l gnetLog) Warnf(f string, args ...any)  { l.log("gnet: " + fmt.Sprintf(f, args...)) }
func (l gnetLog) Errorf(f string, args ...any) { l.log("gnet: " + fmt.Sprintf(f, args...)) }
func (l gnetLog) Fatalf(f string, args ...any) { l.log("gnet: " + fmt.Sprintf(f, args...)) }
