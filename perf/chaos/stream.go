package main

import (
	"fmt"
	"sync"
	"time"

	"kahea/perf/load"
)

// patience is how long a client waits: timer B of RFC 3261 section 17.1.1.2 and as much again.
const patience = 64 * time.Second

// count is what became of transactions or calls. What is none of these is still going on.
type count struct {
	Started, Done, Failed, Lost, Retransmits int
}

func (c count) plus(d count) count {
	return count{c.Started + d.Started, c.Done + d.Done, c.Failed + d.Failed, c.Lost + d.Lost, c.Retransmits + d.Retransmits}
}

func (c count) minus(d count) count {
	return count{c.Started - d.Started, c.Done - d.Done, c.Failed - d.Failed, c.Lost - d.Lost, c.Retransmits - d.Retransmits}
}

func countOf(r *load.Result) count {
	return count{Started: r.Started, Done: r.Done, Failed: r.Failed, Lost: r.Lost, Retransmits: r.Retransmits}
}

// stream is one load.
type stream struct {
	name   string
	strict bool // nothing may be lost: the client retransmits
	c      load.Config
	r      *load.Result
	err    error

	mu  sync.Mutex
	now count
}

// start runs the load until over is closed.
func (x *stream) start(wg *sync.WaitGroup, s *subject, over <-chan struct{}) {
	x.c.Server = s.p.Addr
	if x.c.Timeout == 0 {
		x.c.Timeout = patience
	}
	x.c.Second = func(r *load.Result) bool {
		x.mu.Lock()
		x.now = countOf(r)
		x.mu.Unlock()
		select {
		case <-over:
			return false
		default:
			return true
		}
	}
	wg.Go(func() {
		if x.r, x.err = load.Run(x.c, nil); x.err == nil {
			x.mu.Lock()
			x.now = countOf(x.r)
			x.mu.Unlock()
		}
	})
}

func (x *stream) count() count {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

// report prints what came of it. A request that was refused for want of memory is no loss when memory was squeezed.
func (x *stream) report(squeezed bool) error {
	if x.err != nil {
		return fmt.Errorf("%s: %w", x.name, x.err)
	}
	r := x.r
	fmt.Printf("%s: %d started, %d done, %d failed, %d lost, %d retransmissions; p99 %v\n", x.name, r.Started, r.Done, r.Failed, r.Lost, r.Retransmits, r.Latency.Quantile(0.99))
	for code, n := range r.Status {
		if n > 0 && (code < 200 || code > 299) {
			fmt.Printf("    %d: %d\n", code, n)
		}
	}
	refused := 0
	if squeezed {
		refused = r.Status[500] + r.Status[503]
	}
	if x.strict && r.Done+refused != r.Started {
		return fmt.Errorf("%s: %d failed, %d lost", x.name, r.Failed, r.Lost)
	}
	return nil
}
