package shm

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// Allocator names one of Kamailio's memory managers (-x, -X).
type Allocator uint8

const (
	QM   Allocator = iota // best fit, guard words, double-free and overrun checks; Kamailio's default
	FM                    // free lists by size
	TLSF                  // two-level segregated fit, constant time
)

// ParseAllocator takes the names that -x takes: qm, fm, tlsf, also q_malloc, f_malloc, tlsf_malloc.
func ParseAllocator(name string) (Allocator, error) {
	switch name {
	case "qm", "q_malloc":
		return QM, nil
	case "fm", "f_malloc":
		return FM, nil
	case "tlsf", "tlsf_malloc":
		return TLSF, nil
	}
	return 0, fmt.Errorf("shm: unknown memory manager %q (qm, fm, tlsf)", name)
}

func (k Allocator) String() string {
	switch k {
	case QM:
		return "qm"
	case FM:
		return "fm"
	case TLSF:
		return "tlsf"
	}
	return fmt.Sprintf("allocator(%d)", uint8(k))
}

// A block's state says with 16 bits what it is, so that a stray write into it is seen.
const (
	stateUsed = 0xa110
	stateFree = 0xf4ee
	stateEnd  = 0xe4d0 // the header behind the last block
)

const minBlock = 2 // units: header, and the links of a free block

// block is the header in front of a block's bytes.
type block struct {
	size  uint32 // units, header included; the only way to the next block
	below uint32 // size of the block below, 0 for the first
	len   uint32 // bytes asked for
	tag   Tag
	state uint16 // last in the header, so an underrun hits it first
}

// freeBlock is a block in a free list.
type freeBlock struct {
	block
	next, prev uint32 // unit numbers of the list's neighbours, 0 at the ends
}

// heapState is the allocator's state. Whoever holds lock owns it and every header; all but start, end and the sizes and states in the headers
// can be rebuilt (rebuild).
type heapState struct {
	lock     Mutex
	intent   uint32 // block that an unfinished Alloc or Free works on
	_        uint32
	at       Off    // word that holds, or is to hold, the offset of intent (allocAt, freeLocked); 0 for none
	start    uint32 // unit number of the first block
	end      uint32 // unit number of the header behind the last block
	frags    uint32 // free blocks
	used     uint64 // bytes in used blocks without headers
	real     uint64 // bytes in used blocks with headers, and all that is not heap
	maxReal  uint64
	bins     bins
	overhead uint64 // bytes that are not heap
	reserve  uint64 // bytes that AllocUnreserved leaves free
	refused  uint64 // times that it did not get what would have been there
	sizes    [sizeClasses]sizeRow
}

// sizeRow is the used blocks of a class: those of more than 2^(i-1) and at most 2^i units.
type sizeRow struct{ blocks, bytes uint64 }

const sizeClasses = 33

// sizeRow is the class of blocks of size units.
func (hp *heapState) sizeRow(size uint32) *sizeRow { return &hp.sizes[bits.Len32(size-1)] }

func (a *Arena) formatHeap(from uint64) {
	hp := &a.h.heap
	hp.lock.SetClass(ClassHeap)
	hp.start = uint32(from / unit)
	hp.end = uint32(a.size/unit) - 1
	a.knowHeap()
	hp.overhead = a.size - uint64(hp.end-hp.start)*unit
	hp.real = hp.overhead
	hp.maxReal = hp.real
	b := a.blk(hp.start)
	b.size = hp.end - hp.start
	b.state = stateFree
	e := a.blk(hp.end)
	e.size = 0
	e.below = b.size
	e.state = stateEnd
	a.binInsert(hp.start)
}

// knowHeap copies what never changes to where no other process can break it.
func (a *Arena) knowHeap() {
	a.kind = Allocator(a.h.kind)
	a.start, a.span = a.h.heap.start, a.h.heap.end-a.h.heap.start
}

// blk is the header at unit number u.
func (a *Arena) blk(u uint32) *freeBlock {
	if u-a.start > a.span {
		a.stray(u)
	}
	return (*freeBlock)(unsafe.Add(a.base, uint64(u)*unit))
}

// lockHeap takes the allocator's lock and repairs the heap when its last owner died in it. The lock is not listed in the
// process's slot: ReleaseLocksOf knows it anyway.
func (a *Arena) lockHeap() {
	hp := &a.h.heap
	if a.lockUnlisted(&hp.lock) {
		a.rebuild()
	}
}

func (a *Arena) unlockHeap() { a.unlockUnlisted(&a.h.heap.lock) }

// units is the size of a block with n usable bytes.
func (a *Arena) units(n int) uint32 {
	if a.kind == QM {
		n += guardLen
	}
	u := uint32((n + 2*unit - 1) / unit)
	if u < minBlock {
		u = minBlock
	}
	return u
}

// Alloc returns a block of n usable bytes (n >= 1), 16-byte aligned, contents undefined. ErrNoMemory when none is left, ErrSize when n < 1.
func (a *Arena) Alloc(n int, t Tag) (Off, error) { return a.alloc(n, t, nil, 0, false) }

