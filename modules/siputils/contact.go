package siputils

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Two ways to hide a Contact behind the server. encode_contact packs it into the user part, prefix*user*password*host*port*transport@address; contact_param_encode puts
// the whole URI, base64url-coded without padding, into a parameter of the server's own URI.

// eachContact rewrites the Contact values of the message: f appends what stands in the place of the URI (with its brackets when whole is true); nil leaves
// the value alone. "*" is passed over. When f fails for one, no Contact is changed.
func eachContact(c *route.Ctx, f func(dst, uri []byte) (out []byte, whole bool, rc int)) int {
	if rc := walkContacts(c, f, func(sipparse.Span, []byte) {}); rc < 0 {
		return rc
	}
	return walkContacts(c, f, func(at sipparse.Span, text []byte) { c.Edits.Replace(at.Off, at.Len, text, sipparse.HdrContact) })
}

func walkContacts(c *route.Ctx, f func(dst, uri []byte) (out []byte, whole bool, rc int), replace func(at sipparse.Span, text []byte)) int {
	for v := c.Msg.Values(sipparse.HdrContact); ; {
		ok, e := v.Next()
		if e != sipparse.OK {
			c.Logf(log.Err, "siputils", "contact: %v", e)
			return -1
		}
		if !ok {
			return 1
		}
		if v.Star {
			continue
		}
		uri := c.Msg.Bytes(v.URI)
		out, whole, rc := f(c.Scratch.Tail(2*len(uri)+256), uri)
		if rc < 0 {
			return rc
		}
		if out == nil {
			continue
		}
		at := v.URI
		if whole && v.Angle {
			at.Off, at.Len = at.Off-1, at.Len+2
		}
		replace(at, c.Scratch.Keep(out))
	}
}

// encodeContact is encode_contact.
func (m *mod) encodeContact(c *route.Ctx, a *route.Args) int {
	prefix, ok1 := a.Str(c, 0)
	host, ok2 := a.Str(c, 1)
	if !ok1 || !ok2 || c.Msg.First(sipparse.HdrContact) == nil {
		return -1
	}
	sep := m.contactSep[0]
	return eachContact(c, func(dst, b []byte) ([]byte, bool, int) {
		var u sipparse.URI
		if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
			return nil, false, -1
		}
		dst = append(append(append(dst, "sip:"...), prefix...), sep)
		for _, part := range [...]sipparse.Span{u.User, u.Passwd, u.Host, u.PortText} {
			dst = append(append(dst, part.In(b)...), sep)
		}
		dst = append(append(dst, u.Transport.In(b)...), '@')
		return append(dst, host...), false, 1
	})
}

// What decode_contact returns for a URI that encode_contact has not made.
const (
	tooFewFields  = -26
	tooManyFields = -24
	noUserPart    = -23
)

// decode appends the URI that b was made of.
func (m *mod) decode(dst, b []byte) ([]byte, int) {
	at := bytes.IndexByte(b, '@')
	colon := bytes.IndexByte(b, ':')
	if at < 0 || colon < 0 || colon > at {
		return nil, noUserPart
	}
	var parts [6][]byte
	rest := b[colon+1 : at]
	for i := range parts {
		end := bytes.IndexByte(rest, m.contactSep[0])
		last := i == len(parts)-1
		switch {
		case last && end >= 0:
			return nil, tooManyFields
		case !last && end < 0:
			return nil, tooFewFields
		case last:
			end = len(rest)
		}
		parts[i] = rest[:end]
		rest = rest[min(end+1, len(rest)):]
	}
	dst = append(dst, b[:colon+1]...)
	if dst = append(dst, parts[1]...); len(parts[2]) > 0 {
		dst = append(append(dst, ':'), parts[2]...)
	}
	if len(parts[1]) > 0 {
		dst = append(dst, '@')
	}
	if dst = append(dst, parts[3]...); len(parts[4]) > 0 {
		dst = append(append(dst, ':'), parts[4]...)
	}
	if len(parts[5]) > 0 {
		dst = append(append(dst, ";transport="...), parts[5]...)
	}
	if i := bytes.IndexByte(b[at:], ';'); i >= 0 {
		dst = append(dst, b[at+i:]...)
	}
	return dst, 1
}

