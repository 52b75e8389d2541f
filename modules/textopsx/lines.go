package textopsx

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Walks over the lines of the body live in two words of the message (Ctx.Ext), 32 bits for each of up to four names. 0: not begun, 1: before the first line,
// n+2: at the line that begins at offset n of the body (its length: behind the last).
const extLines = 8

func linePlace(c *route.Ctx, i int) (word *uint64, shift int) {
	return &c.Ext[extLines+i/2], i % 2 * 32
}

func lineState(c *route.Ctx, i int) int {
	w, shift := linePlace(c, i)
	return int(uint32(*w >> shift))
}

func setLineState(c *route.Ctx, i, n int) {
	w, shift := linePlace(c, i)
	*w = *w&^(0xffffffff<<shift) | uint64(uint32(n))<<shift
}

// line is the line at which a walk stands, with its line end, as offsets of the body; ok is false outside.
func line(c *route.Ctx, i int) (from, to int, ok bool) {
	from = lineState(c, i) - 2
	b := c.Msg.Body()
	if from < 0 || from >= len(b) {
		return 0, 0, false
	}
	to = len(b)
	if n := bytes.IndexByte(b[from:], '\n'); n >= 0 {
		to = from + n + 1
	}
	return from, to, true
}

func lineStart(c *route.Ctx, i int, _ *route.Args) int { setLineState(c, i, 1); return 1 }

func lineEnd(c *route.Ctx, i int, _ *route.Args) int {
	if lineState(c, i) == 0 {
		return -1
	}
	setLineState(c, i, 0)
	return 1
}

func lineNext(c *route.Ctx, i int, _ *route.Args) int {
	n := 0
	switch lineState(c, i) {
	case 0:
		return -1
	case 1:
	default:
		_, to, ok := line(c, i)
		if !ok {
			return -1
		}
		n = to
	}
	setLineState(c, i, n+2)
	if n >= len(c.Msg.Body()) {
		return -1
	}
	return 1
}

func lineRemove(c *route.Ctx, i int, _ *route.Args) int {
	from, to, ok := line(c, i)
	if !ok {
		return -1
	}
	c.Edits.Remove(c.Msg.BodyOff+uint32(from), uint32(to-from), sipparse.HdrOther)
	return 1
}

func lineAppend(c *route.Ctx, i int, a *route.Args) int {
	_, to, ok := line(c, i)
	text, good := a.Str(c, 1)
	if !ok || !good || len(text) == 0 {
		return -1
	}
	c.Edits.InsertAfter(c.Msg.BodyOff+uint32(to), text, sipparse.HdrOther)
	return 1
}

func lineInsert(c *route.Ctx, i int, a *route.Args) int {
	from, _, ok := line(c, i)
	text, good := a.Str(c, 1)
	if !ok || !good || len(text) == 0 {
		return -1
	}
	c.Edits.InsertBefore(c.Msg.BodyOff+uint32(from), text, sipparse.HdrOther)
	return 1
}

func (m *mod) bindLine(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	i, err := m.lines.place(r.Inner)
	if err != nil {
		return nil, nil, err
	}
	return func(c *route.Ctx) route.Value {
		from, to, ok := line(c, i)
		if !ok {
			return route.Null
		}
		return route.Str(c.Msg.Body()[from:to])
	}, nil, nil
}
