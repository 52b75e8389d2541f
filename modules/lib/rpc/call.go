package rpc

import (
	"errors"
	"fmt"

	"kahea/modules"
)

// Call runs a command on the process's loop and calls done there once with its fault, nil when it succeeded; the reply is in r.Out. A command may
// answer later (Request.Delayed).
func Call(c *modules.RPC, r *modules.Request, done func(f *modules.Fault)) {
	answered := false
	r.Reply = func() {
		if !answered {
			answered = true
			done(r.Fault)
		}
	}
	err := c.Run(r)
	if err == nil && r.Delayed {
		return
	}
	if answered {
		return
	}
	answered = true
	if err == nil {
		done(nil)
		return
	}
	var f *modules.Fault
	if !errors.As(err, &f) {
		f = &modules.Fault{Code: 500, Text: fmt.Sprint(err)}
	}
	done(f)
}
