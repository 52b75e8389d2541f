package dlgs

import (
	"bytes"
	"fmt"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/modules/lib/fnmatch"
	"kahea/shm"
)

// fieldAny matches every call.
const fieldAny = -1

func fieldOf(name string) (int, error) {
	switch name {
	case "src":
		return fieldSrc, nil
	case "dst":
		return fieldDst, nil
	case "data":
		return fieldData, nil
	case "any":
		return fieldAny, nil
	}
	return 0, fmt.Errorf("field %q: want src, dst, data or any", name)
}

// operator makes the comparison with a value.
func operator(op string, value []byte) (func(b []byte) bool, error) {
	switch op {
	case "eq":
		return func(b []byte) bool { return bytes.Equal(b, value) }, nil
	case "ne":
		return func(b []byte) bool { return !bytes.Equal(b, value) }, nil
	case "sw":
		return func(b []byte) bool { return bytes.HasPrefix(b, value) }, nil
	case "fm":
		return func(b []byte) bool { return fnmatch.Match(b, value) }, nil
	case "re":
		re, err := syntax.ParsePOSIX(string(value), true, false)
		if err != nil {
			return nil, fmt.Errorf("expression %q: %w", value, err)
		}
		return re.Match, nil
	}
	return nil, fmt.Errorf("operator %q: want eq, ne, re, sw or fm", op)
}

// compileCount makes dlgs_count; 0 would end the script, so none is -1.
func (m *mod) compileCount(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	field, err := fieldOf(string(a.At(0).Text))
	if err != nil {
		return nil, err
	}
	op := string(a.At(1).Text)
	if _, err := operator(op, nil); err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		value, ok := a.Str(c, 2)
		if !ok {
			return -1
		}
		is, err := operator(op, value)
		if err != nil {
			c.Logf(log.Err, "dlgs", "dlgs_count: %v", err)
			return -1
		}
		return orNone(m.count(field, is))
	}, nil
}

func orNone(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// count is how many calls have not ended and match.
func (m *mod) count(field int, is func(b []byte) bool) (n int) {
	m.each(func(o shm.Off, k *call) bool {
		if !k.ended() && m.matches(o, k, field, is) {
			n++
		}
		return true
	})
	return n
}

func (m *mod) matches(o shm.Off, k *call, field int, is func(b []byte) bool) bool {
	return field == fieldAny || is(m.text(o, k, field))
}

// tagsOf are the tags of a call, each with a line feed behind it.
func (m *mod) tagsOf(k *call) []byte {
	if k.tags == 0 {
		return nil
	}
	return m.a.Bytes(k.tags)[:k.tagsLen]
}

// hasTag finds a tag: its place in tagsOf, -1 if the call has it not.
func (m *mod) hasTag(k *call, tag []byte) int {
	at := 0
	for t := range bytes.SplitSeq(m.tagsOf(k), []byte("\n")) {
		if len(t) > 0 && bytes.Equal(t, tag) {
			return at
		}
		at += len(t) + 1
	}
	return -1
}

// withTag evaluates the tag and calls f with the message's call; -1 if there is none.
func (m *mod) withTag(c *route.Ctx, a *route.Args, f func(k *call, tag []byte) bool) int {
	tag, ok := a.Str(c, 0)
	if !ok || len(tag) == 0 || bytes.IndexByte(tag, '\n') >= 0 {
		return -1
	}
	o, bucket, ok := m.lock(&c.Msg)
	if !ok {
		return -1
	}
	defer m.table.Unlock(m.a, bucket)
	if o == 0 || !f(m.call(o), tag) {
		return -1
	}
	return 1
}

func (m *mod) addTag(c *route.Ctx, a *route.Args) int {
	return m.withTag(c, a, func(k *call, tag []byte) bool {
		if m.hasTag(k, tag) >= 0 {
			return true
		}
		old := m.tagsOf(k)
		o, err := m.a.AllocUnreserved(len(old)+len(tag)+1, m.tag)
		if err != nil {
			c.Logf(log.Err, "dlgs", "dlgs_tags_add: %v", err)
			return false
		}
		b := m.a.Bytes(o)
		n := copy(b, old)
		n += copy(b[n:], tag)
		b[n] = '\n'
		before := k.tags
		k.tags, k.tagsLen = o, uint32(n+1)
		if before != 0 {
			m.a.Free(before)
		}
		return true
	})
}

func (m *mod) removeTag(c *route.Ctx, a *route.Args) int {
	return m.withTag(c, a, func(k *call, tag []byte) bool {
		at := m.hasTag(k, tag)
		if at < 0 {
			return false
		}
		b := m.tagsOf(k)
		k.tagsLen = uint32(at + copy(b[at:], b[at+len(tag)+1:]))
		return true
	})
}

func (m *mod) countTag(c *route.Ctx, a *route.Args) int {
	tag, ok := a.Str(c, 0)
	if !ok || len(tag) == 0 {
		return -1
	}
	n := 0
	m.each(func(_ shm.Off, k *call) bool {
		if !k.ended() && m.hasTag(k, tag) >= 0 {
			n++
		}
		return true
	})
	return orNone(n)
}
