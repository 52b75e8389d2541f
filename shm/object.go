package shm

import (
	"fmt"
	"unsafe"
)

const (
	magicTable = 0x7461626c
	magicRing  = 0x72696e67
	magicWheel = 0x7768656c
)

// object is the head of a table, ring or wheel. All of them are chained from the arena's header, so that Verify finds them.
type object struct {
	magic uint32
	_     uint32
	next  Off
}

// register chains the object at o, which must be complete: others see it from now on.
func (a *Arena) register(o Off) {
	h := a.h
	a.Lock(&h.reg)
	obj := (*object)(a.at(o, unsafe.Sizeof(object{})))
	obj.next = h.objects
	h.objects = o
	a.Unlock(&h.reg)
}

// unregister takes the object at o out of the chain.
func (a *Arena) unregister(o Off) {
	h := a.h
	a.Lock(&h.reg)
	defer a.Unlock(&h.reg)
	for p := &h.objects; *p != 0; {
		obj := (*object)(a.at(*p, unsafe.Sizeof(object{})))
		if *p == o {
			*p = obj.next
			obj.magic = 0
			return
		}
		p = &obj.next
	}
	panic(fmt.Sprintf("shm: object at offset %#x is not registered", uint64(o)))
}

// object checks that a block of at least size bytes with magic lies at o.
func (a *Arena) object(o Off, magic uint32, size uintptr) error {
	b := a.used(o)
	if b == nil || uintptr(b.len) < size || (*object)(a.at(o, unsafe.Sizeof(object{}))).magic != magic {
		return fmt.Errorf("shm: offset %#x: %w", uint64(o), ErrNotThere)
	}
	return nil
}
