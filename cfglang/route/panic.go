package route

import (
	"runtime/debug"

	"kahea/cfglang/log"
)

// recovered is deferred around a script: a panic in it, or in a module's function that it calls, ends the script and not the process. It is logged with the message and
// with where it happened, which iter.Pull would not tell, and counted. While the process holds a shared lock it goes on panicking (shm.Arena.HoldsLocks).
func (co *coroutine) recovered() {
	x := recover()
	if x == nil {
		return
	}
	c := co.ctx
	p := c.P
	b := c.Msg.Buf
	p.Log.Printf(log.Crit, "<core>: ", "panic in a script: %v; message from %s:%s: %q\n%s", x, c.Recv.Proto, c.Recv.Src, b[:min(len(b), 2000)], debug.Stack())
	if p.Arena.HoldsLocks() {
		panic(x)
	}
	p.Count(p.Stat.Panics)
	c.code, c.broken = 0, true
	if c.wire && !c.after {
		p.after(c)
	}
}

// Broken says to AfterScript that the script has ended in a panic.
func (c *Ctx) Broken() bool { return c.broken }
