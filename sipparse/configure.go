package sipparse

import "net/netip"

// Grammar is what an operator may change of how this process reads and writes SIP.
type Grammar struct {
	HostChars string // uri_host_extra_chars: taken in the host of a URI besides letters, digits, '-' and '.'
	NameChars string // hdr_name_extra_chars: taken in the name of a header field besides letters, digits and "-._+~"
	IPv6Style byte   // ipv6_hex_style: 'a' eight groups in lower case, 'A' in upper case; anything else compressed (RFC 5952)
}

// grammar is set once (Configure), before the process parses anything: it belongs to the tables, not to a message, and every parser reads it.
var grammar Grammar

// Configure sets the grammar of the process. It is called before the first message is parsed, and changes nothing afterwards: an operator's change of these
// parameters takes effect with the next start.
func Configure(g Grammar) {
	if g == grammar {
		return
	}
	set := func(s string, bit uint16, on bool) {
		for i := range len(s) {
			if on {
				class[s[i]] |= bit
			} else {
				class[s[i]] &^= bit
			}
		}
	}
	set(grammar.HostChars, isHost, false)
	set(grammar.NameChars, isName, false)
	set(hostChars, isHost, true)
	set(nameChars, isName, true)
	set(g.HostChars, isHost, true)
	set(g.NameChars, isName, true)
	grammar = g
}

// AppendIP appends an address without zone and brackets, IPv6 as ipv6_hex_style has it. An IPv4 address in IPv6's clothes is written as IPv4.
func AppendIP(dst []byte, a netip.Addr) []byte {
	a = a.Unmap()
	if a.Is4() {
		return a.AppendTo(dst)
	}
	digits := ""
	switch grammar.IPv6Style {
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
func AppendIPRef(dst []byte, a netip.Addr) []byte {
	if a = a.Unmap(); a.Is4() {
		return a.AppendTo(dst)
	}
	return append(AppendIP(append(dst, '['), a), ']')
}
