package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// emptySwap is how many blocks a generation without rows has: its head and its index of two blocks.
const emptySwap = 3

type target struct {
	Prio uint32
	URI  Text
}

func TestSwapRows(t *testing.T) {
	each(t, 4<<20, func(t *testing.T, a *Arena) {
		s := must(OpenSwap[target](a, "dispatcher", "set"))
		before := a.Usage()
		if s.Len() != 0 || s.Get([]byte("1"), new(target)) {
			t.Error("a table that was never loaded has rows")
		}
		s.Read(func(v View[target]) {
			v.All(func([]byte, *target) bool { t.Error("has a row"); return true })
			if v.Find(nil) != nil {
				t.Error("has a row with an empty key")
			}
		})
		want := make(map[string][]string)
		var order []string
		for round := range 3 {
			clear(want)
			order = nil
			err := s.Reload(func(b *Builder[target]) error {
				for i := range 3000 {
					key := fmt.Sprint(i % 700 * (round + 1))
					if i == 100 {
						key = ""
					}
					uri := strings.Repeat("x", i%90) + fmt.Sprint(i)
					if i == 50 {
						uri = strings.Repeat("long", 40_000)
					}
					if i == 60 {
						key = strings.Repeat("k", maxKey)
					}
					row := target{uint32(i), must(b.Text([]byte(uri)))}
					if err := b.Add([]byte(key), &row); err != nil {
						return err
					}
					want[key] = append(want[key], uri)
					order = append(order, key)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			s.Read(func(v View[target]) {
				if v.Len() != 3000 {
					t.Errorf("%d rows, want 3000", v.Len())
				}
				for key, uris := range want {
					var got []string
					v.Each([]byte(key), func(row *target) bool {
						got = append(got, string(v.Text(row.URI)))
						return true
					})
					if fmt.Sprint(got) != fmt.Sprint(uris) {
						t.Errorf("rows of %.20q are %.100q, want %.100q", key, got, uris)
					}
				}
				i := 0
				v.All(func(key []byte, row *target) bool {
					if string(key) != order[i] || row.Prio != uint32(i) {
						t.Errorf("row %d is %d under %q, want it under %q", i, row.Prio, key, order[i])
					}
					i++
					return i < 3000
				})
				if v.Find([]byte("no such key")) != nil {
					t.Error("found what is not there")
				}
			})
			sound(t, a)
		}
		if err := s.Reload(func(*Builder[target]) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if n := blocksOf(a, "dispatcher", "set"); s.Len() != 0 || n != emptySwap {
			t.Errorf("empty: %d rows in %d blocks", s.Len(), n)
		}
		if now := a.Usage(); now.Used-before.Used > 400 {
			t.Errorf("an empty table takes %d bytes", now.Used-before.Used)
		}
	})
}

func blocksOf(a *Arena, module, kind string) uint64 {
	for _, r := range a.Ledger() {
		if r.Module == module && r.Kind == kind {
			return r.Blocks
		}
	}
	return 0
}

// loadSwap is a table with n rows.
func loadSwap(t testing.TB, a *Arena, n int) *Swap[pair] {
	t.Helper()
	s := must(OpenSwap[pair](a, "test", "swap"))
	if err := s.Reload(func(b *Builder[pair]) error { return load(b, n, 1) }); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSwapFailedReload(t *testing.T) {
	a := newTest(t, 4<<20, TLSF)
	s := loadSwap(t, a, 1000)
	before := a.Usage()
	mine := errors.New("mine")
	for _, tc := range []struct {
		name string
		f    func(b *Builder[pair]) error
		want error
	}{
		{"error of the caller", func(b *Builder[pair]) error { return errors.Join(load(b, 500, 2), mine) }, mine},
		{"memory is out", func(b *Builder[pair]) error { return load(b, 1<<20, 2) }, ErrNoMemory},
		{"key too long", func(b *Builder[pair]) error { return b.Add(make([]byte, maxKey+1), new(pair)) }, ErrTooLong},
		{"reload in a reload", func(b *Builder[pair]) error {
			return s.Reload(func(*Builder[pair]) error { t.Error("ran"); return nil })
		}, ErrBusy},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is(t, s.Reload(tc.f), tc.want)
			var p pair
			if !s.Get(make([]byte, 8), &p) || p.Gen != 1 {
				t.Errorf("row is of generation %d", p.Gen)
			}
			if now := a.Usage(); now.Used != before.Used {
				t.Errorf("%d bytes used, want %d", now.Used, before.Used)
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		panics(t, func() { s.Reload(func(b *Builder[pair]) error { load(b, 10, 2); panic("in f") }) })
		if now := a.Usage(); now.Used != before.Used {
			t.Errorf("%d bytes used, want %d", now.Used, before.Used)
		}
	})
}

// TestSwapMisuse: what is wrong panics with a text that says so.
func TestSwapMisuse(t *testing.T) {
	a := newTest(t, 4<<20, QM)
	s := must(OpenSwap[target](a, "dispatcher", "set"))
	var keptBuilder *Builder[target]
	var keptView View[target]
	var keptRow target
	reload := func() {
		t.Helper()
		err := s.Reload(func(b *Builder[target]) error {
			keptBuilder = b
			return b.Add([]byte("1"), &target{URI: must(b.Text([]byte("sip:a@b.c")))})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	reload()
	s.Read(func(v View[target]) { keptView, keptRow = v, *v.Find([]byte("1")) })
	reload()
	for _, tc := range []struct {
		name string
		f    func()
		want string
	}{
		{"builder after Reload", func() { keptBuilder.Add(nil, new(target)) }, "after Reload has ended"},
		{"view after Read", func() { keptView.Find(nil) }, "after Read has returned"},
		{"text of another generation", func() { s.Read(func(v View[target]) { v.Text(keptRow.URI) }) }, "a text of generation 1 is read in generation 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if text := panics(t, tc.f); !strings.Contains(text, tc.want) {
				t.Errorf("panics with %q", text)
			}
		})
	}
	if _, err := OpenSwap[pair](a, "dispatcher", "set"); !errors.Is(err, ErrLayout) {
		t.Errorf("opened with another row: %v", err)
	}
	if _, err := OpenSwap[*int](a, "dispatcher", "pointers"); !errors.Is(err, ErrPointer) {
		t.Errorf("opened with a pointer: %v", err)
	}
	if err := s.Reload(func(*Builder[target]) error { return nil }); err != nil {
		t.Errorf("a read that panicked holds its generation: %v", err)
	}
}

// TestSwapLongReader: a reader that does not leave keeps its generation and lets no second reload begin; there are never three.
func TestSwapLongReader(t *testing.T) {
	a := newTest(t, 4<<20, FM)
	a.patience = 0
	s := loadSwap(t, a, 1000)
	one := blocksOf(a, "test", "swap")
	reload := func() error { return s.Reload(func(b *Builder[pair]) error { return load(b, 1000, 2) }) }
	s.Read(func(v View[pair]) {
		if err := reload(); err != nil {
			t.Fatal(err)
		}
		oneGeneration(v)
		if p := v.Find(make([]byte, 8)); p.Gen != 1 {
			t.Errorf("the reader sees generation %d", p.Gen)
		}
		var p pair
		if s.Get(make([]byte, 8), &p); p.Gen != 2 {
			t.Errorf("the next reader sees generation %d", p.Gen)
		}
		is(t, reload(), ErrBusy)
		a.Sweep()
		if n := blocksOf(a, "test", "swap"); n != 2*one {
			t.Errorf("%d blocks, want %d", n, 2*one)
		}
	})
	a.Sweep()
	if n := blocksOf(a, "test", "swap"); n != one {
		t.Errorf("%d blocks, want %d", n, one)
	}
	if err := reload(); err != nil {
		t.Error(err)
	}
}

// swapHolder reads, or builds, until it is killed.
func swapHolder(a *Arena, what string) {
	s := must(OpenSwap[pair](a, "test", "swap"))
	hold := func() {
		sayHeld()
		for {
			time.Sleep(time.Hour) // until it is killed
		}
	}
	if what == "read" {
		s.Read(func(View[pair]) { hold() })
	}
	s.Reload(func(b *Builder[pair]) error {
		if err := load(b, 1000, 3); err != nil {
			return err
		}
		hold()
		return nil
	})
}

// spawnHeld is spawn for a child that says "held" when it is where the test wants it.
func spawnHeld(t testing.TB, a *Arena, slot int, role string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := prepare(t, a, slot, role, args...)
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len(held))); err != nil {
		t.Fatal(err)
	}
	return cmd
}

const held = "held"

func sayHeld() { fmt.Fprint(os.NewFile(1, "stdout"), held) }

// TestSwapDeaths: neither a reader nor a builder that dies keeps memory.
func TestSwapDeaths(t *testing.T) {
	each(t, 4<<20, func(t *testing.T, a *Arena) {
		s := loadSwap(t, a, 1000)
		before := a.Usage()
		same := func(what string) {
			t.Helper()
			sound(t, a)
			if now := a.Usage(); now.Used != before.Used {
				t.Errorf("%s: %d bytes used, want %d", what, now.Used, before.Used)
			}
		}
		cmd := spawnHeld(t, a, 5, "swap hold", "build")
		is(t, s.Reload(func(*Builder[pair]) error { return nil }), ErrBusy)
		if now := a.Usage(); now.Used == before.Used {
			t.Error("the child built nothing")
		}
		cmd.Process.Kill()
		cmd.Wait()
		a.ReleaseLocksOf(5)
		same("dead builder")

		cmd = spawnHeld(t, a, 5, "swap hold", "read")
		a.patience = 0
		if err := s.Reload(func(b *Builder[pair]) error { return load(b, 1000, 2) }); err != nil {
			t.Fatal(err)
		}
		if now := a.Usage(); now.Used == before.Used {
			t.Error("a generation went that was being read")
		}
		cmd.Process.Kill()
		cmd.Wait()
		a.ReleaseLocksOf(5)
		same("dead reader")
	})
}

// swapWorld is the root of the stress test.
type swapWorld struct{ Stop uint32 }

func newSwapWorld(a *Arena) *swapWorld {
	r, _, err := Root[swapWorld](a, "swap world")
	if err != nil {
		panic(err)
	}
	return r.Get(a)
}

// swapReader reads until it is stopped, and dies when it sees what it should not.
func swapReader(a *Arena) {
	s, w := must(OpenSwap[pair](a, "test", "swap")), newSwapWorld(a)
	var key [8]byte
	last := uint64(0)
	for i := uint64(0); atomic.LoadUint32(&w.Stop) == 0; i++ {
		n := uint64(0)
		s.Read(func(v View[pair]) {
			n = uint64(v.Len())
			first := v.Find(make([]byte, 8))
			for j := range uint64(20) {
				binary.LittleEndian.PutUint64(key[:], (i*20+j)*7919%n)
				p := v.Find(key[:])
				if p == nil || p.Gen != first.Gen || p.Not != ^p.Gen {
					panic(fmt.Sprintf("a row of another generation, or none: %v beside %v", p, first))
				}
			}
			if first.Gen < last {
				panic("an older generation came back")
			}
			last = first.Gen
			if i%1000 == 0 {
				oneGeneration(v)
			}
		})
		var p pair
		if !s.Get(key[:], &p) || p.Not != ^p.Gen || p.Gen < last {
			panic(fmt.Sprintf("got %v after generation %d", p, last))
		}
		if i == 0 {
			sayHeld()
		}
	}
}

// TestSwapStress reloads while eight processes read.
func TestSwapStress(t *testing.T) {
	const readers, rows, reloads = 8, 20_000, 150
	a := newTest(t, 16<<20, QM)
	w := newSwapWorld(a)
	must(OpenSwap[pair](a, "test", "swap"))
	empty := a.Usage().RealUsed
	s := loadSwap(t, a, rows)
	one := a.Usage().RealUsed - empty
	var cmds []*exec.Cmd
	for i := range readers {
		cmds = append(cmds, spawnHeld(t, a, i+1, "swap read"))
	}
	for gen := range uint64(reloads) {
		err := ErrBusy
		for errors.Is(err, ErrBusy) { // a reader that has no CPU for a while keeps its generation
			err = s.Reload(func(b *Builder[pair]) error { return load(b, rows, gen+2) })
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	sound(t, a)
	atomic.StoreUint32(&w.Stop, 1)
	run(t, cmds...)
	a.Sweep()
	u := a.Usage()
	if most := u.MaxUsed - empty; most > 2*one {
		t.Errorf("%d bytes were used at most, a generation has %d", most, one)
	}
	if u.RealUsed != empty+one {
		t.Errorf("%d bytes used in the end, want %d", u.RealUsed, empty+one)
	}
}
