package route

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// XKind is one of the lists of structured attributes.
type XKind uint8

const (
	XAVP XKind = iota
	XAVU       // one value a name
	XAVI       // names in any case
)

// xavp is a root or a field of one. All lie in one slice, the newest last.
type xavp struct {
	kind   XKind
	id     uint32 // of a root; 0: a field
	parent uint32 // of a field: the id of its root
	name   []byte
	val    Value // Null: a root that has fields instead
}

// XIndex is the index of a root or a field: None, All or a number, negative ones count from the oldest.
type XIndex struct {
	None, All bool
	N         int
}

// XRef names a value: a root, or with Field a field of one.
type XRef struct {
	Kind        XKind
	Root, Field []byte // Field nil: the root itself
	RootAt      XIndex
	FieldAt     XIndex
}

var (
	errNoRoot  = errors.New("there is no such root")
	errNoField = errors.New("there is no such field")
)

func (x *xavp) is(kind XKind, parent uint32, name []byte) bool {
	if x.kind != kind || x.parent != parent {
		return false
	}
	return kind == XAVI && bytes.EqualFold(x.name, name) || bytes.Equal(x.name, name)
}

// find is the place of value n (0 the newest) of a name, -1 if there is none.
func (l *AVPs) find(kind XKind, parent uint32, name []byte, at XIndex) int {
	n := at.N
	if at.None || at.All {
		n = 0
	}
	if n < 0 {
		if n += l.xcount(kind, parent, name); n < 0 {
			return -1
		}
	}
	for i := len(l.x) - 1; i >= 0; i-- {
		if l.x[i].is(kind, parent, name) {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

func (l *AVPs) xcount(kind XKind, parent uint32, name []byte) (n int) {
	for i := range l.x {
		if l.x[i].is(kind, parent, name) {
			n++
		}
	}
	return n
}

// XCount is the number of values that r's name has; a field without the root's index is counted in all roots of the name.
func (l *AVPs) XCount(r *XRef) int {
	if r.Field == nil {
		return l.xcount(r.Kind, 0, r.Root)
	}
	if !r.RootAt.None {
		i := l.find(r.Kind, 0, r.Root, r.RootAt)
		if i < 0 {
			return 0
		}
		return l.xcount(r.Kind, l.x[i].id, r.Field)
	}
	n := 0
	for i := range l.x {
		if l.x[i].is(r.Kind, 0, r.Root) {
			n += l.xcount(r.Kind, l.x[i].id, r.Field)
		}
	}
	return n
}

var structText = []byte("<<xavp>>")

// XGet reads a value; all values of a field are joined with ", ".
func (l *AVPs) XGet(c *Ctx, r *XRef) Value {
	i := l.find(r.Kind, 0, r.Root, r.RootAt)
	if i < 0 {
		return Null
	}
	if r.Field == nil {
		if l.x[i].val.IsNull() {
			return Str(structText)
		}
		return l.x[i].val
	}
	id := l.x[i].id
	if !r.FieldAt.All {
		if i = l.find(r.Kind, id, r.Field, r.FieldAt); i < 0 {
			return Null
		}
		return l.x[i].val
	}
	var out []byte
	found := false
	for i := len(l.x) - 1; i >= 0; i-- {
		switch {
		case !l.x[i].is(r.Kind, id, r.Field):
		case !found:
			out, found = l.x[i].val.Text(c), true
		default:
			out = c.Scratch.Concat(out, joint, l.x[i].val.Text(c))
		}
	}
	if !found {
		return Null
	}
	return Str(out)
}

var joint = []byte(", ")

// XSet assigns: Null removes. Without an index of the root a new root is made in front (XAVU: the value is replaced); a field with the root's
// index but none of its own is put in front of the fields.
func (l *AVPs) XSet(c *Ctx, r *XRef, v Value) error {
	v, err := keep(c, v)
	if err != nil {
		return err
	}
	if r.Field == nil {
		return l.setRoot(c, r, v)
	}
	i := l.find(r.Kind, 0, r.Root, r.RootAt)
	switch {
	case v.IsNull():
		if i >= 0 {
			l.xremove(r.Kind, l.x[i].id, r.Field, r.FieldAt)
		}
		return nil
	case r.Kind != XAVU && r.RootAt.None || r.Kind == XAVU && i < 0:
		id, err := l.add(c, r.Kind, 0, r.Root, Null)
		if err == nil {
			_, err = l.add(c, r.Kind, id, r.Field, v)
		}
		return err
	case i < 0 || !l.x[i].val.IsNull():
		return errNoRoot
	}
	id := l.x[i].id
	at := l.find(r.Kind, id, r.Field, r.FieldAt)
	switch {
	case r.FieldAt.All:
		l.xremove(r.Kind, id, r.Field, r.FieldAt)
	case r.Kind == XAVU && at >= 0 || r.Kind != XAVU && !r.FieldAt.None:
		if at < 0 {
			return errNoField
		}
		l.x[at].val, l.Modified = v, true
		return nil
	}
	_, err = l.add(c, r.Kind, id, r.Field, v)
	return err
}

func (l *AVPs) setRoot(c *Ctx, r *XRef, v Value) error {
	if v.IsNull() {
		l.xremove(r.Kind, 0, r.Root, r.RootAt)
		return nil
	}
	if r.Kind == XAVU || r.RootAt.All {
		l.xremove(r.Kind, 0, r.Root, XIndex{All: true})
	} else if !r.RootAt.None {
		i := l.find(r.Kind, 0, r.Root, r.RootAt)
		if i < 0 {
			return errNoRoot
		}
		id := l.x[i].id
		l.x[i].val, l.Modified = v, true
		l.dropFields(id)
		return nil
	}
	_, err := l.add(c, r.Kind, 0, r.Root, v)
	return err
}

// XChild sets a field of the newest root, which is made if there is none: the field's newest value is replaced.
func (l *AVPs) XChild(c *Ctx, kind XKind, root, field []byte, v Value) error {
	r := XRef{Kind: kind, Root: root, Field: field, FieldAt: XIndex{None: true}}
	if l.find(kind, 0, root, r.RootAt) < 0 {
		r.RootAt.None = true
	} else if l.XCount(&r) > 0 {
		r.FieldAt.None = false
	}
	return l.XSet(c, &r, v)
}

// keep copies a text into the scratch memory of c.
func keep(c *Ctx, v Value) (Value, error) {
	switch {
	case v.IsNull():
		return Null, nil
	case v.IsInt():
		return Int(v.Int), nil
	}
	s := c.Scratch.Copy(v.Text(c))
	if s == nil && len(v.Str) > 0 {
		return Null, ErrNoMemory
	}
	return Str(s), nil
}

func (l *AVPs) add(c *Ctx, kind XKind, parent uint32, name []byte, v Value) (id uint32, err error) {
	x := xavp{kind: kind, parent: parent, val: v}
	if x.name = c.Scratch.Copy(name); x.name == nil {
		return 0, ErrNoMemory
	}
	if parent == 0 {
		l.nextX++
		x.id = l.nextX
	}
	l.x = append(l.x, x)
	l.Modified = true
	return x.id, nil
}

func (l *AVPs) xremove(kind XKind, parent uint32, name []byte, at XIndex) {
	for {
		i := l.find(kind, parent, name, at)
		if i < 0 {
			return
		}
		id := l.x[i].id
		l.x = append(l.x[:i], l.x[i+1:]...)
		l.Modified = true
		if id != 0 {
			l.dropFields(id)
		}
		if !at.All {
			return
		}
	}
}

func (l *AVPs) dropFields(id uint32) {
	n := 0
	for i := range l.x {
		if l.x[i].parent != id {
			l.x[n] = l.x[i]
			n++
		}
	}
	l.x = l.x[:n]
}

// appendX and loadX carry the structured attributes behind the plain ones.
func (l *AVPs) appendX(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(l.x)))
	for i := range l.x {
		x := &l.x[i]
		kind := byte(x.kind) << 2
		switch {
		case x.val.IsNull():
		case x.val.IsInt():
			kind |= 2
		default:
			kind |= 1
		}
		dst = append(dst, kind)
		dst = binary.LittleEndian.AppendUint32(dst, x.id)
		dst = binary.LittleEndian.AppendUint32(dst, x.parent)
		dst = appendBytes(dst, x.name)
		switch kind & 3 {
		case 1:
			dst = appendBytes(dst, x.val.Str)
		case 2:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(x.val.Int))
		}
	}
	return dst
}

func (l *AVPs) loadX(c *Ctx, d *decoder) {
	n := int(d.u16())
	for i := 0; i < n && !d.bad; i++ {
		kind := d.u8()
		x := xavp{kind: XKind(kind >> 2), id: d.u32(), parent: d.u32(), name: c.Scratch.Copy(d.bytes()), val: Null}
		switch kind & 3 {
		case 1:
			x.val = Str(c.Scratch.Copy(d.bytes()))
		case 2:
			x.val = Int(int64(d.u64()))
		}
		l.nextX = max(l.nextX, x.id)
		if !d.bad {
			l.x = append(l.x, x)
		}
	}
}
