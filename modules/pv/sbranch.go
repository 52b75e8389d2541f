package pv

import "kahea/cfglang/route"

// sbranchVars is $sbranch, a branch that is no part of the destination set until a function makes it one. Without a URI it is empty: reading yields null.
func sbranchVars() []route.Var {
	return []route.Var{{Name: "sbranch", Doc: "attribute of the message's private branch, as $branch: $sbranch(uri)", Bind: func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		if r.Index.Kind != route.NoIndex {
			return nil, nil, errIndex
		}
		attr, ok := branchAttrs[r.Inner]
		if !ok {
			return nil, nil, unknownInner(r, branchAttrs)
		}
		g := func(c *route.Ctx) route.Value {
			if c.SBranch.URI == nil {
				return route.Null
			}
			return attr.get(c, &c.SBranch)
		}
		if attr.set == nil {
			return g, nil, nil
		}
		removes := r.Inner == "uri"
		return g, func(c *route.Ctx, v route.Value) error {
			if removes && (v.IsNull() || isStr(v) && len(v.Str) == 0) {
				c.SBranch.URI = nil
				return nil
			}
			return attr.set(c, &c.SBranch, v)
		}, nil
	}}}
}

func sbranchFuncs() []route.Func {
	return []route.Func{
		{Name: "sbranch_reset", From: route.AnyRoute, Doc: "empty $sbranch", Run: func(c *route.Ctx, _ *route.Args) int {
			c.SBranch = route.Branch{Q: route.QUnset}
			return 1
		}},
		{Name: "sbranch_append", From: route.AnyRoute, Doc: "add $sbranch to the destination set", Run: func(c *route.Ctx, _ *route.Args) int {
			if c.SBranch.URI == nil || !c.AddBranch(c.SBranch) {
				return -1
			}
			return 1
		}},
		{Name: "sbranch_set_ruri", From: route.AnyRoute, Doc: "make $sbranch the R-URI with its attributes", Run: func(c *route.Ctx, _ *route.Args) int {
			b := &c.SBranch
			if b.URI == nil {
				return -1
			}
			if err := c.SetRURI(b.URI); err != nil {
				return failure(c, "sbranch_set_ruri", err)
			}
			if err := c.SetDstURI(b.DstURI); err != nil {
				return failure(c, "sbranch_set_ruri", err)
			}
			if err := c.SetPath(b.Path); err != nil {
				return failure(c, "sbranch_set_ruri", err)
			}
			c.Main = b.BranchAttrs
			return 1
		}},
	}
}
