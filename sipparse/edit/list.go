package edit

import (
	"encoding/binary"
	"errors"

	"kahea/sipparse"
)

// Anchor says which header a piece of text belongs to, so that later edits and tm can find and drop it (Kamailio's lump type).
type Anchor = sipparse.HdrType

// maxKept bounds the arena that a List keeps between messages, in bytes.
const maxKept = 1 << 16

type opKind uint8

const (
	opInsert opKind = iota
	opRemove
)

// op is one edit; text is arena[text:text+len].
type op struct {
	off  uint32
	n    uint32 // bytes removed
	text uint32
	len  uint32
	kind opKind
	typ  Anchor
}

// List is the pending changes (Kamailio's lumps) of one message: removals of ranges and insertions at offsets, applied
// together by the builders. The message itself is never changed. A List is reused; texts are copied into its own arena.
// The zero List is empty and ready.
type List struct {
	ops       []op // sorted by offset; of one offset in the order in which they were added
	arena     []byte
	reply     []byte // reply lumps
	replyBody []byte
	typeAt    uint32 // the Content-Type line of SetReplyBody in reply
	typeLen   uint32
	body      []byte
	hasReply  bool
	hasBody   bool
}

// Reset forgets everything.
func (l *List) Reset() {
	l.ops = l.ops[:0]
	keep := func(b []byte) []byte {
		if cap(b) > maxKept {
			return nil
		}
		return b[:0]
	}
	l.arena, l.reply, l.body = keep(l.arena), keep(l.reply), keep(l.body)
	l.replyBody = keep(l.replyBody)
	l.typeAt, l.typeLen = 0, 0
	l.hasReply, l.hasBody = false, false
}

// Empty says whether nothing is pending.
func (l *List) Empty() bool {
	return len(l.ops) == 0 && !l.hasBody && !l.hasReply && len(l.reply) == 0
}

// put inserts o behind all ops that stand before it or at its offset.
func (l *List) put(o op) {
	i := len(l.ops)
	for i > 0 && l.ops[i-1].off > o.off {
		i--
	}
	l.ops = append(l.ops, op{})
	copy(l.ops[i+1:], l.ops[i:])
	l.ops[i] = o
}

func (l *List) store(text []byte) (off, n uint32) {
	off = uint32(len(l.arena))
	l.arena = append(l.arena, text...)
	return off, uint32(len(text))
}

func (l *List) textOf(o *op) []byte { return l.arena[o.text : o.text+o.len : o.text+o.len] }

// Remove drops buf[off:off+n]. Overlapping removals merge.
func (l *List) Remove(off, n uint32, t Anchor) {
	if n > 0 {
		l.put(op{off: off, n: n, kind: opRemove, typ: t})
	}
}

// InsertBefore puts text at off, as insert_hf does. Edits at one offset come out in the order in which they were made, whichever
// of the two inserted them: that is what Kamailio's anchors do, one anchor being made for each call.
func (l *List) InsertBefore(off uint32, text []byte, t Anchor) {
	at, n := l.store(text)
	l.put(op{off: off, text: at, len: n, kind: opInsert, typ: t})
}

// InsertAfter puts text at off, as append_hf does (off is then the end of a field, or Msg.HdrEnd); see InsertBefore for the order.
func (l *List) InsertAfter(off uint32, text []byte, t Anchor) { l.InsertBefore(off, text, t) }

// Replace is Remove and InsertAfter of the same range.
func (l *List) Replace(off, n uint32, text []byte, t Anchor) {
	l.Remove(off, n, t)
	l.InsertAfter(off, text, t)
}

// Removed says whether the byte at off is dropped by a removal.
func (l *List) Removed(off uint32) bool {
	for i := range l.ops {
		o := &l.ops[i]
		if o.off > off {
			return false
		}
		if o.kind == opRemove && off-o.off < o.n {
			return true
		}
	}
	return false
}

// DropInserts forgets insertions with anchor t (remove_record_route) and returns how many.
func (l *List) DropInserts(t Anchor) int {
	kept := l.ops[:0]
	for _, o := range l.ops {
		if o.kind == opRemove || o.typ != t {
			kept = append(kept, o)
		}
	}
	n := len(l.ops) - len(kept)
	l.ops = kept
	return n
}

// HasInsert says whether an insertion with anchor t is pending.
func (l *List) HasInsert(t Anchor) bool {
	for i := range l.ops {
		if l.ops[i].kind != opRemove && l.ops[i].typ == t {
			return true
		}
	}
	return false
}

// EachInsert walks insertions with anchor t in output order; f may replace the text by returning a new one. The text is valid
// until f returns; nil keeps it.
func (l *List) EachInsert(t Anchor, f func(text []byte) (replace []byte)) {
	for i := range l.ops {
		o := &l.ops[i]
		if o.kind == opRemove || o.typ != t {
			continue
		}
		if r := f(l.textOf(o)); r != nil {
			o.text, o.len = l.store(r)
		}
	}
}

// AddReplyHeader adds text (whole lines) to locally generated replies (append_to_reply).
func (l *List) AddReplyHeader(text []byte) { l.reply = append(l.reply, text...) }

// SetReplyBody sets the body of locally generated replies (set_reply_body). ctype, if not empty, becomes a Content-Type line among
// the lines of AddReplyHeader, in the order of the calls; a second call takes the line of the first back.
func (l *List) SetReplyBody(body, ctype []byte) {
	if n := int(l.typeLen); n > 0 {
		l.reply = append(l.reply[:l.typeAt], l.reply[int(l.typeAt)+n:]...)
	}
	l.typeAt = uint32(len(l.reply))
	if len(ctype) > 0 {
		l.reply = append(l.reply, "Content-Type: "...)
		l.reply = append(l.reply, ctype...)
		l.reply = append(l.reply, '\r', '\n')
	}
	l.typeLen = uint32(len(l.reply)) - l.typeAt
	l.replyBody = append(l.replyBody[:0], body...)
	l.hasReply = true
}

