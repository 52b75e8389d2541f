//go:build !race

package load

import (
	"testing"
	"time"
)

// TestAllocations: a transaction allocates nothing, so that the generator's garbage does not take the server's time.
func TestAllocations(t *testing.T) {
	for _, s := range []Scenario{Options, Register, Message} {
		t.Run(string(s), func(t *testing.T) {
			l, f := testLoop(t, s)
			l.t0 = time.Now()
			l.begin(l.now())
			answer := response(taken(f)[0], "200 OK", "")
			at := len("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=") + len(l.branchPrefix())
			l.message(f, answer)
			if n := testing.AllocsPerRun(100, func() {
				l.begin(0)
				f.n = 0
				putHex(answer[at:at+16], id(l.seq, 0))
				l.message(f, answer)
			}); n != 0 {
				t.Errorf("%v allocations a transaction", n)
			}
			if l.res.Done < 100 {
				t.Errorf("done %d", l.res.Done)
			}
		})
	}
}
