package reactor

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tcpMain is the loop of RoleTCPMain: it accepts and connects, and hands each connection to the worker that owns it until it closes. It keeps its own
// descriptor of each, so that a connection outlives its owner. It needs no gnet: its sockets are listeners, connects and unix sockets, none of which gnet reads.
type tcpMain struct {
	w        *Worker
	ep       int
	rest     *rest
	evs      [64]unix.EpollEvent
	n        int // events in evs
	bell     int
	listen   map[int]int // descriptor -> listener index
	workers  []*tcpPeer
	fds      map[uint32]held     // by connection id
	connects map[int]*connecting // by descriptor
	from     map[netip.Addr]int  // accepted connections by the peer's address

	accepting bool
	sweep     uint64 // tick of the next look at rows that never came to their owner
}

type tcpPeer struct {
	fd    int
	slot  int // 0: has not said hello yet
	sock  int // listener whose connections it has alone, -1: all others
	conns int
	queue []handover // what did not fit into the socket
}

type held struct {
	fd   int
	row  int
	peer *tcpPeer
	from netip.Addr // of an accepted connection
}

type handover struct {
	row int
	id  uint32
}

// handMsg is what travels with a descriptor from TCP main to a worker.
type handMsg struct {
	Row int32
	ID  uint32
}

const handSize = unsafe.Sizeof(handMsg{})

func (h *handMsg) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(h)), handSize) }

// TCPPairs makes the unix sockets between TCP main and n workers (in main): mains[i] is TCP main's end, workers[i] the worker's.
func TCPPairs(n int) (mains, workers []int, err error) {
	for range n {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			closeAll(mains)
			closeAll(workers)
			return nil, nil, fmt.Errorf("socketpair of a tcp worker: %w", err)
		}
		mains, workers = append(mains, p[0]), append(workers, p[1])
	}
	return mains, workers, nil
}

func (w *Worker) runTCPMain() error {
	if w.sh.conns == nil {
		return errNoTCP
	}
	m := &tcpMain{w: w, bell: w.c.Bell, listen: map[int]int{}, fds: map[uint32]held{}, connects: map[int]*connecting{}, from: map[netip.Addr]int{}}
	w.main = m
	var err error
	if m.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer m.close()
	if m.rest, err = newRest(m.ep); err != nil {
		return err
	}
	watch := func(fd int, ev uint32) {
		if err == nil {
			err = unix.EpollCtl(m.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: ev, Fd: int32(fd)})
		}
	}
	n := 0
	for i, l := range w.c.Listeners {
		if l.stream() && !l.Gone && n < len(w.c.Fds) {
			m.listen[w.c.Fds[n]] = i
			n++
		}
	}
	for i, fd := range w.c.Fds[n:] {
		p := &tcpPeer{fd: fd, sock: -1}
		if i < len(w.c.Owners) {
			p.sock = w.c.Owners[i]
		}
		m.workers = append(m.workers, p)
		watch(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET)
	}
	watch(m.bell, unix.EPOLLIN)
	if err != nil {
		return fmt.Errorf("epoll set of tcp main: %w", err)
	}
	if err := w.openInbox(); err != nil {
		return err
	}
	w.sh.conns.lock()
	again := w.sh.conns.r.MainSlot != 0
	w.sh.conns.r.MainSlot = uint32(w.c.Slot)
	w.sh.conns.unlock()
	if again {
		m.succeed()
	}
	if w.c.Opened != nil {
		w.c.Opened(nil)
	}
	return m.loop()
}

