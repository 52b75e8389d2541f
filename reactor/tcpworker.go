package reactor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"kahea/sipparse"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// tcpWorker is what a RoleTCPWorker has besides its loop: the connections that it owns. gnet reads and writes them.
type tcpWorker struct {
	w         *Worker
	eng       *engine
	unix      *net.UnixConn
	unixFd    int32
	wg        sync.WaitGroup
	hand      *tcpHand      // the message that is being handled
	ended     chan struct{} // closed when gnet's loop has ended: what is on its way into gnet then never gets there
	enrolling atomic.Int32  // connections on their way into gnet: no busy waiting meanwhile, see serve

	conns map[uint32]*tconn
	list  []*tconn
	early map[uint32][]early // records for connections that are still on their way
	dirty []*tconn           // with bytes to write
	spare [][]byte

	untold []uint32 // closed connections of which TCP main does not know yet
	check  int64    // mono time of the next look for slow senders, 0: none is due
}

type early struct {
	r record
	b []byte
}

// tconn is an owned connection. It holds buffers only while bytes are pending.
type tconn struct {
	c      gnet.Conn
	at     int // in list
	row    *conn
	id     uint32
	sock   int
	proto  sipparse.Proto
	src    netip.AddrPort
	dst    netip.AddrPort
	framer sipparse.Framer
	out    []byte // to be written at the end of this turn
	outAt  bool   // stands in dirty
	queued int    // bytes in gnet's write queue as last counted
	since  int64  // mono time of the last progress of a queue
	bye    bool   // close when everything is written
	dead   bool
	opened bool
	err    error
	since0 int64 // mono time when this process got it
	began  int64 // mono time when part of a message came, 0: none is there
	greet  bool  // a PROXY header may come
}

func (w *Worker) bootTCPWorker() error {
	if w.sh.conns == nil {
		return errNoTCP
	}
	if len(w.c.Fds) != 1 {
		return fmt.Errorf("tcp worker with %d sockets to tcp main: %w", len(w.c.Fds), unix.EINVAL)
	}
	if err := w.openInbox(); err != nil {
		return err
	}
	hand, err := w.sh.openHand(w.c.Arena, w.c.Slot)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(w.c.Fds[0]), "tcp main")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return fmt.Errorf("socket to tcp main: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return fmt.Errorf("socket to tcp main is a %T: %w", c, unix.EINVAL)
	}
	raw, err := u.SyscallConn()
	fd := int32(-1)
	if err == nil {
		err = raw.Control(func(n uintptr) { fd = int32(n) })
	}
	if err != nil {
		u.Close()
		return fmt.Errorf("descriptor of the socket to tcp main: %w", err)
	}
	w.tcp = &tcpWorker{w: w, hand: hand, unix: u, unixFd: fd, ended: make(chan struct{}), conns: map[uint32]*tconn{}, early: map[uint32][]early{}}
	return nil
}

// start runs on the loop at the first wake-up.
func (t *tcpWorker) start() {
	t.wg.Go(t.receive)
	slot := t.w.c.Slot
	if _, err := t.unix.Write([]byte{byte(slot), byte(slot >> 8), 0, 0}); err != nil {
		t.w.c.Log(fmt.Sprintf("hello to tcp main: %v", err))
	}
	if t.w.c.Opened != nil {
		t.w.c.Opened(nil)
	}
}

func (t *tcpWorker) close() {
	close(t.ended)
	t.unix.Close()
	t.wg.Wait()
}

// receive runs on its own goroutine: it takes connections from TCP main and enrols them in gnet.
func (t *tcpWorker) receive() {
	buf := make([]byte, 1<<16)
	oob := make([]byte, unix.CmsgSpace(4*4))
	for {
		n, on, _, _, err := t.unix.ReadMsgUnix(buf, oob)
		if err != nil || n == 0 {
			return
		}
		fds := takeRights(oob[:on])
		var m handMsg
		copy(m.bytes(), buf[:n])
		if m.ID == 0 && len(fds) == 0 { // a new TCP main has nothing yet
			t.w.Post(t.handBack)
			continue
		}
		if n < int(handSize) || len(fds) != 1 {
			closeAll(fds)
			continue
		}
		if err := t.enrol(fds[0], m); err != nil {
			t.w.c.Log(fmt.Sprintf("connection %d: %v", m.ID, err))
			t.w.Post(func() { t.gone(m.ID) })
		}
	}
}

