package shm

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// model is what a test believes to be allocated.
type model struct {
	a      *Arena
	tags   []Tag
	blocks []modelBlock
}

type modelBlock struct {
	off Off
	n   int
	key byte
	tag Tag
}

func newModel(a *Arena) *model {
	m := &model{a: a}
	for _, k := range []string{"cell", "contact", "dialog"} {
		m.tags = append(m.tags, a.TagFor("test", k))
	}
	return m
}

func (m *model) alloc(t testing.TB, n int, key byte) bool {
	t.Helper()
	tag := m.tags[int(key)%len(m.tags)]
	o, err := m.a.Alloc(n, tag)
	if err == ErrNoMemory {
		return false
	}
	if err != nil {
		t.Fatalf("alloc of %d: %v", n, err)
	}
	if o%16 != 0 {
		t.Fatalf("alloc of %d: offset %#x is not aligned", n, o)
	}
	b := m.a.Bytes(o)
	if len(b) != n || cap(b) != n {
		t.Fatalf("alloc of %d: view has length %d, capacity %d", n, len(b), cap(b))
	}
	for i := range b {
		b[i] = key
	}
	m.blocks = append(m.blocks, modelBlock{o, n, key, tag})
	return true
}

func (m *model) free(t testing.TB, i int) {
	t.Helper()
	b := m.blocks[i]
	if v := m.a.Bytes(b.off); len(v) != b.n || bytes.Count(v, []byte{b.key}) != b.n {
		t.Fatalf("block of %d bytes at %#x was overwritten", b.n, b.off)
	}
	m.a.Free(b.off)
	m.blocks[i] = m.blocks[len(m.blocks)-1]
	m.blocks = m.blocks[:len(m.blocks)-1]
}

// check compares the ledger with the model.
func (m *model) check(t testing.TB) {
	t.Helper()
	blocks := make(map[string]uint64)
	for _, b := range m.blocks {
		blocks[m.a.tagName(b.tag)]++
	}
	for _, r := range m.a.Ledger() {
		if name := r.Module + "." + r.Kind; r.Module == "test" && r.Blocks != blocks[name] {
			t.Fatalf("ledger of %s: %d blocks, want %d", name, r.Blocks, blocks[name])
		}
	}
	for _, err := range m.a.Verify() {
		t.Error(err)
	}
}

func size(r *rand.Rand) int {
	switch r.IntN(10) {
	case 0:
		return 1 + r.IntN(16)
	case 1:
		return 1 + r.IntN(100_000)
	case 2:
		return 1 << r.IntN(17)
	}
	return 1 + r.IntN(2000)
}

func TestAllocRandom(t *testing.T) {
	each(t, 4<<20, func(t *testing.T, a *Arena) {
		r := random(t)
		m := newModel(a)
		before := a.Usage()
		for round := range 20 {
			for range 2000 {
				// Rounds lean to filling and to emptying in turns.
				if len(m.blocks) == 0 || r.IntN(10) < 3+4*(round&1) {
					if !m.alloc(t, size(r), byte(r.Uint32())) && len(m.blocks) == 0 {
						t.Fatal("no memory in an empty arena")
					}
				} else {
					m.free(t, r.IntN(len(m.blocks)))
				}
			}
			m.check(t)
			if t.Failed() {
				t.FailNow()
			}
		}
		for len(m.blocks) > 0 {
			m.free(t, r.IntN(len(m.blocks)))
		}
		after := a.Usage()
		before.MaxUsed, after.MaxUsed = 0, 0
		if before != after {
			t.Errorf("usage is %+v after all was freed, was %+v", after, before)
		}
	})
}

func TestAllocExhaustion(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		m := newModel(a)
		before := a.Usage()
		for m.alloc(t, 1000, 1) {
		}
		if free := a.Usage().Free; free > 1100 {
			t.Errorf("no memory while %d bytes are free", free)
		}
		for _, n := range []int{1 << 20, 1 << 40} {
			_, err := a.Alloc(n, 0)
			is(t, err, ErrNoMemory)
		}
		m.check(t)
		for len(m.blocks) > 0 {
			m.free(t, 0)
		}
		after := a.Usage()
		if after.Used != before.Used || after.Fragments != 1 || after.LargestFree != before.LargestFree {
			t.Errorf("usage is %+v, was %+v", after, before)
		}
		if after.MaxUsed < after.Total-1100 {
			t.Errorf("most that was used is %d of %d", after.MaxUsed, after.Total)
		}
		o, err := a.Alloc(int(before.LargestFree), 0)
		if err != nil {
			t.Fatalf("alloc of LargestFree (%d bytes): %v", before.LargestFree, err)
		}
		if _, err := a.Alloc(1, 0); err != ErrNoMemory {
			t.Errorf("arena has room beyond LargestFree: %v", err)
		}
		a.Free(o)
	})
}

func TestAllocBadSize(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		for _, n := range []int{0, -1, -1 << 40} {
			_, err := a.Alloc(n, 0)
			is(t, err, ErrSize)
		}
	})
}

