package route

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// AVP is one attribute of $avp: names are texts or numbers, each in a space of its own.
type AVP struct {
	Name  []byte // nil: the name is ID
	ID    int64
	Val   Value // Str or Int, never Null
	In    AttrList
	Flags uint32 // avpflags
}

// AVPs is the attribute list of a message or transaction; the newest stands last in the slice and first in the script. Names and
// strings lie in the scratch memory of the Ctx. Modified says that it changed since it was loaded.
type AVPs struct {
	list     []AVP
	x        []xavp // $xavp, $xavu, $xavi
	nextX    uint32 // id of the last root in x
	user     bool   // there may be one of another list than FromURI
	Modified bool
}

func (l *AVPs) Reset() {
	l.list, l.x, l.nextX, l.user, l.Modified = l.list[:0], l.x[:0], 0, false, false
}

// Len is the number of all values.
func (l *AVPs) Len() int { return len(l.list) + len(l.x) }

func (a *AVP) is(name []byte, id int64) bool {
	if name == nil {
		return a.Name == nil && a.ID == id
	}
	return a.Name != nil && bytes.Equal(a.Name, name)
}

// Get is the nth value of a name, 0 the newest; Null if there is none.
func (l *AVPs) Get(name []byte, id int64, n int) Value {
	in := FromURI
	if l.user {
		in = l.from(name, id)
	}
	for i := len(l.list) - 1; i >= 0; i-- {
		if l.list[i].In == in && l.list[i].is(name, id) {
			if n == 0 {
				return l.list[i].Val
			}
			n--
		}
	}
	return Null
}

// Count is the number of values of a name.
func (l *AVPs) Count(name []byte, id int64) (n int) {
	in := FromURI
	if l.user {
		in = l.from(name, id)
	}
	for i := range l.list {
		if l.list[i].In == in && l.list[i].is(name, id) {
			n++
		}
	}
	return n
}

// Add puts a value in front. name and v are copied into the scratch memory of c.
func (l *AVPs) Add(c *Ctx, name []byte, id int64, v Value) error {
	a := AVP{ID: id, Val: v}
	if name != nil {
		if a.Name = c.Scratch.Copy(name); a.Name == nil {
			return ErrNoMemory
		}
	}
	if v.Flags&FlagIsInt != 0 {
		a.Val = Int(v.Int)
	} else {
		s := c.Scratch.Copy(v.Text(c))
		if s == nil && len(v.Str) > 0 {
			return ErrNoMemory
		}
		a.Val = Str(s)
	}
	l.list = append(l.list, a)
	l.Modified = true
	return nil
}

// Delete removes the newest value of a name, or all.
func (l *AVPs) Delete(name []byte, id int64, all bool) {
	in := FromURI
	if l.user {
		in = l.from(name, id)
	}
	for i := len(l.list) - 1; i >= 0; i-- {
		if l.list[i].In == in && l.list[i].is(name, id) {
			l.list = append(l.list[:i], l.list[i+1:]...)
			l.Modified = true
			if !all {
				return
			}
		}
	}
}

// ErrNoMemory says that private memory is exhausted.
var ErrNoMemory = errors.New("private memory exhausted")

// AppendBinary and Load carry the list to shared memory and back.
func (l *AVPs) AppendBinary(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(l.list)))
	for i := range l.list {
		a := &l.list[i]
		kind := byte(0)
		if a.Name != nil {
			kind |= 1
		}
		if a.Val.IsInt() {
			kind |= 2
		}
		if a.In != FromURI || a.Flags != 0 {
			kind |= 4
		}
		dst = append(dst, kind)
		if kind&4 != 0 {
			dst = binary.LittleEndian.AppendUint32(append(dst, byte(a.In)), a.Flags)
		}
		if a.Name != nil {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(a.Name)))
			dst = append(dst, a.Name...)
		} else {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(a.ID))
		}
		if a.Val.IsInt() {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(a.Val.Int))
		} else {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(a.Val.Str)))
			dst = append(dst, a.Val.Str...)
		}
	}
	return l.appendX(dst)
}

// ErrCorrupt says that a stored list is no list.
var ErrCorrupt = errors.New("stored attribute list is damaged")

// Load replaces the list by one that AppendBinary wrote, copying texts into the scratch memory of c. It returns what follows it in b.
func (l *AVPs) Load(c *Ctx, b []byte) (rest []byte, err error) {
	l.Reset()
	d := decoder{b: b}
	n := int(d.u16())
	for i := 0; i < n && !d.bad; i++ {
		kind := d.u8()
		var a AVP
		if kind&4 != 0 {
			a.In, a.Flags = AttrList(d.u8()), d.u32()
			l.user = l.user || a.In != FromURI
		}
		if kind&1 != 0 {
			if a.Name = c.Scratch.Copy(d.bytes()); a.Name == nil {
				return nil, ErrNoMemory
			}
		} else {
			a.ID = int64(d.u64())
		}
		if kind&2 != 0 {
			a.Val = Int(int64(d.u64()))
		} else {
			a.Val = Str(c.Scratch.Copy(d.bytes()))
		}
		if !d.bad {
			l.list = append(l.list, a)
		}
	}
	l.loadX(c, &d)
	if d.bad {
		l.Reset()
		return nil, ErrCorrupt
	}
	return d.b, nil
}

// decoder reads what the AppendBinary functions of this package wrote; bad is set at the first read beyond the end.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) u8() byte {
	if p := d.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if p := d.take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if p := d.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if p := d.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// bytes reads a length and that many bytes; the result is not nil even when it is empty.
func (d *decoder) bytes() []byte {
	n := d.u32()
	p := d.take(int(n))
	if p == nil {
		return []byte{}
	}
	return p
}