func (m *tcpMain) loop() error {
	w, look := m.w, m.look
	for !w.stopping.Load() {
		w.state.Store(running)
		w.clock()
		w.turn()
		next := w.tick + 1
		if w.rester != nil && w.idle == nil && len(m.connects) == 0 {
			next = min(max(w.rester.NextTick(w.tick), next), w.tick+longestRest)
		}
		left := int64(next)*tickTime + w.sh.root.Epoch - w.mono
		w.state.Store(resting)
		if w.nposts.Load() > 0 {
			left = 0
		}
		m.n = 0
		m.rest.wait(left, look)
		w.state.Store(running)
		w.clock()
		for i := range m.n {
			fd := int(m.evs[i].Fd)
			if fd == m.bell {
				w.hush(fd)
			} else if sock, ok := m.listen[fd]; ok {
				m.accept(fd, sock)
			} else if c := m.connects[fd]; c != nil {
				m.connected(c)
			} else {
				m.peer(fd)
			}
		}
	}
	return nil
}

// look takes what is ready, without waiting.
func (m *tcpMain) look() bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(m.ep), uintptr(unsafe.Pointer(&m.evs)), uintptr(len(m.evs)), 0, 0, 0)
	if errno != 0 { // EINTR: what is ready stays so
		n = 0
	}
	m.n = int(n)
	return n > 0
}

func (m *tcpMain) close() {
	for _, h := range m.fds {
		unix.Close(h.fd)
	}
	for fd := range m.connects {
		unix.Close(fd)
	}
	closeAll(m.w.c.Fds)
	unix.Close(m.bell)
	m.rest.close()
	unix.Close(m.ep)
}

// tick gives up connects that take too long, and rows of connections that never came to their owner (a TCP main that died in between).
func (m *tcpMain) tick() {
	if t := m.w.sh.conns; m.w.tick >= m.sweep {
		m.sweep = m.w.tick + 64
		t.lock()
		for i := range t.rows {
			if c := &t.rows[i]; c.ID != 0 && c.State == ConnPending && c.Expires < m.w.mono {
				if _, ours := m.fds[c.ID]; !ours {
					t.remove(i)
				}
			}
		}
		t.unlock()
	}
	for _, c := range m.connects {
		if m.w.mono >= c.until {
			m.giveUp(c, unix.ETIMEDOUT)
		}
	}
}

func (m *tcpMain) accept(fd, sock int) {
	for range 64 { // then the others get a turn
		c, sa, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
				m.w.c.Log(fmt.Sprintf("accept on %s: %v", m.w.c.Listeners[sock], err))
			}
			return
		}
		if err := m.adopt(c, sock, fromSockaddr(sa), ConnPending, m.w.mono); err != nil {
			m.w.c.Log(fmt.Sprintf("connection from %s: %v", fromSockaddr(sa), err))
			unix.Close(c)
		}
	}
}

// adopt enters an accepted connection into the table and hands it over.
func (m *tcpMain) adopt(fd, sock int, remote netip.AddrPort, st ConnState, now int64) error {
	peer := m.least(sock)
	if peer == nil {
		return fmt.Errorf("no tcp worker: %w", ErrNoConn)
	}
	from := remote.Addr()
	if limit := m.w.o.TCPIPLimit; limit > 0 && m.from[from] >= limit {
		return fmt.Errorf("%d connections from this address are open: %w", limit, ErrTooManyConns)
	}
	m.options(fd)
	row, id, err := m.enter(fd, sock, remote, st, peer.slot, connAccepted)
	if err != nil {
		return err
	}
	m.give(fd, row, id, peer, from)
	return nil
}

func (m *tcpMain) options(fd int) {
	o := &m.w.o
	set := func(level, opt, v int) { _ = unix.SetsockoptInt(fd, level, opt, v) } // a connection works without any of them
	set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)                                   // a late ACK costs more than a small segment
	if o.TCPKeepalive || o.TCPKeepIdle > 0 || o.TCPKeepIntvl > 0 || o.TCPKeepCnt > 0 {
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}
	for _, x := range [...]struct{ opt, v int }{{unix.TCP_KEEPIDLE, o.TCPKeepIdle}, {unix.TCP_KEEPINTVL, o.TCPKeepIntvl}, {unix.TCP_KEEPCNT, o.TCPKeepCnt},
		{unix.TCP_SYNCNT, o.TCPSynCnt}, {unix.TCP_LINGER2, o.TCPLinger2}} {
		if x.v > 0 {
			set(unix.IPPROTO_TCP, x.opt, x.v)
		}
	}
	if o.TCPDelayedAck {
		set(unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0)
	}
}

