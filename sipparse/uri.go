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
	User       Span // tel: the number; urn: the first part of two
	Passwd     Span
	HasAt      bool
	Host       Span // with brackets if IPv6; empty for tel
	PortText   Span
	Port       uint16
	HasPort    bool // a ':' stands behind the host, even if nothing follows it
	Params     Span // from behind the first ';'; empty for tel and urn, as in Kamailio
	Headers    Span // from behind '?'
	TelParams  Span // tel and urn: what Params is elsewhere
	// well-known parameters: the Val spans hold the value, the Has flags say that the parameter stands there; of several of one
	// name the last counts
	Transport                                             Span
	Proto                                                 Proto // of the transport parameter; ProtoNone if absent or unknown
	TTL, UserParam, Maddr, MethodParam, R2, GR, OB, LRVal Span
	LR                                                    bool
	HasTransport, HasGR, HasOB, HasR2, HasMaddr           bool
}

// ParseURI parses a sip, sips, tel or urn URI; nothing may stand before or behind it. It takes what Kamailio's parser takes and
// cuts it as that does: a user part may hold ';', '?' and '#', escapes stay as they are, a host that follows no user part is hardly checked.
// tels is known by name, but Kamailio 5.6.3 refuses every such URI, and so do we (ErrURI, Scheme is set).
func (g *Grammar) ParseURI(text []byte, u *URI) Err {
	*u = URI{}
	colon := -1
	for i := 0; i < len(text) && i < 5; i++ {
		if text[i] == ':' {
			colon = i
			break
		}
	}
	if colon < 0 {
		return ErrScheme
	}
	u.SchemeText = span(0, colon)
	switch s := text[:colon]; {
	case equalFold(s, "sip"):
		u.Scheme = SchemeSIP
	case equalFold(s, "sips"):
		u.Scheme = SchemeSIPS
	case equalFold(s, "tel"):
		u.Scheme = SchemeTEL
	case equalFold(s, "urn"):
		u.Scheme = SchemeURN
	case equalFold(s, "tels"):
		u.Scheme = SchemeTELS
		return ErrURI
	default:
		return ErrScheme
	}
	if e := u.parse(g, text, colon+1); e != OK {
		return e
	}
	switch u.Scheme {
	case SchemeTEL:
		u.User, u.Host = u.Host, Span{}
		u.TelParams, u.Params = u.Params, Span{}
	case SchemeURN:
		u.TelParams, u.Params = u.Params, Span{}
	}
	return OK
}

// parse parses what follows the scheme. Whether text begins with a user part or with the host shows only later.
func (u *URI) parse(g *Grammar, text []byte, i int) Err {
	if i == len(text) {
		return ErrURI
	}
	j := i + 1
	switch text[i] {
	case '[':
		if j = skipIPv6(text, i); j < 0 {
			return ErrURI
		}
		if j < len(text) && text[j] == ':' {
			u.Host = span(i, j)
			k := skipClass(text, j+1, len(text), isDigit)
			if e := u.port(text, j+1, k); e != OK {
				return e
			}
			j = k
		}
		if j < len(text) && text[j] != ';' && text[j] != '?' {
			return ErrURI
		}
	case '@':
		if u.Scheme != SchemeTEL {
			return ErrURI
		}
	case ']', ':':
		return ErrURI
	}
	for j < len(text) && class[text[j]]&isURIEnd == 0 {
		j++
	}
	if j == len(text) {
		if u.Host.Len == 0 {
			u.Host = span(i, j)
		}
		return OK
	}
	switch text[j] {
	case '@':
		return u.withUser(g, text, i, j, j)
	case ':':
		return u.colon(g, text, i, j)
	case ';', '?':
		at := bytes.IndexByte(text[j:], '@')
		if at < 0 {
			if u.Host.Len == 0 {
				u.Host = span(i, j)
			}
			return u.tail(text, j)
		}
		// all of it was user part
		at += j
		u.Host, u.PortText, u.Port, u.HasPort = Span{}, Span{}, 0, false
		c := bytes.IndexByte(text[j:at], ':')
		if c < 0 {
			return u.withUser(g, text, i, at, at)
		}
		c += j
		for _, b := range text[c+1 : at] {
			if b == ':' || b == ';' || b == '?' {
				return ErrURI
			}
		}
		return u.withUser(g, text, i, c, at)
	}
	return ErrURI
}

