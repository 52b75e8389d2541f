package core

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

func addrText(c *route.Ctx, a netip.Addr, brackets bool) []byte {
	b := c.Scratch.Tail(64)
	if brackets {
		return c.Scratch.Keep(c.P.Par.Grammar.AppendIPRef(b, a))
	}
	return c.Scratch.Keep(c.P.Par.Grammar.AppendIP(b, a))
}

// addrSelect is src, dst and received: where the message came from or arrived; received knows the protocol too.
func addrSelect(local, proto bool) resolver {
	end := func(c *route.Ctx) netip.AddrPort {
		if local {
			return c.Recv.Dst
		}
		return c.Recv.Src
	}
	return func(_ *Selects, root component, rest []component) (element, error) {
		if root.hasIdx {
			return nil, errSelectIndex(root)
		}
		if len(rest) == 0 {
			return nil, errSelectMore(root)
		}
		part, rest := rest[0], rest[1:]
		both := func(c *route.Ctx, b []byte) ([]byte, bool) {
			a := end(c)
			b = c.P.Par.Grammar.AppendIPRef(b, a.Addr())
			return c.Scratch.Keep(strconv.AppendUint(append(b, ':'), uint64(a.Port()), 10)), true
		}
		switch k := part.key(); {
		case k == "ip":
			return func(c *route.Ctx) ([]byte, bool) { return addrText(c, end(c).Addr(), true), true }, alone(part, rest)
		case k == "port":
			return number(func(c *route.Ctx) int64 { return int64(end(c).Port()) }), alone(part, rest)
		case k == "ip_port":
			return func(c *route.Ctx) ([]byte, bool) { return both(c, c.Scratch.Tail(96)) }, alone(part, rest)
		case k == "proto" && proto:
			return func(c *route.Ctx) ([]byte, bool) { return c.Scratch.CopyString(c.Recv.Proto.String()), true }, alone(part, rest)
		case k == "proto_ip_port" && proto:
			return func(c *route.Ctx) ([]byte, bool) {
				return both(c, append(append(c.Scratch.Tail(96), c.Recv.Proto.String()...), ':'))
			}, alone(part, rest)
		}
		return nil, errSelectPart(root, part)
	}
}

func sysSelect(_ *Selects, root component, rest []component) (element, error) {
	if root.hasIdx {
		return nil, errSelectIndex(root)
	}
	if len(rest) == 0 {
		return nil, errSelectMore(root)
	}
	part, rest := rest[0], rest[1:]
	switch part.key() {
	case "pid":
		pid := int64(os.Getpid())
		return number(func(*route.Ctx) int64 { return pid }), alone(part, rest)
	case "server_id":
		return number(func(c *route.Ctx) int64 { return int64(c.P.Par.ServerID) }), alone(part, rest)
	case "unique":
		// process, its start, and a number that grows
		pid := uint64(os.Getpid())
		var n atomic.Uint64
		return func(c *route.Ctx) ([]byte, bool) {
			b := strconv.AppendUint(c.Scratch.Tail(64), pid, 16)
			b = strconv.AppendUint(append(b, '-'), uint64(c.P.Started), 16)
			return c.Scratch.Keep(strconv.AppendUint(append(b, '-'), n.Add(1), 16)), true
		}, alone(part, rest)
	case "now":
		if len(rest) == 0 {
			return number(func(c *route.Ctx) int64 { return c.P.Host.Now() / int64(time.Second) }), alone(part, nil)
		}
		zone := time.UTC
		switch rest[0].key() {
		case "local":
			zone = time.Local
		case "gmt", "utc":
		default:
			return nil, errSelectPart(part, rest[0])
		}
		return func(c *route.Ctx) ([]byte, bool) {
			return c.Scratch.Keep(time.Unix(0, c.P.Host.Now()).In(zone).AppendFormat(c.Scratch.Tail(64), time.ANSIC)), true
		}, alone(rest[0], rest[1:])
	}
	return nil, errSelectPart(root, part)
}

