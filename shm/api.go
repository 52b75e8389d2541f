package shm

// This file fixes the interface of the package before its bodies exist. Bodies move to one file a noun
// (arena.go, ref.go, lock.go, root.go, table.go, counter.go, ring.go, wheel.go, verify.go, qm.go, fm.go, tlsf.go).

// Off is the offset of a block's first usable byte from the start of an arena; 0 is nil. Offsets are the same in
// every process, addresses are not.
type Off uint64

// Allocator names one of Kamailio's memory managers (-x, -X).
type Allocator uint8

const (
	QM   Allocator = iota // best fit, guard words, double-free and overrun checks; Kamailio's default
	FM                    // free lists by size
	TLSF                  // two-level segregated fit, constant time
)

func ParseAllocator(name string) (Allocator, error) { panic("todo") } // "qm", "fm", "tlsf" (also q_malloc, f_malloc, tlsf_malloc)
func (k Allocator) String() string                  { panic("todo") }

// Tag says who owns a block: a module and a kind ("tm", "cell"). Tags are registered in main before children start and
// found again by name in children and in later generations.
type Tag uint16

// Arena is one memory area: a memfd mapped in every process (Create, Attach), or a private one (NewPrivate).
// All methods may be called from any process and any goroutine unless they say otherwise.
type Arena struct{}

// Create makes a shared arena of size bytes on a fresh memfd (main only).
func Create(size int64, k Allocator) (*Arena, error) { panic("todo") }

// Attach maps the arena behind an inherited memfd. slot is the process's index in the process table (0 = main): it
// names the owner of locks and the row of the per-process counters.
func Attach(fd int, slot int) (*Arena, error) { panic("todo") }

// NewPrivate makes an arena that only this process sees, with the same allocators (-X, -M).
func NewPrivate(size int64, k Allocator) (*Arena, error) { panic("todo") }

func (a *Arena) FD() int      { panic("todo") } // the memfd; -1 when private
func (a *Arena) Close() error { panic("todo") }
func (a *Arena) Slot() int    { panic("todo") }

// Alloc returns a block of n usable bytes (n >= 1), 16-byte aligned, contents undefined. ErrNoMemory when none is left.
func (a *Arena) Alloc(n int, t Tag) (Off, error) { panic("todo") }

// Free gives a block back. A double free, a free of what is no block, or a broken guard is reported as a panic with
// the offset, the tag and the guard's bytes (memory can no longer be trusted).
func (a *Arena) Free(o Off) { panic("todo") }

// Bytes is the block as a view of exactly the length asked for at Alloc, bounds-checked; capacity equals length.
// It stays valid until the block is freed; it must not be kept in Go memory beyond that.
func (a *Arena) Bytes(o Off) []byte { panic("todo") }

// TagFor registers (main) or finds the tag of module and kind. Both names at most 23 bytes.
func (a *Arena) TagFor(module, kind string) Tag { panic("todo") }

// Usage is what core.shmmem prints.
type Usage struct {
	Total, Free, Used, RealUsed, MaxUsed uint64
	Fragments                            uint64
	LargestFree                          uint64
}

func (a *Arena) Usage() Usage { panic("todo") }

// TagUsage is one row of the ledger.
type TagUsage struct {
	Module, Kind  string
	Blocks, Bytes uint64
}

func (a *Arena) Ledger() []TagUsage { panic("todo") }

// Verify walks the whole arena (headers, free lists, guards, ledger sums, tables registered with it) under the
// allocator's lock and returns every fault that it finds. It may run in a live server.
func (a *Arena) Verify() []error { panic("todo") }

// Ref is a typed offset. T must hold no Go pointer (checked by reflection the first time New or Root sees T).
type Ref[T any] struct{ Off Off }

// Get resolves r: nil for a nil Ref; panics with the type and offset when r lies outside the arena. One addition and a compare.
func (r Ref[T]) Get(a *Arena) *T { panic("todo") }

// New allocates a zeroed T.
func New[T any](a *Arena, t Tag) (Ref[T], error) { panic("todo") }

// Root finds or creates the named root object. created is true for the process that made it (main, once); the
// caller then fills it. A root of the same name with another layout (fingerprint by reflection) is ErrLayout.
func Root[T any](a *Arena, name string) (r Ref[T], created bool, err error) { panic("todo") }

// Mutex is a futex lock in shared memory with its owner's slot. The zero value is unlocked. It is not recursive.
// Lock order is by class (see doc.go) and is checked in builds with the tag shmdebug.
type Mutex struct {
	word  uint32
	owner uint32 // slot+1
}

// Lock takes m. It reports true when the previous owner died holding it (set by Arena.ReleaseLocksOf): the caller then
// repairs what m guards.
func (a *Arena) Lock(m *Mutex) (repair bool)        { panic("todo") }
func (a *Arena) TryLock(m *Mutex) (ok, repair bool) { panic("todo") }
func (a *Arena) Unlock(m *Mutex)                    { panic("todo") }

// ReleaseLocksOf releases every lock that the dead process in slot held and marks each for repair; main calls it after
// it reaped the child. It repairs the allocator's own state when the process died inside it. Returns how many it released.
func (a *Arena) ReleaseLocksOf(slot int) int { panic("todo") }

