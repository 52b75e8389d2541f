package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"kahea/cfglang/log"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/shm"
)

// A reload makes a new generation: a second server, with its own module instances and its own compiled script, in the same process, beside the one that
// serves. Sockets, connections, timers and shared memory stay where they are. Between two messages the new one takes over; scripts that are suspended at that moment
// end in the old one, which is closed behind the last of them. Processes that a module runs (ctl, jsonrpcs) are replaced instead: they own nothing that lives longer
// than a request.

// generations is a child's half of a reload (reload.go has main's).
type generations struct {
	ch   *procmgr.Child
	w    *reactor.Worker
	h    *wire
	next *server   // prepared, not yet serving
	gone []*server // that have suspended scripts
}

// order is what main says with msgPrepare, msgCommit and msgAbandon; the configuration is in a descriptor beside the first, new sockets are beside the second.
type order struct {
	Generation int
	Senders    []bool // msgCommit, by new listener: a descriptor comes along
	Listen     []int  // msgCommit to TCP main: listeners whose sockets come along behind those
}

// prepared answers msgPrepare and msgCommit.
type prepared struct {
	Generation int
	Fault      string
}

func (g *generations) handle(c *procmgr.Control) {
	c.Handle(msgPrepare, g.prepare)
	c.Handle(msgCommit, g.commit)
	c.Handle(msgAbandon, func([]byte, []int) { g.w.Post(g.abandon) })
	c.Handle(msgQuiet, func([]byte, []int) { g.w.Post(g.quiet) })
}

func (g *generations) say(kind uint8, gen int, err error) {
	a := prepared{Generation: gen}
	if err != nil {
		a.Fault = err.Error()
	}
	b, err := json.Marshal(a)
	if err == nil {
		err = g.ch.Control.Send(kind, b)
	}
	if err != nil {
		g.h.s.proc.Log.Printf(log.Err, "<core>: ", "answer to main: %v", err)
	}
}

// prepare makes the next generation, off the loop.
func (g *generations) prepare(b []byte, fds []int) {
	var o order
	err := json.Unmarshal(b, &o)
	var text []byte
	if err == nil && len(fds) != 1 {
		err = fmt.Errorf("%d descriptors with a configuration: %w", len(fds), errOrder)
	}
	if err == nil {
		text, err = procmgr.ReadConfig(fds[0])
	}
	for _, fd := range fds {
		_ = os.NewFile(uintptr(fd), "configuration").Close() // read
	}
	if err != nil {
		g.say(msgPrepared, o.Generation, err)
		return
	}
	g.w.Post(func() {
		slot, rank := g.h.s.proc.Slot, g.h.s.proc.Rank
		var s *server
		var err error
		g.w.Await(func() { s, err = g.build(text, slot) }, func() {
			if err == nil {
				g.h.serve(s)
				s.loop, s.asking, s.proc.Wheel, s.mark = g.w.Post, g.h.s.asking, g.h.s.proc.Wheel, g.h.s.mark
				if err = s.initWorker(rank); err != nil {
					s.closeAll()
				}
			}
			if err == nil {
				g.abandon()
				g.next = s
			}
			g.say(msgPrepared, o.Generation, err)
		})
	})
}

var errOrder = errors.New("wrong order of main")

// build is a child's way from the sealed configuration to a server, as in child().
func (g *generations) build(text []byte, slot int) (s *server, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if s, _, err = loadSealed(text, slot); err != nil {
		return nil, err
	}
	s.arena = g.h.s.arena
	s.proc.Arena, s.proc.Reloaded = s.arena, true
	if err = s.counters(); err == nil {
		err = s.runtime.open(s.arena, shm.Off(s.RuntimeAt), s.proc.Log.Follow)
	}
	if err == nil {
		err = s.setup()
	}
	if err != nil {
		s.private.Close() //nolint:errcheck // the error at hand is the one to tell
		return nil, err
	}
	return s, nil
}