func TestFreeOfWhatIsNone(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		tag := a.TagFor("test", "victim")
		lo, o, hi := must(a.Alloc(40, tag)), must(a.Alloc(100, tag)), must(a.Alloc(40, tag))
		clear(a.Bytes(o))
		for _, c := range []struct {
			name string
			off  Off
			want string
		}{
			{"nil", 0, "no block"},
			{"inside a block", o + 32, "no block"},
			{"unaligned", o + 1, "no block"},
			{"header of the arena", 64, "no block"},
			{"end", Off(a.size), "no block"},
			{"far outside", 1 << 50, "no block"},
			{"far outside, aligned as an existing block", 1<<36 + o, "no block"},
		} {
			t.Run(c.name, func(t *testing.T) {
				if text := panics(t, func() { a.Free(c.off) }); !strings.Contains(text, c.want) {
					t.Errorf("panics with %q", text)
				}
			})
		}
		a.Free(o)
		if text := panics(t, func() { a.Free(o) }); !strings.Contains(text, "already free") || !strings.Contains(text, "test.victim") {
			t.Errorf("panics with %q", text)
		}
		a.Free(lo)
		if text := panics(t, func() { a.Free(o) }); !strings.Contains(text, "already free") {
			t.Errorf("after its neighbour took it in: panics with %q", text)
		}
		a.Free(hi)
		panics(t, func() { a.Bytes(o) })
	})
}

// TestUseAfterFree writes into a free block: that is seen when the block is used next, once, and the others go on.
func TestUseAfterFree(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		var offs []Off
		for range 6 {
			offs = append(offs, must(a.Alloc(100, 0)))
		}
		a.Free(offs[1])
		a.Free(offs[3])
		stale := a.blk(uint32(offs[3]/unit) - 1)
		stale.next, stale.prev = 0x12345678, 0x9abcdef0
		if text := panics(t, func() { must(a.Alloc(100, 0)) }); !strings.Contains(text, "heap is broken") {
			t.Errorf("panics with %q", text)
		}
		if a.h.heap.lock.Held() {
			t.Fatal("allocator's lock is held after the panic")
		}
		must(a.Alloc(100, 0)) // the lists were made anew from the headers
		sound(t, a)
	})
}

// spill writes n bytes behind the block at o.
func spill(a *Arena, o Off, n int) (undo func()) {
	p := unsafe.Slice((*byte)(unsafe.Add(a.base, uint64(o)+uint64(len(a.Bytes(o))))), n)
	old := bytes.Clone(p)
	for i := range p {
		p[i] ^= 0x5a
	}
	return func() { copy(p, old) }
}

func TestGuard(t *testing.T) {
	a := newTest(t, 1<<20, QM)
	for n := 1; n < 100; n++ {
		o := must(a.Alloc(n, a.TagFor("test", "overrun")))
		undo := spill(a, o, 1)
		if errs := a.Verify(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "test.overrun") {
			t.Fatalf("length %d: verify finds %v", n, errs)
		}
		text := panics(t, func() { a.Free(o) })
		if !strings.Contains(text, "beyond its end") || !strings.Contains(text, "test.overrun") || !strings.Contains(text, "guard") {
			t.Fatalf("length %d: panics with %q", n, text)
		}
		undo()
		a.Free(o)
	}
}

// TestVerifyFinds breaks every thing that Verify looks at.
func TestVerifyFinds(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		tag := a.TagFor("test", "x")
		var offs []Off
		for range 9 {
			offs = append(offs, must(a.Alloc(100, tag)))
		}
		for i := 1; i < len(offs); i += 2 {
			a.Free(offs[i])
		}
		used := a.blk(uint32(offs[2]/unit) - 1)
		free := a.blk(uint32(offs[3]/unit) - 1)
		hp := &a.h.heap
		for _, c := range []struct {
			name string
			at   unsafe.Pointer
			n    int
		}{
			{"size", unsafe.Pointer(&used.size), 4},
			{"size of a free block", unsafe.Pointer(&free.size), 4},
			{"below", unsafe.Pointer(&used.below), 4},
			{"length", unsafe.Pointer(&used.len), 4},
			{"tag", unsafe.Pointer(&used.tag), 2},
			{"state", unsafe.Pointer(&used.state), 2},
			{"next", unsafe.Pointer(&free.next), 4},
			{"prev", unsafe.Pointer(&free.prev), 4},
			{"used", unsafe.Pointer(&hp.used), 8},
			{"real", unsafe.Pointer(&hp.real), 8},
			{"fragments", unsafe.Pointer(&hp.frags), 4},
			{"bitmap", unsafe.Pointer(&hp.bins.top), 8},
			{"bitmap's second level", unsafe.Pointer(&hp.bins.words[3]), 8},
			{"ledger", unsafe.Pointer(&a.h.tags[tag].bytes), 8},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := unsafe.Slice((*byte)(c.at), c.n)
				old := bytes.Clone(b)
				for i := range b {
					b[i] ^= 0x35
				}
				if len(a.Verify()) == 0 {
					t.Error("not found")
				}
				copy(b, old)
				sound(t, a)
			})
		}
	})
}

