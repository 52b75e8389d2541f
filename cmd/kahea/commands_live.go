package main

import (
	"errors"

	"kahea/modules"
)

// liveCommands are kahea's own RPC commands that change a running server; main carries them out.
func (s *server) liveCommands() []modules.RPC {
	return []modules.RPC{
		{Name: "kahea.reload", Doc: "Reads the configuration again and lets it serve, without losing a message; when something is wrong with it, nothing changes and the errors are returned.",
			Run: func(r *modules.Request) error { return s.ask(r, "reload") }},
		{Name: "kahea.verify", Doc: "Walks the whole of shared memory and says what is wrong with it; it holds the allocator's lock meanwhile.", Run: func(r *modules.Request) error {
			if errs := s.arena.Verify(); len(errs) > 0 {
				return modules.NewFault(500, "%v", errors.Join(errs...))
			}
			r.AddStr("ok")
			return nil
		}},
	}
}
