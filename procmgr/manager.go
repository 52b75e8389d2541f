package procmgr

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"kahea/shm"

	"golang.org/x/sys/unix"
)

// Levels for Options.Log, Kamailio's.
const (
	LevelAlert = -5
	LevelErr   = -1
	LevelWarn  = 0
	LevelNote  = 1
	LevelInfo  = 2
	LevelDebug = 3
)

// Options of the manager.
type Options struct {
	Arena       *shm.Arena
	Config      []byte // sealed for the children
	Env         []string
	Restart     bool // restart_children
	ExitTimeout int  // seconds children get after TERM before KILL; 0: 60
	Log         func(level int, text string)
	// Died is called in main after a child was reaped and its locks were released, before its successor starts. It returns the descriptors for the
	// successor (Child.Handover), which stay its own. It is also called when no successor follows.
	Died func(p Proc, slot int, status string) (fds []int)

	Name        string        // argv[0] and comm of the children; default: base name of os.Args[0]
	Desc        string        // main's own row in the table; default "main process - attendant"
	Heartbeat   int           // seconds that a child which has beaten once may go without another beat; 0: not watched
	ForkDelay   time.Duration // between two processes at the start (fork_delay)
	FirstWait   time.Duration // the first process gets so long to become ready before the others are started (wait_worker1_mode); 0: it does not go before
	MaxRestarts int           // restarts within a minute, over all children, before the server stops; 0: 60
	MaxBackoff  time.Duration // longest time from a child's start to that of its successor; 0: 5 s
	Dumpable    bool          // children set PR_SET_DUMPABLE again (lost by a change of uid)
	Spare       int           // slots for processes that are added while the server runs (AddLive)
	Status      func()        // called on USR1
	Hangup      func()        // called on HUP; it must not wait
	// Silent gives the children /dev/null as stdin and stdout, SilentErr as stderr too (daemon mode: nobody who started the server waits for its end).
	Silent, SilentErr bool
}

// Manager is main's half: it starts, watches and ends the children, and handles signals.
type Manager struct {
	o        Options
	conf     int // sealed memfd
	confGen  int // number of the configuration that it holds
	calls    chan func()
	spawn    *spawner
	table    *Procs
	procs    []*process
	handlers map[uint8]func(slot int, payload []byte, fds []int)
	hmu      sync.Mutex // serialises handlers and Died
	events   chan event
	sigs     chan os.Signal
	stop     chan struct{}
	stopOnce sync.Once
	quit     chan struct{} // closed when the Manager is done: readers drop their events
	readers  sync.WaitGroup
	restarts []time.Time
	last     unix.WaitStatus // of the last reaped child
	env      []string
	stdio    [3]uintptr
	null     int // -1: none

	mu sync.Mutex // guards the ctl of the processes, for Send
}

type process struct {
	Proc
	slot       int
	pid        int // 0: not running
	generation int
	ctl        *Control
	ready      bool
	started    time.Time
	deaths     int // in a row
	beat       uint64
	beatAt     time.Time
	handover   []int
	timer      *time.Timer
	killed     bool // by the heartbeat
	confGen    int  // of the configuration that it runs
	leaving    leaving
	up         chan error      // AddLive and ReplaceAndWait wait for it
	resumed    int             // descriptor of the control channel, between Resume and Continue
	gone       chan<- struct{} // Park waits for its end
}

// leaving says what follows when a process ends that was asked to.
type leaving uint8

const (
	staying   leaving = iota
	replacing         // a successor at once
	removing          // nothing: the slot is free
	parked            // a successor when Unpark says so
)

type event struct {
	slot, generation int
	kind             eventKind
	err              error
}

type eventKind uint8

const (
	evReady eventKind = iota
	evFailed
	evRestart
)

// ErrSignaled is returned by Start when INT or TERM came before all children were up.
var ErrSignaled = errors.New("terminated by a signal during start")

