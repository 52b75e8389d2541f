package reactor

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kahea/procmgr"

	"golang.org/x/sys/unix"
)

// cpu is the CPU time of all threads of a process in ns.
func cpu(t testing.TB, pid int) (ns int64) {
	fs, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fs {
		var n int64
		if b, err := os.ReadFile(f); err == nil {
			_, _ = fmt.Sscan(string(b), &n)
			ns += n
		}
	}
	return ns
}

func (s *server) cpu(t testing.TB) (ns int64) {
	for _, e := range procmgr.Table(s.a)[1:] {
		ns += cpu(t, e.PID)
	}
	return ns
}

// sources are connected UDP sockets that send in turn.
func sources(b *testing.B, s *server, n int) (fds []int) {
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { unix.Close(fd) })
		if err := unix.Connect(fd, sockaddr(s.addr)); err != nil {
			b.Fatal(err)
		}
		fds = append(fds, fd)
	}
	return fds
}

// BenchmarkPaced: 5,000 datagrams of 400 bytes a second from 16 sources to four echo workers; us-cpu/msg is CPU time of the workers a datagram, all
// threads. Run with -benchtime=15000x or so.
func BenchmarkPaced(b *testing.B) {
	for _, c := range []struct {
		name string
		idle int64
	}{{"wait", 0}, {"no busy waiting", -1}} {
		b.Run(c.name, func(b *testing.B) {
			s := newServer(b, 4, "echo", Options{RcvBuf: 4 << 20, IdleAfter: c.idle})
			s.run(b)
			fds := sources(b, s, 16)
			msg := make([]byte, 400)
			in := make([]byte, 500)
			var t0 int64
			start := time.Now()
			b.ResetTimer()
			for i := range b.N {
				if i == 100 {
					t0 = s.cpu(b)
				}
				fd := fds[i%len(fds)]
				due := start.Add(time.Duration(i) * 200 * time.Microsecond)
				for d := time.Until(due); d > 0; d = time.Until(due) {
					ts := unix.NsecToTimespec(int64(d))
					_ = unix.Nanosleep(&ts, nil)
				}
				_, _ = unix.Write(fd, msg)
				for {
					if n, err := unix.Read(fd, in); n == len(msg) || err != nil && err != unix.EINTR {
						break
					}
				}
			}
			b.StopTimer()
			if b.N > 100 {
				b.ReportMetric(float64(s.cpu(b)-t0)/1e3/float64(b.N-100), "us-cpu/msg")
			}
		})
	}
}

// BenchmarkSaturated: 16 sources with 32 datagrams each under way, four echo workers.
func BenchmarkSaturated(b *testing.B) {
	s := newServer(b, 4, "echo", Options{RcvBuf: 4 << 20})
	s.run(b)
	fds := sources(b, s, 4)
	const window = 32
	t0 := s.cpu(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for _, fd := range fds {
		wg.Go(func() {
			msg, in := make([]byte, 400), make([]byte, 500)
			n := b.N / len(fds)
			for sent, got := 0, 0; got < n; {
				for sent < n && sent-got < window {
					_, _ = unix.Write(fd, msg)
					sent++
				}
				for range window / 2 {
					if got == n {
						break
					}
					if m, _ := unix.Read(fd, in); m == len(msg) {
						got++
					}
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(s.cpu(b)-t0)/1e3/float64(b.N), "us-cpu/msg")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkIdle: CPU time that an idle worker takes a second (16 ticks). Run with -benchtime=3x or so: each round is a second.
func BenchmarkIdle(b *testing.B) {
	const workers = 4
	s := newServer(b, workers, "echo", Options{})
	s.run(b)
	t0 := s.cpu(b)
	for range b.N {
		<-time.After(time.Second)
	}
	b.ReportMetric(float64(s.cpu(b)-t0)/1e3/float64(b.N)/workers, "us-cpu/s/worker")
}
