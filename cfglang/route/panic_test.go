package route

import (
	"bytes"
	"strings"
	"testing"

	"kahea/cfglang/log"
	"kahea/shm"
)

// breakDown stands for a module's function with a defect.
func breakDown(b []byte) byte { return b[len(b)] }

// TestPanic: a script's panic ends that script alone; the log says what and where.
func TestPanic(t *testing.T) {
	for _, waits := range []bool{false, true} {
		p, l := newProc(t)
		var out bytes.Buffer
		p.Log = log.New(log.Options{Stderr: true, Out: &out}, log.Err)
		done := 0
		end := func(*Ctx) { done++ }
		c := p.Get()
		c.Msg.Buf = []byte("OPTIONS sip:a SIP/2.0\r\n")
		p.Runner.Run(c, func(c *Ctx) {
			if waits {
				c.Await(func() {})
			}
			breakDown(c.Msg.Buf)
		}, end)
		if waits {
			l.next()
		}
		if done != 1 || p.Counts.Sum(p.Stat.Panics) != 1 {
			t.Errorf("waits %v: %d scripts have ended, %d panics counted", waits, done, p.Counts.Sum(p.Stat.Panics))
		}
		for _, want := range []string{"index out of range [23]", "OPTIONS sip:a SIP/2.0", "route.breakDown("} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("waits %v: the log lacks %q:\n%s", waits, want, &out)
			}
		}
		ran := false
		p.Runner.Run(p.Get(), func(*Ctx) { ran = true }, end)
		if !ran || done != 2 {
			t.Errorf("waits %v: the next script ran %v", waits, ran)
		}
		p.Runner.Close()
	}
}

// TestPanicUnderLock: what a shared lock guards is half done, so the process has to end.
func TestPanicUnderLock(t *testing.T) {
	p, _ := newProc(t)
	r, err := shm.New[struct{ Mu shm.Mutex }](p.Arena, p.Arena.TagFor("test", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if x := recover(); x != "half done" {
			t.Errorf("the process goes on: %v", x)
		}
	}()
	p.Runner.Run(p.Get(), func(*Ctx) {
		p.Arena.Lock(&r.Get(p.Arena).Mu)
		panic("half done")
	}, nil)
}
