package main

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kahea/cfglang/diag"
	"kahea/sipparse"
)

// reload gives the server another configuration by SIGHUP and waits until it serves, or is refused. What a reload itself takes of shared memory belongs to what
// is in use from then on.
func (s *instance) reload(config string, serves bool) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "kahea.cfg"), []byte(config+"\ndebug=2\nmemlog=-1\nmemdbg=-1\n"), 0o644); err != nil {
		s.t.Fatal(err)
	}
	before := s.used()
	text, _, _ := s.log.snapshot()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	end := regexp.MustCompile(`reload: generation \d+ serves`)
	if !serves {
		end = regexp.MustCompile(`reload: refused`)
	}
	if _, _, err := s.log.find(end, len(text), patience); err != nil {
		s.t.Fatal(err)
	}
	s.pids = children(s.cmd.Process.Pid)
	s.baseUse += s.used() - before
}

func TestMergeEndpoints(t *testing.T) {
	at := func(proto sipparse.Proto, port uint16, workers int, gone bool) endpoint {
		return endpoint{Proto: proto, Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), Workers: workers, Gone: gone}
	}
	for _, c := range []struct {
		name            string
		old, next, want []endpoint
		err             string
	}{
		{"the same", []endpoint{at(sipparse.UDP, 1, 2, false)}, []endpoint{at(sipparse.UDP, 1, 2, false)}, []endpoint{at(sipparse.UDP, 1, 2, false)}, ""},
		{"another order and number of workers", []endpoint{at(sipparse.UDP, 1, 2, false), at(sipparse.TCP, 1, 2, false)},
			[]endpoint{at(sipparse.TCP, 1, 2, false), at(sipparse.UDP, 1, 4, false)}, []endpoint{at(sipparse.UDP, 1, 4, false), at(sipparse.TCP, 1, 2, false)}, ""},
		{"one more", []endpoint{at(sipparse.UDP, 1, 2, false)}, []endpoint{at(sipparse.UDP, 2, 2, false), at(sipparse.UDP, 1, 2, false)},
			[]endpoint{at(sipparse.UDP, 1, 2, false), at(sipparse.UDP, 2, 2, false)}, ""},
		{"one less", []endpoint{at(sipparse.UDP, 1, 2, false), at(sipparse.UDP, 2, 2, false)}, []endpoint{at(sipparse.UDP, 2, 2, false)},
			[]endpoint{at(sipparse.UDP, 1, 2, true), at(sipparse.UDP, 2, 2, false)}, ""},
		{"back again", []endpoint{at(sipparse.UDP, 1, 2, true), at(sipparse.UDP, 2, 2, false)}, []endpoint{at(sipparse.UDP, 2, 2, false), at(sipparse.UDP, 1, 3, false)},
			[]endpoint{at(sipparse.UDP, 1, 3, false), at(sipparse.UDP, 2, 2, false)}, ""},
		{"first tcp", []endpoint{at(sipparse.UDP, 1, 2, false)}, []endpoint{at(sipparse.UDP, 1, 2, false), at(sipparse.TCP, 1, 2, false)}, nil, "started without TCP"},
		{"tcp with own workers", []endpoint{at(sipparse.TCP, 1, 0, false)}, []endpoint{at(sipparse.TCP, 1, 0, false), at(sipparse.TCP, 2, 1, false)}, nil, "no TCP workers of its own to a new socket"},
		{"another number of tcp workers", []endpoint{at(sipparse.TCP, 1, 1, false)}, []endpoint{at(sipparse.TCP, 1, 2, false)}, nil, "does not change while the server runs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.old)
			got, err := mergeEndpoints(c.old, c.next)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v (%v), want %v", got, err, c.want)
			}
			if !slices.Equal(c.old, before) {
				t.Errorf("the list that serves has changed: %v", c.old)
			}
		})
	}
}

