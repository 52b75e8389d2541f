package route

import "slices"

// XFields calls f with each field of a root, the newest first, until it says false; ok is false if there is no such root or it has a value instead of fields. Names
// and values are borrowed until the list is written to.
func (l *AVPs) XFields(kind XKind, root []byte, at XIndex, f func(name []byte, v Value) bool) (ok bool) {
	i := l.find(kind, 0, root, at)
	if i < 0 || !l.x[i].val.IsNull() {
		return false
	}
	l.fields(l.x[i].id, func(x *xavp) bool { return f(x.name, x.val) })
	return true
}

func (l *AVPs) fields(id uint32, f func(x *xavp) bool) {
	for i := len(l.x) - 1; i >= 0; i-- {
		if l.x[i].parent == id && !f(&l.x[i]) {
			return
		}
	}
}

// XWalk calls f with every root of a kind and each of its fields behind it, the newest first: field is nil for the root, whose value is Null when it has fields.
func (l *AVPs) XWalk(kind XKind, f func(root, field []byte, v Value)) {
	for i := len(l.x) - 1; i >= 0; i-- {
		r := &l.x[i]
		if r.kind != kind || r.parent != 0 {
			continue
		}
		f(r.name, nil, r.val)
		l.fields(r.id, func(x *xavp) bool {
			f(r.name, x.name, x.val)
			return true
		})
	}
}

// XRemoveAll removes all roots of a name, or of a kind when root is nil.
func (l *AVPs) XRemoveAll(kind XKind, root []byte) {
	if root != nil {
		l.xremove(kind, 0, root, XIndex{All: true})
		return
	}
	n := len(l.x)
	l.x = slices.DeleteFunc(l.x, func(x xavp) bool { return x.kind == kind })
	l.Modified = l.Modified || len(l.x) != n
}

// XCopy puts a copy of root src[at] behind all roots called dst (its place is the oldest), or with to in the place of dst[to].
func (l *AVPs) XCopy(c *Ctx, kind XKind, src []byte, at XIndex, dst []byte, to XIndex) error {
	from := l.find(kind, 0, src, at)
	if from < 0 {
		return errNoRoot
	}
	name := c.Scratch.Copy(dst)
	if name == nil {
		return ErrNoMemory
	}
	l.nextX++
	root := xavp{kind: kind, id: l.nextX, name: name, val: l.x[from].val}
	var copies []xavp
	for i := range l.x {
		if x := l.x[i]; x.parent == l.x[from].id {
			x.parent = root.id
			copies = append(copies, x)
		}
	}
	if to.None {
		place := slices.IndexFunc(l.x, func(x xavp) bool { return x.is(kind, 0, dst) })
		if place < 0 {
			place = len(l.x)
		}
		l.x = slices.Insert(l.x, place, root)
	} else {
		i := l.find(kind, 0, dst, to)
		if i < 0 {
			return errNoRoot
		}
		old := l.x[i].id
		l.x[i] = root
		l.dropFields(old)
	}
	l.x = append(l.x, copies...)
	l.Modified = true
	return nil
}

// XShift turns the roots of a name until root n is the first; those before it follow at the end. false: there is no root n.
func (l *AVPs) XShift(kind XKind, root []byte, n int) bool {
	var places []int
	for i := len(l.x) - 1; i >= 0; i-- {
		if l.x[i].is(kind, 0, root) {
			places = append(places, i)
		}
	}
	if n < 0 {
		n += len(places)
	}
	if n < 0 || n >= len(places) {
		return false
	}
	roots := make([]xavp, len(places))
	for i := range places {
		roots[i] = l.x[places[(i+n)%len(places)]]
	}
	for i, p := range places {
		l.x[p] = roots[i]
	}
	l.Modified = l.Modified || n > 0
	return true
}
