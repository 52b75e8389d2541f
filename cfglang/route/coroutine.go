package route

import "iter"

// Runner runs scripts as coroutines: each message runs in one of a pool (iter.Pull; two switches cost some 60 ns and nothing is allocated),
// so that a script may suspend itself in the middle of anything. A Runner belongs to one loop.
type Runner struct {
	idle []*coroutine
	// Suspended is the number of scripts that wait now.
	Suspended int
	// Max bounds Suspended; 0 = no bound. What becomes of the message of a script over the bound says suspend.go.
	Max int
}

// maxIdle is how many coroutines are kept for the next messages. A worker needs one, and a few when routes nest; the rest of what a burst of
// suspended scripts has made is given back with its stacks.
const maxIdle = 64

type coroutine struct {
	r      *Runner
	resume func() (bool, bool)
	stop   func()
	yield  func(bool) bool
	ctx    *Ctx
	body   func(*Ctx)
	done   func(*Ctx) // called on the loop after body returned
}

// Run starts body(c) now and calls done(c) on the loop when it has ended, which may be before Run returns or, when the script
// suspended itself, later. It reports whether the script has ended.
func (r *Runner) Run(c *Ctx, body, done func(*Ctx)) (ended bool) {
	var co *coroutine
	if n := len(r.idle); n > 0 {
		co = r.idle[n-1]
		r.idle = r.idle[:n-1]
	} else {
		co = &coroutine{r: r}
		co.resume, co.stop = iter.Pull(co.loop)
	}
	co.ctx, co.body, co.done = c, body, done
	c.co = co
	return co.step()
}

// loop is the coroutine's own life: one body after another. It yields true when a body has ended and false when it waits.
func (co *coroutine) loop(yield func(bool) bool) {
	co.yield = yield
	for {
		co.run()
		if !yield(true) {
			return
		}
	}
}

func (co *coroutine) run() {
	defer co.recovered()
	co.body(co.ctx)
}

// step switches to the coroutine until it ends its body or waits.
func (co *coroutine) step() (ended bool) {
	ended, _ = co.resume()
	if !ended {
		return false
	}
	c, done := co.ctx, co.done
	c.co = nil
	co.ctx, co.body, co.done = nil, nil, nil
	if r := co.r; len(r.idle) < maxIdle {
		r.idle = append(r.idle, co)
	} else {
		co.stop()
	}
	if done != nil {
		done(c)
	}
	return true
}

// Close ends the idle coroutines.
func (r *Runner) Close() {
	for _, co := range r.idle {
		co.stop()
	}
	r.idle = nil
}
