package reactor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"kahea/shm"
	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

// echo answers every datagram with itself; the hooks let a test look.
type echo struct {
	w       *Worker
	receive func(p *Packet)
	tick    func(now uint64)
	failed  func(sock int, dst netip.AddrPort, b []byte, err error)
}

func (h *echo) Receive(p *Packet) Verdict {
	if h.receive != nil {
		h.receive(p)
		return Done
	}
	_ = h.w.SendUDP(p.Sock, p.Src, p.Buf)
	return Done
}

func (h *echo) Tick(now uint64) {
	if h.tick != nil {
		h.tick(now)
	}
}

func (h *echo) Failed(_ sipparse.Proto, _ uint32, sock int, dst netip.AddrPort, b []byte, err error) {
	if h.failed != nil {
		h.failed(sock, dst, b, err)
	}
}

func wait[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing happened for 20 s")
		panic("unreachable")
	}
}

func sockets(t testing.TB) int {
	ds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range ds {
		if l, err := os.Readlink("/proc/self/fd/" + d.Name()); err == nil && (strings.HasPrefix(l, "socket:") || strings.HasPrefix(l, "/memfd:")) {
			n++
		}
	}
	return n
}

// leaks fails the test if sockets, memfds or goroutines are left at its end.
func leaks(t testing.TB) {
	n, g := sockets(t), runtime.NumGoroutine()
	t.Cleanup(func() {
		if m := sockets(t); m != n {
			t.Errorf("%d sockets and memfds before, %d after", n, m)
		}
		for i := 0; runtime.NumGoroutine() > g && i < 1e6; i++ {
			runtime.Gosched()
		}
		if m := runtime.NumGoroutine(); m > g {
			buf := make([]byte, 1<<16)
			t.Errorf("%d goroutines before, %d after\n%s", g, m, buf[:runtime.Stack(buf, true)])
		}
	})
}

func arena(t testing.TB) *shm.Arena {
	a, err := shm.Create(16<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// start runs a UDP worker on loopback and returns it with its address.
func start(t testing.TB, h *echo, addr string, o Options) (*Worker, netip.AddrPort) {
	t.Helper()
	leaks(t)
	a := arena(t)
	ls := []Listener{{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort(addr), Workers: 1}}
	sh, err := Prepare(a, ls, o, 2)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan netip.AddrPort, 1)
	var w *Worker
	w, err = NewWorker(Config{Role: RoleUDP, Group: 1, Listeners: ls, Options: o, Arena: a, Shared: sh,
		Opened: func(fds []int) { opened <- localAddr(fds[0]) }, Log: func(s string) { t.Log(s) }}, h)
	if err != nil {
		t.Fatal(err)
	}
	h.w = w
	done := make(chan error, 1)
	go func() { done <- w.Run() }()
	t.Cleanup(func() {
		w.Stop()
		if err := wait(t, done); err != nil {
			t.Error(err)
		}
	})
	select {
	case ap := <-opened:
		return w, ap
	case err := <-done:
		t.Fatal(err)
	}
	panic("unreachable")
}

func dial(t testing.TB, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	return c
}

func TestEcho(t *testing.T) {
	for _, c := range []struct {
		name, addr string
		idle       int64
	}{{"v4", "127.0.0.1:0", 0}, {"v6", "[::1]:0", 0}, {"no busy waiting", "127.0.0.1:0", -1}} {
		t.Run(c.name, func(t *testing.T) {
			before := time.Now().UnixNano()
			h := &echo{}
			type seen struct {
				src, dst netip.AddrPort
				at       int64
			}
			last := make(chan seen, 1)
			h.receive = func(p *Packet) {
				select {
				case <-last:
				default:
				}
				last <- seen{p.Src, p.Dst, p.Time}
				_ = h.w.SendUDP(p.Sock, p.Src, append(h.w.Buffer(), p.Buf...))
			}
			_, to := start(t, h, c.addr, Options{IdleAfter: c.idle})
			u := dial(t, to)
			for i := range 500 {
				want := fmt.Appendf(nil, "message %d", i)
				if _, err := u.Write(want); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, 100)
				n, err := u.Read(got)
				if err != nil || !bytes.Equal(got[:n], want) {
					t.Fatalf("echo %q (%v), want %q", got[:n], err, want)
				}
			}
			got := wait(t, last)
			if want := u.LocalAddr().(*net.UDPAddr).AddrPort(); got.src != want || got.dst != to {
				t.Errorf("from %v to %v, want %v to %v", got.src, got.dst, want, to)
			}
			if got.at < before || got.at > time.Now().UnixNano() {
				t.Errorf("receive time %d", got.at)
			}
		})
	}
}

