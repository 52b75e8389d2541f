package main

import (
	"encoding/binary"
	"time"

	"kahea/cfglang/log"
	"kahea/procmgr"
	"kahea/reactor"
)

// managerOptions are what main wants of its process manager, at the start and after an upgrade.
func (s *server) managerOptions(steer *reactor.Steering, dm procmgr.DaemonOptions, id procmgr.Identity) procmgr.Options {
	v := s.live
	s.verbs = map[string]verb{"reload": s.reloadVerb, "upgrade check": s.upgradeCheck}
	q := s.newQuarantine(steer)
	return procmgr.Options{
		Arena: s.arena, Restart: s.par.Restart, ExitTimeout: s.par.ExitTimeout, Name: "kahea", Heartbeat: 10,
		Log: func(level int, text string) { s.proc.Log.Printf(log.Level(level), "<core>: ", "%s", text) },
		Died: func(p procmgr.Proc, slot int, status string) []int {
			fds := q.died(p, slot, status)
			if v.died(slot) {
				return nil
			}
			return fds
		},
		ForkDelay: usec(s.par.ForkDelay), FirstWait: s.firstWait(),
		Spare: spareSlots, Status: func() { v.now.Load().memoryReport() }, Hangup: func() {
			go s.reload() //nolint:errcheck // it has logged why
		},
		Silent: !dm.NoFork, SilentErr: !dm.NoFork && !dm.LogStderr, Dumpable: id.SetUID && !dm.DisableCoreDump,
	}
}

func usec(n int) time.Duration { return time.Duration(n) * time.Microsecond }

// firstWait is how long the first process may keep the others waiting.
func (s *server) firstWait() time.Duration {
	if s.par.FirstWorker == 0 {
		return 0
	}
	return usec(s.par.FirstWait)
}

// privileges are the memory lock and the real-time priority of a process of some kind ("": main). What the system refuses is logged, as in Kamailio; the server goes on.
func (s *server) privileges(kind string) {
	warn := func(err error) {
		if err != nil {
			s.proc.Log.Printf(log.Warn, "<core>: ", "%v", err)
		}
	}
	p := s.par
	if p.MLock {
		warn(procmgr.LockMemory())
	}
	switch {
	case p.RealTime&1 != 0 && kind == kindTimer:
		warn(procmgr.SetPriority(p.RTTimer1Policy, p.RTTimer1Prio))
	case p.RealTime&2 != 0 && kind == kindSlowTimer:
		warn(procmgr.SetPriority(p.RTTimer2Policy, p.RTTimer2Prio))
	case p.RealTime&4 != 0:
		warn(procmgr.SetPriority(p.RTPolicy, p.RTPrio))
	}
}

// manage registers what children tell and ask main; before they start, or are taken over.
func (s *server) manage(m *procmgr.Manager, steer *reactor.Steering) {
	steer.Forks = m.Forks()
	s.live.watch(s, m, steer)
	m.Handle(msgOpened, func(slot int, b []byte, fds []int) {
		if err := steer.Opened(slot, int(binary.LittleEndian.Uint32(b)), fds); err != nil {
			s.proc.Log.Printf(log.Err, "<core>: ", "%v", err)
		}
	})
	m.Handle(msgDrained, func(slot int, _ []byte, _ []int) {
		if err := steer.Drained(slot); err != nil {
			s.proc.Log.Printf(log.Err, "<core>: ", "%v", err)
		}
	})
	m.Handle(msgAsk, func(slot int, b []byte, _ []int) {
		s.asked(slot, b, func(p []byte) error { return m.Send(slot, msgAnswer, p) })
	})
}

// closeMain closes what the modules of main hold.
func (s *server) closeMain() {
	for _, x := range s.extra {
		x.closeModules()
	}
	s.closeModules()
}
