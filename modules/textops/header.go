package textops

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/sipparse"
)

// name is a header's name, looked up once; a trailing colon is allowed, as in Kamailio.
type name struct {
	text []byte
	typ  sipparse.HdrType
}

var errNoName = errors.New("no header name given")

func makeName(b []byte) (n name, err error) {
	b = bytes.TrimRight(bytes.TrimSpace(b), ":")
	if len(b) == 0 {
		return n, errNoName
	}
	return name{text: b, typ: sipparse.LookupHdr(b)}, nil
}

func (n *name) first(c *route.Ctx) *sipparse.Hdr {
	if n.typ != sipparse.HdrOther {
		return c.Msg.First(n.typ)
	}
	return c.Msg.Find(n.text)
}

// compileAdd makes append_hf and insert_hf: where says at which offset the text goes without and with a header.
func compileAdd(a *route.Args, at func(c *route.Ctx, h *sipparse.Hdr) uint32) (func(c *route.Ctx) int, error) {
	var anchor *name
	if a.N > 1 {
		n, err := makeName(a.At(1).Text)
		if err != nil {
			return nil, err
		}
		anchor = &n
	}
	return func(c *route.Ctx) int {
		text, ok := a.Str(c, 0)
		if !ok || len(text) == 0 {
			c.Logf(log.Err, "textops", "header text is empty")
			return -1
		}
		var h *sipparse.Hdr
		if anchor != nil {
			h = anchor.first(c)
		}
		c.Edits.InsertAfter(at(c, h), text, sipparse.HdrOther)
		return 1
	}, nil
}

func compileAppend(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	return compileAdd(a, func(c *route.Ctx, h *sipparse.Hdr) uint32 {
		if h == nil {
			return c.Msg.HdrEnd
		}
		for next := c.Msg.FindNext(h); next != nil; next = c.Msg.FindNext(h) {
			h = next
		}
		return h.End
	})
}

func compileInsert(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	return compileAdd(a, func(c *route.Ctx, h *sipparse.Hdr) uint32 {
		if h == nil {
			return c.Msg.Hdrs[0].Off
		}
		return h.Off
	})
}

func appendURIHdr(c *route.Ctx, a *route.Args) int {
	pre, ok1 := a.Str(c, 0)
	post, ok2 := a.Str(c, 1)
	uri := c.RURI()
	if !ok1 || !ok2 || len(uri) == 0 {
		return -1
	}
	c.Edits.InsertAfter(c.Msg.HdrEnd, c.Scratch.Concat(pre, uri, post), sipparse.HdrOther)
	return 1
}

func drop(c *route.Ctx, h *sipparse.Hdr) {
	if !c.Edits.Removed(h.Off) {
		c.Edits.Remove(h.Off, h.End-h.Off, h.Type)
	}
}

func (n *name) remove(c *route.Ctx) int {
	rc := -1
	for h := n.first(c); h != nil; h = c.Msg.FindNext(h) {
		drop(c, h)
		rc = 1
	}
	return rc
}

