package procmgr

import (
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A new binary takes main's place by execve: same pid, same children, same descriptors. The old Manager writes down what the new one must know (Handover), the
// new one goes on from there (Resume). The thread that starts children is the one that executes: children's parent-death signal hangs on it, and the
// thread that executes is the only one that lives on, as the first thread of the new binary. So that one must start the children that follow, and execute the next
// binary, or the way back: all children there are hang on it.

// Handover is a Manager on paper. Descriptors are numbers; they stay open over the exec.
type Handover struct {
	Conf, ConfGen int
	Ambient       []uintptr
	Procs         []HandoverProc
}

// HandoverProc is a process in it.
type HandoverProc struct {
	Proc
	Slot, PID, Generation, ConfGen, Deaths int
	Ctl                                    int   // -1: it is dead, and its successor has not been started
	Handover                               []int // for that one (Options.Died)
	Ready                                  bool
}

// Exec executes path in this process's place. write gets the Handover, writes it down for the new binary, and returns its arguments, its environment and the
// further descriptors that it needs. When Exec returns, it has failed and the Manager goes on.
func (m *Manager) Exec(path string, write func(h Handover) (argv, env []string, fds []int, err error)) error {
	return m.do(func() (err error) {
		for _, p := range m.procs {
			if p.ctl != nil {
				if err := p.ctl.pause(); err != nil {
					return err
				}
			}
		}
		defer m.resumeReaders()
		for len(m.events) > 0 {
			if _, over := m.event(<-m.events); over {
				return ErrStopped
			}
		}
		h := m.handover()
		argv, env, fds, err := write(h)
		if err != nil {
			return err
		}
		fds = append(fds, h.Conf, m.o.Arena.FD())
		for _, p := range h.Procs {
			fds = append(append(fds, p.Fds...), p.Ctl)
		}
		defer func() { inheritable(fds, false) }()
		if err := inheritable(fds, true); err != nil {
			return err
		}
		m.spawn.do(func() {
			for _, c := range m.spawn.ambient {
				if err = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c, 0, 0); err != nil {
					err = fmt.Errorf("keep capability %d: %w", c, err)
					return
				}
			}
			err = fmt.Errorf("execute %s: %w", path, syscall.Exec(path, argv, env))
		})
		return err
	})
}

func (m *Manager) handover() Handover {
	h := Handover{Conf: m.conf, ConfGen: m.confGen, Ambient: m.spawn.ambient}
	for _, p := range m.procs {
		x := HandoverProc{Proc: p.Proc, Slot: p.slot, PID: p.pid, Generation: p.generation, ConfGen: p.confGen, Deaths: p.deaths, Ctl: -1, Ready: p.ready,
			Handover: p.handover}
		if p.ctl != nil && p.pid != 0 {
			x.Ctl = p.ctl.fd()
		}
		h.Procs = append(h.Procs, x)
	}
	return h
}

// inheritable changes close-on-exec.
func inheritable(fds []int, yes bool) error {
	flag := unix.FD_CLOEXEC
	if yes {
		flag = 0
	}
	var errs []error
	for _, fd := range fds {
		if fd < 0 {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flag); err != nil {
			errs = append(errs, fmt.Errorf("descriptor %d: %w", fd, err))
		}
	}
	return errors.Join(errs...)
}

// ExecHere executes path from the calling thread, which must be the process's first, with the descriptors that stay open: the way back of a new binary that has not
// taken the children over yet.
func ExecHere(path string, argv, env []string, fds []int) error {
	if err := inheritable(fds, true); err != nil {
		return err
	}
	return fmt.Errorf("execute %s: %w", path, syscall.Exec(path, argv, env))
}

// CloseOnExec undoes what kept descriptors open over an exec: otherwise every child would inherit them.
func CloseOnExec(fds []int) error { return inheritable(fds, false) }

// resumeReaders lets the readers of control channels go on after a pause.
func (m *Manager) resumeReaders() {
	for _, p := range m.procs {
		if p.ctl != nil {
			m.readers.Add(1)
			c := p.ctl
			c.resume()
			go func() { <-c.finished(); m.readers.Done() }()
		}
	}
}

// Resume makes a Manager that goes on with the children of the one that wrote h; the caller calls CloseOnExec for the descriptors. Handle is called next, then Continue, then Run.
// All of this is called on the process's first thread, which the caller has locked: children are started from there.
func Resume(o Options, h Handover) (*Manager, error) {
	m, err := New(o)
	if err != nil {
		return nil, err
	}
	unix.Close(m.conf)
	m.spawn.close()
	m.spawn = &spawner{ambient: h.Ambient}
	m.conf, m.confGen = h.Conf, h.ConfGen
	for _, x := range h.Procs {
		p := &process{
			Proc: x.Proc, slot: x.Slot, pid: x.PID, generation: x.Generation, confGen: x.ConfGen, deaths: x.Deaths, ready: x.Ready,
			started: time.Now(), beatAt: time.Now(), resumed: x.Ctl, handover: x.Handover,
		}
		m.procs = append(m.procs, p)
	}
	if m.table, err = OpenTable(m.o.Arena); err != nil {
		return nil, err
	}
	return m, nil
}

// Continue takes the control channels over. From here on there is no way back to the old binary.
func (m *Manager) Continue() error {
	m.events = make(chan event, 64+4*(len(m.procs)+m.o.Spare))
	signal.Notify(m.sigs, unix.SIGCHLD, unix.SIGINT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP, unix.SIGPIPE)
	for _, p := range m.procs {
		switch {
		case p.resumed >= 0:
			c, err := newControl(p.resumed)
			if err != nil {
				return err
			}
			slot, gen := p.slot, p.generation
			c.any = func(kind uint8, payload []byte, fds []int) { m.receive(slot, gen, kind, payload, fds) }
			c.closed = func(error) {}
			p.ctl = c
			m.readers.Add(1)
			c.Serve()
			go func() { <-c.finished(); m.readers.Done() }()
		case p.Desc != "": // it waited for its restart
			m.events <- event{slot: p.slot, generation: p.generation, kind: evRestart}
		}
	}
	m.sigs <- unix.SIGCHLD // who died in between
	return nil
}

// ReplaceAndWait is Replace, and waits until the successor is ready.
func (m *Manager) ReplaceAndWait(slot int, timeout time.Duration) error {
	up := make(chan error, 1)
	err := m.do(func() error {
		if p := m.at(slot); p != nil {
			p.up = up
		}
		return nil
	})
	if err == nil {
		err = m.Replace(slot)
	}
	if err != nil {
		return err
	}
	return m.waitUp(slot, up, timeout)
}

func (m *Manager) waitUp(slot int, up <-chan error, timeout time.Duration) error {
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case err := <-up:
		return err
	case <-late.C:
		return fmt.Errorf("the successor in slot %d is not ready after %v: %w", slot, timeout, unix.ETIMEDOUT)
	case <-m.quit:
		return ErrStopped
	}
}

// pause ends the reader of a channel between two messages; resume starts it again.
func (c *Control) pause() error {
	if err := c.conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return fmt.Errorf("pause a control channel: %w", err)
	}
	c.paused.Store(true)
	<-c.done
	return nil
}

func (c *Control) resume() {
	if !c.paused.Swap(false) {
		return
	}
	c.done = make(chan struct{})
	_ = c.conn.SetReadDeadline(time.Time{}) // it worked for the pause
	c.Serve()
}

func (c *Control) finished() <-chan struct{} { return c.done }

func (c *Control) fd() int {
	n := -1
	if raw, err := c.conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { n = int(fd) }) // -1 then
	}
	return n
}
