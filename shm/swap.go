package shm

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Swap is a table of rows that is replaced as a whole: a new generation is built aside (Reload), swapped in by one store, and the old one is freed when
// nobody reads it any more. A row is a T (fixed size, no Go pointer) under a key; a key may have several rows. Texts of any length lie beside the rows (Text).
//
// Readers (Get, Read) take no lock and never wait for a reload: a reader notes in its own process's slot which generation it reads and writes nothing else.
// At most two generations are in memory, one of them being built or still being read. A Swap is never freed. All methods may be called from any
// process and goroutine.
type Swap[T any] struct {
	a *Arena
	h *swapHead
}

// swapRoot is what lies in the arena; the fingerprint of the root covers T.
type swapRoot[T any] struct {
	_    [0]T
	head swapHead
}

// swapHead is written at a reload only. lock guards all of it; readers look at cur alone.
type swapHead struct {
	_        [cacheLine]byte // what lies below belongs to others
	cur      Off             // the generation that readers take, 0 before the first reload
	retired  Off             // the one before, while somebody may still read it
	building Off
	number   uint64 // of the generation built last
	builder  uint32 // slot+1 of the process that builds, swapAbandoned when it died
	tag      Tag
	_        uint16
	lock     Mutex
	next     Off // chain of all swapHeads from the arena's header
	_        [cacheLine]byte
}

// generation is the head of a generation; everything else of it hangs on chunks.
type generation struct {
	number uint64
	chunks Off // in the order in which they were made
	fresh  Off // chunk on its way into the chain, or out of it
	rows   uint64
	dir    Off    // of the index: offsets of pieces of pieceBuckets buckets
	mask   uint32 // buckets - 1
	_      uint32
}

// chunk is the head of a block of a generation.
type chunk struct {
	next Off
	used uint32 // bytes, head included
	kind uint32
}

const (
	chunkRecords = 1 + iota
	chunkTexts
	chunkIndex
)

// record is followed by the row and the key.
type record struct {
	next uint32 // unit number of the next record of the bucket, 0 at the end
	hash uint32
	key  uint32 // bytes
	size uint32 // bytes, a multiple of unit
}

const (
	swapHeadSize   = unsafe.Sizeof(swapHead{})
	generationSize = unsafe.Sizeof(generation{})
	chunkSize      = unsafe.Sizeof(chunk{})
	recordSize     = unsafe.Sizeof(record{})
	pieceBits      = 14 // 64 KiB of buckets
	pieceBuckets   = 1 << pieceBits
)

// OpenSwap makes (main) or finds (children) the table of module and kind, which are also the tag of its memory. ErrLayout when it exists with another T,
// ErrPointer when T can not lie in an arena, ErrName when both names together have more than 38 bytes; it panics as TagFor does.
func OpenSwap[T any](a *Arena, module, kind string) (*Swap[T], error) {
	tag := a.TagFor(module, kind)
	r, created, err := Root[swapRoot[T]](a, module+"."+kind)
	if err != nil {
		return nil, err
	}
	h := &r.Get(a).head
	if created {
		h.tag = tag
		h.lock.SetClass(ClassSwap)
		a.Lock(&a.h.reg)
		h.next = a.h.swaps
		atomic.StoreUint64((*uint64)(&a.h.swaps), uint64(a.OffOf(unsafe.Pointer(h)))) // from here on a death looks at it
		a.Unlock(&a.h.reg)
	}
	return &Swap[T]{a, h}, nil
}

// Get copies the first row of key to row; false, with row as it was, when there is none. A Text in the row is gone with its generation: use Read for it.
func (s *Swap[T]) Get(key []byte, row *T) bool {
	g, pin := s.a.pin(&s.h.cur)
	if g == 0 {
		return false
	}
	defer s.a.unpin(pin)
	o := s.a.generation(g).first(s.a, unsafe.Sizeof(*row), hashKey(key), key)
	if o == 0 {
		return false
	}
	*row = *(*T)(s.a.at(o+Off(recordSize), unsafe.Sizeof(*row)))
	return true
}

// Read calls f with the generation of this moment, which stays while f runs. f must be short, and neither suspend its script nor wait for anything: as long
// as it runs, the memory of a reloaded table can not be given back. What f got from v must not be kept. A process is inside Read and Get at most 8 times at
// once; the ninth waits.
func (s *Swap[T]) Read(f func(v View[T])) {
	g, pin := s.a.pin(&s.h.cur)
	if g == 0 {
		f(View[T]{})
		return
	}
	defer s.a.unpin(pin)
	f(View[T]{s.a, g, pin})
}

// Len is the number of rows.
func (s *Swap[T]) Len() (n int) {
	s.Read(func(v View[T]) { n = v.Len() })
	return n
}

