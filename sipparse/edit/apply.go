package edit

import "kahea/sipparse"

import "math"

// cursor copies a source text with the edits of a List applied, up to an offset at a time.
type cursor struct {
	dst, src []byte
	l        *List
	next     int    // op
	pos      uint32 // of src: copied or dropped up to here
}

// to goes on to offset off: everything before it, and the insertions before it. Edits at off itself are not yet made.
func (c *cursor) to(off uint32) { c.run(off, false) }

// through goes on to offset off and makes the edits at off as well.
func (c *cursor) through(off uint32) { c.run(off, true) }

func (c *cursor) run(off uint32, incl bool) {
	if c.l != nil {
		for c.next < len(c.l.ops) {
			o := &c.l.ops[c.next]
			if o.off > off || o.off == off && !incl {
				break
			}
			c.copy(o.off)
			if o.kind == opRemove {
				c.skip(o.off + min(o.n, ^uint32(0)-o.off))
			} else {
				c.dst = append(c.dst, c.l.textOf(o)...)
			}
			c.next++
		}
	}
	c.copy(off)
}

func (c *cursor) copy(off uint32) {
	off = min(off, uint32(len(c.src)))
	if off > c.pos {
		c.dst = append(c.dst, c.src[c.pos:off]...)
		c.pos = off
	}
}

// skip drops src up to off.
func (c *cursor) skip(off uint32) { c.pos = max(c.pos, min(off, uint32(len(c.src)))) }

// Apply appends src with the edits applied and nothing else added (msg_apply_changes without URI changes). A body that SetBody set
// is the builders' business: Apply does not know where the body of src begins.
func (l *List) Apply(dst, src []byte) []byte {
	c := cursor{dst: dst, src: src, l: l}
	c.through(math.MaxUint32)
	return c.dst
}

// AppendChanged appends the whole message with the edits applied and Content-Length right, and nothing else added or taken away
// (msg_apply_changes). ruri replaces the request's URI; nil: as it is.
func AppendChanged(dst []byte, m *sipparse.Msg, l *List, ruri []byte) ([]byte, sipparse.Err) {
	c := cursor{dst: dst, src: m.Buf, l: l}
	if ruri != nil && !m.Line.IsReply {
		c.to(m.Line.URI.Off)
		c.dst = append(c.dst, ruri...)
		c.skip(m.Line.URI.End())
	}
	return c.tail(m, l, CLenDatagram, len(dst))
}
