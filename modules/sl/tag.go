package sl

import (
	"fmt"

	"kahea/cfglang/route"
)

// bindTag makes $ltt(s), $ltt(t) and $ltt(x): the tag that would be added, also when the message has one.
func (m *mod) bindTag(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	switch r.Inner {
	case "s", "t", "x":
	default:
		return nil, nil, fmt.Errorf("$ltt(%s): want s, t or x", r.Inner)
	}
	which := r.Inner[0]
	return func(c *route.Ctx) route.Value {
		if !c.IsRequest() {
			return route.Null
		}
		has := m.tm != nil && which != 's' && m.tm.HasTransaction(c)
		switch {
		case has:
			return route.Str(m.tm.LocalTag(c))
		case which == 't':
			return route.Null
		}
		return route.Str(c.ToTag(&m.tagPrefix))
	}, nil, nil
}
