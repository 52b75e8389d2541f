package main

import (
	"time"

	"kahea/cfglang/route"
)

// After is route.Sleeper: a timer of Go's, which the loop's own wait lets run (reactor, Waiting). It costs no goroutine while it runs, and, unlike Await,
// does not make the loop wait through Go's poller.
func (h *wire) After(d time.Duration, done func()) {
	time.AfterFunc(d, func() { h.w.Post(done) })
}

var _ route.Sleeper = (*wire)(nil)