func TestReceiveTimeIsTheKernels(t *testing.T) {
	h := &echo{}
	times := make(chan int64, 10)
	hold, held := make(chan bool), make(chan bool)
	h.receive = func(p *Packet) {
		if string(p.Buf) == "hold" {
			held <- true
			<-hold
			return
		}
		times <- p.Time
	}
	_, to := start(t, h, "127.0.0.1:0", Options{})
	u := dial(t, to)
	_, _ = u.Write([]byte("hold"))
	wait(t, held)
	_, _ = u.Write([]byte("timed"))
	sent := time.Now().UnixNano()
	for time.Now().UnixNano() < sent+int64(5*time.Millisecond) {
		runtime.Gosched()
	}
	hold <- true
	if at := wait(t, times); at > sent {
		t.Errorf("receive time %d ns after the send: it is the time of reading", at-sent)
	}
}

func TestLongDatagrams(t *testing.T) {
	_, to := start(t, &echo{}, "127.0.0.1:0", Options{MaxMessage: 1000})
	u := dial(t, to)
	for _, n := range []int{1001, 60000, 1000} {
		if _, err := u.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, 65536)
	if n, err := u.Read(got); n != 1000 || err != nil {
		t.Errorf("%d bytes came back (%v), want 1000", n, err)
	}
}

func TestTicksPostAwait(t *testing.T) {
	h := &echo{}
	ticks := make(chan uint64, 1000)
	h.tick = func(now uint64) { ticks <- now }
	w, _ := start(t, h, "127.0.0.1:0", Options{})
	last := wait(t, ticks)
	for range 5 {
		now := wait(t, ticks)
		if now <= last {
			t.Errorf("tick %d after %d", now, last)
		}
		last = now
	}
	order := make(chan string, 10)
	w.Await(func() { order <- "f" }, func() {
		order <- "done"
		w.Post(func() { order <- "posted on the loop" })
	})
	for _, want := range []string{"f", "done", "posted on the loop"} {
		if got := wait(t, order); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPostWhileBusy(t *testing.T) {
	w, to := start(t, &echo{}, "127.0.0.1:0", Options{IdleAfter: int64(time.Hour)})
	u := dial(t, to)
	b := make([]byte, 10)
	for range 200 {
		_, _ = u.Write([]byte("x"))
		if _, err := u.Read(b); err != nil {
			t.Fatal(err)
		}
		ran := make(chan bool, 1)
		w.Post(func() { ran <- true })
		wait(t, ran)
	}
}

func TestKeep(t *testing.T) {
	h := &echo{}
	var kept []*Packet
	h.receive = func(p *Packet) {
		kept = append(kept, p.Keep())
		if len(kept) < 100 { // more than there are spare buffers
			return
		}
		ks := kept
		h.w.Await(func() {}, func() {
			for _, k := range ks {
				_ = h.w.SendUDP(k.Sock, k.Src, k.Buf)
				k.Release()
			}
		})
		kept = nil
	}
	_, to := start(t, h, "127.0.0.1:0", Options{})
	u := dial(t, to)
	for round := range 5 {
		for i := range 100 {
			_, _ = u.Write(fmt.Appendf(nil, "%d %d", round, i))
		}
		for i := range 100 {
			b := make([]byte, 50)
			n, err := u.Read(b)
			if want := fmt.Sprintf("%d %d", round, i); err != nil || string(b[:n]) != want {
				t.Fatalf("%q (%v), want %q", b[:n], err, want)
			}
		}
	}
}

func TestPlainWorkerSends(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			leaks(t)
			a := arena(t)
			ls := []Listener{{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort(addr), Workers: 1}}
			senders, err := OpenSenders(ls, Options{})
			if err != nil {
				t.Fatal(err)
			}
			sh, err := Prepare(a, ls, Options{}, 3)
			if err != nil {
				t.Fatal(err)
			}
			run := func(c Config, h *echo) {
				c.Listeners, c.Arena, c.Shared = ls, a, sh
				w, err := NewWorker(c, h)
				if err != nil {
					t.Fatal(err)
				}
				h.w = w
				done := make(chan error, 1)
				go func() { done <- w.Run() }()
				t.Cleanup(func() { w.Stop(); wait(t, done) })
			}
			opened := make(chan bool, 1)
			run(Config{Role: RoleUDP, Group: 1, Opened: func([]int) { opened <- true }}, &echo{})
			wait(t, opened)
			plain := &echo{}
			failed := make(chan error, 1)
			plain.failed = func(_ int, _ netip.AddrPort, _ []byte, err error) { failed <- err }
			run(Config{Role: RolePlain, Senders: senders}, plain)
			to := ls[0].Addr
			if to.Addr().IsUnspecified() {
				to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to.Port())
			}
			u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Addr(), 0)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { u.Close() })
			me := u.LocalAddr().(*net.UDPAddr).AddrPort()
			plain.w.Post(func() {
				if err := plain.w.SendUDP(0, me, []byte("from the timer")); err != nil {
					t.Error(err)
				}
			})
			b := make([]byte, 50)
			_ = u.SetReadDeadline(time.Now().Add(20 * time.Second))
			n, from, err := u.ReadFromUDPAddrPort(b)
			if err != nil || string(b[:n]) != "from the timer" || from != to {
				t.Fatalf("%q from %v (%v), want it from %v", b[:n], from, err, to)
			}
			// The send socket must not steal: whatever is sent to the address is echoed by the worker.
			for i := range 300 {
				c := dial(t, to)
				_, _ = c.Write([]byte("x"))
				if n, err := c.Read(b); n != 1 || err != nil {
					t.Fatalf("datagram %d was not answered: %v", i, err)
				}
				c.Close()
			}
			plain.w.Post(func() { _ = plain.w.SendUDP(0, me, make([]byte, 65535)) })
			if err := wait(t, failed); !errors.Is(err, unix.EMSGSIZE) {
				t.Errorf("send of 65535 bytes: %v", err)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := []Listener{{Proto: sipparse.UDP, Addr: u.LocalAddr().(*net.UDPAddr).AddrPort()}, {Proto: sipparse.TCP, Addr: l.Addr().(*net.TCPAddr).AddrPort()}}
	for _, x := range taken {
		if err := Probe([]Listener{x}, Options{}); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%s: %v, want address in use", x, err)
		}
	}
	u.Close()
	l.Close()
	if err := Probe(taken, Options{}); err != nil {
		t.Errorf("free addresses: %v", err)
	}
}

