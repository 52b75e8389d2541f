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

func (m *mod) tACKLocal(c *route.Ctx, a *route.Args) int {
	var s [4][]byte
	for i := range a.N {
		var ok bool
		if s[i], ok = a.Str(c, i); !ok {
			return -1
		}
	}
	if len(s[2]) > 0 && s[2][len(s[2])-1] != '\n' {
		s[2] = c.Scratch.Concat(s[2], []byte("\r\n"))
	}
	if err := m.tm.AckLocal(c, s[0], s[1], s[2], s[3]); err != nil {
		c.Logf(log.Err, "tmx", "t_uac_ack_local: %v", err)
		return -1
	}
	return 1
}

func (m *mod) tCancelBranch(c *route.Ctx, a *route.Args) int {
	index, ok1 := a.Int(c, 0)
	label, ok2 := a.Int(c, 1)
	branch, ok3 := a.Int(c, 2)
	if !ok1 || !ok2 || !ok3 || index < 0 || label < 0 || index > 1<<32-1 || label > 1<<32-1 || branch < 0 {
		return -1
	}
	return truth(m.tm.CancelBranch(c.P, uint32(index), uint32(label), int(branch)))
}

// vbflag makes a function about a bit of the transaction.
func (m *mod) vbflag(name, doc string, f func(p *uint32, bit uint32) bool) route.Func {
	return route.Func{Name: name, Args: "i", From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
		n, ok := a.Int(c, 0)
		p := m.tm.VBFlags(c)
		if !ok || n < 0 || n > 31 || p == nil {
			return -1
		}
		return truth(f(p, 1<<uint(n)))
	}}
}
