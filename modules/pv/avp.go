package pv

import (
	"fmt"
	"strconv"
	"strings"

	"kahea/cfglang/route"
	"kahea/modules"
)

// avpName is a name of an attribute: a text, or a number of the other name space when text is nil.
type avpName struct {
	text []byte
	id   int64
}

func (m *mod) avpVars() []route.Var {
	return []route.Var{
		{Name: "avp", Bind: m.bindAVP, Doc: "attribute of the transaction, newest first; assigning adds, $null removes the newest, [*] means all"},
		{Name: "cnt", Bind: m.bindCount, Doc: "number of values of an attribute: $cnt($avp(name)), $cnt($xavp(root=>field))"},
	}
}

func parseAVPName(s string) (avpName, error) {
	s = strings.TrimSpace(s)
	switch {
	case strings.HasPrefix(s, "i:") || strings.HasPrefix(s, "I:"):
		n, err := strconv.ParseInt(s[2:], 10, 64)
		if err != nil {
			return avpName{}, fmt.Errorf("%q is no number", s[2:])
		}
		return avpName{id: n}, nil
	case strings.HasPrefix(s, "s:") || strings.HasPrefix(s, "S:"):
		s = s[2:]
	}
	if s == "" {
		return avpName{}, errWantName
	}
	return avpName{text: []byte(s)}, nil
}

// avpRef yields the name of a reference: known at start, or the value of a variable.
func (m *mod) avpRef(r *route.VarRef) (fixed avpName, pv *route.PV, err error) {
	if r.InnerPV != nil {
		return avpName{}, r.InnerPV, nil
	}
	if a, ok := m.aliases[r.Inner]; ok {
		return a, nil, nil
	}
	fixed, err = parseAVPName(r.Inner)
	return fixed, nil, err
}

// nameOf is the name that a variable holds: a number is a name of the space of numbers.
func nameOf(c *route.Ctx, pv *route.PV) (avpName, bool) {
	v := pv.Get(c)
	switch {
	case v.IsNull():
		return avpName{}, false
	case v.Flags&route.FlagStr != 0:
		return avpName{text: v.Str}, len(v.Str) > 0
	}
	return avpName{id: v.Int}, true
}

func (m *mod) bindAVP(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	fixed, pv, err := m.avpRef(r)
	if err != nil {
		return nil, nil, err
	}
	x := &r.Index
	if pv == nil && x.Kind == route.NoIndex {
		return func(c *route.Ctx) route.Value { return c.AVPs.Get(fixed.text, fixed.id, 0) },
			func(c *route.Ctx, v route.Value) error { return setAVP(c, fixed, false, v) }, nil
	}
	name := func(c *route.Ctx) (avpName, bool) {
		if pv != nil {
			return nameOf(c, pv)
		}
		return fixed, true
	}
	return func(c *route.Ctx) route.Value {
			a, ok := name(c)
			if !ok {
				return route.Null
			}
			n, all := x.Eval(c)
			if all {
				return allAVPs(c, a)
			}
			if n < 0 {
				return route.Null
			}
			return c.AVPs.Get(a.text, a.id, n)
		}, func(c *route.Ctx, v route.Value) error {
			a, ok := name(c)
			if !ok {
				return errWantName
			}
			_, all := x.Eval(c)
			return setAVP(c, a, all, v)
		}, nil
}

func setAVP(c *route.Ctx, a avpName, all bool, v route.Value) error {
	if v.IsNull() {
		c.AVPs.Delete(a.text, a.id, all)
		return nil
	}
	if all {
		c.AVPs.Delete(a.text, a.id, true)
	}
	return c.AVPs.Add(c, a.text, a.id, v)
}

// allAVPs joins all values, newest first.
func allAVPs(c *route.Ctx, a avpName) route.Value {
	n := 0
	for i := 0; ; i++ {
		v := c.AVPs.Get(a.text, a.id, i)
		if v.IsNull() {
			break
		}
		n += len(v.Text(c)) + 2
	}
	if n == 0 {
		return route.Null
	}
	b := c.Scratch.Tail(n + 64) // room for the digits of numbers, which are printed again below
	for i := 0; ; i++ {
		v := c.AVPs.Get(a.text, a.id, i)
		if v.IsNull() {
			return route.Str(c.Scratch.Keep(b))
		}
		if i > 0 {
			b = append(b, ", "...)
		}
		if v.IsInt() {
			b = strconv.AppendInt(b, v.Int, 10)
		} else {
			b = append(b, v.Str...)
		}
	}
}

func (m *mod) bindCount(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	inner := strings.TrimSpace(r.Inner)
	for _, p := range []string{"$avp(", "avp("} {
		if s, ok := strings.CutPrefix(inner, p); ok && strings.HasSuffix(s, ")") {
			a, err := parseAVPName(s[:len(s)-1])
			if err != nil {
				return nil, nil, err
			}
			if alias, ok := m.aliases[s[:len(s)-1]]; ok {
				a = alias
			}
			return func(c *route.Ctx) route.Value { return route.Int(int64(c.AVPs.Count(a.text, a.id))) }, nil, nil
		}
	}
	for kind, p := range map[route.XKind]string{route.XAVP: "xavp(", route.XAVI: "xavi(", route.XAVU: "xavu("} {
		s, ok := strings.CutPrefix(strings.TrimPrefix(inner, "$"), p)
		if !ok || !strings.HasSuffix(s, ")") {
			continue
		}
		x, err := parseXRef(e, kind, s[:len(s)-1])
		if err != nil {
			return nil, nil, err
		}
		return func(c *route.Ctx) route.Value {
			r, ok := x.eval(c)
			if !ok {
				return route.Int(0)
			}
			return route.Int(int64(c.AVPs.XCount(r)))
		}, nil, nil
	}
	return nil, nil, fmt.Errorf("got (%s), want $avp(name), $xavp(name), $xavi(name) or $xavu(name)", r.Inner)
}

func (m *mod) paramAliases(v modules.Value) error {
	if m.aliases == nil {
		m.aliases = map[string]avpName{}
	}
	for part := range strings.SplitSeq(v.Str, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		alias, name, ok := strings.Cut(part, "=")
		if !ok {
			return fmt.Errorf("got %q, want alias=name", part)
		}
		name = strings.TrimSpace(name)
		if s, ok := strings.CutPrefix(name, "$avp("); ok && strings.HasSuffix(s, ")") {
			name = s[:len(s)-1]
		}
		a, err := parseAVPName(name)
		if err != nil {
			return err
		}
		m.aliases[strings.TrimSpace(alias)] = a
	}
	return nil
}
