package shm

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Counters are per-process rows summed by the reader. Names are registered in main; Seal fixes the number of rows and
// allocates the matrix before children start. Each row begins on its own cache line.
// A row belongs to a slot, not to a process: a dead process's successor counts on.
type Counters struct {
	a     *Arena
	root  *countersRoot
	names []counterName
	index map[counterName]Counter
	row   []int64 // own row; before Seal a slice of main's
	base  []int64 // what Reset took off
}

// Counter is the number of a counter.
type Counter int32

type counterName struct{ group, name string }

// countersRoot is the root "counters".
type countersRoot struct {
	sealed uint32 // 1 when all else is there
	procs  uint32 // rows
	stride uint32 // bytes from row to row
	room   uint32 // counters that fit in a row
	names  Off    // their number in 4 bytes, then for each: length and bytes of group, length and bytes of name; lengths of 2 bytes
	cells  Off    // base row, then procs rows; on a cache line
	block  Off    // the block that cells lies in
}

const cacheLine = 64

// spareCounters is how many counters may be registered after Seal.
const spareCounters = 128

// NewCounters is, in main, an empty set to Register into, and, in children, the set that main has sealed. It panics when the arena's counters are
// of another layout, when there is no memory for their root, or when this process's slot has no row.
func NewCounters(a *Arena) *Counters {
	r, _, err := Root[countersRoot](a, "counters")
	if err != nil {
		panic(err)
	}
	c := &Counters{a: a, root: r.Get(a), index: make(map[counterName]Counter)}
	if atomic.LoadUint32(&c.root.sealed) == 0 {
		return c
	}
	b := a.Bytes(Off(atomic.LoadUint64((*uint64)(&c.root.names))))
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	next := func() (s string) {
		n := int(binary.LittleEndian.Uint16(b))
		s, b = string(b[2:2+n]), b[2+n:]
		return s
	}
	for range n {
		c.add(counterName{next(), next()})
	}
	c.find()
	return c
}

func (c *Counters) add(n counterName) Counter {
	k := Counter(len(c.names))
	c.names = append(c.names, n)
	c.index[n] = k
	return k
}

// find looks the own row and the base row up.
func (c *Counters) find() {
	if c.a.slot >= int(c.root.procs) {
		panic(fmt.Sprintf("shm: slot %d has no row of counters, there are %d", c.a.slot, c.root.procs))
	}
	c.base, c.row = c.cells(0), c.cells(c.a.slot+1)
}

func (c *Counters) cells(row int) []int64 {
	n := uintptr(len(c.names))
	p := c.a.at(c.root.cells+Off(row)*Off(c.root.stride), n*8)
	return unsafe.Slice((*int64)(p), n)
}

// Register makes the counter name of group, or finds it. It is called in main only; after Seal there is room for some more, then ErrSealed. Names have 1 to 65535 bytes.
func (c *Counters) Register(group, name string) (Counter, error) {
	if k, ok := c.Lookup(group, name); ok {
		return k, nil
	}
	if group == "" || name == "" || len(group) > 1<<16-1 || len(name) > 1<<16-1 {
		return -1, fmt.Errorf("shm: counter %q %q: %w", group, name, ErrName)
	}
	if c.base != nil {
		return c.late(counterName{group, name})
	}
	c.row = append(c.row, 0)
	return c.add(counterName{group, name}), nil
}

// late adds a counter after Seal: there is room for some (a new configuration may load modules). Processes see it with their next NewCounters.
func (c *Counters) late(n counterName) (Counter, error) {
	if len(c.names) >= int(c.root.room) {
		return -1, fmt.Errorf("shm: counter %q %q: %w", n.group, n.name, ErrSealed)
	}
	k := c.add(n)
	b := c.encodeNames()
	o, err := c.a.Alloc(len(b), c.a.TagFor("core", "counters"))
	if err != nil {
		c.names = c.names[:k]
		delete(c.index, n)
		return -1, fmt.Errorf("shm: counter %q %q: %w", n.group, n.name, err)
	}
	copy(c.a.Bytes(o), b)
	// The old list is not freed: a process that begins at this moment may be reading it. It is some kilobytes for each module that is added later.
	atomic.StoreUint64((*uint64)(&c.root.names), uint64(o))
	c.find()
	return k, nil
}

func (c *Counters) encodeNames() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(c.names)))
	for _, n := range c.names {
		b = appendName(b, n)
	}
	return b
}

func appendName(b []byte, n counterName) []byte {
	b = append(binary.LittleEndian.AppendUint16(b, uint16(len(n.group))), n.group...)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(n.name))), n.name...)
}

func (c *Counters) Lookup(group, name string) (Counter, bool) {
	k, ok := c.index[counterName{group, name}]
	return k, ok
}

// Seal makes rows for the slots 0 to procs-1. What main counted before goes into its row. It is called once, in main.
func (c *Counters) Seal(procs int) error {
	if c.base != nil {
		return fmt.Errorf("shm: seal: %w", ErrSealed)
	}
	if procs < 1 || procs > maxSlots {
		return fmt.Errorf("shm: counters for %d processes: %w", procs, ErrSize)
	}
	b := c.encodeNames()
	t := c.a.TagFor("core", "counters")
	names, err := c.a.Alloc(len(b), t)
	if err != nil {
		return fmt.Errorf("shm: names of %d counters: %w", len(c.names), err)
	}
	copy(c.a.Bytes(names), b)
	room := len(c.names) + spareCounters
	stride := (room*8 + cacheLine - 1) &^ (cacheLine - 1)
	cells, err := c.a.Alloc(stride*(procs+1)+cacheLine, t)
	if err != nil {
		c.a.Free(names)
		return fmt.Errorf("shm: %d rows of %d counters: %w", procs, len(c.names), err)
	}
	clear(c.a.Bytes(cells))
	r := c.root
	r.procs, r.stride, r.room = uint32(procs), uint32(stride), uint32(room)
	r.names, r.block, r.cells = names, cells, (cells+cacheLine-1)&^(cacheLine-1)
	before := c.row
	c.find()
	copy(c.row, before)
	atomic.StoreUint32(&r.sealed, 1)
	return nil
}

// Add counts n in the own row; one add, no lock.
func (c *Counters) Add(k Counter, n int64) { atomic.AddInt64(&c.row[k], n) }

// Sum is what all processes counted since the last Reset.
func (c *Counters) Sum(k Counter) int64 {
	if c.base == nil {
		return c.row[k]
	}
	return c.total(k) - atomic.LoadInt64(&c.base[k])
}

func (c *Counters) total(k Counter) (n int64) {
	for i := range int(c.root.procs) {
		n += atomic.LoadInt64(&c.cells(i + 1)[k])
	}
	return n
}

// Reset makes Sum begin at 0 again. The rows are not touched: others are adding to them.
func (c *Counters) Reset(k Counter) {
	if c.base == nil {
		c.row[k] = 0
		return
	}
	atomic.StoreInt64(&c.base[k], c.total(k))
}

// Each calls f for every counter in the order of registration until it returns false.
func (c *Counters) Each(f func(group, name string, k Counter) bool) {
	for k, n := range c.names {
		if !f(n.group, n.name, Counter(k)) {
			return
		}
	}
}
