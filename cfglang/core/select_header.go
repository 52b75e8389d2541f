package core

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

func bodyOf(t sipparse.HdrType) element {
	return func(c *route.Ctx) ([]byte, bool) {
		h := c.Msg.First(t)
		if h == nil {
			return nil, false
		}
		return c.Msg.Bytes(h.Body), true
	}
}

func namedBody(name string) element {
	b := []byte(name)
	return func(c *route.Ctx) ([]byte, bool) {
		h := c.Msg.Find(b)
		if h == nil {
			return nil, false
		}
		return c.Msg.Bytes(h.Body), true
	}
}

// eventName is Event without its parameters.
func eventName(c *route.Ctx) ([]byte, bool) {
	h := c.Msg.First(sipparse.HdrEvent)
	if h == nil {
		return nil, false
	}
	b := c.Msg.Bytes(h.Body)
	if i := bytes.IndexByte(b, ';'); i >= 0 {
		b = bytes.TrimRight(b[:i], " \t")
	}
	return b, true
}

// address parses an address of the message; the second result is false when it is not there.
type address func(c *route.Ctx, n *sipparse.NameAddr) bool

func fromAddr(c *route.Ctx, n *sipparse.NameAddr) bool {
	a, e := c.Msg.From()
	if e == sipparse.OK {
		*n = *a
	}
	return e == sipparse.OK
}

func toAddr(c *route.Ctx, n *sipparse.NameAddr) bool {
	a, e := c.Msg.To()
	if e == sipparse.OK {
		*n = *a
	}
	return e == sipparse.OK
}

func firstOf(t sipparse.HdrType) address {
	return func(c *route.Ctx, n *sipparse.NameAddr) bool { return first(c, t, n) }
}

func first(c *route.Ctx, t sipparse.HdrType, n *sipparse.NameAddr) bool {
	v := c.Msg.Values(t)
	ok, e := v.Next()
	*n = v.NameAddr
	return ok && e == sipparse.OK && !n.Star
}

func addrPart(of address, f func(n *sipparse.NameAddr) sipparse.Span) element {
	n := new(sipparse.NameAddr) // of the program, for the time of one call
	return func(c *route.Ctx) ([]byte, bool) {
		if !of(c, n) {
			return nil, false
		}
		return opt(c.Msg.Bytes(f(n))), true
	}
}

func addrURI(n *sipparse.NameAddr) sipparse.Span    { return n.URI }
func addrName(n *sipparse.NameAddr) sipparse.Span   { return n.Name }
func addrTag(n *sipparse.NameAddr) sipparse.Span    { return n.Tag }
func addrParams(n *sipparse.NameAddr) sipparse.Span { return n.Params }

// partySelect is From and its like.
func partySelect(of address, t sipparse.HdrType) resolver {
	return func(_ *Selects, root component, rest []component) (element, error) {
		if root.hasIdx {
			return nil, errSelectIndex(root)
		}
		if len(rest) == 0 {
			return bodyOf(t), nil
		}
		part, rest := rest[0], rest[1:]
		switch part.key() {
		case "uri":
			return uriSelect(part, rest, addrPart(of, addrURI))
		case "params":
			return paramSelect(part, rest, addrPart(of, addrParams))
		case "name":
			return addrPart(of, addrName), alone(part, rest)
		case "tag":
			return addrPart(of, addrTag), alone(part, rest)
		}
		return nil, errSelectPart(root, part)
	}
}

func contactSelect(_ *Selects, root component, rest []component) (element, error) {
	if root.hasIdx {
		return nil, errSelectIndex(root)
	}
	if len(rest) == 0 {
		return bodyOf(sipparse.HdrContact), nil
	}
	of := firstOf(sipparse.HdrContact)
	part, rest := rest[0], rest[1:]
	switch k := part.key(); k {
	case "uri":
		return uriSelect(part, rest, addrPart(of, addrURI))
	case "params":
		return paramSelect(part, rest, addrPart(of, addrParams))
	case "name":
		return addrPart(of, addrName), alone(part, rest)
	case "q", "expires", "methods", "received", "instance":
		if k == "instance" {
			k = "+sip.instance"
		}
		if err := alone(part, rest); err != nil {
			return nil, err
		}
		return paramSelect(part, []component{{name: k}}, addrPart(of, addrParams))
	}
	return nil, errSelectPart(root, part)
}

// firstRecordRoute wants a name-addr, as Kamailio does.
func firstRecordRoute(c *route.Ctx, n *sipparse.NameAddr) bool {
	return first(c, sipparse.HdrRecordRoute, n) && n.Angle
}

