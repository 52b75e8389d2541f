package reactor

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"kahea/shm"

	"golang.org/x/sys/unix"
)

// Role is what kind of loop a process runs.
type Role uint8

const (
	RoleUDP Role = iota
	RoleTCPMain
	RoleTCPWorker
	RolePlain // no sockets of its own, but it may send and await (timers, ctl, main's no-fork mode excepted)
)

// Config is what a worker needs; it is filled by the process's boot code.
type Config struct {
	Role      Role
	Index     int // index among the workers of its group; a successor has its predecessor's
	Group     int // workers in the group (n of steering)
	Sock      int // RoleUDP: listener index
	Listeners []Listener
	Options   Options
	Arena     *shm.Arena
	Shared    shm.Off // what Prepare returned
	// Owners are of RoleTCPMain: for each TCP worker the listener whose connections it has alone, -1: those of all others. nil: all are for all.
	Owners []int
	// Fds: RoleUDP successor: what Steering.Died returned (sockets to drain, receive areas to replay); RoleTCPMain: listening sockets in the order of
	// ListenTCP, then one unix socket per TCP worker; RoleTCPWorker: its unix socket to TCP main. The worker owns them.
	Fds       []int
	Senders   []int // of OpenSenders: one per listener, -1 where there is none; the worker owns them
	Bell      int   // read end of this process's doorbell; the worker owns it
	Doorbells []int // write ends, one per process slot: a process that puts something in another's ring rings it. Empty: the worker makes a private one
	Slot      int
	// Opened is called before the loop starts, once the sockets are open, with descriptors for main to keep duplicates of (they stay the worker's).
	Opened func(fds []int)
	// Drained is called on the loop when a successor has emptied its predecessor's sockets and closed its duplicates: main closes its own (Steering.Drained).
	Drained func()
	// Log gets what is worth a line; nil: nothing.
	Log func(text string)
}

// Ticks is the timer clock as of the last wake-up or message; on the loop.
func (w *Worker) Ticks() uint64 { return w.ticks() }

// Stats are counters of one worker.
type Stats struct {
	Received   uint64 // messages handed to the Handler
	TooLong    uint64 // datagrams over MaxMessage, dropped
	SendErrors uint64
	Replayed   uint64 // messages of a dead predecessor's batch handled again
	Killers    uint64 // messages dropped because their digest has killed twice
	Drained    uint64 // datagrams taken from a dead predecessor's sockets
	Wakes      uint64 // returns from gnet's own wait
}

// State of a loop as seen by who wants to wake it.
const (
	running int32 = iota
	polling       // in its own wait, which ends with the next tick
	resting       // in gnet
)

// tickTime is one tick in ns.
const tickTime = int64(time.Second / 16)

// Worker is one process's event loop: a gnet engine, or for RoleTCPMain an epoll loop of its own. What the methods say about "on the loop" means: inside
// a method of Handler, a function given to Post, or the done of Await.
type Worker struct {
	c      Config
	o      Options
	h      Handler
	failer Failer
	rester Rester
	sh     *shared

	state    atomic.Int32
	stopping atomic.Bool
	mu       sync.Mutex
	posts    []func()
	running  []func() // the slice that is being run: the two swap
	nposts   atomic.Int32
	awaiting atomic.Int32 // functions of Await that run
	bellW    int

	// only on the loop from here
	now, mono, t0mono int64
	t0                time.Time
	tick              uint64      // last tick told
	traffic           int64       // mono time of the last message
	ep                int         // gnet's epoll descriptor
	waitIn            bool        // the next drain of the own socket waits for a datagram
	yielded           int64       // mono time when other goroutines were let run
	most              int64       // ns that look may wait
	look, peek        func() bool // lookUp and peekUp
	rest              *rest
	looked            int64 // mono time of the last look at gnet's set
	pfds              [2]unix.PollFd
	pts               unix.Timespec
	event             unix.EpollEvent

	sock      int // own UDP socket, -1
	rx        *rx
	old       []int // a predecessor's sockets
	oldUntil  int64 // mono time after which nothing can arrive on them any more
	out       *out
	senders   []int // by listener: what to send from
	owned     []int // descriptors to close at the end
	anySource []bool
	noSource  []byte
	pkt       Packet
	kept      []*Packet
	stats     Stats
	tcp       *tcpWorker
	main      *tcpMain
	routes    [2]int // sockets that the kernel's routes are asked with, IPv4 and IPv6; 0: not open yet
	inbox     shm.Ring
	hasInbox  bool
	boxes     []shm.Ring // of other slots, opened when first used
	onRecord  func([]byte)
	bootErr   error
	idle      func() bool // Retire's; nil: the worker stays
	leaveBy   int64       // mono time until which Retire waits for connections, and for scripts if steered
	steered   bool
}

