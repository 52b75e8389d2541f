//go:build !race && !shmdebug && amd64

package shm

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestDeathAtEachInstruction has a child do one operation after the other under ptrace, an instruction at a time. After each instruction
// that changed the arena, a copy of the arena is treated as if the child had died there: its locks are released, and what
// the copy then holds must be sound and be either the old or the new state.
func TestDeathAtEachInstruction(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			a := newTest(t, 288<<10, k)
			stepSetup(a)
			s := newStepper(t, a, "steps")
			for i, op := range stepOps(nil) {
				if t.Failed() || k != QM && i == stepAllocs {
					break // the rest is the same for all
				}
				s.step(op)
			}
		})
	}
}

// stepCounts is what is counted in a copy.
type stepCounts struct{ blocks, entries, timers, records int }

type stepOp struct {
	name string
	f    func(a *Arena, w *stepWorld)
	diff stepCounts // what it changes
}

// stepWorld is the root of the test; the child's own state is in it too.
type stepWorld struct {
	table  Off
	wheels [2]Off
	ring   Off
	swapAt uint64 // generation to load
	blocks [8]Off
	nodes  [6]Off
	fired  uint64
}

func (w *stepWorld) timer(i int) Off { return w.nodes[i] + timerAt }

func stepRoot(a *Arena) *stepWorld {
	r, _, err := Root[stepWorld](a, "steps")
	if err != nil {
		panic(err)
	}
	return r.Get(a)
}

func stepSetup(a *Arena) {
	w := stepRoot(a)
	w.table = must(NewTable(a, 2, 0)).Off()
	w.ring = must(NewRing(a, 128, 0)).Off()
	for i := range w.wheels {
		w.wheels[i] = must(NewWheel(a, 0, 0)).Off()
	}
	must(OpenSwap[pair](a, "test", "swap"))
	for i := range w.nodes {
		w.nodes[i] = must(New[node](a, 0)).Off
	}
	for i := range w.blocks {
		w.blocks[i] = must(a.Alloc(200, 0))
	}
}

const stepAllocs = 11 // the first of stepOps are the allocator's

