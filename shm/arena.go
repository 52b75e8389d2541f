package shm

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Off is the offset of a block's first usable byte from the start of an arena; 0 is nil. Offsets are the same in
// every process, addresses are not.
type Off uint64

const (
	arenaMagic = 0x6b616865612e7368 // "kahea.sh"
	maxSlots   = 512                // processes
	maxTags    = 512
	maxRoots   = 256
	maxHeld    = 31 // locks that one process holds at once
	maxPins    = 8  // generations of swap tables that one process reads at once
	unit       = 16 // bytes; sizes and places of blocks are counted in units
)

// maxSize is where 32 bit unit numbers end.
const maxSize = int64(unit) << 32

// header stands at the start of the arena. Its layout is fingerprinted, so that another binary does not misread it.
type header struct {
	magic  uint64
	layout uint64
	size   uint64
	kind   uint32
	nslots uint32
	_      [32]byte

	heap heapState

	reg     Mutex // tags, roots, objects
	nTags   uint32
	nRoots  uint32
	objects Off    // newest table, ring or wheel, chained by object.next
	swaps   Off    // newest swapHead, chained by swapHead.next
	slots   uint32 // that ever had a process
	_       [28]byte

	tags  [maxTags]tagRow
	roots [maxRoots]rootRow
	// then nslots procSlots, then the heap
}

// procSlot is what the arena knows of one process.
type procSlot struct {
	held [maxHeld]uint64 // offsets of the mutexes that it holds or is about to take
	_    uint64
	pins [maxPins]uint64 // offsets of the generations that it reads; on a cache line that others only look at
}

// Arena is one memory area: a memfd mapped in every process (Create, Attach), or a private one (NewPrivate).
// All methods may be called from any process and any goroutine unless they say otherwise.
type Arena struct {
	base     unsafe.Pointer
	size     uint64
	h        *header
	self     *procSlot
	me       uint32 // slot+1, as it stands in a mutex's word
	start    uint32 // unit number of the first block
	span     uint32 // units of the heap
	kind     Allocator
	slot     int
	fd       int
	mem      []byte
	patience time.Duration // of a reload
	types    sync.Map      // (*T)(nil) -> error or nil: types that New and Root have seen
	order    lockOrder
}

// Create makes a shared arena of size bytes on a fresh memfd (main only). Pages are taken from the system when first touched.
func Create(size int64, k Allocator) (*Arena, error) {
	size = roundPage(size)
	if err := checkSize(size, maxSlots, k); err != nil {
		return nil, err
	}
	fd, err := memfd(size)
	if err != nil {
		return nil, err
	}
	mem, err := mapShared(fd, size)
	if err != nil {
		closeFD(fd)
		return nil, err
	}
	a := newArena(mem, fd, 0)
	a.format(k, maxSlots)
	return a, nil
}

// Populate takes all pages of the arena from the system now (shm_force_alloc); ENOMEM when there are not so many.
func (a *Arena) Populate() error {
	if err := populate(a.mem); err != nil {
		return fmt.Errorf("shm: take %d bytes from the system: %w", len(a.mem), err)
	}
	return nil
}

// Attach maps the arena behind an inherited memfd, which the Arena owns when there is no error. ErrArena when another binary made it. slot is the process's index in the process table
// (0 = main, at most 511): it names the owner of locks and the row of the per-process counters.
func Attach(fd int, slot int) (*Arena, error) {
	size, err := fdSize(fd)
	if err != nil {
		return nil, err
	}
	if slot < 0 || slot >= maxSlots {
		return nil, fmt.Errorf("shm: attach as slot %d of %d: %w", slot, maxSlots, ErrSize)
	}
	if size < int64(unsafe.Sizeof(header{})) {
		return nil, fmt.Errorf("shm: attach to %d bytes: %w", size, ErrArena)
	}
	mem, err := mapShared(fd, size)
	if err != nil {
		return nil, err
	}
	a := newArena(mem, fd, slot)
	if a.h.magic != arenaMagic || a.h.layout != headerLayout() || a.h.size != uint64(size) || slot >= int(a.h.nslots) {
		err = fmt.Errorf("shm: attach as slot %d: magic %#x, layout %#x, size %d of %d: %w", slot, a.h.magic, a.h.layout, a.h.size, size, ErrArena)
		unmap(mem)
		return nil, err
	}
	a.knowHeap()
	for {
		n := atomic.LoadUint32(&a.h.slots)
		if n > uint32(slot) || atomic.CompareAndSwapUint32(&a.h.slots, n, uint32(slot)+1) {
			return a, nil
		}
	}
}

