package shm

import (
	"testing"
	"unsafe"
)

func ptr[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

func TestCreateRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		size int64
		k    Allocator
	}{
		{"nothing", 0, QM},
		{"negative", -1, QM},
		{"too small", 100_000, QM},
		{"too large", maxSize + 1, QM},
		{"no such allocator", 1 << 20, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Create(c.size, c.k)
			is(t, err, ErrSize)
			_, err = NewPrivate(min(c.size, 10_000), c.k)
			if c.size < 10_000 || c.k > TLSF {
				is(t, err, ErrSize)
			}
		})
	}
}

func TestAttach(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		tag := a.TagFor("test", "x")
		o := must(a.Alloc(5, tag))
		copy(a.Bytes(o), "hello")
		b := must(Attach(must(dup(a.FD())), 511))
		if b.Slot() != 511 || a.Slot() != 0 || b.kind != a.kind {
			t.Errorf("slot %d, kind %s", b.Slot(), b.kind)
		}
		if got := string(b.Bytes(o)); got != "hello" || b.base == a.base {
			t.Errorf("other mapping has %q", got)
		}
		if b.TagFor("test", "x") != tag || b.TagFor("test", "y") == tag {
			t.Error("tags differ")
		}
		b.Free(o)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		for _, slot := range []int{-1, 512} {
			_, err := Attach(a.FD(), slot)
			is(t, err, ErrSize)
		}
	})
}

func TestAttachRefuses(t *testing.T) {
	for _, n := range []int64{100, 1 << 20} {
		fd := must(memfd(n))
		_, err := Attach(fd, 0)
		is(t, err, ErrArena)
		closeFD(fd)
	}
	a := newTest(t, 1<<20, QM)
	a.h.layout++
	_, err := Attach(a.FD(), 0)
	is(t, err, ErrArena)
	a.h.layout--
}

func TestPrivate(t *testing.T) {
	for _, k := range kinds {
		a := must(NewPrivate(200_000, k))
		if a.FD() != -1 {
			t.Errorf("descriptor is %d", a.FD())
		}
		o := must(a.Alloc(10_000, 0))
		a.Free(o)
		sound(t, a)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestParseAllocator(t *testing.T) {
	for _, k := range kinds {
		for _, s := range []string{k.String(), k.String()[:1] + "_malloc"} {
			if s == "t_malloc" {
				s = "tlsf_malloc"
			}
			if got, err := ParseAllocator(s); got != k || err != nil {
				t.Errorf("%q is %s, %v", s, got, err)
			}
		}
	}
	if _, err := ParseAllocator("ll"); err == nil {
		t.Error("took ll")
	}
}

func TestTags(t *testing.T) {
	a := newTest(t, 1<<20, QM)
	panics(t, func() { a.TagFor("", "x") })
	panics(t, func() { a.TagFor("a name of 24 bytes in all", "x") })
	panics(t, func() { a.Alloc(1, 77) })
	if a.h.heap.lock.Held() {
		t.Error("allocator's lock is held after the panic")
	}
	x := a.TagFor("a name with 23 bytes...", "x")
	o := must(a.Alloc(33, x))
	found := false
	for _, r := range a.Ledger() {
		if r.Module == "a name with 23 bytes..." {
			found = r == TagUsage{r.Module, "x", 1, 64}
		}
	}
	if !found {
		t.Errorf("ledger is %v", a.Ledger())
	}
	a.Free(o)
}

type good struct {
	A uint32
	B [3]struct{ C, D int64 }
	R Ref[good]
	M Mutex
}

func TestNew(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		o := must(a.Alloc(int(unsafe.Sizeof(good{})), 0))
		for i := range a.Bytes(o) {
			a.Bytes(o)[i] = 0xff
		}
		a.Free(o)
		r := must(New[good](a, 0))
		if *r.Get(a) != (good{}) {
			t.Errorf("not zeroed: %+v", *r.Get(a))
		}
		if (Ref[good]{}).Get(a) != nil {
			t.Error("nil is not nil")
		}
		last := Off(a.size) - Off(unsafe.Sizeof(good{}))
		if (Ref[good]{last}).Get(a) == nil {
			t.Error("last place does not resolve")
		}
		for _, o := range []Off{last + 1, Off(a.size), 1 << 40, 1<<64 - 1} {
			panics(t, func() { Ref[good]{o}.Get(a) })
		}
	})
}

func refuses[T any](t *testing.T, a *Arena) {
	t.Helper()
	for range 2 { // the second answer comes from memory
		_, err := New[T](a, 0)
		is(t, err, ErrPointer)
		_, _, err = Root[T](a, "x")
		is(t, err, ErrPointer)
	}
}

func TestPointersAreRefused(t *testing.T) {
	a := newTest(t, 1<<20, QM)
	refuses[*int](t, a)
	refuses[struct{ S string }](t, a)
	refuses[struct{ A [2]struct{ B []byte } }](t, a)
	refuses[map[int]int](t, a)
	refuses[any](t, a)
	refuses[func()](t, a)
	refuses[chan int](t, a)
	refuses[unsafe.Pointer](t, a)
	refuses[uintptr](t, a)
}

func TestRoot(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		r, created, err := Root[good](a, "tm")
		if err != nil || !created || *r.Get(a) != (good{}) {
			t.Fatal(created, err)
		}
		b := must(Attach(must(dup(a.FD())), 1))
		defer b.Close()
		r2, created, err := Root[good](b, "tm")
		if r2 != r || created || err != nil {
			t.Errorf("found %v, created %v, %v", r2, created, err)
		}
		type renamed good
		if r3, _, err := Root[renamed](b, "tm"); r3.Off != r.Off || err != nil {
			t.Errorf("the type's name matters: %v, %v", r3, err)
		}
		_, _, err = Root[struct {
			A uint32
			B [3]struct{ C, E int64 }
			R Ref[good]
			M Mutex
		}](b, "tm")
		is(t, err, ErrLayout)
		_, _, err = Root[[2]good](b, "tm")
		is(t, err, ErrLayout)
		_, _, err = Root[good](a, "")
		is(t, err, ErrName)
		_, _, err = Root[good](a, "a name that is longer than 39 bytes are.")
		is(t, err, ErrName)
		if !a.HasRoot("tm") || a.HasRoot("t") {
			t.Error("HasRoot")
		}
		before := a.Usage().Used
		_, _, err = Root[[2 << 20]byte](a, "huge")
		is(t, err, ErrNoMemory)
		if a.Usage().Used != before || a.HasRoot("huge") {
			t.Error("a failed root left something")
		}
	})
}

func TestFingerprintsDiffer(t *testing.T) {
	a := newTest(t, 1<<20, QM)
	try := func(name string, differs func() error) {
		if err := differs(); err == nil {
			t.Errorf("%s: same fingerprint", name)
		}
	}
	Root[struct{ A, B uint32 }](a, "r")
	try("kind", func() error { _, _, err := Root[struct{ A, B int32 }](a, "r"); return err })
	try("order", func() error { _, _, err := Root[struct{ B, A uint32 }](a, "r"); return err })
	try("size", func() error { _, _, err := Root[struct{ A, B uint64 }](a, "r"); return err })
	try("fields", func() error { _, _, err := Root[struct{ A [2]uint32 }](a, "r"); return err })
}
