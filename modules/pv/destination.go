package pv

import (
	"fmt"
	"strconv"

	"kahea/cfglang/core"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// ofText parses a URI text for one getter: what it yields must not outlive the call.
func ofText(src func(c *route.Ctx) []byte, f func(u *sipparse.URI, b []byte) route.Value) route.Getter {
	return func(c *route.Ctx) route.Value {
		b := src(c)
		var u sipparse.URI
		if len(b) == 0 || c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
			return route.Null
		}
		return f(&u, b)
	}
}

func userOf(u *sipparse.URI, b []byte) route.Value { return text(u.User.In(b)) }
func hostOf(u *sipparse.URI, b []byte) route.Value { return text(u.Host.In(b)) }

func dstURI(c *route.Ctx) []byte { return c.DstURI }

func dstVars() []route.Var {
	du := func(c *route.Ctx) route.Value { return text(c.DstURI) }
	setDU := func(c *route.Ctx, v route.Value) error {
		if v.IsNull() {
			return c.SetDstURI(nil)
		}
		if !isStr(v) {
			return errWantString
		}
		return c.SetDstURI(v.Str)
	}
	return []route.Var{
		{Name: "du", Get: du, Set: setDU, Doc: "where the request is sent, whatever its R-URI is; null if unset"},
		{Name: "duri", Get: du, Set: setDU, Doc: "as $du"},
		get("dd", "host of $du", ofText(dstURI, hostOf)),
		get("dp", "port of $du", ofText(dstURI, portOf)),
		get("dP", "transport of $du", ofText(dstURI, transportOf)),
		{Name: "nh", Bind: bindNextHop, Doc: "next hop: $nh(u) URI, U user, d host, p port, P transport, i address family of a literal host"},
		{Name: "fs", Get: func(c *route.Ctx) route.Value {
			if s := c.Main.ForceSock; s != nil {
				return route.Str(s.Text)
			}
			return route.Null
		}, Set: setSocket, Doc: "socket to send from, proto:ip:port"},
		{Name: "fsn", Get: func(c *route.Ctx) route.Value {
			if s := c.Main.ForceSock; s != nil {
				return text(s.Name)
			}
			return route.Null
		}, Set: setSocketName, Doc: "name of the socket to send from"},
		get("fsp", "port of the socket to send from", func(c *route.Ctx) route.Value {
			if s := c.Main.ForceSock; s != nil {
				return route.Int(int64(s.Addr.Port()))
			}
			return route.Int(0)
		}),
	}
}

func setSocket(c *route.Ctx, v route.Value) error {
	if v.IsNull() {
		c.Main.ForceSock = nil
		return nil
	}
	if !isStr(v) || len(v.Str) == 0 {
		return errWantString
	}
	proto, host, port, err := core.SplitSocket(string(v.Str))
	if err != nil {
		return err
	}
	s := c.P.Net.Lookup(proto, host, port)
	if s == nil {
		c.Logf(log.Warn, "pv", "%q is no listening socket", v.Str)
		return nil
	}
	c.Main.ForceSock = s
	return nil
}

func setSocketName(c *route.Ctx, v route.Value) error {
	if v.IsNull() {
		c.Main.ForceSock = nil
		return nil
	}
	if !isStr(v) || len(v.Str) == 0 {
		return errWantString
	}
	for _, s := range c.P.Net.Sockets {
		if string(s.Name) == string(v.Str) {
			c.Main.ForceSock = s
			return nil
		}
	}
	c.Logf(log.Warn, "pv", "there is no socket named %q", v.Str)
	return nil
}

// nextHop is $du or the R-URI.
func nextHop(c *route.Ctx) []byte {
	if c.DstURI != nil {
		return c.DstURI
	}
	return c.RURI()
}

func bindNextHop(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	// of a reply: the second Via
	via := func(f func(c *route.Ctx, v *sipparse.Via) route.Value, uri route.Getter) route.Getter {
		return func(c *route.Ctx) route.Value {
			if !c.Msg.Line.IsReply {
				return uri(c)
			}
			v, e := c.Msg.Via2()
			if e != sipparse.OK {
				return route.Null
			}
			return f(c, v)
		}
	}
	none := func(*route.Ctx, *sipparse.Via) route.Value { return route.Null }
	var g route.Getter
	switch r.Inner {
	case "u":
		g = via(func(c *route.Ctx, v *sipparse.Via) route.Value {
			b := c.Scratch.Tail(128)
			b = append(b, "sip:"...)
			b = append(b, c.Msg.Bytes(v.Host)...)
			if v.Port != 0 {
				b = append(b, ':')
				b = strconv.AppendUint(b, uint64(v.Port), 10)
			}
			if v.Proto != sipparse.ProtoNone {
				b = append(b, ";transport="...)
				b = append(b, v.Proto.String()...)
			}
			return route.Str(c.Scratch.Keep(b))
		}, func(c *route.Ctx) route.Value { return text(nextHop(c)) })
	case "U":
		g = via(none, ofText(nextHop, userOf))
	case "d":
		g = via(func(c *route.Ctx, v *sipparse.Via) route.Value { return text(c.Msg.Bytes(v.Host)) }, ofText(nextHop, hostOf))
	case "p":
		g = via(func(c *route.Ctx, v *sipparse.Via) route.Value {
			if v.Port != 0 {
				return route.Int(int64(v.Port))
			}
			return route.Int(5060)
		}, ofText(nextHop, portOf))
	case "P":
		g = via(func(c *route.Ctx, v *sipparse.Via) route.Value { return protoValue(v.Proto) }, ofText(nextHop, transportOf))
	case "i":
		g = via(func(c *route.Ctx, v *sipparse.Via) route.Value { return family(c.Msg.Bytes(v.Host)) },
			ofText(nextHop, func(u *sipparse.URI, b []byte) route.Value { return family(u.Host.In(b)) }))
	default:
		return nil, nil, fmt.Errorf("got (%s), want one of u U d p P i", r.Inner)
	}
	return g, nil, nil
}

// family is 4 or 6 for a literal address, 0 for a name.
func family(host []byte) route.Value {
	a, ok := route.ParseAddr(host)
	switch {
	case !ok:
		return route.Int(0)
	case a.Is4():
		return route.Int(4)
	}
	return route.Int(6)
}
