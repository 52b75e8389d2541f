package sipparse

import "bytes"

// NameAddr is a name-addr or addr-spec with its header parameters (From, To, Route, Contact, ...).
type NameAddr struct {
	Whole  Span
	Name   Span // display name with its quotes, as it stands
	URI    Span // without < >
	Angle  bool // the URI stood in < >
	Params Span // header parameters, from behind the first ';' after the address
	Tag    Span // value of ;tag
	Star   bool // Contact: *
	Rest   Span // what follows behind the comma; empty if nothing
}

// ParseNameAddr parses one value at the start of at; offsets are of buf. A comma outside quotes and < > ends it.
func ParseNameAddr(buf []byte, at Span, n *NameAddr) Err { return n.parse(buf, at, true) }

// parse does the work. list: a comma ends the value (Contact, Route ...); if not, a comma may be part of the display name.
func (n *NameAddr) parse(buf []byte, at Span, list bool) Err {
	*n = NameAddr{}
	end := int(at.End())
	buf = buf[:end]
	i := skipLWS(buf, int(at.Off), end)
	start := i
	if i == end {
		return ErrNameAddr
	}
	// the address begins with a quoted name, a bare name or none
	j := i
scan:
	for j < end {
		switch buf[j] {
		case '<':
			break scan
		case '"':
			if j = skipQuoted(buf, j, end); j < 0 {
				return ErrNameAddr
			}
			continue
		case ';':
			break scan
		case ',':
			if list {
				break scan
			}
		}
		j++
	}
	last := j
	if j < end && buf[j] == '<' {
		n.Name = trimmed(buf, i, j)
		gt := bytes.IndexByte(buf[j+1:], '>')
		if gt < 0 {
			return ErrNameAddr
		}
		n.URI = trimmed(buf, j+1, j+1+gt)
		n.Angle = true
		i = j + gt + 2
		last = i
	} else {
		if buf[i] == '"' {
			return ErrNameAddr
		}
		n.URI = trimmed(buf, i, j)
		if n.URI.Len == 0 {
			return ErrNameAddr
		}
		n.Star = n.URI.Len == 1 && buf[n.URI.Off] == '*'
		last = int(n.URI.End())
		i = j
	}
	i = skipLWS(buf, i, end)
	if i < end && buf[i] == ';' {
		i++
		n.Params.Off = uint32(i)
		for i < end {
			// one parameter
			i = skipLWS(buf, i, end)
			p := i
			for i < end && buf[i] != '=' && buf[i] != ';' && buf[i] != ',' {
				i++
			}
			istag := i-p >= 3 && buf[p]|0x20 == 't' && buf[p+1]|0x20 == 'a' && buf[p+2]|0x20 == 'g' && skipLWS(buf, p+3, i) == i
			if i < end && buf[i] == '=' {
				i = skipLWS(buf, i+1, end)
				v := i
				for i < end && buf[i] != ';' && buf[i] != ',' {
					if buf[i] == '"' {
						if i = skipQuoted(buf, i, end); i < 0 {
							return ErrNameAddr
						}
						continue
					}
					i++
				}
				if istag && n.Tag.Len == 0 {
					n.Tag = trimmed(buf, v, i)
				}
			}
			last = i
			if i < end && buf[i] == ',' {
				break
			}
			if i < end {
				i++ // ';'
			}
		}
		s := trimmed(buf, int(n.Params.Off), last)
		n.Params = s
		last = int(s.End())
	}
	if i < end {
		if buf[i] != ',' {
			return ErrNameAddr
		}
		if list {
			n.Rest = span(i+1, end)
		} else {
			return ErrNameAddr
		}
	}
	n.Whole = span(start, last)
	return OK
}