// NewPrivate makes an arena that only this process sees, with the same allocators (-X, -M).
func NewPrivate(size int64, k Allocator) (*Arena, error) {
	size = roundPage(size)
	if err := checkSize(size, 1, k); err != nil {
		return nil, err
	}
	mem, err := mapPrivate(size)
	if err != nil {
		return nil, err
	}
	a := newArena(mem, -1, 0)
	a.format(k, 1)
	return a, nil
}

func newArena(mem []byte, fd, slot int) *Arena {
	base := unsafe.Pointer(unsafe.SliceData(mem))
	return &Arena{
		base: base, size: uint64(len(mem)), mem: mem, fd: fd, slot: slot, me: uint32(slot) + 1, patience: swapPatience,
		h:    (*header)(base),
		self: (*procSlot)(unsafe.Add(base, slotsOff()+uint64(slot)*uint64(unsafe.Sizeof(procSlot{})))),
	}
}

func (a *Arena) procSlot(slot int) *procSlot {
	return (*procSlot)(unsafe.Add(a.base, slotsOff()+uint64(slot)*uint64(unsafe.Sizeof(procSlot{}))))
}

func slotsOff() uint64 { return (uint64(unsafe.Sizeof(header{})) + 63) &^ 63 }

func heapOff(nslots int) uint64 {
	return (slotsOff() + uint64(nslots)*uint64(unsafe.Sizeof(procSlot{})) + 63) &^ 63
}

func headerLayout() uint64 {
	return fingerprint(reflect.TypeFor[header](), reflect.TypeFor[procSlot](), reflect.TypeFor[block](), reflect.TypeFor[freeBlock](),
		reflect.TypeFor[tableHead](), reflect.TypeFor[bucket](), reflect.TypeFor[ringHead](), reflect.TypeFor[wheelHead](),
		reflect.TypeFor[Link](), reflect.TypeFor[Timer](), reflect.TypeFor[generation](), reflect.TypeFor[chunk](), reflect.TypeFor[record]())
}

func roundPage(n int64) int64 { return (n + 4095) &^ 4095 }

func checkSize(size int64, nslots int, k Allocator) error {
	if k > TLSF {
		return fmt.Errorf("shm: allocator %d: %w", k, ErrSize)
	}
	if least := int64(heapOff(nslots)) + 4096; size < least || size > maxSize {
		return fmt.Errorf("shm: arena of %d bytes, want %d to %d: %w", size, least, maxSize, ErrSize)
	}
	return nil
}

// format lays out a fresh (zeroed) mapping.
func (a *Arena) format(k Allocator, nslots int) {
	h := a.h
	h.layout = headerLayout()
	h.size = a.size
	h.kind = uint32(k)
	h.nslots = uint32(nslots)
	h.slots = 1
	h.reg.SetClass(ClassRegistry)
	h.tags[0].set("core", "other")
	h.nTags = 1
	a.formatHeap(heapOff(nslots))
	h.magic = arenaMagic
}

// FD is the memfd, to be inherited by children; -1 when private.
func (a *Arena) FD() int { return a.fd }

// Slot is the process's index in the process table.
func (a *Arena) Slot() int { return a.slot }

// Close unmaps the arena and closes the memfd. No pointer obtained from the arena may be used afterwards.
func (a *Arena) Close() error {
	if a.mem == nil {
		return nil
	}
	err := unmap(a.mem)
	a.mem, a.base, a.h, a.self, a.size = nil, nil, nil, nil, 0
	if a.fd >= 0 {
		if e := closeFD(a.fd); err == nil {
			err = e
		}
		a.fd = -1
	}
	return err
}

// at is the address of o, of which n bytes are going to be used. It panics when they do not lie in the arena.
func (a *Arena) at(o Off, n uintptr) unsafe.Pointer {
	if uint64(o)-1 >= a.size-uint64(n) {
		a.outside(o, n)
	}
	return unsafe.Add(a.base, uint64(o))
}

//go:noinline
func (a *Arena) outside(o Off, n uintptr) {
	panic(fmt.Sprintf("shm: %d bytes at offset %#x lie outside the arena of %#x bytes", n, uint64(o), a.size))
}

// OffOf is the offset of p, which must point into the arena: the way back from an embedded field (a Timer, a Link) to its offset.
func (a *Arena) OffOf(p unsafe.Pointer) Off {
	o := uint64(uintptr(p) - uintptr(a.base))
	if o-1 >= a.size-1 {
		panic(fmt.Sprintf("shm: address %p lies outside the arena", p))
	}
	return Off(o)
}