func recordRouteSelect(_ *Selects, root component, rest []component) (element, error) {
	if root.hasIdx {
		return nil, errSelectIndex(root)
	}
	if len(rest) == 0 {
		there, body := addrPart(firstRecordRoute, addrURI), bodyOf(sipparse.HdrRecordRoute)
		return func(c *route.Ctx) ([]byte, bool) {
			if _, ok := there(c); !ok {
				return nil, false
			}
			return body(c)
		}, nil
	}
	part, rest := rest[0], rest[1:]
	switch part.key() {
	case "uri":
		return uriSelect(part, rest, addrPart(firstRecordRoute, addrURI))
	case "name":
		name := addrPart(firstRecordRoute, addrName)
		return func(c *route.Ctx) ([]byte, bool) {
			b, ok := name(c)
			if b == nil {
				b = []byte{}
			}
			return b, ok
		}, alone(part, rest)
	case "params":
		e, err := paramSelect(part, rest, addrPart(firstRecordRoute, addrParams))
		there := addrPart(firstRecordRoute, addrURI)
		return func(c *route.Ctx) ([]byte, bool) {
			if _, ok := there(c); !ok {
				return nil, false
			}
			b, _ := e(c) // a parameter that is not there is empty
			return b, true
		}, err
	}
	return nil, errSelectPart(root, part)
}

func cseqSelect(_ *Selects, root component, rest []component) (element, error) {
	if root.hasIdx {
		return nil, errSelectIndex(root)
	}
	if len(rest) == 0 {
		return bodyOf(sipparse.HdrCSeq), nil
	}
	of := func(f func(q *sipparse.CSeq) sipparse.Span) element {
		return func(c *route.Ctx) ([]byte, bool) {
			q, e := c.Msg.CSeq()
			if e != sipparse.OK {
				return nil, false
			}
			return c.Msg.Bytes(f(q)), true
		}
	}
	part, rest := rest[0], rest[1:]
	switch part.key() {
	case "num":
		return of(func(q *sipparse.CSeq) sipparse.Span { return q.NumText }), alone(part, rest)
	case "method":
		return of(func(q *sipparse.CSeq) sipparse.Span { return q.MethodText }), alone(part, rest)
	}
	return nil, errSelectPart(root, part)
}

// credentials are the fields of Authorization and Proxy-Authorization.
var credentials = map[string]func(a *sipparse.Auth) sipparse.Span{
	"username":        func(a *sipparse.Auth) sipparse.Span { return a.Username },
	"username.user":   func(a *sipparse.Auth) sipparse.Span { return a.UserName },
	"username.domain": func(a *sipparse.Auth) sipparse.Span { return a.UserDomain },
	"realm":           func(a *sipparse.Auth) sipparse.Span { return a.Realm },
	"nonce":           func(a *sipparse.Auth) sipparse.Span { return a.Nonce },
	"uri":             func(a *sipparse.Auth) sipparse.Span { return a.URI },
	"cnonce":          func(a *sipparse.Auth) sipparse.Span { return a.Cnonce },
	"nc":              func(a *sipparse.Auth) sipparse.Span { return a.NC },
	"response":        func(a *sipparse.Auth) sipparse.Span { return a.Response },
	"opaque":          func(a *sipparse.Auth) sipparse.Span { return a.Opaque },
	"algorithm":       func(a *sipparse.Auth) sipparse.Span { return a.Algorithm },
	"qop":             func(a *sipparse.Auth) sipparse.Span { return a.QOP },
}

// authSelect is authorization["realm"] and its parts.
func authSelect(t sipparse.HdrType) resolver {
	return func(_ *Selects, root component, rest []component) (element, error) {
		if root.hasIdx {
			return nil, errSelectIndex(root)
		}
		if len(rest) == 0 {
			return nil, errSelectMore(root)
		}
		realm := []byte(rest[0].name)
		if rest[0].hasIdx {
			return nil, errSelectIndex(rest[0])
		}
		a := new(sipparse.Auth) // of the program, for the time of one call
		find := func(c *route.Ctx, a *sipparse.Auth) *sipparse.Hdr {
			for h := c.Msg.First(t); h != nil; h = c.Msg.NextOf(h) {
				if sipparse.ParseAuth(c.Msg.Buf, h.Body, a) == sipparse.OK && bytes.Equal(c.Msg.Bytes(a.Realm), realm) {
					return h
				}
			}
			return nil
		}
		if rest = rest[1:]; len(rest) == 0 {
			return func(c *route.Ctx) ([]byte, bool) {
				h := find(c, a)
				if h == nil {
					return nil, false
				}
				return c.Msg.Bytes(h.Body), true
			}, nil
		}
		name, last := rest[0].key(), rest[0]
		if name == "username" && len(rest) > 1 {
			rest = rest[1:]
			last = rest[0]
			name += "." + last.key()
		}
		f := credentials[name]
		if f == nil {
			return nil, errSelectPart(root, last)
		}
		return func(c *route.Ctx) ([]byte, bool) {
			if find(c, a) == nil {
				return nil, false
			}
			return opt(c.Msg.Bytes(f(a))), true
		}, alone(last, rest[1:])
	}
}
