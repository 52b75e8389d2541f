package main

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

// memoryReport writes the state of shared memory at the memlog level (SIGUSR1), the ledger's rows at the memdbg level.
func (s *server) memoryReport() {
	if s.host.Main && s.par.Fork { // elsewhere the loop does it
		s.runtime.read()
	}
	v := log.Level(s.par.MemLog)
	if !s.proc.Log.On(v) {
		return
	}
	u := s.arena.Usage()
	s.proc.Log.Printf(v, "<core>: ", "shared memory: total %d free %d used %d real used %d max used %d fragments %d largest free %d",
		u.Total, u.Free, u.Used, u.RealUsed, u.MaxUsed, u.Fragments, u.LargestFree)
	if p := s.private.Usage(); s.par.MemSummary&5 != 0 {
		s.proc.Log.Printf(v, "<core>: ", "private memory: total %d free %d used %d max used %d", p.Total, p.Free, p.Used, p.MaxUsed)
	}
	dbg := log.Level(s.par.MemDbg)
	if !s.proc.Log.On(dbg) {
		return
	}
	for _, t := range s.arena.Ledger() {
		s.proc.Log.Printf(dbg, "<core>: ", "shared memory of %s/%s: %d blocks, %d bytes", t.Module, t.Kind, t.Blocks, t.Bytes)
	}
}

// memorySummary is the report at the end of main, as mem_summary asks for it.
func (s *server) memorySummary() {
	if s.par.MemSummary&(2|8) != 0 {
		s.memoryReport()
	}
}

// workerOneInit runs event_route[core:worker-one-init] in the first worker; drop aborts the start.
func (s *server) workerOneInit() error {
	r := s.proc.Prog.Find(route.InEvent, "core:worker-one-init")
	if r == nil {
		return nil
	}
	var err error
	s.proc.RunEvent(r, func(flow route.Flow) {
		if flow&route.FlowDrop != 0 {
			err = errWorkerOne
		}
	})
	return err
}
