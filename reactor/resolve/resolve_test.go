package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// zone is a name server on loopback.
type zone struct {
	asked atomic.Int64
	rrs   []string
	fail  atomic.Bool
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.asked.Add(1)
	a := new(dns.Msg)
	a.SetReply(q)
	a.Rcode = dns.RcodeNameError
	if z.fail.Load() {
		a.Rcode = dns.RcodeServerFailure
	}
	for _, t := range z.rrs {
		rr, err := dns.NewRR(t)
		if err != nil {
			panic(err)
		}
		if rr.Header().Name != q.Question[0].Name {
			continue
		}
		a.Rcode = dns.RcodeSuccess
		if rr.Header().Rrtype == q.Question[0].Qtype {
			a.Answer = append(a.Answer, rr)
		}
	}
	_ = w.WriteMsg(a)
}

func start(t *testing.T, o Options, rrs ...string) (*Resolver, *zone) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{rrs: rrs}
	up := make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: z, NotifyStartedFunc: func() { close(up) }}
	done := make(chan error, 1)
	go func() { done <- s.ActivateAndServe() }()
	<-up
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	dir := t.TempDir()
	o.ResolvConf, o.Hosts = filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts")
	o.Servers = []string{pc.LocalAddr().String()}
	if err := os.WriteFile(o.ResolvConf, []byte("nameserver 127.0.0.1\nsearch example.org\noptions attempts:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Hosts, []byte("192.0.2.9 Host.local h # comment\n2001:db8::9 h\nbroken line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r, z
}

func TestLookup(t *testing.T) {
	r, _ := start(t, Options{}, "a.example.org. 60 IN A 192.0.2.1", "a.example.org. 60 IN A 192.0.2.2", "a.example.org. 60 IN AAAA 2001:db8::1", "six.example.org. 60 IN AAAA 2001:db8::2")
	for _, c := range []struct {
		host   string
		v4, v6 bool
		want   string
	}{
		{"192.0.2.7", true, true, "[192.0.2.7]"},
		{"[2001:db8::7]", true, true, "[2001:db8::7]"},
		{"2001:db8::7", true, false, "[]"},
		{"HOST.local", true, true, "[192.0.2.9]"},
		{"h", true, true, "[192.0.2.9 2001:db8::9]"},
		{"h", false, true, "[2001:db8::9]"},
		{"a.example.org", true, false, "[192.0.2.1 192.0.2.2]"},
		{"A.example.org.", true, true, "[192.0.2.1 192.0.2.2 2001:db8::1]"},
		{"a", false, true, "[2001:db8::1]"},
		{"six.example.org", true, false, "[]"},
		{"nothing.example.org", true, true, "[]"},
	} {
		ips, err := r.Lookup(context.Background(), c.host, c.v4, c.v6)
		if got := fmt.Sprint(append([]netip.Addr{}, ips...)); got != c.want {
			t.Errorf("%s %v %v: %s (%v), want %s", c.host, c.v4, c.v6, got, err, c.want)
		}
		if len(ips) == 0 && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want not found", c.host, err)
		}
	}
}

func TestCache(t *testing.T) {
	now := time.Unix(1e9, 0)
	r, z := start(t, Options{Now: func() time.Time { return now }}, "a.example.org. 60 IN A 192.0.2.1")
	look := func(host string, want int64, good bool) {
		t.Helper()
		before := z.asked.Load()
		_, err := r.Lookup(context.Background(), host, true, false)
		if (err == nil) != good || z.asked.Load()-before != want {
			t.Errorf("%s: %v after %d questions, want %d", host, err, z.asked.Load()-before, want)
		}
	}
	look("a.example.org.", 1, true)
	look("a.example.org.", 0, true)
	now = now.Add(59 * time.Second)
	look("a.example.org.", 0, true)
	now = now.Add(time.Second)
	look("a.example.org.", 1, true)
	look("no.example.org.", 1, false)
	look("no.example.org.", 0, false)
	now = now.Add(time.Minute)
	look("no.example.org.", 1, false)
	z.fail.Store(true)
	now = now.Add(time.Minute)
	look("no.example.org.", 1, false)
	look("no.example.org.", 1, false) // a failure is not kept
	z.fail.Store(false)
	r.Flush()
	look("a.example.org.", 1, true)
}

func TestOneQuestionForMany(t *testing.T) {
	r, z := start(t, Options{}, "a.example.org. 60 IN A 192.0.2.1")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := r.Lookup(context.Background(), "a.example.org.", true, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := z.asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestCacheIsBounded(t *testing.T) {
	for _, replace := range []bool{false, true} {
		r, _ := start(t, Options{}, "n0.example.org. 60 IN A 192.0.2.1", "n99.example.org. 60 IN A 192.0.2.2")
		set := DefaultSettings()
		set.CacheBytes, set.Replace, set.SearchList = 2000, replace, false
		r.Set(&set)
		for i := range 100 {
			_, _ = r.Lookup(context.Background(), fmt.Sprintf("n%d.example.org.", i), true, false)
		}
		if r.bytes > set.CacheBytes || len(r.cache) < 5 {
			t.Errorf("%d answers of %d bytes are kept", len(r.cache), r.bytes)
		}
		if _, kept := r.cache[key{"n0.example.org.", dns.TypeA}]; kept == replace {
			t.Errorf("replace is %v, and the first answer is kept: %v", replace, kept)
		}
		if _, kept := r.cache[key{"n99.example.org.", dns.TypeA}]; kept != replace {
			t.Errorf("replace is %v, and the last answer is kept: %v", replace, kept)
		}
		r.Flush()
		if r.bytes != 0 {
			t.Errorf("an empty cache has %d bytes", r.bytes)
		}
	}
}
