package pv

import (
	"errors"
	"fmt"
	"strconv"

	"kahea/cfglang/route"
)

func branchVars() []route.Var {
	return []route.Var{
		{Name: "br", Get: func(c *route.Ctx) route.Value {
			if len(c.Branches) == 0 {
				return route.Null
			}
			return route.Str(c.Branches[0].URI)
		}, Set: func(c *route.Ctx, v route.Value) error {
			if !isStr(v) || len(v.Str) == 0 {
				return errWantString
			}
			if !c.AddBranch(route.Branch{URI: v.Str, Q: route.QUnset}) {
				return errBranch
			}
			return nil
		}, Doc: "R-URI of the first additional branch; assigning appends one"},
		get("bR", "all additional branches", func(c *route.Ctx) route.Value {
			if len(c.Branches) == 0 {
				return route.Null
			}
			return route.Str(joinBranches(c, false))
		}),
		get("ds", "destination set as in the Contact of a 3xx", func(c *route.Ctx) route.Value {
			if c.Msg.Line.IsReply || c.NewURI == nil && len(c.Branches) == 0 {
				return route.Null
			}
			return route.Str(joinBranches(c, true))
		}),
		{Name: "branch", Bind: bindBranch, Doc: "attribute of an additional branch: $(branch(uri)[0])"},
		get("ruid", "record id that lookup() stored", func(c *route.Ctx) route.Value { return text(c.Main.RUID) }),
		get("location_ua", "User-Agent that lookup() stored", func(c *route.Ctx) route.Value { return text(c.Main.LocationUA) }),
	}
}

var errBranch = errors.New("the branch can not be added")

// joinBranches prints branches as Contact does; contact begins with the name of the field and the R-URI if the
// script has set it.
func joinBranches(c *route.Ctx, contact bool) []byte {
	n := len(c.RURI()) + 64
	for i := range c.Branches {
		n += len(c.Branches[i].URI) + 16
	}
	b, main := c.Scratch.Tail(n), false
	if contact {
		b = append(b, "Contact: "...)
		if c.NewURI != nil {
			b = appendContact(b, c.RURI(), route.QUnset)
			main = true
		}
	}
	for i := range c.Branches {
		if i > 0 || main {
			b = append(b, ", "...)
		}
		if !contact && c.Branches[i].Q == route.QUnset {
			b = append(b, c.Branches[i].URI...)
			continue
		}
		b = appendContact(b, c.Branches[i].URI, c.Branches[i].Q)
	}
	return c.Scratch.Keep(b)
}

func appendContact(b, uri []byte, q int) []byte {
	if q == route.QUnset {
		b = append(b, '<')
		b = append(b, uri...)
		return append(b, '>')
	}
	b = append(b, '<')
	b = append(b, uri...)
	b = append(b, ">;q="...)
	return appendQ(b, q)
}

// appendQ prints thousandths without trailing zeros: 1, 0.5, 0.25.
func appendQ(b []byte, q int) []byte {
	if q >= 1000 {
		return append(b, '1')
	}
	if q <= 0 {
		return append(b, '0')
	}
	b = append(b, "0."...)
	for div := 100; q > 0; div /= 10 {
		b = append(b, '0'+byte(q/div))
		q %= div
	}
	return b
}

type branchAttr struct {
	get func(c *route.Ctx, b *route.Branch) route.Value
	set func(c *route.Ctx, b *route.Branch, v route.Value) error
}

func branchText(field func(b *route.Branch) *[]byte, writable bool) branchAttr {
	a := branchAttr{get: func(_ *route.Ctx, b *route.Branch) route.Value { return text(*field(b)) }}
	if writable {
		a.set = func(c *route.Ctx, b *route.Branch, v route.Value) error {
			if v.IsNull() {
				*field(b) = nil
				return nil
			}
			if !isStr(v) {
				return errWantString
			}
			*field(b) = c.Scratch.Copy(v.Str)
			return nil
		}
	}
	return a
}

