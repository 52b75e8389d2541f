package reactor

import (
	"fmt"
	"net"
	"net/netip"

	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

func (l Listener) String() string { return l.Proto.String() + ":" + l.Addr.String() }

func (l Listener) stream() bool { return l.Proto != sipparse.UDP && l.Proto != sipparse.SCTP }

// step names what failed while a socket was set up.
type step struct {
	err error
	fd  int
}

func (s *step) opt(name string, level, opt, v int) {
	if s.err == nil {
		if err := unix.SetsockoptInt(s.fd, level, opt, v); err != nil {
			s.err = fmt.Errorf("%s %d: %w", name, v, err)
		}
	}
}

func (s *step) device(name string) {
	if s.err == nil && name != "" {
		if err := unix.BindToDevice(s.fd, name); err != nil {
			s.err = fmt.Errorf("bind to device %s: %w", name, err)
		}
	}
}

// datagrams sets what concerns the datagrams that leave.
func (s *step) datagrams(l Listener, o Options) {
	pmtu := [...]int{unix.IP_PMTUDISC_DONT, unix.IP_PMTUDISC_DO, unix.IP_PMTUDISC_WANT}[o.PMTU]
	loop := 0
	if o.McastLoop {
		loop = 1
	}
	if l.Addr.Addr().Is4() {
		s.opt("path MTU discovery", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, pmtu)
		s.opt("multicast loop", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, loop)
		if o.McastTTL >= 0 {
			s.opt("multicast ttl", unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, o.McastTTL)
		}
		return
	}
	s.opt("path MTU discovery", unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, pmtu)
	s.opt("multicast loop", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, loop)
	if o.McastTTL >= 0 {
		s.opt("multicast hops", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, o.McastTTL)
	}
}

// join makes the socket a member of the group that it is bound to.
func (s *step) join(l Listener) {
	a := l.Addr.Addr()
	if s.err != nil || !a.IsMulticast() {
		return
	}
	index := 0
	if l.Mcast != "" {
		i, err := net.InterfaceByName(l.Mcast)
		if err != nil {
			s.err = fmt.Errorf("interface %s of the multicast group %s: %w", l.Mcast, a, err)
			return
		}
		index = i.Index
	}
	if a.Is4() {
		s.err = unix.SetsockoptIPMreqn(s.fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: a.As4(), Ifindex: int32(index)})
	} else {
		s.err = unix.SetsockoptIPv6Mreq(s.fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: a.As16(), Interface: uint32(index)})
	}
	if s.err != nil {
		s.err = fmt.Errorf("join the multicast group %s: %w", a, s.err)
	}
}

func openSocket(l Listener, o Options, typ int, reuse ...int) (int, error) {
	fd, err := unix.Socket(family(l.Addr), typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: socket: %w", l, err)
	}
	s := step{fd: fd}
	for _, r := range reuse {
		s.opt("reuse option", unix.SOL_SOCKET, r, 1)
	}
	if l.Addr.Addr().Is4() {
		if o.TOS != 0 {
			s.opt("tos", unix.IPPROTO_IP, unix.IP_TOS, o.TOS)
		}
	} else {
		s.opt("ipv6 only", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		if o.TOS != 0 {
			s.opt("traffic class", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, o.TOS)
		}
	}
	if o.FreeBind {
		s.opt("free bind", unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
	}
	s.device(l.Device)
	if typ == unix.SOCK_DGRAM {
		s.datagrams(l, o)
	} else {
		if o.TCPSynCnt > 0 {
			s.opt("syn count", unix.IPPROTO_TCP, unix.TCP_SYNCNT, o.TCPSynCnt)
		}
		if o.TCPDeferAccept > 0 {
			s.opt("defer accept", unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, o.TCPDeferAccept)
		}
	}
	if s.err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", l, s.err)
	}
	return fd, nil
}

func bind(fd int, l Listener) error {
	if err := unix.Bind(fd, sockaddr(l.Addr)); err != nil {
		return fmt.Errorf("%s: bind: %w", l, err)
	}
	return nil
}

// openUDP opens one member of the listener's reuseport group. Datagrams may arrive from the moment it returns.
func openUDP(l Listener, o Options) (int, error) {
	fd, err := openSocket(l, o, unix.SOCK_DGRAM, unix.SO_REUSEADDR, unix.SO_REUSEPORT)
	if err != nil {
		return -1, err
	}
	s := step{fd: fd}
	s.opt("receive time", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	if have, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil && have < o.RcvBuf {
		s.opt("receive buffer", unix.SOL_SOCKET, unix.SO_RCVBUF, o.RcvBuf)
	}
	if have, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF); err == nil && have < o.SndBuf {
		s.opt("send buffer", unix.SOL_SOCKET, unix.SO_SNDBUF, o.SndBuf)
	}
	// a busy worker waits in recvmmsg itself; every other call on the socket says MSG_DONTWAIT
	if s.err == nil {
		tv := unix.NsecToTimeval(recvWait)
		if s.err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); s.err == nil {
			s.err = unix.SetNonblock(fd, false)
		}
	}
	if s.err == nil {
		s.err = bind(fd, l)
	}
	s.join(l)
	if s.err != nil {
		unix.Close(fd)
		return -1, s.err
	}
	return fd, nil
}

