package reactor

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kahea/procmgr"
	"kahea/shm"
	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

const (
	kindOpened = procmgr.KindUser + iota
	kindDrained
)

// setup is what main seals for its children in these tests.
type setup struct {
	Listeners []Listener
	Options   Options
	Shared    shm.Off
	Handler   string
	Bells     int
}

// TestMain is the test binary in its two roles: the tests, and a child of a Manager.
func TestMain(m *testing.M) {
	if procmgr.IsChild() {
		if err := childMain(); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGUSR2) // starts the runtime's signal goroutine, which stays
	signal.Stop(c)
	os.Exit(m.Run())
}

func childMain() error {
	c, err := procmgr.Inherit()
	if err != nil {
		return err
	}
	var s setup
	if err := json.Unmarshal(c.Config, &s); err != nil {
		return err
	}
	a, err := shm.Attach(c.ArenaFD, c.Slot)
	if err != nil {
		return err
	}
	ch := &childHandler{echo: echo{}, kind: s.Handler}
	cfg := Config{
		Index: c.Arg2, Sock: c.Arg, Listeners: s.Listeners, Options: s.Options, Arena: a, Shared: s.Shared, Slot: c.Slot,
		Bell: c.Fds[0], Doorbells: c.Fds[1 : 1+s.Bells], Fds: append(c.Fds[1+s.Bells:], c.Handover...),
		Log: func(l string) { fmt.Fprintln(os.Stderr, c.Desc+":", l) },
	}
	switch c.Kind {
	case "udp":
		cfg.Role, cfg.Group = RoleUDP, s.Listeners[c.Arg].Workers
		cfg.Opened = func(fds []int) { _ = c.Control.Send(kindOpened, nil, fds...) }
		cfg.Drained = func() { _ = c.Control.Send(kindDrained, nil) }
	case "tcpmain":
		cfg.Role, cfg.Group = RoleTCPMain, c.Arg2
	case "tcp":
		cfg.Role = RoleTCPWorker
	}
	w, err := NewWorker(cfg, ch)
	if err != nil {
		return err
	}
	ch.w = w
	c.Signals(w.Stop, nil)
	c.Control.Serve()
	w.Post(func() { _ = c.Control.Ready() })
	return w.Run()
}

// childHandler is the handler of a child process.
type childHandler struct {
	echo
	kind string
}

