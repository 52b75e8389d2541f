package shm

// Usage is what core.shmmem prints. All but Fragments are bytes.
type Usage struct {
	Total       uint64 // size of the arena
	Free        uint64 // Total - RealUsed
	Used        uint64 // in blocks, rounded up to 16, without headers
	RealUsed    uint64 // in blocks with headers, and the arena's own tables
	MaxUsed     uint64 // the most that RealUsed ever was
	Fragments   uint64 // free blocks
	LargestFree uint64 // the most that one Alloc can get
}

// Usage reads the allocator's sums under its lock.
func (a *Arena) Usage() Usage {
	a.lockHeap()
	hp := &a.h.heap
	u := Usage{Total: a.size, Free: a.size - hp.real, Used: hp.used, RealUsed: hp.real, MaxUsed: hp.maxReal, Fragments: uint64(hp.frags)}
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
