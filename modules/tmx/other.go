package tmx

import (
	"fmt"
	"strings"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// $T_req(x), $T_rpl(x) and $T_inv(x) are variable x of another message of the transaction: its request, the reply that a failure route is about, the INVITE that the
// CANCEL in hand is about.

// other makes such a variable; with calls f with the other message, if there is one.
func (m *mod) other(name, doc string, with func(c *route.Ctx, f func(msg *sipparse.Msg)) bool) route.Var {
	return route.Var{Name: name, Doc: doc, Bind: func(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		pv := r.InnerPV
		if pv == nil {
			if !strings.HasPrefix(r.Inner, "$") {
				return nil, nil, fmt.Errorf("$%s(%s): want a variable", name, r.Inner)
			}
			var err error
			if pv, err = e.ParsePV(r.Inner); err != nil {
				return nil, nil, err
			}
		}
		return func(c *route.Ctx) route.Value {
			v := route.Null
			with(c, func(msg *sipparse.Msg) { v = eval(c, pv, msg) })
			return v
		}, nil, nil
	}}
}

// eval is a variable's value with another message in the place of c's; its text is copied, as the other message does not stay.
func eval(c *route.Ctx, pv *route.PV, msg *sipparse.Msg) route.Value {
	mine, uri := c.Msg, c.NewURI
	c.Msg = *msg
	c.UseRURI(nil)
	v := pv.Get(c)
	if v.Flags&route.FlagStr != 0 {
		v.Str = c.Scratch.Copy(v.Str)
	}
	c.Msg = mine
	c.UseRURI(uri)
	return v
}

// replyOf is for failure routes only, and requestOf for reply routes, as in Kamailio: elsewhere there is nothing.
func replyOf(c *route.Ctx, f func(msg *sipparse.Msg)) bool {
	if c.Kind&(route.InFailure|route.InBranchFailure) == 0 || c.Reply == nil {
		return false
	}
	f(c.Reply)
	return true
}

func (m *mod) requestOf(c *route.Ctx, f func(msg *sipparse.Msg)) bool {
	return c.Kind&route.AnyReply != 0 && m.tm.WithRequest(c, f)
}

func (m *mod) inviteOf(c *route.Ctx, f func(msg *sipparse.Msg)) bool { return m.tm.WithInvite(c, f) }
