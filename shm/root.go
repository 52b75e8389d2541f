package shm

import (
	"fmt"
	"reflect"
	"unsafe"
)

const rootName = 40 // bytes with the closing zero

// rootRow is one named object.
type rootRow struct {
	name   [rootName]byte
	layout uint64
	size   uint64
	off    Off
}

// Root finds or creates the named root object, zeroed. created is true for the process that made it (main, once); the
// caller then fills it. A root of the same name with another layout (fingerprint by reflection) is ErrLayout.
// name has 1 to 39 bytes; there are at most 256 roots. A root stays until DropRoot. hung are the types of what is found through the root: another binary must not
// adopt those either when their layout is not its own.
func Root[T any](a *Arena, name string, hung ...Layout) (r Ref[T], created bool, err error) {
	if err = checkType[T](a); err != nil {
		return r, false, err
	}
	t := reflect.TypeFor[T]()
	ts := []reflect.Type{t}
	for _, l := range hung {
		ts = append(ts, l.t)
	}
	r.Off, created, err = a.root(name, fingerprint(ts...), max(1, uint64(unsafe.Sizeof(*(*T)(nil)))))
	if err != nil {
		return Ref[T]{}, false, fmt.Errorf("shm: root %q (%s): %w", name, t, err)
	}
	return r, created, nil
}

func (a *Arena) root(name string, layout, size uint64) (Off, bool, error) {
	if name == "" || len(name) >= rootName {
		return 0, false, ErrName
	}
	t := a.TagFor("core", "root")
	h := a.h
	a.Lock(&h.reg)
	defer a.Unlock(&h.reg)
	if row := a.findRoot(name); row != nil {
		if row.layout != layout || row.size != size {
			return 0, false, ErrLayout
		}
		return row.off, false, nil
	}
	if h.nRoots == maxRoots {
		return 0, false, ErrTooMany
	}
	o, err := a.Alloc(int(size), t)
	if err != nil {
		return 0, false, err
	}
	clear(a.Bytes(o))
	row := &h.roots[h.nRoots]
	clear(row.name[:])
	copy(row.name[:], name)
	row.layout, row.size, row.off = layout, size, o
	h.nRoots++ // makes it a root
	return o, true, nil
}

func (a *Arena) findRoot(name string) *rootRow {
	for i := range a.h.roots[:a.h.nRoots] {
		if row := &a.h.roots[i]; cstr(row.name[:]) == name {
			return row
		}
	}
	return nil
}

// HasRoot says whether there is a root of this name, whatever its layout: a new binary asks before it decides to adopt or to import.
func (a *Arena) HasRoot(name string) bool {
	a.Lock(&a.h.reg)
	defer a.Unlock(&a.h.reg)
	return a.findRoot(name) != nil
}

// DropRoot frees the named root, so that Root makes a new one, of another layout if need be; false when there was none. Main only, once nobody else uses
// what hangs on it; that is freed before, by who knows what it is.
func (a *Arena) DropRoot(name string) bool {
	h := a.h
	a.Lock(&h.reg)
	defer a.Unlock(&h.reg)
	row := a.findRoot(name)
	if row == nil {
		return false
	}
	o := row.off
	last := &h.roots[h.nRoots-1]
	*row = *last
	h.nRoots-- // ends the root
	clear(last.name[:])
	a.Free(o)
	return true
}

// RootNames are the names of all roots, in no order.
func (a *Arena) RootNames() (l []string) {
	a.Lock(&a.h.reg)
	defer a.Unlock(&a.h.reg)
	for i := range a.h.roots[:a.h.nRoots] {
		l = append(l, cstr(a.h.roots[i].name[:]))
	}
	return l
}

// Layout is how a type lies in memory.
type Layout struct{ t reflect.Type }

// LayoutOf is T's.
func LayoutOf[T any]() Layout { return Layout{reflect.TypeFor[T]()} }

// Fingerprint is the hash that roots are compared by: an object that is found otherwise than by a root keeps it in its first word.
func (l Layout) Fingerprint() uint64 { return fingerprint(l.t) }
