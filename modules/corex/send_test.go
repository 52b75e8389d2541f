package corex_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

func TestSendReceived(t *testing.T) {
	for _, tc := range []struct{ name, script, to, text string }{
		{"to a host", `$du = "sip:127.0.0.7"; send_udp("127.0.0.9:5099");`, "127.0.0.9:5099", "INVITE sip:b@h SIP/2.0"},
		{"to the destination", `$du = "sip:127.0.0.8:5098;transport=tcp"; send_udp();`, "127.0.0.8:5098", "INVITE sip:b@h SIP/2.0"},
		{"bytes", `send_data("sip:127.0.0.7:5097", "some bytes");`, "127.0.0.7:5097", "some bytes"},
		{"bytes from a socket", `sendx("sip:127.0.0.7:5097", "udp:127.0.0.1:5062", "some bytes");`, "127.0.0.7:5097", "some bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, head+"request_route { "+tc.script+` xlog("$rc\n"); }`)
			s.Receive(modtest.Request("INVITE", "sip:b@h"))
			out := s.Sent()
			if len(out) != 1 || out[0].To.String() != tc.to || !strings.HasPrefix(out[0].Text, tc.text) || strings.Contains(out[0].Text, "X: 1") {
				t.Errorf("sent %+v, want %q to %s", out, tc.text, tc.to)
			}
			if strings.Contains(tc.script, "5062") && out[0].From.Addr.Port() != 5062 {
				t.Errorf("sent from %s", out[0].From.Text)
			}
			if got := s.Log(); !strings.HasSuffix(got, "<script>: 1\n") {
				t.Errorf("log %q", got)
			}
		})
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, "long")
	if err := os.WriteFile(long, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "f")
	s := modtest.Start(t, head+`request_route {
	file_write("`+path+`", "text of $rU"); xlog("$rc\n");
	file_read("`+path+`", "$var(o)"); xlog("$rc $var(o)\n");
	file_read("`+dir+`/none", "$var(o)"); xlog("$rc $var(o)\n");
	file_read("`+long+`", "$var(o)"); xlog("$rc\n");
	file_write("`+dir+`/none/x", "y"); xlog("$rc\n");
}`)
	s.Receive(modtest.Request("INVITE", "sip:bob@h"))
	var got []string
	for l := range strings.Lines(s.Log()) {
		if _, text, ok := strings.Cut(l, "<script>: "); ok {
			got = append(got, strings.TrimSpace(text))
		}
	}
	if want := "1|1 text of bob|-1 text of bob|-1|-1"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %s", got, want)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "text of bob" {
		t.Errorf("the file has %q (%v)", b, err)
	}
}

func TestForwardReply(t *testing.T) {
	s := modtest.Start(t, head+`reply_route { forward_reply(); xlog("$rc\n"); drop; }`)
	s.Receive(modtest.Reply(200, "OK", "INVITE"))
	if out := s.Sent(); len(out) != 1 || !strings.HasPrefix(out[0].Text, "SIP/2.0 200 OK") {
		t.Errorf("sent %+v, want the reply once", out)
	}
}

// TestForwardUAC forwards with our Via alone; what is forwarded later has all of them.
func TestForwardUAC(t *testing.T) {
	for _, tc := range []struct{ name, script, to, end string }{
		{"where it goes", `$du = "sip:127.0.0.8:5098"; forward_uac();`, "127.0.0.8:5098", ".0"},
		{"branch", `$du = "sip:127.0.0.8:5098"; forward_uac("3");`, "127.0.0.8:5098", ".3"},
		{"uri", `forward_uac_uri("sip:127.0.0.9:5097");`, "127.0.0.9:5097", ".0"},
		{"uri and branch", `forward_uac_uri("sip:127.0.0.9:5097", "17");`, "127.0.0.9:5097", ".11"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, head+"request_route { "+tc.script+` xlog("$rc\n"); $du = "sip:127.0.0.7:5096"; forward(); }`)
			s.Receive(modtest.Request("INVITE", "sip:b@h", "Via: SIP/2.0/UDP 9.9.9.9;branch=z9hG4bK-2"))
			out := s.Sent()
			if len(out) != 2 || out[0].To.String() != tc.to {
				t.Fatalf("sent %+v", out)
			}
			if n := strings.Count(out[0].Text, "\r\nVia: "); n != 1 || !strings.Contains(out[0].Text, tc.end+"\r\n") || !strings.Contains(out[0].Text, "\r\nVia: SIP/2.0/UDP 127.0.0.1") {
				t.Errorf("sent %s", out[0].Text)
			}
			if n := strings.Count(out[1].Text, "\r\nVia: "); n != 3 {
				t.Errorf("forwarded %s", out[1].Text)
			}
		})
	}
}

func TestServerID(t *testing.T) {
	s := modtest.Start(t, head+`server_id=7
request_route { via_add_srvid("1"); $du = "sip:127.0.0.7:5096"; forward(); via_add_srvid("0"); forward(); }`)
	s.Receive(modtest.Request("INVITE", "sip:b@h"))
	out := s.Sent()
	if len(out) != 2 || !strings.Contains(out[0].Text, ".0;srvid=7\r\n") || strings.Contains(out[1].Text, "srvid") {
		t.Errorf("sent %+v", out)
	}
}

func TestBlockNames(t *testing.T) {
	s := modtest.Start(t, head+`request_route { xlog("$cfg(route)\n"); route(AB); $du = "sip:127.0.0.7:5096"; forward(); }
route[AB] { xlog("$cfg(route)\n"); }
reply_route { xlog("$cfg(route)\n"); }
onsend_route { xlog("$cfg(route)\n"); }`)
	s.Receive(modtest.Request("INVITE", "sip:b@h"))
	s.Receive(modtest.Reply(200, "OK", "INVITE"))
	var got []string
	for l := range strings.Lines(s.Log()) {
		_, text, _ := strings.Cut(l, "<script>: ")
		got = append(got, strings.TrimSpace(text))
	}
	if want := "DEFAULT_ROUTE AB DEFAULT_SEND DEFAULT_ONREPLY"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMemoryCommands reads shared memory's sums, and what has been allocated in it.
func TestMemoryCommands(t *testing.T) {
	s := modtest.Start(t, head+"request_route { exit; }")
	for cmd, want := range map[string][]string{
		"shm.info":   {"name: ", "size: 16777216"},
		"shm.stats":  {"total: 16777216", "real_used: ", "fragments: "},
		"shm.report": {"total_size: 16777216", "used_frags: "},
	} {
		got, err := s.RPC(cmd)
		for _, w := range want {
			if err != nil || !strings.Contains(got, w) {
				t.Errorf("%s: got %q, %v, want %q", cmd, got, err, w)
			}
		}
	}
	l := s.Arena.Ledger()
	for _, x := range l {
		if x.Blocks == 0 {
			continue
		}
		path := filepath.Join(t.TempDir(), "report")
		if _, err := s.RPC("shm.rprint", path, x.Module+"/"+x.Kind); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(b), x.Module+"/"+x.Kind+" blocks=") {
			t.Errorf("report %q, %v", b, err)
		}
		return
	}
	t.Error("shared memory is empty")
}
