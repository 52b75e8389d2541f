package procmgr

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPark ends processes of all sorts without successors, and starts those again.
func TestPark(t *testing.T) {
	var pipe [2]int
	died := make(chan int, 10)
	s := newServer(t, Options{Restart: true, Died: func(_ Proc, slot int, _ string) []int {
		died <- slot
		return pipe[:]
	}}, Proc{Desc: "a", Kind: "plain"}, Proc{Desc: "b", Kind: "stubborn"}, Proc{Desc: "c", Kind: "plain"}, Proc{Desc: "stays", Kind: "plain"})
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	s.run(t)
	defer s.end(t, 0)
	for range 4 {
		wait(t, s.said)
	}
	// one that has died twice waits for its restart
	if err := s.Send(3, kindDo, []byte("die")); err != nil {
		t.Fatal(err)
	}
	wait(t, died)
	wait(t, s.said)
	if err := s.Send(3, kindDo, []byte("die")); err != nil {
		t.Fatal(err)
	}
	wait(t, died)
	if err := s.Park([]int{1, 2, 3, 7}, []byte("now"), 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, s.said); got != `leaves "now"` {
		t.Errorf("said %q", got)
	}
	e := Table(s.a)
	if e[1].Status != 0 || e[2].Status != 0 || e[3].Status != 0 || e[4].Status != 1 {
		t.Errorf("table %+v", e)
	}
	if len(s.said) > 0 {
		t.Errorf("a successor says %q", <-s.said)
	}
	if err := s.Unpark(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // with what Died returned
		if got := wait(t, s.said); !strings.Contains(got, " hand=2 restarted=true") {
			t.Errorf("said %q", got)
		}
	}
	for _, slot := range []int{1, 2, 3} {
		if err := s.WaitReady(slot, 20*time.Second); err != nil {
			t.Error(err)
		}
	}
	e = Table(s.a)
	if e[1].Generation != 1 || e[2].Generation != 1 || e[3].Generation != 3 || e[4].Generation != 0 {
		t.Errorf("table %+v", e)
	}
}
