// Package route is the routing engine's run time: what a compiled script sees while it handles a message.
//
// A worker (one process, one event loop) owns one [Proc]. For every message it takes a [Ctx] from the pool, points it at the parsed
// message and runs a compiled block of the [Program] in a coroutine (see [Runner]): the script may suspend itself with [Ctx.Await]
// while another goroutine waits for something, and the loop takes the next message meanwhile. Everything in this package is
// called on the loop of its worker only, so nothing here locks; what processes share lies in package shm.
//
// What waits. A suspended script keeps its Ctx, its coroutine's stack and its message (suspend.go). A message must not move while its script is in the middle of
// something, so it is copied before the script begins, once another script waits or when it came over a stream; else the receive buffer is kept. The
// process's variables are put aside. The number of scripts that wait is bounded (Runner.Max); who would wait over the bound is dealt with
// (Params.Refusal) and its script ends. An exact copy of a request that waits starts no second script (retransmission.go). How many wait stands in shared memory, so that
// a successor can tell how many died with its predecessor.
//
// Lifetimes. A Ctx lives from the arrival of a message to the end of its script, suspended time included. Byte slices that
// variables and functions return point into the message, into constants of the program or into the Ctx's scratch memory and die
// with the Ctx; what must live longer is copied (to shared memory by the module that keeps it, to the process's variables by $var).
//
// The package sees neither sockets nor modules: it sends and waits through [Host], and the descriptors [Func], [Var], [Trans]
// and [Event] say what modules offer; package compile resolves names to them before the first message.
package route