func (m *tcpMain) enter(fd, sock int, remote netip.AddrPort, st ConnState, owner int, flags uint32) (row int, id uint32, err error) {
	w := m.w
	c := conn{State: st, Flags: flags, Proto: uint32(w.c.Listeners[sock].Proto), Owner: uint32(owner), Sock: int32(sock), Lifetime: int32(w.o.TCPLifetime),
		Expires: w.mono + int64(w.o.TCPLifetime)*1e9}
	put(&c.Remote, remote)
	local := localAddr(fd)
	if local.IsValid() {
		put(&c.Local, local)
	}
	row = -1
	w.sh.conns.lock()
	n := int(w.sh.conns.r.Count)
	twin := w.o.TCPUnique && flags&connAccepted != 0 && w.sh.conns.twin(remote, local, w.c.Listeners[sock].Proto)
	if n < w.o.TCPMaxConns && !twin {
		row, id = w.sh.conns.add(c)
	}
	w.sh.conns.unlock()
	if twin {
		return 0, 0, ErrTwin
	}
	if row < 0 {
		return 0, 0, fmt.Errorf("%d connections are open: %w", n, ErrTooManyConns)
	}
	return row, id, nil
}

// least is the worker with the fewest connections: of those of the listener sock alone, if it has some, else of those of all.
func (m *tcpMain) least(sock int) (best *tcpPeer) {
	for _, want := range [2]int{sock, -1} {
		for _, p := range m.workers {
			if p.slot != 0 && p.sock == want && (best == nil || p.conns < best.conns) {
				best = p
			}
		}
		if best != nil {
			break
		}
	}
	return best
}

// give hands connection id to peer; fd stays here as the duplicate. from is the peer's address of one that was accepted.
func (m *tcpMain) give(fd, row int, id uint32, peer *tcpPeer, from netip.Addr) {
	m.hold(id, held{fd, row, peer, from})
	peer.queue = append(peer.queue, handover{row, id})
	m.flush(peer)
}

