package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// batch is how many datagrams one system call reads or writes at most.
const batch = 32

// A flow is one UDP socket or one TCP connection. Messages that are put into it leave at flush.
type flow struct {
	fd     int
	uas    bool   // what arrives is for the UAS
	stream bool   // TCP
	accept bool   // a listening socket: no messages, connections
	sentBy string // address and port as text

	far     string // a source: address and port of its UAS
	user    string // a source: user of its UAS
	contact string // a UAS: its Contact line

	// Datagrams that wait to be sent: n of out, whose texts are in slots of buf.
	out []mmsghdr
	iov []unix.Iovec
	buf []byte
	n   int

	// TCP: what waits to be written, what was read and is not a whole message yet.
	tx, rx  []byte
	blocked bool // the connection takes no more at present

	dirty bool // in loop.dirty
	up    template
}

func newDatagramFlow(fd int) *flow {
	f := &flow{fd: fd, out: make([]mmsghdr, batch), iov: make([]unix.Iovec, batch), buf: make([]byte, batch*maxMessage)}
	for i := range f.out {
		f.out[i].Hdr.Iov = &f.iov[i]
		f.out[i].Hdr.SetIovlen(1)
	}
	return f
}

func newStreamFlow(fd int) *flow {
	return &flow{fd: fd, stream: true, tx: make([]byte, 0, 1<<20), rx: make([]byte, 0, 1<<16)}
}

// take is an empty buffer for one message of at most maxMessage bytes, to be given back to put at once.
func (f *flow) take() []byte {
	if f.stream {
		return f.tx[len(f.tx):]
	}
	return f.buf[f.n*maxMessage : f.n*maxMessage : (f.n+1)*maxMessage]
}

// put queues the message b, which was appended to what take gave.
func (l *loop) put(f *flow, b []byte) error {
	if len(b) > maxMessage {
		return fmt.Errorf("message of %d bytes: want at most %d", len(b), maxMessage)
	}
	if f.stream {
		f.tx = append(f.tx, b...) // a copy onto itself unless the buffer had to grow
	} else {
		f.iov[f.n].Base, f.iov[f.n].Len = &b[0], uint64(len(b))
		f.n++
		if f.n == batch {
			l.flush(f)
		}
	}
	if !f.dirty {
		f.dirty = true
		l.dirty = append(l.dirty, f)
	}
	return nil
}

// flush sends what waits. Datagrams that the kernel does not take are lost, as on a network.
func (l *loop) flush(f *flow) {
	if f.stream {
		l.write(f)
		return
	}
	for i := 0; i < f.n; {
		n, e := sendmmsg(f.fd, f.out[i:f.n])
		switch e {
		case 0:
			i += n
		case unix.EINTR:
		case unix.ECONNREFUSED: // an earlier datagram's fate, reported now
			l.res.Refused++
		default:
			i++
		}
	}
	f.n = 0
}

func (l *loop) write(f *flow) {
	if f.blocked || len(f.tx) == 0 {
		return
	}
	n, e := writeFD(f.fd, f.tx)
	switch e {
	case 0:
	case unix.EAGAIN, unix.EINTR:
		n = 0
	default:
		l.fail(fmt.Errorf("write to %s: %w", f.sentBy, e))
		return
	}
	f.tx = f.tx[:copy(f.tx, f.tx[n:])]
	if len(f.tx) > 0 {
		f.blocked = true
		l.watch(f, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLOUT)
	}
}

// read takes in everything that has arrived and hands each message to l.message.
func (l *loop) read(f *flow) {
	if f.stream {
		l.readStream(f)
		return
	}
	for {
		n, e := recvmmsg(f.fd, l.in)
		switch e {
		case 0:
		case unix.EINTR:
			continue
		case unix.ECONNREFUSED:
			l.res.Refused++
			continue
		case unix.EAGAIN:
			return
		default:
			l.fail(fmt.Errorf("read of %s: %w", f.sentBy, e))
			return
		}
		for i := range n {
			l.message(f, l.inBuf[i*maxMessage:i*maxMessage+int(l.in[i].Len)])
		}
		if n < len(l.in) {
			return
		}
	}
}

func (l *loop) readStream(f *flow) {
	for {
		if cap(f.rx)-len(f.rx) < maxMessage {
			f.rx = append(make([]byte, 0, 2*cap(f.rx)), f.rx...)
		}
		n, e := readFD(f.fd, f.rx[len(f.rx):cap(f.rx)])
		switch {
		case e == unix.EAGAIN:
			return
		case e == unix.EINTR:
			continue
		case e != 0:
			l.fail(fmt.Errorf("read of %s: %w", f.sentBy, e))
			return
		case n == 0:
			if f.uas { // the server may close its connection to the UAS and open another
				l.watch(f, unix.EPOLL_CTL_DEL, 0)
				return
			}
			l.fail(fmt.Errorf("read of %s: %w: connection closed by the server", f.sentBy, io.ErrUnexpectedEOF))
			return
		}
		f.rx = f.rx[:len(f.rx)+n]
		rest := f.rx
		for len(rest) > 0 {
			m, err := frame(rest)
			if err != nil {
				l.fail(fmt.Errorf("read of %s: %w", f.sentBy, err))
				return
			}
			if m == 0 {
				break
			}
			l.message(f, rest[:m])
			rest = rest[m:]
		}
		f.rx = f.rx[:copy(f.rx, rest)]
	}
}

var (
	endOfHead     = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length:")

	errNoContentLength = errors.New("message without Content-Length on a stream")
)

// frame is the length of the first message of b, 0 if it is not there as a whole.
func frame(b []byte) (int, error) {
	head := bytes.Index(b, endOfHead)
	if head < 0 {
		return 0, nil
	}
	cl := bytes.Index(b[:head+2], contentLength)
	if cl < 0 {
		return 0, errNoContentLength
	}
	n := 0
	for _, c := range b[cl+len(contentLength) : head+2] {
		if c >= '0' && c <= '9' {
			n = n*10 + int(c-'0')
		} else if c != ' ' {
			break
		}
	}
	if head+4+n > len(b) {
		return 0, nil
	}
	return head + 4 + n, nil
}
