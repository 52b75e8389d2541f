package shm

import "math/bits"

const (
	maxBins  = 4096
	longScan = 64 // entries of one list that are looked at before a list with larger blocks is taken
)

// bins are the free lists under a bitmap of two levels: bit w of top is set when words[w] has a bit, bit i of words[w] when list
// 64*w+i has a block. What size goes into which list is the allocator's matter (qm.go, fm.go, tlsf.go).
type bins struct {
	top   uint64
	words [maxBins / 64]uint64
	heads [maxBins]uint32
}

// from is the first list at or after i that has a block, -1 when none has.
func (b *bins) from(i int) int {
	if i >= maxBins {
		return -1
	}
	w := uint(i) >> 6
	if m := b.words[w&63] &^ (1<<(uint(i)&63) - 1); m != 0 {
		return int(w<<6) + bits.TrailingZeros64(m)
	}
	m := b.top &^ (2<<w - 1) // a shift by 64 leaves none
	if m == 0 {
		return -1
	}
	w = uint(bits.TrailingZeros64(m))
	return int(w<<6) + bits.TrailingZeros64(b.words[w&63])
}

// last is the last list that has a block, -1 when none has.
func (b *bins) last() int {
	if b.top == 0 {
		return -1
	}
	w := 63 - bits.LeadingZeros64(b.top)
	return w<<6 + 63 - bits.LeadingZeros64(b.words[w])
}

// binOf is the list for a free block of size units.
func (a *Arena) binOf(size uint32) int {
	switch a.kind {
	case QM:
		return qmBin(size)
	case FM:
		return fmBin(size)
	}
	return tlsfBin(size)
}

// find is the free block that the allocator gives for size units; it stays in its list. 0 when there is none.
func (a *Arena) find(size uint32) uint32 {
	switch a.kind {
	case QM:
		return a.qmFind(size)
	case FM:
		return a.fmFind(size)
	}
	return a.tlsfFind(size)
}

// binInsert puts the free block u at the head of its list: what was freed last is still in the cache.
func (a *Arena) binInsert(u uint32) {
	hp := &a.h.heap
	b := a.blk(u)
	i := a.binOf(b.size) & (maxBins - 1)
	head := hp.bins.heads[i]
	b.next, b.prev = head, 0
	if head != 0 {
		a.blk(head).prev = u
	} else {
		hp.bins.words[i>>6] |= 1 << (i & 63)
		hp.bins.top |= 1 << (i >> 6)
	}
	hp.bins.heads[i] = u
	hp.frags++
}

// binRemove takes the free block u out of its list. Links that do not fit together mean that somebody wrote into a free block.
func (a *Arena) binRemove(u uint32) {
	hp := &a.h.heap
	b := a.blk(u)
	if b.next != 0 {
		n := a.blk(b.next)
		if n.prev != u {
			a.broken(u, "was written to while it was free")
		}
		n.prev = b.prev
	}
	if b.prev != 0 {
		p := a.blk(b.prev)
		if p.next != u {
			a.broken(u, "was written to while it was free")
		}
		p.next = b.next
	} else {
		i := a.binOf(b.size) & (maxBins - 1)
		if hp.bins.heads[i] != u {
			a.broken(u, "was written to while it was free")
		}
		hp.bins.heads[i] = b.next
		if b.next == 0 {
			hp.bins.words[i>>6] &^= 1 << (i & 63)
			if hp.bins.words[i>>6] == 0 {
				hp.bins.top &^= 1 << (i >> 6)
			}
		}
	}
	hp.frags--
}

// firstFit is the first block of list i with at least size units among the first most entries.
func (a *Arena) firstFit(i int, size uint32, most int) uint32 {
	for u := a.h.heap.bins.heads[i]; u != 0 && most > 0; most-- {
		b := a.blk(u)
		if b.size >= size {
			return u
		}
		u = b.next
	}
	return 0
}

// bestFit is the smallest block of list i with at least size units among the first most entries.
func (a *Arena) bestFit(i int, size uint32, most int) uint32 {
	best, least := uint32(0), ^uint32(0)
	for u := a.h.heap.bins.heads[i]; u != 0 && most > 0; most-- {
		b := a.blk(u)
		if b.size >= size && b.size < least {
			best, least = u, b.size
			if least == size {
				break
			}
		}
		u = b.next
	}
	return best
}