// branchSelect is the additional branches: all of them joined with commas, or one by its index from 0.
func branchSelect(_ *Selects, root component, rest []component) (element, error) {
	if root.hasIdx {
		return nil, errSelectIndex(root)
	}
	if len(rest) == 0 {
		return nil, errSelectMore(root)
	}
	part, rest := rest[0], rest[1:]
	if part.key() == "count" {
		return number(func(c *route.Ctx) int64 { return int64(len(c.Branches)) }), alone(part, rest)
	}
	var one func(dst []byte, b *route.Branch) []byte
	switch part.key() {
	case "uri":
		one = func(dst []byte, b *route.Branch) []byte { return append(dst, b.URI...) }
	case "dst_uri":
		one = func(dst []byte, b *route.Branch) []byte { return append(dst, b.DstURI...) }
	case "q":
		one = func(dst []byte, b *route.Branch) []byte { return appendQ(dst, b.Q) }
	case "uriq":
		one = func(dst []byte, b *route.Branch) []byte {
			if b.Q == route.QUnset {
				return append(dst, b.URI...)
			}
			dst = append(append(dst, '<'), b.URI...)
			return appendQ(append(dst, ">;q="...), b.Q)
		}
	default:
		return nil, errSelectPart(root, part)
	}
	text := func(c *route.Ctx) ([]byte, bool) {
		if len(c.Branches) == 0 {
			return nil, false
		}
		size := 16
		for i := range c.Branches {
			size += len(c.Branches[i].URI) + len(c.Branches[i].DstURI) + 16
		}
		b := c.Scratch.Tail(size)
		for i := range c.Branches {
			if part.hasIdx && i != part.index {
				continue
			}
			n := len(b)
			if n > 0 {
				b = append(b, ',')
			}
			at := len(b)
			if b = one(b, &c.Branches[i]); len(b) == at {
				b = b[:n]
			}
		}
		return opt(c.Scratch.Keep(b)), true
	}
	switch {
	case part.key() == "uriq" && len(rest) > 0:
		return textAddrSelect(part, rest, text)
	case part.key() == "q":
		if len(rest) > 0 {
			return nil, errSelectPart(part, rest[0])
		}
		return text, nil
	}
	return uriSelect(part, rest, text)
}

// textAddrSelect is a part of an address that stands in a text.
func textAddrSelect(of component, rest []component, text element) (element, error) {
	n := new(sipparse.NameAddr) // of the program, for the time of one call
	span := func(f func(n *sipparse.NameAddr) sipparse.Span) element {
		return func(c *route.Ctx) ([]byte, bool) {
			b, ok := text(c)
			if !ok || sipparse.ParseNameAddr(b, sipparse.Span{Len: uint32(len(b))}, n) != sipparse.OK {
				return nil, false
			}
			return opt(f(n).In(b)), true
		}
	}
	part, rest := rest[0], rest[1:]
	switch part.key() {
	case "uri":
		return uriSelect(part, rest, span(addrURI))
	case "name":
		return span(addrName), alone(part, rest)
	case "params":
		return paramSelect(part, rest, span(addrParams))
	}
	return nil, errSelectPart(of, part)
}

// appendQ prints thousandths as q does; nothing for a branch without q.
func appendQ(dst []byte, q int) []byte {
	switch {
	case q == route.QUnset:
		return dst
	case q >= 1000:
		return append(dst, '1')
	case q <= 0:
		return append(dst, '0')
	}
	dst = append(dst, "0."...)
	for d := 100; q > 0; d /= 10 {
		dst = append(dst, byte('0'+q/d))
		q %= d
	}
	return dst
}

// cfgSelected is the number of the selected instance of a group; empty: none is selected.
func cfgSelected(s *Selects, root component, rest []component) (element, error) {
	if len(rest) != 1 || root.hasIdx {
		return nil, fmt.Errorf("want cfg_selected.group")
	}
	if s.Cfg == nil {
		return nil, fmt.Errorf("there is no group %q", rest[0].name)
	}
	g, err := s.Cfg.Group(rest[0].name)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) ([]byte, bool) {
		id, ok := c.Selected(g)
		if !ok {
			return []byte{}, true
		}
		return c.Scratch.Int(int64(id)), true
	}, alone(rest[0], nil)
}
