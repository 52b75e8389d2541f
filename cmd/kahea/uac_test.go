package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
)

// TestUACCommand: a command sends a request and is answered with its reply, whichever process that comes to: another worker, the successor of one that was killed.
func TestUACCommand(t *testing.T) {
	s := startSuspend(t, `
route[TEST] { exit; }
event_route[tm:local-request] { xlog("L_ERR", "local $rm\n"); }
`)
	bob := newPeer(t, "udp", "bob", "")
	bob.to = s.addr
	const lines = "From: <sip:me@example.com>\r\nTo: <sip:bob@example.com>\r\n"
	type result struct {
		out map[string]int64
		err error
	}
	for _, method := range []string{"tm.t_uac_wait_block", "tm.t_uac_wait", "tm.t_uac_wait_noack"} {
		ch := make(chan result, 1)
		go func() {
			out, err := s.call(method, "OPTIONS", "sip:bob@"+bob.local, ".", ".", lines)
			ch <- result{out, err}
		}()
		req, err := bob.next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(req, []byte("OPTIONS sip:bob@"+bob.local+" SIP/2.0\r\n")) {
			t.Errorf("bob got\n%s", req)
		}
		s.logged("local OPTIONS")
		if method == "tm.t_uac_wait" {
			for pid, name := range s.pids {
				if strings.Contains(name, "udp receiver") {
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
					s.logged("killed by signal 9 (SIGKILL)")
				}
			}
		}
		(&scenario{t: t, step: "answer"}).reply(&peer{name: "bob", to: bob.to, pc: bob.pc, seen: [][]byte{req}}, "OPTIONS", "404", "Nobody")
		r := <-ch
		if r.err != nil || r.out["code"] != 404 {
			t.Errorf("%s: %v %v", method, r.out, r.err)
		}
	}
	if _, err := s.call("tm.t_uac_wait", "OPTIONS", "sip:bob@"+bob.local, ".", ".", "To: <sip:x@example.com>"); err == nil || !strings.Contains(err.Error(), "From missing") {
		t.Errorf("without From: %v", err)
	}
	s.end()
}
