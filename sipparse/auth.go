package sipparse

import "bytes"

// Auth is a parsed Digest (Proxy-)Authorization.
type Auth struct {
	Scheme, Username, Realm, Nonce, URI, Response, Algorithm, Cnonce, Opaque, QOP, NC Span // values without quotes
	UserName, UserDomain                                                              Span // username split at '@'
}

// ParseAuth parses the body of an Authorization or Proxy-Authorization field. A scheme other than Digest is no error: only
// Scheme is set then. Parameters that are not known are passed over; of one that stands twice the first counts. A value may be empty only in quotes, and
// a comma needs something behind it, as in Kamailio.
func ParseAuth(buf []byte, at Span, a *Auth) Err {
	*a = Auth{}
	end := int(at.End())
	buf = buf[:end]
	i := skipLWS(buf, int(at.Off), end)
	j := skipClass(buf, i, end, isToken)
	if j == i {
		return ErrAuth
	}
	a.Scheme = span(i, j)
	if !equalFold(buf[i:j], "Digest") {
		return OK
	}
	for i = skipLWS(buf, j, end); i < end; {
		if buf[i] == ',' {
			if i = skipLWS(buf, i+1, end); i == end {
				return ErrAuth
			}
			continue
		}
		j = skipClass(buf, i, end, isToken)
		if j == i {
			return ErrAuth
		}
		name := buf[i:j]
		i = skipLWS(buf, j, end)
		if i == end || buf[i] != '=' {
			return ErrAuth
		}
		i = skipLWS(buf, i+1, end)
		var val Span
		if i < end && buf[i] == '"' {
			if j = skipQuoted(buf, i, end); j < 0 {
				return ErrAuth
			}
			val = span(i+1, j-1)
		} else {
			j = i
			for j < end && buf[j] != ',' && class[buf[j]]&isLWS == 0 {
				j++
			}
			if j == i {
				return ErrAuth
			}
			val = span(i, j)
		}
		if dst := a.field(name); dst != nil && dst.Off == 0 {
			*dst = val
		}
		if i = skipLWS(buf, j, end); i < end && buf[i] != ',' {
			return ErrAuth
		}
	}
	a.UserName = a.Username
	if at := bytes.IndexByte(a.Username.In(buf), '@'); at >= 0 {
		a.UserName.Len = uint32(at)
		a.UserDomain = span(int(a.Username.Off)+at+1, int(a.Username.End()))
	}
	return OK
}

func (a *Auth) field(name []byte) *Span {
	switch len(name) {
	case 2:
		if equalFold(name, "nc") {
			return &a.NC
		}
	case 3:
		if equalFold(name, "uri") {
			return &a.URI
		}
		if equalFold(name, "qop") {
			return &a.QOP
		}
	case 5:
		if equalFold(name, "realm") {
			return &a.Realm
		}
		if equalFold(name, "nonce") {
			return &a.Nonce
		}
	case 6:
		if equalFold(name, "cnonce") {
			return &a.Cnonce
		}
		if equalFold(name, "opaque") {
			return &a.Opaque
		}
	case 8:
		if equalFold(name, "username") {
			return &a.Username
		}
		if equalFold(name, "response") {
			return &a.Response
		}
	case 9:
		if equalFold(name, "algorithm") {
			return &a.Algorithm
		}
	}
	return nil
}