func (h *childHandler) Receive(p *Packet) Verdict {
	if h.kind == "poison" && string(p.Buf) == "poison" {
		unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	if h.kind == "tcp" {
		return h.receiveTCP(p)
	}
	return h.echo.Receive(p)
}

// server is main with a Manager, as cmd/kahea wires it.
type server struct {
	*procmgr.Manager
	a     *shm.Arena
	st    *Steering
	addr  netip.AddrPort
	tcp   netip.AddrPort
	off   shm.Off
	hands chan *Hand
	died  chan int
	code  chan int
	s     setup
}

func newServer(t testing.TB, workers int, handler string, o Options) *server {
	return newServerTCP(t, workers, 0, handler, o)
}

// newServerTCP has UDP workers, and if tcp > 0 as many TCP workers and a TCP main (behind them).
func newServerTCP(t testing.TB, workers, tcp int, handler string, o Options) *server {
	t.Helper()
	leaks(t)
	a := arena(t)
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := u.LocalAddr().(*net.UDPAddr).AddrPort()
	u.Close()
	ls := []Listener{{Proto: sipparse.UDP, Addr: addr, Workers: workers}}
	procs := workers + 1
	var listen, mains, ends []int
	if tcp > 0 {
		procs += tcp + 1
		ls = append(ls, Listener{Proto: sipparse.TCP, Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		if listen, err = ListenTCP(ls, o); err != nil {
			t.Fatal(err)
		}
		if mains, ends, err = TCPPairs(tcp); err != nil {
			t.Fatal(err)
		}
	}
	off, err := Prepare(a, ls, o, procs)
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := MakeBells(procs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(read); closeAll(write) })
	s := &server{a: a, st: NewSteering(a, off), addr: addr, hands: make(chan *Hand, 100), died: make(chan int, 1000), code: make(chan int, 1)}
	t.Cleanup(s.st.Close)
	s.s = setup{Listeners: ls, Options: o, Shared: off, Handler: handler, Bells: procs}
	s.off = off
	b, err := json.Marshal(s.s)
	if err != nil {
		t.Fatal(err)
	}
	dup := func(fd int) int {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.Manager, err = procmgr.New(procmgr.Options{Arena: a, Config: b, Restart: true, MaxRestarts: 1000, MaxBackoff: time.Millisecond,
		Log: func(_ int, l string) {
			if testing.Verbose() {
				t.Log(l)
			}
		},
		Died: func(_ procmgr.Proc, slot int, _ string) []int {
			fds, hand := s.st.Died(slot)
			if hand != nil {
				s.hands <- hand
			}
			s.died <- slot
			return fds
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.st.Forks = s.Forks()
	for i := range workers {
		fds := []int{dup(read[i+1])}
		for _, w := range write {
			fds = append(fds, dup(w))
		}
		s.Add(procmgr.Proc{Desc: fmt.Sprintf("udp receiver child=%d sock=%s", i, addr), Kind: "udp", Rank: i + 1, Arg2: i, Fds: fds})
	}
	bells := func(slot int) []int {
		fds := []int{dup(read[slot])}
		for _, w := range write {
			fds = append(fds, dup(w))
		}
		return fds
	}
	for i := range tcp {
		s.Add(procmgr.Proc{Desc: fmt.Sprintf("tcp receiver (generic) child=%d", i), Kind: "tcp", Rank: workers + i + 1, Arg2: i, Fds: append(bells(workers+1+i), ends[i])})
	}
	if tcp > 0 {
		s.tcp = ls[1].Addr
		s.Add(procmgr.Proc{Desc: "tcp main process", Kind: "tcpmain", Rank: procmgr.RankTCPMain, Fds: append(append(bells(procs-1), listen...), mains...)})
	}
	s.Handle(kindOpened, func(slot int, _ []byte, fds []int) {
		if err := s.st.Opened(slot, 0, fds); err != nil {
			t.Error(err)
		}
	})
	s.Handle(kindDrained, func(slot int, _ []byte, _ []int) {
		if err := s.st.Drained(slot); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *server) run(t testing.TB) {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.code <- s.Run() }()
	t.Cleanup(func() {
		s.Stop()
		if c := wait(t, s.code); c != 0 {
			t.Errorf("exit code %d", c)
		}
	})
}

// TestNoDatagramLost kills workers with SIGKILL under load; every datagram that was sent must come back at least once.
func TestNoDatagramLost(t *testing.T) {
	const workers, sources, kills = 4, 8, 12
	s := newServer(t, workers, "echo", Options{RcvBuf: 4 << 20})
	s.run(t)
	var stop atomic.Bool
	var sent, twice atomic.Int64
	var wg sync.WaitGroup
	lost := make(chan string, sources)
	for range sources {
		u := dial(t, s.addr)
		_ = u.SetReadBuffer(4 << 20)
		var total atomic.Int64
		total.Store(-1)
		wg.Go(func() { // paced, open loop: nobody waits for an answer
			next := time.NewTicker(time.Millisecond)
			defer next.Stop()
			b := make([]byte, 200)
			n := int64(0)
			for ; !stop.Load(); <-next.C {
				for range 3 {
					binary.LittleEndian.PutUint64(b, uint64(n))
					if _, err := u.Write(b); err != nil {
						lost <- err.Error()
						return
					}
					n++
				}
			}
			total.Store(n)
			sent.Add(n)
			_, _ = u.Write(make([]byte, 7)) // wakes the reader: its echo has 7 bytes
		})
		wg.Go(func() {
			seen := map[uint64]bool{}
			b := make([]byte, 300)
			for {
				if n := total.Load(); n >= 0 && int64(len(seen)) == n {
					return
				}
				n, err := u.Read(b)
				if err != nil {
					lost <- fmt.Sprintf("%d of %d came back: %v", len(seen), total.Load(), err)
					return
				}
				if n == 200 {
					id := binary.LittleEndian.Uint64(b)
					if seen[id] {
						twice.Add(1)
					}
					seen[id] = true
				}
			}
		})
	}
	for range kills {
		slot := 1 + rand.IntN(workers)
		pid := 0
		for pid == 0 { // a slot whose successor is up
			if e := procmgr.Table(s.a)[slot]; e.Status == 1 {
				pid = e.PID
			} else {
				<-time.After(time.Millisecond)
			}
		}
		unix.Kill(pid, unix.SIGKILL)
		if got := wait(t, s.died); got != slot {
			t.Fatalf("slot %d died, not %d", got, slot)
		}
		// the load must go on for a while between two deaths: 100 ms of it
		<-time.After(100 * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	close(lost)
	for l := range lost {
		t.Error(l)
	}
	t.Logf("%d sent, %d deaths, %d answered twice", sent.Load(), kills, twice.Load())
}
