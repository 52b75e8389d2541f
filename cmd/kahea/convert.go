package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/procmgr"
)

// A binary that lays the memory of a module out differently gets it in a neutral form when both know one (modules.Carrier). Old processes cannot work on
// memory that is taken away, so all that run scripts or commands end first: those without a UDP socket, then, when no script waits or patience is over,
// the UDP workers. TCP main lives on with its connections, and who asked for the upgrade with its client. What comes meanwhile waits in the sockets' queues.
// Then main exports, frees, executes; the new main imports and starts the processes. A new main that fails frees what it has made and executes the old
// binary, which imports.

const (
	formsEnv     = "KAHEA_UPGRADE_FORMS" // for the check: "tm=tm/1 usrloc=usrloc/1", what the asking binary writes
	sayAdopts    = "adopts "             // lines of the check's answer: a root
	sayConverts  = "converts "           // a module
	parkPatience = 8 * time.Second       // more than a process takes that leaves in order (leavePatience)
	waitStep     = 5 * time.Millisecond
)

// plan is what a binary that can go on does with shared memory.
type plan struct {
	adopts   []string // roots
	converts []string // modules
}

// carriedPaper is the state of a module on its way from one binary to the other.
type carriedPaper struct {
	Module, Form string
	FD           int
}

func parsePlan(said string) (p plan) {
	for l := range strings.Lines(said) {
		l = strings.TrimSpace(l)
		if name, ok := strings.CutPrefix(l, sayAdopts); ok {
			p.adopts = append(p.adopts, name)
		} else if name, ok := strings.CutPrefix(l, sayConverts); ok {
			p.converts = append(p.converts, name)
		}
	}
	return p
}

func (p *plan) String() string {
	var b strings.Builder
	for _, n := range p.adopts {
		b.WriteString(sayAdopts + n + "\n")
	}
	for _, n := range p.converts {
		b.WriteString(sayConverts + n + "\n")
	}
	return b.String()
}

// forms lists what this binary's modules write, for formsEnv.
func (s *server) forms() string {
	var l []string
	for _, x := range s.loaded {
		if c, ok := x.Module.(modules.Carrier); ok {
			l = append(l, x.Name+"="+c.Form())
		}
	}
	return strings.Join(l, " ")
}

// readsForm says whether the module of l can import what the asking binary exports, and how that is called.
func readsForm(l modules.Loaded, forms string) (form string, ok bool) {
	c, ok := l.Module.(modules.Carrier)
	if !ok {
		return "", false
	}
	for _, f := range strings.Fields(forms) {
		if form, ok := strings.CutPrefix(f, l.Name+"="); ok {
			return form, c.Reads(form)
		}
	}
	return "", false
}

// planned lists the roots that are adopted beside the modules that are converted.
func (s *server) planned(converts []string) plan {
	p := plan{adopts: s.arena.RootNames(), converts: converts}
	for _, name := range converts {
		if c, ok := s.host.Find(name).(modules.Carrier); ok {
			p.adopts = slices.DeleteFunc(p.adopts, func(root string) bool { return slices.Contains(c.Roots(), root) })
		}
	}
	slices.Sort(p.adopts)
	return p
}

// setAside ends the processes that work on the memory of modules, exports and frees it. After an error everything is as before. asker is the slot of who waits for an answer.
func (s *server) setAside(asker int, names []string) (l []carriedPaper, paused time.Time, err error) {
	v := s.live
	now := v.now.Load()
	var mods []modules.Loaded
	for _, name := range names {
		i := slices.IndexFunc(now.loaded, func(l modules.Loaded) bool { return l.Name == name })
		if i < 0 {
			return nil, paused, fmt.Errorf("module %s is not loaded: %w", name, errRefused)
		}
		mods = append(mods, now.loaded[i])
	}
	defer func() {
		if err != nil {
			closeCarried(l)
			l = nil
			err = errors.Join(err, s.unpark(asker))
		}
	}()
	if paused, err = s.park(asker); err != nil {
		return nil, paused, err
	}
	for _, m := range mods {
		x, err := export(m)
		if err != nil {
			return l, paused, fmt.Errorf("export of module %s: %w", m.Name, err)
		}
		l = append(l, x)
	}
	for i, m := range mods {
		if err := m.Module.(modules.Carrier).Drop(); err != nil { //nolint:forcetypeassert // export has looked
			return l, paused, errors.Join(fmt.Errorf("drop module %s: %w", m.Name, err), now.takeIn(l[:i]))
		}
	}
	return l, paused, nil
}

