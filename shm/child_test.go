package shm

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

const childRole = "KAHEA_SHM_TEST_CHILD"

// childRoles are roles that not every build has.
var childRoles = make(map[string]func(*Arena))

// spawn starts this test binary again as a process in slot that attaches to a and plays role with args.
func spawn(t testing.TB, a *Arena, slot int, role string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := prepare(t, a, slot, role, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func prepare(t testing.TB, a *Arena, slot int, role string, args ...string) *exec.Cmd {
	f := os.NewFile(uintptr(must(dup(a.FD()))), "memfd")
	t.Cleanup(func() { f.Close() })
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), childRole+"="+role, "SLOT="+strconv.Itoa(slot), "GOMAXPROCS=1", "GORACE=atexit_sleep_ms=0")
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that panics leaves no process
	return cmd
}

// child is what a spawned process does instead of running tests.
func child(role string) {
	slot := must(strconv.Atoi(os.Getenv("SLOT")))
	a := must(Attach(3, slot))
	args := os.Args[1:]
	switch role {
	case "increment":
		incrementer(a, must(strconv.Atoi(args[0])))
	case "hold":
		holder(a)
	case "hammer":
		hammer(a, must(strconv.ParseUint(args[0], 10, 64)), must(strconv.Atoi(args[1])))
	case "count":
		c := NewCounters(a)
		k, ok := c.Lookup("tm", "replies")
		if !ok {
			panic("counter not found")
		}
		for range 1000 {
			c.Add(k, 1)
		}
	case "swap read":
		swapReader(a)
	case "swap hold":
		swapHolder(a, args[0])
	case "swap reload":
		swapReloader(a, must(strconv.Atoi(args[0])))
	case "write":
		writer(a, must(strconv.Atoi(args[0])))
	default:
		childRoles[role](a)
	}
}

// world is the root that the processes of a test share.
type world struct {
	lock   Mutex
	value  uint64 // guarded by lock; two halves that are always equal
	again  uint64
	table  Off
	wheels [2]Off
	ring   Off
}

// pair is a row of the swap table "test.swap"; all rows of a generation have the same Gen.
type pair struct{ Gen, Not uint64 }

// load fills a generation with n rows.
func load(b *Builder[pair], n int, gen uint64) error {
	var key [8]byte
	for i := range n {
		binary.LittleEndian.PutUint64(key[:], uint64(i))
		if err := b.Add(key[:], &pair{gen, ^gen}); err != nil {
			return err
		}
	}
	return nil
}

// oneGeneration wants all rows to be of one generation.
func oneGeneration(v View[pair]) {
	n, gen := 0, uint64(0)
	v.All(func(_ []byte, p *pair) bool {
		if n == 0 {
			gen = p.Gen
		}
		if p.Gen != gen || p.Not != ^gen {
			panic("rows of several generations")
		}
		n++
		return true
	})
	if n != v.Len() {
		panic("not all rows are there")
	}
}

const worldBuckets = 64

// node is an entry of the table with a timer.
type node struct {
	Link
	timer Timer
	body  Off
	n     uint64
	check uint64
}

const timerAt = Off(unsafe.Offsetof(node{}.timer))

func newWorld(a *Arena) *world {
	r, created, err := Root[world](a, "world")
	if err != nil {
		panic(err)
	}
	w := r.Get(a)
	if !created {
		return w
	}
	tag := a.TagFor("test", "world")
	a.TagFor("test", "node")
	a.TagFor("test", "body")
	w.table = must(NewTable(a, worldBuckets, tag)).Off()
	must(OpenSwap[pair](a, "test", "swap"))
	w.ring = must(NewRing(a, 1<<14, tag)).Off()
	for i := range w.wheels {
		w.wheels[i] = must(NewWheel(a, 0, tag)).Off()
	}
	return w
}

func run(t testing.TB, cmds ...*exec.Cmd) {
	t.Helper()
	for _, c := range cmds {
		if err := c.Wait(); err != nil {
			t.Errorf("child %v: %v", c.Args[1:], err)
		}
	}
}

func incrementer(a *Arena, n int) {
	w := newWorld(a)
	for range n {
		a.Lock(&w.lock)
		w.value++
		w.again++
		a.Unlock(&w.lock)
	}
}

// holder takes a lock, a bucket's and the allocator's, and waits to be killed.
func holder(a *Arena) {
	w := newWorld(a)
	tb := must(OpenTable(a, w.table))
	a.Lock(&w.lock)
	tb.Lock(a, 3)
	a.lockHeap()
	sayHeld()
	for {
		time.Sleep(time.Hour) // until it is killed
	}
}

