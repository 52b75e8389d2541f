package tmx

import (
	"fmt"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

func (m *mod) tSuspend(c *route.Ctx, _ *route.Args) int {
	rc, err := m.tm.Suspend(c)
	if err != nil {
		c.Logf(log.Err, "tmx", "t_suspend: %v", err)
	}
	return rc
}

// compileContinue looks the route up at run time when a variable names it.
func (m *mod) compileContinue(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	var ref *route.RouteRef
	if name, ok := a.ConstStr(2); ok {
		ref = e.Route(route.InRequest, name)
	}
	return func(c *route.Ctx) int {
		index, ok1 := a.Int(c, 0)
		label, ok2 := a.Int(c, 1)
		var r *route.Route
		if ref != nil {
			r = ref.Route
		} else if name, ok := a.Str(c, 2); ok {
			for _, x := range c.P.Prog.Named {
				if x.Kind == route.InRequest && x.Name == string(name) {
					r = x
				}
			}
		}
		if !ok1 || !ok2 || index < 0 || label < 0 || index > 1<<32-1 || label > 1<<32-1 || r == nil {
			c.Logf(log.Err, "tmx", "t_continue: index or label is no number, or there is no such route")
			return -1
		}
		if err := m.tm.Continue(c.P, uint32(index), uint32(label), r); err != nil {
			c.Logf(log.Err, "tmx", "t_continue %d %d: %v", index, label, err)
			return -1
		}
		return 1
	}, nil
}

func (m *mod) compileCancelBranches(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	which, _ := a.ConstStr(0)
	pick, ok := map[string]func(i, this int) bool{
		"all":    func(int, int) bool { return true },
		"others": func(i, this int) bool { return i != this },
		"this":   func(i, this int) bool { return i == this },
	}[which]
	if !ok {
		return nil, fmt.Errorf("%q: want all, others or this", which)
	}
	return func(c *route.Ctx) int {
		return truth(m.tm.CancelBranches(c, func(i int) bool { return pick(i, c.TransBranch) }))
	}, nil
}

func (m *mod) tCancelCallID(c *route.Ctx, a *route.Args) int {
	callID, ok1 := a.Str(c, 0)
	cseq, ok2 := a.Str(c, 1)
	flag, ok3 := a.Int(c, 2)
	if !ok1 || !ok2 || !ok3 || flag > 31 {
		return -1
	}
	var set uint32
	if flag >= 0 {
		set = 1 << uint(flag)
	}
	return truth(m.tm.CancelCallID(c.P, callID, cseq, set))
}

func (m *mod) tReplyCallID(c *route.Ctx, a *route.Args) int {
	callID, ok1 := a.Str(c, 0)
	cseq, ok2 := a.Str(c, 1)
	code, ok3 := a.Int(c, 2)
	reason, ok4 := a.Str(c, 3)
	if !ok1 || !ok2 || !ok3 || !ok4 || code < 100 || code > 699 {
		return -1
	}
	return truth(m.tm.ReplyCallID(c.P, callID, cseq, int(code), reason))
}

func (m *mod) tDrop(c *route.Ctx, a *route.Args) int {
	code := int64(500)
	if a.N > 0 {
		var ok bool
		if code, ok = a.Int(c, 0); !ok || code < 200 || code > 699 {
			return -1
		}
	}
	return truth(m.tm.DropTransaction(c, int(code)))
}
