package procmgr

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	firstBackoff = 100 * time.Millisecond
	calm         = 10 * time.Second // a child that lived so long begins a new row of deaths
	window       = time.Minute      // of MaxRestarts
)

// Run waits for signals and children, restarts what died, and returns Kamailio's exit code when all are gone.
func (m *Manager) Run() int {
	var beat <-chan time.Time
	if m.o.Heartbeat > 0 {
		t := time.NewTicker(time.Duration(m.o.Heartbeat) * time.Second / 4)
		defer t.Stop()
		beat = t.C
	}
	for {
		select {
		case <-m.stop:
			m.end()
			return 0
		case s := <-m.sigs:
			if code, over := m.signal(s); over {
				return code
			}
		case e := <-m.events:
			if code, over := m.event(e); over {
				return code
			}
		case now := <-beat:
			m.checkBeats(now)
		case f := <-m.calls:
			f()
		}
	}
}

func (m *Manager) signal(s os.Signal) (code int, over bool) {
	switch s {
	case unix.SIGINT, unix.SIGTERM:
		m.end()
		return 0, true
	case unix.SIGCHLD:
		for _, p := range m.procs {
			ws, dead := m.reap(p)
			if dead && !m.bury(p, ws) {
				return m.allStop(), true
			}
		}
	case unix.SIGUSR1:
		if m.o.Status != nil {
			m.o.Status()
		}
	case unix.SIGHUP:
		if m.o.Hangup != nil {
			m.o.Hangup()
		}
	case unix.SIGPIPE:
		m.o.Log(LevelWarn, "SIGPIPE ignored")
	}
	return 0, false
}

func (m *Manager) event(e event) (code int, over bool) {
	p := m.procs[e.slot-1]
	if e.generation != p.generation {
		return 0, false
	}
	switch e.kind {
	case evReady:
		m.ready(p)
	case evFailed:
		if p.up != nil { // the caller of AddLive says it
			p.came(e.err)
		} else {
			m.o.Log(LevelErr, fmt.Sprintf("%s (slot %d): %v", p.Desc, p.slot, e.err))
		}
	case evRestart:
		if err := m.launch(p); err != nil {
			m.o.Log(LevelAlert, err.Error())
			m.last = 0
			m.end()
			return 1, true
		}
	}
	return 0, false
}

