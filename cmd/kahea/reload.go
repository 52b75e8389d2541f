package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kahea/cfglang/diag"
	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/shm"
	"kahea/sipparse"
)

// live is what main keeps so that it can change a server that runs.
type live struct {
	m       *procmgr.Manager
	steer   *reactor.Steering
	read    []int // doorbells by slot: read ends, write ends
	write   []int
	senders []int    // by listener, -1: none
	tcp     []int    // by listener, -1: none
	ends    [2][]int // unix sockets between TCP main and its workers

	mu      sync.Mutex             // one reload at a time
	now     atomic.Pointer[server] // the generation that serves; the first one is main's own
	gen     int
	answers chan childAnswer
	quieted chan int  // slots that serve no more commands
	old     []shm.Off // run-time configurations of generations before the last

	leaveMu sync.Mutex
	leaving map[int]bool // slots whose process ends for good
}

type childAnswer struct {
	slot int
	kind uint8
	prepared
	died bool
}

const (
	spareSlots    = 32 // processes that reloads may add
	reloadTimeout = 30 * time.Second
	keptRuntimes  = 4 // a script that is suspended may still read its generation's
)

// watch joins it to the manager, before the children start.
func (v *live) watch(s *server, m *procmgr.Manager, steer *reactor.Steering) {
	v.m, v.steer, v.answers, v.leaving = m, steer, make(chan childAnswer, 4*s.Slots), map[int]bool{}
	v.quieted = make(chan int, s.Slots)
	m.Handle(msgQuieted, func(slot int, _ []byte, _ []int) {
		select {
		case v.quieted <- slot:
		default: // nobody has asked
		}
	})
	v.now.Store(s)
	for _, kind := range []uint8{msgPrepared, msgCommitted} {
		m.Handle(kind, func(slot int, b []byte, _ []int) {
			a := childAnswer{slot: slot, kind: kind}
			if err := json.Unmarshal(b, &a.prepared); err != nil {
				a.Fault = err.Error()
			}
			v.answer(a)
		})
	}
}

func (v *live) answer(a childAnswer) {
	select {
	case v.answers <- a:
	default: // nobody has asked
	}
}

// died is called when a child has ended; true: it was to end for good, and nothing of it is left.
func (v *live) died(slot int) bool {
	v.answer(childAnswer{slot: slot, died: true})
	v.leaveMu.Lock()
	defer v.leaveMu.Unlock()
	if !v.leaving[slot] {
		return false
	}
	delete(v.leaving, slot)
	if err := v.steer.Left(slot); err != nil {
		v.now.Load().proc.Log.Printf(log.Err, "<core>: ", "%v", err)
	}
	return true
}

var errRefused = errors.New("refused")

// reload reads the configuration again and lets it serve; what is wrong with it is in the error, and then nothing has changed. notes say what keeps its value
// although the configuration says otherwise.
func (s *server) reload() (notes []string, err error) {
	v := s.live
	v.mu.Lock()
	defer v.mu.Unlock()
	defer func() {
		if err != nil {
			s.proc.Log.Printf(log.Err, "<core>: ", "reload: %v", err)
		}
	}()
	began := time.Now()
	if !s.par.Fork {
		return nil, fmt.Errorf("reload: main itself serves (-D, fork=no): %w", errRefused)
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	n, notes, err := v.load()
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		s.proc.Log.Printf(log.Warn, "<core>: ", "reload: %s", note)
	}
	c := &change{live: v, n: n, old: v.now.Load(), gen: v.gen + 1}
	if err := c.run(); err != nil {
		return nil, err
	}
	s.proc.Log.Printf(log.Notice, "<core>: ", "reload: generation %d serves after %d ms", v.gen, time.Since(began).Milliseconds())
	return notes, nil
}

