package pv

import (
	"errors"

	"kahea/cfglang/route"
)

var errType = errors.New("the type must be int, str or null")

func (m *mod) funcs() []route.Func {
	truth := func(b bool) int {
		if b {
			return 1
		}
		return -1
	}
	return []route.Func{
		{Name: "pv_isset", Args: "p", From: route.AnyRoute, Doc: "the variable is not null", Run: func(c *route.Ctx, a *route.Args) int {
			return truth(!a.PV(0).Get(c).IsNull())
		}},
		{Name: "pv_unset", Args: "P", From: route.AnyRoute, Doc: "assign $null", Run: func(c *route.Ctx, a *route.Args) int {
			if err := a.PV(0).Set(c, route.Null); err != nil {
				c.Error("pv_unset(%s): %v", a.PV(0).Text, err)
				return -1
			}
			return 1
		}},
		{Name: "is_int", Args: "p", From: route.AnyRoute, Doc: "the variable holds a number", Run: func(c *route.Ctx, a *route.Args) int {
			v := a.PV(0).Get(c)
			return truth(!v.IsNull() && v.Flags&route.FlagInt != 0)
		}},
		{Name: "not_empty", Args: "p", From: route.AnyRoute, Doc: "the variable has a text that is not empty; a bare number has none", Run: func(c *route.Ctx, a *route.Args) int {
			v := a.PV(0).Get(c)
			return truth(!v.IsNull() && v.Flags&route.FlagStr != 0 && len(v.Str) > 0)
		}},
		{Name: "typeof", Args: "pS", From: route.AnyRoute, Doc: "the variable's type is int, str or null", Compile: func(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
			p, want := a.PV(0), a.At(1).Text
			if len(want) == 0 {
				return nil, errType
			}
			kind := want[0]
			switch kind {
			case 'i', 's', 'n':
			default:
				return nil, errType
			}
			return func(c *route.Ctx) int {
				v := p.Get(c)
				switch kind {
				case 'i':
					return truth(!v.IsNull() && v.IsInt())
				case 's':
					return truth(!v.IsNull() && !v.IsInt())
				}
				return truth(v.IsNull())
			}, nil
		}},
		{Name: "pv_evalx", Args: "Ps", From: route.AnyRoute, Doc: "evaluate a format, and the result again as a format, into a variable", Compile: compileEvalX},
	}
}

// compileEvalX evaluates twice; the second format is known at run time only and is compiled for each use, outside the hot path.
func compileEvalX(e route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	dst := a.PV(0)
	return func(c *route.Ctx) int {
		s, ok := a.Str(c, 1)
		if !ok {
			return -1
		}
		f, err := e.ParseFormat(string(s))
		if err != nil {
			c.Error("pv_evalx: %v", err)
			return -1
		}
		b, ok := f.Eval(c)
		if !ok {
			return -1
		}
		if err := dst.Set(c, route.Str(b)); err != nil {
			c.Error("pv_evalx: %v", err)
			return -1
		}
		return 1
	}, nil
}
