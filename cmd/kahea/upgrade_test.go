package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const upgradeConfig = `
listen=udp:@SERVER@
listen=tcp:@SERVER@
children=2
tcp_children=1
loadmodule "ctl.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "siputils.so"
modparam("tm", "wt_timer", 300)
request_route {
	if (method=="OPTIONS" && uri==myself) {
		sl_send_reply("200", "OK");
		exit;
	}
	if (has_totag()) {
		if (loose_route() || method=="ACK") t_relay();
		exit;
	}
	record_route();
	rewritehostport("@CALLEE@");
	if (!t_relay()) sl_reply_error();
}
`

// exes are the binaries of the server's processes, main's included.
func (s *instance) exes() (l []string) {
	for _, pid := range append(slices.Collect(maps.Keys(children(s.cmd.Process.Pid))), s.cmd.Process.Pid) {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && !slices.Contains(l, exe) {
			l = append(l, exe)
		}
	}
	return l
}

func copyBinary(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(serverBinary)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func buildServer(t *testing.T, tags string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kahea-"+tags)
	if out, err := exec.Command("go", "build", "-tags", tags, "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func startUpgrade(t *testing.T, callee string) *instance {
	addr := freeAddr(t)
	return startServer(t, addr, strings.NewReplacer("@SERVER@", addr, "@CALLEE@", callee).Replace(upgradeConfig))
}

// TestUpgrade executes other binaries in the middle of calls that do not retransmit, and of a TCP connection.
func TestUpgrade(t *testing.T) {
	caller, callee := newSIPp(t, false), newSIPp(t, false)
	srv := startUpgrade(t, strings.TrimPrefix(callee.uri(""), "sip:@"))
	tcp := newPeer(t, "tcp", "dave", srv.addr)
	if err := tcp.connect(); err != nil {
		t.Fatal(err)
	}
	ask := func(n int) {
		t.Helper()
		m := strings.ReplaceAll(probe(srv.addr, tcp.local, fmt.Sprint("tcp", n)), "SIP/2.0/UDP", "SIP/2.0/TCP")
		if err := tcp.send([]byte(m)); err != nil {
			t.Fatal(err)
		}
		if b, err := tcp.next(); err != nil || !strings.HasPrefix(string(b), "SIP/2.0 200") {
			t.Fatalf("over TCP: %q %v", b, err)
		}
	}
	ask(0)
	callee.start("callee", srv.addr)
	const seconds = 5
	r := caller.start("caller", srv.addr, "-s", "callee", "-m", fmt.Sprint(100*seconds), "-r", "100", "-d", "100", "-nr")
	pid := srv.cmd.Process.Pid
	for i := range 3 {
		next := copyBinary(t, fmt.Sprint("kahea-next-", i))
		if _, err := srv.call("kahea.upgrade", next); err != nil {
			t.Fatal(err)
		}
		if !eventually(patience, func() bool { return slices.Equal(srv.exes(), []string{next}) }) {
			t.Fatalf("binaries %q, want %q", srv.exes(), next)
		}
		if _, _, err := srv.log.find(regexp.MustCompile(`upgrade: \d+ processes replaced`), srv.read, patience); err != nil {
			t.Fatal(err)
		}
		text, _, _ := srv.log.snapshot()
		srv.read = len(text)
		ask(i + 1)
	}
	r.wait((seconds + 60) * time.Second)
	if srv.cmd.Process.Pid != pid {
		t.Error("main has another pid")
	}
	if out, err := srv.call("kahea.verify"); err != nil {
		t.Errorf("verify: %v %v", out, err)
	}
	tcp.close()
	srv.pids = children(pid)
	srv.memoryBack()
	srv.stop()
}

// TestUpgradeRefused tries binaries that must not take over.
func TestUpgradeRefused(t *testing.T) {
	srv := startUpgrade(t, "127.0.0.1:9")
	exes, pids := srv.exes(), srv.pids
	for _, c := range []struct{ name, path, want string }{
		{"no kahea", "/bin/true", "this is no kahea"},
		{"no file", "/nonexistent/kahea", "no such file"},
		{"another layout of transactions and no form in common", buildServer(t, "kahealayout,kaheaform"), `module tm: shm: root "tm" (tm.root): layout differs from what is stored, and form "tm/1" can not be read`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, args := range [][]any{{c.path, "check"}, {c.path}} {
				if _, err := srv.call("kahea.upgrade", args...); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v: %v, want %q", args, err, c.want)
				}
			}
		})
	}
	t.Run("fails when it has taken over", func(t *testing.T) {
		path, mark := buildServer(t, "kaheadebug"), filepath.Join(srv.runDir(), "upgrade-fails")
		if err := os.WriteFile(mark, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(mark)
		for range 3 { // the way back must hold more than once
			if _, err := srv.call("kahea.upgrade", path); err == nil || !strings.Contains(err.Error(), "told to fail") {
				t.Errorf("%v, want that it was told to fail", err)
			}
		}
	})
	if !srv.alive(patience) {
		t.Error("no answer to OPTIONS")
	}
	if got := srv.exes(); !slices.Equal(got, exes) {
		t.Errorf("binaries %q, before %q", got, exes)
	}
	if got := children(srv.cmd.Process.Pid); !maps.Equal(got, pids) {
		t.Errorf("processes %v, before %v", got, pids)
	}
	srv.memoryBack()
	srv.stop()
}
