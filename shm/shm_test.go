package shm

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("shm.seed", 0, "seed of the random tests; 0 takes the clock")
	killsFlag = flag.Int("shm.kills", 200, "processes that TestKill kills")
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		child(role)
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

var kinds = []Allocator{QM, FM, TLSF}

// each runs f with a fresh shared arena of every kind and verifies the heap afterwards.
func each(t *testing.T, size int64, f func(t *testing.T, a *Arena)) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) { f(t, newTest(t, size, k)) })
	}
}

func newTest(t testing.TB, size int64, k Allocator) *Arena {
	t.Helper()
	a, err := Create(size, k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sound(t, a)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func sound(t testing.TB, a *Arena) {
	t.Helper()
	for _, err := range a.Verify() {
		t.Error(err)
	}
}

func random(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again with -shm.seed=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

// panics runs f and returns the text that it panics with.
func panics(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		t.Helper()
		r := recover()
		if r == nil {
			t.Error("no panic")
		}
		text = fmt.Sprint(r)
	}()
	f()
	return ""
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}