// TestRebuild throws the allocator's state away and compares what is made of the headers with what was there.
func TestRebuild(t *testing.T) {
	each(t, 2<<20, func(t *testing.T, a *Arena) {
		r := random(t)
		m := newModel(a)
		for range 3000 {
			if len(m.blocks) == 0 || r.IntN(2) == 0 {
				m.alloc(t, size(r), byte(r.Uint32()))
			} else {
				m.free(t, r.IntN(len(m.blocks)))
			}
		}
		before := a.Usage()
		hp := &a.h.heap
		for i := range hp.bins.heads {
			hp.bins.heads[i] = r.Uint32()
		}
		hp.bins.top, hp.used, hp.frags = r.Uint64(), r.Uint64(), r.Uint32()
		hp.lock.word = lockDead
		m.check(t)
		if after := a.Usage(); after != before {
			t.Errorf("usage is %+v, was %+v", after, before)
		}
		for len(m.blocks) > 0 {
			m.free(t, 0)
		}
		if n := a.Usage().Fragments; n != 1 {
			t.Errorf("%d fragments when all is free", n)
		}
	})
}

// TestFit compares what each allocator finds with a look at all free blocks: it finds one if there is one, and qm the smallest of the small.
func TestFit(t *testing.T) {
	each(t, 8<<20, func(t *testing.T, a *Arena) {
		r := random(t)
		m := newModel(a)
		for range 4000 {
			m.alloc(t, size(r), byte(r.Uint32()))
		}
		for i := len(m.blocks) - 1; i > 0; i -= 2 {
			m.free(t, i)
		}
		hp := &a.h.heap
		for range 2000 {
			need := a.units(size(r))
			least := ^uint32(0)
			for u := hp.start; u < hp.end; u += a.blk(u).size {
				if b := a.blk(u); b.state == stateFree && b.size >= need {
					least = min(least, b.size)
				}
			}
			u := a.find(need)
			switch {
			case u == 0 && least != ^uint32(0):
				t.Fatalf("%d units: none found, there is one of %d", need, least)
			case u != 0 && (a.blk(u).state != stateFree || a.blk(u).size < need):
				t.Fatalf("%d units: found one of %d", need, a.blk(u).size)
			case a.kind == QM && u != 0 && least < exact && a.blk(u).size != least:
				t.Fatalf("%d units: found one of %d, the best is %d", need, a.blk(u).size, least)
			}
		}
		for len(m.blocks) > 0 {
			m.free(t, 0)
		}
	})
}

func TestBinsAscend(t *testing.T) {
	for _, k := range kinds {
		a := &Arena{kind: k}
		last := 0
		for s := uint64(minBlock); s < 1<<32; s += 1 + s/1000 {
			i := a.binOf(uint32(s))
			if i < last || i >= maxBins {
				t.Fatalf("%s: size %d is in list %d, a smaller one in %d", k, s, i, last)
			}
			last = i
		}
	}
}

func TestOverhead(t *testing.T) {
	// 100,000 contacts are to cost at most 600 bytes each: the header may not take much of that.
	each(t, 8<<20, func(t *testing.T, a *Arena) {
		before := a.Usage().RealUsed
		for range 1000 {
			must(a.Alloc(500, 0))
		}
		if per := (a.Usage().RealUsed - before) / 1000; per > 528 {
			t.Errorf("a block of 500 bytes takes %d", per)
		}
	})
}

func FuzzAlloc(f *testing.F) {
	f.Add([]byte{0, 10, 0, 1, 0, 0})
	f.Add([]byte("\x00\x01\x10\x01\xff\xff\x02\x00\x40\x80\x00\x00\x80\x01\x00\x03\x22\x11"))
	f.Add(bytes.Repeat([]byte{1, 0x7f, 0x33}, 300))
	f.Fuzz(func(t *testing.T, ops []byte) {
		for _, k := range kinds {
			a, err := NewPrivate(256<<10, k)
			if err != nil {
				t.Fatal(err)
			}
			m := newModel(a)
			// An operation is three bytes: a kind and a size, or which block.
			for ops := ops; len(ops) >= 3; ops = ops[3:] {
				n := int(binary.LittleEndian.Uint16(ops[1:]))
				if ops[0]&0x80 == 0 || len(m.blocks) == 0 {
					m.alloc(t, 1+n>>6<<(ops[0]&7), ops[0])
				} else {
					m.free(t, n%len(m.blocks))
				}
			}
			m.check(t)
			for len(m.blocks) > 0 {
				m.free(t, 0)
			}
			m.check(t)
			if n := a.Usage().Fragments; n != 1 {
				t.Errorf("%s: %d fragments when all is free", k, n)
			}
			a.Close()
		}
	})
}