// stepOps takes what the child has opened before.
func stepOps(swap *Swap[pair]) []stepOp {
	alloc := func(i, n int) func(*Arena, *stepWorld) {
		return func(a *Arena, w *stepWorld) { w.blocks[i], _ = a.Alloc(n, 0) }
	}
	free := func(i int) func(*Arena, *stepWorld) {
		return func(a *Arena, w *stepWorld) { a.Free(w.blocks[i]) }
	}
	table := func(f func(a *Arena, w *stepWorld, tb Table)) func(*Arena, *stepWorld) {
		return func(a *Arena, w *stepWorld) {
			tb := Table{w.table, 2}
			tb.Lock(a, 1)
			f(a, w, tb)
			tb.Unlock(a, 1)
		}
	}
	insert := func(i int) func(*Arena, *stepWorld) {
		return table(func(a *Arena, w *stepWorld, tb Table) { tb.Insert(a, 1, w.nodes[i]) })
	}
	appendTo := func(i int) func(*Arena, *stepWorld) {
		return table(func(a *Arena, w *stepWorld, tb Table) { tb.Append(a, 1, w.nodes[i]) })
	}
	remove := func(i int) func(*Arena, *stepWorld) {
		return table(func(a *Arena, w *stepWorld, tb Table) { tb.Remove(a, w.nodes[i]) })
	}
	arm := func(wheel, i int, e uint64) func(*Arena, *stepWorld) {
		return func(a *Arena, w *stepWorld) { Wheel{w.wheels[wheel]}.Arm(a, w.timer(i), e, 7) }
	}
	advance := func(now uint64) func(*Arena, *stepWorld) {
		return func(a *Arena, w *stepWorld) {
			Wheel{w.wheels[0]}.Advance(a, now, func(Off, Kind, int) { w.fired++ })
		}
	}
	put := func(n int) func(*Arena, *stepWorld) {
		return func(a *Arena, w *stepWorld) { Ring{w.ring}.Put(a, []byte("record")[:n]) }
	}
	get := func(a *Arena, w *stepWorld) { Ring{w.ring}.Get(a, func([]byte) {}) }
	reload := func(rows int) func(*Arena, *stepWorld) {
		return func(a *Arena, w *stepWorld) {
			w.swapAt++
			if err := swap.Reload(func(b *Builder[pair]) error { return load(b, rows, w.swapAt) }); err != nil {
				panic(err)
			}
		}
	}
	read := func(a *Arena, w *stepWorld) {
		var p pair
		if !swap.Get(make([]byte, 8), &p) {
			panic("no row")
		}
	}
	block, gone := stepCounts{blocks: 1}, stepCounts{blocks: -1}
	entry, out := stepCounts{entries: 1}, stepCounts{entries: -1}
	timer, idle := stepCounts{timers: 1}, stepCounts{timers: -1}
	return []stepOp{
		{"free, no neighbour free", free(1), gone},
		{"alloc, exact", alloc(1, 200), block},
		{"free, no neighbour free", free(1), gone},
		{"free, no neighbour free", free(3), gone},
		{"free, both free", free(2), gone},
		{"alloc, rest stays", alloc(1, 100), block},
		{"alloc of what there is not", alloc(2, 1<<20), stepCounts{}},
		{"free, the one above free", free(1), gone},
		{"free, the one below free", free(4), gone},
		{"free, at the end of the heap", free(7), gone},
		{"alloc, large", alloc(7, 5000), block},
		{"insert into none", insert(0), entry},
		{"append", appendTo(2), entry},
		{"append", appendTo(3), entry},
		{"insert at the head", insert(1), entry},
		{"remove between", remove(2), out},
		{"remove the tail", remove(3), out},
		{"remove the head", remove(1), out},
		{"remove the last", remove(0), out},
		{"append to none", appendTo(4), entry},
		{"arm", arm(0, 0, 100), timer},
		{"arm in the same list", arm(0, 1, 100), timer},
		{"arm in the same list", arm(0, 2, 101), timer},
		{"arm for now", arm(0, 3, 0), timer},
		{"arm far", arm(0, 4, 1<<50), timer},
		{"arm again", arm(0, 1, 5000), stepCounts{}},
		{"arm again in the same list", arm(0, 0, 102), stepCounts{}},
		{"move to the next wheel", arm(1, 4, 70), stepCounts{}},
		{"move back", arm(0, 4, 71), stepCounts{}},
		{"move to the next wheel", arm(1, 4, 70), stepCounts{}},
		{"disarm", func(a *Arena, w *stepWorld) { Disarm(a, w.timer(4)) }, idle},
		{"advance, none due", advance(50), idle}, // the late one
		{"advance, lists go down", advance(99), stepCounts{}},
		{"advance, one due", advance(101), idle},
		{"advance, two levels down", advance(6000), stepCounts{timers: -2}},
		{"put", put(5), stepCounts{records: 1}},
		{"put", put(1), stepCounts{records: 1}},
		{"get", get, stepCounts{records: -1}},
		{"put of nothing", put(0), stepCounts{records: 1}},
		{"first load of a swap table", reload(2), stepCounts{blocks: emptySwap + 1}},
		{"reload", reload(3), stepCounts{}},
		{"read", read, stepCounts{}},
		{"reload that empties", reload(0), stepCounts{blocks: -1}},
	}
}

// stepChild does the operations and stops before each and after the last.
func stepChild(a *Arena) {
	runtime.LockOSThread()
	w := stepRoot(a)
	for _, op := range stepOps(must(OpenSwap[pair](a, "test", "swap"))) {
		stopHere()
		op.f(a, w)
	}
	stopHere()
}

func stopHere() {
	unix.RawSyscall(unix.SYS_TGKILL, uintptr(os.Getpid()), uintptr(unix.Gettid()), uintptr(unix.SIGSTOP))
}

func init() {
	// The tracer follows the main thread only; the child's main goroutine must run there.
	if role := os.Getenv(childRole); role == "steps" || role == "swap steps" {
		runtime.LockOSThread()
	}
	childRoles["steps"] = stepChild
	childRoles["swap steps"] = swapStepChild
}