// AllocUnreserved is Alloc for what may be refused when memory is short: ErrReserve (which is also ErrNoMemory) when less than the reserve would
// be left (SetReserve). Every refusal is counted.
func (a *Arena) AllocUnreserved(n int, t Tag) (Off, error) { return a.alloc(n, t, nil, 0, true) }

// allocAt is Alloc whose result is at *at, which is 0 before, in the same instant in which the block is allocated: a process that dies does not lose
// it. The first zero bytes are 0 by then.
func (a *Arena) allocAt(n, zero int, t Tag, at *Off) error {
	_, err := a.alloc(n, t, at, zero, false)
	return err
}

func (a *Arena) alloc(n int, t Tag, at *Off, zero int, unreserved bool) (Off, error) {
	if n < 1 {
		return 0, ErrSize
	}
	if uint64(n) > min(a.size, 1<<32-64) {
		return 0, ErrNoMemory
	}
	need := a.units(n)
	a.lockHeap()
	h := a.h
	hp := &h.heap
	if uint32(t) >= h.nTags {
		a.unlockHeap()
		panic(fmt.Sprintf("shm: alloc with tag %d, of which there are %d", t, h.nTags))
	}
	if unreserved && hp.reserve > 0 && uint64(need)*unit+hp.reserve > a.size-hp.real {
		hp.refused++
		a.unlockHeap()
		return 0, ErrReserve
	}
	u := a.find(need)
	if u == 0 {
		a.unlockHeap()
		return 0, ErrNoMemory
	}
	hp.at = a.offOrNone(at)
	hp.intent = u
	a.binRemove(u)
	b := a.blk(u)
	if rest := b.size - need; rest >= minBlock {
		// The rest gets its header while it still lies inside b; b's size makes it a block.
		r := a.blk(u + need)
		r.size = rest
		r.below = need
		r.state = stateFree
		a.blk(u + b.size).below = rest
		b.size = need
		a.binInsert(u + need)
	}
	b.len = uint32(n)
	b.tag = t
	b.state = stateUsed
	bytes := uint64(b.size) * unit
	hp.used += bytes - unit
	hp.real += bytes
	if hp.real > hp.maxReal {
		hp.maxReal = hp.real
	}
	row := &h.tags[t&(maxTags-1)]
	row.blocks++
	row.bytes += bytes
	class := hp.sizeRow(b.size)
	class.blocks++
	class.bytes += bytes
	if a.kind == QM {
		a.setGuard(u, b)
	}
	o := Off(uint64(u+1) * unit)
	if at != nil {
		clear(a.Bytes(o)[:zero])
		*at = o
	}
	hp.intent = 0
	a.unlockHeap()
	return o, nil
}

// offOrNone is where at lies, 0 for nil.
func (a *Arena) offOrNone(at *Off) Off {
	if at == nil {
		return 0
	}
	return a.OffOf(unsafe.Pointer(at))
}

// Free gives a block back. A double free, a free of what is no block, or a broken guard is reported as a panic with
// the offset, the tag and the guard's bytes (memory can no longer be trusted).
func (a *Arena) Free(o Off) {
	a.lockHeap()
	a.freeLocked(o, nil)
	a.unlockHeap()
}

// FreeAt is Free of the block at *at, which lies in the arena and is 0 from the very instant in which the block is free: who finds it not 0 after a death can free it.
func (a *Arena) FreeAt(at *Off) {
	a.lockHeap()
	a.freeLocked(*at, at)
	a.unlockHeap()
}

// freeLocked is Free under the allocator's lock. When at is not nil, *at holds o and is 0 from the instant in which the block is free.
func (a *Arena) freeLocked(o Off, at *Off) {
	u := uint32(o/unit) - 1
	hp := &a.h.heap
	if o%unit != 0 || uint64(o) >= a.size || u < hp.start || u >= hp.end {
		a.badFree(o, "is no block")
	}
	b := a.blk(u)
	if b.state != stateUsed {
		if b.state == stateFree {
			a.badFree(o, "is already free")
		}
		a.badFree(o, "has a broken header, or is no block")
	}
	above := u + b.size
	if b.size < minBlock || above > hp.end || above < u || a.blk(above).below != b.size || uint32(b.tag) >= a.h.nTags {
		a.badFree(o, "has a broken header, or is no block")
	}
	if a.kind == QM && !a.guardOK(u, b) {
		a.badFree(o, "was written beyond its end")
	}
	hp.at = a.offOrNone(at)
	hp.intent = u
	bytes := uint64(b.size) * unit
	row := &a.h.tags[b.tag&(maxTags-1)]
	b.state = stateFree // from here on it is free
	row.blocks--
	row.bytes -= bytes
	class := hp.sizeRow(b.size)
	class.blocks--
	class.bytes -= bytes
	hp.used -= bytes - unit
	hp.real -= bytes

	size := b.size
	if n := a.blk(above); n.state == stateFree {
		a.binRemove(above)
		size += n.size
	}
	if b.below != 0 {
		if p := a.blk(u - b.below); p.state == stateFree {
			u -= b.below
			a.binRemove(u)
			size += p.size
			b = p
		}
	}
	b.size = size // one store takes the neighbours in
	a.blk(u + size).below = size
	a.binInsert(u)
	if at != nil {
		*at = 0
	}
	hp.intent = 0
}

