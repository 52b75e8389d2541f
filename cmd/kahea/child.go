package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"kahea/modules"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/shm"
)

// Kinds of control messages between main and children (procmgr keeps those below 32).
const (
	msgOpened    = 32 + iota // UDP worker to main: listener index, its descriptors
	msgDrained               // UDP worker to main
	msgAsk                   // child to main: a question
	msgAnswer                // main to child
	msgPrepare               // main to child: make this configuration ready
	msgPrepared              // the answer
	msgCommit                // main to child: let it serve
	msgCommitted             // the answer
	msgAbandon               // main to child: forget it
	msgQuiet                 // main to child: serve no more commands
	msgQuieted               // the answer
)

// Kinds of processes.
const (
	kindUDP       = "udp"
	kindTCP       = "tcp"
	kindTCPMain   = "tcpmain"
	kindSlowTimer = "slow timer"
	kindTimer     = "timer"
	kindSecondary = "secondary timer"
	kindModule    = "module:" // + module + ":" + the module's own kind
)

// runChild is a child's whole life.
func runChild() int {
	ch, err := procmgr.Inherit()
	if err != nil {
		fmt.Fprintf(os.Stderr, "ERROR: kahea: child: %v\n", err)
		return exitError
	}
	if err := child(ch); err != nil {
		ch.Control.Failed(err)
		fmt.Fprintf(os.Stderr, "ERROR: kahea: %s: %v\n", ch.Desc, err)
		return exitError
	}
	return 0
}

func child(ch *procmgr.Child) error {
	s, d, err := loadSealed(ch.Config, ch.Slot)
	if err != nil {
		return err
	}
	stopProfile := startProfile(s.Options.Profile, ch.Desc)
	defer stopProfile()
	if s.arena, err = shm.Attach(ch.ArenaFD, ch.Slot); err != nil {
		return err
	}
	s.privileges(ch.Kind)
	if s.par.CPUAffinity == "workers" && (ch.Kind == kindUDP || ch.Kind == kindTCP) {
		if err := procmgr.PinTo(ch.Slot - 1); err != nil {
			return err
		}
	}
	s.proc.Arena = s.arena
	if err := s.counters(); err != nil {
		return err
	}
	if err := s.runtime.open(s.arena, shm.Off(s.RuntimeAt), s.proc.Log.Follow); err != nil {
		return err
	}
	if err := s.setup(); err != nil {
		d.Write(os.Stderr, false)
		return err
	}
	if err := s.wheel(); err != nil {
		return err
	}
	f, err := splitFds(ch, &s.sealed)
	if err != nil {
		return err
	}
	s.fds = f.kept
	if err := failChild(s); err != nil {
		return err
	}
	return s.loopChild(ch, f)
}

// childFds are a child's descriptors by meaning; order and number are fixed by procs in boot.go.
type childFds struct {
	bell    int
	bells   []int
	senders []int
	kept    map[string]int
	rest    []int // of the kind: listening sockets, unix sockets
}

// splitFds undoes fdsFor.
func splitFds(ch *procmgr.Child, sl *sealed) (f childFds, err error) {
	fds := ch.Fds
	take := func(n int) []int {
		if n > len(fds) {
			err = errors.New("too few inherited descriptors")
			return make([]int, n)
		}
		x := fds[:n]
		fds = fds[n:]
		return x
	}
	f.bell = take(1)[0]
	f.bells = take(sl.Slots)
	f.senders = make([]int, len(sl.Endpoints))
	for i, has := range sl.Senders {
		f.senders[i] = -1
		if has {
			f.senders[i] = take(1)[0]
		}
	}
	f.kept = map[string]int{}
	if strings.HasPrefix(ch.Kind, kindModule) {
		for _, name := range sl.Kept {
			f.kept[name] = take(1)[0]
		}
	}
	f.rest = fds
	return f, err
}

