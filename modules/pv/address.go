package pv

import (
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// addressVars are the variables of From, To and the other fields that hold addresses.
func addressVars() []route.Var {
	var l []route.Var
	party := func(p, long, what string, typ sipparse.HdrType, of parsed, addr func(m *sipparse.Msg) (*sipparse.NameAddr, sipparse.Err)) {
		part := func(f func(a *sipparse.NameAddr) sipparse.Span) route.Getter {
			return func(c *route.Ctx) route.Value {
				a, e := addr(&c.Msg)
				if e != sipparse.OK {
					return route.Null
				}
				return text(c.Msg.Bytes(f(a)))
			}
		}
		set := partySetters{typ, addr, of}
		rw := func(name, doc string, get route.Getter, set route.Setter) route.Var {
			return route.Var{Name: name, Get: get, Set: set, Doc: doc}
		}
		uri := part(func(a *sipparse.NameAddr) sipparse.Span { return a.URI })
		l = append(l,
			rw(p+"u", "URI of "+what, uri, set.uri(p+"u")), rw(long, "as $"+p+"u", uri, set.uri(p+"u")),
			rw(p+"U", "user of "+what, user(of), set.user), rw(long+".user", "as $"+p+"U", user(of), set.user),
			rw(p+"d", "host of "+what, host(of), set.host(p+"d")), rw(long+".domain", "as $"+p+"d", host(of), set.host(p+"d")),
			rw(p+"n", "display name of "+what+" with its quotes", part(func(a *sipparse.NameAddr) sipparse.Span { return a.Name }), set.name),
			get(p+"t", "tag of "+what, part(func(a *sipparse.NameAddr) sipparse.Span { return a.Tag })),
			get(p+"ul", "length of the URI", length(of, uri)), get(p+"Ul", "length of the user", length(of, user(of))))
	}
	party("f", "from", "From", sipparse.HdrFrom, furi, (*sipparse.Msg).From)
	party("t", "to", "To", sipparse.HdrTo, turi, (*sipparse.Msg).To)
	l = append(l, get("tts", "1 if To has a tag", func(c *route.Ctx) route.Value {
		if a, e := c.Msg.To(); e == sipparse.OK && !a.Tag.Empty() {
			return route.Int(1)
		}
		return route.Int(0)
	}))
	first := func(name, doc string, t sipparse.HdrType, f func(c *route.Ctx, v *sipparse.Values) route.Value) {
		l = append(l, get(name, doc, func(c *route.Ctx) route.Value {
			v := c.Msg.Values(t)
			if ok, _ := v.Next(); !ok {
				return route.Null
			}
			return f(c, &v)
		}))
	}
	uri := func(c *route.Ctx, v *sipparse.Values) route.Value { return text(c.Msg.Bytes(v.URI)) }
	param := func(name string) func(c *route.Ctx, v *sipparse.Values) route.Value {
		return func(c *route.Ctx, v *sipparse.Values) route.Value {
			p, _ := sipparse.Param(c.Msg.Bytes(v.Params), name) // absent: null
			return text(unwrap(p, `""`))
		}
	}
	first("re", "URI of Remote-Party-ID", sipparse.HdrRPID, uri)
	first("rt", "URI of Refer-To", sipparse.HdrReferTo, uri)
	first("di", "URI of Diversion", sipparse.HdrDiversion, uri)
	first("dir", "reason of Diversion", sipparse.HdrDiversion, param("reason"))
	first("dip", "privacy of Diversion", sipparse.HdrDiversion, param("privacy"))
	first("dic", "counter of Diversion", sipparse.HdrDiversion, param("counter"))
	nth := func(name, doc string, t sipparse.HdrType, f func(c *route.Ctx, v *sipparse.Values) route.Value) {
		l = append(l, route.Var{Name: name, Doc: doc, Bind: func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
			if r.HasInner {
				return nil, nil, errNoInner
			}
			return func(c *route.Ctx) route.Value { return nthValue(c, t, &r.Index, f) }, nil, nil
		}})
	}
	ofURI := func(f func(u *sipparse.URI, b []byte) route.Value) func(c *route.Ctx, v *sipparse.Values) route.Value {
		return func(c *route.Ctx, v *sipparse.Values) route.Value {
			var u sipparse.URI
			b := c.Msg.Bytes(v.URI)
			if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
				return route.Null
			}
			return f(&u, b)
		}
	}
	nth("ai", "URI of P-Asserted-Identity", sipparse.HdrPAI, uri)
	nth("pu", "URI of P-Preferred-Identity", sipparse.HdrPPI, uri)
	nth("pU", "its user", sipparse.HdrPPI, ofURI(userOf))
	nth("pd", "its host", sipparse.HdrPPI, ofURI(hostOf))
	nth("pn", "its display name", sipparse.HdrPPI, func(c *route.Ctx, v *sipparse.Values) route.Value { return text(c.Msg.Bytes(v.Name)) })
	return l
}

func nthValue(c *route.Ctx, t sipparse.HdrType, x *route.Index, f func(c *route.Ctx, v *sipparse.Values) route.Value) route.Value {
	n, all := x.Eval(c)
	if all {
		return route.Null
	}
	if n < 0 {
		for v := c.Msg.Values(t); ; n++ {
			if ok, _ := v.Next(); !ok {
				break
			}
		}
		if n < 0 {
			return route.Null
		}
	}
	for v := c.Msg.Values(t); ; n-- {
		ok, _ := v.Next()
		switch {
		case !ok:
			return route.Null
		case n == 0:
			return f(c, &v)
		}
	}
}