func (m *tcpMain) flush(p *tcpPeer) {
	for len(p.queue) > 0 {
		h := p.queue[0]
		if f, ok := m.fds[h.id]; ok {
			msg := handMsg{int32(h.row), h.id}
			err := unix.Sendmsg(p.fd, msg.bytes(), unix.UnixRights(f.fd), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			if errors.Is(err, unix.EAGAIN) {
				return // the socket becomes writable
			}
			if err != nil {
				m.w.c.Log(fmt.Sprintf("hand connection %d to slot %d: %v", h.id, p.slot, err))
				m.drop(h.id)
			}
		}
		p.queue = p.queue[1:]
	}
	p.queue = nil
}

// drop forgets a connection that no worker has.
func (m *tcpMain) drop(id uint32) {
	h, ok := m.fds[id]
	if !ok {
		return
	}
	t := m.w.sh.conns
	t.lock()
	if row := t.byID(id); row >= 0 {
		t.remove(row)
	}
	t.unlock()
	m.w.hangUp(h.fd)
	m.forget(id)
}

func (m *tcpMain) hold(id uint32, h held) {
	m.fds[id] = h
	h.peer.conns++
	if h.from.IsValid() {
		m.from[h.from]++
	}
}

func (m *tcpMain) forget(id uint32) {
	if h, ok := m.fds[id]; ok {
		unix.Close(h.fd)
		h.peer.conns--
		delete(m.fds, id)
		if n := m.from[h.from]; n > 1 {
			m.from[h.from] = n - 1
		} else {
			delete(m.from, h.from)
		}
	}
}

// peer handles a worker's unix socket: it is writable again, or the worker says hello with its slot, or, asked by a TCP main that is itself a successor, sends
// duplicates of what it owns. A hello from a worker that was there before comes from the successor of a dead one: it gets the living connections of
// its predecessor; those in the middle of a message cannot be continued and are closed.
func (m *tcpMain) peer(fd int) {
	for _, p := range m.workers {
		if p.fd != fd {
			continue
		}
		var b [16]byte
		var oob [64]byte
		for {
			n, on, _, _, err := unix.Recvmsg(fd, b[:], oob[:], unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			if err != nil || n == 0 {
				break
			}
			fds := takeRights(oob[:on])
			switch {
			case n == 4 && len(fds) == 0:
				again := p.slot != 0
				p.slot = int(b[0]) | int(b[1])<<8
				if again && b[2] == 0 {
					m.resend(p)
				}
				m.open()
			case n == int(handSize) && len(fds) == 1:
				var h handMsg
				copy(h.bytes(), b[:])
				if _, have := m.fds[h.ID]; have || h.Row < 0 || int(h.Row) >= len(m.w.sh.conns.rows) {
					closeAll(fds)
				} else {
					x := held{fd: fds[0], row: int(h.Row), peer: p}
					if c := &m.w.sh.conns.rows[h.Row]; c.Flags&connAccepted != 0 {
						x.from = get(&c.Remote).Addr()
					}
					m.hold(h.ID, x)
				}
			default:
				closeAll(fds)
			}
		}
		m.flush(p)
	}
}

func takeRights(oob []byte) (fds []int) {
	ms, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range ms {
		if f, err := unix.ParseUnixRights(&ms[i]); err == nil {
			fds = append(fds, f...)
		}
	}
	return fds
}

// open begins to accept when there is a worker to give connections to.
func (m *tcpMain) open() {
	if m.accepting {
		return
	}
	m.accepting = true
	for fd := range m.listen {
		if err := unix.EpollCtl(m.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			m.w.c.Log(fmt.Sprintf("watch listener %d: %v", fd, err))
		}
	}
}

// succeed goes on after a TCP main that died: connects in progress died with it, and its duplicates: the owners have them.
func (m *tcpMain) succeed() {
	t := m.w.sh.conns
	t.lock()
	for i := range t.rows {
		if c := &t.rows[i]; c.ID != 0 && c.State == ConnConnect {
			t.remove(i)
		}
	}
	t.unlock()
	var ask handMsg
	for _, p := range m.workers {
		if err := unix.Sendmsg(p.fd, ask.bytes(), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL); err != nil {
			m.w.c.Log(fmt.Sprintf("ask a tcp worker for its connections: %v", err))
		}
	}
}

func (m *tcpMain) resend(p *tcpPeer) {
	p.queue = nil
	for id, h := range m.fds {
		if h.peer != p {
			continue
		}
		row := &m.w.sh.conns.rows[h.row]
		if row.ID != id || atomic.LoadUint32(&row.Dirty) != 0 {
			m.drop(id)
			continue
		}
		p.queue = append(p.queue, handover{h.row, id})
	}
}

// record handles what other processes want of TCP main.
func (m *tcpMain) record(r *record, b []byte) {
	switch r.Kind {
	case recClosed:
		m.forget(r.Conn)
	case recConnect:
		m.connect(r, b)
	case recSend: // to a connection that was being opened when the sender looked
		for _, c := range m.connects {
			if c.id == r.Conn {
				m.more(c, r, b)
				return
			}
		}
		m.pass(r, b)
	case recClose:
		for _, c := range m.connects {
			if c.id == r.Conn {
				m.giveUp(c, unix.ECONNABORTED)
				return
			}
		}
		m.pass(r, b)
	}
}

// pass sends a record on to the connection's owner.
func (m *tcpMain) pass(r *record, b []byte) {
	t := m.w.sh.conns
	t.lock()
	owner := 0
	if row := t.byID(r.Conn); row >= 0 {
		owner = int(t.rows[row].Owner)
	}
	t.unlock()
	if owner == 0 || owner == m.w.c.Slot {
		m.w.bounce(r, b, ErrNoConn)
	} else if err := m.w.post(owner, r, b); err != nil {
		m.w.bounce(r, b, err)
	}
}
