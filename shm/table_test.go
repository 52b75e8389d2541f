package shm

import (
	"slices"
	"testing"
)

type entry struct {
	Link
	N int64
}

func newEntry(a *Arena, n int64) Off {
	r := must(New[entry](a, 0))
	r.Get(a).N = n
	return r.Off
}

func list(a *Arena, tb Table, b int) (ns []int64) {
	for o := tb.First(a, b); o != 0; o = tb.Next(a, o) {
		ns = append(ns, Ref[entry]{o}.Get(a).N)
	}
	return ns
}

func TestTable(t *testing.T) {
	each(t, 1<<20, func(t *testing.T, a *Arena) {
		before := a.Usage().Used
		tb := must(NewTable(a, 8, 0))
		want := func(b int, ns ...int64) {
			t.Helper()
			if got := list(a, tb, b); !slices.Equal(got, ns) || tb.Len(a, b) != len(ns) {
				t.Errorf("bucket %d has %v, length %d; want %v", b, got, tb.Len(a, b), ns)
			}
		}
		es := make([]Off, 6)
		for i := range es {
			es[i] = newEntry(a, int64(i))
		}
		tb.Lock(a, 3)
		want(3)
		tb.Insert(a, 3, es[0])
		tb.Insert(a, 3, es[1])
		tb.Append(a, 3, es[2])
		want(3, 1, 0, 2)
		panics(t, func() { tb.Insert(a, 3, es[1]) })
		tb.Remove(a, es[0])
		want(3, 1, 2)
		panics(t, func() { tb.Remove(a, es[0]) })
		tb.Remove(a, es[2])
		want(3, 1)
		tb.Append(a, 3, es[3])
		tb.Remove(a, es[1])
		want(3, 3)
		tb.Unlock(a, 3)
		tb.Lock(a, 7)
		tb.Append(a, 7, es[4])
		tb.Append(a, 7, es[5])
		want(7, 4, 5)
		tb.Unlock(a, 7)
		if n := tb.Count(a); n != 3 || tb.Size() != 8 {
			t.Errorf("count %d, size %d", n, tb.Size())
		}
		sound(t, a)
		panics(t, func() { tb.Lock(a, 8) })
		panics(t, func() { tb.Lock(a, -1) })
		panics(t, func() { tb.Free(a) })
		if got, err := OpenTable(a, tb.Off()); got != tb || err != nil {
			t.Errorf("opened %v, %v", got, err)
		}
		_, err := OpenTable(a, es[0])
		is(t, err, ErrNotThere)
		_, err = OpenTable(a, 12345)
		is(t, err, ErrNotThere)
		for _, n := range []int{0, -2, 3, 1 << 25} {
			_, err = NewTable(a, n, 0)
			is(t, err, ErrSize)
		}
		_, err = NewTable(a, 1<<20, 0)
		is(t, err, ErrNoMemory)
		for _, e := range []Off{es[3], es[4], es[5]} {
			tb.Remove(a, e)
		}
		for _, e := range es {
			a.Free(e)
		}
		tb.Free(a)
		if after := a.Usage().Used; after != before {
			t.Errorf("used %d, was %d", after, before)
		}
	})
}

// TestTableRepair breaks all that is not Next and has the next owner put it right.
func TestTableRepair(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	tb := must(NewTable(a, 2, 0))
	var es []Off
	for i := range 5 {
		es = append(es, newEntry(a, int64(i)))
		tb.Append(a, 1, es[i])
	}
	for _, c := range []struct {
		name string
		f    func(b *bucket)
		want []int64
	}{
		{"links back", func(*bucket) { a.link(es[2]).Prev, a.link(es[0]).Prev = 99, es[4] }, []int64{0, 1, 2, 3, 4}},
		{"tail and count", func(b *bucket) { b.tail, b.count = 0, 77 }, []int64{0, 1, 2, 3, 4}},
		{"taken out, the rest not yet done", func(b *bucket) { a.link(es[1]).Next = es[3] }, []int64{0, 1, 3, 4}},
		{"put in, the rest not yet done", func(b *bucket) {
			*a.link(es[2]) = Link{Next: b.head}
			b.head = es[2]
		}, []int64{2, 0, 1, 3, 4}},
		{"next leads nowhere", func(b *bucket) { a.link(es[1]).Next = 1 << 40 }, []int64{2, 0, 1}},
	} {
		b := tb.bucket(a, 1)
		c.f(b)
		b.lock.word = lockDead
		tb.Lock(a, 1)
		if got := list(a, tb, 1); !slices.Equal(got, c.want) || tb.Len(a, 1) != len(c.want) {
			t.Errorf("%s: bucket has %v, want %v", c.name, got, c.want)
		}
		tb.Unlock(a, 1)
		sound(t, a)
	}
}

func TestVerifyFindsInTable(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	tb := must(NewTable(a, 2, 0))
	e := newEntry(a, 1)
	tb.Append(a, 1, e)
	tb.Append(a, 1, newEntry(a, 2))
	b := tb.bucket(a, 1)
	for name, f := range map[string]func(){
		"count": func() { b.count ^= 4 },
		"tail":  func() { b.tail ^= 64 },
		"prev":  func() { a.link(e).Prev ^= 64 },
		"next":  func() { a.link(e).Next ^= 64 },
		"table": func() { a.link(e).Table ^= 64 },
	} {
		f()
		if len(a.Verify()) == 0 {
			t.Errorf("%s: not found", name)
		}
		f()
		sound(t, a)
	}
}
