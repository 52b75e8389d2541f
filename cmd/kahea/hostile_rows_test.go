package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"kahea/modules"
	"kahea/modules/lib/rpc"
)

// hostileRows are the rows of the table of bad inputs that concern what is there: each has files in testdata/hostile or a test in this package with its name.
var hostileRows = strings.Fields(`B01 B02 B03 B04 B05 B06 B07 B08 B09 B13 B17 B18 B19 B20 B21 B22 B23 B24 B25 B26 B27 B28 B29 B30 B31 B32 B33 B34 B35 B36 B37 B38 B39
	B40 B41 B42 B43 B44 B45 B46 B61 B62 C01 C05 C06 C07`)

func TestHostileRows(t *testing.T) {
	sources, err := filepath.Glob("hostile_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, f := range sources {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	for _, row := range hostileRows {
		files, err := filepath.Glob("testdata/hostile/" + row + "-*")
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 && !strings.Contains(tests.String(), "func TestHostile"+row) {
			t.Errorf("row %s has neither a file in testdata/hostile nor a test TestHostile%s", row, row)
		}
	}
}

// TestHostileC05 kills and stops each kind of process: at most the message in hand is lost, a stopped one is noticed, and the server is whole again.
func TestHostileC05(t *testing.T) {
	if *oracle != "" {
		t.Skip("Kamailio stops when a child dies")
	}
	for _, c := range []struct {
		title string
		sig   syscall.Signal
	}{
		{"kahea udp receiver", syscall.SIGKILL}, {"kahea tcp receiver", syscall.SIGKILL}, {"kahea tcp main", syscall.SIGKILL}, {"kahea timer", syscall.SIGKILL},
		{"kahea slow timer", syscall.SIGKILL}, {"kahea udp receiver", syscall.SIGSTOP}, {"kahea timer", syscall.SIGSTOP}, {"kahea tcp main", syscall.SIGSTOP},
	} {
		t.Run(fmt.Sprint(c.title, " ", c.sig), func(t *testing.T) {
			t.Parallel()
			s := startHostileServer(t, "proxy")
			pid := find(s.srv, c.title)
			if pid == 0 {
				t.Fatalf("there is no process %q: %v", c.title, s.srv.pids)
			}
			if err := syscall.Kill(pid, c.sig); err != nil {
				t.Fatal(err)
			}
			if !eventually(3*patience, func() bool { now := find(s.srv, c.title); return now != 0 && now != pid }) {
				t.Fatalf("%q has no successor", c.title)
			}
			s.fenceUDP()
			conn, err := net.DialTimeout("tcp4", s.srv.addr, patience)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			s.fenceTCP(&hostileConn{TCPConn: conn.(*net.TCPConn), local: conn.LocalAddr().String()})
			s.srv.memoryBack()
			s.srv.stop()
		})
	}
}

// TestHostileC06 fills -m 8 with calls that ring: they get 503 then, and nothing stays. perf/exhaust does this for ten minutes, with calls that stand before.
func TestHostileC06(t *testing.T) {
	if *oracle != "" {
		t.Skip("Kamailio answers 500")
	}
	t.Parallel()
	sink := openUDP(t) // rings by saying nothing
	defer sink.Close()
	addr := freeAddr(t)
	s := startServer(t, addr, strings.NewReplacer("@SERVER@", addr, "@SINK@", sink.addr()).Replace(`
listen=udp:@SERVER@
children=1
loadmodule "ctl.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
modparam("tm", "wt_timer", 100)
modparam("tm", "fr_timer", 3000)
request_route {
	if (method=="OPTIONS") {
		sl_send_reply("200", "OK");
		exit;
	}
	if (method=="ACK") {
		t_check_trans();
		exit;
	}
	$du = "sip:@SINK@";
	if (!t_relay()) sl_reply_error();
}
`), "-m", "8")
	u := openUDP(t)
	defer u.Close()
	if s.alive(patience); t.Failed() {
		return
	}
	to, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`^SIP/2.0 (\d+) `)
	seen := map[string]int{}
	for n := 0; seen["503"] < 100 && n < 20000; n++ {
		m := strings.NewReplacer("OPTIONS", "INVITE").Replace(probe(addr, u.addr(), fmt.Sprint("fill", n)))
		if _, err := u.WriteTo([]byte(m), to); err != nil {
			t.Fatal(err)
		}
		b, err := u.read(patience)
		if err != nil {
			t.Fatalf("after %v: %v", seen, err)
		}
		c := code.FindSubmatch(b)
		if c == nil {
			t.Fatalf("%.200q", b)
		}
		seen[string(c[1])]++
	}
	if seen["503"] < 100 || seen["100"] < 100 || len(seen) > 3 || len(seen) == 3 && seen["408"] == 0 {
		t.Errorf("answers: %v, want 100, then 503, and nothing else but the 408 of those that ended", seen)
	}
	if !eventually(3*patience, func() bool { return s.used() == s.baseUse }) {
		t.Errorf("shared memory in use: %d bytes after the start, %d at the end", s.baseUse, s.used())
	}
	if _, err := rpc.Ask("unix", filepath.Join(s.runDir(), "kamailio_ctl"), time.Minute, "kahea.verify", []*modules.Node{}); err != nil {
		t.Error(err)
	}
	s.sameProcesses()
	s.stop()
}