// used is the header of the used block at o, nil when there is none.
func (a *Arena) used(o Off) *freeBlock {
	hp := &a.h.heap
	u := uint32(o/unit) - 1
	if o%unit != 0 || uint64(o) >= a.size || u < hp.start || u >= hp.end {
		return nil
	}
	b := a.blk(u)
	if b.state != stateUsed || uint64(o)+uint64(b.len) > a.size {
		return nil
	}
	return b
}

// Bytes is the block as a view of exactly the length asked for at Alloc, bounds-checked; capacity equals length.
// It stays valid until the block is freed; it must not be kept in Go memory beyond that. It panics when o is no used block.
func (a *Arena) Bytes(o Off) []byte {
	b := a.used(o)
	if b == nil {
		a.noBlock(o)
	}
	return unsafe.Slice((*byte)(unsafe.Add(a.base, uint64(o))), int(b.len))
}

//go:noinline
func (a *Arena) noBlock(o Off) {
	panic(fmt.Sprintf("shm: there is no used block at offset %#x", uint64(o)))
}

// badFree reports a free that cannot be right. Nothing was changed yet, so the lock is simply given back.
//
//go:noinline
func (a *Arena) badFree(o Off, what string) {
	msg := fmt.Sprintf("shm: free: block at offset %#x %s", uint64(o), what)
	if from := uint64(o) - unit; o >= unit && uint64(o) <= a.size {
		b := (*block)(unsafe.Add(a.base, from&^(unit-1)))
		msg += fmt.Sprintf(" (tag %s, header % x", a.tagName(b.tag), unsafe.Slice((*byte)(unsafe.Add(a.base, from)), unit))
		if end := uint64(o) + uint64(b.len); a.kind == QM && b.state == stateUsed && end+guardLen <= a.size {
			msg += fmt.Sprintf(", length %d, guard % x", b.len, unsafe.Slice((*byte)(unsafe.Add(a.base, end)), guardLen))
		}
		msg += ")"
	}
	a.unlockHeap()
	panic(msg)
}

//go:noinline
func (a *Arena) stray(u uint32) {
	a.broken(u, "lies outside the heap: a size or a link was overwritten")
}

// broken reports, under the allocator's lock, a heap that cannot be trusted. The lock is given back as if this process had died in it: whoever catches the
// panic, and every other process, gets another panic or a repaired heap from the next Alloc, but does not wait for ever.
//
//go:noinline
func (a *Arena) broken(u uint32, what string) {
	a.order.after(a, &a.h.heap.lock)
	a.bury(&a.h.heap.lock, a.slot)
	panic(fmt.Sprintf("shm: heap is broken: block at offset %#x %s", (uint64(u)+1)*unit, what))
}

// rebuild makes the allocator's state anew from the headers, after an owner died in the middle of a change. A second death in here is
// followed by another rebuild.
func (a *Arena) rebuild() {
	h := a.h
	hp := &h.heap
	if hp.intent != 0 && hp.at != 0 {
		*(*Off)(a.at(hp.at, 8)) = 0 // the block is going to be free
	}
	hp.bins = bins{}
	hp.sizes = [sizeClasses]sizeRow{}
	hp.frags, hp.used, hp.real = 0, 0, hp.overhead
	for i := range h.tags {
		h.tags[i].blocks, h.tags[i].bytes = 0, 0
	}
	below, last := uint32(0), uint32(0) // last: the free block just below, 0 when that is used
	for u := hp.start; u < hp.end; {
		b := a.blk(u)
		size := b.size
		if size < minBlock || u+size > hp.end || u+size < u || (b.state != stateUsed && b.state != stateFree) {
			a.broken(u, fmt.Sprintf("has size %d and state %#x", size, b.state))
		}
		if u == hp.intent {
			b.state = stateFree
		}
		if b.state == stateUsed {
			if uint32(b.tag) >= h.nTags {
				a.broken(u, fmt.Sprintf("has tag %d", b.tag))
			}
			b.below = below
			below, last = size, 0
			hp.used += uint64(size-1) * unit
			hp.real += uint64(size) * unit
			h.tags[b.tag].blocks++
			h.tags[b.tag].bytes += uint64(size) * unit
			class := hp.sizeRow(size)
			class.blocks++
			class.bytes += uint64(size) * unit
		} else if last != 0 {
			f := a.blk(last)
			f.size += size
			below = f.size
		} else {
			b.below = below
			below, last = size, u
		}
		u += size
	}
	a.blk(hp.end).below = below
	for u := hp.start; u < hp.end; {
		b := a.blk(u)
		if b.state == stateFree {
			a.binInsert(u)
		}
		u += b.size
	}
	if hp.real > hp.maxReal {
		hp.maxReal = hp.real
	}
	hp.intent = 0
}