// ReplyHeaders are the lines of AddReplyHeader and the Content-Type of SetReplyBody, nil if there are none.
func (l *List) ReplyHeaders() []byte {
	if len(l.reply) == 0 {
		return nil
	}
	return l.reply
}

// ReplyBody is what SetReplyBody set, nil if nothing. The Content-Type line is in ReplyHeaders already.
func (l *List) ReplyBody() (body, ctype []byte) {
	if !l.hasReply {
		return nil, nil
	}
	if n := l.typeLen; n > 0 {
		const around = uint32(len("Content-Type: "))
		ctype = l.reply[l.typeAt+around : l.typeAt+n-2]
	}
	return l.replyBody, ctype
}

// SetBody replaces the whole body of the forwarded message (set_body); Content-Length is corrected, Content-Type is the caller's edit.
func (l *List) SetBody(body []byte) {
	l.body = append(l.body[:0], body...)
	l.hasBody = true
}

// Body is what SetBody set.
func (l *List) Body() (body []byte, ok bool) { return l.body, l.hasBody }

// CopyFrom makes l equal to o.
func (l *List) CopyFrom(o *List) {
	l.ops = append(l.ops[:0], o.ops...)
	l.arena = append(l.arena[:0], o.arena...)
	l.reply = append(l.reply[:0], o.reply...)
	l.replyBody = append(l.replyBody[:0], o.replyBody...)
	l.typeAt, l.typeLen = o.typeAt, o.typeLen
	l.body = append(l.body[:0], o.body...)
	l.hasReply, l.hasBody = o.hasReply, o.hasBody
}

// The stored form: format byte, flags, then uvarints: number of ops, each op, place of the reply's Content-Type, and four length-prefixed texts. Ops are stored with
// their absolute offsets, so that Load needs nothing but bounds checks.
const storedFormat = 1

var errStored = errors.New("edit: stored list is damaged")

// AppendBinary and Load carry a list to shared memory and back (tm keeps the request's edits for later branches).
func (l *List) AppendBinary(dst []byte) []byte {
	flags := byte(0)
	if l.hasReply {
		flags |= 1
	}
	if l.hasBody {
		flags |= 2
	}
	dst = append(dst, storedFormat, flags)
	dst = binary.AppendUvarint(dst, uint64(len(l.ops)))
	for i := range l.ops {
		o := &l.ops[i]
		dst = append(dst, byte(o.kind), byte(o.typ))
		dst = binary.AppendUvarint(dst, uint64(o.off))
		dst = binary.AppendUvarint(dst, uint64(o.n))
		dst = binary.AppendUvarint(dst, uint64(o.text))
		dst = binary.AppendUvarint(dst, uint64(o.len))
	}
	dst = binary.AppendUvarint(dst, uint64(l.typeAt))
	dst = binary.AppendUvarint(dst, uint64(l.typeLen))
	for _, b := range [...][]byte{l.arena, l.reply, l.replyBody, l.body} {
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		dst = append(dst, b...)
	}
	return dst
}

// Load makes l what AppendBinary stored; b may be longer. At an error l is empty.
func (l *List) Load(b []byte) error {
	l.Reset()
	if err := l.load(b); err != nil {
		l.Reset()
		return err
	}
	return nil
}

func (l *List) load(b []byte) error {
	if len(b) < 2 || b[0] != storedFormat || b[1] > 3 {
		return errStored
	}
	l.hasReply, l.hasBody = b[1]&1 != 0, b[1]&2 != 0
	b = b[2:]
	next := func() (uint32, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<31 {
			return 0, false
		}
		b = b[n:]
		return uint32(v), true
	}
	count, ok := next()
	if !ok || uint64(count)*6 > uint64(len(b)) {
		return errStored
	}
	for range count {
		if len(b) < 2 || b[0] > byte(opRemove) || b[1] >= byte(sipparse.NumHdr) {
			return errStored
		}
		o := op{kind: opKind(b[0]), typ: Anchor(b[1])}
		b = b[2:]
		var ok [4]bool
		o.off, ok[0] = next()
		o.n, ok[1] = next()
		o.text, ok[2] = next()
		o.len, ok[3] = next()
		if ok != [4]bool{true, true, true, true} {
			return errStored
		}
		if k := len(l.ops); k > 0 && o.off < l.ops[k-1].off {
			return errStored
		}
		l.ops = append(l.ops, o)
	}
	var ok2 bool
	l.typeAt, ok = next()
	l.typeLen, ok2 = next()
	if !ok || !ok2 {
		return errStored
	}
	for _, dst := range [...]*[]byte{&l.arena, &l.reply, &l.replyBody, &l.body} {
		n, ok := next()
		if !ok || uint64(n) > uint64(len(b)) {
			return errStored
		}
		*dst = append((*dst)[:0], b[:n]...)
		b = b[n:]
	}
	const around = len("Content-Type: \r\n")
	if uint64(l.typeAt)+uint64(l.typeLen) > uint64(len(l.reply)) || l.typeLen > 0 && int(l.typeLen) < around {
		return errStored
	}
	for i := range l.ops {
		if uint64(l.ops[i].text)+uint64(l.ops[i].len) > uint64(len(l.arena)) {
			return errStored
		}
	}
	return nil
}
