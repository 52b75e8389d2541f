package route

import (
	"encoding/binary"
	"slices"
)

// XField is a field of a root that XAppend makes.
type XField struct {
	Name  string
	Value Value
}

// XAppend makes a root with fields behind all roots of its name; the first field is the newest. The texts are copied.
func (l *AVPs) XAppend(c *Ctx, kind XKind, root []byte, fields []XField) error {
	id, err := l.addLast(c, kind, root)
	for i := len(fields) - 1; i >= 0 && err == nil; i-- {
		var v Value
		if v, err = keep(c, fields[i].Value); err == nil {
			_, err = l.add(c, kind, id, []byte(fields[i].Name), v)
		}
	}
	return err
}

// addLast makes a root behind all others of its name.
func (l *AVPs) addLast(c *Ctx, kind XKind, root []byte) (id uint32, err error) {
	name := c.Scratch.Copy(root)
	if name == nil {
		return 0, ErrNoMemory
	}
	l.nextX++
	place := slices.IndexFunc(l.x, func(x xavp) bool { return x.is(kind, 0, root) })
	if place < 0 {
		place = len(l.x)
	}
	l.x = slices.Insert(l.x, place, xavp{kind: kind, id: l.nextX, name: name, val: Null})
	l.Modified = true
	return l.nextX, nil
}

// XEncode is the newest root of a name with its fields, for XDecode; nil if there is none, it has no fields, or memory is out. It lies in scratch memory.
func (l *AVPs) XEncode(c *Ctx, kind XKind, root []byte) []byte {
	size, n := 2, 0
	if !l.XFields(kind, root, XIndex{}, func(name []byte, v Value) bool {
		size += len(name) + len(v.Str) + 13
		n++
		return true
	}) || n == 0 {
		return nil
	}
	b := c.Scratch.Tail(size)
	if b == nil {
		return nil
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	l.XFields(kind, root, XIndex{}, func(name []byte, v Value) bool {
		if v.IsInt() {
			b = appendBytes(append(b, 2), name)
			b = binary.LittleEndian.AppendUint64(b, uint64(v.Int))
			return true
		}
		b = appendBytes(append(b, 1), name)
		b = appendBytes(b, v.Str)
		return true
	})
	return c.Scratch.Keep(b)
}

// XDecode makes the root of what XEncode has written, behind the others; false: it is not that, or memory is out.
func (l *AVPs) XDecode(c *Ctx, kind XKind, root, b []byte) bool {
	d := decoder{b: b}
	n := int(d.u16())
	var f []xavp
	for range n {
		t := d.u8()
		x := xavp{kind: kind, name: c.Scratch.Copy(d.bytes())}
		if t == 2 {
			x.val = Int(int64(d.u64()))
		} else {
			x.val = Str(c.Scratch.Copy(d.bytes()))
		}
		if d.bad {
			return false
		}
		f = append(f, x)
	}
	id, err := l.addLast(c, kind, root)
	if err != nil {
		return false
	}
	slices.Reverse(f)
	for i := range f {
		f[i].parent = id
	}
	l.x = append(l.x, f...)
	return true
}
