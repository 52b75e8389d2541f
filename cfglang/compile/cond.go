package compile

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/sipparse"
)

// coreCond compiles a core condition operand that stands alone or in an ordinary comparison.
func (k *Compiler) coreCond(x *syntax.Cond) *expr {
	str := func(f func(c *route.Ctx) []byte) *expr {
		return &expr{typ: tStr, str: func(c *route.Ctx) ([]byte, bool) { return f(c), true }}
	}
	num := func(f func(c *route.Ctx) int64) *expr {
		return intExpr(func(c *route.Ctx) (int64, bool) { return f(c), true })
	}
	// what is sent is known while onsend_route runs; elsewhere, say in a route that onsend_route calls too, the expression fails
	sndNum := func(f func(d *route.Dest) int64) *expr {
		return intExpr(func(c *route.Ctx) (int64, bool) {
			if c.Send == nil || c.Send.Sock == nil {
				return 0, false
			}
			return f(c.Send), true
		})
	}
	sndAddr := func(f func(d *route.Dest) netip.Addr) *expr {
		return &expr{typ: tStr, str: func(c *route.Ctx) ([]byte, bool) {
			if c.Send == nil || c.Send.Sock == nil {
				return nil, false
			}
			return addrText(c, f(c.Send)), true
		}}
	}
	switch x.Name {
	case "method":
		return str(methodText)
	case "uri":
		return str((*route.Ctx).RURI)
	case "status":
		return str(func(c *route.Ctx) []byte {
			if !c.Msg.Line.IsReply {
				return nil
			}
			return c.Msg.Bytes(c.Msg.Line.StatusText)
		})
	case "from_uri":
		return str(func(c *route.Ctx) []byte { _, b, _ := c.Msg.FromURI(); return b })
	case "to_uri":
		return str(func(c *route.Ctx) []byte { _, b, _ := c.Msg.ToURI(); return b })
	case "src_ip":
		return str(func(c *route.Ctx) []byte { return addrText(c, c.Recv.Src.Addr()) })
	case "dst_ip":
		return str(func(c *route.Ctx) []byte { return addrText(c, c.Recv.Dst.Addr()) })
	case "snd_ip":
		return sndAddr(func(d *route.Dest) netip.Addr { return d.Sock.Addr.Addr() })
	case "to_ip":
		return sndAddr(func(d *route.Dest) netip.Addr { return d.Addr.Addr() })
	case "src_port":
		return num(func(c *route.Ctx) int64 { return int64(c.Recv.Src.Port()) })
	case "dst_port":
		return num(func(c *route.Ctx) int64 { return int64(c.Recv.Dst.Port()) })
	case "snd_port":
		return sndNum(func(d *route.Dest) int64 { return int64(d.Sock.Addr.Port()) })
	case "to_port":
		return sndNum(func(d *route.Dest) int64 { return int64(d.Addr.Port()) })
	case "af":
		return num(func(c *route.Ctx) int64 { return family(c.Recv.Src.Addr()) })
	case "snd_af", "to_af":
		return sndNum(func(d *route.Dest) int64 { return family(d.Addr.Addr()) })
	case "proto":
		return num(func(c *route.Ctx) int64 { return int64(c.Recv.Proto) })
	case "snd_proto", "to_proto":
		return sndNum(func(d *route.Dest) int64 { return int64(d.Proto) })
	case "msg:len":
		return num(func(c *route.Ctx) int64 { return int64(len(c.Msg.Buf)) })
	}
	panic("compile: operand " + x.Name) // the parser lets myself stand in comparisons only
}

func methodText(c *route.Ctx) []byte {
	if !c.Msg.Line.IsReply {
		return c.Msg.Bytes(c.Msg.Line.MethodText)
	}
	cs, e := c.Msg.CSeq()
	if e != sipparse.OK {
		return nil
	}
	return c.Msg.Bytes(cs.MethodText)
}

func addrText(c *route.Ctx, a netip.Addr) []byte {
	b := c.Scratch.Tail(48)
	if b == nil {
		return nil
	}
	return c.Scratch.Keep(c.P.Par.Grammar.AppendIP(b, a))
}

func family(a netip.Addr) int64 {
	if a.Is6() {
		return 10
	}
	return 2
}

// textCond says whether the operand is a text.
func textCond(name string) bool {
	switch name {
	case "method", "uri", "status", "from_uri", "to_uri":
		return true
	}
	return false
}

