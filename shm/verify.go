package shm

import (
	"fmt"
	"math/bits"
	"unsafe"
)

const maxFaults = 100 // that Verify lists

// faults collects what Verify finds.
type faults []error

func (f *faults) add(format string, args ...any) {
	if len(*f) < maxFaults {
		*f = append(*f, fmt.Errorf("shm: verify: "+format, args...))
	}
}

// Verify walks the whole arena (headers, free lists, guards, ledger sums under the allocator's lock; then roots, and tables, wheels and rings,
// each under its own locks, and swap tables as a reader) and returns every fault that it finds, at most 100. It may run in a live server, where it keeps the allocator's lock for
// some 5 ms per 100,000 blocks. The caller holds no lock of the arena.
func (a *Arena) Verify() []error {
	var f faults
	a.lockHeap()
	a.verifyHeap(&f)
	a.unlockHeap()
	if len(f) == 0 { // what is built of blocks cannot be trusted when they are not sound
		a.verifyObjects(&f)
		a.eachSwap(func(h *swapHead) { a.verifySwap(&f, h) })
	}
	return f
}

func (a *Arena) verifyHeap(f *faults) {
	h := a.h
	hp := &h.heap
	var rows [maxTags]tagRow
	var sizes [sizeClasses]sizeRow
	var used, frags uint64
	real := hp.overhead
	below, wasFree := uint32(0), false
	u := hp.start
	for u < hp.end {
		b := a.blk(u)
		at := (uint64(u) + 1) * unit
		if b.size < minBlock || u+b.size > hp.end || u+b.size < u {
			f.add("block at %#x: size %d reaches beyond the heap", at, uint64(b.size)*unit)
			return
		}
		if b.below != below {
			f.add("block at %#x: size of the block below is %d, header says %d", at, uint64(below)*unit, uint64(b.below)*unit)
		}
		switch b.state {
		case stateFree:
			if wasFree {
				f.add("block at %#x: free, and so is the block below", at)
			}
			frags++
		case stateUsed:
			if uint32(b.tag) >= h.nTags {
				f.add("block at %#x: tag is %s", at, a.tagName(b.tag))
				break
			}
			if uint64(b.len)+unit > uint64(b.size)*unit {
				f.add("block at %#x: length %d in %d bytes", at, b.len, uint64(b.size)*unit)
			} else if a.kind == QM && !a.guardOK(u, b) {
				f.add("block at %#x (%s, %d bytes): was written beyond its end", at, a.tagName(b.tag), b.len)
			}
			size := uint64(b.size) * unit
			used += size - unit
			real += size
			rows[b.tag].blocks++
			rows[b.tag].bytes += size
			class := &sizes[bits.Len32(b.size-1)]
			class.blocks++
			class.bytes += size
		default:
			f.add("block at %#x: state is %#x", at, b.state)
			return
		}
		below, wasFree = b.size, b.state == stateFree
		u += b.size
	}
	if e := a.blk(hp.end); e.state != stateEnd || e.below != below {
		f.add("end of the heap: state %#x, size of the block below %d", e.state, uint64(e.below)*unit)
	}
	if used != hp.used || real != hp.real || frags != uint64(hp.frags) {
		f.add("used %d, real used %d, fragments %d, while the blocks give %d, %d, %d", hp.used, hp.real, hp.frags, used, real, frags)
	}
	for i := range h.tags {
		if r := &h.tags[i]; r.blocks != rows[i].blocks || r.bytes != rows[i].bytes {
			f.add("ledger of %s: %d blocks of %d bytes, while the blocks give %d of %d", a.tagName(Tag(i)), r.blocks, r.bytes, rows[i].blocks, rows[i].bytes)
		}
	}
	for i := range sizes {
		if sizes[i] != hp.sizes[i] {
			f.add("ledger of sizes up to %d: %d blocks of %d bytes, while the blocks give %d of %d", unit<<i, hp.sizes[i].blocks, hp.sizes[i].bytes, sizes[i].blocks, sizes[i].bytes)
		}
	}
	a.verifyBins(f, frags)
}

func (a *Arena) verifyBins(f *faults, frags uint64) {
	hp := &a.h.heap
	seen := uint64(0)
	for i, head := range hp.bins.heads {
		w := hp.bins.words[i>>6]
		if bit := w>>(i&63)&1 != 0; bit != (head != 0) || (w != 0) != (hp.bins.top>>(i>>6)&1 != 0) {
			f.add("list %d: head %#x, bitmap %#x under %#x", i, head, w, hp.bins.top)
		}
		prev := uint32(0)
		for u := head; u != 0; {
			if u < hp.start || u >= hp.end || seen == frags {
				f.add("list %d: leads to %#x, which is no free block, or runs in a circle", i, uint64(u)*unit)
				return
			}
			b := a.blk(u)
			if b.state != stateFree || b.prev != prev || a.binOf(b.size) != i {
				f.add("list %d: block at %#x with state %#x, size %d, link back %#x does not belong here", i, (uint64(u)+1)*unit, b.state, uint64(b.size)*unit, b.prev)
				return
			}
			seen++
			prev, u = u, b.next
		}
	}
	if seen != frags {
		f.add("%d free blocks, of which %d are in lists", frags, seen)
	}
}