// handBack gives a new TCP main duplicates of all connections.
func (t *tcpWorker) handBack() {
	type dup struct {
		m  handMsg
		fd int
	}
	var ds []dup
	for _, tc := range t.list {
		fd, err := tc.c.Dup()
		if err != nil {
			t.w.c.Log(fmt.Sprintf("duplicate connection %d: %v", tc.id, err))
			continue
		}
		row := (uintptr(unsafe.Pointer(tc.row)) - uintptr(unsafe.Pointer(&t.w.sh.conns.rows[0]))) / unsafe.Sizeof(conn{})
		ds = append(ds, dup{handMsg{int32(row), tc.id}, fd})
	}
	slot := t.w.c.Slot
	t.wg.Go(func() { // the socket may be full: not on the loop
		if _, err := t.unix.Write([]byte{byte(slot), byte(slot >> 8), 1, 0}); err != nil {
			t.w.c.Log(fmt.Sprintf("hello to tcp main: %v", err))
		}
		for _, d := range ds {
			if _, _, err := t.unix.WriteMsgUnix(d.m.bytes(), unix.UnixRights(d.fd), nil); err != nil {
				t.w.c.Log(fmt.Sprintf("connection %d to tcp main: %v", d.m.ID, err))
			}
			unix.Close(d.fd)
		}
	})
}

func (t *tcpWorker) enrol(fd int, m handMsg) error {
	f := os.NewFile(uintptr(fd), "connection")
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return err
	}
	tc := &tconn{id: m.ID, row: &t.w.sh.conns.rows[m.Row]}
	t.enrolling.Add(1)
	defer func() {
		t.enrolling.Add(-1)
		ring(t.w.bellW) // the loop is in gnet: back to where it ticks
	}()
	res, err := t.eng.eng.Register(gnet.NewContext(gnet.NewNetConnContext(context.Background(), c), tc))
	if err != nil {
		c.Close()
		return err
	}
	select {
	case r := <-res:
		return r.Err
	case <-t.ended: // the loop has ended with the connection on its way: a successor gets it
		return nil
	}
}

// opened runs on the loop when gnet has the connection.
func (t *tcpWorker) opened(c gnet.Conn) gnet.Action {
	tc, ok := c.Context().(*tconn)
	if !ok {
		return gnet.Close
	}
	t.w.collect() // what was sent to it before is kept as early: what we send from here on does not go by the inbox
	tbl := t.w.sh.conns
	tbl.lock()
	r := tc.row
	if r.ID != tc.id || t.conns[tc.id] != nil { // gone meanwhile, or handed over twice
		tbl.unlock()
		return gnet.Close
	}
	r.State, r.Owner = ConnOK, uint32(t.w.c.Slot)
	atomic.StoreUint32(&r.Dirty, 0)
	tc.src, tc.dst, tc.sock, tc.proto = get(&r.Remote), get(&r.Local), int(r.Sock), sipparse.Proto(r.Proto)
	tbl.unlock()
	tc.c, tc.at, tc.opened, tc.since0 = c, len(t.list), true, t.w.mono
	tc.greet = t.w.o.TCPHAProxy && r.Flags&(connAccepted|connKnown) == connAccepted
	tc.framer = sipparse.Framer{MaxSize: t.w.o.TCPRdBuf, AcceptNoCL: t.w.o.TCPAcceptNoCL}
	t.conns[tc.id] = tc
	t.list = append(t.list, tc)
	for _, e := range t.early[tc.id] {
		t.record(&e.r, e.b)
	}
	delete(t.early, tc.id)
	return gnet.None
}

// gone takes a connection out of the table and tells TCP main to drop its duplicate.
func (t *tcpWorker) gone(id uint32) {
	tbl := t.w.sh.conns
	tbl.lock()
	if row := tbl.byID(id); row >= 0 && int(tbl.rows[row].Owner) == t.w.c.Slot {
		tbl.remove(row)
	}
	main := int(tbl.r.MainSlot)
	tbl.unlock()
	r := record{Kind: recClosed, From: uint32(t.w.c.Slot), Conn: id}
	if err := t.w.post(main, &r, nil); err != nil {
		t.untold = append(t.untold, id) // its inbox is full: at the next tick
	}
	for _, e := range t.early[id] {
		t.w.bounce(&e.r, e.b, ErrConnClosed)
	}
	delete(t.early, id)
}