// condCompare compiles the comparisons that only core conditions have: with myself, with addresses and networks, with protocol and
// method words. done is false for every other comparison.
func (k *Compiler) condCompare(x *syntax.Binary) (e *expr, done bool) {
	l, r := x.L, x.R
	lc, _ := l.(*syntax.Cond)
	rc, _ := r.(*syntax.Cond)
	if lc != nil && lc.Name == "myself" {
		l, r, lc, rc = r, l, rc, lc
	}
	if lc == nil {
		return nil, false
	}
	eq := int64(1)
	switch x.Op {
	case "==", "eq":
	case "!=", "ne":
		eq = 0
	default:
		return nil, false
	}
	result := func(f func(c *route.Ctx) bool) (*expr, bool) {
		return intExpr(func(c *route.Ctx) (int64, bool) {
			v := b2i(f(c))
			if eq == 0 {
				v ^= 1
			}
			return v, true
		}), true
	}
	if rc != nil && rc.Name == "myself" {
		switch lc.Name {
		case "uri":
			return result(func(c *route.Ctx) bool {
				u, b, ok := c.ParsedRURI()
				return ok && c.P.MyselfURI(u, b)
			})
		case "from_uri":
			return result(func(c *route.Ctx) bool { u, b, e := c.Msg.FromURI(); return e == sipparse.OK && c.P.MyselfURI(u, b) })
		case "to_uri":
			return result(func(c *route.Ctx) bool { u, b, e := c.Msg.ToURI(); return e == sipparse.OK && c.P.MyselfURI(u, b) })
		case "src_ip":
			return result(func(c *route.Ctx) bool { return isSelf(c, c.Recv.Src.Addr()) })
		case "dst_ip":
			return result(func(c *route.Ctx) bool { return isSelf(c, c.Recv.Dst.Addr()) })
		case "snd_ip":
			return result(func(c *route.Ctx) bool { return c.Send != nil && isSelf(c, c.Send.Sock.Addr.Addr()) })
		case "to_ip":
			return result(func(c *route.Ctx) bool { return c.Send != nil && isSelf(c, c.Send.Addr.Addr()) })
		}
		panic("compile: myself compared with " + lc.Name) // the parser makes no other
	}
	if lit, isStr := r.(*syntax.StrLit); isStr && textCond(lc.Name) { // Kamailio compares these texts in any case
		e, want := k.coreCond(lc), []byte(lit.Val)
		text := e.asStr()
		return result(func(c *route.Ctx) bool { b, ok := text(c); return ok && bytes.EqualFold(b, want) })
	}
	word, isWord := r.(*syntax.Addr)
	if !isWord {
		return nil, false
	}
	switch lc.Name {
	case "method":
		m := []byte(word.Text)
		return result(func(c *route.Ctx) bool { return bytes.EqualFold(methodText(c), m) })
	case "proto", "snd_proto", "to_proto":
		p, _ := sipparse.ParseProto([]byte(word.Text)) // the parser takes no other word
		le := k.coreCond(lc)
		if le == nil {
			return nil, true
		}
		f := le.asInt()
		return result(func(c *route.Ctx) bool { n, ok := f(c); return ok && n == int64(p) })
	case "src_ip", "dst_ip", "snd_ip", "to_ip":
		addr := condAddr(lc.Name)
		if _, isIP := route.ParseAddr([]byte(word.Text)); !isIP && !strings.ContainsAny(word.Text, "/[") {
			return k.hostCompare(addr, word.Text, eq), true
		}
		pfx, err := parsePrefix(word.Text)
		if err {
			k.d.Add(diag.Diagnostic{Pos: word.Pos, EndCol: endOf(word), Summary: fmt.Sprintf("%q is no network", word.Text), Detail: "form: address, address/length, address/mask, or a host name"})
			return nil, true
		}
		return result(func(c *route.Ctx) bool {
			a := addr(c)
			return a.IsValid() && pfx.Contains(a.Unmap())
		})
	}
	return nil, false
}

// condAddr is the address that an operand stands for; the zero address when nothing is being sent.
func condAddr(name string) func(c *route.Ctx) netip.Addr {
	switch name {
	case "src_ip":
		return func(c *route.Ctx) netip.Addr { return c.Recv.Src.Addr() }
	case "dst_ip":
		return func(c *route.Ctx) netip.Addr { return c.Recv.Dst.Addr() }
	}
	return func(c *route.Ctx) netip.Addr {
		switch {
		case c.Send == nil || c.Send.Sock == nil:
			return netip.Addr{}
		case name == "snd_ip":
			return c.Send.Sock.Addr.Addr()
		}
		return c.Send.Addr.Addr()
	}
}

// hostCompare compares an address with a host's, which is looked up when the expression is evaluated.
func (k *Compiler) hostCompare(addr func(c *route.Ctx) netip.Addr, host string, eq int64) *expr {
	name := []byte(host)
	return intExpr(func(c *route.Ctx) (int64, bool) {
		own := addr(c).Unmap()
		a, err := c.ResolveHost(name, own.Is6())
		if err != nil {
			c.Error("address of %s: %v", name, err)
			return 0, false
		}
		v := b2i(own == a.Unmap())
		if eq == 0 {
			v ^= 1
		}
		return v, true
	})
}

func isSelf(c *route.Ctx, a netip.Addr) bool {
	for _, s := range c.P.Net.Sockets {
		if s.Addr.Addr() == a {
			return true
		}
	}
	return c.P.Net.IsMyself(addrText(c, a), 0, sipparse.ProtoNone)
}

// parsePrefix reads ip, ip/len and ip/mask.
func parsePrefix(s string) (p netip.Prefix, bad bool) {
	host, mask, hasMask := strings.Cut(s, "/")
	a, ok := route.ParseAddr([]byte(host))
	if !ok {
		return p, true
	}
	if !hasMask {
		return netip.PrefixFrom(a, a.BitLen()), false
	}
	if m, ok := route.ParseAddr([]byte(mask)); ok {
		n := 0
		for _, b := range m.AsSlice() {
			for ; b&0x80 != 0; b <<= 1 {
				n++
			}
			if b != 0 {
				break
			}
		}
		return netip.PrefixFrom(a, n).Masked(), m.BitLen() != a.BitLen()
	}
	n, ok := route.ParseInt([]byte(mask))
	if !ok || n < 0 || int(n) > a.BitLen() {
		return p, true
	}
	return netip.PrefixFrom(a, int(n)).Masked(), false
}
