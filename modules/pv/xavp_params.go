package pv

import (
	"strconv"

	"kahea/cfglang/route"
)

func xavpParamFuncs() []route.Func {
	explodes := func(name string, kind route.XKind, sep bool, doc string) route.Func {
		args := "ss"
		if sep {
			args = "sss"
		}
		return route.Func{Name: name, Args: args, From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			var list, root, s []byte
			if !texts(c, a, 0, &list) || !texts(c, a, a.N-1, &root) {
				return -1
			}
			l := paramList{b: list, delim: ';', stop: ','}
			if sep {
				if !texts(c, a, 1, &s) || len(s) != 1 {
					return -1
				}
				l.delim, l.stop = s[0], 0
			}
			return explode(c, name, kind, root, &l)
		}}
	}
	implodes := func(name string, kind route.XKind, quote bool, doc string) route.Func {
		return route.Func{Name: name, Args: "sP", From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			var root []byte
			if !texts(c, a, 0, &root) {
				return -1
			}
			return implode(c, name, kind, root, quote, a.PV(1))
		}}
	}
	return []route.Func{
		explodes("xavp_params_explode", route.XAVP, false, "make a root whose fields are the parameters of a list: a=1;b=2"),
		explodes("xavp_xparams_explode", route.XAVP, true, "as xavp_params_explode with a separator"),
		explodes("xavu_params_explode", route.XAVU, false, "set the fields of a root to the parameters of a list"),
		implodes("xavp_params_implode", route.XAVP, false, "write the fields of the newest root into a variable: a=1;b=2;"),
		implodes("xavp_params_implode_qval", route.XAVP, true, `as xavp_params_implode, texts in quotes: a=1;b="x";`),
		implodes("xavu_params_implode", route.XAVU, false, "as xavp_params_implode"),
		{Name: "xavp_slist_explode", Args: "ssss", From: route.AnyRoute, Doc: "make a root whose fields v[0], v[1] ... are the items of a list; mode t trims them", Run: explodeList},
	}
}

// explode makes a root of a list. The first parameter is to stand in front, so fields are added from the last one on.
func explode(c *route.Ctx, name string, kind route.XKind, root []byte, l *paramList) int {
	if !l.valid() {
		return -1
	}
	var names, values [][]byte
	for l.next() {
		if len(l.name) == 0 {
			return -1
		}
		names, values = append(names, l.name), append(values, l.value)
	}
	if len(names) == 0 {
		return -1
	}
	r := route.XRef{Kind: kind, Root: root, FieldAt: route.XIndex{None: true}, RootAt: route.XIndex{None: true}}
	for i := len(names) - 1; i >= 0; i-- {
		r.Field = names[i]
		if err := c.AVPs.XSet(c, &r, route.Str(values[i])); err != nil {
			return failure(c, name, err)
		}
		r.RootAt.None = kind == route.XAVU // the rest goes into the root that the last one has made
	}
	return 1
}

func implode(c *route.Ctx, name string, kind route.XKind, root []byte, quote bool, to *route.PV) int {
	n := 0
	each := func(f func(field []byte, v route.Value)) bool {
		return c.AVPs.XFields(kind, root, route.XIndex{}, func(field []byte, v route.Value) bool {
			f(field, v)
			return true
		})
	}
	if !each(func(field []byte, v route.Value) { n += len(field) + len(v.Str) + 24 }) {
		return -1
	}
	b := c.Scratch.Tail(n)
	if b == nil {
		return failure(c, name, route.ErrNoMemory)
	}
	each(func(field []byte, v route.Value) {
		b = append(b, field...)
		switch {
		case v.IsInt():
			b = strconv.AppendInt(append(b, '='), v.Int, 10)
		case len(v.Str) == 0: // the name alone
		case quote:
			b = append(append(append(b, `="`...), v.Str...), '"')
		default:
			b = append(append(b, '='), v.Str...)
		}
		b = append(b, ';')
	})
	if err := to.Set(c, route.Str(c.Scratch.Keep(b))); err != nil {
		return failure(c, name, err)
	}
	return 1
}

var fieldV = []byte("v")

func explodeList(c *route.Ctx, a *route.Args) int {
	var list, sep, mode, root []byte
	if !texts(c, a, 0, &list, &sep, &mode, &root) {
		return -1
	}
	r := route.XRef{Root: root, Field: fieldV, RootAt: route.XIndex{None: true}, FieldAt: route.XIndex{None: true}}
	var cuts [256]bool
	for _, ch := range sep {
		cuts[ch] = true
	}
	found := false
	for end := len(list); end > 0; { // from the last item on, so that the first stands in front
		at := end
		for at > 0 && !cuts[list[at-1]] {
			at--
		}
		item := list[at:end]
		if mode[0] == 't' || mode[0] == 'T' {
			item = trimLeft(trimRight(item))
		}
		end = at - 1
		if len(item) == 0 {
			continue
		}
		if err := c.AVPs.XSet(c, &r, route.Str(item)); err != nil {
			return failure(c, "xavp_slist_explode", err)
		}
		found, r.RootAt.None = true, false
	}
	if !found {
		return -1
	}
	return 1
}