// New makes a Manager and its spawning thread. Close it with Run, or with Close when Start is never called.
func New(o Options) (*Manager, error) {
	if o.Name == "" {
		o.Name = filepath.Base(os.Args[0])
	}
	if o.Desc == "" {
		o.Desc = "main process - attendant"
	}
	if o.ExitTimeout == 0 {
		o.ExitTimeout = 60
	}
	if o.MaxRestarts == 0 {
		o.MaxRestarts = 60
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = func(int, string) {}
	}
	conf, err := seal(o.Config)
	if err != nil {
		return nil, err
	}
	null, stdio := -1, [3]uintptr{0, 1, 2}
	if o.Silent || o.SilentErr {
		if null, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			unix.Close(conf)
			return nil, fmt.Errorf("/dev/null: %w", err)
		}
		stdio[0], stdio[1] = uintptr(null), uintptr(null)
		if o.SilentErr {
			stdio[2] = uintptr(null)
		}
	}
	m := &Manager{
		null: null, stdio: stdio,
		o: o, conf: conf, spawn: newSpawner(), handlers: map[uint8]func(int, []byte, []int){},
		sigs: make(chan os.Signal, 64), stop: make(chan struct{}), quit: make(chan struct{}), env: environ(o.Env), calls: make(chan func()),
	}
	return m, nil
}

// Forks is held while a process is made, which has copies of all descriptors of main until it has executed its binary: who holds it knows that a descriptor that it closes is closed.
// Whoever else makes processes holds it meanwhile. Nobody waits for another lock who holds it.
func (m *Manager) Forks() sync.Locker { return &m.spawn.forking }

// Add appends a process before Start and returns its slot.
func (m *Manager) Add(p Proc) int {
	m.procs = append(m.procs, &process{Proc: p, slot: len(m.procs) + 1})
	return len(m.procs)
}

// Procs are the processes added so far, in order of their slots (slot 1 first).
func (m *Manager) Procs() []Proc {
	ps := make([]Proc, len(m.procs))
	for i, p := range m.procs {
		ps[i] = p.Proc
	}
	return ps
}

// Handle registers f for messages of kind from any child. Call before Start.
func (m *Manager) Handle(kind uint8, f func(slot int, payload []byte, fds []int)) {
	m.handlers[kind] = f
}

var errNoProcess = errors.New("no such process is running")

// Send sends to the child in slot. Any goroutine.
func (m *Manager) Send(slot int, kind uint8, payload []byte, fds ...int) error {
	m.mu.Lock()
	var c *Control
	if slot >= 1 && slot <= len(m.procs) {
		c = m.procs[slot-1].ctl
	}
	m.mu.Unlock()
	if c == nil {
		return fmt.Errorf("send kind %d to slot %d: %w", kind, slot, errNoProcess)
	}
	return c.Send(kind, payload, fds...)
}

// Start starts all in order and waits until each has said Ready (or one Failed, or died: then all are ended and the reason is returned).
func (m *Manager) Start() error {
	t, err := makeTable(m.o.Arena, len(m.procs)+1+m.o.Spare)
	if err != nil {
		m.Close()
		return err
	}
	m.table = t
	t.describe(0, m.o.Desc, RankMain)
	t.started(0, os.Getpid(), 0, time.Now().UnixNano())
	t.status(0, 1)
	for _, p := range m.procs {
		t.describe(p.slot, p.Desc, p.Rank)
	}
	// A process says Ready and Failed at most once each, so a reader never waits here while bury waits for the reader.
	m.events = make(chan event, 64+4*len(m.procs))
	signal.Notify(m.sigs, unix.SIGCHLD, unix.SIGINT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP, unix.SIGPIPE)
	waiting := 0
	for i, p := range m.procs {
		if i > 0 && m.o.ForkDelay > 0 {
			time.Sleep(m.o.ForkDelay)
		}
		if err := m.launch(p); err != nil {
			m.end()
			return err
		}
		waiting++
		if i == 0 && m.o.FirstWait > 0 {
			if waiting, err = m.await(waiting, time.After(m.o.FirstWait)); err != nil {
				return err
			}
		}
	}
	_, err = m.await(waiting, nil)
	return err
}

