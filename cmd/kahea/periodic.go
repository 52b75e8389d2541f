package main

import (
	"reflect"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"kahea/cfglang/log"
)

// periodic is a function that runs each interval in the slow timer process (modules.Host.Every).
type periodic struct {
	every, next uint64 // ticks
	f           func()
}

// beatMark says in shared memory which periodic function of a process runs. One that has killed its process twice, one time after the other, is not run any more
// until a configuration is loaded again.
type beatMark struct {
	Running uint32    // number of the function + 1, or of the one in which the process died
	Deaths  [60]uint8 // by number; who has a higher one is not counted
}

const deathsAllowed = 2

// every runs f in the slow timer process each interval.
func (v *server) every(interval time.Duration, f func()) {
	v.beat = append(v.beat, periodic{every: max(1, uint64(interval/(time.Second/16))), f: f})
}

// tickPeriodic runs what is due; the slow timer calls it.
func (v *server) tickPeriodic(now uint64) {
	m := v.mark
	if m != nil && m.Running != 0 { // the process before has died in it
		v.periodicDeath(m, m.Running-1)
	}
	for i := range v.beat {
		b := &v.beat[i]
		if b.next == 0 {
			b.next = now + b.every
		}
		if now < b.next {
			continue
		}
		b.next = now + b.every
		if m == nil || i >= len(m.Deaths) {
			v.runPeriodic(b)
		} else if m.Deaths[i] < deathsAllowed {
			atomic.StoreUint32(&m.Running, uint32(i)+1)
			v.runPeriodic(b)
			m.Deaths[i] = 0
			atomic.StoreUint32(&m.Running, 0)
		}
	}
}

// periodicDeath counts a death in function i.
func (v *server) periodicDeath(m *beatMark, i uint32) {
	m.Running = 0
	if int(i) >= len(v.beat) || int(i) >= len(m.Deaths) {
		return
	}
	if m.Deaths[i]++; m.Deaths[i] == deathsAllowed {
		v.proc.Count(v.proc.Stat.TimersQuarantined)
		v.proc.Log.Printf(log.Alert, "<core>: ", "periodic function %s is quarantined: %d processes have died in it; it is run again after the next reload", v.beat[i].name(), deathsAllowed)
	}
}

// runPeriodic runs a function. A panic in it ends this run and not the process, unless the process holds a shared lock.
func (v *server) runPeriodic(b *periodic) {
	defer func() {
		if x := recover(); x != nil {
			v.proc.Log.Printf(log.Crit, "<core>: ", "panic in periodic function %s: %v\n%s", b.name(), x, debug.Stack())
			if v.arena.HoldsLocks() {
				panic(x)
			}
			v.proc.Count(v.proc.Stat.TimerPanics)
		}
	}()
	b.f()
}

// name is the function's, as the log says it.
func (b *periodic) name() string { return runtime.FuncForPC(reflect.ValueOf(b.f).Pointer()).Name() }