// hammer does everything that shm can, at random, n times or until it is killed.
func hammer(a *Arena, seed uint64, n int) {
	r := rand.New(rand.NewPCG(seed, uint64(a.Slot())))
	w := newWorld(a)
	tb := must(OpenTable(a, w.table))
	swap := must(OpenSwap[pair](a, "test", "swap"))
	ring := must(OpenRing(a, w.ring))
	wheels := [2]Wheel{must(OpenWheel(a, w.wheels[0])), must(OpenWheel(a, w.wheels[1]))}
	nodeTag, bodyTag := a.TagFor("test", "node"), a.TagFor("test", "body")
	buf := []byte(strings.Repeat("x", 300))
	now := uint64(0)
	fired := 0
	fire := func(Off, Kind, int) { fired++ } // the node may be gone: nothing holds it
	for ; n != 0; n-- {
		switch b := r.IntN(worldBuckets); r.IntN(12) {
		case 0, 1, 2: // a new node with a body
			nr, err := New[node](a, nodeTag)
			if err != nil {
				continue
			}
			nd := nr.Get(a)
			nd.n = r.Uint64()
			nd.check = ^nd.n
			nd.body, _ = a.Alloc(1+r.IntN(3000), bodyTag)
			tb.Lock(a, b)
			if r.IntN(2) == 0 {
				tb.Insert(a, b, nr.Off)
			} else {
				tb.Append(a, b, nr.Off)
			}
			if r.IntN(2) == 0 {
				wheels[r.IntN(2)].Arm(a, nr.Off+timerAt, now+uint64(r.IntN(5000)), 1)
			}
			tb.Unlock(a, b)
		case 3, 4, 5: // one goes
			tb.Lock(a, b)
			o := tb.First(a, b)
			if o != 0 && r.IntN(2) == 0 && tb.Next(a, o) != 0 {
				o = tb.Next(a, o)
			}
			if o != 0 {
				nd := Ref[node]{o}.Get(a)
				if nd.check != ^nd.n {
					panic("node was overwritten")
				}
				Disarm(a, o+timerAt)
				tb.Remove(a, o)
				if nd.body != 0 {
					a.Free(nd.body)
				}
				a.Free(o)
			}
			tb.Unlock(a, b)
		case 6: // a body is replaced
			tb.Lock(a, b)
			if o := tb.First(a, b); o != 0 {
				nd := Ref[node]{o}.Get(a)
				old := nd.body
				nd.body, _ = a.Alloc(1+r.IntN(300), bodyTag)
				if old != 0 {
					a.Free(old)
				}
			}
			tb.Unlock(a, b)
		case 7:
			a.Lock(&w.lock)
			w.value++
			w.again = w.value
			a.Unlock(&w.lock)
		case 10:
			swap.Read(oneGeneration)
		case 11:
			rows, gen := r.IntN(30), r.Uint64()
			err := swap.Reload(func(b *Builder[pair]) error {
				if err := load(b, rows, gen); err != nil || rows%7 == 0 {
					return cmp.Or(err, errUnwanted)
				}
				return nil
			})
			if err != nil && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrNoMemory) && err != errUnwanted {
				panic(err)
			}
		case 8:
			if a.Slot() == 3 {
				for range 5 {
					ring.Get(a, func(rec []byte) {
						if strings.Trim(string(rec), "x") != "" {
							panic("record was overwritten")
						}
					})
				}
			} else {
				ring.Put(a, buf[:r.IntN(300)], buf[:r.IntN(10)])
			}
		case 9:
			// Slots 1 and 2 own a wheel each; the others only arm.
			if s := a.Slot(); s == 1 || s == 2 {
				now += uint64(r.IntN(100))
				wheels[s-1].Advance(a, now, fire)
			} else {
				tb.Lock(a, b)
				if o := tb.First(a, b); o != 0 {
					wheels[r.IntN(2)].Arm(a, o+timerAt, now+uint64(r.IntN(5000)), 2)
				}
				tb.Unlock(a, b)
			}
		}
	}
}

var errUnwanted = errors.New("not wanted after all")

func writer(a *Arena, n int) {
	w := newWorld(a)
	ring := must(OpenRing(a, w.ring))
	for i := range n {
		rec := fmt.Sprintf("%d %d ", a.Slot(), i)
		for {
			_, err := ring.Put(a, []byte(rec), []byte(strings.Repeat("z", i%100)))
			if err == nil {
				break
			}
			if err != ErrFull {
				panic(err)
			}
			yieldCPU()
		}
	}
}
