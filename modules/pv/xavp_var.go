package pv

import (
	"errors"

	"kahea/cfglang/route"
)

// maxNamed bounds the script variables of a process: a message's own names must not fill its memory.
const maxNamed = 4096

var errNamed = errors.New("there are too many script variables")

func xavpVarFuncs() []route.Func {
	return []route.Func{
		{Name: "pv_var_to_xavp", Args: "ss", From: route.AnyRoute, Doc: `make a root whose field is $var(name), or "*": whose fields are all`, Run: varToXAVP},
		{Name: "pv_xavp_to_var", Args: "s", From: route.AnyRoute, Doc: "set the $var that are called as the fields of a root", Run: xavpToVar},
	}
}

// varToXAVP makes the root anew: what it had is gone.
func varToXAVP(c *route.Ctx, a *route.Args) int {
	var name, root []byte
	if !texts(c, a, 0, &name, &root) {
		return -1
	}
	from, to := 0, c.P.Vars.Len()
	if string(name) != "*" {
		slot, ok := c.P.Vars.Find(route.VarZero, name)
		if !ok {
			return -1
		}
		from, to = slot, slot+1
	}
	if err := c.AVPs.XSet(c, &route.XRef{Root: root}, route.Null); err != nil {
		return failure(c, "pv_var_to_xavp", err)
	}
	r := route.XRef{Root: root, RootAt: route.XIndex{None: true}, FieldAt: route.XIndex{None: true}}
	for i := from; i < to; i++ {
		kind, n := c.P.Vars.Name(i)
		if kind != route.VarZero {
			continue
		}
		r.Field = c.Scratch.CopyString(n)
		if err := c.AVPs.XSet(c, &r, c.P.Vars.Get(i)); err != nil {
			return failure(c, "pv_var_to_xavp", err)
		}
		r.RootAt.None = false
	}
	return 1
}

func xavpToVar(c *route.Ctx, a *route.Args) int {
	var root []byte
	if !texts(c, a, 0, &root) {
		return -1
	}
	var err error
	if !c.AVPs.XFields(route.XAVP, root, route.XIndex{}, func(name []byte, v route.Value) bool {
		slot, ok := c.P.Vars.Find(route.VarZero, name)
		if !ok {
			if c.P.Vars.Len() >= maxNamed {
				err = errNamed
				return false
			}
			slot = c.P.Vars.Slot(route.VarZero, string(name))
		}
		c.P.Vars.Set(c, slot, v)
		return true
	}) {
		return -1
	}
	if err != nil {
		return failure(c, "pv_xavp_to_var", err)
	}
	return 1
}
