package reactor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kahea/procmgr"
	"kahea/shm"
	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

// wantHand checks what main is told of a death.
func wantHand(t *testing.T, h *Hand, proto sipparse.Proto, msg string, src, dst netip.AddrPort, deaths int, dropped bool) {
	t.Helper()
	if string(h.Msg) != msg || h.Len != len(msg) || h.Proto != proto || h.Src != src || h.Dst != dst || h.Deaths != deaths || h.Dropped != dropped {
		t.Errorf("in hand: %+v (%q), want %v %q from %s to %s, deaths %d, dropped %v", *h, h.Msg, proto, msg, src, dst, deaths, dropped)
	}
	if sum := sha256.Sum256([]byte(msg)); !strings.HasPrefix(hex.EncodeToString(sum[:]), h.Digest.String()) {
		t.Errorf("digest %s of %q, want what its SHA-256 begins with: %x", h.Digest, msg, sum)
	}
}

// until reads datagrams until want comes.
func until(t *testing.T, read func([]byte) (int, error), want string) {
	t.Helper()
	b := make([]byte, 100)
	for n := 0; string(b[:n]) != want; {
		var err error
		if n, err = read(b); err != nil {
			t.Fatalf("%v; want %q", err, want)
		}
	}
}

// TestPoison: a message that kills its worker is tried a second time and then dropped and counted; what was behind it is served. Once it is released it kills again.
func TestPoison(t *testing.T) {
	s := newServer(t, 1, "poison", Options{})
	s.run(t)
	u := dial(t, s.addr)
	src := u.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()
	var sum Digest
	kill := func() {
		t.Helper()
		for i := range 2 {
			wait(t, s.died)
			h := wait(t, s.hands)
			wantHand(t, h, sipparse.UDP, "poison", src, s.addr, i+1, i == 1)
			sum = h.Digest
		}
	}
	for _, m := range []string{"one", "poison", "two", "three"} {
		_, _ = u.Write([]byte(m))
	}
	kill()
	got := map[string]bool{}
	b := make([]byte, 100)
	for !got["one"] || !got["two"] || !got["three"] {
		n, err := u.Read(b)
		if err != nil {
			t.Fatalf("%v; came back: %v", err, got)
		}
		got[string(b[:n])] = true
	}
	for range 3 { // retransmissions
		_, _ = u.Write([]byte("poison"))
	}
	_, _ = u.Write([]byte("four"))
	until(t, u.Read, "four")
	l := s.st.Killers()
	// the first drop is that of the message in hand itself
	if len(l) != 1 || l[0].Digest != sum || l[0].Drops != 4 || l[0].Last.Before(l[0].Since) {
		t.Errorf("dropped: %+v, want digest %s with 4 drops", l, sum)
	}
	if s.st.Release(sum + 1) {
		t.Error("a digest that is not there is released")
	}
	if !s.st.Release(sum) || len(s.st.Killers()) != 0 {
		t.Errorf("after the release: %+v", s.st.Killers())
	}
	_, _ = u.Write([]byte("poison"))
	kill()
	_, _ = u.Write([]byte("five"))
	until(t, u.Read, "five")
	if len(s.died) != 0 {
		t.Error("it killed a third time")
	}
}

// TestPoisonTCP: over TCP every connection that brings it is closed with its worker, twice.
func TestPoisonTCP(t *testing.T) {
	s := tcpServer(t, 1, Options{})
	const msg = "DIE\r\nContent-Length: 0\r\n\r\n"
	for i := range 2 {
		c := connect(t, s.tcp)
		c.ask("WHO", "")
		c.send("DIE", "")
		wait(t, s.died)
		wantHand(t, wait(t, s.hands), sipparse.TCP, msg, c.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort(), s.tcp, i+1, i == 1)
		c.ended()
	}
	c := connect(t, s.tcp)
	c.send("DIE", "")
	if got := c.ask("ECHO 1", "x"); got != "1 x" {
		t.Errorf("behind the killer: %q", got)
	}
	if l := s.st.Killers(); len(l) != 1 || l[0].Drops != 1 {
		t.Errorf("dropped: %+v", l)
	}
	if len(s.died) != 0 {
		t.Error("it killed a third time")
	}
}

// TestNoHandNoBlame: who dies without a message in hand does not inherit its predecessor's, even when it has not opened its own area yet.
func TestNoHandNoBlame(t *testing.T) {
	s := newServer(t, 1, "poison", Options{})
	s.run(t)
	u := dial(t, s.addr)
	_, _ = u.Write([]byte("poison"))
	for range 2 {
		wait(t, s.died)
		wait(t, s.hands)
	}
	_, _ = u.Write([]byte("alive"))
	until(t, u.Read, "alive")
	unix.Kill(procmgr.Table(s.a)[1].PID, unix.SIGKILL)
	wait(t, s.died)
	if len(s.hands) != 0 {
		t.Errorf("in hand of an idle worker: %q", (<-s.hands).Msg)
	}
}