// closed runs on the loop when gnet closes a connection.
func (t *tcpWorker) closed(c gnet.Conn, err error) {
	tc, ok := c.Context().(*tconn)
	if !ok || tc.dead || !tc.opened {
		return
	}
	tc.dead = true
	ring(t.w.bellW) // gnet calls nothing else after the end of a connection: the loop must come back to where it ticks
	// TCP main still holds the connection: the peer must see its end now. At the end of the process it must not: a successor goes on with it.
	if t.w.stopping.Load() {
		return
	}
	t.w.hangUp(c.Fd())
	last := len(t.list) - 1
	t.list[tc.at] = t.list[last]
	t.list[tc.at].at = tc.at
	t.list[last] = nil
	t.list = t.list[:last]
	delete(t.conns, tc.id)
	atomic.AddInt64(&t.w.sh.conns.r.Queued, -int64(tc.queued))
	if len(tc.out) > 0 {
		if tc.err == nil {
			tc.err = ErrConnClosed
		}
		t.w.fail(tc.proto, tc.id, tc.sock, tc.src, tc.out, tc.err)
		tc.out = nil
	}
	t.gone(tc.id)
}

// traffic handles what has come on a connection: whole messages to the Handler, pings answered, the rest stays in gnet's buffer.
func (t *tcpWorker) traffic(c gnet.Conn) gnet.Action {
	tc, ok := c.Context().(*tconn)
	if !ok || !tc.opened {
		return gnet.Close
	}
	w := t.w
	w.traffic = w.mono
	atomic.StoreUint32(&tc.row.Dirty, 1)
	atomic.StoreInt64(&tc.row.Expires, w.mono+int64(tc.row.Lifetime)*1e9)
	buf, _ := c.Peek(-1)
	used := 0
	if tc.greet {
		p, n, err := readProxy(buf)
		switch {
		case err == errProxyMore:
			return gnet.None
		case err != nil:
			return t.refuse(tc, err)
		}
		t.greeted(tc, p)
		used = n
	}
	for used < len(buf) {
		kind, skip, n, e := tc.framer.Next(buf[used:])
		switch kind {
		case sipparse.FrameNeedMore:
			used += n
			if len(buf)-used > w.o.TCPRdBuf {
				return t.refuse(tc, fmt.Errorf("%d bytes without a message's end: %w", len(buf)-used, ErrTooLong))
			}
			if used > 0 {
				_, _ = c.Discard(used)
			}
			t.flush()
			t.settle(tc, len(buf)-used)
			return gnet.None
		case sipparse.FramePing:
			if w.o.TCPCRLFPing {
				t.queue(tc, crlf, 0)
			}
		case sipparse.FrameMessage:
			tc.began = 0
			tc.spoke()
			if w.sh.root.Killers.drops(buf[used+skip:used+n], w.now) {
				w.stats.Killers++
				break
			}
			p := Packet{Buf: buf[used+skip : used+n : used+n], Src: tc.src, Dst: tc.dst, Sock: tc.sock, Proto: tc.proto, Conn: tc.id, Time: w.now, w: w, slot: -1, mem: -1}
			w.pkt = p
			w.stats.Received++
			t.hand.take(&w.pkt)
			v := w.h.Receive(&w.pkt)
			t.hand.drop()
			if tc.dead {
				return gnet.None
			}
			if v == Close {
				t.flush()
				return gnet.Close
			}
		default:
			return t.refuse(tc, e)
		}
		used += n
	}
	_, _ = c.Discard(used)
	t.flush()
	t.settle(tc, 0)
	return gnet.None
}

var crlf = []byte("\r\n")

func (t *tcpWorker) refuse(tc *tconn, err error) gnet.Action {
	t.w.c.Log(fmt.Sprintf("connection %d from %s closed: %v", tc.id, tc.src, err))
	t.flush()
	return gnet.Close
}

// settle notes whether bytes of the connection are in this process's memory only.
func (t *tcpWorker) settle(tc *tconn, rest int) {
	if tc.dead {
		return
	}
	d := uint32(0)
	if rest > 0 || tc.queued > 0 {
		d = 1
	}
	atomic.StoreUint32(&tc.row.Dirty, d)
	switch {
	case rest == 0:
		tc.began = 0
	case tc.began == 0:
		tc.began = t.w.mono
		tc.spoke()
	}
}

