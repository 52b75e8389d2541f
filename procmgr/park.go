package procmgr

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A parked process has ended and its successor waits: nobody works on the memory that it worked on. What it left to the successor (Options.Died) is kept. Unpark, or
// the Manager that goes on after Exec, starts it.

// killWait is how long a process that was killed may take to end.
const killWait = 10 * time.Second

// Park asks the processes in slots to leave (Child.Retire with payload) and returns when all of them have ended; those that have not after patience are killed. A process that
// dies meanwhile, or was about to be restarted, is parked as well. Slots that are free count for nothing.
func (m *Manager) Park(slots []int, payload []byte, patience time.Duration) error {
	gone := make(chan struct{}, len(slots))
	n := 0
	err := m.do(func() error {
		for _, slot := range slots {
			p := m.at(slot)
			if p == nil || p.leaving == parked {
				continue
			}
			n++
			p.leaving, p.gone = parked, gone
			if p.pid == 0 { // it waits for its restart
				if p.timer != nil {
					p.timer.Stop()
				}
				p.generation++
				p.parked()
			} else if err := p.ctl.Send(kindRetire, payload); err != nil {
				m.o.Log(LevelWarn, fmt.Sprintf("slot %d: %v", slot, err)) // it is dying, or will be killed
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	killed := false
	for ; n > 0; n-- {
		select {
		case <-gone:
			continue
		case <-late.C:
		case <-m.quit:
			return ErrStopped
		}
		n++
		if killed {
			return fmt.Errorf("%d processes do not end: %w", n-1, unix.ETIMEDOUT)
		}
		killed = true
		late.Reset(killWait)
		if err := m.do(func() error {
			for _, slot := range slots {
				if p := m.at(slot); p != nil && p.leaving == parked && p.pid != 0 {
					m.o.Log(LevelAlert, fmt.Sprintf("child process %q (slot %d, pid %d) does not leave: killed", p.Desc, p.slot, p.pid))
					unix.Kill(p.pid, unix.SIGKILL)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// parked tells Park that p has ended.
func (p *process) parked() {
	if p.gone != nil {
		p.gone <- struct{}{}
		p.gone = nil
	}
}

// Unpark starts everything that is parked.
func (m *Manager) Unpark() error {
	return m.do(func() error {
		for _, p := range m.procs {
			if p.leaving == parked && p.pid == 0 {
				p.leaving = staying
				if err := m.launch(p); err != nil {
					p.restartLater(m)
					m.o.Log(LevelAlert, err.Error())
				}
			}
		}
		return nil
	})
}

// restartLater has Run start p in a moment.
func (p *process) restartLater(m *Manager) {
	e := event{slot: p.slot, generation: p.generation, kind: evRestart}
	p.timer = time.AfterFunc(firstBackoff, func() {
		select {
		case m.events <- e:
		case <-m.quit:
		}
	})
}

// WaitReady waits until the process in slot is ready.
func (m *Manager) WaitReady(slot int, timeout time.Duration) error {
	up := make(chan error, 1)
	if err := m.do(func() error {
		switch p := m.at(slot); {
		case p == nil:
			return fmt.Errorf("slot %d: %w", slot, errNoProcess)
		case p.ready && p.pid != 0:
			up <- nil
		default:
			p.up = up
		}
		return nil
	}); err != nil {
		return err
	}
	return m.waitUp(slot, up, timeout)
}
