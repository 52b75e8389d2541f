package reactor

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"kahea/shm"
	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

// Every process has an inbox in shared memory: a ring of records, and its doorbell.
const (
	recSend    uint8 = iota + 1 // to a connection's owner: write these bytes
	recConnect                  // to TCP main: open a connection to Dst and write these bytes
	recClose                    // to a connection's owner: close it
	recClosed                   // to TCP main: connection Conn (row Row) is gone, drop the duplicate
	recFailed                   // back to the sender: these bytes were not sent
)

// record is the head of what lies in an inbox; the message follows.
type record struct {
	Kind  uint8
	Flags SendFlags
	Errno uint16 // recFailed: errno, or 0 with Why
	Why   uint32 // index into failures
	From  uint32 // slot that wants to hear of a failure
	Conn  uint32
	Row   int32
	Sock  int32
	Dst   rawAddr
	_     uint32
}

const recordSize = unsafe.Sizeof(record{})

func (r *record) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(r)), recordSize) }

// failures are the errors that travel between processes by number.
var failures = [...]error{ErrNoConn, ErrConnClosed, ErrQueueFull, ErrSendTimeout, ErrTooManyConns, shm.ErrFull}

func (r *record) setErr(err error) {
	var no unix.Errno
	if errors.As(err, &no) {
		r.Errno = uint16(no)
		return
	}
	for i, f := range failures {
		if errors.Is(err, f) {
			r.Why = uint32(i)
		}
	}
}

func (r *record) err() error {
	if r.Errno != 0 {
		return unix.Errno(r.Errno)
	}
	return failures[min(int(r.Why), len(failures)-1)]
}

const (
	inboxTCP   = 512 << 10 // owners and TCP main
	inboxOther = 64 << 10  // only failures come here
)

// openInbox finds or makes this process's inbox; a successor goes on with its predecessor's.
func (w *Worker) openInbox() error {
	t := w.sh.conns
	if t == nil {
		return nil
	}
	if w.c.Slot >= maxSlots {
		return fmt.Errorf("slot %d: %w", w.c.Slot, unix.EINVAL)
	}
	t.lock()
	defer t.unlock()
	p := &t.r.Inbox[w.c.Slot]
	if *p == 0 {
		size := inboxOther
		if w.c.Role == RoleTCPMain || w.c.Role == RoleTCPWorker {
			size = inboxTCP
		}
		r, err := shm.NewRing(w.c.Arena, size, w.c.Arena.TagFor("core", "tcp inbox"))
		if err != nil {
			return fmt.Errorf("inbox of slot %d: %w", w.c.Slot, err)
		}
		*p = r.Off()
	}
	var err error
	w.inbox, err = shm.OpenRing(w.c.Arena, *p)
	w.hasInbox = err == nil
	w.boxes = make([]shm.Ring, maxSlots)
	return err
}

// post puts a record into slot's inbox and rings.
func (w *Worker) post(slot int, r *record, b []byte) error {
	t := w.sh.conns
	if slot < 0 || slot >= maxSlots || slot >= len(w.c.Doorbells) {
		return fmt.Errorf("inbox of slot %d: %w", slot, unix.EINVAL)
	}
	box := &w.boxes[slot]
	if box.Off() == 0 {
		off := shm.Off(atomic.LoadUint64((*uint64)(&t.r.Inbox[slot])))
		if off == 0 {
			return fmt.Errorf("slot %d has no inbox: %w", slot, ErrNoConn)
		}
		var err error
		if *box, err = shm.OpenRing(w.c.Arena, off); err != nil {
			return fmt.Errorf("inbox of slot %d: %w", slot, err)
		}
	}
	wake, err := box.Put(w.c.Arena, r.bytes(), b)
	if err != nil {
		return fmt.Errorf("%d bytes to slot %d: %w", len(b), slot, err)
	}
	if wake {
		ring(w.c.Doorbells[slot])
	}
	return nil
}

// collect handles what lies in the own inbox.
func (w *Worker) collect() {
	if !w.hasInbox {
		return
	}
	for w.inbox.Get(w.c.Arena, w.onRecord) {
	}
}

func (w *Worker) record(rec []byte) {
	if len(rec) < int(recordSize) {
		return
	}
	var r record
	copy(r.bytes(), rec)
	w.take(&r, rec[recordSize:])
}

func (w *Worker) take(r *record, b []byte) {
	switch {
	case r.Kind == recFailed:
		w.fail(sipparse.TCP, r.Conn, int(r.Sock), get(&r.Dst), b, r.err())
	case w.main != nil:
		w.main.record(r, b)
	case w.tcp != nil:
		w.tcp.record(r, b)
	}
}