// View is one generation as Read shows it. It panics when it is used after Read has returned.
type View[T any] struct {
	a   *Arena // nil when the table was never loaded
	g   Off
	pin int
}

func (v View[T]) generation() *generation {
	if atomic.LoadUint64(&v.a.self.pins[v.pin]) != uint64(v.g) {
		panic("shm: a view is used after Read has returned")
	}
	return v.a.generation(v.g)
}

// Len is the number of rows.
func (v View[T]) Len() int {
	if v.a == nil {
		return 0
	}
	return int(v.generation().rows)
}

// Find is the first row of key, nil when there is none. Rows are read-only, but for words that all their users access with sync/atomic; such words
// begin anew with each generation.
func (v View[T]) Find(key []byte) (row *T) {
	v.Each(key, func(r *T) bool { row = r; return false })
	return row
}

// Each calls f for the rows of key in the order in which they were added until it returns false.
func (v View[T]) Each(key []byte, f func(row *T) bool) {
	if v.a == nil {
		return
	}
	size := unsafe.Sizeof(*(*T)(nil))
	hash := hashKey(key)
	for o := v.generation().first(v.a, size, hash, key); o != 0; o = v.a.nextRecord(o, size, hash, key) {
		if !f((*T)(v.a.at(o+Off(recordSize), size))) {
			return
		}
	}
}

// All calls f for every row in the order in which they were added until it returns false.
func (v View[T]) All(f func(key []byte, row *T) bool) {
	if v.a == nil {
		return
	}
	size := unsafe.Sizeof(*(*T)(nil))
	v.generation().each(v.a, func(o Off, r *record) bool {
		return f(v.a.recordKey(o, r, size), (*T)(v.a.at(o+Off(recordSize), size)))
	})
}

// Text is a text of any length that belongs to a generation; a row refers to it. The zero Text is empty.
type Text struct {
	off Off
	n   uint32
	gen uint32
}

// Text is what Builder.Text stored; valid until Read returns. It panics when t is of another generation.
func (v View[T]) Text(t Text) []byte {
	if t.n == 0 {
		return nil
	}
	if g := v.generation(); uint32(g.number) != t.gen {
		panic(fmt.Sprintf("shm: a text of generation %d is read in generation %d", t.gen, g.number))
	}
	return unsafe.Slice((*byte)(v.a.at(t.off, uintptr(t.n))), t.n)
}

func (a *Arena) generation(g Off) *generation { return (*generation)(a.at(g, generationSize)) }
func (a *Arena) chunk(o Off) *chunk           { return (*chunk)(a.at(o, chunkSize)) }
func (a *Arena) record(o Off) *record         { return (*record)(a.at(o, recordSize)) }

func (a *Arena) recordKey(o Off, r *record, row uintptr) []byte {
	if r.key == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(a.at(o+Off(recordSize+row), uintptr(r.key))), r.key)
}

// bucket is the head of the bucket's list: a unit number.
func (g *generation) bucket(a *Arena, hash uint32) *uint32 {
	b := hash & g.mask
	piece := *(*Off)(a.at(g.dir+Off(b>>pieceBits)*8, 8))
	return (*uint32)(a.at(piece+Off(b&(pieceBuckets-1))*4, 4))
}

// first is the first record of key, whose rows have row bytes; 0 when there is none.
func (g *generation) first(a *Arena, row uintptr, hash uint32, key []byte) Off {
	return a.match(Off(*g.bucket(a, hash))*unit, row, hash, key)
}

func (a *Arena) nextRecord(o Off, row uintptr, hash uint32, key []byte) Off {
	return a.match(Off(a.record(o).next)*unit, row, hash, key)
}

// match is the first record of key from o on.
func (a *Arena) match(o Off, row uintptr, hash uint32, key []byte) Off {
	for o != 0 {
		r := a.record(o)
		if r.hash == hash && bytes.Equal(a.recordKey(o, r, row), key) {
			return o
		}
		o = Off(r.next) * unit
	}
	return 0
}

// each calls f for every record in the order of adding until it returns false.
func (g *generation) each(a *Arena, f func(o Off, r *record) bool) {
	for c := g.chunks; c != 0; {
		k := a.chunk(c)
		if k.kind == chunkRecords {
			for at := uint32(chunkSize); at < k.used; {
				r := a.record(c + Off(at))
				if !f(c+Off(at), r) {
					return
				}
				at += r.size
			}
		}
		c = k.next
	}
}

// hashKey is FNV-1a with a last mixing, so that the low bits depend on all bytes.
func hashKey(key []byte) uint32 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range key {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return uint32(h >> 32)
}
