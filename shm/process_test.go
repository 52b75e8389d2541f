package shm

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

// yieldCPU lets another process run: the box may have fewer cores than the test has processes.
func yieldCPU() { unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

func TestProcessesLock(t *testing.T) {
	a := newTest(t, 4<<20, TLSF)
	w := newWorld(a)
	var cmds []*exec.Cmd
	for i := range 3 {
		cmds = append(cmds, spawn(t, a, i+1, "increment", "20000"))
	}
	incrementer(a, 20000)
	run(t, cmds...)
	if w.value != 80000 || w.again != 80000 {
		t.Errorf("counted to %d and %d, want 80000", w.value, w.again)
	}
}

func TestProcessesDeadOwner(t *testing.T) {
	each(t, 4<<20, func(t *testing.T, a *Arena) {
		w := newWorld(a)
		cmd := spawnHeld(t, a, 7, "hold")
		if ok, _ := a.TryLock(&w.lock); ok {
			t.Fatal("got a lock that the child holds")
		}
		got := make(chan bool)
		go func() {
			repair := a.Lock(&w.lock)
			a.Unlock(&w.lock)
			got <- repair
		}()
		cmd.Process.Kill()
		cmd.Wait()
		if n := a.ReleaseLocksOf(7); n != 3 {
			t.Errorf("%d locks released, want 3", n)
		}
		if !<-got {
			t.Error("the next owner was not told to repair")
		}
		if ok, repair := a.TryLock(&w.lock); !ok || repair {
			t.Errorf("the one after it got %v, repair %v", ok, repair)
		}
		a.Unlock(&w.lock)
		if n := a.ReleaseLocksOf(7); n != 0 {
			t.Errorf("%d locks released the second time", n)
		}
	})
}

func TestProcessesRing(t *testing.T) {
	a := newTest(t, 4<<20, FM)
	w := newWorld(a)
	ring := must(OpenRing(a, w.ring))
	const writers, each = 3, 3000
	var cmds []*exec.Cmd
	for i := range writers {
		cmds = append(cmds, spawn(t, a, i+1, "write", strconv.Itoa(each)))
	}
	var next [writers + 1]int
	for n := 0; n < writers*each; {
		got := ring.Get(a, func(rec []byte) {
			f := bytes.SplitN(rec, []byte(" "), 3)
			slot, i := must(strconv.Atoi(string(f[0]))), must(strconv.Atoi(string(f[1])))
			if i != next[slot] || len(f[2]) != i%100 {
				t.Errorf("writer %d: record %d of %d bytes, want record %d", slot, i, len(f[2]), next[slot])
			}
			next[slot] = i + 1
		})
		if got {
			n++
		} else {
			yieldCPU()
		}
		if t.Failed() {
			break
		}
	}
	run(t, cmds...)
	if !ring.Empty(a) {
		t.Error("ring is not empty")
	}
}

func TestProcessesHammer(t *testing.T) {
	each(t, 8<<20, func(t *testing.T, a *Arena) {
		newWorld(a)
		r := random(t)
		var cmds []*exec.Cmd
		for i := range 3 {
			cmds = append(cmds, spawn(t, a, i+1, "hammer", fmt.Sprint(r.Uint64()), "20000"))
		}
		run(t, cmds...)
		empty(t, a, 0)
	})
}

// empty frees all that the processes of a test made, and says how many blocks nobody knew of.
func empty(t *testing.T, a *Arena, mayLeak int) {
	t.Helper()
	sound(t, a)
	w := newWorld(a)
	tb := must(OpenTable(a, w.table))
	for b := range tb.Size() {
		tb.Lock(a, b)
		for o := tb.First(a, b); o != 0; o = tb.First(a, b) {
			nd := Ref[node]{o}.Get(a)
			if nd.check != ^nd.n {
				t.Errorf("node %#x was overwritten", o)
			}
			Disarm(a, o+timerAt)
			tb.Remove(a, o)
			if nd.body != 0 {
				a.Free(nd.body)
			}
			a.Free(o)
		}
		tb.Unlock(a, b)
	}
	a.Lock(&w.lock)
	if w.value != w.again && w.value != w.again+1 {
		t.Errorf("halves are %d and %d", w.value, w.again)
	}
	a.Unlock(&w.lock)
	swap := must(OpenSwap[pair](a, "test", "swap"))
	a.Sweep()
	if err := swap.Reload(func(*Builder[pair]) error { return nil }); err != nil {
		t.Error(err)
	}
	sound(t, a)
	leaked := 0
	for _, r := range a.Ledger() {
		if r.Kind == "swap" {
			if r.Blocks != emptySwap {
				t.Errorf("an empty swap table has %d blocks, want %d", r.Blocks, emptySwap)
			}
			continue
		}
		if r.Module == "test" && r.Kind != "world" {
			leaked += int(r.Blocks)
		}
	}
	if leaked > mayLeak {
		t.Errorf("%d blocks belong to nobody, at most %d may", leaked, mayLeak)
	}
}

// TestKill kills processes at random instants and wants a sound arena after each.
func TestKill(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			a := newTest(t, 8<<20, k)
			newWorld(a)
			r := random(t)
			const procs = 3
			var cmds [procs]*exec.Cmd
			start := func(i int) { cmds[i] = spawn(t, a, i+1, "hammer", fmt.Sprint(r.Uint64()), "-1") }
			for i := range cmds {
				start(i)
			}
			released, kills := 0, (*killsFlag+2)/3
			for range kills {
				i := r.IntN(procs)
				time.Sleep(time.Duration(r.IntN(8_000_000))) // the instant of death; nothing waits for it
				cmds[i].Process.Kill()
				cmds[i].Wait()
				released += a.ReleaseLocksOf(i + 1)
				if r.IntN(4) == 0 {
					sound(t, a)
				}
				if t.Failed() {
					break
				}
				start(i)
			}
			for i := range cmds {
				cmds[i].Process.Kill()
				cmds[i].Wait()
				released += a.ReleaseLocksOf(i + 1)
			}
			t.Logf("%d kills, %d of them in a lock", kills+procs, released)
			// Each death may orphan what its process had in hand: a node and its body.
			empty(t, a, 3*(kills+procs))
		})
	}
}
