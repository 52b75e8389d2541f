package textopsx

import (
	"errors"
	"slices"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Walks over the headers live in one word of the message (Ctx.Ext): 16 bits for each of up to four names. 0: not begun, 1: before the first
// header, n+2: at header n.
const (
	ext      = 3
	maxIters = 4
	maxHdrs  = 1<<16 - 3
)

var (
	errNames  = errors.New("there can be four iterators at most")
	errNoName = errors.New("a name is missing")
)

// names are the names of walks of one kind; a name's index is its place in the message's words.
type names []string

// place is the number of a walk, by its name.
func (l *names) place(name string) (int, error) {
	if name == "" {
		return 0, errNoName
	}
	i := slices.Index(*l, name)
	if i < 0 {
		if len(*l) == maxIters {
			return 0, errNames
		}
		i = len(*l)
		*l = append(*l, name)
	}
	return i, nil
}

func state(c *route.Ctx, i int) int { return int(c.Ext[ext] >> (16 * i) & 0xffff) }

func setState(c *route.Ctx, i, n int) {
	c.Ext[ext] = c.Ext[ext]&^(0xffff<<(16*i)) | uint64(n)<<(16*i)
}

// current is the header at which a walk stands, nil if at none.
func current(c *route.Ctx, i int) *sipparse.Hdr {
	n := state(c, i) - 2
	if n < 0 || n >= len(c.Msg.Hdrs) {
		return nil
	}
	return &c.Msg.Hdrs[n]
}

// walk makes a function on the walk that its first argument names.
func (l *names) walk(f func(c *route.Ctx, i int, a *route.Args) int) func(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	return func(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
		i, err := l.place(string(a.At(0).Text))
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx) int { return f(c, i, a) }, nil
	}
}

func start(c *route.Ctx, i int, _ *route.Args) int { setState(c, i, 1); return 1 }

// end goes back to before the first header: a next would begin anew, as in Kamailio.
func end(c *route.Ctx, i int, _ *route.Args) int {
	setState(c, i, min(state(c, i), 1))
	return 1
}

func next(c *route.Ctx, i int, _ *route.Args) int {
	n := state(c, i)
	if n == 0 || n > maxHdrs {
		return -1
	}
	n = min(n+1, len(c.Msg.Hdrs)+2)
	setState(c, i, n)
	if n == len(c.Msg.Hdrs)+2 {
		return -1
	}
	return 1
}

func prev(c *route.Ctx, i int, _ *route.Args) int {
	n := state(c, i)
	if n <= 2 || n >= len(c.Msg.Hdrs)+2 { // also behind the last one, as in Kamailio
		return -1
	}
	setState(c, i, n-1)
	return 1
}

func remove(c *route.Ctx, i int, _ *route.Args) int {
	h := current(c, i)
	if h == nil {
		return -1
	}
	drop(c, h)
	return 1
}

func appendText(c *route.Ctx, i int, a *route.Args) int {
	h := current(c, i)
	text, ok := a.Str(c, 1)
	if h == nil || !ok || len(text) == 0 {
		return -1
	}
	c.Edits.InsertAfter(h.End, text, sipparse.HdrOther)
	return 1
}

func insertText(c *route.Ctx, i int, a *route.Args) int {
	h := current(c, i)
	text, ok := a.Str(c, 1)
	if h == nil || !ok || len(text) == 0 {
		return -1
	}
	c.Edits.InsertBefore(h.Off, text, sipparse.HdrOther)
	return 1
}

func (m *mod) bindIter(body bool) func(route.Env, *route.VarRef) (route.Getter, route.Setter, error) {
	return func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		i, err := m.iters.place(r.Inner)
		if err != nil {
			return nil, nil, err
		}
		return func(c *route.Ctx) route.Value {
			h := current(c, i)
			switch {
			case h == nil:
				return route.Null
			case body:
				return route.Str(c.Msg.Bytes(h.Body))
			}
			return route.Str(c.Msg.Bytes(h.Name))
		}, nil, nil
	}
}
