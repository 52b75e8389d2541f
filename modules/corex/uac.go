package corex

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

// forwardUAC is forward_uac([branch]), and with a URI forward_uac_uri(uri[, branch]).
func forwardUAC(withURI bool) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		at := 0
		t, err := route.Target{}, error(nil)
		if withURI {
			at = 1
			b, ok := a.Str(c, 0)
			if !ok {
				return -1
			}
			t, err = c.P.URITarget(b)
		} else {
			t, err = c.NextHop()
		}
		if err != nil {
			c.Logf(log.Err, "corex", "forward_uac: %v", err)
			return -1
		}
		branch := int64(0)
		if a.N > at {
			var ok bool
			if branch, ok = a.Int(c, at); !ok || branch < 0 || branch > 1<<31-1 {
				c.Logf(log.Err, "corex", "forward_uac: branch %d", branch)
				return -1
			}
		}
		return c.ForwardUAC(t, uint32(branch))
	}
}

// addSrvID is via_add_srvid(0 or 1).
func addSrvID(c *route.Ctx, a *route.Args) int {
	n, ok := a.Int(c, 0)
	if !ok {
		return -1
	}
	c.SrvID = n != 0
	return 1
}
