package pv

import (
	"net/netip"
	"strconv"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

func isV6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

// appendIP appends an address, IPv6 in brackets when they are asked for.
func appendIP(c *route.Ctx, b []byte, a netip.Addr, brackets bool) []byte {
	if brackets {
		return c.P.Par.Grammar.AppendIPRef(b, a)
	}
	return c.P.Par.Grammar.AppendIP(b, a)
}

func appendURI(c *route.Ctx, b []byte, host []byte, a netip.Addr, port uint16, p sipparse.Proto, always bool) []byte {
	b = append(b, "sip:"...)
	if host != nil {
		b = append(b, host...)
	} else {
		b = appendIP(c, b, a, true)
	}
	b = append(b, ':')
	b = strconv.AppendUint(b, uint64(port), 10)
	if always || p != sipparse.UDP {
		b = append(b, ";transport="...)
		b = append(b, p.String()...)
	}
	return b
}

// made is a getter that prints into scratch memory.
func made(f func(c *route.Ctx, b []byte) []byte) route.Getter {
	return func(c *route.Ctx) route.Value {
		b := f(c, c.Scratch.Tail(160))
		if b == nil {
			return route.Null
		}
		return route.Str(c.Scratch.Keep(b))
	}
}

func networkVars() []route.Var {
	si := made(func(c *route.Ctx, b []byte) []byte { return appendIP(c, b, c.Recv.Src.Addr(), false) })
	proto := func(c *route.Ctx) route.Value {
		return route.StrInt(protoText[c.Recv.Proto], int64(c.Recv.Proto))
	}
	sock := func(f func(c *route.Ctx, s *route.Socket) route.Value) route.Getter {
		return func(c *route.Ctx) route.Value {
			if c.Recv.Sock == nil {
				return route.Null
			}
			return f(c, c.Recv.Sock)
		}
	}
	sockURI := func(always, adv bool) route.Getter {
		return sock(func(c *route.Ctx, s *route.Socket) route.Value {
			host, port := s.Host, s.Addr.Port()
			if adv {
				host, port, _ = s.ViaHost()
			}
			return route.Str(c.Scratch.Keep(appendURI(c, c.Scratch.Tail(160), host, s.Addr.Addr(), port, s.Proto, always)))
		})
	}
	return []route.Var{
		get("si", "source address", si),
		get("src_ip", "as $si", si),
		get("siz", "source address, IPv6 in brackets", made(func(c *route.Ctx, b []byte) []byte { return appendIP(c, b, c.Recv.Src.Addr(), true) })),
		get("sp", "source port", func(c *route.Ctx) route.Value { return route.Int(int64(c.Recv.Src.Port())) }),
		get("su", "source as a URI", made(func(c *route.Ctx, b []byte) []byte {
			return appendURI(c, b, nil, c.Recv.Src.Addr(), c.Recv.Src.Port(), c.Recv.Proto, false)
		})),
		get("sut", "source as a URI with transport", made(func(c *route.Ctx, b []byte) []byte {
			return appendURI(c, b, nil, c.Recv.Src.Addr(), c.Recv.Src.Port(), c.Recv.Proto, true)
		})),
		get("sas", "source as proto:ip:port", made(func(c *route.Ctx, b []byte) []byte {
			b = append(b, c.Recv.Proto.String()...)
			b = append(b, ':')
			b = appendIP(c, b, c.Recv.Src.Addr(), true)
			b = append(b, ':')
			return strconv.AppendUint(b, uint64(c.Recv.Src.Port()), 10)
		})),
		get("Ri", "local address of the message", made(func(c *route.Ctx, b []byte) []byte {
			if c.Recv.Sock == nil {
				return nil
			}
			return appendIP(c, b, c.Recv.Sock.Addr.Addr(), false)
		})),
		get("Rp", "local port", sock(func(_ *route.Ctx, s *route.Socket) route.Value { return route.Int(int64(s.Addr.Port())) })),
		get("Rn", "name of the local socket", sock(func(_ *route.Ctx, s *route.Socket) route.Value { return text(s.Name) })),
		get("Ru", "local socket as a URI", sockURI(false, false)),
		get("Rut", "local socket as a URI with transport", sockURI(true, false)),
		get("Ras", "local socket as proto:ip:port", sock(func(_ *route.Ctx, s *route.Socket) route.Value { return route.Str(s.Text) })),
		get("RAi", "advertised address", sock(func(c *route.Ctx, s *route.Socket) route.Value {
			if s.AdvHost != nil {
				return route.Str(s.AdvHost)
			}
			return route.Str(c.Scratch.Keep(appendIP(c, c.Scratch.Tail(64), s.Addr.Addr(), false)))
		})),
		get("RAp", "advertised port", sock(func(_ *route.Ctx, s *route.Socket) route.Value {
			_, p, _ := s.ViaHost()
			return route.Int(int64(p))
		})),
		get("RAu", "advertised address as a URI", sockURI(false, true)),
		get("RAut", "advertised address as a URI with transport", sockURI(true, true)),
		get("pr", "protocol of the message", proto),
		get("proto", "as $pr", proto),
		get("prid", "number of the protocol", func(c *route.Ctx) route.Value { return route.Int(int64(c.Recv.Proto)) }),
		choice("af", "address family", map[string]route.Getter{
			"id":   func(c *route.Ctx) route.Value { return familyID(c.Recv.Src.Addr()) },
			"name": func(c *route.Ctx) route.Value { return familyName(c.Recv.Src.Addr()) },
		}),
		get("conid", "TCP connection of the message", func(c *route.Ctx) route.Value {
			if c.Recv.Conn == 0 {
				return route.Null
			}
			return route.Int(int64(c.Recv.Conn))
		}),
		rawVar("rcv", "the message as received (event_route[core:msg-received]): buf, which can be set, len, proto, sproto, af, srcip, srcport, rcvip, rcvport"),
		rawVar("recv", "as $rcv"),
		choice("snd", "where the message goes (onsend_route)", sendVars(false)),
		choice("sndto", "as $snd", sendVars(false)),
		choice("sndfrom", "from where the message goes (onsend_route)", sendVars(true)),
	}
}

var (
	inet  = route.Str([]byte("IPv4"))
	inet6 = route.Str([]byte("IPv6"))
)

func familyID(a netip.Addr) route.Value {
	if isV6(a) {
		return route.Int(10)
	}
	return route.Int(2)
}

func familyName(a netip.Addr) route.Value {
	if isV6(a) {
		return inet6
	}
	return inet
}

func sendVars(from bool) map[string]route.Getter {
	on := func(f func(c *route.Ctx, a netip.AddrPort) route.Value) route.Getter {
		return func(c *route.Ctx) route.Value {
			if c.Send == nil || from && c.Send.Sock == nil {
				return route.Null
			}
			a := c.Send.Addr
			if from {
				a = c.Send.Sock.Addr
			}
			return f(c, a)
		}
	}
	return map[string]route.Getter{
		"ip": on(func(c *route.Ctx, a netip.AddrPort) route.Value {
			return route.Str(c.Scratch.Keep(appendIP(c, c.Scratch.Tail(64), a.Addr(), false)))
		}),
		"port":   on(func(c *route.Ctx, a netip.AddrPort) route.Value { return route.Int(int64(a.Port())) }),
		"af":     on(func(_ *route.Ctx, a netip.AddrPort) route.Value { return familyID(a.Addr()) }),
		"proto":  on(func(c *route.Ctx, _ netip.AddrPort) route.Value { return route.Int(int64(c.Send.Proto)) }),
		"sproto": on(func(c *route.Ctx, _ netip.AddrPort) route.Value { return route.Str(protoText[c.Send.Proto]) }),
		"buf":    on(func(c *route.Ctx, _ netip.AddrPort) route.Value { return route.Str(c.SendBuf) }),
		"len":    on(func(c *route.Ctx, _ netip.AddrPort) route.Value { return route.Int(int64(len(c.SendBuf))) }),
	}
}