// TestSteering: every source stays with the worker that Spread names, whatever the order of binding.
func TestSteering(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			a := arena(t)
			l := Listener{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort(addr)}
			sh, err := Prepare(a, []Listener{l}, Options{}, 8)
			if err != nil {
				t.Fatal(err)
			}
			s := openShared(a, sh)
			const n = 4
			fds := make([]int, n)
			for _, bucket := range []int{2, 0, 3, 1} {
				fd, err := s.join(a, 0, bucket, n, bucket+1, func() (int, error) { return openUDP(l, Options{}) }, func(int) {})
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				l.Addr = localAddr(fd)
				fds[bucket] = fd
			}
			b := make([]byte, 100)
			var count [n]int
			for range 200 {
				c := dial(t, l.Addr)
				src := c.LocalAddr().(*net.UDPAddr).AddrPort()
				_, _ = c.Write([]byte("x"))
				c.Close()
				w := Spread(src, n)
				if _, _, err := unix.Recvfrom(fds[w], b, 0); err != nil {
					t.Fatalf("%v did not come to worker %d: %v", src, w, err)
				}
				count[w]++
			}
			for w, k := range count {
				if k < 20 {
					t.Errorf("worker %d got %d of 200 sources", w, k)
				}
			}
		})
	}
}

// TestSteeringAway: between the close of a dead worker's socket and the next program, all sources still come to sockets that are read.
func TestSteeringAway(t *testing.T) {
	a := arena(t)
	l := Listener{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort("127.0.0.1:0")}
	sh, err := Prepare(a, []Listener{l}, Options{}, 8)
	if err != nil {
		t.Fatal(err)
	}
	s := openShared(a, sh)
	const n = 4
	var fds []int // those of the dead, then those of their successors
	for i := range 2 * n {
		fd, err := s.join(a, 0, i%n, n, i%n+1, func() (int, error) { return openUDP(l, Options{}) }, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		l.Addr = localAddr(fd)
		fds = append(fds, fd)
	}
	defer closeAll(fds[n:])
	g := &s.groups[0]
	b := make([]byte, 100)
	for dead := range n {
		if err := g.close(fds[dead], dead+1); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			c := dial(t, l.Addr)
			_, _ = c.Write([]byte("x"))
			c.Close()
		}
		got := 0
		for i, fd := range fds[dead+1:] {
			for {
				if _, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT); err != nil {
					break
				}
				if dead+1+i < n {
					t.Fatalf("behind close %d, dead socket %d got a datagram", dead, dead+1+i)
				}
				got++
			}
		}
		if got != 100 {
			t.Errorf("%d of 100 datagrams came", got)
		}
		if err := g.steer(fds[n]); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	_, to := start(b, &echo{}, "127.0.0.1:0", Options{})
	u := dial(b, to)
	msg := make([]byte, 400)
	in := make([]byte, 500)
	binary.LittleEndian.PutUint64(msg, 1)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = u.Write(msg)
		if _, err := u.Read(in); err != nil {
			b.Fatal(err)
		}
	}
}
