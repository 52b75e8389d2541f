package textops

import (
	"bytes"
	"errors"

	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/sipparse"
)

// region is the part of the message that a function works on, as offsets.
type region func(c *route.Ctx) (from, to uint32)

func wholeMsg(c *route.Ctx) (from, to uint32)    { return 0, uint32(len(c.Msg.Buf)) }
func fromHeaders(c *route.Ctx) (from, to uint32) { return c.Msg.Line.End, uint32(len(c.Msg.Buf)) }
func headersOf(c *route.Ctx) (from, to uint32)   { return c.Msg.Line.End, c.Msg.HdrEnd }
func bodyOf(c *route.Ctx) (from, to uint32) {
	return uint32(len(c.Msg.Buf) - len(c.Msg.Body())), uint32(len(c.Msg.Buf))
}

type compiled = func(e route.Env, a *route.Args) (func(c *route.Ctx) int, error)

func searchIn(where region) compiled {
	return func(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
		re, err := compileRE(a.At(0).Text)
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx) int {
			from, to := where(c)
			return truth(from < to && re.Match(c.Msg.Buf[from:to]))
		}, nil
	}
}

var errWhich = errors.New("want f, l or a: the first, the last or all headers")

// which walks the first, the last or all headers of a name.
func which(c *route.Ctx, n *name, flag byte, f func(h *sipparse.Hdr) bool) bool {
	h := n.first(c)
	switch flag {
	case 'f':
		return h != nil && f(h)
	case 'l':
		for h != nil {
			next := c.Msg.FindNext(h)
			if next == nil {
				return f(h)
			}
			h = next
		}
		return false
	}
	done := false
	for ; h != nil; h = c.Msg.FindNext(h) {
		done = f(h) || done
	}
	return done
}

func flag(a *route.Args, i int) (byte, error) {
	b := a.At(i).Text
	if len(b) == 0 {
		return 0, errWhich
	}
	switch b[0] | 0x20 {
	case 'f', 'l', 'a':
		return b[0] | 0x20, nil
	}
	return 0, errWhich
}

func compileSearchHdr(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	n, err := makeName(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	re, err := compileRE(a.At(1).Text)
	if err != nil {
		return nil, err
	}
	fl, err := flag(a, 2)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		return truth(which(c, &n, fl, func(h *sipparse.Hdr) bool { return re.Match(c.Msg.Bytes(h.Body)) }))
	}, nil
}

func searchText(c *route.Ctx, a *route.Args) int {
	b, ok := a.Str(c, 0)
	re := dynamicRE(c, a, 1)
	return truth(ok && re != nil && re.Match(b))
}

func appendAfter(where region) compiled {
	return func(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
		re, err := compileRE(a.At(0).Text)
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx) int {
			text, ok := a.Str(c, 1)
			from, to := where(c)
			m := re.Machine().FindIndex(c.Msg.Buf[from:to])
			if !ok || m == nil {
				return -1
			}
			c.Edits.InsertAfter(from+uint32(m[1]), text, sipparse.HdrOther)
			return 1
		}, nil
	}
}

func replaceIn(where region, all bool) compiled {
	return func(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
		re, err := compileRE(a.At(0).Text)
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx) int { return replace(c, a, re, where, all) }, nil
	}
}

// replaceAtOnce lets "." and [^x] match line ends.
func replaceAtOnce(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	re, err := syntax.ParsePOSIX(string(a.At(0).Text), true, true)
	if err != nil {
		return nil, err
	}
	re.Longest()
	return func(c *route.Ctx) int { return replace(c, a, re, bodyOf, true) }, nil
}

func replace(c *route.Ctx, a *route.Args, re *syntax.Regexp, where region, all bool) int {
	text, ok := a.Str(c, 1)
	if !ok {
		return -1
	}
	from, to := where(c)
	ms, empty := matches(re, c.Msg.Buf[from:to], all)
	if empty && !all { // then the text is put in
		ms = append(ms, re.Machine().FindIndex(c.Msg.Buf[from:to]))
	}
	rc := -1
	for _, m := range ms {
		c.Edits.Replace(from+uint32(m[0]), uint32(m[1]-m[0]), text, sipparse.HdrOther)
		rc = 1
	}
	return rc
}

func replaceText(where region) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		old, ok1 := a.Str(c, 0)
		text, ok2 := a.Str(c, 1)
		mode, ok3 := a.Str(c, 2)
		if !ok1 || !ok2 || !ok3 || len(old) == 0 {
			return -1
		}
		from, to := where(c)
		if from >= to {
			return -1
		}
		for {
			i := bytes.Index(c.Msg.Buf[from:to], old)
			if i < 0 {
				return 1 // also when there is none, as in Kamailio
			}
			from += uint32(i)
			c.Edits.Replace(from, uint32(len(old)), text, sipparse.HdrOther)
			if len(mode) == 0 || mode[0]|0x20 != 'a' {
				return 1
			}
			from += uint32(len(old))
		}
	}
}
