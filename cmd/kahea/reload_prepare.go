package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/shm"
	"kahea/sipparse"
)

// change is one reload on its way.
type change struct {
	*live
	n, old  *server
	gen     int
	first   int   // index of the first new listener
	senders []int // of the new listeners
	listen  []int // stream listeners that are new or served again
	tcp     []int // their sockets
	conf    int
	slots   map[int]bool // processes that have prepared
}

// prepare does everything that may still be undone.
func (c *change) prepare() error {
	c.conf = -1
	c.first = len(c.old.Endpoints)
	if n := len(c.n.procs0(c.n.hasTCP())) + 1; n > c.n.Slots {
		return fmt.Errorf("%w: %d processes, and there is room for %d", errRefused, n, c.n.Slots)
	}
	if err := c.prepareMain(); err != nil {
		return err
	}
	b, err := c.n.seal()
	if err != nil {
		return err
	}
	if c.conf, err = procmgr.SealConfig(b); err != nil {
		return err
	}
	return c.prepareChildren()
}

// prepareMain does what start does for the modules and the new sockets.
func (c *change) prepareMain() error {
	n, old := c.n, c.old
	n.arena = old.arena
	n.proc.Arena = old.arena
	n.proc.Host = noHost{}
	n.host.User, n.host.Group = n.UID, n.GID
	if err := n.counters(); err != nil {
		return err
	}
	if err := n.openRuntime(old.runtime); err != nil {
		return err
	}
	for _, k := range n.kept {
		n.fds[k.name] = k.fd
	}
	n.host.KeepFile = n.keepFile
	for _, l := range n.loaded {
		if m, ok := l.Module.(modules.Initer); ok {
			if err := m.Init(n.host); err != nil {
				return fmt.Errorf("init of module %s: %w", l.Name, err)
			}
		}
	}
	if n.keepErr != nil {
		return n.keepErr
	}
	n.Kept = nil
	for _, k := range n.kept {
		n.Kept = append(n.Kept, k.name)
	}
	all, ro := listeners(n.Endpoints), n.reactorOptions()
	fresh := all[c.first:] // the senders of others that are served again are bound all the while
	if err := reactor.Probe(fresh, ro); err != nil {
		return err
	}
	var streams []reactor.Listener
	for i, e := range n.Endpoints {
		if e.Proto != sipparse.UDP && !e.Gone && (i >= c.first || old.Endpoints[i].Gone) {
			c.listen, streams = append(c.listen, i), append(streams, all[i])
		}
	}
	var err error
	if c.tcp, err = reactor.ListenTCP(streams, ro); err != nil {
		return err
	}
	if c.senders, err = reactor.OpenSenders(fresh, ro); err != nil {
		return err
	}
	n.Senders = slices.Clone(old.Senders)
	for _, fd := range c.senders {
		n.Senders = append(n.Senders, fd >= 0)
	}
	return nil
}

// adopts says whether a process takes a new generation over by itself; the others are replaced.
func adopts(kind string) bool { return !strings.HasPrefix(kind, kindModule) }

func (c *change) prepareChildren() error {
	procs, err := c.m.Running()
	if err != nil {
		return err
	}
	for len(c.answers) > 0 {
		<-c.answers
	}
	b, err := json.Marshal(order{Generation: c.gen})
	if err != nil {
		return err
	}
	c.slots = map[int]bool{}
	for slot := range procs {
		p, ok := c.m.Proc(slot)
		if !ok || !adopts(p.Kind) {
			continue
		}
		if err := c.m.Send(slot, msgPrepare, b, c.conf); err != nil {
			continue // it has just died; its successor starts with the old configuration, and is replaced
		}
		c.slots[slot] = true
	}
	return c.collect(msgPrepared, func(a childAnswer) error { return fmt.Errorf("%w: slot %d: %s", errRefused, a.slot, a.Fault) })
}

// collect waits until every process has answered or died.
func (c *change) collect(kind uint8, fault func(a childAnswer) error) error {
	late := time.NewTimer(reloadTimeout)
	defer late.Stop()
	wait := map[int]bool{}
	for slot := range c.slots {
		wait[slot] = true
	}
	for len(wait) > 0 {
		select {
		case a := <-c.answers:
			switch {
			case a.died:
				delete(wait, a.slot)
				delete(c.slots, a.slot)
			case a.kind != kind || a.Generation != c.gen:
			case a.Fault != "":
				return fault(a)
			default:
				delete(wait, a.slot)
			}
		case <-late.C:
			return fmt.Errorf("%d processes do not answer after %v: %w", len(wait), reloadTimeout, errRefused)
		}
	}
	return nil
}

// undo forgets a change that is not to be.
func (c *change) undo() {
	b, err := json.Marshal(order{Generation: c.gen})
	for slot := range c.slots {
		if err == nil {
			_ = c.m.Send(slot, msgAbandon, b) // one that has died meanwhile has nothing to forget
		}
	}
	closeFds(append(append([]int{c.conf}, c.senders...), c.tcp...))
	if c.n.RuntimeAt != 0 && c.n.RuntimeAt != c.old.RuntimeAt {
		c.n.arena.Free(shm.Off(c.n.RuntimeAt))
	}
	if c.n.arena != nil {
		if err := c.old.runtime.open(c.old.arena, shm.Off(c.old.RuntimeAt), c.n.proc.Log.Follow); err != nil {
			c.n.proc.Log.Printf(log.Err, "<core>: ", "reload: %v", err)
		}
	}
	c.n.closeAll()
	for _, k := range c.n.kept[len(c.old.kept):] {
		closeFds([]int{k.fd})
	}
}

func closeFds(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = os.NewFile(uintptr(fd), "").Close() // nothing was written to it
		}
	}
}
