package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"kahea/cfglang/log"
	"kahea/procmgr"
	"kahea/shm"
	"kahea/sipparse"
)

// commit lets the new generation serve. From here on there is no way back; what fails is logged, and the process in question is replaced.
func (c *change) commit() error {
	n := c.n
	lg := c.old.proc.Log
	v := c.live
	v.senders = append(v.senders, c.senders...)
	for range n.Endpoints[c.first:] {
		v.tcp = append(v.tcp, -1)
	}
	for k, i := range c.listen {
		v.tcp[i] = c.tcp[k]
	}
	for i, e := range n.Endpoints {
		if e.Gone && v.tcp[i] >= 0 {
			closeFds(v.tcp[i : i+1])
			v.tcp[i] = -1
		}
	}
	if err := c.m.SetConfig(c.conf, c.gen); err != nil {
		return err
	}
	c.conf = -1
	procs, err := c.m.Running()
	if err != nil {
		return err
	}
	o := order{Generation: c.gen, Senders: n.Senders[c.first:]}
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	o.Listen = c.listen
	bTCP, err := json.Marshal(o)
	if err != nil {
		return err
	}
	var fds []int
	for _, fd := range c.senders {
		if fd >= 0 {
			fds = append(fds, fd)
		}
	}
	for slot := range procs {
		p, ok := c.m.Proc(slot)
		if !ok {
			continue
		}
		if err := c.m.SetFds(slot, n.fdsFor(p, slot)); err != nil {
			return err
		}
		if !c.slots[slot] {
			continue
		}
		text, mine := b, fds
		if p.Kind == kindTCPMain {
			text, mine = bTCP, append(slices.Clone(fds), c.tcp...)
		}
		if err := c.m.Send(slot, msgCommit, text, mine...); err != nil {
			lg.Printf(log.Err, "<core>: ", "reload: %v", err)
			delete(c.slots, slot)
		}
	}
	if err := c.collect(msgCommitted, func(a childAnswer) error { return fmt.Errorf("slot %d: %s", a.slot, a.Fault) }); err != nil {
		lg.Printf(log.Err, "<core>: ", "reload: %v", err) // it is replaced below
	} else {
		for slot := range c.slots {
			if err := c.m.Adopted(slot, c.gen); err != nil {
				return err
			}
		}
	}
	c.settle(lg)
	return c.processes(lg)
}

// settle makes n main's own generation.
func (c *change) settle(lg *log.Logger) {
	v, n, old := c.live, c.n, c.old
	if err := n.runtime.open(n.arena, shm.Off(n.RuntimeAt), lg.Follow); err != nil {
		lg.Printf(log.Err, "<core>: ", "reload: %v", err)
	}
	v.old = append(v.old, shm.Off(old.RuntimeAt))
	for len(v.old) > keptRuntimes {
		n.arena.Free(v.old[0])
		v.old = v.old[1:]
	}
	first := old.first()
	n.before = first
	n.proc.Log = lg
	if err := n.private.Close(); err != nil { // main handles no messages
		lg.Printf(log.Err, "<core>: ", "close private memory: %v", err)
	}
	n.private = first.private
	if len(n.kept) > len(old.kept) {
		first.extra = append(first.extra, n) // its modules hold what Init has just opened
	}
	v.now.Store(n)
	v.gen = c.gen
}

// first is main's own server of the start, whose modules hold what Init has opened.
func (s *server) first() *server {
	if s.before != nil {
		return s.before
	}
	return s
}

// processes starts and ends what the new generation has more or less of, and replaces what has not taken it over by itself.
func (c *change) processes(lg *log.Logger) error {
	n := c.n
	want := n.procs0(n.hasTCP())
	have, err := c.m.Running()
	if err != nil {
		return err
	}
	bySlot := map[int]procmgr.Proc{}
	for slot := range have {
		// one that an earlier reload has told to leave, and that something still keeps, is nobody's place any more
		if p, ok := c.m.Proc(slot); ok && !c.leaves(slot) {
			bySlot[slot] = p
		}
	}
	same := func(a, b procmgr.Proc) bool {
		return a.Kind == b.Kind && a.Arg == b.Arg && a.Arg2 == b.Arg2 && a.Desc == b.Desc
	}
	for i, e := range n.Endpoints {
		if e.Proto == sipparse.UDP && !e.Gone && i < c.first && e.Workers < c.old.Endpoints[i].Workers {
			if err := c.steer.Resize(i, e.Workers); err != nil {
				lg.Printf(log.Err, "<core>: ", "reload: %v", err)
			}
		}
	}
	kept := map[int]bool{}
	var missing []procmgr.Proc
	for _, p := range want {
		found := false
		for slot, x := range bySlot {
			if !kept[slot] && same(p, x) {
				kept[slot], found = true, true
				break
			}
		}
		if !found {
			missing = append(missing, p)
		}
	}
	heir := 0
	for slot := range kept {
		if k := bySlot[slot].Kind; k == kindUDP || heir == 0 && k == kindTimer {
			heir = slot
		}
	}
	var replace []int
	for slot := range bySlot {
		switch {
		case !kept[slot]:
			c.leaveMu.Lock()
			c.leaving[slot] = true
			c.leaveMu.Unlock()
			if err := c.m.Remove(slot, binary.LittleEndian.AppendUint32(nil, uint32(heir))); err != nil {
				return err
			}
		case have[slot] != c.gen:
			replace = append(replace, slot)
		}
	}
	var errs []error
	late := time.NewTimer(reloadTimeout)
	defer late.Stop()
	for _, p := range missing {
		slot, err := c.add(p, late.C)
		if err != nil {
			// nothing may be steered to a socket that it had opened
			errs = append(errs, fmt.Errorf("start %s: %w", p.Desc, err), c.steer.Left(slot))
		}
	}
	// last, because who has asked for the reload may be among them, and they do not wait long for the answer
	for _, slot := range replace {
		errs = append(errs, c.m.Replace(slot))
	}
	return errors.Join(errs...)
}

// add starts one process more. When there is no room it waits for those that leave, until late.
func (c *change) add(p procmgr.Proc, late <-chan time.Time) (slot int, err error) {
	for {
		for len(c.answers) > 0 {
			<-c.answers
		}
		slot, err = c.m.AddLive(func(slot int) procmgr.Proc {
			p.Fds = c.n.fdsFor(p, slot)
			return p
		}, reloadTimeout)
		if !errors.Is(err, procmgr.ErrNoSlot) {
			return slot, err
		}
		for died := false; !died; {
			select {
			case a := <-c.answers:
				died = a.died
			case <-late:
				return 0, fmt.Errorf("after %v those that leave are still there: %w", reloadTimeout, err)
			}
		}
	}
}
