package pv

import (
	"net/netip"

	"kahea/cfglang/route"
)

// rawVar is $rcv: what event_route[core:msg-received] knows of the message; null elsewhere.
func rawVar(name, doc string) route.Var {
	on := func(f func(c *route.Ctx) route.Value) route.Getter {
		return func(c *route.Ctx) route.Value {
			if c.Raw() == nil {
				return route.Null
			}
			return f(c)
		}
	}
	ip := func(c *route.Ctx, a netip.AddrPort) route.Value {
		return route.Str(c.Scratch.Keep(appendIP(c, c.Scratch.Tail(64), a.Addr(), false)))
	}
	v := choice(name, doc, map[string]route.Getter{
		"buf":     on(func(c *route.Ctx) route.Value { return route.Str(c.Raw()) }),
		"len":     on(func(c *route.Ctx) route.Value { return route.Int(int64(len(c.Raw()))) }),
		"proto":   on(func(c *route.Ctx) route.Value { return route.Int(int64(c.Recv.Proto)) }),
		"sproto":  on(func(c *route.Ctx) route.Value { return route.Str(protoText[c.Recv.Proto]) }),
		"af":      on(func(c *route.Ctx) route.Value { return familyID(c.Recv.Src.Addr()) }),
		"srcip":   on(func(c *route.Ctx) route.Value { return ip(c, c.Recv.Src) }),
		"srcport": on(func(c *route.Ctx) route.Value { return route.Int(int64(c.Recv.Src.Port())) }),
		"rcvip":   on(func(c *route.Ctx) route.Value { return ip(c, c.Recv.Dst) }),
		"rcvport": on(func(c *route.Ctx) route.Value { return route.Int(int64(c.Recv.Dst.Port())) }),
	})
	read := v.Bind
	v.Bind = func(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		get, _, err := read(e, r)
		if err != nil || r.Inner != "buf" {
			return get, nil, err
		}
		return get, func(c *route.Ctx, v route.Value) error {
			switch {
			case v.IsNull():
				return errNull
			case c.Raw() != nil:
				if b := c.Scratch.Copy(v.Text(c)); b != nil {
					c.SetRaw(b)
					return nil
				}
				return route.ErrNoMemory
			}
			return nil // there is nothing to set elsewhere
		}, nil
	}
	return v
}