// check lets a process of its own read and compile the new configuration, as -c does: whatever it does there, main lives.
func (v *live) check() error {
	s := v.now.Load()
	args := append([]string{}, s.Args[1:]...)
	args = append(args, "-c")
	if !s.Options.Builtin {
		args = append(args, "-f", s.Name)
	}
	if s.Options.Tune != "" {
		args = append(args, "--tune", s.Options.Tune)
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = s.Args[0]
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := v.run(cmd); err != nil {
		text := strings.TrimSpace(out.String())
		if text == "" {
			text = err.Error()
		}
		return fmt.Errorf("%w:\n%s", errRefused, text)
	}
	return nil
}

// run runs a command to its end.
func (v *live) run(cmd *exec.Cmd) error {
	forks := v.m.Forks()
	forks.Lock()
	err := cmd.Start()
	forks.Unlock()
	if err != nil {
		return err
	}
	return cmd.Wait()
}

// load makes main's server of the new generation: what runMain and start do before they touch the system.
func (v *live) load() (n *server, notes []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("load the new configuration: panic: %v", p)
		}
	}()
	old := v.now.Load()
	d := &diag.List{}
	fail := func(err error) (*server, []string, error) {
		if errors.Is(err, errConfig) {
			var b bytes.Buffer
			d.Write(&b, false)
			err = fmt.Errorf("%w:\n%s", errRefused, b.String())
		}
		return nil, nil, err
	}
	o := *old.Options
	o.fixed = nil
	if !o.Builtin {
		o.File = old.Name // main may have changed its directory
	}
	probe, err := loadMain(&o, d)
	if err != nil {
		return fail(err)
	}
	fixed, notes := fixedOf(old.config, probe.config)
	probe.closeAll()
	o.fixed = fixed
	d = &diag.List{}
	if n, err = loadMain(&o, d); err != nil {
		return fail(err)
	}
	n.Args, n.Started, n.UID, n.GID, n.Shared, n.Slots = old.Args, old.Started, old.UID, old.GID, old.Shared, old.Slots
	n.Fixed = fixed
	n.Kept, n.kept = old.Kept, old.kept
	n.live = v
	n.Endpoints, err = mergeEndpoints(old.Endpoints, n.Endpoints)
	if most := reactor.MaxListeners(old.arena, shm.Off(old.Shared)); err == nil && len(n.Endpoints) > most {
		err = fmt.Errorf("a running server has room for %d sockets, those that are gone included", most)
	}
	if err != nil {
		n.closeAll()
		return nil, nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	// the engine's picture of the sockets was made from the unmerged list
	net := makeNet(n.Endpoints, n.Aliases, n.proc.Par.Grammar)
	n.proc.Net.Sockets, n.proc.Net.Known = net.Sockets, net.Known
	return n, notes, nil
}

// mergeEndpoints gives the sockets of the new configuration the places of the old one's; what is new stands behind, what is no more is marked.
func mergeEndpoints(old, next []endpoint) ([]endpoint, error) {
	out := slices.Clone(old)
	for i := range out {
		out[i].Gone = true
	}
	tcp := slices.ContainsFunc(old, func(e endpoint) bool { return e.Proto != sipparse.UDP })
	for _, e := range next {
		if i := slices.IndexFunc(old, func(x endpoint) bool { return x.Proto == e.Proto && x.Addr == e.Addr && x.Device == e.Device }); i >= 0 {
			if e.Proto != sipparse.UDP && e.Workers != old[i].Workers {
				return nil, fmt.Errorf("listen %s:%s: the number of TCP workers of its own does not change while the server runs", e.Proto, e.Addr)
			}
			out[i] = e
			continue
		}
		if e.Proto != sipparse.UDP && !tcp {
			return nil, fmt.Errorf("listen %s:%s: the server was started without TCP", e.Proto, e.Addr)
		}
		if e.Proto != sipparse.UDP && e.Workers > 0 {
			return nil, fmt.Errorf("listen %s:%s: a server that runs gives no TCP workers of its own to a new socket", e.Proto, e.Addr)
		}
		out = append(out, e)
	}
	return out, nil
}

func (c *change) run() error {
	if err := c.prepare(); err != nil {
		c.undo()
		return err
	}
	if err := c.commit(); err != nil {
		return fmt.Errorf("generation %d serves, but: %w", c.gen, err)
	}
	return nil
}

// leaves says whether the process in slot ends for good.
func (v *live) leaves(slot int) bool {
	v.leaveMu.Lock()
	defer v.leaveMu.Unlock()
	return v.leaving[slot]
}

// reloadVerb is the verb behind kahea.reload.
func (s *server) reloadVerb([]string) ([]*modules.Node, error) {
	notes, err := s.reload()
	if err != nil {
		return nil, modules.NewFault(500, "%v", err)
	}
	out := &modules.Node{Kind: modules.KindStruct}
	out.AddInt("generation", int64(s.live.gen))
	for _, n := range notes {
		out.AddStr("note", n)
	}
	return []*modules.Node{out}, nil
}
