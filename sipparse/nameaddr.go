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
func ParseNameAddr(buf []byte, at Span, n *NameAddr) Err {
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
			break scan
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
		last = i // also when nothing follows
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
		n.Rest = span(i+1, end)
	}
	n.Whole = span(start, last)
	return OK
}

// ParseTo parses From and To, which hold one value, in the way of Kamailio's parser for them; it is stricter than the one for lists.
func (n *NameAddr) ParseTo(buf []byte, at Span) Err {
	*n = NameAddr{}
	end := int(at.End())
	buf = buf[:end]
	i := skipLWS(buf, int(at.Off), end)
	start := i
	if i == end {
		return ErrNameAddr
	}
	j := i
	if buf[i] == '"' {
		for j++; j < end && buf[j] != '"'; j++ {
			switch buf[j] {
			case '\\':
				j++
			case '\r', '\n', 0:
				return ErrNameAddr
			}
		}
		if j >= end {
			return ErrNameAddr
		}
		n.Name = span(i, j+1)
		if j = skipLWS(buf, j+1, end); j == end || buf[j] != '<' {
			return ErrNameAddr
		}
	} else {
		words := 0
		for {
			k := skipClass(buf, j, end, isToWord)
			if k == j {
				break
			}
			words++
			n.Name = span(i, k)
			j = skipLWS(buf, k, end)
		}
		if j == end || buf[j] == ';' {
			if words != 1 {
				return ErrNameAddr
			}
			n.URI, n.Name = n.Name, Span{}
			return n.params(buf, start, j, end)
		}
	}
	if buf[j] != '<' {
		return ErrNameAddr
	}
	i = skipLWS(buf, j+1, end)
	j = skipClass(buf, i, end, isToURI)
	n.URI = span(i, j)
	n.Angle = true
	if i == j || buf[i] == ';' {
		return ErrNameAddr
	}
	if j = skipLWS(buf, j, end); j == end || buf[j] != '>' {
		return ErrNameAddr
	}
	return n.params(buf, start, j+1, end)
}

// params parses the header parameters of From and To, from behind the address on; of several tags the last counts.
func (n *NameAddr) params(buf []byte, start, i, end int) Err {
	last := i
	if n.URI.End() > uint32(i) || !n.Angle {
		last = int(n.URI.End())
	}
	i = skipLWS(buf, i, end)
	for i < end {
		if buf[i] != ';' {
			return ErrNameAddr
		}
		i = skipLWS(buf, i+1, end)
		if n.Params.Off == 0 {
			n.Params.Off = uint32(i)
		}
		j := skipClass(buf, i, end, isToText)
		if j == i {
			return ErrNameAddr
		}
		tag := j-i == 3 && buf[i]|0x20 == 't' && buf[i+1]|0x20 == 'a' && buf[i+2]|0x20 == 'g'
		last = j
		i = skipLWS(buf, j, end)
		if i == end || buf[i] != '=' {
			continue
		}
		last = i + 1
		i = skipLWS(buf, i+1, end)
		var val Span
		if i < end && buf[i] == '"' {
			// no escapes inside
			for j = i + 1; j < end && buf[j] != '"'; j++ {
				switch buf[j] {
				case '\\', '\r', '\n', 0:
					return ErrNameAddr
				}
			}
			if j == end {
				return ErrNameAddr
			}
			val = span(i+1, j)
			j++
		} else {
			j = skipClass(buf, i, end, isToText)
			for tag && j < end && buf[j] == ',' {
				j = skipClass(buf, j+1, end, isToText)
			}
			val = span(i, j)
		}
		if j > i {
			last = j
		}
		if tag {
			n.Tag = val
		}
		i = skipLWS(buf, j, end)
	}
	n.Whole = span(start, last)
	if n.Params.Off != 0 {
		n.Params.Len = uint32(last) - n.Params.Off
	}
	return OK
}