// NewWorker makes a worker; nothing is opened before Run.
func NewWorker(c Config, h Handler) (*Worker, error) {
	w := &Worker{c: c, o: c.Options.withDefaults(), h: h, sock: -1, ep: -1, noSource: noSource(), t0: time.Now()}
	w.failer, _ = h.(Failer)
	w.rester, _ = h.(Rester)
	w.onRecord, w.look, w.peek = w.record, w.lookUp, w.peekUp
	if w.c.Log == nil {
		w.c.Log = func(string) {}
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return nil, fmt.Errorf("monotonic clock: %w", err)
	}
	w.t0mono = ts.Nano()
	if c.Shared != 0 {
		w.sh = openShared(c.Arena, c.Shared)
	} else {
		w.sh = &shared{root: new(sharedRoot)}
	}
	if w.sh.root.Epoch == 0 {
		w.sh.root.Epoch = w.t0mono
	}
	w.out = newOut(w.o.Batch)
	w.senders = make([]int, len(c.Listeners))
	w.anySource = make([]bool, len(c.Listeners))
	for i := range w.senders {
		w.senders[i] = -1
		if i < len(c.Senders) && c.Senders[i] >= 0 {
			w.senders[i] = c.Senders[i]
			w.owned = append(w.owned, c.Senders[i])
			w.anySource[i] = c.Listeners[i].Addr.Addr() == netip.IPv4Unspecified()
		}
	}
	if len(c.Doorbells) > 0 {
		if c.Slot >= len(c.Doorbells) {
			return nil, fmt.Errorf("slot %d of %d doorbells: %w", c.Slot, len(c.Doorbells), unix.EINVAL)
		}
		w.bellW = c.Doorbells[c.Slot]
	} else {
		r, wr, err := MakeBells(1)
		if err != nil {
			return nil, err
		}
		w.c.Bell, w.bellW, w.c.Doorbells = r[0], wr[0], wr
		w.c.Slot = 0
	}
	w.state.Store(resting)
	w.clock()
	w.tick = w.ticks()
	return w, nil
}

// MakeBells makes doorbells for n process slots (main, before the children): read[i] belongs to the process of slot i alone, every process inherits all of
// write. A doorbell is a stream socketpair, not an eventfd, because gnet can watch it: rings that were not heard yet coalesce in its buffer.
func MakeBells(n int) (read, write []int, err error) {
	for range n {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			closeAll(read)
			closeAll(write)
			return nil, nil, fmt.Errorf("doorbell: %w", err)
		}
		read, write = append(read, p[0]), append(write, p[1])
	}
	return read, write, nil
}

var oneRing = []byte{1}

// ring rings a doorbell. A full buffer means that it rings already.
func ring(fd int) { _, _ = unix.Write(fd, oneRing) }

// Run runs the loop until Stop; it returns when everything is closed.
func (w *Worker) Run() error {
	defer w.release()
	if w.c.Role == RoleTCPMain {
		return w.runTCPMain()
	}
	var err error
	if w.c.Role == RoleTCPWorker {
		err = w.bootTCPWorker()
	} else {
		err = w.openInbox()
	}
	if err == nil {
		err = w.runEngine()
	}
	w.stopping.Store(true)
	if w.tcp != nil {
		w.tcp.close()
	}
	if w.bootErr != nil {
		return w.bootErr
	}
	return err
}

func (w *Worker) release() {
	closeAll(w.owned)
	closeAll(w.old)
	if w.rx != nil {
		w.rx.close()
	}
	closeAll(w.c.Doorbells)
	w.rest.close()
}

// Stop ends Run. Any goroutine.
func (w *Worker) Stop() {
	w.stopping.Store(true)
	ring(w.bellW)
}

// Post runs f on the loop. Any goroutine, also the loop's own: then f runs after what runs now. After Stop it may never run.
func (w *Worker) Post(f func()) {
	w.mu.Lock()
	w.posts = append(w.posts, f)
	w.nposts.Store(int32(len(w.posts)))
	w.mu.Unlock()
	if w.state.Load() != running {
		ring(w.bellW)
	}
}

// Await runs f on another goroutine and then done on the loop. Any goroutine.
func (w *Worker) Await(f func(), done func()) {
	w.awaiting.Add(1)
	go func() {
		f()
		w.awaiting.Add(-1)
		w.Post(done)
	}()
}

// Now is unix ns, as of the last wake-up or message. Only on the loop.
func (w *Worker) Now() int64 { return w.now }

// Stats are the counters so far. Only on the loop, or after Run.
func (w *Worker) Stats() Stats { return w.stats }

// SetSender gives the worker a descriptor to send from on listener sock (a duplicate of some worker's socket; it is the worker's now); the one before
// is closed if the worker owned it. Any goroutine.
func (w *Worker) SetSender(sock, fd int) {
	w.Post(func() {
		if sock < 0 || sock >= len(w.senders) || (w.sock >= 0 && w.senders[sock] == w.sock) {
			unix.Close(fd)
			return
		}
		for i, o := range w.owned {
			if o == w.senders[sock] {
				w.Flush()
				unix.Close(o)
				w.owned = append(w.owned[:i], w.owned[i+1:]...)
				break
			}
		}
		w.senders[sock], w.anySource[sock] = fd, false
		w.owned = append(w.owned, fd)
	})
}

func (w *Worker) clock() {
	t := time.Now()
	w.now, w.mono = t.UnixNano(), w.t0mono+int64(t.Sub(w.t0))
}

func (w *Worker) ticks() uint64 { return uint64((w.mono - w.sh.root.Epoch) / tickTime) }

// turn is what every round of the loop does besides messages.
func (w *Worker) turn() {
	w.runPosts()
	w.collect()
	if t := w.ticks(); t > w.tick {
		w.tick = t
		w.settleOld()
		if w.tcp != nil {
			w.tcp.tick()
		}
		if w.main != nil {
			w.main.tick()
		}
		w.h.Tick(t)
		w.runPosts()
		w.leave()
	}
	if w.tcp != nil {
		w.tcp.flush()
	}
	w.Flush()
}

func (w *Worker) runPosts() {
	for w.nposts.Load() > 0 {
		w.mu.Lock()
		fs := w.posts
		w.posts, w.running = w.running[:0], fs
		w.nposts.Store(0)
		w.mu.Unlock()
		for i, f := range fs {
			fs[i] = nil
			f()
		}
	}
}