var branchAttrs = map[string]branchAttr{
	"uri":         branchText(func(b *route.Branch) *[]byte { return &b.URI }, true),
	"dst_uri":     branchText(func(b *route.Branch) *[]byte { return &b.DstURI }, true),
	"path":        branchText(func(b *route.Branch) *[]byte { return &b.Path }, true),
	"ruid":        branchText(func(b *route.Branch) *[]byte { return &b.RUID }, false),
	"location_ua": branchText(func(b *route.Branch) *[]byte { return &b.LocationUA }, false),
	"instance":    branchText(func(b *route.Branch) *[]byte { return &b.Instance }, false),
	"q": {get: func(_ *route.Ctx, b *route.Branch) route.Value {
		if b.Q == route.QUnset {
			return route.Null
		}
		return route.Int(int64(b.Q))
	},
		set: func(_ *route.Ctx, b *route.Branch, v route.Value) error {
			if v.IsNull() {
				b.Q = route.QUnset
				return nil
			}
			if v.Flags&route.FlagInt == 0 {
				return errWantInt
			}
			b.Q = int(min(max(v.Int, route.QUnset), 1000))
			return nil
		}},
	"flags": {get: func(_ *route.Ctx, b *route.Branch) route.Value { return route.Int(int64(b.Flags)) },
		set: func(_ *route.Ctx, b *route.Branch, v route.Value) error { return setBits(&b.Flags, v) }},
	"otcpid": {get: func(_ *route.Ctx, b *route.Branch) route.Value { return route.Int(int64(b.OTCPID)) },
		set: func(_ *route.Ctx, b *route.Branch, v route.Value) error { return setBits(&b.OTCPID, v) }},
	"send_socket": {get: func(_ *route.Ctx, b *route.Branch) route.Value {
		if b.ForceSock == nil {
			return route.Null
		}
		return route.Str(b.ForceSock.Text)
	}, set: func(c *route.Ctx, b *route.Branch, v route.Value) error {
		if v.IsNull() {
			b.ForceSock = nil
			return nil
		}
		keep := c.Main.ForceSock
		err := setSocket(c, v)
		b.ForceSock, c.Main.ForceSock = c.Main.ForceSock, keep
		return err
	}},
}

func setBits(at *uint32, v route.Value) error {
	switch {
	case v.IsNull():
		*at = 0
	case v.Flags&route.FlagInt == 0:
		return errWantInt
	default:
		*at = uint32(v.Int)
	}
	return nil
}

func bindBranch(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	if r.Inner == "count" {
		return func(c *route.Ctx) route.Value {
			if len(c.Branches) == 0 {
				return route.Null
			}
			return route.Int(int64(len(c.Branches)))
		}, nil, nil
	}
	attr, ok := branchAttrs[r.Inner]
	if !ok {
		return nil, nil, unknownInner(r, branchAttrs)
	}
	at := func(c *route.Ctx) int {
		n, all := r.Index.Eval(c)
		if n < 0 {
			n += len(c.Branches)
		}
		if all || n < 0 || n >= len(c.Branches) {
			return -1
		}
		return n
	}
	g := func(c *route.Ctx) route.Value {
		if i := at(c); i >= 0 {
			return attr.get(c, &c.Branches[i])
		}
		return route.Null
	}
	if attr.set == nil {
		return g, nil, nil
	}
	removes := r.Inner == "uri"
	return g, func(c *route.Ctx, v route.Value) error {
		i := at(c)
		if i < 0 {
			return fmt.Errorf("there are only %d branches", len(c.Branches))
		}
		if removes && (v.IsNull() || isStr(v) && len(v.Str) == 0) {
			c.Branches = append(c.Branches[:i], c.Branches[i+1:]...)
			return nil
		}
		return attr.set(c, &c.Branches[i], v)
	}, nil
}

func flagVars() []route.Var {
	var l []route.Var
	add := func(dec, hex, bit, what string, at func(c *route.Ctx) *uint32) {
		set := func(c *route.Ctx, v route.Value) error { return setBits(at(c), v) }
		l = append(l,
			route.Var{Name: dec, Get: func(c *route.Ctx) route.Value { return route.Int(int64(*at(c))) }, Set: set, Doc: what},
			route.Var{Name: hex, Get: func(c *route.Ctx) route.Value { return route.StrInt(hex8(c, *at(c)), int64(*at(c))) }, Set: set, Doc: what + ", hexadecimal"},
			route.Var{Name: bit, Bind: func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) { return bindBit(r, at) }, Doc: what + ", one bit"})
	}
	add("mf", "mF", "Mf", "flags of the message and its transaction", func(c *route.Ctx) *uint32 { return &c.Flags })
	add("sf", "sF", "Sf", "script flags: those of the block that runs", func(c *route.Ctx) *uint32 { return &c.SFlags })
	add("bf", "bF", "Bf", "flags of the R-URI's branch", func(c *route.Ctx) *uint32 { return &c.Main.Flags })
	return l
}

func hex8(c *route.Ctx, n uint32) []byte {
	b := c.Scratch.Alloc(8)
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
	return b
}

func bindBit(r *route.VarRef, at func(c *route.Ctx) *uint32) (route.Getter, route.Setter, error) {
	n, err := strconv.Atoi(r.Inner)
	if err != nil || n < 0 || n > 31 {
		return nil, nil, fmt.Errorf("got (%s), want a flag, 0 to 31", r.Inner)
	}
	mask := uint32(1) << n
	return func(c *route.Ctx) route.Value {
			if *at(c)&mask != 0 {
				return route.Int(1)
			}
			return route.Int(0)
		}, func(c *route.Ctx, v route.Value) error {
			if v.IsNull() {
				*at(c) = 0
				return nil
			}
			if v.Flags&route.FlagInt == 0 {
				return errWantInt
			}
			if v.Int != 0 {
				*at(c) |= mask
			} else {
				*at(c) &^= mask
			}
			return nil
		}, nil
}
