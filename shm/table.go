package shm

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Link is the intrusive list link of a table entry; it must be the first field of the entry's struct.
type Link struct {
	Next, Prev Off
	Table      Off // the table it stands in, 0 when in none
	Bucket     uint32
	_          uint32
}

// Table is a fixed-size hash table of intrusive lists: buckets each with its Mutex, head, tail and count.
// A dead owner's bucket is repaired (links rebuilt from Next) by the next Lock.
type Table struct {
	off Off
	n   uint32 // buckets
}

type tableHead struct {
	object
	n uint32
	_ [44]byte
	// then n buckets
}

type bucket struct {
	lock       Mutex
	head, tail Off
	count      uint32
	_          uint32
}

const (
	headSize   = unsafe.Sizeof(tableHead{})
	bucketSize = unsafe.Sizeof(bucket{})
	linkSize   = unsafe.Sizeof(Link{})
)

// NewTable makes a table of n buckets (a power of two, at most 2^24) owned by tag; OpenTable finds one by its offset (kept in a root).
func NewTable(a *Arena, n int, t Tag) (Table, error) {
	if n < 1 || n > 1<<24 || n&(n-1) != 0 {
		return Table{}, fmt.Errorf("shm: table of %d buckets: %w", n, ErrSize)
	}
	size := int(headSize) + n*int(bucketSize)
	o, err := a.Alloc(size, t)
	if err != nil {
		return Table{}, err
	}
	clear(a.Bytes(o))
	tb := Table{o, uint32(n)}
	h := tb.head(a)
	h.magic = magicTable
	h.n = tb.n
	tb.SetClass(a, ClassBucket)
	a.register(o)
	return tb, nil
}

// OpenTable is the table at o; ErrNotThere when there is none.
func OpenTable(a *Arena, o Off) (Table, error) {
	if err := a.object(o, magicTable, headSize); err != nil {
		return Table{}, err
	}
	return Table{o, (*tableHead)(a.at(o, headSize)).n}, nil
}

// Free gives back the table, which must be empty and in nobody's use.
func (t Table) Free(a *Arena) {
	if n := t.Count(a); n != 0 {
		panic(fmt.Sprintf("shm: free of a table at offset %#x with %d entries", uint64(t.off), n))
	}
	a.unregister(t.off)
	a.Free(t.off)
}

// SetClass sets the class of the buckets' locks, before the table is used.
func (t Table) SetClass(a *Arena, c Class) {
	for i := range t.Size() {
		t.bucket(a, i).lock.SetClass(c)
	}
}

func (t Table) head(a *Arena) *tableHead { return (*tableHead)(a.at(t.off, headSize)) }

func (t Table) bucket(a *Arena, i int) *bucket {
	if uint(i) >= uint(t.n) {
		t.noBucket(i)
	}
	return (*bucket)(a.at(t.off+Off(headSize)+Off(i)*Off(bucketSize), bucketSize))
}

//go:noinline
func (t Table) noBucket(i int) {
	panic(fmt.Sprintf("shm: bucket %d of %d in the table at offset %#x", i, t.n, uint64(t.off)))
}

func (a *Arena) link(o Off) *Link { return (*Link)(a.at(o, linkSize)) }

// Off is what OpenTable takes.
func (t Table) Off() Off { return t.off }

// Size is the number of buckets.
func (t Table) Size() int { return int(t.n) }

// Lock takes the bucket's lock and repairs its list when the last owner died in it.
func (t Table) Lock(a *Arena, bucket int) {
	if a.Lock(&t.bucket(a, bucket).lock) {
		t.repair(a, bucket)
	}
}

func (t Table) Unlock(a *Arena, bucket int) { a.Unlock(&t.bucket(a, bucket).lock) }

// Insert puts the entry at o, which is in no table and has a Link as its first field, at the head; bucket locked by the caller.
func (t Table) Insert(a *Arena, bucket int, o Off) {
	b, l := t.bucket(a, bucket), a.link(o)
	t.claim(l, bucket, o)
	l.Next, l.Prev = b.head, 0
	old := b.head
	b.head = o // makes it an entry
	if old != 0 {
		a.link(old).Prev = o
	} else {
		b.tail = o
	}
	b.count++
}

// Append puts the entry at o at the tail; as Insert otherwise.
func (t Table) Append(a *Arena, bucket int, o Off) {
	b, l := t.bucket(a, bucket), a.link(o)
	t.claim(l, bucket, o)
	l.Next, l.Prev = 0, b.tail
	if b.tail != 0 {
		a.link(b.tail).Next = o // makes it an entry
	} else {
		b.head = o // makes it an entry
	}
	b.tail = o
	b.count++
}

func (t Table) claim(l *Link, bucket int, o Off) {
	if l.Table != 0 {
		panic(fmt.Sprintf("shm: entry at offset %#x already stands in the table at %#x", uint64(o), uint64(l.Table)))
	}
	l.Table, l.Bucket = t.off, uint32(bucket)
}

// Remove takes the entry at o out of its bucket, locked by the caller. The entry itself is the caller's.
func (t Table) Remove(a *Arena, o Off) {
	l := a.link(o)
	if l.Table != t.off {
		panic(fmt.Sprintf("shm: entry at offset %#x stands in the table at %#x, not in that at %#x", uint64(o), uint64(l.Table), uint64(t.off)))
	}
	b := t.bucket(a, int(l.Bucket))
	if l.Prev != 0 {
		a.link(l.Prev).Next = l.Next // takes it out
	} else {
		b.head = l.Next // takes it out
	}
	if l.Next != 0 {
		a.link(l.Next).Prev = l.Prev
	} else {
		b.tail = l.Prev
	}
	b.count--
	l.Table, l.Next, l.Prev = 0, 0, 0
}

// First is the entry at the head, 0 when the bucket is empty; bucket locked by the caller.
func (t Table) First(a *Arena, bucket int) Off { return t.bucket(a, bucket).head }

// Next is the entry behind o, 0 at the end; bucket locked by the caller.
func (t Table) Next(a *Arena, o Off) Off { return a.link(o).Next }

// Len is the number of entries of a bucket; bucket locked by the caller.
func (t Table) Len(a *Arena, bucket int) int { return int(t.bucket(a, bucket).count) }

// Count is the sum over all buckets, read without locks: exact when nobody writes.
func (t Table) Count(a *Arena) int {
	n := 0
	for i := range t.Size() {
		n += int(atomic.LoadUint32(&t.bucket(a, i).count))
	}
	return n
}

// repair makes Prev, tail and count agree with head and Next. A Next that leads nowhere ends the list: what was behind it cannot be found.
func (t Table) repair(a *Arena, bucket int) {
	b := t.bucket(a, bucket)
	b.tail, b.count = 0, 0
	most := a.size / unit // more entries than blocks: the list runs in a circle
	for p := &b.head; *p != 0; {
		o := *p
		if uint64(o) > a.size-uint64(linkSize) || uint64(b.count) > most {
			*p = 0
			break
		}
		l := a.link(o)
		l.Prev, l.Table, l.Bucket = b.tail, t.off, uint32(bucket)
		b.tail = o
		b.count++
		p = &l.Next
	}
}