type stepper struct {
	t    *testing.T
	a    *Arena
	pid  int
	last []byte
	copy []byte
	fd   int
	kept int // of the last die: timers that are armed, whose handler is run again, or whose handler has been called
}

func newStepper(t *testing.T, a *Arena, role string) *stepper {
	runtime.LockOSThread() // ptrace belongs to a thread
	cmd := prepare(t, a, 1, role)
	cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1", "GOGC=off")
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &stepper{t: t, a: a, pid: cmd.Process.Pid, last: make([]byte, len(a.mem))}
	if sig := s.wait(); sig != unix.SIGTRAP {
		t.Fatalf("child stopped with %v after exec", sig)
	}
	if err := unix.PtraceSetOptions(s.pid, unix.PTRACE_O_EXITKILL); err != nil {
		t.Fatal(err)
	}
	for {
		if err := unix.PtraceCont(s.pid, 0); err != nil {
			t.Fatal(err)
		}
		if s.wait() == unix.SIGSTOP {
			break
		}
	}
	s.fd = must(memfd(int64(len(a.mem))))
	s.copy = must(mapShared(s.fd, int64(len(a.mem))))
	t.Cleanup(s.end) // before the arena is verified: the child may hold locks
	return s
}

func (s *stepper) wait() unix.Signal {
	var st unix.WaitStatus
	if _, err := unix.Wait4(s.pid, &st, unix.WALL, nil); err != nil {
		s.t.Fatal(err)
	}
	if !st.Stopped() {
		s.t.Fatalf("child ended: %#x", st)
	}
	return st.StopSignal()
}

func (s *stepper) end() {
	unix.Kill(s.pid, unix.SIGKILL)
	unix.Wait4(s.pid, nil, unix.WALL, nil)
	unmap(s.copy)
	closeFD(s.fd)
	runtime.UnlockOSThread()
	s.a.ReleaseLocksOf(1)
}

// step has the child do op, and dies in a copy after each instruction.
func (s *stepper) step(op stepOp) {
	copy(s.last, s.a.mem)
	before := s.die(op.name, -1)
	after := before
	kept := s.kept
	changes := 0
	for n := 0; ; n++ {
		if err := unix.PtraceSingleStep(s.pid); err != nil {
			s.t.Fatal(err)
		}
		if s.wait() == unix.SIGSTOP {
			break
		}
		if s.same() {
			continue
		}
		changes++
		copy(s.last, s.a.mem)
		after = s.die(op.name, n)
		if s.kept < kept && strings.HasPrefix(op.name, "advance") {
			s.t.Errorf("%s, after instruction %d: a timer is lost", op.name, n)
		}
		for _, c := range []struct {
			name             string
			before, now, end int
		}{
			{"blocks", before.blocks, after.blocks, op.diff.blocks},
			{"entries", before.entries, after.entries, op.diff.entries},
			{"timers", before.timers, after.timers, op.diff.timers},
			{"records", before.records, after.records, op.diff.records},
		} {
			if d := c.now - c.before; d < min(0, c.end) || d > max(0, c.end) {
				s.t.Errorf("%s, after instruction %d: %+d %s, want 0 to %+d", op.name, n, d, c.name, c.end)
			}
		}
		if s.t.Failed() {
			return
		}
	}
	before.blocks += op.diff.blocks
	before.entries += op.diff.entries
	before.timers += op.diff.timers
	before.records += op.diff.records
	if after != before || changes == 0 {
		s.t.Errorf("%s: in the end there are %+v, want %+v (%d changes)", op.name, after, before, changes)
	}
}

// same says whether the arena is as it was, but for the slots of others than the child.
func (s *stepper) same() bool {
	mine, heap := slotsOff()+2*uint64(unsafe.Sizeof(procSlot{})), heapOff(maxSlots)
	return bytes.Equal(s.last[:mine], s.a.mem[:mine]) && bytes.Equal(s.last[heap:], s.a.mem[heap:])
}

