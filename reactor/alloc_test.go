//go:build !race

package reactor

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWarmWorkerDoesNotAllocate: 100,000 datagrams through a warm worker. What gnet allocates at a wake-up is allowed: a few hundred wake-ups at most.
func TestWarmWorkerDoesNotAllocate(t *testing.T) {
	w, to := start(t, &echo{}, "127.0.0.1:0", Options{})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, sockaddr(to)); err != nil {
		t.Fatal(err)
	}
	msg, in := make([]byte, 400), make([]byte, 500)
	round := func(n int) {
		for range n {
			if _, err := unix.Write(fd, msg); err != nil {
				t.Fatal(err)
			}
			if _, err := unix.Read(fd, in); err != nil {
				t.Fatal(err)
			}
		}
	}
	wakes := func() uint64 {
		c := make(chan uint64)
		w.Post(func() { c <- w.Stats().Wakes })
		return <-c
	}
	round(1000)
	w0 := wakes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	round(100_000)
	runtime.ReadMemStats(&after)
	w1 := wakes()
	n, perWake := after.Mallocs-before.Mallocs, uint64(12)
	t.Logf("%d allocations, %d wake-ups by gnet", n, w1-w0)
	if limit := 200 + (w1-w0)*perWake; n > limit {
		t.Errorf("%d allocations for 100,000 datagrams (%d wake-ups by gnet), want at most %d", n, w1-w0, limit)
	}
	if w1-w0 > 5000 {
		t.Errorf("%d wake-ups by gnet in 100,000 datagrams: the worker does not wait by itself", w1-w0)
	}
}

// TestKillersDoNotAllocate: neither a message that passes the list nor one that is on it.
func TestKillersDoNotAllocate(t *testing.T) {
	k := &killers{}
	bad, good := make([]byte, 900), make([]byte, 901)
	k.add(digest(bad), 1)
	if n := testing.AllocsPerRun(100, func() {
		if !k.drops(bad, 2) || k.drops(good, 2) {
			t.Error("the wrong one is dropped")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