// park ends everything but TCP main and the asker, which serves no command any more.
func (s *server) park(asker int) (paused time.Time, err error) {
	v := s.live
	procs, err := v.m.Running()
	if err != nil {
		return paused, err
	}
	var first, udp []int
	for slot := range procs {
		switch p, ok := v.m.Proc(slot); {
		case !ok || slot == asker || p.Kind == kindTCPMain:
		case p.Kind == kindUDP:
			udp = append(udp, slot)
		default:
			first = append(first, slot)
		}
	}
	if err := v.quiet(asker); err != nil {
		return paused, err
	}
	until := time.Now().Add(leavePatience)
	if err := v.m.Park(first, nil, parkPatience); err != nil {
		return paused, err
	}
	waiting := v.now.Load().proc
	for waiting.Counts.Sum(waiting.Stat.Suspended) != 0 && time.Now().Before(until) {
		time.Sleep(waitStep)
	}
	paused = time.Now()
	return paused, v.m.Park(udp, []byte{leaveAtOnce}, parkPatience)
}

// unpark undoes park; the asker gets a successor, because it serves nothing more.
func (s *server) unpark(asker int) error {
	return errors.Join(s.live.m.Unpark(), s.live.m.Replace(asker))
}

// quiet has a process serve no more commands, and waits until it has said so.
func (v *live) quiet(slot int) error {
	for len(v.quieted) > 0 {
		<-v.quieted
	}
	if err := v.m.Send(slot, msgQuiet, nil); err != nil {
		return err
	}
	late := time.NewTimer(parkPatience)
	defer late.Stop()
	for {
		select {
		case n := <-v.quieted:
			if n == slot {
				return nil
			}
		case <-late.C:
			return fmt.Errorf("the process in slot %d does not answer: %w", slot, os.ErrDeadlineExceeded)
		}
	}
}

// quiet is the child's half: what is under way is answered, and new clients wait for the successor.
func (g *generations) quiet() {
	for _, s := range append(g.gone, g.h.s) {
		s.host.Commands.Refuse(modules.NewFault(503, "the server is being upgraded"))
	}
	g.h.s.drained()
	if err := g.ch.Control.Send(msgQuieted, nil); err != nil {
		g.h.s.proc.Log.Printf(log.Err, "<core>: ", "answer to main: %v", err)
	}
}

// export writes a module's state to a descriptor.
func export(m modules.Loaded) (x carriedPaper, err error) {
	c, ok := m.Module.(modules.Carrier)
	if !ok {
		return x, fmt.Errorf("it knows no neutral form: %w", errRefused)
	}
	f, err := procmgr.Scratch("kahea-" + m.Name)
	if err != nil {
		return x, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := errors.Join(c.Export(w), w.Flush()); err != nil {
		return x, err
	}
	fd, err := procmgr.Dup(int(f.Fd()))
	return carriedPaper{m.Name, c.Form(), fd}, err
}

// takeIn makes the modules' state of what was carried over; their memory is new and empty, or gone.
func (s *server) takeIn(l []carriedPaper) error {
	for _, x := range l {
		m := s.host.Find(x.Module)
		c, ok := m.(modules.Carrier)
		if !ok || !c.Reads(x.Form) {
			return fmt.Errorf("module %s can not read %s: %w", x.Module, x.Form, errRefused)
		}
		own, err := procmgr.Dup(x.FD) // the way back needs the first
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(own), x.Form)
		if err = initCarrier(s, c); err == nil {
			err = c.Import(io.NewSectionReader(f, 0, 1<<62))
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("import of module %s: %w", x.Module, err)
		}
	}
	return nil
}

// initCarrier makes a carrier's roots if they are not there.
func initCarrier(s *server, c modules.Carrier) error {
	if m, ok := c.(modules.Initer); ok {
		return m.Init(s.host)
	}
	return nil
}

// forget frees what takeIn has made.
func (s *server) forget(l []carriedPaper) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	for _, x := range l {
		if c, ok := s.host.Find(x.Module).(modules.Carrier); ok {
			err = errors.Join(err, c.Drop())
		}
	}
	return err
}

// clean drops what a binary that failed has left of the modules' roots although it was told to forget them: their blocks are lost, the server goes on.
func (s *server) clean(l []carriedPaper) {
	for _, x := range l {
		c, ok := s.host.Find(x.Module).(modules.Carrier)
		if !ok {
			continue
		}
		for _, root := range c.Roots() {
			if s.arena.DropRoot(root) {
				s.proc.Log.Printf(log.Crit, "<core>: ", "upgrade: what hung on root %q is lost", root)
			}
		}
	}
}

func carriedNames(l []carriedPaper) string {
	var names []string
	for _, x := range l {
		names = append(names, x.Module)
	}
	return strings.Join(names, " ")
}

func closeCarried(l []carriedPaper) {
	for _, x := range l {
		closeFds([]int{x.FD})
	}
}
