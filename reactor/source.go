package reactor

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Source is the address that the kernel's routes choose to send to another one, not valid if there is no way there. For an address of this host it is that
// address. Nothing is sent. Only on the loop.
func (w *Worker) Source(to netip.Addr) netip.Addr {
	i, fam := 0, unix.AF_INET
	if to = to.Unmap(); to.Is6() {
		i, fam = 1, unix.AF_INET6
	}
	if w.routes[i] == 0 {
		fd, err := unix.Socket(fam, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return netip.Addr{}
		}
		w.routes[i] = fd
		w.owned = append(w.owned, fd)
	}
	fd := uintptr(w.routes[i])
	var a rawAddr
	// a socket that is connected keeps its source address: first it is let go
	off := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, _ = unix.RawSyscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&off)), unsafe.Sizeof(off)) // one that was not connected: nothing to let go
	n := put(&a, netip.AddrPortFrom(to, 9))
	if _, _, e := unix.RawSyscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&a)), uintptr(n)); e != 0 {
		return netip.Addr{}
	}
	size := uint32(unsafe.Sizeof(a))
	if _, _, e := unix.RawSyscall(unix.SYS_GETSOCKNAME, fd, uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&size))); e != 0 {
		return netip.Addr{}
	}
	return get(&a).Addr().WithZone("")
}
