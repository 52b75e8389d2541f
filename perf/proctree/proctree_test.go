package proctree

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	before, err := Measure(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// work until the kernel has counted two ticks
	for n := 0; ; n++ {
		now, err := Measure(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		u, err := now.Since(before)
		if err != nil {
			t.Fatal(err)
		}
		if u.User+u.System < 2*tick {
			continue
		}
		if u.Total < tick || u.Total > u.User+u.System+3*tick {
			t.Errorf("total %v, user %v, system %v", u.Total, u.User, u.System)
		}
		return
	}
}

func TestTree(t *testing.T) {
	before, err := Measure(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("cat")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	now, err := Measure(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(now.PIDs, c.Process.Pid) || !slices.Contains(now.PIDs, os.Getpid()) {
		t.Errorf("%v: want this process and its child %d", now.PIDs, c.Process.Pid)
	}
	if _, err := now.Since(before); !errors.Is(err, ErrChanged) {
		t.Errorf("a process came: got %v, want %v", err, ErrChanged)
	}
	if err := errors.Join(in.Close(), c.Wait()); err != nil {
		t.Fatal(err)
	}
	if now, err = Measure(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if _, err := now.Since(before); err != nil {
		t.Errorf("the child has ended: %v", err)
	}
	if d := now.Total; d <= 0 || d > 24*time.Hour {
		t.Errorf("total %v", d)
	}
}

func TestNoSuchProcess(t *testing.T) {
	if _, err := Measure(1 << 30); err == nil {
		t.Error("no error")
	}
}
