package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// timerConfig relays to a sink that says nothing; FR is the time until its branch has failed.
const timerConfig = `
listen=udp:@SERVER@
children=1
loadmodule "ctl.so"
loadmodule "kex.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "crash.so"
modparam("tm", "wt_timer", 100)
modparam("tm", "fr_timer", @FR@)
request_route {
	if (method=="OPTIONS") {
		sl_send_reply("200", "OK");
		exit;
	}
	if (method=="ACK") {
		t_check_trans();
		exit;
	}
	if ($hdr(Subject) == "answered") {
		append_to_reply("X-Kahea-Crash-Timer: $hdr(X-Way)\r\n");
		t_newtran();
		t_reply("404", "Nobody");
		exit;
	}
	if ($hdr(Subject) == "failure") t_on_failure("F");
	if ($hdr(Subject) == "broken") {
		t_newtran();
		crash("here");
	}
	$du = "sip:@SINK@";
	t_relay();
}
failure_route[F] {
	if ($hdr(X-Way) == "kill") crash("kill");
	crash("here");
}
`

// TestCrashInTimer: a handler of a timer that kills is run again by the successor; when it kills again, its timer is quarantined. A panic that can be recovered ends the
// handler alone. Whatever happened, the caller gets an answer, and nothing of the transaction is left.
func TestCrashInTimer(t *testing.T) {
	const killed, panicked = "killed by signal 9 (SIGKILL)", "exited with status 2"
	for _, c := range []struct {
		name                 string
		line                 string // of the INVITE
		fr                   time.Duration
		deaths               int
		how                  string
		answer               string
		resumed, quarantined int64
	}{
		{"retransmission", "X-Kahea-Crash-Timer: 2 kill", 5 * time.Second, 2, killed, "500", 1, 1},
		{"retransmission, segmentation fault", "X-Kahea-Crash-Timer: 2 segv", 5 * time.Second, 2, panicked, "500", 1, 1},
		{"retransmission, panic under a lock", "X-Kahea-Crash-Timer: 2 here", 5 * time.Second, 2, panicked, "500", 1, 1},
		{"final reply", "Subject: answered\r\nX-Way: 1 kill", 5 * time.Second, 2, killed, "404", 1, 1},
		{"failure route", "Subject: failure\r\nX-Way: kill", 200 * time.Millisecond, 1, killed, "500", 1, 0},
		{"request route, panic", "Subject: broken", 5 * time.Second, 0, "", "500", 0, 0},
		{"failure route, panic", "Subject: failure\r\nX-Way: here", 200 * time.Millisecond, 0, "", "500", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sink := openUDP(t)
			defer sink.Close()
			s := startCrashServer(t, strings.NewReplacer("@FR@", fmt.Sprint(c.fr.Milliseconds()), "@SINK@", sink.addr()).Replace(timerConfig))
			base := s.used()
			u := openUDP(t)
			defer u.Close()
			invite := strings.NewReplacer("OPTIONS", "INVITE", "Call-ID:", c.line+"\r\nCall-ID:").Replace(probe(s.addr, u.addr(), "timer"))
			if err := u.write([]byte(invite)); err != nil {
				t.Fatal(err)
			}
			s.deaths(c.deaths, c.how, func() {})
			answer := ""
			for end := time.Now().Add(2 * patience); !strings.HasPrefix(answer, "SIP/2.0 "+c.answer+" "); {
				b, err := u.read(time.Second)
				if err == nil {
					answer = string(b)
				}
				if time.Now().After(end) {
					t.Fatalf("the last answer is %.200q, want %s", answer, c.answer)
				}
			}
			if err := s.ask(u, "behind"); err != nil { // until an answer to it is read
				t.Fatal(err)
			}
			if c.answer == "500" {
				if err := u.write([]byte(strings.NewReplacer("INVITE", "ACK").Replace(invite))); err != nil {
					t.Fatal(err)
				}
			}
			s.wantStat("core", "timers_resumed", c.resumed)
			s.wantStat("core", "timers_quarantined", c.quarantined)
			if m := map[string]int64{}; !eventually(3*patience, func() bool {
				m, _ = s.call("tm.stats")
				return m["created"] > 0 && m["current"] == 0 && m["waiting"] == 0
			}) {
				t.Errorf("of the transaction is left: %v", m)
			}
			if got := s.used(); got != base {
				t.Errorf("shared memory in use: %d bytes at the start, %d at the end", base, got)
			}
			if _, err := s.call("kahea.verify"); err != nil {
				t.Error(err)
			}
			s.deaths(0, "", func() {})
			s.end()
		})
	}
}