func compileRemove(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	n, err := makeName(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	return n.remove, nil
}

// dynamic is a name that a variable holds.
func dynamic(c *route.Ctx, a *route.Args) (n name, ok bool) {
	b, ok := a.Str(c, 0)
	if !ok {
		return n, false
	}
	n, err := makeName(b)
	if err != nil {
		c.Logf(log.Err, "textops", "%v", err)
		return n, false
	}
	return n, true
}

func removePV(c *route.Ctx, a *route.Args) int {
	n, ok := dynamic(c, a)
	if !ok {
		return -1
	}
	n.remove(c)
	return 1 // also when there is none, as in Kamailio
}

// compileRemoveIdx: 1 removed, 2 there is no such one; but a negative index of a name that is not there gives 1, as in Kamailio.
func compileRemoveIdx(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	n, err := makeName(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	idx, err := strconv.Atoi(string(a.At(1).Text))
	if err != nil {
		return nil, fmt.Errorf("index %q is no number", a.At(1).Text)
	}
	return func(c *route.Ctx) int {
		i := idx
		if i < 0 && n.first(c) == nil {
			return 1
		}
		if i < 0 {
			for h := n.first(c); h != nil; h = c.Msg.FindNext(h) {
				i++
			}
		}
		if i < 0 {
			return 2
		}
		for h := n.first(c); h != nil; h = c.Msg.FindNext(h) {
			if i == 0 {
				drop(c, h)
				return 1
			}
			i--
		}
		return 2
	}, nil
}

// compileRE compiles as Kamailio's regcomp with EXTENDED, ICASE and NEWLINE.
func compileRE(b []byte) (*syntax.Regexp, error) {
	re, err := syntax.ParsePOSIX(string(b), true, false)
	if err != nil {
		return nil, err
	}
	re.Longest()
	return re, nil
}

func removeMatching(c *route.Ctx, yes, no *syntax.Regexp) int {
	rc := -1
	for i := range c.Msg.Hdrs {
		h := &c.Msg.Hdrs[i]
		b := c.Msg.Bytes(h.Name)
		if yes.Match(b) && (no == nil || !no.Match(b)) {
			drop(c, h)
			rc = 1
		}
	}
	return rc
}

func compileRemoveRE(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	re, err := compileRE(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int { return removeMatching(c, re, nil) }, nil
}

func compileRemoveExp(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	yes, err := compileRE(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	no, err := compileRE(a.At(1).Text)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int { return removeMatching(c, yes, no) }, nil
}

func removeExpPV(c *route.Ctx, a *route.Args) int {
	yes, no := dynamicRE(c, a, 0), dynamicRE(c, a, 1)
	if yes == nil || no == nil {
		return -1
	}
	return removeMatching(c, yes, no)
}

// dynamicRE compiles an expression that a variable holds, for each use.
func dynamicRE(c *route.Ctx, a *route.Args, i int) *syntax.Regexp {
	b, ok := a.Str(c, i)
	if !ok {
		return nil
	}
	re, err := compileRE(b)
	if err != nil {
		c.Logf(log.Err, "textops", "%v", err)
		return nil
	}
	return re
}

func removeREPV(c *route.Ctx, a *route.Args) int {
	re := dynamicRE(c, a, 0)
	if re == nil {
		return -1
	}
	return removeMatching(c, re, nil)
}

func compileRemoveMatch(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	n, err := makeName(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	op := string(a.At(1).Text)
	var is func(b, p []byte) bool
	switch op {
	case "eq":
		is = bytes.Equal
	case "ne":
		is = func(b, p []byte) bool { return !bytes.Equal(b, p) }
	case "in":
		is = bytes.Contains
	case "sw":
		is = bytes.HasPrefix
	case "re":
	default:
		return nil, fmt.Errorf("got operator %q, want one of eq ne in re sw", op)
	}
	return func(c *route.Ctx) int {
		p, ok := a.Str(c, 2)
		if !ok {
			return -1
		}
		match := is
		if match == nil {
			re := dynamicRE(c, a, 2)
			if re == nil {
				return -1
			}
			match = func(b, _ []byte) bool { return re.Match(b) }
		}
		rc := -2 // none
		for h := n.first(c); h != nil; h = c.Msg.FindNext(h) {
			if match(c.Msg.Bytes(h.Body), p) {
				drop(c, h)
				rc = 1
			}
		}
		return rc
	}, nil
}

func compilePresent(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	n, err := makeName(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int { return truth(n.first(c) != nil) }, nil
}

func presentPV(c *route.Ctx, a *route.Args) int {
	n, ok := dynamic(c, a)
	return truth(ok && n.first(c) != nil)
}

func presentMatching(c *route.Ctx, re *syntax.Regexp) int {
	for i := range c.Msg.Hdrs {
		if re.Match(c.Msg.Bytes(c.Msg.Hdrs[i].Name)) {
			return 1
		}
	}
	return -1
}

func compilePresentRE(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	re, err := compileRE(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int { return presentMatching(c, re) }, nil
}

func presentREPV(c *route.Ctx, a *route.Args) int {
	re := dynamicRE(c, a, 0)
	return truth(re != nil && presentMatching(c, re) > 0)
}