func (a *Arena) verifyObjects(f *faults) {
	h := a.h
	a.Lock(&h.reg)
	for i := range h.roots[:h.nRoots] {
		r := &h.roots[i]
		if b := a.used(r.off); b == nil || uint64(b.len) < r.size {
			f.add("root %q: there is no block of %d bytes at %#x", cstr(r.name[:]), r.size, uint64(r.off))
		}
	}
	var objects []Off // visited without the registry's lock, which comes behind the buckets' in the order
	for o := h.objects; o != 0; {
		if a.used(o) == nil || uint64(len(objects)) > a.size/unit {
			f.add("objects: there is no block at %#x, or they run in a circle", uint64(o))
			break
		}
		objects = append(objects, o)
		o = (*object)(a.at(o, unsafe.Sizeof(object{}))).next
	}
	a.Unlock(&h.reg)
	for _, o := range objects {
		b := a.used(o)
		if b == nil {
			continue // freed meanwhile
		}
		switch obj := (*object)(a.at(o, unsafe.Sizeof(object{}))); obj.magic {
		case magicTable:
			if t, err := OpenTable(a, o); err == nil {
				t.verify(a, f)
			}
		case magicRing:
			Ring{o}.verify(a, f)
		case magicWheel:
			Wheel{o}.verify(a, f)
		case 0: // being freed
		default:
			f.add("object at %#x: kind is %#x", uint64(o), obj.magic)
		}
	}
}

// inUsed says whether size bytes at o can lie in a used block: for entries, which begin their block.
func (a *Arena) inUsed(o Off, size uintptr) bool {
	b := a.used(o)
	return b != nil && uintptr(b.len) >= size
}

func (t Table) verify(a *Arena, f *faults) {
	for i := range t.Size() {
		t.Lock(a, i)
		b := t.bucket(a, i)
		prev, n := Off(0), uint32(0)
		for o := b.head; o != 0; {
			if !a.inUsed(o, linkSize) || n > b.count {
				f.add("table at %#x, bucket %d: leads to %#x, which is no entry, or runs in a circle", uint64(t.off), i, uint64(o))
				break
			}
			l := a.link(o)
			if l.Prev != prev || l.Table != t.off || l.Bucket != uint32(i) {
				f.add("table at %#x, bucket %d: entry %#x says previous %#x, table %#x, bucket %d", uint64(t.off), i, uint64(o), uint64(l.Prev), uint64(l.Table), l.Bucket)
			}
			n++
			prev, o = o, l.Next
		}
		if n != b.count || prev != b.tail {
			f.add("table at %#x, bucket %d: count %d, tail %#x, while the list gives %d, %#x", uint64(t.off), i, b.count, uint64(b.tail), n, uint64(prev))
		}
		t.Unlock(a, i)
	}
}

func (r Ring) verify(a *Arena, f *faults) {
	h := r.headOf(a)
	if a.Lock(&h.lock) {
		h.ring = 1
	}
	if n := h.tail - h.head; n > h.size || h.tail%8 != 0 || h.head%8 != 0 {
		f.add("ring at %#x: from %d to %d in %d bytes", uint64(r.off), h.head, h.tail, h.size)
	}
	a.Unlock(&h.lock)
}

func (w Wheel) verify(a *Arena, f *faults) {
	h := w.lock(a)
	defer a.Unlock(&h.lock)
	n := uint64(0)
	for i := range h.lists {
		l := &h.lists[i]
		if i != listLate && (h.words[i>>wheelBits]>>(i&(wheelSlots-1))&1 != 0) != (l.head != 0) {
			f.add("wheel at %#x, list %d: head %#x, bitmap %#x", uint64(w.off), i, uint64(l.head), h.words[i>>wheelBits])
		}
		prev := Off(0)
		for o := l.head; o != 0; {
			if uint64(o) > a.size-uint64(timerSize) || n > h.count {
				f.add("wheel at %#x, list %d: leads to %#x, which is no timer, or runs in a circle", uint64(w.off), i, uint64(o))
				return
			}
			t := a.timer(o)
			if t.on() != w.off || t.prev != prev || int(t.list) != i || i != listLate && h.home(t.expires) != i {
				f.add("wheel at %#x, list %d: timer %#x says wheel %#x, list %d, previous %#x, tick %d; now is %d",
					uint64(w.off), i, uint64(o), uint64(t.on()), t.list, uint64(t.prev), t.expires, h.now)
			}
			n++
			prev, o = o, t.next
		}
		if prev != l.tail {
			f.add("wheel at %#x, list %d: tail %#x, while the list gives %#x", uint64(w.off), i, uint64(l.tail), uint64(prev))
		}
	}
	if n != h.count {
		f.add("wheel at %#x: count %d, while the lists give %d", uint64(w.off), h.count, n)
	}
}
