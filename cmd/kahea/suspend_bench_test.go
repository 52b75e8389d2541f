//go:build !race

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// sleepers is a bench whose scripts sleep, or wait for a name, until they are woken.
type sleepers struct {
	*bench
	wake []func()
}

func (s *sleepers) After(_ time.Duration, done func()) { s.wake = append(s.wake, done) }

func (s *sleepers) Await(wait, done func()) {
	s.wake = append(s.wake, func() { wait(); done() })
}

func (s *sleepers) Resolve(n route.Name) (route.Place, bool, func() (route.Place, error)) {
	return route.Place{}, false, func() (route.Place, error) { return route.Place{Addr: callee, Proto: n.Proto}, nil }
}

func (s *sleepers) HasName(netip.Addr, string) bool { return false }

// suspendScript does what a proxy does with an INVITE before it waits for something.
const suspendScript = `
loadmodule "cfgutils.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "xlog.so"
request_route {
	force_rport();
	route(CHECK);
	$var(caller) = $fU;
	$avp(called) = $rU;
	append_hf("X-Caller: $fU@$fd\r\n");
	record_route();
	route(WAIT);
	sl_send_reply("404", "$var(caller)");
}
route[CHECK] {
	if (!mf_process_maxfwd_header("10")) exit;
	if (!sanity_check("17895", "7")) exit;
}
route[WAIT] {
	if (has_body("application/sdp")) {
		if ($rU == "b") {
			sleep("1");
		} else {
			$rd = "carrier.example.com";
			t_relay();
			exit;
		}
	}
}
`

// bigINVITE is an INVITE as phones send them, with SDP.
func bigINVITE() []byte {
	sdp := "v=0\r\no=- 8000 8000 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 11780 RTP/AVP 9 8 0 101\r\n" +
		"a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
	extra := "Contact: <sip:a@127.0.0.1:5070;transport=udp>\r\nAllow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE\r\n" +
		"Supported: replaces, timer, path\r\nSession-Expires: 1800\r\nMin-SE: 90\r\nP-Preferred-Identity: <sip:a@127.0.0.1>\r\nContent-Type: application/sdp\r\nAccept: application/sdp\r\n"
	m := request("INVITE", "sip:b@127.0.0.1", extra)
	m = bytes.Replace(m, []byte("Content-Length: 0\r\n\r\n"), fmt.Appendf(nil, "Content-Length: %d\r\n\r\n%s", len(sdp), sdp), 1)
	return m
}

// BenchmarkSuspended prints what one suspended script with an ordinary INVITE takes, on its own (sleep) and in the middle of t_relay with a transaction (name): bytes
// of the process (resident, shared memory included), and of Go's heap, Go's stacks, private and shared memory.
func BenchmarkSuspended(bm *testing.B) {
	bm.Run("sleep", func(bm *testing.B) { benchSuspended(bm, bigINVITE()) })
	bm.Run("name", func(bm *testing.B) {
		benchSuspended(bm, bytes.Replace(bigINVITE(), []byte("sip:b@"), []byte("sip:c@"), 1))
	})
}

func benchSuspended(bm *testing.B, tmpl []byte) {
	const scripts = 10000
	for range bm.N {
		b := &sleepers{bench: newBench(bm, []byte(suspendScript))}
		b.proc.Host = b
		b.proc.Runner.Max = 0
		suspend := func(i int) {
			// the receive slot: its buffer is used again for the next message
			buf := number(nil, tmpl, i)
			b.proc.Receive(buf, route.Recv{Src: netip.AddrPortFrom(caller.Addr(), 5070), Dst: b.proc.Net.Sockets[0].Addr, Sock: b.proc.Net.Sockets[0], Proto: sipparse.UDP}, func() func() { return func() {} })
		}
		suspend(0)
		heap0, stack0, rss0, pkg0, shm0 := usage(bm, b)
		for i := 1; i <= scripts; i++ {
			suspend(i)
		}
		if b.proc.Runner.Suspended != scripts+1 {
			bm.Fatalf("%d scripts wait, want %d", b.proc.Runner.Suspended, scripts+1)
		}
		heap1, stack1, rss1, pkg1, shm1 := usage(bm, b)
		bm.ReportMetric(float64(rss1-rss0)/scripts, "resident-B/script")
		bm.ReportMetric(float64(heap1-heap0)/scripts, "heap-B/script")
		bm.ReportMetric(float64(stack1-stack0)/scripts, "stack-B/script")
		bm.ReportMetric(float64(pkg1-pkg0)/scripts, "pkg-B/script")
		bm.ReportMetric(float64(shm1-shm0)/scripts, "shm-B/script")
		for len(b.wake) > 0 {
			l := b.wake
			b.wake = nil
			for _, f := range l {
				f()
			}
		}
		if n := b.proc.Runner.Suspended; n != 0 || b.n < scripts+1 {
			bm.Fatalf("%d scripts wait at the end, %d messages were sent", n, b.n)
		}
		b.proc.Runner.Close()
	}
}

// usage is what lives: bytes of Go's heap and stacks, resident in the process, in use in private and in shared memory.
func usage(t testing.TB, b *sleepers) (heap, stack, rss, pkg, shared int64) {
	t.Helper()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(statm)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(m.HeapAlloc), int64(m.StackInuse), pages * int64(os.Getpagesize()), int64(b.private.Usage().Used), int64(b.arena.Usage().Used)
}
