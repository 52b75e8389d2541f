package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kahea/modules"
	"kahea/modules/lib/rpc"
)

// suspendConfig is the head of these tests' configurations: messages wait until t.gate, which cfg.set_now_int changes, is at least their X-N.
const suspendConfig = `
listen=udp:@SERVER@
listen=tcp:@SERVER@
children=1
tcp_children=1
max_while_loops=0
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "kex.so"
loadmodule "cfgutils.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "xlog.so"
modparam("tm", "wt_timer", 300)
modparam("tm", "fr_timer", 2000)
t.gate = 0
request_route {
	if (method=="OPTIONS" && uri==myself) {
		sl_send_reply("200", "OK");
		exit;
	}
	route(TEST);
}
route[GATE] {
	while ($(hdr(X-N){s.int}) > $sel(cfg_get.t.gate)) {
		usleep("50000");
	}
}
`

// startSuspend runs suspendConfig with more text.
func startSuspend(t *testing.T, more string) *instance {
	t.Helper()
	if *oracle != "" {
		t.Skip("suspended scripts are kahea's")
	}
	t.Parallel()
	addr := freeAddr(t)
	return startServer(t, addr, strings.ReplaceAll(suspendConfig, "@SERVER@", addr)+more)
}

// call calls an RPC command over the control socket and returns the members of the reply's first struct, if it has one.
func (s *instance) call(method string, params ...any) (map[string]int64, error) {
	var in []*modules.Node
	for _, p := range params {
		switch p := p.(type) {
		case string:
			in = append(in, &modules.Node{Kind: modules.KindStr, Str: p})
		case int:
			in = append(in, &modules.Node{Kind: modules.KindInt, Int: int64(p)})
		}
	}
	out, err := rpc.Ask("unix", filepath.Join(s.runDir(), "kamailio_ctl"), patience, method, in)
	if err != nil {
		return nil, err
	}
	m := map[string]int64{}
	for _, x := range out {
		for i, n := range x.Names {
			m[n] = x.Members[i].Int
		}
	}
	return m, nil
}

// stat is a statistic's value.
func (s *instance) stat(group, name string) int64 {
	s.t.Helper()
	m, err := s.call("stats.fetchn", group+":")
	if err != nil {
		s.t.Fatal(err)
	}
	v, ok := m[group+"."+name]
	if !ok {
		s.t.Fatalf("there is no statistic %s.%s: %v", group, name, m)
	}
	return v
}

// wantStat waits until a statistic has a value.
func (s *instance) wantStat(group, name string, want int64) {
	s.t.Helper()
	var got int64
	if !eventually(patience, func() bool { got = s.stat(group, name); return got == want }) {
		s.t.Fatalf("statistic %s.%s is %d, want %d", group, name, got, want)
	}
}

// open lets the messages up to n go on.
func (s *instance) open(n int) {
	s.t.Helper()
	if _, err := s.call("cfg.set_now_int", "t", "gate", n); err != nil {
		s.t.Fatal(err)
	}
}

// end checks that nothing is left, and stops the server.
func (s *instance) end() {
	s.t.Helper()
	s.wantStat("core", "suspended", 0)
	s.memoryBack()
	s.stop()
}