// queue adds b to what is written at the end of the turn.
func (t *tcpWorker) queue(tc *tconn, b []byte, fl SendFlags) {
	if tc.out == nil {
		if n := len(t.spare); n > 0 {
			tc.out, t.spare = t.spare[n-1], t.spare[:n-1]
		} else {
			tc.out = make([]byte, 0, 4096)
		}
	}
	tc.out = append(tc.out, b...)
	tc.bye = tc.bye || fl&ForceClose != 0
	if !tc.outAt {
		tc.outAt = true
		t.dirty = append(t.dirty, tc)
	}
}

// flush writes what the turn has queued, one write a connection.
func (t *tcpWorker) flush() {
	for len(t.dirty) > 0 {
		ds := t.dirty
		t.dirty = nil
		for _, tc := range ds {
			tc.outAt = false
			out := tc.out
			if tc.dead || len(out) == 0 {
				tc.out = nil
				continue
			}
			atomic.StoreInt64(&tc.row.Expires, t.w.mono+int64(tc.row.Lifetime)*1e9)
			if _, err := tc.c.Write(out); err != nil && !tc.dead {
				t.end(tc, err)
			}
			tc.out = nil
			if cap(out) <= 64<<10 && len(t.spare) < 64 {
				t.spare = append(t.spare, out[:0])
			}
			t.count(tc)
		}
		if t.dirty == nil {
			t.dirty = ds[:0]
			return
		}
	}
}

// count keeps the write queue's account, and its limits.
func (t *tcpWorker) count(tc *tconn) {
	if tc.dead {
		return
	}
	n := tc.c.OutboundBuffered()
	if n < tc.queued || tc.queued == 0 {
		tc.since = t.w.mono
	}
	total := atomic.AddInt64(&t.w.sh.conns.r.Queued, int64(n-tc.queued))
	tc.queued = n
	switch {
	case n > t.w.o.TCPConnWQMax || total > int64(t.w.o.TCPWQMax):
		t.end(tc, ErrQueueFull)
	case n == 0 && tc.bye:
		t.end(tc, nil)
	case n > 0:
		atomic.StoreUint32(&tc.row.Dirty, 1)
	}
}

// end closes a connection from our side.
func (t *tcpWorker) end(tc *tconn, err error) {
	if tc.dead {
		return
	}
	tc.err = err
	if err != nil {
		t.w.c.Log(fmt.Sprintf("connection %d to %s closed: %v", tc.id, tc.src, err))
		t.w.fail(tc.proto, tc.id, tc.sock, tc.src, nil, err)
	}
	_ = tc.c.EventLoop().Close(tc.c)
}

// record handles what another process wants of a connection.
func (t *tcpWorker) record(r *record, b []byte) {
	tc := t.conns[r.Conn]
	if tc == nil {
		tbl := t.w.sh.conns
		tbl.lock()
		row := tbl.byID(r.Conn)
		coming := row >= 0 && int(tbl.rows[row].Owner) == t.w.c.Slot
		tbl.unlock()
		if coming {
			t.early[r.Conn] = append(t.early[r.Conn], early{*r, append([]byte(nil), b...)})
		} else if r.Kind == recSend {
			t.w.bounce(r, b, ErrConnClosed)
		}
		return
	}
	switch r.Kind {
	case recSend:
		t.queue(tc, b, r.Flags)
	case recClose:
		t.flush() // what was sent before
		t.end(tc, nil)
	}
}

// tick looks after one part of the connections: lifetimes and write queues, all of them once a second.
func (t *tcpWorker) tick() {
	w := t.w
	ids := t.untold
	t.untold = nil
	for _, id := range ids {
		t.gone(id)
	}
	t.slow()
	for i := len(t.list) - 1 - int(w.tick%16); i >= 0; i -= 16 {
		if i >= len(t.list) {
			continue
		}
		tc := t.list[i]
		if tc.queued > 0 {
			if t.count(tc); !tc.dead && tc.queued > 0 && w.mono-tc.since > int64(w.o.TCPSendTimeout)*1e9 {
				t.end(tc, ErrSendTimeout)
			} else if !tc.dead && tc.queued == 0 {
				t.settle(tc, tc.c.InboundBuffered())
			}
		}
		if tc.greet && !tc.dead && w.mono-tc.since0 >= int64(w.o.TCPWaitData)*1e6 {
			t.late(tc, "no PROXY header")
		}
		if !tc.dead && atomic.LoadInt64(&tc.row.Expires) <= w.mono {
			t.end(tc, nil)
		}
	}
}
