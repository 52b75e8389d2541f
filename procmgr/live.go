package procmgr

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// What may change while the server runs: the configuration that new processes get, and which processes there are. All of this is called from any goroutine
// but the one of Run, and only while Run runs; each call is carried out there.

// ErrNoSlot says that the process table is full: Options.Spare processes were added already.
var ErrNoSlot = errors.New("no free process slot")

// ErrStopped is returned when the Manager ends before a call was carried out.
var ErrStopped = errors.New("the server stops")

// do runs f on the Manager's goroutine.
func (m *Manager) do(f func() error) error {
	ret := make(chan error, 1)
	select {
	case m.calls <- func() { ret <- f() }:
	case <-m.quit:
		return ErrStopped
	}
	select {
	case err := <-ret:
		return err
	case <-m.quit:
		return ErrStopped
	}
}

// SealConfig puts a configuration on a descriptor of which nobody can change the content: for SetConfig, or to be sent to a child, which reads it with ReadConfig.
func SealConfig(b []byte) (fd int, err error) { return seal(b) }

// ReadConfig is what was sealed; fd stays the caller's.
func ReadConfig(fd int) ([]byte, error) { return readSealed(fd) }

// Scratch is a file in memory that nobody else has.
func Scratch(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// SetConfig gives every process that starts from now on the configuration gen on fd, which the Manager owns from here on. Processes that run keep what they
// have until they are replaced, or until Adopted says that they took it over themselves. The configuration of the start has number 0.
func (m *Manager) SetConfig(fd, gen int) error {
	return m.do(func() error {
		unix.Close(m.conf)
		m.conf, m.confGen = fd, gen
		return nil
	})
}

// Adopted says that the process in slot runs configuration gen now.
func (m *Manager) Adopted(slot, gen int) error {
	return m.do(func() error {
		if p := m.at(slot); p != nil {
			p.confGen = gen
		}
		return nil
	})
}

// SetFds changes what the successors of the process in slot inherit.
func (m *Manager) SetFds(slot int, fds []int) error {
	return m.do(func() error {
		if p := m.at(slot); p != nil {
			p.Fds = fds
		}
		return nil
	})
}

// Running lists the slots of processes that run or are about to, with the number of each one's configuration.
func (m *Manager) Running() (procs map[int]int, err error) {
	procs = map[int]int{}
	err = m.do(func() error {
		for _, p := range m.procs {
			if p.Desc != "" {
				procs[p.slot] = p.confGen
			}
		}
		return nil
	})
	return procs, err
}

// Proc is the process in slot; false when the slot is free.
func (m *Manager) Proc(slot int) (p Proc, ok bool) {
	err := m.do(func() error {
		if x := m.at(slot); x != nil {
			p, ok = x.Proc, true
		}
		return nil
	})
	return p, ok && err == nil
}

// at is the process in slot, nil if the slot is free.
func (m *Manager) at(slot int) *process {
	if slot < 1 || slot > len(m.procs) || m.procs[slot-1].Desc == "" {
		return nil
	}
	return m.procs[slot-1]
}

// Replace asks the process in slot to leave (Child.Retire) and starts its successor, with the configuration of the day, as soon as it is gone.
// It does not wait for that.
func (m *Manager) Replace(slot int) error { return m.retire(slot, replacing, nil) }

// Remove asks the process in slot to leave; payload goes to its Child.Retire. It does not wait for that.
func (m *Manager) Remove(slot int, payload []byte) error { return m.retire(slot, removing, payload) }

func (m *Manager) retire(slot int, how leaving, payload []byte) error {
	return m.do(func() error {
		p := m.at(slot)
		if p == nil {
			return fmt.Errorf("slot %d: %w", slot, errNoProcess)
		}
		p.leaving = how
		if p.pid != 0 {
			return p.ctl.Send(kindRetire, payload)
		}
		if how == removing { // it is dead and its successor has not started yet
			if p.timer != nil {
				p.timer.Stop()
			}
			p.generation++
			m.clear(p)
		}
		return nil
	})
}

// clear makes a slot free.
func (m *Manager) clear(p *process) {
	m.table.free(p.slot)
	p.Proc, p.leaving, p.timer = Proc{}, staying, nil
}

// AddLive starts one more process and waits until it is ready. Its descriptors stay the caller's: the process has duplicates. slot is where it runs, or was to run; build makes
// the Proc for it.
func (m *Manager) AddLive(build func(slot int) Proc, timeout time.Duration) (slot int, err error) {
	up := make(chan error, 1)
	err = m.do(func() error {
		var p *process
		for _, x := range m.procs {
			if x.Desc == "" && x.pid == 0 {
				p = x
				break
			}
		}
		if p == nil {
			if len(m.procs) >= len(m.table.rows)-1 {
				return ErrNoSlot
			}
			p = &process{slot: len(m.procs) + 1}
			m.mu.Lock()
			m.procs = append(m.procs, p)
			m.mu.Unlock()
		}
		slot = p.slot
		p.Proc = build(slot)
		p.generation++
		p.deaths = 0
		p.up = up
		m.table.describe(slot, p.Desc, p.Rank)
		if err := m.launch(p); err != nil {
			p.up = nil
			m.clear(p)
			return err
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case err = <-up:
	case <-late.C:
		err = fmt.Errorf("slot %d is not ready after %v: %w", slot, timeout, unix.ETIMEDOUT)
	case <-m.quit:
		return 0, ErrStopped
	}
	if err != nil {
		return slot, errors.Join(err, m.kill(slot))
	}
	return slot, nil
}

// kill ends a process that did not come up, for good.
func (m *Manager) kill(slot int) error {
	return m.do(func() error {
		p := m.at(slot)
		if p == nil {
			return nil
		}
		p.leaving = removing
		if p.pid != 0 {
			unix.Kill(p.pid, unix.SIGKILL)
			return nil
		}
		if p.timer != nil {
			p.timer.Stop()
		}
		p.generation++
		m.clear(p)
		return nil
	})
}