// loopChild runs the process's event loop.
func (s *server) loopChild(ch *procmgr.Child, f childFds) error {
	h, err := newWire(s)
	if err != nil {
		return err
	}
	cfg := reactor.Config{
		Role: reactor.RolePlain, Listeners: listeners(s.Endpoints), Options: s.reactorOptions(), Arena: s.arena, Shared: shm.Off(s.Shared),
		Senders: f.senders, Bell: f.bell, Doorbells: f.bells, Slot: ch.Slot,
		Log: func(text string) { s.proc.Log.Printf(0, "<core>: ", "%s", text) },
	}
	switch ch.Kind {
	case kindUDP:
		cfg.Role, cfg.Sock, cfg.Index, cfg.Group = reactor.RoleUDP, ch.Arg, ch.Arg2, s.Endpoints[ch.Arg].Workers
		cfg.Fds = ch.Handover
		cfg.Opened = func(fds []int) {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], uint32(ch.Arg))
			if err := ch.Control.Send(msgOpened, b[:], fds...); err != nil {
				s.proc.Log.Printf(-1, "<core>: ", "hand sockets to main: %v", err)
			}
		}
		cfg.Drained = func() {
			if err := ch.Control.Send(msgDrained, nil); err != nil {
				s.proc.Log.Printf(-1, "<core>: ", "tell main of drained sockets: %v", err)
			}
		}
	case kindTCP:
		cfg.Role, cfg.Index, cfg.Fds = reactor.RoleTCPWorker, ch.Arg, f.rest
	case kindTCPMain:
		cfg.Role, cfg.Fds, cfg.Owners = reactor.RoleTCPMain, f.rest, s.tcpOwners()
	case kindSlowTimer:
		h.slow = true
	}
	w, err := reactor.NewWorker(cfg, h)
	if err != nil {
		return err
	}
	h.w = w
	h.serve(s)
	s.loop = w.Post
	h.gen = &generations{ch: ch, w: w, h: h}
	ch.Signals(w.Stop, func() { w.Post(func() { h.s.memoryReport() }) })
	s.asking = &asking{send: ch.Control.Send, open: map[uint64]*modules.Request{}}
	ch.Control.Handle(msgAnswer, func(b []byte, _ []int) { w.Post(func() { h.s.answered(b) }) })
	h.gen.handle(ch.Control)
	ch.Retire(h.gen.leave)
	ch.Control.Closed(func(error) { w.Stop() })
	ch.Control.Serve()
	if ch.Rank != procmgr.RankNoChildInit {
		if err := s.initWorker(ch.Rank); err != nil {
			return err
		}
	}
	w.Post(func() {
		if err := s.startChild(ch, h); err != nil {
			ch.Control.Failed(err)
			w.Stop()
			return
		}
		h.procs.Beat() // from here on it is watched, even if it never comes to its first tick
		if err := ch.Control.Ready(); err != nil {
			w.Stop()
		}
	})
	err = w.Run()
	h.s.closeModules()
	return err
}

// startChild is what runs on the loop before the process says that it is ready.
func (s *server) startChild(ch *procmgr.Child, h *wire) error {
	if rest, ok := strings.CutPrefix(ch.Kind, kindModule); ok {
		s.beat, h.slow = nil, true // what the module asks for with Every in Run is this process's own
		name, kind, _ := strings.Cut(rest, ":")
		r, ok := s.host.Find(name).(modules.Runner)
		if !ok {
			return fmt.Errorf("module %s has no processes", name)
		}
		return r.Run(s.host, kind)
	}
	if ch.Rank == procmgr.RankSIPInit && !ch.Restarted {
		return s.workerOneInit()
	}
	return nil
}

// wheel makes or finds the timing wheel of this process's slot, so that a successor carries on with its predecessor's timers.
func (s *server) wheel() error {
	ref, _, err := shm.Root[wheels](s.arena, "wheels")
	if err != nil {
		return err
	}
	ws := ref.Get(s.arena)
	s.mark = &ws.Beat[s.proc.Slot]
	if off := ws.At[s.proc.Slot]; off != 0 {
		s.proc.Wheel, err = shm.OpenWheel(s.arena, off)
		return err
	}
	s.proc.Wheel, err = shm.NewWheel(s.arena, 0, s.arena.TagFor("core", "wheel"))
	if err == nil {
		ws.At[s.proc.Slot] = s.proc.Wheel.Off()
	}
	return err
}

// wheels is the root of all processes' timing wheels and periodic functions, by slot.
type wheels struct {
	At   [512]shm.Off
	Beat [512]beatMark
}