func TestFixed(t *testing.T) {
	parse := func(text string, f *fixed) *config {
		t.Helper()
		d := &diag.List{}
		c, err := load(&sealed{Options: &options{fixed: f}, Name: "test", Text: []byte(text)}, d)
		if err != nil || d.HasErrors() {
			t.Fatalf("%v %+v", err, d)
		}
		return c
	}
	now := parse("tcp_max_connections=100\nloadmodule \"usrloc.so\"\nmodparam(\"usrloc\", \"hash_size\", 4)\n", nil)
	text := "tcp_max_connections=200\ndebug=3\nloadmodule \"usrloc.so\"\nmodparam(\"usrloc\", \"hash_size\", 6)\nmodparam(\"usrloc\", \"timer_interval\", 7)\n"
	f, notes := fixedOf(now, parse(text, nil))
	want := []string{"tcp_max_connections keeps its value 100: it does not change while the server runs",
		"parameter hash_size of module usrloc keeps its value: it does not change while the server runs"}
	if !slices.Equal(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	next := parse(text, f)
	if next.par.TCPMaxConns != 100 || next.par.Debug != 3 {
		t.Errorf("tcp_max_connections %d, want 100; debug %d, want 3", next.par.TCPMaxConns, next.par.Debug)
	}
	for _, p := range next.loaded[0].Table.Params {
		switch {
		case p.Name == "hash_size" && *p.Int != 4:
			t.Errorf("hash_size %d, want 4", *p.Int)
		case p.Name == "timer_interval" && *p.Int != 7:
			t.Errorf("timer_interval %d, want 7", *p.Int)
		}
	}
	if _, notes := fixedOf(now, parse("children=3\ntcp_max_connections=100\nloadmodule \"usrloc.so\"\nmodparam(\"usrloc\", \"hash_size\", 4)\n", nil)); len(notes) > 0 {
		t.Errorf("tcp_children was not set and follows children: %q", notes)
	}
	if _, notes := fixedOf(now, parse("tcp_children=3\ntcp_max_connections=100\nloadmodule \"usrloc.so\"\nmodparam(\"usrloc\", \"hash_size\", 4)\n", nil)); len(notes) != 1 {
		t.Errorf("tcp_children was set: %q", notes)
	}
	if _, notes := fixedOf(now, parse("tcp_max_connections=100\nloadmodule \"usrloc.so\"\nmodparam(\"usrloc\", \"hash_size\", 4)\n", nil)); len(notes) > 0 {
		t.Errorf("nothing has changed: %q", notes)
	}
}

// TestReloadUnderLoad reloads in the middle of calls that do not retransmit: other routes, more and fewer workers, a socket that comes and goes, and mistakes.
func TestReloadUnderLoad(t *testing.T) {
	caller, callee := newSIPp(t, false), newSIPp(t, false)
	addr := freeAddr(t)
	host, port, _ := strings.Cut(addr, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	config := func(children int, mark, more string) string {
		return fmt.Sprintf(`listen=udp:%s
children=%d
%s
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
modparam("tm", "wt_timer", 300)
request_route {
	if (method=="OPTIONS" && uri==myself) {
		sl_send_reply("200", "%s");
		exit;
	}
	if (has_totag()) {
		if (loose_route() || method=="ACK") {
			if (method=="ACK") {
				t_relay();
			} else {
				t_relay();
			}
		}
		exit;
	}
	record_route();
	t_on_failure("F");
	rewritehostport("%s");
	if (!t_relay()) sl_reply_error();
}
failure_route[F] {
	t_reply("500", "%s");
}
`, addr, children, more+"\nloadmodule \"pv.so\"\nloadmodule \"siputils.so\"", mark, strings.TrimPrefix(callee.uri(""), "sip:@"), mark)
	}
	srv := startServer(t, addr, config(2, "zero", ""))
	callee.start("callee", srv.addr)
	const seconds = 6
	r := caller.start("caller", srv.addr, "-s", "callee", "-m", strconv.Itoa(200*seconds), "-r", "200", "-d", "50", "-nr")
	cycle := func(i int) {
		switch i % 4 {
		case 0:
			srv.reload(config(4, fmt.Sprint("more", i), ""), true)
		case 1:
			srv.reload(config(2, fmt.Sprint("socket", i), fmt.Sprintf("listen=udp:%s:%d", host, n+1)), true)
		case 2:
			srv.reload(config(2, "broken", "sl_send_reply"), false)
		case 3:
			srv.reload(config(2, fmt.Sprint("less", i), ""), true)
		}
	}
	for i := range 12 {
		cycle(i)
	}
	r.wait((seconds + 60) * time.Second)
	if !eventually(patience, func() bool { return find(srv, "kahea udp receiver child=2 ") == 0 }) {
		t.Error("the third worker has not ended")
	}
	// without calls, more of the same takes nothing more
	var idle int64
	if !eventually(patience, func() bool { before := idle; idle = srv.used(); return idle == before && srv.transactions() == 0 }) {
		t.Error("transactions are left")
	}
	for i := range 8 {
		cycle(i)
	}
	if !eventually(patience, func() bool { return srv.used() == idle }) {
		t.Errorf("8 reloads: %d bytes of shared memory in use before, %d behind them", idle, srv.used())
	}
	srv.stop()
}

// TestReloadWhileWorkersLeave has scripts wait in workers that a reload takes away: the next one starts new workers in their places, also when only the end of those that
// leave makes room for them, and every script goes on to its end.
func TestReloadWhileWorkersLeave(t *testing.T) {
	addr := freeAddr(t)
	config := func(children int) string {
		return fmt.Sprintf(`listen=udp:%s
children=%d
loadmodule "ctl.so"
loadmodule "sl.so"
loadmodule "cfgutils.so"
request_route {
	if (method=="MESSAGE") {
		sleep("5");
	}
	sl_send_reply("200", "OK");
}
`, addr, children)
	}
	const many, sources = 20, 120
	srv := startServer(t, addr, config(1))
	reload := func(children int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(srv.dir, "kahea.cfg"), []byte(config(children)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := srv.call("kahea.reload"); err != nil {
			t.Error(err)
		}
	}
	reload(many)
	var phones []*udpSocket
	for i := range sources {
		u := openUDP(t)
		defer u.Close()
		phones = append(phones, u)
		if err := u.write([]byte(strings.ReplaceAll(probe(addr, u.addr(), fmt.Sprint("waits-", i)), "OPTIONS", "MESSAGE"))); err != nil {
			t.Fatal(err)
		}
	}
	first := children(srv.cmd.Process.Pid)
	reload(1)
	reload(many)
	for i, u := range phones {
		if b, err := u.read(patience); err != nil || !strings.HasPrefix(string(b), "SIP/2.0 200 ") {
			t.Errorf("MESSAGE %d: %v, %.60q", i, err, b)
		}
	}
	workers := func() map[string]int {
		n := map[string]int{}
		for pid, title := range children(srv.cmd.Process.Pid) {
			if _, old := first[pid]; strings.HasPrefix(title, "kahea udp receiver") && (!old || strings.Contains(title, " child=0 ")) {
				n[title]++
			}
		}
		return n
	}
	want := map[string]int{}
	for i := range many {
		want[fmt.Sprintf("kahea udp receiver child=%d sock=%s", i, addr)] = 1
	}
	if !eventually(patience, func() bool { return maps.Equal(workers(), want) }) {
		t.Errorf("UDP workers are %v, want %v", workers(), want)
	}
	if !srv.alive(patience) {
		t.Error("no answer to OPTIONS at the end")
	}
	srv.pids = children(srv.cmd.Process.Pid)
	srv.stop()
}

var cellLine = regexp.MustCompile(`shared memory of tm/cell: (\d+) blocks`)

// transactions is how many transactions there are.
func (s *instance) transactions() int {
	s.t.Helper()
	text, _, _ := s.log.snapshot()
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		s.t.Fatal(err)
	}
	m, _, err := s.log.find(cellLine, len(text), patience)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
