package load

import (
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	Hdr unix.Msghdr
	Len uint32
	_   [4]byte
}

// The sockets do not block, so the scheduler need not know of these calls: they are raw.

func recvmmsg(fd int, v []mmsghdr) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), e
}

func sendmmsg(fd int, v []mmsghdr) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

func readFD(fd int, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), e
}

func writeFD(fd int, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

// epollWait waits for at most d, exact to the microsecond. It holds the processor meanwhile: nothing else of this process runs on it.
func epollWait(ep int, ev []unix.EpollEvent, d time.Duration) (int, error) {
	ts := unix.NsecToTimespec(int64(max(d, 0)))
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep), uintptr(unsafe.Pointer(&ev[0])), uintptr(len(ev)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if e == unix.EINTR {
		return 0, nil
	}
	if e != 0 {
		return 0, fmt.Errorf("epoll_pwait2: %w", e)
	}
	return int(n), nil
}

// socketBuffer is what each socket asks for; the kernel's net.core.rmem_max bounds it unless the process may force it.
const socketBuffer = 4 << 20

func openUDP(local netip.AddrPort, peer netip.AddrPort) (fd int, err error) {
	fd, err = openSocket(unix.SOCK_DGRAM, local)
	if err != nil {
		return -1, err
	}
	for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[0], socketBuffer) != nil {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[1], socketBuffer); err != nil {
				unix.Close(fd)
				return -1, fmt.Errorf("socket buffer of %d bytes: %w", socketBuffer, err)
			}
		}
	}
	if err := unix.Connect(fd, sockaddr(peer)); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect udp %v: %w", peer, err)
	}
	return fd, nil
}

// dialTCP connects from local; it waits until the connection is there.
func dialTCP(local, peer netip.AddrPort) (int, error) {
	fd, err := openSocket(unix.SOCK_STREAM, local)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(fd, sockaddr(peer)); err == unix.EINPROGRESS {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		for n := 0; n == 0; {
			if n, err = unix.Poll(p, 5000); err == unix.EINTR {
				n = 0
			} else if err != nil || n == 0 {
				unix.Close(fd)
				return -1, fmt.Errorf("connect tcp %v: no answer in 5 s (%v)", peer, err)
			}
		}
		e, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || e != 0 {
			unix.Close(fd)
			return -1, fmt.Errorf("connect tcp %v: %w", peer, unix.Errno(e))
		}
	} else if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect tcp %v: %w", peer, err)
	}
	return fd, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

func listenTCP(local netip.AddrPort) (int, error) {
	fd, err := openSocket(unix.SOCK_STREAM, local)
	if err != nil {
		return -1, err
	}
	if err := unix.Listen(fd, 1024); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("listen tcp %v: %w", local, err)
	}
	return fd, nil
}

func openSocket(kind int, local netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, sockaddr(local)); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind %v: %w", local, err)
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

func localAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("getsockname: %w", err)
	}
	in, ok := sa.(*unix.SockaddrInet4)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("getsockname: %T, want IPv4", sa)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)), nil
}
