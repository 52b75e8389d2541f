package reactor

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// spoke notes that more than pings has come over the connection.
func (tc *tconn) spoke() {
	if f := atomic.LoadUint32(&tc.row.Flags); f&connSpoke == 0 {
		atomic.StoreUint32(&tc.row.Flags, f|connSpoke)
	}
}

// greeted takes what a connection's PROXY header said; an empty one says nothing.
func (t *tcpWorker) greeted(tc *tconn, p proxied) {
	tc.greet = false
	tbl := t.w.sh.conns
	tbl.lock()
	defer tbl.unlock()
	row := tbl.byID(tc.id)
	if row < 0 {
		return
	}
	atomic.StoreUint32(&tc.row.Flags, tc.row.Flags|connKnown)
	if p.src.IsValid() {
		tbl.readdress(row, p)
		tc.src, tc.dst = p.src, p.dst
	}
}

// slow closes, each tcp_check_timer, accepted connections over which no message has begun within tcp_msg_data_timeout, and those whose message is not whole
// tcp_msg_read_timeout after it has begun. Pings do not count.
func (t *tcpWorker) slow() {
	w, o := t.w, &t.w.o
	if o.TCPCheck <= 0 {
		t.check = 0
		return
	}
	if t.check == 0 || w.mono < t.check {
		if t.check == 0 {
			t.check = w.mono + int64(o.TCPCheck)*1e9
		}
		return
	}
	t.check = w.mono + int64(o.TCPCheck)*1e9
	for i := len(t.list) - 1; i >= 0; i-- {
		if i >= len(t.list) {
			continue
		}
		tc := t.list[i]
		switch {
		case o.TCPReadTimeout > 0 && tc.began != 0 && w.mono-tc.began >= int64(o.TCPReadTimeout)*1e9:
			t.late(tc, "its message is not whole")
		case o.TCPDataTimeout > 0 && atomic.LoadUint32(&tc.row.Flags)&(connAccepted|connSpoke) == connAccepted && w.mono-tc.since0 >= int64(o.TCPDataTimeout)*1e9:
			t.late(tc, "no message has come")
		}
	}
}

// late closes a connection that has not sent in time what it should.
func (t *tcpWorker) late(tc *tconn, what string) {
	t.w.c.Log(fmt.Sprintf("connection %d from %s closed: %s in time", tc.id, tc.src, what))
	t.end(tc, nil)
}

// hangUp ends a connection for its peer although another process has a duplicate of it; with tcp_close_rst by RST, which drops what is not sent yet.
func (w *Worker) hangUp(fd int) {
	if w.o.TCPCloseRST {
		// a connected TCP socket that is connected to nothing is aborted
		off := unix.RawSockaddr{Family: unix.AF_UNSPEC}
		if _, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&off)), unsafe.Sizeof(off)); e == 0 {
			return
		}
	}
	_ = unix.Shutdown(fd, unix.SHUT_RDWR) // one that its peer has closed is shut down
}