// Link is the intrusive list link of a table entry; it must be the first field of the entry's struct.
type Link struct {
	Next, Prev Off
	Table      Off // the table it stands in, 0 when in none
	Bucket     uint32
	_          uint32
}

// Table is a fixed-size hash table of intrusive lists: buckets each with its Mutex, head, tail and count.
// A dead owner's bucket is repaired (links rebuilt from Next) by the next Lock.
type Table struct{ off Off }

// NewTable makes a table of n buckets (a power of two) owned by tag; OpenTable finds one by its offset (kept in a root).
func NewTable(a *Arena, n int, t Tag) (Table, error) { panic("todo") }
func OpenTable(a *Arena, o Off) (Table, error)       { panic("todo") }

func (t Table) Off() Off                           { panic("todo") }
func (t Table) Size() int                          { panic("todo") }
func (t Table) Lock(a *Arena, bucket int)          { panic("todo") }
func (t Table) Unlock(a *Arena, bucket int)        { panic("todo") }
func (t Table) Insert(a *Arena, bucket int, o Off) { panic("todo") } // at the head; o's first field is a Link; bucket locked by the caller
func (t Table) Append(a *Arena, bucket int, o Off) { panic("todo") } // at the tail
func (t Table) Remove(a *Arena, o Off)             { panic("todo") } // bucket locked by the caller
func (t Table) First(a *Arena, bucket int) Off     { panic("todo") } // bucket locked by the caller
func (t Table) Next(a *Arena, o Off) Off           { panic("todo") }
func (t Table) Len(a *Arena, bucket int) int       { panic("todo") }
func (t Table) Count(a *Arena) int                 { panic("todo") } // sum over buckets, unlocked

// Counters are per-process rows summed by the reader. Names are registered in main; Seal fixes the number of rows and
// allocates the matrix before children start. Each row begins on its own cache line.
type Counters struct{}

type Counter int32

func NewCounters(a *Arena) *Counters                                { panic("todo") } // found again in children by Attach order: a root named "counters"
func (c *Counters) Register(group, name string) (Counter, error)    { panic("todo") }
func (c *Counters) Lookup(group, name string) (Counter, bool)       { panic("todo") }
func (c *Counters) Seal(procs int) error                            { panic("todo") }
func (c *Counters) Add(k Counter, n int64)                          { panic("todo") } // own row; one add, no lock
func (c *Counters) Sum(k Counter) int64                             { panic("todo") }
func (c *Counters) Reset(k Counter)                                 { panic("todo") }
func (c *Counters) Each(f func(group, name string, k Counter) bool) { panic("todo") }

// Ring is a bounded queue of byte records in shared memory, many writers in any process, one reader. A record is
// published at once or not at all; a writer that dies in between leaves a hole that the reader skips.
type Ring struct{ off Off }

func NewRing(a *Arena, bytes int, t Tag) (Ring, error) { panic("todo") }
func OpenRing(a *Arena, o Off) (Ring, error)           { panic("todo") }
func (r Ring) Off() Off                                { panic("todo") }

// Put appends one record made of the concatenation of parts. ErrFull when there is no room. wake is true when the
// reader had run dry and must be rung.
func (r Ring) Put(a *Arena, parts ...[]byte) (wake bool, err error) { panic("todo") }

// Get calls f with the oldest record, valid only during the call, and drops it; false when the ring is empty.
func (r Ring) Get(a *Arena, f func(rec []byte)) bool { panic("todo") }

// Timer is a one-shot timer node embedded in a shared object. It is armed on at most one wheel.
type Timer struct {
	next, prev Off
	expires    uint64 // ticks
	wheel      Off    // 0 when idle
	kind       uint16
	state      uint16 // idle, armed, firing
	_          uint32
}

// Kind is the number of a timer handler; handlers are registered by number in every process alike.
type Kind uint16

// Wheel is a hierarchical timing wheel in shared memory; each worker ticks its own, any process may arm or disarm.
type Wheel struct{ off Off }

func NewWheel(a *Arena, now uint64, t Tag) (Wheel, error) { panic("todo") }
func OpenWheel(a *Arena, o Off) (Wheel, error)            { panic("todo") }
func (w Wheel) Off() Off                                  { panic("todo") }

// Arm sets t (which lies at offset o in the arena) to fire at tick expires with kind. A t that is armed is moved.
// It reports whether t was idle before (so that a caller who counts references adds one only then).
func (w Wheel) Arm(a *Arena, o Off, expires uint64, k Kind) (wasIdle bool) { panic("todo") }

// Disarm takes the timer at o off its wheel. False when it was idle, or is being fired: then its handler will still be
// called, and must look at the object's own state.
func Disarm(a *Arena, o Off) bool { panic("todo") }

// Advance moves the wheel to tick now and calls fire for every timer that is due, in order of expiry, with no lock held. A timer is idle
// again, and may be armed, from the moment that fire is called for it. If the process dies in between, the timers not yet fired stay due.
func (w Wheel) Advance(a *Arena, now uint64, fire func(o Off, k Kind)) (fired int) { panic("todo") }

// NextDue is the tick at which Advance has something to do at the earliest; ok is false when the wheel is empty.
func (w Wheel) NextDue(a *Arena) (tick uint64, ok bool) { panic("todo") }
