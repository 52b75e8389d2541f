package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSuspendedLost ends a worker while its scripts wait: the transactions that they had made are answered 500 by the successor, the other requests
// are new ones when they are repeated, and the count of the dead is kept.
func TestSuspendedLost(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		suspendedLost(t, func(s *instance) {
			for pid, name := range s.pids {
				if strings.Contains(name, "udp receiver") {
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	})
	// an upgrade that carries transactions over to another layout waits some seconds, not for ever
	t.Run("converted", func(t *testing.T) {
		other := buildServer(t, "kahealayout")
		suspendedLost(t, func(s *instance) {
			if out, err := s.texts("kahea.upgrade", other); err != nil || !strings.Contains(out, "converted: tm\n") {
				t.Fatalf("upgrade: %s %v", out, err)
			}
		})
	})
}

func suspendedLost(t *testing.T, lose func(s *instance)) {
	bob := newPeer(t, "udp", "bob", "")
	s := startSuspend(t, strings.ReplaceAll(`
modparam("tm", "fr_timer", 20000)
route[TEST] {
	xlog("L_ERR", "begins $rm\n");
	if (method=="INVITE") {
		t_newtran();
		route(GATE);
	} else if (method=="ACK") {
		t_check_trans();
	} else if (method=="MESSAGE") {
		route(GATE);
		sl_send_reply("200", "OK");
	} else {
		rewritehostport("@BOB@");
		if (method=="SUBSCRIBE") t_on_failure("F");
		if (method=="PUBLISH") t_on_reply("R");
		if (method=="REFER") t_on_branch_failure("B");
		t_relay();
		if (method=="INFO") route(GATE);
	}
}
failure_route[F] { xlog("L_ERR", "failure\n"); route(GATE); }
event_route[tm:branch-failure:B] { xlog("L_ERR", "branch failure\n"); route(GATE); }
onreply_route[R] { xlog("L_ERR", "reply\n"); sleep("3600"); }
`, "@BOB@", bob.local))
	bob.to = s.addr
	alice := newPeer(t, "udp", "alice", s.addr)
	var first map[string][]byte
	send := func(method string) {
		t.Helper()
		m := numbered(alice, method, 1, 10)
		if first == nil {
			first = map[string][]byte{}
		}
		first[method] = m
		if err := alice.send(m); err != nil {
			t.Fatal(err)
		}
		s.logged("begins " + method)
	}
	answer := func(status string) {
		t.Helper()
		req, err := bob.next()
		if err != nil {
			t.Fatal(err)
		}
		(&scenario{t: t, step: "answer"}).reply(&peer{name: "bob", to: bob.to, pc: bob.pc, seen: [][]byte{req}}, string(req[:bytes.IndexByte(req, ' ')]), status, "Text")
	}
	want := func(method, status string) []byte {
		t.Helper()
		m, err := alice.next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(m, []byte("SIP/2.0 "+status+" ")) || !bytes.Contains(m, []byte("CSeq: 1 "+method+"\r\n")) {
			t.Fatalf("alice got\n%s\nwant %s to her %s", m, status, method)
		}
		return m
	}
	send("INVITE")
	send("MESSAGE")
	send("SUBSCRIBE")
	answer("486")
	s.logged("failure")
	send("PUBLISH")
	answer("200")
	s.logged("reply")
	send("REFER")
	answer("486")
	s.logged("branch failure")
	send("INFO")
	s.wantStat("core", "suspended", 6)
	lose(s)
	got := map[string][]byte{}
	for range 4 {
		m, err := alice.next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(m, []byte("SIP/2.0 500 ")) {
			t.Fatalf("alice got\n%s\nwant 500", m)
		}
		_, method, _ := bytes.Cut(m, []byte("CSeq: 1 "))
		method, _, _ = bytes.Cut(method, []byte("\r\n"))
		got[string(method)] = m
	}
	if got["INVITE"] == nil || got["SUBSCRIBE"] == nil || got["PUBLISH"] == nil || got["REFER"] == nil {
		t.Errorf("500 to %v, want to INVITE, SUBSCRIBE, PUBLISH and REFER", got)
	}
	_, to, _ := bytes.Cut(got["INVITE"], []byte("\r\nTo: "))
	to, _, _ = bytes.Cut(to, []byte("\r\n"))
	if err := alice.send(ackTo(first["INVITE"], to)); err != nil {
		t.Fatal(err)
	}
	s.logged("begins ACK")
	// what was sent on before the script waited goes on by itself
	answer("200")
	want("INFO", "200")
	// the client repeats what was not answered: the successor knows nothing of it
	if err := alice.send(first["MESSAGE"]); err != nil {
		t.Fatal(err)
	}
	s.logged("begins MESSAGE")
	s.wantStat("core", "suspended", 1)
	s.open(1)
	want("MESSAGE", "200")
	if n := s.stat("core", "suspended_lost"); n != 6 {
		t.Errorf("%d scripts are counted as lost, want 6", n)
	}
	if n := s.stat("tm", "orphans"); n != 5 {
		t.Errorf("%d transactions are counted as orphans, want 5", n)
	}
	s.end()
}

// TestSuspendedReload reloads while a script waits: it goes on in its own generation, and its request's retransmission is still one.
func TestSuspendedReload(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `
route[TEST] {
	if (method=="ACK") { t_check_trans(); exit; }
	t_newtran();
	t_reply("183", "Wait");
	exec("cat @GATE@");
	t_reply("486", "Generation @N@");
}
`
	text := strings.ReplaceAll(script, "@GATE@", gate)
	s := startSuspend(t, strings.ReplaceAll(text, "@N@", "1"))
	a := newPeer(t, "udp", "a", s.addr)
	want := func(line string) []byte {
		t.Helper()
		m, err := a.next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(m, []byte("SIP/2.0 "+line+"\r\n")) {
			t.Fatalf("got\n%s\nwant %s", m, line)
		}
		return m
	}
	i := numbered(a, "INVITE", 1, 10)
	if err := a.send(i); err != nil {
		t.Fatal(err)
	}
	want("183 Wait")
	// the other end is open as soon as the command waits
	w, err := os.OpenFile(gate, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s.reload(strings.ReplaceAll(suspendConfig, "@SERVER@", s.addr)+strings.ReplaceAll(text, "@N@", "2"), true)
	s.wantStat("core", "suspended", 1)
	if err := a.send(i); err != nil {
		t.Fatal(err)
	}
	if x, err := a.again(); err != nil {
		t.Fatalf("%v\n%s", err, x)
	}
	s.wantStat("core", "suspend_absorbed", 1)
	w.Close()
	m := want("486 Generation 1")
	_, to, _ := bytes.Cut(m, []byte("\r\nTo: "))
	to, _, _ = bytes.Cut(to, []byte("\r\n"))
	if err := a.send(ackTo(i, to)); err != nil {
		t.Fatal(err)
	}
	if n := s.stat("core", "suspended_lost") + s.stat("tm", "orphans"); n != 0 {
		t.Errorf("%d scripts are counted as lost, want 0", n)
	}
	s.end()
}

// logged waits for a line of the log behind those waited for before.
func (s *instance) logged(text string) {
	s.t.Helper()
	_, next, err := s.log.find(regexp.MustCompile(regexp.QuoteMeta(text)), s.read, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	s.read = next
}

// ackTo is the ACK to a negative final reply whose To field is to.
func ackTo(invite, to []byte) []byte {
	head, _, _ := strings.Cut(string(invite), "\r\nContent-Type")
	l := strings.Split(head, "\r\n")
	for i := range l {
		switch name, _, _ := strings.Cut(l[i], ":"); name {
		case "To":
			l[i] = "To: " + string(to)
		case "CSeq":
			l[i] = "CSeq: 1 ACK"
		}
	}
	l[0] = "ACK" + strings.TrimPrefix(l[0], "INVITE")
	return []byte(strings.Join(l, "\r\n") + "\r\nContent-Length: 0\r\n\r\n")
}

// TestSuspendedNegative: a script that ends with a negative code closes its TCP connection behind what it has answered, whether it has waited or not.
func TestSuspendedNegative(t *testing.T) {
	s := startSuspend(t, `
route[TEST] {
	route(GATE);
	sl_send_reply("200", "OK");
	if (method=="MESSAGE") return -1;
}
`)
	s.open(1)
	for _, tc := range []struct {
		name, method string
		n            int
		open         bool
	}{
		{"at once", "MESSAGE", 1, false},
		{"waited", "MESSAGE", 2, false},
		{"waited, not negative", "INFO", 3, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := net.Dial("tcp4", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			p := &peer{to: s.addr, local: c.LocalAddr().String()}
			if _, err := c.Write(numbered(p, tc.method, tc.n, 0)); err != nil {
				t.Fatal(err)
			}
			if tc.n > 1 {
				s.wantStat("core", "suspended", 1)
				s.open(tc.n)
			}
			if tc.open { // what is sent now is answered
				s.wantStat("core", "suspended", 0)
				if _, err := c.Write(numbered(p, "MESSAGE", 1, 0)); err != nil {
					t.Fatal(err)
				}
			}
			b, err := io.ReadAll(c)
			if err != nil {
				t.Errorf("the connection was not closed: %v", err)
			}
			want := 1
			if tc.open {
				want = 2
			}
			if n := bytes.Count(b, []byte("SIP/2.0 200 OK\r\n")); n != want {
				t.Errorf("%d answers before the end of the connection, want %d:\n%s", n, want, b)
			}
		})
	}
	s.end()
}

// TestSuspendedFound kills a worker while the script of an ACK waits that has found its transaction: that ends all the same.
func TestSuspendedFound(t *testing.T) {
	s := startSuspend(t, `
route[TEST] {
	if (method=="ACK") {
		if (t_lookup_request()) xlog("L_ERR", "found\n");
		route(GATE);
		if (t_lookup_request()) xlog("L_ERR", "found again\n");
		else xlog("L_ERR", "gone\n");
		t_check_trans();
		exit;
	}
	t_newtran();
	t_reply("486", "Busy");
}
`)
	a := newPeer(t, "udp", "a", s.addr)
	ack := func(n int) {
		t.Helper()
		i := numbered(a, "INVITE", n, 0)
		if err := a.send(i); err != nil {
			t.Fatal(err)
		}
		m, err := a.next()
		if err != nil {
			t.Fatal(err)
		}
		_, to, _ := bytes.Cut(m, []byte("\r\nTo: "))
		to, _, _ = bytes.Cut(to, []byte("\r\n"))
		x := bytes.Replace(ackTo(i, to), []byte("\r\nContent-Length"), fmt.Appendf(nil, "\r\nX-N: %d\r\nContent-Length", n), 1)
		if err := a.send(x); err != nil {
			t.Fatal(err)
		}
		s.logged("found")
		s.wantStat("core", "suspended", 1)
	}
	ack(1)
	s.open(1)
	s.logged("found again")
	s.wantStat("core", "suspended", 0)
	ack(2)
	worker := 0
	for pid, name := range s.pids {
		if strings.Contains(name, "udp receiver") {
			worker = pid
		}
	}
	if err := syscall.Kill(worker, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.wantStat("core", "suspended_lost", 1)
	s.wantStat("tmx", "inuse_transactions", 0)
	s.end()
}
