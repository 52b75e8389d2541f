package rr

import (
	"bytes"
	"fmt"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Directions of a request in its dialog, as $rdir tells them.
const (
	downstream = 1 + iota // from the caller
	upstream
)

// firstRoute is the URI of the first Route entry as it was received; nil if there is none.
func firstRoute(c *route.Ctx) []byte {
	v := c.Msg.Values(sipparse.HdrRoute)
	if ok, _ := v.Next(); !ok {
		return nil
	}
	return c.Msg.Bytes(v.URI)
}

// Upstream says whether a request comes from the callee; other modules ask it.
func (m *mod) Upstream(c *route.Ctx) bool { return direction(c) == upstream }

// direction compares the ftag parameter of the first Route entry, which record_route has put there, with the From tag. Without one the request comes from the caller.
func direction(c *route.Ctx) int {
	b := firstRoute(c)
	var u sipparse.URI
	if len(b) == 0 || c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
		return downstream
	}
	ftag, ok := sipparse.Param(u.Params.In(b), "ftag")
	f, e := c.Msg.From()
	if ok && len(ftag) > 0 && e == sipparse.OK && !bytes.Equal(ftag, c.Msg.Bytes(f.Tag)) {
		return upstream
	}
	return downstream
}

// tagOf is the tag of the caller or of the callee, whoever sent the request.
func tagOf(caller bool) route.Getter {
	return func(c *route.Ctx) route.Value {
		get := c.Msg.To
		if caller == (direction(c) == downstream) {
			get = c.Msg.From
		}
		n, e := get()
		if e != sipparse.OK || n.Tag.Empty() {
			return route.Null
		}
		return route.Str(c.Msg.Bytes(n.Tag))
	}
}

func vars() []route.Var {
	return []route.Var{
		{Name: "route_uri", Get: func(c *route.Ctx) route.Value {
			if b := firstRoute(c); b != nil {
				return route.Str(b)
			}
			return route.Str([]byte{})
		}, Doc: "URI of the first Route entry as received; empty if there is none"},
		{Name: "fti", Get: tagOf(true), Doc: "tag of the caller (From tag of the initial request), by the ftag of the Route"},
		{Name: "tti", Get: tagOf(false), Doc: "tag of the callee; null before there is one"},
		{Name: "rdir", Bind: func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
			switch r.Inner {
			case "id":
				return func(c *route.Ctx) route.Value { return route.Int(int64(direction(c))) }, nil, nil
			case "name":
				return func(c *route.Ctx) route.Value {
					if direction(c) == upstream {
						return route.Str([]byte("upstream"))
					}
					return route.Str([]byte("downstream"))
				}, nil, nil
			}
			return nil, nil, fmt.Errorf("$rdir(%s): want id or name", r.Inner)
		}, Doc: "$rdir(id), $rdir(name): 1 downstream, 2 upstream"},
	}
}

// advertised is record_route_advertised_address.
func (m *mod) advertised(c *route.Ctx, a *route.Args) int {
	b, ok := a.Str(c, 0)
	if !ok || len(b) == 0 || c.RR.On {
		return -1
	}
	c.RR.Adv, c.RR.On = c.Scratch.Copy(b), true
	return 1
}

// advertisedLines are its lines: two when the request leaves by another protocol than it came in by.
func (m *mod) advertisedLines(c *route.Ctx, in, out *route.Socket) []byte {
	two := m.enableDoubleRR != 0 && in.Proto != out.Proto
	b := c.Scratch.Tail(2*(len(c.RR.Adv)+len(c.RR.Params)) + 512)
	add := func(s *route.Socket) {
		b = append(append(b, "Record-Route: <sip:"...), c.RR.Adv...)
		if s.Proto != sipparse.UDP && !bytes.Contains(c.RR.Adv, []byte(";transport=")) {
			b = append(append(b, ";transport="...), s.Proto.String()...)
		}
		if two {
			b = append(b, ";r2=on"...)
		}
		b = m.appendLR(m.appendFtag(c, b))
		b = append(append(b, c.RR.Params...), ">\r\n"...)
	}
	if two {
		add(out)
	}
	add(in)
	return c.Scratch.Keep(b)
}
