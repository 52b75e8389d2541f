package core

import (
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

// Sleeps are sleep() and usleep(), which Kamailio has in its module cfgutils (modules.md): they take a number, a text that is one, or a variable, and what
// they take is an unsigned 32-bit number there and here. Only the message waits; the worker goes on with others. They return 1; 0, which ends the
// script, when too many scripts wait already (suspend_max); -1 when the parameter is no number.
func Sleeps() []route.Func {
	row := func(name string, unit time.Duration, doc string) route.Func {
		return route.Func{Name: name, Args: "i", From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			n, ok := a.Int(c, 0)
			switch {
			case !ok:
				c.Logf(log.Err, "<core>", "%s: cannot get time interval value", name)
				return -1
			case !c.Sleep(time.Duration(uint32(n)) * unit):
				return 0
			}
			return 1
		}}
	}
	return []route.Func{
		row("sleep", time.Second, "wait a number of seconds; other messages are handled meanwhile"),
		row("usleep", time.Microsecond, "wait a number of microseconds; other messages are handled meanwhile"),
	}
}
