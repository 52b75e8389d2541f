package core

import "kahea/sipparse"

// Grammar is how SIP is read and written under uri_host_extra_chars, hdr_name_extra_chars and ipv6_hex_style; nil: as it is without them.
func (c *Config) Grammar() *sipparse.Grammar {
	s := sipparse.Settings{HostChars: c.HostChars, NameChars: c.NameChars}
	if c.IPv6HexStyle != "c" {
		s.IPv6Style = c.IPv6HexStyle[0]
	}
	return sipparse.NewGrammar(s)
}
