package textopsx

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// place names a value of a header field as the functions on values take it: name[index].parameter. Values of all fields of the name are counted from 1, or from
// the end when the index is negative; * is all of them, no index (or 0) is no value in particular.
type place struct {
	name  []byte
	typ   sipparse.HdrType
	index int
	given bool // an index stands there
	all   bool
	param []byte
}

var errPlace = errors.New("want name[index].parameter")

func parsePlace(text string) (p place, err error) {
	name, rest := text, ""
	if i := strings.IndexAny(text, "[."); i >= 0 {
		name, rest = text[:i], text[i:]
	}
	if in, ok := strings.CutPrefix(rest, "["); ok {
		idx, after, ok := strings.Cut(in, "]")
		if !ok {
			return p, errPlace
		}
		rest, p.given = after, true
		if p.all = idx == "*"; !p.all {
			if p.index, err = strconv.Atoi(strings.TrimSpace(idx)); err != nil {
				return p, fmt.Errorf("index %q is no number", idx)
			}
		}
	}
	if param, ok := strings.CutPrefix(rest, "."); ok {
		if param == "" {
			return p, errPlace
		}
		p.param, rest = []byte(param), ""
	}
	if name = strings.TrimSpace(name); name == "" || rest != "" {
		return p, errPlace
	}
	p.name = []byte(name)
	p.typ = sipparse.LookupHdr(p.name)
	return p, nil
}

func (p *place) first(c *route.Ctx) *sipparse.Hdr {
	if p.typ != sipparse.HdrOther {
		return c.Msg.First(p.typ)
	}
	return c.Msg.Find(p.name)
}

// value is one value in a field: from and to bound what stands between the commas, trimmed is where it ends without the white space behind it.
type value struct {
	hdr               *sipparse.Hdr
	from, to, trimmed uint32
	only, last        bool // of its field
}

// fieldEnd is where the text of a field ends, white space included, without the line end.
func fieldEnd(c *route.Ctx, h *sipparse.Hdr) uint32 {
	end := h.End
	for end > h.Body.End() && (c.Msg.Buf[end-1] == '\r' || c.Msg.Buf[end-1] == '\n') {
		end--
	}
	return end
}

// nextComma is the offset of the next comma outside quotes and < >, or to.
func nextComma(b []byte, from, to uint32) uint32 {
	quoted, angle := false, false
	for i := from; i < to; i++ {
		switch ch := b[i]; {
		case quoted:
			if ch == '\\' {
				i++
			} else if ch == '"' {
				quoted = false
			}
		case ch == '"':
			quoted = true
		case ch == '<':
			angle = true
		case ch == '>':
			angle = false
		case ch == ',' && !angle:
			return i
		}
	}
	return to
}

// each walks the values of all fields of the name until f says false.
func (p *place) each(c *route.Ctx, f func(v *value) bool) {
	b := c.Msg.Buf
	for h := p.first(c); h != nil; h = c.Msg.FindNext(h) {
		end := fieldEnd(c, h)
		for from := h.Body.Off; ; {
			v := value{hdr: h, from: from, to: nextComma(b, from, end)}
			v.last = v.to == end
			v.only = v.last && from == h.Body.Off
			v.trimmed = from + uint32(len(bytes.TrimRight(b[from:v.to], " \t\r\n")))
			if !f(&v) {
				return
			}
			if v.last {
				break
			}
			from = v.to + 1
		}
	}
}

// find is the value that the index names; no index is the first one.
func (p *place) find(c *route.Ctx) (v value, ok bool) {
	n := p.index
	if n < 0 {
		count := 0
		p.each(c, func(*value) bool { count++; return true })
		if n += count + 1; n < 1 {
			return v, false
		}
	}
	n = max(n, 1)
	p.each(c, func(w *value) bool {
		if n--; n == 0 {
			v, ok = *w, true
		}
		return !ok
	})
	return v, ok
}

