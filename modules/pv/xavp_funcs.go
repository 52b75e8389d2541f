package pv

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

// texts evaluates the arguments from first on as texts that are not empty.
func texts(c *route.Ctx, a *route.Args, first int, to ...*[]byte) bool {
	for i, p := range to {
		b, ok := a.Str(c, first+i)
		if !ok || len(b) == 0 {
			return false
		}
		*p = b
	}
	return true
}

// failure logs why a function failed.
func failure(c *route.Ctx, name string, err error) int {
	c.Logf(log.Err, "pv", "%s: %v", name, err)
	return -1
}

func xavpListFuncs() []route.Func {
	l := []route.Func{
		{Name: "xavp_copy", Args: "sis|i", From: route.AnyRoute, Doc: "copy root[index] behind all roots of another name, or in the place of another one's index", Run: copyRoot},
		{Name: "xavp_lshift", Args: "si", From: route.AnyRoute, Doc: "turn the roots of a name until the one with this index is the first", Run: func(c *route.Ctx, a *route.Args) int {
			var root []byte
			n, ok := a.Int(c, 1)
			if !ok || !texts(c, a, 0, &root) || !c.AVPs.XShift(route.XAVP, root, int(n)) {
				return -1
			}
			return 1
		}},
		{Name: "xavp_push_dst", Args: "s", From: route.InRequest | route.InBranch | route.InFailure, Doc: "set R-URI, $du and the socket from the fields uri, dsturi and socket", Run: pushDst},
	}
	for _, k := range []struct {
		prefix string
		kind   route.XKind
	}{{"xavp", route.XAVP}, {"xavi", route.XAVI}} {
		l = append(l,
			route.Func{Name: k.prefix + "_rm", Args: "s|i", From: route.AnyRoute, Doc: "remove the newest root of a name, or the one with the index", Run: func(c *route.Ctx, a *route.Args) int {
				r := route.XRef{Kind: k.kind}
				if a.N > 1 {
					n, ok := a.Int(c, 1)
					if !ok {
						return -1
					}
					r.RootAt.N = int(n)
				}
				if !texts(c, a, 0, &r.Root) {
					return -1
				}
				if err := c.AVPs.XSet(c, &r, route.Null); err != nil {
					return failure(c, k.prefix+"_rm", err)
				}
				return 1
			}},
			route.Func{Name: k.prefix + "_rm_all", Args: "|s", From: route.AnyRoute, Doc: "remove all roots of a name, or all", Run: func(c *route.Ctx, a *route.Args) int {
				var root []byte
				if a.N > 0 && !texts(c, a, 0, &root) {
					return -1
				}
				c.AVPs.XRemoveAll(k.kind, root)
				return 1
			}},
			route.Func{Name: k.prefix + "_child_rm", Args: "ss", From: route.AnyRoute, Doc: "remove the newest value of a field of the newest root", Run: func(c *route.Ctx, a *route.Args) int {
				r := route.XRef{Kind: k.kind}
				if !texts(c, a, 0, &r.Root, &r.Field) {
					return -1
				}
				if err := c.AVPs.XSet(c, &r, route.Null); err != nil {
					return failure(c, k.prefix+"_child_rm", err)
				}
				return 1
			}})
	}
	for _, k := range []struct {
		prefix string
		kind   route.XKind
	}{{"xavp", route.XAVP}, {"xavu", route.XAVU}, {"xavi", route.XAVI}} {
		l = append(l, route.Func{Name: "pv_" + k.prefix + "_print", From: route.AnyRoute, Doc: "log all $" + k.prefix, Run: func(c *route.Ctx, _ *route.Args) int {
			c.AVPs.XWalk(k.kind, func(root, field []byte, v route.Value) { logAttr(c, k.prefix, root, field, v) })
			return 1
		}})
	}
	return l
}

func logAttr(c *route.Ctx, kind string, root, field []byte, v route.Value) {
	arrow := "=>"
	if field == nil {
		arrow = ""
	}
	switch {
	case v.IsNull():
		c.Logf(log.Info, "pv", "%s %s%s%s: fields", kind, root, arrow, field)
	case v.IsInt():
		c.Logf(log.Info, "pv", "%s %s%s%s: int %d", kind, root, arrow, field, v.Int)
	default:
		c.Logf(log.Info, "pv", "%s %s%s%s: str %q", kind, root, arrow, field, v.Str)
	}
}

func copyRoot(c *route.Ctx, a *route.Args) int {
	var src, dst []byte
	at, to := route.XIndex{}, route.XIndex{None: true}
	n, ok := a.Int(c, 1)
	if at.N = int(n); !ok || !texts(c, a, 0, &src) || !texts(c, a, 2, &dst) {
		return -1
	}
	if a.N > 3 {
		if n, ok = a.Int(c, 3); !ok {
			return -1
		}
		to = route.XIndex{N: int(n)}
	}
	if err := c.AVPs.XCopy(c, route.XAVP, src, at, dst, to); err != nil {
		return failure(c, "xavp_copy", err)
	}
	return 1
}

func pushDst(c *route.Ctx, a *route.Args) int {
	var root []byte
	if !texts(c, a, 0, &root) {
		return -1
	}
	field := func(name string) route.Value {
		return c.AVPs.XGet(c, &route.XRef{Root: root, Field: []byte(name)})
	}
	uri, dst, socket := field("uri"), field("dsturi"), field("socket")
	if uri.IsNull() && dst.IsNull() && socket.IsNull() {
		return -1
	}
	if !uri.IsNull() {
		if err := c.SetRURI(uri.Text(c)); err != nil {
			return failure(c, "xavp_push_dst", err)
		}
	}
	if !dst.IsNull() {
		if err := c.SetDstURI(dst.Text(c)); err != nil {
			return failure(c, "xavp_push_dst", err)
		}
	}
	if !socket.IsNull() {
		if err := setSocket(c, socket); err != nil {
			return failure(c, "xavp_push_dst", err)
		}
	}
	return 1
}