// numbered is a request with X-N and some bytes of body.
func numbered(p *peer, method string, n, body int) []byte {
	proto := "UDP"
	if p.pc == nil {
		proto = "TCP"
	}
	b := strings.Repeat(string(rune('a'+n%26)), body)
	return fmt.Appendf(nil, "%s sip:b@%s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bKn%s%d;rport\r\nMax-Forwards: 70\r\nFrom: <sip:n%d@%s>;tag=f\r\nTo: <sip:b@%s>\r\n"+
		"Call-ID: %s-%d\r\nCSeq: 1 %s\r\nX-N: %d\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		method, p.to, proto, p.local, method, n, n, p.local, p.to, proto, n, method, n, body, b)
}

var numberOf = regexp.MustCompile(`\r\nX-Mine: (\d+) (\d+) n(\d+) ([a-z]) (\d+)\r\n`)

// TestSuspended lets 1,000 scripts of one UDP worker, and some of a TCP worker, wait at the same time: other messages pass them, and each finds its own
// message, variables and attributes again.
func TestSuspended(t *testing.T) {
	s := startSuspend(t, `
route[TEST] {
	$var(n) = $hdr(X-N);
	$avp(n) = $hdr(X-N);
	$var(body) = $rb;
	route(GATE);
	append_to_reply("X-Mine: $var(n) $avp(n) $fU $(rb{s.substr,-1,1}) $(var(body){s.len})\r\n");
	sl_send_reply("200", "OK");
}
`)
	u, c := newPeer(t, "udp", "u", s.addr), newPeer(t, "tcp", "c", s.addr)
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	const overUDP, overTCP, step = 1000, 20, 50
	size := func(n int) int { return 1 + n*n%1300 }
	long := func(n int) int { return 20 * size(n) % 9000 }
	// in steps, so that no socket's buffer overflows
	for n := 1; n <= overUDP; n++ {
		if err := u.send(numbered(u, "MESSAGE", n, size(n))); err != nil {
			t.Fatal(err)
		}
		if n%step == 0 {
			s.wantStat("core", "suspended", int64(n))
		}
	}
	for n := 1; n <= overTCP; n++ {
		if err := c.send(numbered(c, "MESSAGE", n, long(n))); err != nil {
			t.Fatal(err)
		}
	}
	s.wantStat("core", "suspended", overUDP+overTCP)
	for _, p := range []*peer{u, c} { // a message that does not wait is the first to be answered
		if err := p.fence(); err != nil {
			t.Fatal(err)
		}
	}
	check := func(p *peer, size func(int) int) int {
		t.Helper()
		b, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		m := numberOf.FindSubmatch(b)
		if m == nil {
			t.Fatalf("reply without X-Mine:\n%s", b)
		}
		n, _ := strconv.Atoi(string(m[1]))
		if string(m[2]) != string(m[1]) || string(m[3]) != string(m[1]) || string(m[4]) != string(rune('a'+n%26)) || string(m[5]) != strconv.Itoa(size(n)) ||
			!bytes.Contains(b, fmt.Appendf(nil, "-%d\r\n", n)) {
			t.Errorf("script %d found others' values: %s", n, m[0])
		}
		return n
	}
	seen := map[int]bool{}
	for n := step; n <= overUDP; n += step {
		s.open(n)
		for range step {
			seen[check(u, size)] = true
		}
	}
	for range overTCP {
		check(c, long)
	}
	if len(seen) != overUDP {
		t.Errorf("%d different scripts have answered, want %d", len(seen), overUDP)
	}
	s.end()
}

// TestSuspendedRetransmission repeats a request whose script waits: it starts no second script, and gets what its transaction has answered so far.
func TestSuspendedRetransmission(t *testing.T) {
	s := startSuspend(t, `
route[TEST] {
	xlog("L_ERR", "begins $ci\n");
	if (method=="INVITE") {
		t_newtran();
		t_reply("183", "Wait");
	}
	if (method=="ACK") { t_check_trans(); exit; }
	route(GATE);
	if (method=="INVITE") t_reply("486", "Busy");
	else sl_send_reply("200", "OK");
}
`)
	a, b := newPeer(t, "udp", "a", s.addr), newPeer(t, "udp", "b", s.addr)
	send := func(p *peer, m []byte) {
		t.Helper()
		if err := p.send(m); err != nil {
			t.Fatal(err)
		}
	}
	want := func(p *peer, status string) []byte {
		t.Helper()
		m, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(m, []byte("SIP/2.0 "+status+" ")) {
			t.Fatalf("%s got\n%s\nwant %s", p.name, m, status)
		}
		return m
	}
	// without a transaction it is just dropped
	m := numbered(a, "MESSAGE", 1, 10)
	for range 3 {
		send(a, m)
	}
	s.wantStat("core", "suspend_absorbed", 2)
	// one byte more, or another sender, is another request
	send(a, append(slices.Clone(m), 'x'))
	send(b, m)
	s.wantStat("core", "suspended", 3)
	if n := s.stat("core", "suspend_absorbed"); n != 2 {
		t.Errorf("%d messages absorbed, want 2", n)
	}
	// with a transaction its last reply is repeated
	i := numbered(a, "INVITE", 2, 10)
	send(a, i)
	want(a, "183")
	send(a, i)
	if x, err := a.again(); err != nil {
		t.Fatalf("%v\n%s", err, x)
	}
	s.wantStat("core", "suspend_absorbed", 3)
	s.open(1)
	want(a, "200")
	want(b, "200")
	s.wantStat("core", "suspended", 1)
	// what has ended is no retransmission any more
	send(a, m)
	if x, err := a.again(); err != nil {
		t.Fatalf("%v\n%s", err, x)
	}
	s.open(2)
	busy := want(a, "486")
	_, to, _ := bytes.Cut(busy, []byte("\r\nTo: "))
	to, _, _ = bytes.Cut(to, []byte("\r\n"))
	send(a, ackTo(i, to))
	if n := s.stat("core", "suspend_absorbed"); n != 3 {
		t.Errorf("%d messages absorbed, want 3", n)
	}
	s.end()
}

// TestSuspendMax: a script that would wait over suspend_max ends, and its message is answered 503 or dropped; those that wait already do not notice.
func TestSuspendMax(t *testing.T) {
	const script = `
suspend_max = 2
route[TEST] {
	if (method=="INVITE") t_newtran();
	route(GATE);
	if (!t_reply("404", "Waited")) sl_send_reply("404", "Waited");
}
`
	for _, tc := range []struct{ name, policy, want string }{
		{"reply by default", "", "MESSAGE 503, INVITE 503"},
		{"reply", "suspend_policy = \"reply\"\n", "MESSAGE 503, INVITE 503"},
		{"drop", "suspend_policy = \"drop\"\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := startSuspend(t, tc.policy+script)
			a := newPeer(t, "udp", "a", s.addr)
			send := func(method string, n int) []byte {
				t.Helper()
				m := numbered(a, method, n, 10)
				if err := a.send(m); err != nil {
					t.Fatal(err)
				}
				return m
			}
			// next is the method and the status of the next answer, and its To field.
			next := func() (string, []byte) {
				t.Helper()
				m, err := a.next()
				if err != nil {
					t.Fatal(err)
				}
				_, method, _ := bytes.Cut(m, []byte("\r\nCSeq: 1 "))
				method, _, _ = bytes.Cut(method, []byte("\r\n"))
				_, to, _ := bytes.Cut(m, []byte("\r\nTo: "))
				to, _, _ = bytes.Cut(to, []byte("\r\n"))
				if status := string(m[8:11]); status == "503" && !bytes.Contains(m, []byte("\r\nRetry-After: 5\r\n")) {
					t.Errorf("503 without Retry-After:\n%s", m)
				}
				return string(method) + " " + string(m[8:11]), to
			}
			send("MESSAGE", 1)
			send("MESSAGE", 2)
			s.wantStat("core", "suspended", 2)
			send("MESSAGE", 3)
			invite := send("INVITE", 4)
			if err := a.send(ackTo(numbered(a, "INVITE", 5, 0), []byte("<sip:nobody@example.com>;tag=x"))); err != nil { // without an answer, whatever the policy
				t.Fatal(err)
			}
			if tc.want != "" {
				first, _ := next()
				second, to := next()
				if got := first + ", " + second; got != tc.want {
					t.Errorf("answered %q, want %q", got, tc.want)
				}
				if err := a.send(ackTo(invite, to)); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.fence(); err != nil {
				t.Fatal(err)
			}
			if n := s.stat("core", "suspend_refused"); n < 3 {
				t.Errorf("%d messages are counted as refused, want 3 at least", n)
			}
			s.open(2)
			for range 2 {
				if got, _ := next(); got != "MESSAGE 404" {
					t.Errorf("answered %s, want MESSAGE 404", got)
				}
			}
			s.end()
		})
	}
}
