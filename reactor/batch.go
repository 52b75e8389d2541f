package reactor

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

const sendRoom = 65535

// out is the send side of a UDP batch: slots that sendmmsg takes as they are.
type out struct {
	n     int
	msgs  []mmsghdr
	iov   []unix.Iovec
	addrs []rawAddr
	dst   []netip.AddrPort
	sock  []int
	bufs  [][]byte
}

func newOut(batch int) *out {
	o := &out{
		msgs: make([]mmsghdr, batch), iov: make([]unix.Iovec, batch), addrs: make([]rawAddr, batch), dst: make([]netip.AddrPort, batch),
		sock: make([]int, batch), bufs: make([][]byte, batch),
	}
	for i := range o.msgs {
		m := &o.msgs[i].hdr
		m.Name, m.Iov = (*byte)(unsafe.Pointer(&o.addrs[i])), &o.iov[i]
		m.SetIovlen(1)
	}
	return o
}

func (o *out) buffer() []byte {
	b := o.bufs[o.n]
	if b == nil {
		b = make([]byte, sendRoom)
		o.bufs[o.n] = b
	}
	return b
}

// ErrNoSocket is returned by SendUDP when the process has nothing to send from on that listener.
var ErrNoSocket = errors.New("no socket to send from")

// ErrTooLong is returned for a message that fits no datagram.
var ErrTooLong = errors.New("message too long for a datagram")

// Buffer returns an empty send slot (cap 65535) of the current batch to build a message in. Send* of a slice that begins there does not copy; other bytes
// are copied. It stays valid until the next SendUDP or Flush. Only on the loop.
func (w *Worker) Buffer() []byte { return w.out.buffer()[:0] }

// SendUDP queues b for dst from the UDP listener sock; the batch leaves when the drain ends, or at Flush. A worker that has no socket of its own on that
// listener sends through a shared send socket bound to the same address (OpenSenders) or a duplicate that it was given (SetSender). What the kernel then
// refuses is reported to Failer. Only on the loop.
func (w *Worker) SendUDP(sock int, dst netip.AddrPort, b []byte) error {
	if sock < 0 || sock >= len(w.senders) || w.senders[sock] < 0 {
		return fmt.Errorf("send to %s from listener %d: %w", dst, sock, ErrNoSocket)
	}
	if len(b) > sendRoom || len(b) == 0 {
		return fmt.Errorf("send %d bytes to %s: %w", len(b), dst, ErrTooLong)
	}
	if w.sh.peers != nil {
		dst = w.sh.peers.proxyOf(w.c.Arena, dst, w.now)
	}
	o := w.out
	i := o.n
	buf := o.buffer()
	if &buf[0] != unsafe.SliceData(b) {
		copy(buf, b)
	}
	o.iov[i].Base = &buf[0]
	o.iov[i].SetLen(len(b))
	o.msgs[i].hdr.Namelen = put(&o.addrs[i], dst)
	o.dst[i], o.sock[i] = dst, sock
	if w.anySource[sock] {
		o.msgs[i].hdr.Control = &w.noSource[0]
		o.msgs[i].hdr.SetControllen(len(w.noSource))
	} else {
		o.msgs[i].hdr.Control = nil
		o.msgs[i].hdr.SetControllen(0)
	}
	if o.n++; o.n == len(o.msgs) {
		w.Flush()
	}
	return nil
}

// Flush sends the batch. Only on the loop.
func (w *Worker) Flush() {
	o := w.out
	for i := 0; i < o.n; {
		j := i + 1
		for j < o.n && o.sock[j] == o.sock[i] {
			j++
		}
		w.flushRun(o, i, j)
		i = j
	}
	o.n = 0
}

// flushRun sends the slots [i, j), which have one socket.
func (w *Worker) flushRun(o *out, i, j int) {
	fd := w.senders[o.sock[i]]
	if fd < 0 {
		for ; i < j; i++ {
			w.fail(sipparse.UDP, 0, o.sock[i], o.dst[i], o.bufs[i][:o.iov[i].Len], ErrNoSocket)
		}
		return
	}
	waited := false
	for i < j {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&o.msgs[i])), uintptr(j-i), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case e == 0:
			i += int(n)
		case e == unix.EINTR:
		case e == unix.EAGAIN && !waited:
			// The send buffer is full: the device is slower than we are. Kamailio's blocking sendto waits here, too.
			waited = true
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, sendStall)
		default:
			w.fail(sipparse.UDP, 0, o.sock[i], o.dst[i], o.bufs[i][:o.iov[i].Len], e)
			i++
		}
	}
}

const sendStall = 100 // ms that a full send buffer may hold the loop up, once a batch

func (w *Worker) fail(p sipparse.Proto, conn uint32, sock int, dst netip.AddrPort, b []byte, err error) {
	w.stats.SendErrors++
	if w.failer != nil {
		w.failer.Failed(p, conn, sock, dst, b, err)
	}
}

// noSource is a control message that resets the source address of one datagram to "as routed".
func noSource() []byte {
	b := make([]byte, unix.CmsgSpace(unix.SizeofInet4Pktinfo))
	c := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	c.Level, c.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	c.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	return b
}
