package route

import (
	"bytes"
	"net/netip"

	"kahea/sipparse"
)

// Socket is a listening socket as the configuration describes it; its index in Net.Sockets is its identity in every process.
type Socket struct {
	Index   int
	Proto   sipparse.Proto
	Addr    netip.AddrPort // without zone
	Host    []byte         // address as it stands in Via: IPv6 in brackets
	AdvHost []byte         // advertise; nil: none
	AdvPort uint16
	// AdvProto is the protocol of an advertise with one: what Via names instead of Proto. ProtoNone: none.
	AdvProto sipparse.Proto
	DNSName  []byte // host name that it was configured by, nil: an address
	Name     []byte // name "x"
	Text     []byte // proto:ip:port
	Loop     bool   // loopback: not a default send socket when there is another
	Mcast    bool   // multicast: nothing is sent from it
	Virtual  bool   // it is this server only while the host has its address
}

// ViaHost is the host (and port) to show the world.
func (s *Socket) ViaHost() ([]byte, uint16, bool) {
	if s.AdvHost != nil {
		if s.AdvPort != 0 {
			return s.AdvHost, s.AdvPort, true
		}
		return s.AdvHost, s.Addr.Port(), false
	}
	return s.Host, s.Addr.Port(), false
}

// Alias is a further name of this server.
type Alias struct {
	Proto sipparse.Proto // ProtoNone: any
	Host  []byte
	Port  uint16 // 0: any
}

// Net is what the server calls itself. It is fixed before the first message.
type Net struct {
	Sockets []*Socket // that the server listens on
	// Known are all sockets by Index; those that a reload has taken away still stand here, because transactions and contacts name them. nil: as Sockets.
	Known   []*Socket
	Aliases []Alias
	// Source is the address that the kernel's routes choose to send to another one; not valid if there is no way there. On the loop. nil: nobody knows.
	Source func(to netip.Addr) netip.Addr
	// MHomed: a UDP message leaves from the listener with Source's address (mhomed).
	MHomed bool
	// Callbacks are the modules' opinions (register_check_self_func).
	Callbacks []func(host []byte, port uint16, proto sipparse.Proto) bool
}

// At is the socket of index i, nil if there is none.
func (n *Net) At(i int) *Socket {
	l := n.Known
	if l == nil {
		l = n.Sockets
	}
	if i < 0 || i >= len(l) {
		return nil
	}
	return l[i]
}

// IsMyself is the "myself" test; port 0 and ProtoNone match any.
func (n *Net) IsMyself(host []byte, port uint16, proto sipparse.Proto) bool {
	if len(host) == 0 {
		return false
	}
	var ip netip.Addr
	if host[0] == '[' || isDigit(host[len(host)-1]) || bytes.IndexByte(host, ':') >= 0 {
		ip, _ = ParseAddr(host)
	}
	for _, s := range n.Sockets {
		if proto != sipparse.ProtoNone && proto != s.Proto {
			continue
		}
		if port != 0 && port != s.Addr.Port() && (s.AdvPort == 0 || port != s.AdvPort) {
			continue
		}
		if (ip.IsValid() && ip == s.Addr.Addr() || bytes.EqualFold(host, s.Host) || s.AdvHost != nil && bytes.EqualFold(host, s.AdvHost) ||
			s.DNSName != nil && bytes.EqualFold(host, s.DNSName)) && (!s.Virtual || n.isLocal(s.Addr.Addr())) {
			return true
		}
	}
	for i := range n.Aliases {
		a := &n.Aliases[i]
		if (port == 0 || a.Port == 0 || port == a.Port) && (proto == sipparse.ProtoNone || a.Proto == sipparse.ProtoNone || proto == a.Proto) &&
			bytes.EqualFold(host, a.Host) {
			return true
		}
	}
	for _, f := range n.Callbacks {
		if f(host, port, proto) {
			return true
		}
	}
	return false
}

// isLocal says whether this host has the address now: what it sends there leaves from there.
func (n *Net) isLocal(a netip.Addr) bool { return n.Source == nil || n.Source(a) == a }

func isDigit(c byte) bool { return c-'0' <= 9 }

// Find is the socket with that protocol, address and port; nil if there is none.
func (n *Net) Find(proto sipparse.Proto, addr netip.AddrPort) *Socket {
	for _, s := range n.Sockets {
		if s.Proto == proto && s.Addr == addr {
			return s
		}
	}
	return nil
}

// Lookup is Find by text: proto ProtoNone and port 0 match any; host also matches the advertised name.
func (n *Net) Lookup(proto sipparse.Proto, host []byte, port uint16) *Socket {
	ip, _ := ParseAddr(host)
	for _, s := range n.Sockets {
		if proto != sipparse.ProtoNone && s.Proto != proto || port != 0 && s.Addr.Port() != port && (s.AdvPort == 0 || s.AdvPort != port) {
			continue
		}
		if ip.IsValid() && ip == s.Addr.Addr() || s.AdvHost != nil && bytes.EqualFold(s.AdvHost, host) || s.DNSName != nil && bytes.EqualFold(s.DNSName, host) {
			return s
		}
	}
	return nil
}

// SendSocket chooses the socket to send from: the forced one if its protocol fits (or one with the same address and the
// wanted protocol), with mhomed the one that has the address that the routes choose, else the receiving one if protocol and family fit, else the first of protocol
// and family that is not loopback, else the first. Never one of multicast. nil if there is none.
func (n *Net) SendSocket(proto sipparse.Proto, to netip.Addr, forced, recv *Socket) *Socket {
	v6 := to.Is6() && !to.Is4In6()
	if forced != nil && !forced.Mcast {
		if forced.Proto == proto {
			return forced
		}
		for _, s := range n.Sockets {
			if s.Proto == proto && s.Addr.Addr() == forced.Addr.Addr() {
				return s
			}
		}
	}
	if n.MHomed && proto == sipparse.UDP && n.Source != nil {
		from := n.Source(to)
		for _, s := range n.Sockets {
			if s.Proto == proto && s.Addr.Addr() == from {
				return s
			}
		}
		return nil
	}
	if recv != nil && recv.Proto == proto && recv.Addr.Addr().Is6() == v6 && !recv.Mcast {
		return recv
	}
	var first *Socket
	for _, s := range n.Sockets {
		if s.Proto != proto || s.Addr.Addr().Is6() != v6 || s.Mcast {
			continue
		}
		if !s.Loop {
			return s
		}
		if first == nil {
			first = s
		}
	}
	return first
}

// ParseAddr reads an IP literal, with or without brackets, without allocating.
func ParseAddr(b []byte) (netip.Addr, bool) {
	if len(b) > 2 && b[0] == '[' && b[len(b)-1] == ']' {
		b = b[1 : len(b)-1]
	}
	if len(b) < 2 || len(b) > 45 {
		return netip.Addr{}, false
	}
	if bytes.IndexByte(b, ':') < 0 {
		return parseV4(b)
	}
	a, err := netip.ParseAddr(string(b))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a, true
}

func parseV4(b []byte) (netip.Addr, bool) {
	var ip [4]byte
	part, digits, v := 0, 0, 0
	for _, c := range b {
		switch {
		case isDigit(c):
			v = v*10 + int(c-'0')
			digits++
			if digits > 3 || v > 255 {
				return netip.Addr{}, false
			}
		case c == '.':
			if digits == 0 || part == 3 {
				return netip.Addr{}, false
			}
			ip[part] = byte(v)
			part++
			v, digits = 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if part != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	ip[3] = byte(v)
	return netip.AddrFrom4(ip), true
}
