package shm

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// Ring is a bounded queue of byte records in shared memory, many writers in any process, one reader. A record is
// published at once or not at all: writers hold the ring's lock, and a store to tail publishes. A writer that dies in between leaves nothing.
type Ring struct{ off Off }

// ringHead is followed by size bytes. head and tail count bytes since the ring was made; a record begins at a multiple of 8 with its
// length in a word of 8 bytes; ringSkip sends the reader to the start of the ring.
type ringHead struct {
	object
	lock Mutex // writers
	size uint64
	_    [32]byte
	tail uint64 // writers
	ring uint32 // 1: the last writer died and may not have rung
	_    [52]byte
	head uint64 // the reader
	dry  uint32 // 1: the reader found nothing and waits to be rung; the reader's
	_    [52]byte
}

const (
	ringHeadSize = unsafe.Sizeof(ringHead{})
	ringSkip     = ^uint64(0)
)

// NewRing makes a ring of bytes (rounded up to a power of two, at least 64, at most 2^30), of which each record takes its length rounded up
// to 8, and 8.
func NewRing(a *Arena, bytes int, t Tag) (Ring, error) {
	if bytes < 1 || bytes > 1<<30 {
		return Ring{}, fmt.Errorf("shm: ring of %d bytes: %w", bytes, ErrSize)
	}
	size := max(64, 1<<bits.Len(uint(bytes-1)))
	o, err := a.Alloc(int(ringHeadSize)+size, t)
	if err != nil {
		return Ring{}, err
	}
	r := Ring{o}
	h := r.headOf(a)
	*h = ringHead{size: uint64(size), dry: 1}
	h.magic = magicRing
	h.lock.SetClass(ClassRing)
	a.register(o)
	return r, nil
}

// OpenRing is the ring at o; ErrNotThere when there is none.
func OpenRing(a *Arena, o Off) (Ring, error) {
	if err := a.object(o, magicRing, ringHeadSize); err != nil {
		return Ring{}, err
	}
	return Ring{o}, nil
}

// Free gives back the ring, which must be in nobody's use; records in it are lost.
func (r Ring) Free(a *Arena) {
	a.unregister(r.off)
	a.Free(r.off)
}

func (r Ring) headOf(a *Arena) *ringHead { return (*ringHead)(a.at(r.off, ringHeadSize)) }

// Off is what OpenRing takes.
func (r Ring) Off() Off { return r.off }

// Put appends one record made of the concatenation of parts. ErrFull when there is no room, ErrTooLong when there never is. wake is true when the
// reader had run dry and must be rung; until it has taken a record, every Put says so, so that a writer that dies before it rang costs nothing
// but the time to the next Put.
func (r Ring) Put(a *Arena, parts ...[]byte) (wake bool, err error) {
	h := r.headOf(a)
	n := uint64(0)
	for _, p := range parts {
		n += uint64(len(p))
	}
	need := 8 + (n+7)&^7
	if need > h.size/2 {
		return false, ErrTooLong
	}
	if a.Lock(&h.lock) {
		h.ring = 1
	}
	tail := h.tail
	at := tail & (h.size - 1)
	skip := uint64(0)
	if at+need > h.size {
		skip = h.size - at
	}
	if tail+skip+need-atomic.LoadUint64(&h.head) > h.size {
		a.Unlock(&h.lock)
		return false, ErrFull
	}
	data := unsafe.Slice((*byte)(a.at(r.off+Off(ringHeadSize), uintptr(h.size))), h.size)
	if skip != 0 {
		*(*uint64)(unsafe.Pointer(&data[at])) = ringSkip
		at = 0
	}
	*(*uint64)(unsafe.Pointer(&data[at])) = n
	to := data[at+8 : at+need]
	for _, p := range parts {
		to = to[copy(to, p):]
	}
	atomic.StoreUint64(&h.tail, tail+skip+need) // publishes
	wake = atomic.LoadUint32(&h.dry) != 0 || h.ring != 0
	h.ring = 0
	a.Unlock(&h.lock)
	return wake, nil
}

// Get calls f with the oldest record, valid only during the call, and drops it; false when the ring is empty: then the reader may wait to be
// rung. Only the reader calls it. When f panics or the process dies in it, the record stays.
func (r Ring) Get(a *Arena, f func(rec []byte)) bool {
	h := r.headOf(a)
	head := h.head
	if head == atomic.LoadUint64(&h.tail) {
		atomic.StoreUint32(&h.dry, 1)
		if head == atomic.LoadUint64(&h.tail) { // a writer that did not see dry
			return false
		}
	}
	if h.dry != 0 {
		atomic.StoreUint32(&h.dry, 0)
	}
	data := unsafe.Slice((*byte)(a.at(r.off+Off(ringHeadSize), uintptr(h.size))), h.size)
	at := head & (h.size - 1)
	n := *(*uint64)(unsafe.Pointer(&data[at]))
	if n == ringSkip {
		head += h.size - at
		at = 0
		n = *(*uint64)(unsafe.Pointer(&data[0]))
	}
	if n > h.size/2 {
		panic(fmt.Sprintf("shm: ring at offset %#x is broken: record of %d bytes at %d", uint64(r.off), n, head))
	}
	f(data[at+8 : at+8+n : at+8+n])
	atomic.StoreUint64(&h.head, head+8+(n+7)&^7)
	return true
}

// Empty says whether there is nothing to Get.
func (r Ring) Empty(a *Arena) bool {
	h := r.headOf(a)
	return atomic.LoadUint64(&h.head) == atomic.LoadUint64(&h.tail)
}
