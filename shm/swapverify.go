package shm

import "unsafe"

// verifySwap looks at the present generation as a reader does.
func (a *Arena) verifySwap(f *faults, h *swapHead) {
	o, pin := a.pin(&h.cur)
	if o == 0 {
		return
	}
	defer a.unpin(pin)
	name := a.tagName(h.tag)
	if !a.inUsed(o, generationSize) {
		f.add("swap table %s: there is no generation at %#x", name, uint64(o))
		return
	}
	g := a.generation(o)
	rows := uint64(0)
	most := a.size / unit
	for c, n := g.chunks, uint64(0); c != 0; n++ {
		b := a.used(c)
		if b == nil || b.tag != h.tag || uintptr(b.len) < chunkSize || n > most {
			f.add("swap table %s: there is no chunk at %#x, or they run in a circle", name, uint64(c))
			return
		}
		k := a.chunk(c)
		if k.used > b.len || k.kind < chunkRecords || k.kind > chunkIndex {
			f.add("swap table %s: chunk at %#x: %d of %d bytes used, kind %d", name, uint64(c), k.used, b.len, k.kind)
			return
		}
		for at := uint32(chunkSize); k.kind == chunkRecords && at < k.used; {
			r := a.record(c + Off(at))
			if r.size%unit != 0 || uintptr(r.size) < recordSize || r.size > k.used-at || uint64(r.next)*unit > a.size-uint64(recordSize) {
				f.add("swap table %s: record at %#x: size %d, next %#x", name, uint64(c)+uint64(at), r.size, uint64(r.next)*unit)
				return
			}
			rows++
			at += r.size
		}
		c = k.next
	}
	if rows != g.rows {
		f.add("swap table %s: %d rows, while the chunks give %d", name, g.rows, rows)
		return
	}
	a.verifyIndex(f, name, g)
}

// verifyIndex wants every record in its bucket.
func (a *Arena) verifyIndex(f *faults, name string, g *generation) {
	if a.used(g.dir-Off(chunkSize)) == nil {
		f.add("swap table %s: there is no index at %#x", name, uint64(g.dir))
		return
	}
	found := uint64(0)
	for b := uint64(0); b <= uint64(g.mask); b++ {
		piece := *(*Off)(a.at(g.dir+Off(b>>pieceBits)*8, unsafe.Sizeof(Off(0))))
		if a.used(piece-Off(chunkSize)) == nil {
			f.add("swap table %s: there is no piece %d of the index at %#x", name, b>>pieceBits, uint64(piece))
			return
		}
		for u := *g.bucket(a, uint32(b)); u != 0; found++ {
			if uint64(u)*unit > a.size-uint64(recordSize) || found > g.rows {
				f.add("swap table %s: bucket %d leads to %#x, or runs in a circle", name, b, uint64(u)*unit)
				return
			}
			r := a.record(Off(u) * unit)
			if uint64(r.hash&g.mask) != b {
				f.add("swap table %s: record at %#x with hash %#x stands in bucket %d", name, uint64(u)*unit, r.hash, b)
			}
			u = r.next
		}
	}
	if found != g.rows {
		f.add("swap table %s: %d rows, of which the index has %d", name, g.rows, found)
	}
}
