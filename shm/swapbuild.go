package shm

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	chunkLeast = 1 << 10 // bytes of a generation's first chunk; each is twice the one before
	chunkMost  = 1<<16 - 2*unit
	maxKey     = 1 << 16
)

// swapPatience bounds how long a reload waits for readers of the generation before: they need microseconds, unless the system does not let them run.
const swapPatience = time.Second

// Builder fills a new generation inside Reload. It belongs to one goroutine.
type Builder[T any] struct {
	a             *Arena
	h             *swapHead
	g             *generation // nil when Reload has ended
	last          Off         // of the chain of chunks
	records, text fill
	rows          uint64
}

// fill is the chunk that is being filled.
type fill struct {
	chunk      Off
	used, size uint32
}

// Reload has f fill a new generation and swaps it in when f returns nil. When f returns an error (which is then Reload's) or panics, the table stays as it is.
// ErrBusy when a reload of this table is running in any process, or when the generation before the present one is still being read after a second. f may
// wait, and may Read the present generation. A process that dies inside leaves nothing behind.
func (s *Swap[T]) Reload(f func(b *Builder[T]) error) error {
	g, err := s.a.beginSwap(s.h)
	if err != nil {
		return err
	}
	b := &Builder[T]{a: s.a, h: s.h, g: g}
	defer func() {
		if b.g != nil { // not committed
			b.g = nil
			s.a.lockSwap(s.h)
			s.a.dropBuilding(s.h, s.a.heapAlways)
			s.a.Unlock(&s.h.lock)
		}
	}()
	if err := f(b); err != nil {
		return err
	}
	if err := b.index(); err != nil {
		return err
	}
	b.g = nil
	s.a.commitSwap(s.h)
	s.a.drainSwap(s.h) // who still reads then keeps it until the next Reload or Sweep
	return nil
}

// Add adds a row under key; both are copied. ErrNoMemory, or ErrTooLong for a key of more than 65,536 bytes; Reload should then be left with that error.
func (b *Builder[T]) Add(key []byte, row *T) error {
	if len(key) > maxKey {
		return fmt.Errorf("shm: key of %d bytes: %w", len(key), ErrTooLong)
	}
	n := recordSize + unsafe.Sizeof(*row) + uintptr(len(key))
	n = (n + unit - 1) &^ (unit - 1)
	o, err := b.room(&b.records, chunkRecords, n)
	if err != nil {
		return fmt.Errorf("shm: row %d: %w", b.rows, err)
	}
	r := b.a.record(o)
	*r = record{hash: hashKey(key), key: uint32(len(key)), size: uint32(n)}
	*(*T)(b.a.at(o+Off(recordSize), unsafe.Sizeof(*row))) = *row
	copy(b.a.recordKey(o, r, unsafe.Sizeof(*row)), key)
	b.rows++
	return nil
}

// Text stores text beside the rows, for a row to refer to. ErrNoMemory as Add.
func (b *Builder[T]) Text(text []byte) (Text, error) {
	if len(text) == 0 {
		return Text{}, nil
	}
	if uint64(len(text)) > b.a.size {
		return Text{}, fmt.Errorf("shm: text of %d bytes: %w", len(text), ErrNoMemory)
	}
	o, err := b.room(&b.text, chunkTexts, uintptr(len(text)))
	if err != nil {
		return Text{}, fmt.Errorf("shm: text of %d bytes: %w", len(text), err)
	}
	copy(unsafe.Slice((*byte)(b.a.at(o, uintptr(len(text)))), len(text)), text)
	return Text{o, uint32(len(text)), uint32(b.g.number)}, nil
}

