package core

import "kahea/cfglang/route"

func compileSelectGroup(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	g, err := e.CfgGroup(string(a.At(0).Text))
	return func(c *route.Ctx) int {
		n, ok := a.Int(c, 1)
		switch {
		case !ok:
			return -1
		case n < 0 || n > 1<<32-1 || !c.Select(g, uint32(n)):
			c.Error("cfg_select: group instance '%s[%d]' does not exist", g.Name, n)
			return -1
		}
		return 1
	}, err
}

func compileResetGroup(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	g, err := e.CfgGroup(string(a.At(0).Text))
	return func(c *route.Ctx) int {
		c.Unselect(g)
		return 1
	}, err
}
