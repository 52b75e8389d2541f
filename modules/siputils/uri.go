package siputils

import (
	"bytes"
	"slices"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// findParam looks for a parameter of the R-URI.
func findParam(c *route.Ctx, name []byte, same func(a, b []byte) bool) (val []byte, has, found bool) {
	u, b, ok := c.ParsedRURI()
	if !ok {
		return nil, false, false
	}
	for it := sipparse.Params(u.Params.In(b)); it.Next(); {
		if same(it.Name, name) {
			return it.Value, it.HasValue, true
		}
	}
	return nil, false, false
}

// uriParam without a value wants the parameter to have none, and compares the name with its case, as Kamailio.
func uriParam(c *route.Ctx, a *route.Args) int {
	val, has, found := findParam(c, a.At(0).Text, bytes.Equal)
	if a.N < 2 {
		return truth(found && !has)
	}
	return truth(found && has && bytes.Equal(val, a.At(1).Text))
}

func uriParamAny(c *route.Ctx, a *route.Args) int {
	name, ok := a.Str(c, 0)
	_, _, found := findParam(c, name, bytes.EqualFold)
	return truth(ok && found)
}

func getURIParam(c *route.Ctx, a *route.Args) int {
	name, ok := a.Str(c, 0)
	val, _, found := findParam(c, name, bytes.Equal)
	if !ok || !found {
		return -1
	}
	return set(c, a.PV(1), val)
}

func set(c *route.Ctx, p *route.PV, b []byte) int {
	if err := p.Set(c, route.Str(b)); err != nil {
		c.Logf(log.Err, "siputils", "assignment to %s: %v", p.Text, err)
		return -1
	}
	return 1
}

// addURIParam puts the parameter before the URI's headers.
func addURIParam(c *route.Ctx, a *route.Args) int {
	p, ok := a.Str(c, 0)
	u, b, good := c.ParsedRURI()
	if !ok || !good {
		return -1
	}
	if len(p) == 0 {
		return 1
	}
	end := len(b)
	if !u.Headers.Empty() {
		end = int(u.Headers.Off) - 1
	}
	return ruri(c, c.Scratch.Concat(b[:end], semicolon, p, b[end:]))
}

var semicolon = []byte(";")

func ruri(c *route.Ctx, b []byte) int {
	if err := c.SetRURI(b); err != nil {
		c.Logf(log.Err, "siputils", "%v", err)
		return -1
	}
	return 1
}

func rmURIParam(c *route.Ctx, a *route.Args) int {
	name, ok := a.Str(c, 0)
	u, b, good := c.ParsedRURI()
	if !ok || !good {
		return -1
	}
	if u.Params.Empty() {
		return 1
	}
	d := c.Scratch.Tail(len(b))
	d = append(d, b[:u.Params.Off-1]...)
	for it := sipparse.Params(u.Params.In(b)); it.Next(); {
		if bytes.EqualFold(it.Name, name) {
			continue
		}
		d = append(append(d, ';'), it.Name...)
		if it.HasValue {
			d = append(append(d, '='), it.Value...)
		}
	}
	return ruri(c, c.Scratch.Keep(append(d, b[u.Params.End():]...)))
}

// tel2sip takes a tel URI, a host and a variable; what is no tel URI is left alone (2).
func tel2sip(c *route.Ctx, a *route.Args) int { return telToSIP(c, a, func([][]byte) {}) }

func tel2sip2(c *route.Ctx, a *route.Args) int {
	return telToSIP(c, a, func(params [][]byte) { slices.SortStableFunc(params, byTelParam) })
}

// byTelParam: isub and ext first, then phone-context, the others by name (RFC 3261 19.1.6, RFC 3966 3).
func byTelParam(a, b []byte) int {
	rank := func(p []byte) int {
		n, _, _ := bytes.Cut(p, []byte("="))
		switch string(n) {
		case "isub":
			return 0
		case "ext":
			return 1
		case "phone-context":
			return 2
		}
		return 3
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return bytes.Compare(a, b)
}

func telToSIP(c *route.Ctx, a *route.Args, order func(params [][]byte)) int {
	tel, ok1 := a.Str(c, 0)
	host, ok2 := a.Str(c, 1)
	if !ok1 || !ok2 {
		return -1
	}
	if len(tel) < 4 || !bytes.EqualFold(tel[:4], []byte("tel:")) {
		return 2
	}
	number, params, _ := bytes.Cut(tel[4:], semicolon)
	d := c.Scratch.Tail(len(tel) + len(host) + 16)
	d = append(d, "sip:"...)
	for _, ch := range number {
		switch ch {
		case '-', '.', '(', ')':
			continue // visual separators
		}
		d = append(d, lower(ch))
	}
	var room [16][]byte
	list := room[:0]
	for len(params) > 0 {
		var p []byte
		p, params, _ = bytes.Cut(params, semicolon)
		list = append(list, p)
	}
	order(list)
	for _, p := range list {
		d = append(d, ';')
		for _, ch := range p {
			d = append(d, lower(ch))
		}
	}
	d = append(append(append(d, '@'), host...), ";user=phone"...)
	return set(c, a.PV(2), c.Scratch.Keep(d))
}

func lower(ch byte) byte {
	if ch >= 'A' && ch <= 'Z' {
		ch += 'a' - 'A'
	}
	return ch
}

// cmpArgs parses both arguments and compares them; -2 when one is no URI.
func cmpArgs(c *route.Ctx, a *route.Args, same func(u, v *sipparse.URI, b, d []byte) bool) int {
	b, ok1 := a.Str(c, 0)
	d, ok2 := a.Str(c, 1)
	var u, v sipparse.URI
	if !ok1 || !ok2 || c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK || c.P.Par.Grammar.ParseURI(d, &v) != sipparse.OK {
		return -2
	}
	return truth(same(&u, &v, b, d))
}

// sameURI compares as RFC 3261 19.1.4 asks, but for what Kamailio takes more easily: headers do not matter, and a transport only when both name one.
func sameURI(u, v *sipparse.URI, b, d []byte) bool {
	if u.Scheme != v.Scheme || !bytes.Equal(u.User.In(b), v.User.In(d)) || !bytes.Equal(u.Passwd.In(b), v.Passwd.In(d)) ||
		!bytes.EqualFold(u.Host.In(b), v.Host.In(d)) || !bytes.Equal(u.PortText.In(b), v.PortText.In(d)) ||
		!bytes.EqualFold(u.TTL.In(b), v.TTL.In(d)) || !bytes.EqualFold(u.UserParam.In(b), v.UserParam.In(d)) ||
		!bytes.EqualFold(u.Maddr.In(b), v.Maddr.In(d)) || !bytes.EqualFold(u.MethodParam.In(b), v.MethodParam.In(d)) {
		return false
	}
	for p := sipparse.Params(u.Params.In(b)); p.Next(); {
		for q := sipparse.Params(v.Params.In(d)); q.Next(); {
			if bytes.EqualFold(p.Name, q.Name) && !bytes.EqualFold(p.Value, q.Value) {
				return false
			}
		}
	}
	return true
}

// sameAOR compares user, host and port; an absent port is 5060.
func sameAOR(u, v *sipparse.URI, b, d []byte) bool {
	port := func(u *sipparse.URI) uint16 {
		if u.Port != 0 {
			return u.Port
		}
		return 5060
	}
	return bytes.Equal(u.User.In(b), v.User.In(d)) && port(u) == port(v) && bytes.EqualFold(u.Host.In(b), v.Host.In(d))
}

// cmpHdrName: -2 when two unknown names differ, or one is empty; as in Kamailio.
func cmpHdrName(c *route.Ctx, a *route.Args) int {
	b, ok1 := a.Str(c, 0)
	d, ok2 := a.Str(c, 1)
	if !ok1 || !ok2 || len(b) == 0 || len(d) == 0 {
		return -2
	}
	t, u := sipparse.LookupHdr(b), sipparse.LookupHdr(d)
	switch {
	case t != u:
		return -1
	case t != sipparse.HdrOther || bytes.EqualFold(b, d):
		return 1
	}
	return -2
}

func setURIUser(c *route.Ctx, a *route.Args) int {
	return setURI(c, a, func(dst []byte, u *sipparse.URI, b, val []byte) []byte {
		dst = append(append(dst, u.SchemeText.In(b)...), ':')
		if len(val) > 0 {
			dst = append(append(dst, val...), '@')
		}
		rest := b[u.SchemeText.End()+1:] // of a tel URI, as in Kamailio
		if !u.Host.Empty() {
			rest = b[u.Host.Off:]
		}
		return append(dst, rest...)
	})
}

func setURIHost(c *route.Ctx, a *route.Args) int {
	return setURI(c, a, func(dst []byte, u *sipparse.URI, b, val []byte) []byte {
		if u.Host.Empty() {
			return append(dst, b...)
		}
		dst = append(append(dst, b[:u.Host.Off]...), val...)
		return append(dst, b[u.Host.End():]...)
	})
}

func setURI(c *route.Ctx, a *route.Args, build func(dst []byte, u *sipparse.URI, b, val []byte) []byte) int {
	v := a.PV(0).Get(c)
	val, ok := a.Str(c, 1)
	if v.IsNull() || !ok {
		return -1
	}
	b := v.Text(c)
	var u sipparse.URI
	if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
		return -1
	}
	d := build(c.Scratch.Tail(len(b)+len(val)+8), &u, b, val)
	return set(c, a.PV(0), c.Scratch.Keep(d))
}

// isGRUU looks for gr: with a value it is a public GRUU, without one a temporary.
func isGRUU(c *route.Ctx, a *route.Args) int {
	b := c.RURI()
	if a.N > 0 {
		var ok bool
		if b, ok = a.Str(c, 0); !ok {
			return -1
		}
	}
	var u sipparse.URI
	if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK || !u.HasGR {
		return -1
	}
	if u.GR.Empty() {
		return 2
	}
	return 1
}