func (m *mod) decodeContact(c *route.Ctx, _ *route.Args) int {
	b := c.RURI()
	out, rc := m.decode(c.Scratch.Tail(len(b)+16), b)
	if rc < 0 {
		c.Logf(log.Err, "siputils", "decode_contact: %q is not what encode_contact makes", b)
		return rc
	}
	return ruri(c, c.Scratch.Keep(out))
}

func (m *mod) decodeContactHeader(c *route.Ctx, _ *route.Args) int {
	if c.Msg.First(sipparse.HdrContact) == nil {
		return -1
	}
	return eachContact(c, func(dst, b []byte) ([]byte, bool, int) {
		out, rc := m.decode(dst, b)
		return out, false, rc
	})
}

// encodeParam is contact_param_encode, with alias=source before the parameter when alias is set.
func encodeParam(alias bool) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		name, ok1 := a.Str(c, 0)
		own, ok2 := a.Str(c, 1)
		if !ok1 || !ok2 {
			return -1
		}
		return eachContact(c, func(dst, b []byte) ([]byte, bool, int) {
			old := b
			if alias {
				s := append(c.Scratch.Tail(len(b)+80), b...)
				s = append(s, ";alias="...)
				s = c.Recv.Src.Addr().AppendTo(s)
				s = append(strconv.AppendUint(append(s, '~'), uint64(c.Recv.Src.Port()), 10), '~')
				old = c.Scratch.Keep(strconv.AppendUint(s, uint64(c.Recv.Proto), 10))
				dst = c.Scratch.Tail(2*len(old) + len(own) + len(name) + 8)
			}
			dst = append(append(dst, '<'), own...)
			dst = append(append(append(dst, ';'), name...), '=')
			return append(base64.RawURLEncoding.AppendEncode(dst, old), '>'), true, 1
		})
	}
}

// uriParamOf finds a parameter in the text of a URI: from the ';' before it to its end.
func uriParamOf(g *sipparse.Grammar, b, name []byte) (val []byte, from, to int, ok bool) {
	var u sipparse.URI
	if g.ParseURI(b, &u) != sipparse.OK {
		return nil, 0, 0, false
	}
	at := int(u.Params.Off) - 1
	for part := range bytes.SplitSeq(u.Params.In(b), semicolon) {
		n, v, _ := bytes.Cut(part, []byte("="))
		if len(part) > 0 && bytes.Equal(bytes.TrimSpace(n), name) {
			return v, at, at + 1 + len(part), true
		}
		at += 1 + len(part)
	}
	return nil, 0, 0, false
}

// decodeTo appends the URI that the parameter holds; padding may be there.
func decodeTo(dst, val []byte) ([]byte, bool) {
	dst, err := base64.RawURLEncoding.AppendDecode(dst, bytes.TrimRight(val, "="))
	return dst, err == nil && len(dst) > 0
}

func decodeParam(c *route.Ctx, a *route.Args) int {
	name, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	return eachContact(c, func(dst, b []byte) ([]byte, bool, int) {
		val, _, _, ok := uriParamOf(c.P.Par.Grammar, b, name)
		if !ok {
			return nil, false, 1
		}
		out, ok := decodeTo(append(dst, '<'), val)
		if !ok {
			return nil, false, -1
		}
		return append(out, '>'), true, 1
	})
}

func decodeParamRURI(c *route.Ctx, a *route.Args) int {
	name, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	b := c.RURI()
	val, _, _, ok := uriParamOf(c.P.Par.Grammar, b, name)
	if !ok {
		return 1
	}
	out, ok := decodeTo(c.Scratch.Tail(len(b)), val)
	if !ok {
		return -1
	}
	return ruri(c, c.Scratch.Keep(out))
}

func removeParam(c *route.Ctx, a *route.Args) int {
	name, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	return eachContact(c, func(dst, b []byte) ([]byte, bool, int) {
		_, from, to, ok := uriParamOf(c.P.Par.Grammar, b, name)
		if !ok {
			return nil, false, 1
		}
		return append(append(dst, b[:from]...), b[to:]...), false, 1
	})
}

func hasParam(c *route.Ctx, a *route.Args) bool {
	name, ok := a.Str(c, 0)
	found := false
	eachContact(c, func(_, b []byte) ([]byte, bool, int) {
		_, _, _, has := uriParamOf(c.P.Par.Grammar, b, name)
		found = found || has
		return nil, false, 1
	})
	return ok && found
}