// TestCrashInPeriodic: a periodic function that has killed its process twice is not run any more, until a reload; a panic in it ends nothing else.
func TestCrashInPeriodic(t *testing.T) {
	for _, c := range []struct {
		way, how string
		deaths   int
	}{{"kill", "killed by signal 9 (SIGKILL)", 2}, {"exit", "exited with status 3", 2}, {"here", "", 0}} {
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()
			s := startCrashServer(t, strings.NewReplacer("@FR@", "1000", "@SINK@", "127.0.0.1:9").Replace(timerConfig), "KAHEA_CRASH_PERIODIC="+c.way)
			if c.deaths == 0 {
				if !eventually(patience, func() bool { return s.stat("core", "timer_panics") > 2 }) {
					t.Errorf("%d panics were counted", s.stat("core", "timer_panics"))
				}
				s.deaths(0, "", func() {})
				s.end()
				return
			}
			s.deaths(2, c.how, func() { s.wantStat("core", "timers_quarantined", 1) })
			s.logged("is quarantined")
			if _, err := s.call("kahea.reload"); err != nil {
				t.Fatal(err)
			}
			s.deaths(2, c.how, func() { s.wantStat("core", "timers_quarantined", 2) })
			s.end()
		})
	}
}

// TestCrashWithReply: a process that dies with a final reply in hand, or panics over it, leaves a transaction whose branches have ended: the caller gets 500, and nothing stays.
func TestCrashWithReply(t *testing.T) {
	for _, c := range []struct {
		name, invite, reply, how string
		deaths                   int
	}{
		{"while it is relayed", "", "X-Kahea-Crash-Timer: 0 kill", "killed by signal 9 (SIGKILL)", 1},
		{"in onreply_route", "Subject: reply", "X-Way: kill", "killed by signal 9 (SIGKILL)", 1},
		{"panic in onreply_route", "Subject: reply", "X-Way: here", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sink := openUDP(t)
			defer sink.Close()
			config := strings.Replace(timerConfig, "	$du =", "	if ($hdr(Subject) == \"reply\") t_on_reply(\"R\");\n	$du =", 1) + `
onreply_route[R] {
	if ($hdr(X-Way) == "kill") crash("kill");
	if ($hdr(X-Way) == "here") crash("here");
}
`
			s := startCrashServer(t, strings.NewReplacer("@FR@", "20000", "@SINK@", sink.addr()).Replace(config))
			base := s.used()
			u := openUDP(t)
			defer u.Close()
			invite := strings.NewReplacer("OPTIONS", "INVITE", "Call-ID:", strings.TrimPrefix(c.invite+"\r\nCall-ID:", "\r\n")).Replace(probe(s.addr, u.addr(), "reply"))
			if err := u.write([]byte(invite)); err != nil {
				t.Fatal(err)
			}
			b, err := sink.read(patience)
			if err != nil {
				t.Fatal(err)
			}
			var r strings.Builder
			r.WriteString("SIP/2.0 486 Busy\r\n" + c.reply + "\r\n")
			for line := range strings.Lines(string(b)) {
				for _, h := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:"} {
					if strings.HasPrefix(line, h) {
						r.WriteString(line)
					}
				}
			}
			r.WriteString("Content-Length: 0\r\n\r\n")
			to, err := net.ResolveUDPAddr("udp4", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sink.WriteTo([]byte(r.String()), to); err != nil {
				t.Fatal(err)
			}
			s.deaths(c.deaths, c.how, func() {})
			for end := time.Now().Add(2 * patience); ; {
				b, err := u.read(time.Second)
				if err == nil && strings.HasPrefix(string(b), "SIP/2.0 500 ") {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("the last answer is %.200q (%v), want 500", b, err)
				}
			}
			if err := u.write([]byte(strings.NewReplacer("INVITE", "ACK").Replace(invite))); err != nil {
				t.Fatal(err)
			}
			if m := map[string]int64{}; !eventually(3*patience, func() bool {
				m, _ = s.call("tm.stats")
				return m["created"] > 0 && m["current"] == 0 && m["waiting"] == 0
			}) {
				t.Errorf("of the transaction is left: %v", m)
			}
			if got := s.used(); got != base {
				t.Errorf("shared memory in use: %d bytes at the start, %d at the end", base, got)
			}
			s.deaths(0, "", func() {})
			s.end()
		})
	}
}
