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
