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
		{Name: "kahea.upgrade", Doc: "Executes another binary (parameter 1; default the file that was started) in main's place and replaces the other processes by it, without losing a transaction; what that binary lays out differently in shared memory is converted. With \"check\" as parameter 2 it only says whether that is possible, and what is adopted and what converted.",
			Run: func(r *modules.Request) error {
				var args []string
				for r.More() {
					a, err := r.Str()
					if err != nil {
						return err
					}
					args = append(args, a)
				}
				if len(args) == 2 && args[1] != "check" || len(args) > 2 {
					return modules.NewFault(400, "parameters: the binary's path, and check")
				}
				if len(args) == 2 {
					return s.ask(r, "upgrade check", args[0])
				}
				return s.ask(r, "upgrade", args...)
			}},
		{Name: "kahea.verify", Doc: "Walks the whole of shared memory and says what is wrong with it; it holds the allocator's lock meanwhile.", Run: func(r *modules.Request) error {
			if errs := s.arena.Verify(); len(errs) > 0 {
				return modules.NewFault(500, "%v", errors.Join(errs...))
			}
			r.AddStr("ok")
			return nil
		}},
	}
}
