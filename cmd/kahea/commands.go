package main

import "kahea/modules"

// coreCommands are the RPC commands of the core (core.md 10.1).
func coreCommands(s *server) []modules.RPC { return nil }
