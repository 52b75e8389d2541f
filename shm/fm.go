package shm

import "math/bits"

// fm follows Kamailio's f_malloc: lists by size, the first that fits.

func fmBin(size uint32) int {
	if size < exact {
		return int(size)
	}
	return exact + bits.Len32(size) - bits.Len32(exact)
}

func (a *Arena) fmFind(size uint32) uint32 {
	bn := &a.h.heap.bins
	i := bn.from(fmBin(size))
	if i < 0 {
		return 0
	}
	if i < exact {
		return bn.heads[i]
	}
	if u := a.firstFit(i, size, longScan); u != 0 {
		return u
	}
	if j := bn.from(i + 1); j >= 0 {
		return bn.heads[j]
	}
	return a.firstFit(i, size, int(a.h.heap.frags))
}
