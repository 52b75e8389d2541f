package reactor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// proxied is what a PROXY header says of a connection: who is behind the proxy, and where he connected to. Both are not valid when it says nothing.
type proxied struct {
	src, dst netip.AddrPort
}

var (
	errProxyMore = errors.New("part of a PROXY header")
	errProxy     = errors.New("broken PROXY header")
)

const (
	proxyV1     = "PROXY "
	proxyV2     = "\r\n\r\n\x00\r\nQUIT\n"
	proxyV1Room = 107 // longest line of version 1
)

// readProxy reads the PROXY header (HAProxy's proxy-protocol.txt, versions 1 and 2) at the beginning of b, n bytes of it; 0: there is none. errProxyMore: what is there
// may become one.
func readProxy(b []byte) (p proxied, n int, err error) {
	switch {
	case bytes.HasPrefix(b, []byte(proxyV2)):
		return readProxy2(b)
	case bytes.HasPrefix(b, []byte(proxyV1)):
		return readProxy1(b)
	case len(b) > len("\r\n\r\n") && bytes.HasPrefix([]byte(proxyV2), b), // up to there it is a ping
		bytes.HasPrefix([]byte(proxyV1), b):
		return p, 0, errProxyMore
	}
	return p, 0, nil
}

func readProxy1(b []byte) (p proxied, n int, err error) {
	i := bytes.Index(b[:min(len(b), proxyV1Room)], []byte("\r\n"))
	if i < 0 {
		if len(b) < proxyV1Room {
			return p, 0, errProxyMore
		}
		return p, 0, fmt.Errorf("its line has no end: %w", errProxy)
	}
	f := bytes.Split(b[len(proxyV1):i], []byte(" "))
	if string(f[0]) == "UNKNOWN" {
		return p, i + 2, nil
	}
	v6 := string(f[0]) == "TCP6"
	if !v6 && string(f[0]) != "TCP4" || len(f) != 5 {
		return p, 0, fmt.Errorf("%q: %w", b[:i], errProxy)
	}
	for k, at := range [2]*netip.AddrPort{&p.src, &p.dst} {
		ip, err := netip.ParseAddr(string(f[1+k]))
		port, err2 := strconv.ParseUint(string(f[3+k]), 10, 16)
		if err != nil || err2 != nil || ip.Is6() != v6 || ip.Zone() != "" {
			return proxied{}, 0, fmt.Errorf("%q: %w", b[:i], errProxy)
		}
		*at = netip.AddrPortFrom(ip, uint16(port))
	}
	return p, i + 2, nil
}

func readProxy2(b []byte) (p proxied, n int, err error) {
	const head = len(proxyV2) + 4
	if len(b) < head {
		return p, 0, errProxyMore
	}
	version, command, fam := b[12]>>4, b[12]&15, b[13]
	n = head + int(binary.BigEndian.Uint16(b[14:]))
	if version != 2 || command > 1 {
		return p, 0, fmt.Errorf("version %d, command %d: %w", version, command, errProxy)
	}
	if len(b) < n {
		return p, 0, errProxyMore
	}
	if command == 0 { // LOCAL: the proxy itself
		return p, n, nil
	}
	b = b[head:n]
	size := map[byte]int{0x11: 4, 0x12: 4, 0x21: 16, 0x22: 16}[fam]
	if size == 0 || len(b) < 2*size+4 {
		return p, 0, fmt.Errorf("family %#x with %d bytes: %w", fam, len(b), errProxy)
	}
	for k, at := range [2]*netip.AddrPort{&p.src, &p.dst} {
		ip, _ := netip.AddrFromSlice(b[k*size : (k+1)*size])
		*at = netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(b[2*size+2*k:]))
	}
	return p, n, nil
}
