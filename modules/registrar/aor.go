package registrar

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// aor makes the address of record of a URI: the user, or user@domain, unescaped, in lower case unless case_sensitive is set. It lies in scratch memory.
// It is false for what is no URI and for an escape that is none or stands for no printable ASCII.
func (m *mod) aor(c *route.Ctx, uri []byte) ([]byte, bool) {
	var u sipparse.URI
	if c.P.Par.Grammar.ParseURI(uri, &u) != sipparse.OK {
		return nil, false
	}
	b := c.Scratch.Tail(len(uri) + 2)
	if b == nil {
		return nil, false
	}
	user := u.User.In(uri)
	for i := 0; i < len(user); i++ {
		ch := user[i]
		if ch == '%' {
			if i+2 >= len(user) {
				return nil, false
			}
			hi, lo := hex(user[i+1]), hex(user[i+2])
			if hi < 0 || lo < 0 {
				return nil, false
			}
			if ch = byte(hi<<4 | lo); ch < ' ' || ch > '~' {
				return nil, false // as Kamailio: no control character gets into a key that others print
			}
			i += 2
		}
		b = append(b, ch)
	}
	if m.ul.UseDomain() {
		host := u.Host.In(uri)
		if p := m.realmPrefix; p != "" && len(host) > len(p) && bytes.EqualFold(host[:len(p)], []byte(p)) {
			host = host[len(p):]
		}
		if len(user) > 0 {
			b = append(b, '@')
		}
		b = append(b, host...)
	}
	if m.caseSensitive == 0 {
		for i, ch := range b {
			if 'A' <= ch && ch <= 'Z' {
				b[i] = ch + 'a' - 'A'
			}
		}
	}
	return c.Scratch.Keep(b), true
}

func hex(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case c|0x20-'a' < 6:
		return int(c|0x20-'a') + 10
	}
	return -1
}
