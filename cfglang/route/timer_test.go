package route

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"kahea/cfglang/log"
	"kahea/shm"
)

// TestTimerPanic: a panic in a handler ends it alone, its owner ends what the timer belongs to unless the handler had done its work, and the next timer fires.
func TestTimerPanic(t *testing.T) {
	for _, c := range []struct {
		name    string
		run     func(p *Proc)
		drop    func()
		dropped int
		panics  int64
	}{
		{"in the handler", func(*Proc) { breakDown(nil) }, func() {}, 1, 1},
		{"behind Fired", func(p *Proc) { p.Wheel.Fired(p.Arena); breakDown(nil) }, func() {}, 0, 1},
		{"in both", func(*Proc) { breakDown(nil) }, func() { breakDown(nil) }, 1, 2},
		{"none", func(*Proc) {}, func() {}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, out, timer := timerProc(t)
			dropped, next := 0, 0
			p.Timer(1, TimerHandler{Name: "test: one", Run: func(shm.Off, bool) { c.run(p) }, Drop: func(shm.Off) { dropped++; c.drop() }})
			p.Timer(2, TimerHandler{Name: "test: two", Run: func(shm.Off, bool) { next++ }})
			p.Wheel.Arm(p.Arena, timer(), 1, 1)
			p.Wheel.Arm(p.Arena, timer(), 2, 2)
			p.Advance(3)
			if dropped != c.dropped || next != 1 || p.Counts.Sum(p.Stat.TimerPanics) != c.panics {
				t.Errorf("dropped %d times, the next fired %d times, %d panics counted; want %d, 1, %d", dropped, next, p.Counts.Sum(p.Stat.TimerPanics), c.dropped, c.panics)
			}
			if says := strings.Count(out.String(), `panic in timer "test: one"`); says != int(c.panics) {
				t.Errorf("the log:\n%s", out)
			}
		})
	}
}

// TestTimerDeaths: what becomes of a timer whose handler the processes before have died in.
func TestTimerDeaths(t *testing.T) {
	p, out, timer := timerProc(t)
	var did []string
	p.Timer(1, TimerHandler{Name: "test: one", Run: func(_ shm.Off, again bool) { did = append(did, fmt.Sprint("run again ", again)) }, Drop: func(shm.Off) { did = append(did, "drop") }})
	for deaths := range 4 {
		p.fire(timer(), 1, deaths)
	}
	p.fire(timer(), 9, 1) // of a binary before that had such a kind
	if got := strings.Join(did, ", "); got != "run again false, run again true, drop" {
		t.Errorf("did %s", got)
	}
	if r, q := p.Counts.Sum(p.Stat.TimersResumed), p.Counts.Sum(p.Stat.TimersQuarantined); r != 1 || q != 1 {
		t.Errorf("%d resumed, %d quarantined, want 1 and 1", r, q)
	}
	for _, want := range []string{"is run again", `"test: one"`, "is quarantined: 2 processes", "is left alone", "has no handler"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, out)
		}
	}
}

// timerProc is a process with a wheel, its log, and what makes timers.
func timerProc(t *testing.T) (*Proc, *bytes.Buffer, func() shm.Off) {
	p, _ := newProc(t)
	out := &bytes.Buffer{}
	p.Log = log.New(log.Options{Stderr: true, Out: out}, log.Warn)
	tag := p.Arena.TagFor("test", "timer")
	var err error
	if p.Wheel, err = shm.NewWheel(p.Arena, 0, tag); err != nil {
		t.Fatal(err)
	}
	return p, out, func() shm.Off {
		r, err := shm.New[shm.Timer](p.Arena, tag)
		if err != nil {
			t.Fatal(err)
		}
		return r.Off
	}
}
