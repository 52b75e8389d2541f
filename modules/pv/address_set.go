package pv

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// partySetters change From or To in the message that is sent. Getters yield what was received until msg_apply_changes; two assignments to one part put one text behind
// the other, as in Kamailio.
type partySetters struct {
	typ  sipparse.HdrType
	addr func(m *sipparse.Msg) (*sipparse.NameAddr, sipparse.Err)
	of   parsed
}

// change replaces a part of the message by v's text.
func (p partySetters) change(c *route.Ctx, at sipparse.Span, v []byte) error {
	c.Edits.Replace(at.Off, at.Len, v, p.typ)
	return nil
}

// ignored is what assigning $null does where there is nothing that could be removed.
func ignored(c *route.Ctx, name string) error {
	c.Logf(log.Warn, "pv", "$null for $%s is ignored", name)
	return nil
}

func (p partySetters) uri(name string) route.Setter {
	return func(c *route.Ctx, v route.Value) error {
		if v.IsNull() {
			return ignored(c, name)
		}
		if !isStr(v) {
			return errWantString
		}
		a, e := p.addr(&c.Msg)
		if e != sipparse.OK {
			return e
		}
		return p.change(c, a.URI, v.Str)
	}
}

func (p partySetters) host(name string) route.Setter {
	return func(c *route.Ctx, v route.Value) error {
		if v.IsNull() {
			return ignored(c, name)
		}
		if !isStr(v) {
			return errWantString
		}
		u, at, err := p.parse(c)
		if err != nil {
			return err
		}
		return p.change(c, sipparse.Span{Off: at + u.Host.Off, Len: u.Host.Len}, v.Str)
	}
}

// user removes the '@' too with $null, if nothing stands before it.
func (p partySetters) user(c *route.Ctx, v route.Value) error {
	if !v.IsNull() && !isStr(v) {
		return errWantString
	}
	u, at, err := p.parse(c)
	if err != nil {
		return err
	}
	if u.User.Empty() {
		if v.IsNull() {
			return nil
		}
		c.Edits.InsertBefore(at+u.Host.Off, c.Scratch.Concat(v.Str, []byte("@")), p.typ)
		return nil
	}
	s := sipparse.Span{Off: at + u.User.Off, Len: u.User.Len}
	if v.IsNull() {
		if c.Msg.Buf[s.End()] == '@' {
			s.Len++
		}
		c.Edits.Remove(s.Off, s.Len, p.typ)
		return nil
	}
	return p.change(c, s, v.Str)
}

// parse is the URI and where it stands in the message.
func (p partySetters) parse(c *route.Ctx) (*sipparse.URI, uint32, error) {
	a, e := p.addr(&c.Msg)
	if e != sipparse.OK {
		return nil, 0, e
	}
	u, _, ok := p.of(c)
	if !ok {
		return nil, 0, sipparse.ErrURI
	}
	return u, a.URI.Off, nil
}

// name puts a display name in front; $null removes it with the blanks behind it.
func (p partySetters) name(c *route.Ctx, v route.Value) error {
	if !v.IsNull() && !isStr(v) {
		return errWantString
	}
	a, e := p.addr(&c.Msg)
	if e != sipparse.OK {
		return e
	}
	front := a.URI.Off
	if a.Angle {
		front--
	}
	switch remove := v.IsNull(); {
	case a.Name.Empty() && remove:
	case a.Name.Empty():
		c.Edits.InsertBefore(front, c.Scratch.Concat(v.Str, []byte(" ")), p.typ)
	case remove:
		c.Edits.Remove(a.Name.Off, front-a.Name.Off, p.typ)
	default:
		return p.change(c, a.Name, v.Str)
	}
	return nil
}
