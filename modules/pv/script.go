package pv

import (
	"fmt"
	"strings"

	"kahea/cfglang/route"
	"kahea/modules"
)

// slot is a script variable; its number in the process's store is known when the process is (Setup).
type slot struct {
	kind route.VarKind
	name string
	n    int
}

type varset struct {
	name string
	val  route.Value
}

func (m *mod) scriptVars() []route.Var {
	v := func(name string, kind route.VarKind, doc string) route.Var {
		return route.Var{Name: name, Doc: doc,
			Bind: func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) { return m.bindVar(kind, r) },
			Int: func(r *route.VarRef) (func(c *route.Ctx) (int64, bool), func(c *route.Ctx, n int64)) {
				s := m.slot(kind, r.Inner)
				return func(c *route.Ctx) (int64, bool) { return c.P.Vars.GetInt(s.n) }, func(c *route.Ctx, n int64) { c.P.Vars.SetInt(s.n, n) }
			}}
	}
	return []route.Var{
		v("var", route.VarZero, "script variable of the process; 0 at the start and after $null"),
		v("vz", route.VarZero, "as $var"),
		v("vn", route.VarNull, "script variable of the process; null at the start and after $null"),
	}
}

func (m *mod) bindVar(kind route.VarKind, r *route.VarRef) (route.Getter, route.Setter, error) {
	if r.Inner == "" {
		return nil, nil, errWantName
	}
	if r.Index.Kind != route.NoIndex {
		return nil, nil, errIndex
	}
	if m.h != nil && m.h.Vars.Len() >= maxNamed {
		return nil, nil, errNamed // pv_evalx of what a message says
	}
	s := m.slot(kind, r.Inner)
	return func(c *route.Ctx) route.Value {
			v := c.P.Vars.Get(s.n)
			if v.Flags&route.FlagStr != 0 {
				// the text would change under the reader when another message sets the variable
				v.Str = c.Scratch.Copy(v.Str)
			}
			return v
		}, func(c *route.Ctx, v route.Value) error {
			c.P.Vars.Set(c, s.n, v)
			return nil
		}, nil
}

// slot is that of a name, numbered now or in Setup.
func (m *mod) slot(kind route.VarKind, name string) *slot {
	s := &slot{kind: kind, name: name}
	if m.h != nil {
		s.n = m.h.Vars.Slot(kind, name)
	} else {
		m.slots = append(m.slots, s)
	}
	return s
}

func (m *mod) paramVarset(v modules.Value) error {
	name, val, err := parseSet(v.Str)
	if err != nil {
		return err
	}
	m.sets = append(m.sets, varset{name, val})
	return nil
}

// parseSet reads name=s:text or name=i:number.
func parseSet(s string) (string, route.Value, error) {
	name, val, ok := strings.Cut(s, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || len(val) < 2 || val[1] != ':' {
		return "", route.Null, fmt.Errorf("got %q, want name=s:text or name=i:number", s)
	}
	switch val[0] {
	case 's', 'S':
		return name, route.Str([]byte(val[2:])), nil
	case 'i', 'I':
		n, ok := route.ParseInt([]byte(val[2:]))
		if !ok {
			return "", route.Null, fmt.Errorf("%q is no number", val[2:])
		}
		return name, route.Int(n), nil
	}
	return "", route.Null, fmt.Errorf("got type %q, want s or i", val[:1])
}