// reap asks whether p is dead.
func (m *Manager) reap(p *process) (ws unix.WaitStatus, dead bool) {
	if p.pid == 0 {
		return 0, false
	}
	for {
		pid, err := unix.Wait4(p.pid, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid != p.pid {
			return 0, false
		}
		break
	}
	m.last = ws
	m.table.status(p.slot, 0)
	m.mu.Lock()
	p.pid = 0
	m.mu.Unlock()
	return ws, true
}

// bury cleans up after p and arranges for its successor; false when the server has to stop.
func (m *Manager) bury(p *process, ws unix.WaitStatus) bool {
	status := statusText(ws)
	if p.killed {
		status += " (no heartbeat)"
	}
	left := p.leaving
	if left == staying || ws.Signaled() {
		m.o.Log(LevelAlert, fmt.Sprintf("child process %q (slot %d) %s", p.Desc, p.slot, status))
	}
	<-p.ctl.done // what it had still sent is handled before Died
	p.ctl.Close()
	m.mu.Lock()
	p.ctl = nil
	m.mu.Unlock()
	if n := m.o.Arena.ReleaseLocksOf(p.slot); n > 0 {
		m.o.Log(LevelWarn, fmt.Sprintf("released %d locks of slot %d", n, p.slot))
	}
	if m.o.Died != nil {
		m.hmu.Lock()
		p.handover = m.o.Died(p.Proc, p.slot, status)
		m.hmu.Unlock()
	}
	if left != replacing {
		p.came(fmt.Errorf("%s (slot %d) ended during start: %s", p.Desc, p.slot, status))
	}
	switch left {
	case removing:
		m.clear(p)
		return true
	case parked:
		p.generation++
		p.parked()
		return true
	case replacing:
		p.generation++
		_, over := m.event(event{slot: p.slot, generation: p.generation, kind: evRestart})
		return !over
	}
	if !m.o.Restart {
		return false
	}
	now := time.Now()
	keep := m.restarts[:0]
	for _, t := range m.restarts {
		if now.Sub(t) < window {
			keep = append(keep, t)
		}
	}
	m.restarts = append(keep, now)
	if len(m.restarts) > m.o.MaxRestarts {
		m.o.Log(LevelAlert, fmt.Sprintf("%d restarts within a minute: the server stops", len(m.restarts)))
		return false
	}
	if now.Sub(p.started) > calm {
		p.deaths = 0
	}
	// one that has lived for as long needs no rest
	delay := max(0, backoff(p.deaths, m.o.MaxBackoff)-now.Sub(p.started))
	p.deaths++
	p.generation++
	e := event{slot: p.slot, generation: p.generation, kind: evRestart}
	if delay == 0 {
		_, over := m.event(e)
		return !over
	}
	p.timer = time.AfterFunc(delay, func() {
		select {
		case m.events <- e:
		case <-m.quit:
		}
	})
	return true
}

// backoff is the least time between the starts of a process and its successor: 0, 100 ms, 200 ms, ... up to most.
func backoff(deaths int, most time.Duration) time.Duration {
	if deaths == 0 {
		return 0
	}
	if deaths > 16 {
		return most
	}
	return min(firstBackoff<<(deaths-1), most)
}

// checkBeats kills what has beaten once and stopped; the reaper does the rest.
func (m *Manager) checkBeats(now time.Time) {
	limit := time.Duration(m.o.Heartbeat) * time.Second
	for _, p := range m.procs {
		if p.pid == 0 || !p.ready || p.killed {
			continue
		}
		b := m.table.beats(p.slot)
		if b != p.beat || b == 0 {
			p.beat, p.beatAt = b, now
			continue
		}
		if now.Sub(p.beatAt) >= limit {
			m.o.Log(LevelAlert, fmt.Sprintf("child process %q (slot %d, pid %d) does not tick any more: killed", p.Desc, p.slot, p.pid))
			p.killed = true
			unix.Kill(p.pid, unix.SIGKILL)
		}
	}
}

// allStop is Kamailio's rule for a dead child: all end, and the last status decides.
func (m *Manager) allStop() int {
	ws := m.last
	m.end()
	if ws.Signaled() {
		return 1
	}
	return 0
}

// end terminates every child, waits for them (KILL after ExitTimeout), and releases the Manager.
func (m *Manager) end() {
	for _, p := range m.procs {
		if p.timer != nil {
			p.timer.Stop()
		}
		if p.pid != 0 {
			unix.Kill(p.pid, unix.SIGTERM)
		}
	}
	late := time.NewTimer(time.Duration(m.o.ExitTimeout) * time.Second)
	defer late.Stop()
	for m.reapAll() > 0 {
		select {
		case <-m.sigs:
		case <-m.events: // nobody waits for a Ready any more, but a reader may stand there
		case <-late.C:
			m.o.Log(LevelAlert, fmt.Sprintf("children still run %d s after TERM: killed", m.o.ExitTimeout))
			for _, p := range m.procs {
				if p.pid != 0 {
					unix.Kill(p.pid, unix.SIGKILL)
				}
			}
		}
	}
	for _, p := range m.procs {
		if p.ctl != nil {
			p.ctl.Close()
		}
	}
	m.Close()
	m.readers.Wait()
}

func (m *Manager) reapAll() (alive int) {
	for _, p := range m.procs {
		if _, dead := m.reap(p); !dead && p.pid != 0 {
			alive++
		}
	}
	return alive
}

func statusText(ws unix.WaitStatus) string {
	switch {
	case ws.Signaled() && ws.CoreDump():
		return fmt.Sprintf("killed by signal %d (%s), core dumped", int(ws.Signal()), unix.SignalName(ws.Signal()))
	case ws.Signaled():
		return fmt.Sprintf("killed by signal %d (%s)", int(ws.Signal()), unix.SignalName(ws.Signal()))
	default:
		return fmt.Sprintf("exited with status %d", ws.ExitStatus())
	}
}