// bounce tells whoever asked for it that b was not sent.
func (w *Worker) bounce(r *record, b []byte, err error) {
	if int(r.From) == w.c.Slot {
		w.fail(sipparse.TCP, r.Conn, int(r.Sock), get(&r.Dst), b, err)
		return
	}
	f := *r
	f.Kind = recFailed
	f.setErr(err)
	if e := w.post(int(r.From), &f, b); e != nil {
		w.c.Log(fmt.Sprintf("failure to send %d bytes to %s (%v) could not be told: %v", len(b), get(&r.Dst), err, e))
	}
}

// SendFlags are Kamailio's snd_flags.
type SendFlags uint8

const (
	ForceClose SendFlags = 1 << iota // close the connection when b is written
	NoConnect                        // only over a connection that exists
)

// SendTCP sends b on connection conn, or, when conn is 0 or gone, on one to dst (found by alias or opened by TCP main from the listener sock's address). Bytes
// are copied. It never blocks; what cannot be sent is reported to Failer, unless it is known at once: then the error is returned. Only on the loop.
func (w *Worker) SendTCP(conn uint32, sock int, dst netip.AddrPort, b []byte, fl SendFlags) error {
	t := w.sh.conns
	if t == nil {
		return fmt.Errorf("send to %s: %w", dst, errNoTCP)
	}
	if w.tcp != nil && conn != 0 { // the usual case: an answer on the connection that asked
		if c := w.tcp.conns[conn]; c != nil {
			w.tcp.queue(c, b, fl)
			return nil
		}
	}
	r := record{Kind: recSend, Flags: fl, From: uint32(w.c.Slot), Conn: conn, Sock: int32(sock)}
	if dst.IsValid() {
		put(&r.Dst, dst)
	}
	proto := sipparse.TCP
	if sock >= 0 && sock < len(w.c.Listeners) {
		proto = w.c.Listeners[sock].Proto
	}
	mayConnect := dst.IsValid() && dst.Port() != 0 && fl&NoConnect == 0 && !w.o.TCPNoConnect
	t.lock()
	row := -1
	if conn != 0 {
		if row = t.byID(conn); row >= 0 && t.rows[row].State == ConnBad {
			row = -1
		}
	}
	if row < 0 && dst.IsValid() {
		if w.o.TCPConnMatch {
			row = t.bySock(dst, proto, sock)
		} else {
			row = t.byAddr(dst, proto)
		}
	}
	owner := 0
	if row >= 0 {
		r.Conn, owner = t.rows[row].ID, int(t.rows[row].Owner)
	}
	main := int(t.r.MainSlot)
	if row < 0 {
		r.Kind, r.Conn = recConnect, 0
	}
	if main != 0 && main != w.c.Slot && (row < 0 && mayConnect || row >= 0 && owner == main) {
		// TCP main connects. What it is to send is in its inbox before anybody can see another owner (tcpMain.connected): so under the lock.
		err := w.post(main, &r, b)
		t.unlock()
		return err
	}
	t.unlock()
	switch {
	case row >= 0:
		if owner == w.c.Slot && w.tcp != nil && w.tcp.conns[r.Conn] != nil {
			w.tcp.record(&r, b)
			return nil
		}
		return w.post(owner, &r, b) // to ourselves too while the connection is on its way: behind what is there already
	case !dst.IsValid() || dst.Port() == 0:
		return fmt.Errorf("send on connection %d: %w", conn, ErrNoConn)
	case fl&NoConnect != 0 || w.o.TCPNoConnect:
		return fmt.Errorf("send to %s: %w", dst, ErrNoConnect)
	case main == 0:
		return fmt.Errorf("send to %s: no tcp main process: %w", dst, ErrNoConn)
	}
	w.main.record(&r, b) // we are TCP main
	return nil
}

// HasConn says whether a connection is there: being opened or open. Any loop.
func (w *Worker) HasConn(id uint32) bool {
	t := w.sh.conns
	if t == nil {
		return false
	}
	t.lock()
	defer t.unlock()
	row := t.byID(id)
	return row >= 0 && t.rows[row].State != ConnBad
}

// CloseConn asks the owner to close a connection (tcp_close_connection). Any loop.
func (w *Worker) CloseConn(id uint32) error {
	t := w.sh.conns
	if t == nil {
		return errNoTCP
	}
	t.lock()
	row := t.byID(id)
	owner := 0
	if row >= 0 {
		owner = int(t.rows[row].Owner)
	}
	t.unlock()
	if row < 0 {
		return fmt.Errorf("close connection %d: %w", id, ErrNoConn)
	}
	r := record{Kind: recClose, From: uint32(w.c.Slot), Conn: id}
	if owner == w.c.Slot && w.tcp != nil {
		w.tcp.record(&r, nil)
		return nil
	}
	return w.post(owner, &r, nil)
}
