package sipparse

import "net/netip"

// Settings is what an operator may change of how SIP is read and written.
type Settings struct {
	HostChars string // uri_host_extra_chars: taken in the host of a URI besides letters, digits, '-' and '.'
	NameChars string // hdr_name_extra_chars: taken in the name of a header field besides letters, digits and "-._+~"
	IPv6Style byte   // ipv6_hex_style: 'a' eight groups in lower case, 'A' in upper case; anything else compressed (RFC 5952)
}

// Grammar is how SIP is read and written under some Settings. It is made once and does not change; any number of goroutines use it. nil is the grammar
// without Settings.
type Grammar struct {
	class     [256]uint16
	ipv6Style byte
}

// NewGrammar makes the grammar of s; nil when s says nothing.
func NewGrammar(s Settings) *Grammar {
	if s == (Settings{}) {
		return nil
	}
	g := &Grammar{class: class, ipv6Style: s.IPv6Style}
	for _, c := range []byte(s.HostChars) {
		g.class[c] |= isHost
	}
	for _, c := range []byte(s.NameChars) {
		g.class[c] |= isName
	}
	return g
}

// table is the classes of bytes.
func (g *Grammar) table() *[256]uint16 {
	if g == nil {
		return &class
	}
	return &g.class
}

// AppendIP appends an address without zone and brackets, IPv6 as ipv6_hex_style has it. An IPv4 address in IPv6's clothes is written as IPv4.
func (g *Grammar) AppendIP(dst []byte, a netip.Addr) []byte {
	a = a.Unmap()
	if a.Is4() {
		return a.AppendTo(dst)
	}
	if g == nil {
		return a.WithZone("").AppendTo(dst)
	}
	digits := ""
	switch g.ipv6Style {
	case 'a':
		digits = "0123456789abcdef"
	case 'A':
		digits = "0123456789ABCDEF"
	default:
		return a.WithZone("").AppendTo(dst)
	}
	b := a.As16()
	for i := 0; i < 16; i += 2 {
		if i > 0 {
			dst = append(dst, ':')
		}
		v := uint16(b[i])<<8 | uint16(b[i+1])
		n := 12
		for n > 0 && v>>n == 0 {
			n -= 4
		}
		for ; n >= 0; n -= 4 {
			dst = append(dst, digits[v>>n&15])
		}
	}
	return dst
}

// AppendIPRef is AppendIP with brackets around an IPv6 address.
func (g *Grammar) AppendIPRef(dst []byte, a netip.Addr) []byte {
	if a = a.Unmap(); a.Is4() {
		return a.AppendTo(dst)
	}
	return append(g.AppendIP(append(dst, '['), a), ']')
}