// commit makes the prepared generation serve.
func (g *generations) commit(b []byte, fds []int) {
	var o order
	err := json.Unmarshal(b, &o)
	g.w.Post(func() {
		if err == nil && g.next == nil {
			err = fmt.Errorf("generation %d is not prepared: %w", o.Generation, errOrder)
		}
		if err == nil {
			err = g.take(o, fds)
		}
		g.say(msgCommitted, o.Generation, err)
	})
}

func (g *generations) take(o order, fds []int) error {
	old, s := g.h.s, g.next
	c := reactor.Change{Listeners: listeners(s.Endpoints), Options: s.reactorOptions()}
	for _, has := range o.Senders {
		fd := -1
		if has && len(fds) > 0 {
			fd, fds = fds[0], fds[1:]
		}
		c.Senders = append(c.Senders, fd)
	}
	c.Listen = map[int]int{}
	for _, i := range o.Listen {
		if len(fds) > 0 {
			c.Listen[i], fds = fds[0], fds[1:]
		}
	}
	if err := g.w.Apply(c); err != nil {
		return err
	}
	s.proc.Continue(old.proc)
	s.asking = old.asking
	if s.mark != nil {
		*s.mark = beatMark{}
	}
	g.next = nil
	g.h.s = s
	g.gone = append(g.gone, old)
	g.sweep()
	return nil
}

// sweep closes the generations that have nothing left to do; each tick.
func (g *generations) sweep() {
	keep := g.gone[:0]
	for _, s := range g.gone {
		if s.proc.Runner.Suspended > 0 {
			keep = append(keep, s)
			continue
		}
		s.closeAll()
	}
	clear(g.gone[len(keep):])
	g.gone = keep
}

// idle says that no script of any generation is suspended.
func (g *generations) idle() bool {
	g.sweep()
	return len(g.gone) == 0 && g.h.s.proc.Runner.Suspended == 0
}

// abandon forgets a prepared generation that is not to serve.
func (g *generations) abandon() {
	if g.next != nil {
		g.next.closeAll()
		g.next = nil
	}
}

// closeAll gives back what a generation has opened.
func (s *server) closeAll() {
	s.closeModules()
	s.proc.Close()
	if err := errors.Join(s.private.Close(), s.proc.Log.Close()); err != nil {
		s.proc.Log.Printf(log.Err, "<core>: ", "close a generation: %v", err)
	}
}

// leavePatience is how long a process that leaves waits for scripts and connections; leaveAtOnce, as what main says, is that it does not.
const (
	leavePatience      = 5 * time.Second
	leaveAtOnce   byte = 1
)

// leave is Child.Retire: the process finishes what it has begun. One that is to end for good gives the timers that are left to the process whose slot main names; the
// others are carried on with by the successor.
func (g *generations) leave(b []byte) {
	forGood, patience := len(b) == 4, leavePatience
	if len(b) == 1 && b[0] == leaveAtOnce {
		patience = 0
	}
	g.w.Retire(func() bool {
		if !g.idle() || !g.h.s.drained() {
			return false
		}
		if forGood {
			if err := g.h.s.giveTimers(int(binary.LittleEndian.Uint32(b))); err != nil {
				g.h.s.proc.Log.Printf(log.Err, "<core>: ", "hand timers over: %v", err)
			}
		}
		return true
	}, !forGood, patience)
}

// giveTimers moves this process's timers to the wheel of another slot.
func (s *server) giveTimers(slot int) error {
	ref, _, err := shm.Root[wheels](s.arena, "wheels")
	if err != nil {
		return err
	}
	to, err := shm.OpenWheel(s.arena, ref.Get(s.arena).At[slot])
	if err != nil {
		return fmt.Errorf("wheel of slot %d: %w", slot, err)
	}
	to.Absorb(s.arena, s.proc.Wheel)
	return nil
}
