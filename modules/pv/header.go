package pv

import (
	"bytes"
	"errors"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

func headerVars() []route.Var {
	body := func(t sipparse.HdrType) route.Getter {
		return func(c *route.Ctx) route.Value {
			if h := c.Msg.First(t); h != nil {
				return route.Str(c.Msg.Bytes(h.Body))
			}
			return route.Null
		}
	}
	return []route.Var{
		{Name: "hdr", Bind: bindHdr, Doc: "body of a header field: $hdr(Name), $(hdr(Name)[1]), negative from the end, * joined, null if absent"},
		{Name: "hdrc", Bind: bindHdrCount, Doc: "number of header fields of a name"},
		{Name: "hfl", Bind: bindHdrList, Doc: "as $hdr, but each value of a list counts (Via, Route, Record-Route, Contact, Diversion, P-Asserted-Identity, P-Preferred-Identity)"},
		{Name: "hflc", Bind: bindHdrListCount, Doc: "number of values of a header"},
		get("ci", "Call-ID", body(sipparse.HdrCallID)),
		get("cs", "number of CSeq", func(c *route.Ctx) route.Value {
			q, e := c.Msg.CSeq()
			if e != sipparse.OK {
				return route.Null
			}
			return route.StrInt(c.Msg.Bytes(q.NumText), int64(q.Num))
		}),
		get("csb", "body of CSeq", body(sipparse.HdrCSeq)),
		get("ct", "body of the first Contact", body(sipparse.HdrContact)),
		get("ctu", "URI of the first Contact", func(c *route.Ctx) route.Value {
			v := c.Msg.Values(sipparse.HdrContact)
			if ok, _ := v.Next(); !ok || v.Star {
				return route.Null
			}
			return text(c.Msg.Bytes(v.URI))
		}),
		get("cts", "1 if Contact is *", func(c *route.Ctx) route.Value {
			v := c.Msg.Values(sipparse.HdrContact)
			if ok, _ := v.Next(); ok && v.Star {
				return route.Int(1)
			}
			return route.Int(0)
		}),
		get("cT", "Content-Type", body(sipparse.HdrContentType)),
		get("cl", "Content-Length", func(c *route.Ctx) route.Value {
			n, ok, e := c.Msg.ContentLength()
			if !ok || e != sipparse.OK {
				return route.Null
			}
			return route.Int(int64(n))
		}),
		get("ua", "User-Agent", body(sipparse.HdrUserAgent)),
		{Name: "expires", Bind: bindExpires, Doc: "$expires(min), $expires(max) of Expires and the Contacts"},
	}
}

// hdrName is a name of a reference, looked up at start unless a variable holds it.
type hdrName struct {
	text []byte
	typ  sipparse.HdrType
	pv   *route.PV
	any  bool // *
}

func bindName(r *route.VarRef) (n hdrName, err error) {
	switch {
	case r.InnerPV != nil:
		n.pv = r.InnerPV
	case r.Inner == "":
		return n, errWantName
	default:
		n = makeName([]byte(r.Inner))
	}
	return n, nil
}

func makeName(b []byte) hdrName {
	return hdrName{text: b, typ: sipparse.LookupHdr(b), any: len(b) == 1 && b[0] == '*'}
}

// resolve is the name with the variable read.
func (n *hdrName) resolve(c *route.Ctx) hdrName {
	if n.pv == nil {
		return *n
	}
	return makeName(n.pv.Get(c).Text(c))
}

func (n *hdrName) first(m *sipparse.Msg) *sipparse.Hdr {
	switch {
	case n.any:
		if len(m.Hdrs) == 0 {
			return nil
		}
		return &m.Hdrs[0]
	case n.typ != sipparse.HdrOther:
		return m.First(n.typ)
	}
	return m.Find(n.text)
}

func (n *hdrName) next(m *sipparse.Msg, h *sipparse.Hdr) *sipparse.Hdr {
	if !n.any {
		return m.FindNext(h)
	}
	for i := range m.Hdrs {
		if &m.Hdrs[i] == h && i+1 < len(m.Hdrs) {
			return &m.Hdrs[i+1]
		}
	}
	return nil
}

func (n *hdrName) count(m *sipparse.Msg) (k int) {
	for h := n.first(m); h != nil; h = n.next(m, h) {
		k++
	}
	return k
}

func bindHdr(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	name, err := bindName(r)
	if err != nil {
		return nil, nil, err
	}
	x := &r.Index
	if name.pv == nil && !name.any && (x.Kind == route.NoIndex || x.Kind == route.ConstIndex && x.N == 0) {
		return func(c *route.Ctx) route.Value {
			if h := name.first(&c.Msg); h != nil {
				return route.Str(c.Msg.Bytes(h.Body))
			}
			return route.Null
		}, nil, nil
	}
	return func(c *route.Ctx) route.Value {
		n := name.resolve(c)
		i, all := x.Eval(c)
		if all {
			return joinHdrs(c, &n)
		}
		if i < 0 {
			i += n.count(&c.Msg)
			if i < 0 {
				return route.Null
			}
		}
		h := n.first(&c.Msg)
		for ; i > 0 && h != nil; i-- {
			h = n.next(&c.Msg, h)
		}
		if h == nil {
			return route.Null
		}
		return route.Str(c.Msg.Bytes(h.Body))
	}, nil, nil
}

func joinHdrs(c *route.Ctx, n *hdrName) route.Value {
	size := 0
	for h := n.first(&c.Msg); h != nil; h = n.next(&c.Msg, h) {
		size += int(h.Body.Len) + 1
	}
	if size == 0 {
		return route.Null
	}
	b := c.Scratch.Tail(size)
	for h := n.first(&c.Msg); h != nil; h = n.next(&c.Msg, h) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, c.Msg.Bytes(h.Body)...)
	}
	return route.Str(c.Scratch.Keep(b))
}

