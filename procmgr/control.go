package procmgr

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Kinds of control messages of the package itself; those of its users begin at 32.
const (
	kindHello uint8 = iota + 1
	kindReady
	kindFailed
	kindRetire
	// KindUser is the first kind that is free for users of the package.
	KindUser uint8 = 32
)

// MaxPayload is the longest payload of a control message in bytes; MaxFds the most descriptors in one.
const (
	MaxPayload = 60 << 10
	MaxFds     = 250
)

var errTooBig = errors.New("control message too big")

// Control is the channel between main and a child: packets with descriptors over a unix seqpacket socketpair.
type Control struct {
	conn     *net.UnixConn
	handlers map[uint8]func(payload []byte, fds []int)
	any      func(kind uint8, payload []byte, fds []int) // main's half: everything
	closed   func(err error)                             // the other side is gone
	done     chan struct{}
	paused   atomic.Bool
	wmu      sync.Mutex
	wbuf     []byte
}

// newControl takes fd over.
func newControl(fd int) (*Control, error) {
	f := os.NewFile(uintptr(fd), "control")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("control socket %d: %w", fd, err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("control socket %d is a %T", fd, c)
	}
	return &Control{conn: u, handlers: map[uint8]func([]byte, []int){}, done: make(chan struct{})}, nil
}

// Send sends one packet; descriptors are duplicated by the kernel, the caller keeps its own. It may be called from any goroutine, and waits while the
// other side's queue is full. Kinds below KindUser are the package's own.
func (c *Control) Send(kind uint8, payload []byte, fds ...int) error {
	if len(payload) > MaxPayload || len(fds) > MaxFds {
		return fmt.Errorf("kind %d, %d bytes, %d descriptors: %w", kind, len(payload), len(fds), errTooBig)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.wbuf = append(append(c.wbuf[:0], kind), payload...)
	if _, _, err := c.conn.WriteMsgUnix(c.wbuf, oob, nil); err != nil {
		return fmt.Errorf("control send kind %d: %w", kind, err)
	}
	return nil
}

// Handle registers f for kind; f runs on the control goroutine; payload is valid until f returns, the descriptors are f's. Call before Serve.
func (c *Control) Handle(kind uint8, f func(payload []byte, fds []int)) { c.handlers[kind] = f }

// Closed registers f, called on the control goroutine when the other side is gone. Call before Serve. A child without one exits with status 1: its
// main died without taking it along.
func (c *Control) Closed(f func(err error)) { c.closed = f }

// Serve starts the control goroutine.
func (c *Control) Serve() {
	go func() {
		defer close(c.done)
		if err := c.read(); c.closed != nil {
			c.closed(err)
		} else {
			os.Exit(1)
		}
	}()
}

// Ready tells main that child_init is done.
func (c *Control) Ready() error { return c.Send(kindReady, nil) }

// Failed tells main that child_init failed: the server stops. The child then exits.
func (c *Control) Failed(err error) { _ = c.Send(kindFailed, []byte(err.Error())) }

// Close ends the channel; a goroutine started by Serve ends with it.
func (c *Control) Close() error { return c.conn.Close() }

func (c *Control) read() error {
	buf := make([]byte, MaxPayload+1)
	oob := make([]byte, unix.CmsgSpace(MaxFds*4))
	for {
		n, on, flags, _, err := c.conn.ReadMsgUnix(buf, oob)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.EOF
		}
		fds, err := rights(oob[:on])
		if err != nil || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			closeAll(fds)
			return fmt.Errorf("control packet of %d bytes, flags %#x: %w", n, flags, errTooBig)
		}
		kind, payload := buf[0], buf[1:n]
		switch f := c.handlers[kind]; {
		case f != nil:
			f(payload, fds)
		case c.any != nil:
			c.any(kind, payload, fds)
		default:
			closeAll(fds)
		}
	}
}

func rights(oob []byte) (fds []int, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	ms, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range ms {
		if ms[i].Header.Level != unix.SOL_SOCKET || ms[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		f, err := unix.ParseUnixRights(&ms[i])
		if err != nil {
			return fds, err
		}
		fds = append(fds, f...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
