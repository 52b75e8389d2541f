package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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
	net := makeNet(n.Endpoints, n.Aliases)
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
		c.old.runtime.open(c.old.arena, shm.Off(c.old.RuntimeAt), c.n.proc.Log.Follow)
	}
	c.n.closeAll()
	for _, k := range c.n.kept[len(c.old.kept):] {
		closeFds([]int{k.fd})
	}
}

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
	n.runtime.open(n.arena, shm.Off(n.RuntimeAt), lg.Follow)
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

// leaves says whether the process in slot ends for good.
func (v *live) leaves(slot int) bool {
	v.leaveMu.Lock()
	defer v.leaveMu.Unlock()
	return v.leaving[slot]
}

func closeFds(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = os.NewFile(uintptr(fd), "").Close() // nothing was written to it
		}
	}
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
