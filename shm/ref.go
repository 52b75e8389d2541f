package shm

import (
	"fmt"
	"unsafe"
)

// Ref is a typed offset. T must hold no Go pointer (checked by reflection the first time New or Root sees T).
type Ref[T any] struct{ Off Off }

// Get resolves r: nil for a nil Ref; panics with the type and offset when r lies outside the arena. One addition and a compare.
func (r Ref[T]) Get(a *Arena) *T {
	if uint64(r.Off)-1 < a.size-uint64(unsafe.Sizeof(*(*T)(nil))) {
		return (*T)(unsafe.Add(a.base, uint64(r.Off)))
	}
	if r.Off != 0 {
		r.outside(a)
	}
	return nil
}

//go:noinline
func (r Ref[T]) outside(a *Arena) {
	panic(fmt.Sprintf("shm: %T: offset %#x lies outside the arena of %#x bytes", r, uint64(r.Off), a.size))
}

// New allocates a zeroed T. Free it with Arena.Free of its Off. ErrPointer when T cannot lie in an arena.
func New[T any](a *Arena, t Tag) (Ref[T], error) {
	if err := checkType[T](a); err != nil {
		return Ref[T]{}, err
	}
	o, err := a.Alloc(max(1, int(unsafe.Sizeof(*(*T)(nil)))), t)
	if err != nil {
		return Ref[T]{}, err
	}
	clear(a.Bytes(o))
	return Ref[T]{o}, nil
}
