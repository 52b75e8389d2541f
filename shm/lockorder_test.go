//go:build shmdebug

package shm

import (
	"strings"
	"testing"
)

func TestLockOrder(t *testing.T) {
	a := newTest(t, 1<<20, TLSF)
	tb := must(NewTable(a, 8, 0))
	tb.Lock(a, 2)
	for _, c := range []struct {
		name string
		f    func()
		want string
	}{
		{"bucket below", func() { tb.Lock(a, 1) }, "under one of class 100"},
		{"same bucket", func() { tb.Lock(a, 2) }, "taken twice"},
	} {
		if text := panics(t, c.f); !strings.Contains(text, c.want) {
			t.Errorf("%s: panics with %q", c.name, text)
		}
	}
	tb.Lock(a, 3)
	must(a.Alloc(1, 0))
	tb.Unlock(a, 2)
	tb.Unlock(a, 3)
	tb.Lock(a, 1)
	tb.Unlock(a, 1)
}