func bindHdrCount(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	name, err := bindName(r)
	if err != nil {
		return nil, nil, err
	}
	if r.Index.Kind != route.NoIndex {
		return nil, nil, errIndex
	}
	return func(c *route.Ctx) route.Value {
		n := name.resolve(c)
		return route.Int(int64(n.count(&c.Msg)))
	}, nil, nil
}

// isList says whether the fields of a type hold lists.
func isList(t sipparse.HdrType) bool {
	switch t {
	case sipparse.HdrVia, sipparse.HdrRoute, sipparse.HdrRecordRoute, sipparse.HdrContact, sipparse.HdrDiversion, sipparse.HdrPAI, sipparse.HdrPPI:
		return true
	}
	return false
}

// cutValue cuts the first value off a list: at a comma outside quotes and < >.
func cutValue(b []byte) (value, rest []byte) {
	quoted, angle := false, false
	for i := 0; i < len(b); i++ {
		switch ch := b[i]; {
		case quoted && ch == '\\':
			i++
		case ch == '"':
			quoted = !quoted
		case quoted:
		case ch == '<':
			angle = true
		case ch == '>':
			angle = false
		case ch == ',' && !angle:
			return bytes.TrimSpace(b[:i]), b[i+1:]
		}
	}
	return bytes.TrimSpace(b), nil
}

// values walks the values of all fields of a name until f returns false.
func (n *hdrName) values(m *sipparse.Msg, f func(v []byte) bool) {
	for h := n.first(m); h != nil; h = n.next(m, h) {
		b := m.Bytes(h.Body)
		if !isList(n.typ) {
			if !f(b) {
				return
			}
			continue
		}
		for b != nil {
			var v []byte
			v, b = cutValue(b)
			if !f(v) {
				return
			}
		}
	}
}

func bindHdrList(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	name, err := bindName(r)
	if err != nil {
		return nil, nil, err
	}
	if r.Index.Kind == route.AllIndex {
		return func(c *route.Ctx) route.Value {
			n := name.resolve(c)
			return joinHdrs(c, &n)
		}, nil, nil
	}
	return func(c *route.Ctx) route.Value {
		n := name.resolve(c)
		i, _ := r.Index.Eval(c)
		if i < 0 {
			n.values(&c.Msg, func([]byte) bool { i++; return true })
			if i < 0 {
				return route.Null
			}
		}
		out := route.Null
		n.values(&c.Msg, func(v []byte) bool {
			if i == 0 {
				out = route.Str(v)
			}
			i--
			return i >= 0
		})
		return out
	}, nil, nil
}

func bindHdrListCount(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	name, err := bindName(r)
	if err != nil {
		return nil, nil, err
	}
	return func(c *route.Ctx) route.Value {
		n, k := name.resolve(c), int64(0)
		n.values(&c.Msg, func([]byte) bool { k++; return true })
		return route.Int(k)
	}, nil, nil
}

var errMinMax = errors.New("want (min) or (max)")

func bindExpires(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	if r.Inner != "min" && r.Inner != "max" {
		return nil, nil, errMinMax
	}
	isMin := r.Inner == "min"
	return func(c *route.Ctx) route.Value {
		best, any := int64(0), false
		see := func(n int64) {
			if !any || isMin && n < best || !isMin && n > best {
				best, any = n, true
			}
		}
		dflt, has, e := c.Msg.Expires()
		if h := c.Msg.First(sipparse.HdrExpires); has && e != sipparse.OK {
			dflt, has = 0, h != nil && h.Body.Len > 0 // what is no number counts as 0
		}
		v := c.Msg.Values(sipparse.HdrContact)
		for {
			ok, _ := v.Next()
			if !ok {
				break
			}
			if p, ok := sipparse.Param(c.Msg.Bytes(v.Params), "expires"); ok {
				if n, ok := route.ParseInt(p); ok && len(p) > 0 {
					see(n)
					continue
				}
			}
			if has {
				see(int64(dflt))
			}
		}
		if !any && has {
			see(int64(dflt))
		}
		if !any {
			return route.Null
		}
		return route.Int(best)
	}, nil, nil
}
