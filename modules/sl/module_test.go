package sl_test

import (
	"regexp"
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/sl"
	_ "kahea/modules/tm"
)

const load = `loadmodule "sl.so"
`

func line(msg, name string) string {
	for _, l := range strings.Split(msg, "\r\n") {
		if v, ok := strings.CutPrefix(l, name+": "); ok {
			return v
		}
	}
	return ""
}

func first(msg string) string { l, _, _ := strings.Cut(msg, "\r\n"); return l }

// TestReply says what the functions answer.
func TestReply(t *testing.T) {
	for _, tc := range []struct{ name, cfg, script, want string }{
		{"code and reason", "", `sl_send_reply("404", "Nobody");`, "SIP/2.0 404 Nobody"},
		{"its other name", "", `sl_reply("404", "Nobody");`, "SIP/2.0 404 Nobody"},
		{"send_reply", "", `send_reply("403", "No");`, "SIP/2.0 403 No"},
		{"no reason", "", `sl_send_reply("404", "");`, "SIP/2.0 404 Internal Server Error"},
		{"default_reason", `modparam("sl", "default_reason", "Oh")`, `sl_send_reply("404", "");`, "SIP/2.0 404 Oh"},
		{"no code", "", `sl_send_reply("77", "Nobody");`, "SIP/2.0 500 Nobody"},
		{"default_code", `modparam("sl", "default_code", 480)`, `sl_send_reply("77", "Nobody");`, "SIP/2.0 480 Nobody"},
		{"provisional", "", `sl_send_reply("100", "Trying");`, "SIP/2.0 100 Trying"},
		{"error, none recorded", "", `sl_reply_error();`, "SIP/2.0 500 I'm terribly sorry, server error occurred (1/SL)"},
		{"send_reply_error", "", `send_reply_error();`, "SIP/2.0 500 I'm terribly sorry, server error occurred (1/SL)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, load+tc.cfg+"\nrequest_route { "+tc.script+" }")
			s.Receive(modtest.Request("OPTIONS", "sip:bob@127.0.0.1"))
			out := s.Sent()
			if len(out) != 1 || first(out[0].Text) != tc.want || out[0].To != modtest.Peer {
				t.Fatalf("sent %+v, want %q", out, tc.want)
			}
		})
	}
}

var ownTag = regexp.MustCompile(`^<sip:bob@example.com>;tag=[0-9a-f]{32}\.[0-9a-f]{8}$`)

// TestTag checks the tags of our replies.
func TestTag(t *testing.T) {
	s := modtest.Start(t, load+`request_route { if (method=="INFO") sl_send_reply("100", "Trying"); else sl_send_reply("404", "No"); }`)
	get := func(method string, change ...string) string {
		t.Helper()
		s.Receive(strings.NewReplacer(change...).Replace(modtest.Request(method, "sip:bob@127.0.0.1")))
		out := s.Sent()
		if len(out) != 1 {
			t.Fatalf("sent %d messages, want 1", len(out))
		}
		return line(out[0].Text, "To")
	}
	a := get("OPTIONS")
	if !ownTag.MatchString(a) {
		t.Errorf("To %q has no tag of ours", a)
	}
	if b := get("OPTIONS"); b != a {
		t.Errorf("the same request got %q and %q", a, b)
	}
	if b := get("OPTIONS", "z9hG4bK-1", "z9hG4bK-2"); b == a {
		t.Errorf("another branch got the same tag %q", a)
	} else if b[:55] != a[:55] {
		t.Errorf("the first half of the tags differs: %q, %q", a, b)
	}
	if b := get("INFO"); b != "<sip:bob@example.com>" {
		t.Errorf("a 100 has the To %q, want no tag", b)
	}
	if b := get("OPTIONS", "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=theirs"); b != "<sip:bob@example.com>;tag=theirs" {
		t.Errorf("To %q, want the tag that was there", b)
	}
}

