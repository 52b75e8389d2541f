package shm

import "math/bits"

// tlsf is the two-level segregated fit of Masmano et al. (2004) with 64 lists to a doubling, so that the words of the bitmap are its second level.

const tlsfSteps = 6 // bits

func tlsfBin(size uint32) int {
	if size < 1<<tlsfSteps {
		return int(size)
	}
	fl := bits.Len32(size) - tlsfSteps
	return fl<<tlsfSteps + int(size>>(uint(fl)-1))&(1<<tlsfSteps-1)
}

func (a *Arena) tlsfFind(size uint32) uint32 {
	bn := &a.h.heap.bins
	up := uint64(size)
	if size >= 2<<tlsfSteps {
		// A block of the same size freed before stands at the head of its own list, which the search proper does not look at.
		if u := bn.heads[tlsfBin(size)]; u != 0 && a.blk(u).size >= size {
			return u
		}
		up += 1<<(bits.Len32(size)-tlsfSteps-1) - 1 // to the next list all of whose blocks fit
	}
	if up <= 1<<32-1 {
		if i := bn.from(tlsfBin(uint32(up))); i >= 0 {
			return bn.heads[i]
		}
	}
	// Almost out of memory: the list that size itself falls into may still have a block that is large enough.
	return a.firstFit(tlsfBin(size), size, 4*longScan)
}