// await waits until so many processes have become ready, or for late; left are those that have not.
func (m *Manager) await(waiting int, late <-chan time.Time) (left int, err error) {
	for waiting > 0 {
		select {
		case e := <-m.events:
			if p := m.procs[e.slot-1]; e.kind == evReady && !p.ready {
				m.ready(p)
				waiting--
			} else if e.kind == evFailed {
				m.end()
				return 0, fmt.Errorf("%s (slot %d): %w", p.Desc, p.slot, e.err)
			}
		case s := <-m.sigs:
			switch s {
			case unix.SIGINT, unix.SIGTERM:
				m.end()
				return 0, ErrSignaled
			case unix.SIGCHLD:
				for _, p := range m.procs {
					if ws, dead := m.reap(p); dead {
						err := m.failure(p, ws)
						m.end()
						return 0, err
					}
				}
			default:
				m.signal(s)
			}
		case <-late:
			return waiting, nil
		}
	}
	return 0, nil
}

// failure is why p died before it was ready: its own words if there are any in the queue.
func (m *Manager) failure(p *process, ws unix.WaitStatus) error {
	<-p.ctl.done
	for {
		select {
		case e := <-m.events:
			if e.slot == p.slot && e.kind == evFailed {
				return fmt.Errorf("%s (slot %d): %w", p.Desc, p.slot, e.err)
			}
		default:
			return fmt.Errorf("%s (slot %d) ended during start: %s", p.Desc, p.slot, statusText(ws))
		}
	}
}

// launch starts p; it does not wait for it.
func (m *Manager) launch(p *process) error {
	h := hello{
		Name: m.o.Name, Desc: p.Desc, Kind: p.Kind, Rank: p.Rank, Arg: p.Arg, Arg2: p.Arg2, Slot: p.slot, Generation: p.generation,
		Fds: len(p.Fds), Handover: len(p.handover), Restarted: p.generation > 0, Dumpable: m.o.Dumpable,
	}
	fds := append(append([]int{}, p.Fds...), p.handover...)
	pid, c, err := m.spawn.start(h, m.o.Name, m.env, m.stdio, m.o.Arena.FD(), m.conf, fds)
	if err != nil {
		return err
	}
	p.started = time.Now()
	p.beat, p.beatAt, p.ready, p.killed, p.handover = 0, p.started, false, false, nil
	p.confGen, p.leaving = m.confGen, staying
	m.table.started(p.slot, pid, p.generation, p.started.UnixNano())
	slot, gen := p.slot, p.generation
	c.any = func(kind uint8, payload []byte, fds []int) { m.receive(slot, gen, kind, payload, fds) }
	c.closed = func(error) {}
	m.mu.Lock()
	p.pid, p.ctl = pid, c
	m.mu.Unlock()
	m.readers.Add(1)
	c.Serve()
	go func() { <-c.done; m.readers.Done() }()
	return nil
}

// receive runs on the reader goroutine of one child.
func (m *Manager) receive(slot, gen int, kind uint8, payload []byte, fds []int) {
	e := event{slot: slot, generation: gen}
	switch kind {
	case kindReady:
		closeAll(fds)
	case kindFailed:
		closeAll(fds)
		e.kind, e.err = evFailed, errors.New(string(payload))
	default:
		f := m.handlers[kind]
		if f == nil {
			closeAll(fds)
			m.o.Log(LevelWarn, fmt.Sprintf("control message of unknown kind %d from slot %d", kind, slot))
			return
		}
		m.hmu.Lock()
		defer m.hmu.Unlock()
		f(slot, payload, fds)
		return
	}
	select {
	case m.events <- e:
	case <-m.quit:
	}
}

func (m *Manager) ready(p *process) {
	p.ready = true
	p.beatAt = time.Now()
	m.table.status(p.slot, 1)
	p.came(nil)
}

// came tells AddLive how it went.
func (p *process) came(err error) {
	if p.up != nil {
		p.up <- err
		p.up = nil
	}
}

// Stop asks Run to end the server as TERM does. Any goroutine.
func (m *Manager) Stop() { m.stopOnce.Do(func() { close(m.stop) }) }

// Close releases what New made, for a Manager that never started.
func (m *Manager) Close() {
	signal.Stop(m.sigs)
	close(m.quit)
	m.spawn.close()
	unix.Close(m.conf)
	if m.null >= 0 {
		unix.Close(m.null)
	}
	closed := map[int]bool{}
	for _, p := range m.procs {
		for _, fd := range p.Fds {
			if !closed[fd] { // several processes may share one
				closed[fd] = true
				unix.Close(fd)
			}
		}
	}
}
