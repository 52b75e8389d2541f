package sipparse

import "bytes"

// Scheme is a URI scheme that Kamailio's parser knows.
type Scheme uint8

// The schemes.
const (
	SchemeNone Scheme = iota
	SchemeSIP
	SchemeSIPS
	SchemeTEL
	SchemeTELS
	SchemeURN
)

// URI is a parsed URI; spans are relative to the text given to ParseURI.
type URI struct {
	Scheme     Scheme
	SchemeText Span
	User       Span // tel, urn: all from behind the scheme to the parameters
	Passwd     Span
	HasAt      bool
	Host       Span // with brackets if IPv6; empty for tel
	PortText   Span
	Port       uint16
	Params     Span // from behind the first ';'
	Headers    Span // from behind '?'
	// well-known parameters: the Val spans hold the value, the Has flags say that the parameter stands there
	Transport                                      Span
	Proto                                          Proto // of the transport parameter; ProtoNone if absent or unknown
	TTL, UserParam, Maddr, MethodParam, R2, GR, OB Span
	LR                                             bool
	HasTransport, HasGR, HasOB, HasR2, HasMaddr    bool
}

// ParseURI parses a sip, sips, tel, tels or urn (urn:service, urn:nena) URI; nothing may stand before or behind it.
func ParseURI(text []byte, u *URI) Err {
	*u = URI{}
	colon := -1
	if n := min(len(text), 12); n > 0 {
		colon = bytes.IndexByte(text[:n], ':')
	}
	if colon < 0 {
		return ErrScheme
	}
	i := colon + 1
	u.SchemeText = span(0, colon)
	switch s := text[:colon]; {
	case equalFold(s, "sip"):
		u.Scheme = SchemeSIP
	case equalFold(s, "sips"):
		u.Scheme = SchemeSIPS
	case equalFold(s, "tel"):
		u.Scheme = SchemeTEL
	case equalFold(s, "tels"):
		u.Scheme = SchemeTELS
	case equalFold(s, "urn"):
		u.Scheme = SchemeURN
		return u.parseURN(text, i)
	default:
		return ErrScheme
	}
	if u.Scheme == SchemeTEL || u.Scheme == SchemeTELS {
		return u.parseTel(text, i)
	}
	if i == len(text) {
		return ErrURI
	}
	if at := bytes.IndexByte(text[i:], '@'); at >= 0 {
		u.HasAt = true
		end := i + at
		if at == 0 {
			return ErrURI
		}
		u.User = span(i, end)
		if c := bytes.IndexByte(text[i:end], ':'); c >= 0 {
			u.User = span(i, i+c)
			u.Passwd = span(i+c+1, end)
		}
		i = end + 1
	}
	return u.parseHost(text, i)
}

func (u *URI) parseHost(text []byte, i int) Err {
	j := i
	if i < len(text) && text[i] == '[' {
		j = skipClass(text, i+1, len(text), isAddr)
		if j == i+1 || j >= len(text) || text[j] != ']' {
			return ErrURI
		}
		j++
	} else if j = skipClass(text, i, len(text), isHost); j == i {
		return ErrURI
	}
	u.Host = span(i, j)
	if j < len(text) && text[j] == ':' {
		i = j + 1
		j = skipClass(text, i, len(text), isDigit)
		n, ok := number(text[i:j], 65535)
		if !ok {
			return ErrPort
		}
		u.PortText, u.Port = span(i, j), uint16(n)
	}
	if j == len(text) {
		return OK
	}
	switch text[j] {
	case ';':
		return u.parseParams(text, j+1)
	case '?':
		return u.parseHeaders(text, j+1)
	}
	return ErrURI
}

func (u *URI) parseTel(text []byte, i int) Err {
	j := i
	for j < len(text) && text[j] != ';' && text[j] != '?' && text[j] != '@' && text[j] != ':' {
		j++
	}
	if j == i {
		return ErrURI
	}
	u.User = span(i, j)
	if j == len(text) {
		return OK
	}
	if text[j] == ';' {
		return u.parseParams(text, j+1)
	}
	return ErrURI
}

func (u *URI) parseURN(text []byte, i int) Err {
	rest := text[i:]
	switch {
	case len(rest) > 8 && equalFold(rest[:8], "service:"):
	case len(rest) > 5 && equalFold(rest[:5], "nena:"):
	default:
		return ErrScheme
	}
	u.User = span(i, len(text))
	return OK
}

func (u *URI) parseHeaders(text []byte, i int) Err {
	u.Headers = span(i, len(text))
	if bytes.IndexByte(text[i:], '@') >= 0 {
		return ErrURI
	}
	return OK
}

func (u *URI) parseParams(text []byte, i int) Err {
	end := len(text)
	if q := bytes.IndexByte(text[i:], '?'); q >= 0 {
		end = i + q
	}
	u.Params = span(i, end)
	for i < end {
		j := i
		for j < end && text[j] != ';' && text[j] != '=' {
			j++
		}
		name := text[i:j]
		var val Span
		val.Off = uint32(j)
		if j < end && text[j] == '=' {
			i = j + 1
			for j = i; j < end && text[j] != ';'; j++ {
				if text[j] == '@' {
					return ErrURI
				}
			}
			val = span(i, j)
		}
		u.param(text, name, val)
		i = j + 1
	}
	if end < len(text) {
		return u.parseHeaders(text, end+1)
	}
	return OK
}

func (u *URI) param(text, name []byte, val Span) {
	switch len(name) {
	case 2:
		switch {
		case equalFold(name, "lr"):
			u.LR = true
		case equalFold(name, "r2"):
			u.R2, u.HasR2 = val, true
		case equalFold(name, "gr"):
			u.GR, u.HasGR = val, true
		case equalFold(name, "ob"):
			u.OB, u.HasOB = val, true
		}
	case 3:
		if equalFold(name, "ttl") {
			u.TTL = val
		}
	case 4:
		if equalFold(name, "user") {
			u.UserParam = val
		}
	case 5:
		if equalFold(name, "maddr") {
			u.Maddr, u.HasMaddr = val, true
		}
	case 6:
		if equalFold(name, "method") {
			u.MethodParam = val
		}
	case 9:
		if equalFold(name, "transport") {
			u.Transport, u.HasTransport = val, true
			u.Proto, _ = ParseProto(val.In(text))
		}
	}
}
