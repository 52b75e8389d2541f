package reactor

import (
	"errors"
	"fmt"
	"net/netip"

	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

// connecting is a connection that TCP main is opening, with what is to be sent there.
type connecting struct {
	fd    int
	dst   netip.AddrPort
	proto sipparse.Proto
	sock  int
	row   int
	id    uint32
	until int64
	sends []record
	data  [][]byte
	size  int
}

// connect opens a connection. Meanwhile TCP main owns it and keeps what is to be written.
func (m *tcpMain) connect(r *record, b []byte) {
	w, dst := m.w, get(&r.Dst)
	sock := int(r.Sock)
	proto := sipparse.TCP
	if sock >= 0 && sock < len(w.c.Listeners) {
		proto = w.c.Listeners[sock].Proto
	} else {
		sock = m.anySock(dst)
	}
	if sock < 0 {
		w.bounce(r, b, unix.EAFNOSUPPORT)
		return
	}
	// Somebody else may have asked for the same while this record waited.
	t := w.sh.conns
	t.lock()
	row := -1
	if w.o.TCPConnMatch {
		row = t.bySock(dst, proto, sock)
	} else {
		row = t.byAddr(dst, proto)
	}
	if row >= 0 {
		r.Conn = t.rows[row].ID
	}
	t.unlock()
	if row >= 0 {
		r.Kind = recSend
		m.record(r, b)
		return
	}
	fd, err := unix.Socket(family(dst), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		w.bounce(r, b, err)
		return
	}
	m.options(fd)
	if err = m.bindSource(fd, sock, dst); err != nil {
		unix.Close(fd)
		w.bounce(r, b, err)
		return
	}
	if err = unix.Connect(fd, sockaddr(dst)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		w.bounce(r, b, err)
		return
	}
	row, id, err := m.enter(fd, sock, dst, ConnConnect, w.c.Slot, 0)
	if err == nil {
		err = unix.EpollCtl(m.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fd)})
	}
	if err != nil {
		unix.Close(fd)
		w.bounce(r, b, err)
		return
	}
	c := &connecting{fd: fd, dst: dst, proto: proto, sock: sock, row: row, id: id, until: w.mono + int64(w.o.TCPConnectTimeout)*1e9}
	m.connects[fd] = c
	m.more(c, r, b)
}

// bindSource chooses the address that a connection leaves from: the listening port itself (tcp_reuse_port), tcp_source_ipv4 or tcp_source_ipv6, or the address of the
// send socket. A source that this host does not have is passed over.
func (m *tcpMain) bindSource(fd, sock int, dst netip.AddrPort) error {
	o, l := &m.w.o, m.w.c.Listeners[sock]
	s := step{fd: fd}
	s.device(l.Device)
	if s.err != nil {
		return s.err
	}
	v6 := 0
	if dst.Addr().Is6() {
		v6 = 1
	}
	same := !l.Addr.Addr().IsUnspecified() && l.Addr.Addr().Is4() == dst.Addr().Is4()
	src := o.TCPSource[v6]
	if o.TCPReusePort && l.Addr.Addr().Is4() == dst.Addr().Is4() {
		ip := l.Addr.Addr()
		if src.IsValid() {
			ip = src
		}
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) == nil && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) == nil &&
			unix.Bind(fd, sockaddr(netip.AddrPortFrom(ip, l.Addr.Port()))) == nil {
			return nil
		}
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // without it the port is chosen sooner
	if src.IsValid() {
		err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(src, 0)))
		if err == nil {
			return nil
		}
		m.w.c.Log(fmt.Sprintf("source %s of a connection to %s: %v", src, dst, err))
	}
	if same {
		return unix.Bind(fd, sockaddr(netip.AddrPortFrom(l.Addr.Addr(), 0)))
	}
	return nil
}

func (m *tcpMain) anySock(dst netip.AddrPort) int {
	for i, l := range m.w.c.Listeners {
		if l.Proto == sipparse.TCP && l.Addr.Addr().Is4() == dst.Addr().Is4() {
			return i
		}
	}
	return -1
}

// more queues b until the connection is there. The limit is the one of all connections, not of one: while one connect is under way, this queue takes
// what all workers send there.
func (m *tcpMain) more(c *connecting, r *record, b []byte) {
	if c.size+len(b) > m.w.o.TCPWQMax {
		m.w.bounce(r, b, ErrQueueFull)
		return
	}
	c.keep(r, b)
}

func (c *connecting) keep(r *record, b []byte) {
	c.size += len(b)
	c.sends = append(c.sends, *r)
	c.data = append(c.data, append([]byte(nil), b...))
}

// wants says whether a record is something to be sent over c.
func (c *connecting) wants(w *Worker, r *record) bool {
	switch r.Kind {
	case recSend:
		return r.Conn == c.id
	case recConnect:
		proto := sipparse.TCP
		if s := int(r.Sock); s >= 0 && s < len(w.c.Listeners) {
			proto = w.c.Listeners[s].Proto
		}
		return proto == c.proto && get(&r.Dst) == c.dst
	}
	return false
}

func (m *tcpMain) giveUp(c *connecting, err error) {
	delete(m.connects, c.fd)
	unix.Close(c.fd)
	t := m.w.sh.conns
	t.lock()
	t.remove(c.row)
	t.unlock()
	for i := range c.sends {
		c.sends[i].Conn = c.id
		m.w.bounce(&c.sends[i], c.data[i], err)
	}
}

// connected: a connect has ended, well or not.
func (m *tcpMain) connected(c *connecting) {
	no, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && no != 0 {
		err = unix.Errno(no)
	}
	peer := m.least(c.sock)
	if err == nil && peer == nil {
		err = ErrNoConn
	}
	_ = unix.EpollCtl(m.ep, unix.EPOLL_CTL_DEL, c.fd, nil)
	if err != nil {
		m.giveUp(c, err)
		return
	}
	m.w.collect() // most of what has come for it so far; what others want is not for now
	delete(m.connects, c.fd)
	t := m.w.sh.conns
	t.lock()
	// Who sends to a connection that is being opened puts it into our inbox under this lock (SendTCP): so the rest is there, and nothing comes behind it.
	var others []early
	for m.w.inbox.Get(m.w.c.Arena, func(rec []byte) {
		var r record
		if len(rec) < len(r.bytes()) {
			return
		}
		copy(r.bytes(), rec)
		if b := rec[recordSize:]; c.wants(m.w, &r) {
			c.keep(&r, b)
		} else {
			others = append(others, early{r, append([]byte(nil), b...)})
		}
	}) {
	}
	row := &t.rows[c.row]
	row.State, row.Owner = ConnPending, uint32(peer.slot)
	put(&row.Local, localAddr(c.fd))
	// What waited is in the owner's inbox before anybody can see who owns the connection: what they send there comes behind it. The owner keeps what comes
	// before the connection does.
	failed := make([]error, len(c.sends))
	for i := range c.sends {
		c.sends[i].Kind, c.sends[i].Conn = recSend, c.id
		failed[i] = m.w.post(peer.slot, &c.sends[i], c.data[i])
	}
	t.unlock()
	m.give(c.fd, c.row, c.id, peer, netip.Addr{})
	for i := range others {
		m.w.take(&others[i].r, others[i].b)
	}
	for i, err := range failed {
		if err != nil {
			m.w.bounce(&c.sends[i], c.data[i], err)
		}
	}
}
