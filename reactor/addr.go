package reactor

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawAddr has room for either family as the kernel reads and writes it.
type rawAddr = unix.RawSockaddrInet6

func swap(p uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], p)
	return binary.NativeEndian.Uint16(b[:])
}

// put fills r and returns its length for the kernel.
func put(r *rawAddr, a netip.AddrPort) uint32 {
	if ip := a.Addr(); ip.Is4() || ip.Is4In6() {
		r4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(r))
		*r4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swap(a.Port()), Addr: ip.As4()}
		return unix.SizeofSockaddrInet4
	}
	*r = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swap(a.Port()), Addr: a.Addr().As16(), Scope_id: scope(a.Addr().Zone())}
	return unix.SizeofSockaddrInet6
}

// get is the other way round. It allocates only for link-local IPv6 addresses (their zone).
func get(r *rawAddr) netip.AddrPort {
	if r.Family == unix.AF_INET {
		r4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(r))
		return netip.AddrPortFrom(netip.AddrFrom4(r4.Addr), swap(r4.Port))
	}
	ip := netip.AddrFrom16(r.Addr)
	if r.Scope_id != 0 && ip.IsLinkLocalUnicast() {
		ip = ip.WithZone(strconv.Itoa(int(r.Scope_id)))
	}
	return netip.AddrPortFrom(ip, swap(r.Port))
}

func scope(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: scope(a.Addr().Zone())}
}

func family(a netip.AddrPort) int {
	if a.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func fromSockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch s := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(s.Addr)
		if s.ZoneId != 0 && ip.IsLinkLocalUnicast() {
			ip = ip.WithZone(strconv.Itoa(int(s.ZoneId)))
		}
		return netip.AddrPortFrom(ip.Unmap(), uint16(s.Port))
	}
	return netip.AddrPort{}
}

func localAddr(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return fromSockaddr(sa)
}
