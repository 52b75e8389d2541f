package route

import (
	"time"

	"kahea/cfglang/log"
	"kahea/shm"
	"kahea/sipparse"
)

// Sleeper is a Host with timers of its own: a script that sleeps then costs no goroutine. Without it Sleep awaits one.
type Sleeper interface {
	// After runs done on the loop when d has passed.
	After(d time.Duration, done func())
}

// Resumer is a Host that wants to know what the loop works on when a suspended script goes on: Resumed before, with the message that came in, Rested when the script
// has ended or waits again.
type Resumer interface {
	Resumed(r *Recv, msg []byte)
	Rested()
}

// Refusal is what becomes of a message whose script would have to wait over Runner.Max (suspend_policy).
type Refusal uint8

const (
	RefuseReply Refusal = iota // a request other than ACK is answered 503 with Retry-After, the rest is dropped
	RefuseDrop                 // it is dropped
)

// retryAfter is the line that goes with the 503: a worker with so many scripts waiting is free again when what they wait for answers.
const retryAfter = "Retry-After: 5\r\n"

var unavailable = []byte("Service Unavailable")

// suspensions is the root "suspended": how many scripts of each process wait now, by slot. A successor finds there what died with its predecessor.
type suspensions struct {
	N [512]int64
}

// Await suspends the script while wait runs on another goroutine; the loop goes on with other messages. The script must hold no
// shared lock. It returns false, without waiting, when the caller is no coroutine, or when too many scripts wait already: then the message has been dealt
// with as Params.Refusal says, Flow ends the script, and the caller just returns.
func (c *Ctx) Await(wait func()) bool {
	if !c.maySuspend() {
		return false
	}
	c.P.Host.Await(wait, c.suspend())
	c.wait()
	return true
}

// Sleep suspends the script for d. It returns false as Await does, but outside of a coroutine (main's event routes, where nothing else is to be done) it
// just waits.
func (c *Ctx) Sleep(d time.Duration) bool {
	if c.co == nil {
		time.Sleep(d)
		return true
	}
	timers, ok := c.P.Host.(Sleeper)
	if !ok {
		return c.Await(func() { time.Sleep(d) })
	}
	if !c.maySuspend() {
		return false
	}
	timers.After(d, c.suspend())
	c.wait()
	return true
}

// Refused says that the script was to wait over the bound: it has ended, whatever its functions return.
func (c *Ctx) Refused() bool { return c.refused }

// maySuspend is false for who is no coroutine and for who is over the bound, or has no memory to wait in; the latter's message is dealt with.
func (c *Ctx) maySuspend() bool {
	r := &c.P.Runner
	switch {
	case c.co == nil || c.refused:
		return false
	case c.short || r.Max > 0 && r.Suspended >= r.Max:
		c.refuse()
		return false
	}
	var ok bool
	if c.saved, ok = c.P.Vars.save(c); !ok {
		c.refuse()
	}
	return ok
}

// suspend makes the script one that waits; what it returns wakes it, on the loop. The caller sees to it that it is called, then calls wait.
func (c *Ctx) suspend() (wake func()) {
	p, co := c.P, c.co
	c.waited = c.wire
	if c.wire && c.IsRequest() {
		for _, f := range p.Suspending {
			f(c)
		}
	}
	p.Runner.Suspended++
	p.waits(1)
	if c.keep != nil {
		c.release = c.keep()
		c.keep = nil
	}
	if c.wire && !c.listed && c.Recv.Proto == sipparse.UDP && c.IsRequest() {
		p.waiting.add(c)
	}
	return func() {
		p.Runner.Suspended--
		p.waits(-1)
		h, ok := p.Host.(Resumer)
		if ok = ok && c.wire; ok {
			h.Resumed(&c.Recv, c.Msg.Buf)
		}
		co.step()
		if ok {
			h.Rested()
		}
	}
}

// wait switches back to the loop until the script is woken.
func (c *Ctx) wait() {
	c.co.yield(false)
	saved := c.saved
	c.saved = nil
	p := c.P
	p.Vars.restore(c, saved)
	if c.wire && c.IsRequest() {
		for _, f := range p.Woken {
			f(c)
		}
	}
}

// waits keeps count of the scripts that wait where a successor of this process finds it.
func (p *Proc) waits(n int64) {
	p.Counts.Add(p.Stat.Suspended, n)
	if p.suspended != nil {
		*p.suspended += n
	}
}

// inherit counts the scripts that waited when this process's predecessor died.
func (p *Proc) inherit() {
	r, _, err := shm.Root[suspensions](p.Arena, "suspended")
	if err != nil {
		p.Log.Printf(log.Err, "<core>: ", "count of suspended scripts: %v", err)
		return
	}
	all := r.Get(p.Arena).N[:]
	if p.Slot >= len(all) {
		return
	}
	p.suspended = &all[p.Slot]
	if p.Reloaded {
		return
	}
	if lost := *p.suspended; lost != 0 {
		p.Counts.Add(p.Stat.Suspended, -lost)
		p.Counts.Add(p.Stat.SuspendedLost, lost)
	}
	*p.suspended = 0
}

// refuse deals with a message whose script can not wait: the script ends, and the sender learns of it if the policy and the message allow.
func (c *Ctx) refuse() {
	p := c.P
	p.Count(p.Stat.SuspendRefused)
	c.refused = true
	c.Flow |= FlowExit | FlowDrop
	if p.Par.Refusal == RefuseDrop || c.Faked || c.Msg.Buf == nil || !c.IsRequest() || c.Msg.Line.Method == sipparse.ACK {
		return
	}
	c.Edits.AddReplyHeader([]byte(retryAfter))
	for _, f := range p.Unavailable {
		if f(c, unavailable) {
			return
		}
	}
	d, ok := c.ReplyDest()
	if !ok {
		return
	}
	b, err := c.AppendReply(p.Host.Buffer(), 503, unavailable, c.ToTag(&p.tag))
	if err == nil {
		err = p.Host.Send(d, b)
	}
	if err != nil {
		c.Error("reply 503: %v", err)
	}
}