// die treats a copy of the arena as if the child had died.
func (s *stepper) die(name string, n int) (c stepCounts) {
	copy(s.copy, s.last)
	b := must(Attach(must(dup(s.fd)), 0))
	defer b.Close()
	b.ReleaseLocksOf(1)
	errs := b.Verify()
	for _, err := range errs {
		s.t.Errorf("%s, after instruction %d: %v", name, n, err)
	}
	if len(errs) > 0 {
		return c
	}
	w := stepRoot(b)
	for _, r := range b.Ledger() {
		c.blocks += int(r.Blocks)
	}
	swap := must(OpenSwap[pair](b, "test", "swap"))
	swap.Read(oneGeneration)
	if err := swap.Reload(func(*Builder[pair]) error { return nil }); err != nil {
		s.t.Errorf("%s, after instruction %d: %v", name, n, err)
	}
	c.entries = Table{w.table, 2}.Count(b)
	for _, o := range w.wheels {
		c.timers += Wheel{o}.Len(b)
	}
	s.kept = c.timers + int(w.fired)
	{ // what is repaired must also fire, and the one whose handler ran must do so again
		fired, again := 0, 0
		for _, o := range w.wheels {
			last := uint64(0)
			fired += Wheel{o}.Advance(b, 1<<63, func(o Off, _ Kind, deaths int) {
				if deaths > 0 {
					if !b.timer(o).Idle() || deaths > 1 {
						s.t.Errorf("%s, after instruction %d: the handler that ran is run again for a timer that is armed, or after %d deaths", name, n, deaths)
					}
					s.kept++
					again++
					return
				}
				e := b.timer(o).Expires()
				if e < last {
					s.t.Errorf("%s, after instruction %d: tick %d fired after %d", name, n, e, last)
				}
				last = e
			})
		}
		if fired -= again; fired != c.timers {
			s.t.Errorf("%s, after instruction %d: %d of %d timers fired", name, n, fired, c.timers)
		}
	}
	for (Ring{w.ring}).Get(b, func(rec []byte) {
		if !strings.HasPrefix("record", string(rec)) {
			s.t.Errorf("%s, after instruction %d: record is %q", name, n, rec)
		}
	}) {
		c.records++
	}
	return c
}

// swapStepChild reads a row and stops before each time.
func swapStepChild(a *Arena) {
	runtime.LockOSThread()
	s := must(OpenSwap[pair](a, "test", "swap"))
	for key := make([]byte, 8); ; {
		stopHere()
		var p pair
		if !s.Get(key, &p) || p.Not != ^p.Gen {
			panic("a row that never was")
		}
	}
}

// TestReloadAtEachInstruction reloads a table, and writes over all that is free, after each instruction around the one with which a reader says what it reads.
func TestReloadAtEachInstruction(t *testing.T) {
	const before, behind = 60, 40
	a := newTest(t, 288<<10, QM)
	a.patience = 0
	swap := loadSwap(t, a, 2)
	s := newStepper(t, a, "swap steps")
	step := func() unix.Signal {
		if err := unix.PtraceSingleStep(s.pid); err != nil {
			t.Fatal(err)
		}
		return s.wait()
	}
	pinned := func() bool { return a.procSlot(1).pins[0] != 0 }
	most := 0
	for !pinned() {
		if step() == unix.SIGSTOP {
			t.Fatal("the child does not say what it reads")
		}
		most++
	}
	for n := range before + behind {
		for sig := unix.SIGTRAP; sig != unix.SIGSTOP; sig = s.wait() {
			if err := unix.PtraceCont(s.pid, 0); err != nil {
				t.Fatal(err)
			}
		}
		for range max(0, most-before) + n {
			step()
		}
		if err := swap.Reload(func(b *Builder[pair]) error { return load(b, 2, uint64(n)) }); err != nil {
			t.Fatal(err)
		}
		var junk []Off
		for {
			o, err := a.Alloc(64, 0)
			if err != nil {
				break
			}
			copy(a.Bytes(o), bytes.Repeat([]byte{0xff}, 64))
			junk = append(junk, o)
		}
		for _, o := range junk {
			a.Free(o)
		}
	}
}