// colon goes on at the first ':', which begins a password or a port.
func (u *URI) colon(g *Grammar, text []byte, i, j int) Err {
	k := skipClass(text, j+1, len(text), isDigit)
	if _, ok := number(text[j+1:k], 65535); !ok && k > j+1 {
		return ErrPort // also if it turns out to be a password
	}
	digits := k
	for k < len(text) && class[text[k]]&isURIEnd == 0 {
		k++
	}
	if k < len(text) && text[k] == '@' {
		return u.withUser(g, text, i, j, k)
	}
	if k > digits {
		if u.Scheme == SchemeURN && k == len(text) {
			u.User, u.Host = span(i, j), span(j+1, k)
			return OK
		}
		return ErrURI
	}
	if k < len(text) && text[k] != ';' && text[k] != '?' {
		return ErrURI
	}
	u.Host = span(i, j)
	if e := u.port(text, j+1, k); e != OK {
		return e
	}
	return u.tail(text, k)
}

// withUser takes text[i:j] as user, text[j+1:at] as password, and parses the host behind the '@'.
func (u *URI) withUser(g *Grammar, text []byte, i, j, at int) Err {
	u.HasAt = true
	u.User = span(i, j)
	if at > j {
		u.Passwd = span(j+1, at)
	}
	i = at + 1
	j = i
	if i < len(text) && text[i] == '[' {
		if j = skipIPv6(text, i); j < 0 {
			return ErrURI
		}
	} else {
		if i < len(text) && (text[i] == '-' || text[i] == '.') {
			return ErrURI
		}
		hosts := g.table()
		for j < len(text) && hosts[text[j]]&isHost != 0 {
			j++
		}
		if j == i {
			return ErrURI
		}
	}
	u.Host = span(i, j)
	if j < len(text) && text[j] == ':' {
		i = j + 1
		j = skipClass(text, i, len(text), isDigit)
		if e := u.port(text, i, j); e != OK {
			return e
		}
	}
	return u.tail(text, j)
}

// port takes text[i:j], digits, as port; Kamailio takes an empty one.
func (u *URI) port(text []byte, i, j int) Err {
	u.PortText, u.HasPort = span(i, j), true
	if i == j {
		return OK
	}
	n, ok := number(text[i:j], 65535)
	if !ok || j-i > 5 {
		return ErrPort
	}
	u.Port = uint16(n)
	return OK
}

// tail parses parameters and headers from j on.
func (u *URI) tail(text []byte, j int) Err {
	if j == len(text) {
		return OK
	}
	if text[j] == ';' {
		return u.params(text, j+1)
	}
	if text[j] == '?' {
		return u.headers(text, j+1)
	}
	return ErrURI
}

func (u *URI) headers(text []byte, i int) Err {
	u.Headers = span(i, len(text))
	for _, c := range text[i:] {
		if c == '@' || c == ';' {
			return ErrURI
		}
	}
	return OK
}

func (u *URI) params(text []byte, i int) Err {
	start, end := i, len(text)
	for i < end {
		j := i
		for j < end && class[text[j]]&isParamEnd == 0 {
			j++
		}
		name := text[i:j]
		val := span(j, j)
		eq := j < end && text[j] == '='
		if eq {
			i = j + 1
			for j = i; j < end && (text[j] == '=' || class[text[j]]&isParamEnd == 0); j++ {
			}
			val = span(i, j)
		}
		if j < end && text[j] == '@' {
			return ErrURI
		}
		if j == end && val.Len == 0 && (eq && equalFold(name, "maddr") || !eq && len(name) > 1 && len(name) <= 5 && equalFold(name, "maddr"[:len(name)])) {
			return ErrURI // Kamailio's state machine ends in a state that it has no case for
		}
		u.param(text, name, val)
		if j < end && text[j] == '?' {
			u.Params = span(start, j)
			return u.headers(text, j+1)
		}
		i = j + 1
	}
	if end > start && text[end-1] == ';' {
		end--
	}
	u.Params = span(start, end)
	return OK
}

// skipIPv6 wants text[i] == '[' and returns the offset behind the ']', or -1.
func skipIPv6(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case ']':
			return i + 1
		case '[', ';', '@', '?':
			return -1
		}
	}
	return -1
}

func (u *URI) param(text, name []byte, val Span) {
	switch len(name) {
	case 2:
		switch {
		case equalFold(name, "lr"):
			u.LR, u.LRVal = true, val
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