// TestACK absorbs ACKs to stateless replies, and no others.
func TestACK(t *testing.T) {
	s := modtest.Start(t, load+`request_route {
	if (method=="ACK") { log(1, "script\n"); exit; }
	sl_send_reply("404", "No");
}
event_route[sl:filtered-ack] { log(1, "filtered\n"); }`)
	s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1"))
	out := s.Sent()
	if len(out) != 1 {
		t.Fatalf("sent %+v", out)
	}
	to := line(out[0].Text, "To")
	for _, tc := range []struct{ name, to, want string }{
		{"with the tag of the reply", to, "NOTICE: <script>: filtered\n"},
		{"with another tag", "<sip:bob@example.com>;tag=" + strings.Repeat("0", 32) + ".00000000", "NOTICE: <script>: script\n"},
		{"without a tag", "<sip:bob@example.com>", "NOTICE: <script>: script\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.Receive(strings.Replace(modtest.Request("ACK", "sip:bob@127.0.0.1"), "<sip:bob@example.com>", tc.to, 1))
			if got := s.Log(); got != tc.want {
				t.Errorf("log %q, want %q", got, tc.want)
			}
		})
	}
}

// TestNoReply lists what is not answered.
func TestNoReply(t *testing.T) {
	s := modtest.Start(t, load+`request_route { if (sl_send_reply("404", "No")) log(1, "true\n"); else log(1, "false\n"); }`)
	s.Receive(modtest.Request("ACK", "sip:bob@127.0.0.1"))
	if out := s.Sent(); len(out) != 0 {
		t.Errorf("an ACK is answered: %+v", out)
	}
	if got := s.Log(); got != "NOTICE: <script>: true\n" {
		t.Errorf("log %q", got)
	}
}

// TestStateful is send_reply with and without tm and bind_tm.
func TestStateful(t *testing.T) {
	for _, tc := range []struct {
		name, cfg, script string
		replies           int // to the request and its repetition, sent by the transaction or the script
		runs              int // of the script behind t_newtran
	}{
		{"transaction", "", `t_newtran(); log(1, "run\n"); send_reply("404", "No");`, 2, 1},
		{"bind_tm off", `modparam("sl", "bind_tm", 0)`, `t_newtran(); log(1, "run\n"); send_reply("404", "No"); t_release();`, 1, 1},
		{"no transaction", "", `log(1, "run\n"); send_reply("404", "No");`, 2, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, "loadmodule \"tm.so\"\n"+load+tc.cfg+"\nrequest_route { "+tc.script+" }")
			for range 2 {
				s.Receive(modtest.Request("OPTIONS", "sip:bob@127.0.0.1"))
			}
			out := s.Sent()
			if len(out) != tc.replies {
				t.Errorf("sent %d replies, want %d", len(out), tc.replies)
			}
			for _, m := range out {
				if first(m.Text) != "SIP/2.0 404 No" {
					t.Errorf("sent %q", first(m.Text))
				}
			}
			if got := strings.Count(s.Log(), "run\n"); got != tc.runs {
				t.Errorf("the script went on %d times, want %d", got, tc.runs)
			}
		})
	}
}

// TestLocalResponse runs the event route for each reply; sl.stats counts them.
func TestLocalResponse(t *testing.T) {
	s := modtest.Start(t, load+`request_route { if (method=="INFO") sl_send_reply("200", "OK"); else sl_send_reply("486", "Busy"); }
event_route[sl:local-response] { log(1, "sent\n"); }`)
	s.Receive(modtest.Request("INFO", "sip:bob@127.0.0.1"))
	s.Receive(modtest.Request("OPTIONS", "sip:bob@127.0.0.1"))
	if got := s.Log(); got != strings.Repeat("NOTICE: <script>: sent\n", 2) {
		t.Errorf("log %q", got)
	}
	out, err := s.RPC("sl.stats")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"200: 1\n", "4xx: 1\n", "404: 0\n", "500: 0\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("sl.stats lacks %q:\n%s", want, out)
		}
	}
}
