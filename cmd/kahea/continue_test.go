package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
)

// TestSuspendedTransaction: a transaction that t_suspend keeps is no process's own. It is continued by a worker of another protocol, and by the successor of a worker that
// was killed meanwhile; one that nobody continues ends by its timer, which is a dead process's successor's.
func TestSuspendedTransaction(t *testing.T) {
	s := startSuspend(t, `
loadmodule "tmx.so"
route[TEST] {
	if (method=="ACK") { t_check_trans(); exit; }
	if (method=="MESSAGE") { t_continue("$shv(index)", "$shv(label)", "BUSY"); sl_send_reply("202", "Result $rc"); exit; }
	t_suspend();
	$shv(index) = $T(id_index);
	$shv(label) = $T(id_label);
}
route[BUSY] { t_reply("486", "Busy"); }
`)
	u, c := newPeer(t, "udp", "u", s.addr), newPeer(t, "tcp", "c", s.addr)
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	send := func(p *peer, b []byte) {
		t.Helper()
		if err := p.send(b); err != nil {
			t.Fatal(err)
		}
	}
	want := func(p *peer, line string) []byte {
		t.Helper()
		b, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte("SIP/2.0 "+line+"\r\n")) {
			t.Fatalf("%s got\n%s\nwant %s", p.name, b, line)
		}
		return b
	}
	ack := func(invite, reply []byte) {
		t.Helper()
		_, to, _ := bytes.Cut(reply, []byte("\r\nTo: "))
		to, _, _ = bytes.Cut(to, []byte("\r\n"))
		send(u, ackTo(invite, to))
	}
	suspend := func(n int) []byte {
		t.Helper()
		invite := numbered(u, "INVITE", n, 0)
		send(u, invite)
		want(u, "100 trying -- your call is important to us")
		if err := u.fence(); err != nil { // its script has ended
			t.Fatal(err)
		}
		return invite
	}
	kill := func() {
		t.Helper()
		for pid, name := range s.pids {
			if strings.Contains(name, "udp receiver") {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				s.logged("killed by signal 9 (SIGKILL)")
				return
			}
		}
		t.Fatal("no udp receiver")
	}

	invite := suspend(1)
	send(c, numbered(c, "MESSAGE", 2, 0))
	want(c, "202 Result 1")
	ack(invite, want(u, "486 Busy"))

	invite = suspend(3)
	kill()
	send(u, numbered(u, "MESSAGE", 4, 0)) // the successor
	ack(invite, want(u, "486 Busy"))
	want(u, "202 Result 1")

	send(c, numbered(c, "MESSAGE", 5, 0)) // once only
	want(c, "202 Result -1")
	if n := s.stat("tm", "orphans"); n != 0 {
		t.Errorf("%d transactions were taken for orphans", n)
	}

	invite = suspend(6)
	ack(invite, want(u, "408 Request Timeout"))
	s.end()
}