// recvWait is how long a busy worker waits for a datagram before it looks at what else gnet watches, in ns; the kernel rounds it up to its clock tick.
const recvWait = 2_000_000

// Probe binds each address once without SO_REUSEPORT and closes it again, so that a second server on the same address is an error at start. Port 0 is skipped.
func Probe(ls []Listener, o Options) error {
	for _, l := range ls {
		if l.Addr.Port() == 0 {
			continue
		}
		typ, reuse := unix.SOCK_DGRAM, []int(nil)
		if l.stream() {
			typ, reuse = unix.SOCK_STREAM, []int{unix.SO_REUSEADDR} // TIME_WAIT of a predecessor is no second server
		}
		fd, err := openSocket(l, o, typ, reuse...)
		if err != nil {
			return err
		}
		if err = bind(fd, l); err == nil && l.stream() {
			if e := unix.Listen(fd, 1); e != nil {
				err = fmt.Errorf("%s: listen: %w", l, e)
			}
		}
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// ListenTCP opens the listening sockets of all stream listeners, in their order (main, before privileges are dropped). A listener of port 0 gets the
// port that the system chose written into ls.
func ListenTCP(ls []Listener, o Options) (fds []int, err error) {
	o = o.withDefaults()
	for i := range ls {
		l := &ls[i]
		if !l.stream() {
			continue
		}
		reuse := []int{unix.SO_REUSEADDR}
		if o.TCPReusePort {
			reuse = append(reuse, unix.SO_REUSEPORT)
		}
		fd, err := openSocket(*l, o, unix.SOCK_STREAM, reuse...)
		if err == nil {
			fds = append(fds, fd)
			err = bind(fd, *l)
		}
		if err == nil {
			if e := unix.Listen(fd, o.TCPBacklog); e != nil {
				err = fmt.Errorf("%s: listen: %w", l, e)
			}
		}
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		l.Addr = netip.AddrPortFrom(l.Addr.Addr(), localAddr(fd).Port())
	}
	return fds, nil
}

// OpenSenders opens one socket per UDP listener (in main, before any worker opens its own) from which processes without a socket on that listener send.
// The result has one descriptor per listener, -1 for those that are not UDP or are multicast, and goes into Config.Senders of every child.
//
// Such a socket has the listener's address and port but must never receive: it stays out of the reuseport group (SO_REUSEADDR only) and is connected to
// port 1 of its own address, so that the kernel's lookup passes it over for every other source. A datagram sent with an explicit destination ignores
// that. A wildcard IPv4 socket would get a fixed source address from this; its datagrams carry IP_PKTINFO with none, so that the route decides again.
// IPv6 has no such way: for [::] the descriptor is -1, and main hands out a duplicate of a worker's socket (Worker.SetSender).
func OpenSenders(ls []Listener, o Options) (fds []int, err error) {
	for i := range ls {
		l := &ls[i]
		fds = append(fds, -1)
		if l.Proto != sipparse.UDP || l.Addr.Addr() == netip.IPv6Unspecified() || l.Addr.Addr().IsMulticast() {
			continue
		}
		fd, err := openSocket(*l, o, unix.SOCK_DGRAM, unix.SO_REUSEADDR)
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		fds[i] = fd
		if err = bind(fd, *l); err == nil {
			self := localAddr(fd)
			l.Addr = netip.AddrPortFrom(l.Addr.Addr(), self.Port())
			ip := self.Addr()
			if ip.IsUnspecified() {
				ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			}
			if e := unix.Connect(fd, sockaddr(netip.AddrPortFrom(ip, 1))); e != nil {
				err = fmt.Errorf("%s: keep the send socket from receiving: %w", l, e)
			}
		}
		if err != nil {
			closeAll(fds)
			return nil, err
		}
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