func TestDeathBeforeOpened(t *testing.T) {
	a := arena(t)
	off, err := Prepare(a, []Listener{{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort("127.0.0.1:0"), Workers: 1}}, Options{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSteering(a, off)
	t.Cleanup(s.Close)
	r, err := newRX(1, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	put(&r.addrs[0], netip.MustParseAddrPort("192.0.2.1:5060"))
	r.msgs[0].n = uint32(copy(r.buffer(0), "poison"))
	r.h.Hand = 1
	area, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Opened(1, 0, []int{sock, area}); err != nil {
		t.Fatal(err)
	}
	if _, h := s.Died(1); h == nil || string(h.Msg) != "poison" {
		t.Errorf("in hand of the first: %+v", h)
	}
	if fds, h := s.Died(1); h != nil || len(fds) != 2 {
		t.Errorf("in hand of its successor, which has opened nothing: %+v; it leaves %v", h, fds)
	}
}

func newKillers(t *testing.T) (*Steering, *killers) {
	a := arena(t)
	off, err := Prepare(a, nil, Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSteering(a, off)
	t.Cleanup(s.Close)
	// as another process sees it
	return s, &shm.Ref[sharedRoot]{Off: off}.Get(a).Killers
}

// TestKillersFull: the oldest gives way, and all that are listed are dropped.
func TestKillersFull(t *testing.T) {
	s, k := newKillers(t)
	msg := func(i int) []byte { return fmt.Appendf(nil, "message %d", i) }
	now := time.Unix(1000, 0)
	for i := range maxKillers + 3 {
		for range 2 {
			now = now.Add(time.Second)
			s.blame(&Hand{Digest: digest(msg(i))}, now)
		}
	}
	if l := s.Killers(); len(l) != maxKillers {
		t.Errorf("%d are listed, want %d", len(l), maxKillers)
	}
	for i := range maxKillers + 3 {
		if got, want := k.drops(msg(i), 1), i >= 3; got != want {
			t.Errorf("message %d dropped: %v, want %v", i, got, want)
		}
	}
	for _, x := range s.Killers() {
		if !s.Release(x.Digest) {
			t.Errorf("%s was listed and can not be released", x.Digest)
		}
	}
	if k.N != 0 || k.drops(msg(20), 1) {
		t.Errorf("after the release of all, %d rows are in use", k.N)
	}
}

// TestBlame: deaths count for a message when they are close together.
func TestBlame(t *testing.T) {
	for _, c := range []struct {
		name    string
		apart   time.Duration
		dropped bool
	}{{"soon", time.Second, true}, {"at the edge", deathWindow, true}, {"much later", deathWindow + time.Second, false}} {
		t.Run(c.name, func(t *testing.T) {
			s, k := newKillers(t)
			b := []byte("x")
			t0 := time.Unix(1000, 0)
			first, second := &Hand{Digest: digest(b)}, &Hand{Digest: digest(b)}
			s.blame(first, t0)
			s.blame(second, t0.Add(c.apart))
			if first.Dropped || second.Dropped != c.dropped || k.drops(b, 1) != c.dropped {
				t.Errorf("after one death %v, after two %v; want the second %v", first.Dropped, second.Dropped, c.dropped)
			}
		})
	}
}

func TestDigestText(t *testing.T) {
	d := digest([]byte("abc"))
	if d.String() != "ba7816bf8f01cfea" { // FIPS 180-4
		t.Errorf("digest of abc: %s", d)
	}
	if got, err := ParseDigest(d.String()); err != nil || got != d {
		t.Errorf("%s is read as %s, %v", d, got, err)
	}
	for _, s := range []string{"", "all", "ba7816bf8f01cfe", "ba7816bf8f01cfeaa", "ba7816bf8f01cfeg", "-a7816bf8f01cfea"} {
		if _, err := ParseDigest(s); err == nil {
			t.Errorf("%q is read", s)
		}
	}
}

// BenchmarkKillers is what a message pays for the list: nothing is on it, or something.
func BenchmarkKillers(b *testing.B) {
	msg := make([]byte, 900)
	for _, c := range []struct {
		name string
		n    int
	}{{"empty", 0}, {"full", maxKillers}} {
		b.Run(c.name, func(b *testing.B) {
			k := &killers{}
			for i := range c.n {
				k.add(Digest(i+1), int64(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				if k.drops(msg, 1) {
					b.Fatal("dropped")
				}
			}
		})
	}
}
