package shm

// Usage is what core.shmmem prints. All but Fragments and Refused are bytes.
type Usage struct {
	Total       uint64 // size of the arena
	Free        uint64 // Total - RealUsed
	Used        uint64 // in blocks, rounded up to 16, without headers
	RealUsed    uint64 // in blocks with headers, and the arena's own tables
	MaxUsed     uint64 // the most that RealUsed ever was
	Fragments   uint64 // free blocks
	LargestFree uint64 // the most that one Alloc can get
	Reserve     uint64 // what AllocUnreserved leaves free
	Refused     uint64 // times that AllocUnreserved refused
}

// Allocator is the allocator of the arena.
func (a *Arena) Allocator() Allocator { return Allocator(a.h.kind) }

// Usage reads the allocator's sums under its lock.
func (a *Arena) Usage() Usage {
	a.lockHeap()
	hp := &a.h.heap
	u := Usage{Total: a.size, Free: a.size - hp.real, Used: hp.used, RealUsed: hp.real, MaxUsed: hp.maxReal, Fragments: uint64(hp.frags),
		Reserve: hp.reserve, Refused: hp.refused}
	if i := hp.bins.last(); i >= 0 {
		var most uint32
		for n := hp.bins.heads[i]; n != 0; n = a.blk(n).next {
			most = max(most, a.blk(n).size)
		}
		u.LargestFree = uint64(most-1) * unit
		if a.kind == QM {
			u.LargestFree -= guardLen
		}
	}
	a.unlockHeap()
	return u
}

// TagUsage is one row of the ledger. Bytes are those of whole blocks, headers included: what the tag takes from the arena.
type TagUsage struct {
	Module, Kind  string
	Blocks, Bytes uint64
}

// Ledger is the use by tag, in the order in which the tags were registered, all of one moment.
func (a *Arena) Ledger() []TagUsage {
	h := a.h
	rows := make([]TagUsage, maxTags)
	a.lockHeap()
	n := int(h.nTags)
	for i := range n {
		rows[i].Blocks, rows[i].Bytes = h.tags[i].blocks, h.tags[i].bytes
	}
	a.unlockHeap()
	for i := range n {
		rows[i].Module, rows[i].Kind = cstr(h.tags[i].module[:]), cstr(h.tags[i].kind[:])
	}
	return rows[:n]
}

// SizeUsage is the use by blocks of more than Max/2 and at most Max bytes, headers included.
type SizeUsage struct{ Max, Blocks, Bytes uint64 }

// Sizes is the use by size class, smallest first, of one moment; classes without a block are left out.
func (a *Arena) Sizes() []SizeUsage {
	var l []SizeUsage
	a.lockHeap()
	sizes := a.h.heap.sizes
	a.unlockHeap()
	for i, r := range sizes {
		if r.blocks > 0 {
			l = append(l, SizeUsage{unit << i, r.blocks, r.bytes})
		}
	}
	return l
}

// SetReserve keeps percent (0 to 100) of the arena from AllocUnreserved.
func (a *Arena) SetReserve(percent int) {
	a.lockHeap()
	a.h.heap.reserve = a.size / 100 * uint64(percent)
	a.unlockHeap()
}