func (p *place) line(c *route.Ctx, text []byte) []byte {
	return c.Scratch.Concat(p.name, []byte(": "), text, []byte("\r\n"))
}

// bindPlace makes a function of what the place is.
func bindPlace(f func(c *route.Ctx, p *place, text []byte) int) func(route.Env, *route.Args) (func(c *route.Ctx) int, error) {
	return func(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
		p, err := parsePlace(string(a.At(0).Text))
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx) int {
			var text []byte
			if a.N > 1 {
				var ok bool
				if text, ok = a.Str(c, 1); !ok {
					return -1
				}
			}
			return f(c, &p, text)
		}, nil
	}
}

// appendValue puts a value behind another one, or a new field at the end.
func appendValue(c *route.Ctx, p *place, text []byte) int {
	if p.given {
		at := *p
		if at.index == 0 {
			at.index = -1
		}
		if v, ok := at.find(c); ok {
			c.Edits.InsertAfter(v.to, c.Scratch.Concat([]byte(","), text), p.typ)
			return 1
		}
	}
	c.Edits.InsertAfter(c.Msg.HdrEnd, p.line(c, text), p.typ)
	return 1
}

// insertValue puts a value before another one, or a new field before the first one of the name.
func insertValue(c *route.Ctx, p *place, text []byte) int {
	h := p.first(c)
	switch {
	case p.given && h != nil || p.index < 0:
		v, ok := p.find(c)
		if !ok {
			return -1
		}
		c.Edits.InsertBefore(v.from, c.Scratch.Concat(text, []byte(",")), p.typ)
	case p.index > 1:
		return -1
	case h == nil:
		c.Edits.InsertAfter(c.Msg.HdrEnd, p.line(c, text), p.typ)
	default:
		c.Edits.InsertBefore(h.Off, p.line(c, text), p.typ)
	}
	return 1
}

// cut removes a value with one of the commas beside it, or the field that holds no other.
func (v *value) cut(c *route.Ctx) {
	switch {
	case v.only:
		drop(c, v.hdr)
	case v.last:
		c.Edits.Remove(v.from-1, v.to-v.from+1, v.hdr.Type)
	default:
		c.Edits.Remove(v.from, v.to-v.from+1, v.hdr.Type)
	}
}

// param finds the parameter of a value: from its ';' on. ok is false if it has none of that name.
func (v *value) param(c *route.Ctx, name []byte) (from, to uint32, ok bool) {
	b := c.Msg.Buf
	quoted, angle := false, false
	from = v.trimmed
	for i := v.from; i <= v.trimmed; i++ {
		var ch byte = ';'
		if i < v.trimmed {
			ch = b[i]
		}
		switch {
		case quoted && i < v.trimmed:
			if ch == '\\' {
				i++
			} else if ch == '"' {
				quoted = false
			}
		case ch == '"':
			quoted = true
		case ch == '<':
			angle = true
		case ch == '>':
			angle = false
		case ch == ';' && !angle:
			if from < i {
				key, _, _ := bytes.Cut(b[from+1:i], []byte("="))
				if bytes.EqualFold(bytes.TrimSpace(key), name) {
					return from, i, true
				}
			}
			from = i
		}
	}
	return 0, 0, false
}

func removeValue(c *route.Ctx, p *place, _ []byte) int {
	if p.all {
		rc := -1
		for h := p.first(c); h != nil; h = c.Msg.FindNext(h) {
			drop(c, h)
			rc = 1
		}
		return rc
	}
	v, ok := p.find(c)
	if !ok {
		return -1
	}
	if p.param == nil {
		v.cut(c)
		return 1
	}
	from, to, ok := v.param(c, p.param)
	if !ok {
		return -1
	}
	c.Edits.Remove(from, to-from, p.typ)
	return 1
}

