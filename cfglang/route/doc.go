// Package route is the routing engine's run time: what a compiled script sees while it handles a message.
//
// A worker (one process, one event loop) owns one [Proc]. For every message it takes a [Ctx] from the pool, points it at the parsed
// message and runs a compiled block of the [Program] in a coroutine (see [Runner]): the script may suspend itself with [Ctx.Await]
// while another goroutine waits for something, and the loop takes the next message meanwhile. Everything in this package is
// called on the loop of its worker only, so nothing here locks; what processes share lies in package shm.
//
// Lifetimes. A Ctx lives from the arrival of a message to the end of its script, suspended time included. Byte slices that
// variables and functions return point into the message, into constants of the program or into the Ctx's scratch memory and die
// with the Ctx; what must live longer is copied (to shared memory by the module that keeps it, to the process's variables by $var).
//
// The package sees neither sockets nor modules: it sends and waits through [Host], and the descriptors [Func], [Var], [Trans]
// and [Event] say what modules offer; package compile resolves names to them before the first message.
package route
