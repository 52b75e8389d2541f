package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLocks: who finds a lock taken waits, and his worker goes on; it is his when it is given back, or when the process of the one who has it has died.
func TestLocks(t *testing.T) {
	s := startSuspend(t, `
modparam("cfgutils", "lock_set_size", 4)
route[TEST] {
	if (method=="INFO") {
		lock("a");
		sl_send_reply("180", "Taken");
		route(GATE);
		unlock("a");
	} else if (method=="PUBLISH") {
		lock("a");
		sl_send_reply("180", "Taken");
	} else if (trylock("a")) {
		unlock("a");
	} else {
		sl_send_reply("486", "Taken");
		exit;
	}
	sl_send_reply("200", "OK");
}
`)
	u, c := newPeer(t, "udp", "u", s.addr), newPeer(t, "tcp", "c", s.addr)
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	send := func(p *peer, method string, n int) {
		t.Helper()
		if err := p.send(numbered(p, method, n, 0)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(p *peer, status, method string) {
		t.Helper()
		b, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte("SIP/2.0 "+status+" ")) || !bytes.Contains(b, []byte("CSeq: 1 "+method+"\r\n")) {
			t.Fatalf("%s got\n%s\nwant %s to %s", p.name, b, status, method)
		}
	}
	worker := func(name string) int {
		for pid, n := range s.pids {
			if strings.Contains(n, name) {
				return pid
			}
		}
		t.Fatalf("no %s", name)
		return 0
	}
	// one of the same process waits, and one of another
	send(u, "INFO", 1)
	want(u, "180", "INFO")
	send(u, "PUBLISH", 2)
	s.wantStat("core", "suspended", 2)
	send(c, "MESSAGE", 3)
	want(c, "486", "MESSAGE")
	if err := u.fence(); err != nil { // the worker handles others
		t.Fatal(err)
	}
	s.open(1)
	want(u, "200", "INFO")
	want(u, "180", "PUBLISH")
	want(u, "200", "PUBLISH") // it keeps the lock at its end
	send(c, "PUBLISH", 4)
	s.wantStat("core", "suspended", 1)
	if err := syscall.Kill(worker("udp receiver"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	want(c, "180", "PUBLISH")
	want(c, "200", "PUBLISH")
	s.end()
}

// TestAbort: abort() ends the worker, not the server.
func TestAbort(t *testing.T) {
	s := startSuspend(t, `
route[TEST] {
	abort();
	sl_send_reply("200", "OK");
}
`)
	u := newPeer(t, "udp", "u", s.addr)
	if err := u.send(numbered(u, "MESSAGE", 1, 0)); err != nil {
		t.Fatal(err)
	}
	s.logged("abort called")
	s.logged("killed by signal 6 (SIGABRT)")
	if err := u.fence(); err != nil { // a successor
		t.Fatal(err)
	}
	// stop would not like the dump of the dead in the log
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatalf("server still runs %v after SIGTERM", patience)
	}
	if s.err != nil {
		t.Errorf("end after SIGTERM: %v, want exit code 0", s.err)
	}
}
