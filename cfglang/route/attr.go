package route

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// AttrList is one of the lists of attributes that a message has. $avp(name) writes the first one.
type AttrList uint8

const (
	FromURI AttrList = iota
	FromUser
	ToURI
	ToUser
)

// Attr is an attribute as %name, %class.name and %name[index] say: the values of a name in the first one of its lists that has any.
type Attr struct {
	Name  []byte
	Lists []AttrList // empty: there are never any values
	Into  AttrList   // that is written
	// Index: 1 is the oldest value, -1 the newest; without HasIndex the newest, with All all of them (assignment only).
	Index    int
	HasIndex bool
	All      bool
}

// walk calls f with the attribute's values, newest first, until it returns false.
func (a *Attr) walk(l *AVPs, f func(x *AVP) bool) {
	for _, in := range a.Lists {
		found := false
		for i := len(l.list) - 1; i >= 0; i-- {
			if x := &l.list[i]; x.In == in && x.is(a.Name, 0) {
				if found = true; !f(x) {
					return
				}
			}
		}
		if found {
			return
		}
	}
}

// Get is the attribute's value; Null if it has none.
func (a *Attr) Get(c *Ctx) Value {
	n := 0 // of the value, 0 the newest
	if a.HasIndex {
		switch {
		case a.Index == 0:
			return Null
		case a.Index < 0:
			n = -a.Index - 1
		default:
			a.walk(&c.AVPs, func(*AVP) bool { n++; return true })
			if n -= a.Index; n < 0 {
				return Null
			}
		}
	}
	v := Null
	a.walk(&c.AVPs, func(x *AVP) bool {
		if n == 0 {
			v = x.Val
		}
		n--
		return n >= 0
	})
	return v
}

// Set replaces the attribute's values by one; none by Null.
func (a *Attr) Set(c *Ctx, v Value) error {
	l := &c.AVPs
	var text []byte // the value may be one of those that go; its bytes stay
	if !v.IsNull() && !v.IsInt() {
		text = v.Text(c)
	}
	if in := a.list(l); in >= 0 {
		l.list = slices.DeleteFunc(l.list, func(x AVP) bool { return x.is(a.Name, 0) && int(x.In) == in })
	}
	l.Modified = true
	if v.IsNull() {
		return nil
	}
	if !v.IsInt() {
		v = Str(text)
	}
	return a.add(c, v)
}

// list is the list that has the attribute's values; negative: none has.
func (a *Attr) list(l *AVPs) (in int) {
	in = -1
	a.walk(l, func(x *AVP) bool { in = int(x.In); return false })
	return in
}

func (a *Attr) add(c *Ctx, v Value) error {
	if err := c.AVPs.Add(c, a.Name, 0, v); err != nil {
		return err
	}
	c.AVPs.list[len(c.AVPs.list)-1].In = a.Into
	c.AVPs.user = c.AVPs.user || a.Into != FromURI
	return nil
}

// Append puts copies of all values of from before those of a; they keep their order.
func (a *Attr) Append(c *Ctx, from *Attr) error {
	var vals []Value
	from.walk(&c.AVPs, func(x *AVP) bool { vals = append(vals, x.Val); return true })
	for _, v := range slices.Backward(vals) {
		if err := a.add(c, v); err != nil {
			return err
		}
	}
	return nil
}

// Flag sets and clears flags of the value that reading finds; false: there is none.
func (a *Attr) Flag(c *Ctx, set, clear uint32) (found bool) {
	a.walk(&c.AVPs, func(x *AVP) bool {
		x.Flags = x.Flags&^clear | set
		found, c.AVPs.Modified = true, true
		return false
	})
	return found
}

// HasFlag says whether the value that reading finds has the flag.
func (a *Attr) HasFlag(c *Ctx, flag uint32) (has bool) {
	a.walk(&c.AVPs, func(x *AVP) bool {
		has = x.Flags&flag != 0
		return false
	})
	return has
}

// from is the list that $avp(name) means while there are attributes of other lists than the first one.
func (l *AVPs) from(name []byte, id int64) AttrList {
	in := FromURI
	for i := range l.list {
		if x := &l.list[i]; x.In <= FromUser && x.is(name, id) {
			if x.In == FromURI {
				return FromURI
			}
			in = FromUser
		}
	}
	return in
}

// ErrReadOnlyAttr says that an attribute is of a domain or global.
var ErrReadOnlyAttr = errors.New("attributes of domains and global ones can not be changed by the script")

// NewAttr reads [class.]name[index]; class is f or t (caller, callee), with r, u or d for those of the URI, the user, the domain, or g (global). Attributes of domains
// and global ones never have values, as no module loads any; writable is false for them.
func NewAttr(text string) (a *Attr, writable bool, err error) {
	a = &Attr{Lists: []AttrList{FromURI, FromUser}}
	if i := strings.IndexByte(text, '['); i >= 0 {
		index := strings.TrimSuffix(text[i+1:], "]")
		text = text[:i]
		if a.HasIndex = index != ""; !a.HasIndex {
			a.All = true
		} else if a.Index, err = strconv.Atoi(index); err != nil {
			return nil, false, fmt.Errorf("index %q is no number", index)
		}
	}
	class, name, ok := strings.Cut(text, ".")
	if !ok {
		a.Name = []byte(text)
		return a, true, nil
	}
	a.Name = []byte(name)
	to := class[0] == 't'
	switch class {
	case "f":
	case "t":
		a.Lists, a.Into = []AttrList{ToURI, ToUser}, ToURI
	case "fr", "tr", "fu", "tu":
		if class[1] == 'u' {
			a.Into = FromUser
		}
		if to {
			a.Into += ToURI
		}
		a.Lists = []AttrList{a.Into}
	default:
		a.Lists = nil
		return a, false, nil
	}
	return a, true, nil
}