// room is n bytes in the chunk that is being filled, or in a new one.
func (b *Builder[T]) room(f *fill, kind uint32, n uintptr) (Off, error) {
	if b.g == nil {
		panic("shm: a builder is used after Reload has ended")
	}
	if uintptr(f.size-f.used) < n {
		size := max(n+chunkSize, min(max(uintptr(f.size)*2, chunkLeast), chunkMost))
		o, err := b.chunk(kind, size)
		if err != nil {
			return 0, err
		}
		*f = fill{o, uint32(chunkSize), uint32(size)}
	}
	o := f.chunk + Off(f.used)
	f.used += uint32(n)
	b.a.chunk(f.chunk).used = f.used
	return o, nil
}

// chunk allocates a chunk of size bytes and puts it at the end of the chain.
func (b *Builder[T]) chunk(kind uint32, size uintptr) (Off, error) {
	if err := b.a.allocAt(int(size), 0, b.h.tag, &b.g.fresh); err != nil {
		return 0, err
	}
	o := b.g.fresh
	*b.a.chunk(o) = chunk{used: uint32(chunkSize), kind: kind}
	if b.last == 0 {
		b.g.chunks = o
	} else {
		b.a.chunk(b.last).next = o
	}
	b.g.fresh = 0
	b.last = o
	return o, nil
}

// index makes the hash index over all rows: one bucket a row.
func (b *Builder[T]) index() error {
	if b.rows > 1<<31 {
		return fmt.Errorf("shm: %d rows: %w", b.rows, ErrSize)
	}
	n := uint32(1) << bits.Len32(uint32(max(b.rows, 1)-1))
	pieces := (n + pieceBuckets - 1) >> pieceBits
	dir, err := b.chunk(chunkIndex, chunkSize+uintptr(pieces)*8)
	if err != nil {
		return fmt.Errorf("shm: index of %d rows: %w", b.rows, err)
	}
	dir += Off(chunkSize)
	for i := range pieces {
		size := uintptr(min(n, pieceBuckets)) * 4
		o, err := b.chunk(chunkIndex, chunkSize+size)
		if err != nil {
			return fmt.Errorf("shm: index of %d rows: %w", b.rows, err)
		}
		clear(unsafe.Slice((*byte)(b.a.at(o+Off(chunkSize), size)), size))
		*(*Off)(b.a.at(dir+Off(i)*8, 8)) = o + Off(chunkSize)
	}
	g := b.g
	g.rows, g.dir, g.mask = b.rows, dir, n-1
	tails := make([]uint32, n) // rows of one key stay in their order
	g.each(b.a, func(o Off, r *record) bool {
		u := uint32(o / unit)
		if t := &tails[r.hash&g.mask]; *t == 0 {
			*g.bucket(b.a, r.hash) = u
			*t = u
		} else {
			b.a.record(Off(*t) * unit).next = u
			*t = u
		}
		return true
	})
	return nil
}

// beginSwap claims the table and makes an empty generation.
func (a *Arena) beginSwap(h *swapHead) (*generation, error) {
	a.lockSwap(h)
	if h.builder == swapAbandoned {
		a.dropBuilding(h, a.heapAlways)
	}
	if h.builder != 0 {
		a.Unlock(&h.lock)
		return nil, fmt.Errorf("shm: reload of %s: %w", a.tagName(h.tag), ErrBusy)
	}
	h.builder = a.me
	a.Unlock(&h.lock)
	err := ErrBusy
	if a.drainSwap(h) {
		err = a.allocAt(int(generationSize), int(generationSize), h.tag, &h.building)
	}
	if err != nil {
		a.lockSwap(h)
		h.builder = 0
		a.Unlock(&h.lock)
		return nil, fmt.Errorf("shm: reload of %s: %w", a.tagName(h.tag), err)
	}
	h.number++
	g := a.generation(h.building)
	g.number = h.number
	return g, nil
}

// commitSwap makes the generation that was built the one that readers take.
func (a *Arena) commitSwap(h *swapHead) {
	a.lockSwap(h)
	h.retired = h.cur
	atomic.StoreUint64((*uint64)(&h.cur), uint64(h.building)) // makes it so
	h.building = 0
	h.builder = 0
	a.Unlock(&h.lock)
}
