package shm

import (
	"math/bits"
	"unsafe"
)

// qm follows Kamailio's q_malloc: best fit, and a guard word behind what was asked for.

const (
	guardLen = 4
	guardKey = 0xc0dedead
	exact    = 1024 // units: up to here qm and fm have a list for each size
	qmSteps  = 4    // bits: above, qm divides each doubling in 16
)

func qmBin(size uint32) int {
	if size < exact {
		return int(size)
	}
	fl := bits.Len32(size) - bits.Len32(exact)
	return exact + fl<<qmSteps + int(size>>(uint(fl)+uint(bits.Len32(exact))-1-qmSteps))&(1<<qmSteps-1)
}

func (a *Arena) qmFind(size uint32) uint32 {
	bn := &a.h.heap.bins
	i := bn.from(qmBin(size))
	if i < 0 {
		return 0
	}
	if i < exact {
		return bn.heads[i]
	}
	if u := a.bestFit(i, size, longScan); u != 0 {
		return u
	}
	if j := bn.from(i + 1); j >= 0 {
		return a.bestFit(j, size, longScan)
	}
	return a.firstFit(i, size, int(a.h.heap.frags))
}

// guard is the word behind the block at u: it depends on the place, so that a copied guard is no guard.
func guard(u uint32) uint32 { return guardKey ^ u*0x9e3779b1 }

func (a *Arena) setGuard(u uint32, b *freeBlock) {
	*(*[guardLen]byte)(unsafe.Add(unsafe.Pointer(b), unit+uintptr(b.len))) = le32(guard(u))
}

func (a *Arena) guardOK(u uint32, b *freeBlock) bool {
	return uint64(b.len)+unit+guardLen <= uint64(b.size)*unit &&
		*(*[guardLen]byte)(unsafe.Add(unsafe.Pointer(b), unit+uintptr(b.len))) == le32(guard(u))
}

func le32(v uint32) [guardLen]byte {
	return [guardLen]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
}
