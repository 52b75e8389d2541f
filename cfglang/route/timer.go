package route

import (
	"runtime/debug"

	"kahea/cfglang/log"
	"kahea/shm"
)

// TimerHandler is what a kind of timer does. Both functions run on the loop of the process on whose wheel the timer stood, with no lock held; o is the timer's offset.
type TimerHandler struct {
	Name string // owner and kind, for the log: "tm: branch"
	// Run does what is due. again: a process died in it before, so anything of its work may be done already. It calls Wheel.Fired before it gives up what keeps the
	// timer's memory.
	Run func(o shm.Off, again bool)
	// Drop ends what the timer belongs to, because Run has panicked or has killed its process twice: it does as little as possible, and nothing of what Run did.
	Drop func(o shm.Off)
}

// deathsAllowed is how many processes may die in one handler.
const deathsAllowed = 2

// Timer registers the handler of a timer kind; every process registers the same kinds. It panics on a kind in use, which is a
// programming error.
func (p *Proc) Timer(k shm.Kind, h TimerHandler) {
	if p.timers[k].Run != nil {
		panic("route: timer kind registered twice")
	}
	p.timers[k] = h
}

// Advance fires the timers that are due. The one whose handler the predecessor has died in comes first.
func (p *Proc) Advance(now uint64) {
	if p.fired == nil {
		p.fired = p.fire
	}
	p.Wheel.Advance(p.Arena, now, p.fired)
}

// fire runs a handler, for the first time or again. A timer that has killed as many processes as it may is quarantined: it is off the wheel, its owner ends what it
// belongs to, and if that kills too, it is left alone.
func (p *Proc) fire(o shm.Off, k shm.Kind, deaths int) {
	h := &p.timers[k]
	switch {
	case deaths == 0:
		p.guard(h, o, k, false)
	case h.Run == nil:
		p.Log.Printf(log.Crit, "<core>: ", "timer of kind %d at %#x has no handler here: it is dropped", k, uint64(o))
	case deaths < deathsAllowed:
		p.Count(p.Stat.TimersResumed)
		p.Log.Printf(log.Warn, "<core>: ", "timer %q at %#x: the process died in its handler, which is run again", h.Name, uint64(o))
		p.guard(h, o, k, true)
	case deaths == deathsAllowed:
		p.Count(p.Stat.TimersQuarantined)
		p.Log.Printf(log.Alert, "<core>: ", "timer %q at %#x is quarantined: %d processes have died in its handler; what it belongs to is ended", h.Name, uint64(o), deaths)
		p.drop(h, o)
	default:
		p.Log.Printf(log.Alert, "<core>: ", "timer %q at %#x: the process died again when it was to be ended: it is left alone", h.Name, uint64(o))
	}
}

// guard runs a handler. A panic ends the handler and not the process, as in a script (coroutine.recovered); what the timer belongs to is ended.
func (p *Proc) guard(h *TimerHandler, o shm.Off, k shm.Kind, again bool) {
	defer func() {
		if p.recovered(h, o, recover()) {
			if at, kind, ok := p.Wheel.Firing(p.Arena); ok && at == o && kind == k {
				p.drop(h, o)
			}
		}
	}()
	h.Run(o, again)
}

func (p *Proc) drop(h *TimerHandler, o shm.Off) {
	defer func() { p.recovered(h, o, recover()) }()
	h.Drop(o)
}

// recovered deals with what a handler's deferred function has recovered. While the process holds a shared lock it goes on panicking (shm.Arena.HoldsLocks).
func (p *Proc) recovered(h *TimerHandler, o shm.Off, x any) bool {
	if x == nil {
		return false
	}
	p.Log.Printf(log.Crit, "<core>: ", "panic in timer %q at %#x: %v\n%s", h.Name, uint64(o), x, debug.Stack())
	if p.Arena.HoldsLocks() {
		panic(x)
	}
	p.Count(p.Stat.TimerPanics)
	return true
}
