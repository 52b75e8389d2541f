// Package maxfwd checks and counts down Max-Forwards.
package maxfwd

import (
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/sipparse"
)

func init() {
	modules.Register("maxfwd", func() modules.Module { return &mod{maxLimit: 70} })
}

type mod struct {
	maxLimit int
}

func (m *mod) Exports() modules.Exports {
	return modules.Exports{
		Params: []modules.Param{
			{Name: "max_limit", Runtime: "max_limit", Int: &m.maxLimit, Min: 0, Max: 255, Doc: "highest value that is passed on; 70"},
		},
		Funcs: []route.Func{
			{Name: "maxfwd_process", Aliases: []string{"mf_process_maxfwd_header", "process_maxfwd"}, Args: "i", From: route.InRequest, Run: m.process,
				Doc: "count Max-Forwards down; add it with the given value if it is missing (2); -1 when it was 0, -2 when it is no number"},
			{Name: "is_maxfwd_lt", Aliases: []string{"maxfwd_at_least", "mf_lowlimit"}, Args: "i", From: route.InRequest | route.InFailure | route.InBranch, Run: m.less,
				Doc: "Max-Forwards is lower than the value; -1 it is not, -2 there is none, -3 it is no number"},
		},
	}
}

// Results of value.
const (
	good = iota
	absent
	bad
)

// value reads Max-Forwards.
func value(c *route.Ctx) (h *sipparse.Hdr, n int64, is int) {
	if h = c.Msg.First(sipparse.HdrMaxForwards); h == nil {
		return nil, 0, absent
	}
	b := c.Msg.Bytes(h.Body)
	if len(b) > 9 { // an empty one is 0, as in Kamailio
		return h, 0, bad
	}
	for _, d := range b {
		if d -= '0'; d > 9 {
			return h, 0, bad
		}
		n = n*10 + int64(d)
	}
	return h, n, good
}

func limit(c *route.Ctx, a *route.Args) (int64, bool) {
	n, ok := a.Int(c, 0)
	if !ok || n < 0 || n > 255 {
		c.Logf(log.Err, "maxfwd", "got limit %d, want 0 to 255", n)
		return 0, false
	}
	return n, true
}

func (m *mod) process(c *route.Ctx, a *route.Args) int {
	first, ok := limit(c, a)
	if !ok {
		return -1
	}
	h, n, is := value(c)
	switch is {
	case absent:
		text := c.Scratch.Tail(32)
		text = append(text, "Max-Forwards: "...)
		text = strconv.AppendInt(text, first, 10)
		text = append(text, "\r\n"...)
		c.Edits.InsertBefore(c.Msg.Hdrs[0].Off, text, sipparse.HdrMaxForwards)
		return 2
	case bad:
		c.Logf(log.Err, "maxfwd", "Max-Forwards %q is no number", c.Msg.Bytes(h.Body))
		return -2
	}
	if n == 0 {
		return -1
	}
	count(c, h, min(n, int64(m.maxLimit)+1)-1)
	return 1
}

// count writes n, which has no more digits than what stands there, into the message in place and right-aligned, as Kamailio does: the
// change is seen by everything behind it (variables, stored transactions), not only by what is sent.
func count(c *route.Ctx, h *sipparse.Hdr, n int64) {
	b := c.Msg.Bytes(h.Body)
	var digits [20]byte
	d := strconv.AppendInt(digits[:0], n, 10)
	blanks := len(b) - len(d)
	for i := range blanks {
		b[i] = ' '
	}
	copy(b[blanks:], d)
	h.Body.Off += uint32(blanks)
	h.Body.Len -= uint32(blanks)
}

func (m *mod) less(c *route.Ctx, a *route.Args) int {
	max, ok := limit(c, a)
	if !ok {
		return -1
	}
	_, n, is := value(c)
	switch {
	case is == absent:
		return -2
	case is == bad:
		return -3
	case n < max:
		return 1
	}
	return -1
}