func assignValue(c *route.Ctx, p *place, text []byte) int {
	v, ok := p.find(c)
	switch {
	case !ok:
		return -1
	case p.param == nil:
		from := v.from
		for from < v.trimmed && (c.Msg.Buf[from] == ' ' || c.Msg.Buf[from] == '\t') {
			from++
		}
		c.Edits.Replace(from, v.trimmed-from, text, p.typ)
		return 1
	}
	set := c.Scratch.Concat([]byte(";"), p.param, []byte("="), text)
	if from, to, ok := v.param(c, p.param); ok {
		c.Edits.Replace(from, to-from, set, p.typ)
	} else {
		c.Edits.InsertAfter(v.trimmed, set, p.typ)
	}
	return 1
}

// The functions with a 2 are for fields whose values hold commas (Authorization): the field is one value, its parameters stand between commas.

// param2 finds such a parameter: from and to bound it, without the commas.
func (p *place) param2(c *route.Ctx, h *sipparse.Hdr) (from, to uint32, ok bool) {
	b, end := c.Msg.Buf, fieldEnd(c, h)
	from = h.Body.Off
	if i := bytes.IndexAny(b[from:end], " \t"); i >= 0 {
		from += uint32(i) // the scheme
	}
	for {
		for from < end && (b[from] == ' ' || b[from] == '\t') {
			from++
		}
		to = nextComma(b, from, end)
		key, _, _ := bytes.Cut(b[from:to], []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(key), p.param) {
			return from, to, true
		}
		if to == end {
			return 0, 0, false
		}
		from = to + 1
	}
}

func removeValue2(c *route.Ctx, p *place, _ []byte) int {
	h := p.first(c)
	switch {
	case h == nil:
		return -1
	case p.param == nil:
		drop(c, h)
		return 1
	}
	from, to, ok := p.param2(c, h)
	if !ok {
		return -1
	}
	if end := fieldEnd(c, h); to < end {
		for to++; to < end && c.Msg.Buf[to] == ' '; {
			to++
		}
	} else {
		for from > h.Body.Off && (c.Msg.Buf[from-1] == ' ' || c.Msg.Buf[from-1] == ',') {
			from--
		}
	}
	c.Edits.Remove(from, to-from, p.typ)
	return 1
}

func assignValue2(c *route.Ctx, p *place, text []byte) int {
	h := p.first(c)
	switch {
	case h == nil:
		return -1
	case p.param == nil:
		c.Edits.Replace(h.Body.Off, h.Body.Len, text, p.typ)
		return 1
	}
	if from, to, ok := p.param2(c, h); ok {
		c.Edits.Replace(from, to-from, c.Scratch.Concat(p.param, []byte("="), text), p.typ)
	} else {
		c.Edits.InsertAfter(h.Body.End(), c.Scratch.Concat([]byte(","), p.param, []byte("="), text), p.typ)
	}
	return 1
}

// has finds the first value that is the text, in any case.
func (p *place) has(c *route.Ctx, text []byte) (found bool) {
	p.each(c, func(v *value) bool {
		found = bytes.EqualFold(bytes.TrimLeft(c.Msg.Buf[v.from:v.trimmed], " \t\r\n"), text)
		return !found
	})
	return found
}

func valueExists(c *route.Ctx, p *place, text []byte) int {
	if p.has(c, text) {
		return 1
	}
	return -1
}

// includeValue puts the value at the end of the first field, if none has it.
func includeValue(c *route.Ctx, p *place, text []byte) int {
	if p.has(c, text) {
		return 1
	}
	h := p.first(c)
	if h == nil {
		c.Edits.InsertAfter(c.Msg.HdrEnd, p.line(c, text), p.typ)
		return 1
	}
	c.Edits.InsertAfter(fieldEnd(c, h), c.Scratch.Concat([]byte(","), text), p.typ)
	return 1
}

func excludeValue(c *route.Ctx, p *place, text []byte) int {
	p.each(c, func(v *value) bool {
		if bytes.EqualFold(bytes.TrimLeft(c.Msg.Buf[v.from:v.trimmed], " \t\r\n"), text) {
			v.cut(c)
		}
		return true
	})
	return 1
}
