package dlgs_test

import (
	"strings"
	"testing"
	"time"

	_ "kahea/modules/dlgs"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sl"
	_ "kahea/modules/tm"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "xlog.so"
`

const script = `
loadmodule "dlgs.so"
request_route {
	if (method == "OPTIONS") {
		dlgs_count("src", "eq", "alice"); xlog("src $rc\n");
		dlgs_count("dst", "re", "^b.b"); xlog("dst $rc\n");
		dlgs_count("data", "fm", "d?t*"); xlog("data $rc\n");
		dlgs_count("src", "sw", "al"); xlog("sw $rc\n");
		dlgs_count("src", "ne", "alice"); xlog("ne $rc\n");
		dlgs_count("any", "eq", ""); xlog("any $rc\n");
		dlgs_tags_count("vip"); xlog("tag $rc\n");
		exit;
	}
	if (method == "INVITE") { dlgs_init("$fU", "$rU", "data"); xlog("init $rc\n"); dlgs_tags_add("vip"); dlgs_tags_add("other"); }
	else { dlgs_update(); xlog("update $rc\n"); }
	if (method == "INFO") { dlgs_tags_rm("vip"); xlog("rm $rc\n"); dlgs_tags_rm("vip"); xlog("rm $rc\n"); }
`

// counts asks for all counts.
func counts(s *modtest.Server) string {
	s.Log()
	s.Receive(modtest.Request("OPTIONS", "sip:x@h"))
	return strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(s.Log(), "ERROR: <script>: ", ""), "\n", ", "))
}

const (
	one  = "src 1, dst 1, data 1, sw 1, ne -1, any 1, tag 1,"
	none = "src -1, dst -1, data -1, sw -1, ne -1, any -1, tag -1,"
)

func want(t *testing.T, s *modtest.Server, when, counted, state string) {
	t.Helper()
	if got := counts(s); got != counted {
		t.Errorf("%s: got %s, want %s", when, got, counted)
	}
	out, err := s.RPC("dlgs.briefing")
	if err != nil {
		t.Fatal(err)
	}
	if state == "" && strings.Contains(out, "state") || !strings.Contains(out, state) {
		t.Errorf("%s: got %s, want state %q", when, out, state)
	}
}

// inDialog is a request of the call that modtest.Request begins.
func inDialog(method string) string {
	return strings.Replace(modtest.Request(method, "sip:bob@h"), "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=b1", 1)
}

func TestCall(t *testing.T) {
	s := modtest.Start(t, load+script+`}`)
	want(t, s, "before", none, "")
	s.Receive(modtest.Request("INVITE", "sip:bob@h"))
	want(t, s, "INVITE", one, "init")
	s.Receive(modtest.Request("INVITE", "sip:bob@h"))
	want(t, s, "the same INVITE", one, "init")
	s.Receive(modtest.Reply(183, "Progress", "INVITE"))
	want(t, s, "183", one, "progress")
	s.Receive(modtest.Reply(200, "OK", "INVITE"))
	want(t, s, "200", one, "answered")
	s.Receive(inDialog("ACK"))
	want(t, s, "ACK", one, "confirmed")
	s.Receive(modtest.Reply(200, "OK", "BYE"))
	s.Receive(modtest.Reply(486, "Busy", "INVITE")) // late
	want(t, s, "a late 486", one, "confirmed")
	s.Log()
	s.Receive(inDialog("INFO"))
	if got := s.Log(); got != "ERROR: <script>: update 1\nERROR: <script>: rm 1\nERROR: <script>: rm -1\n" {
		t.Errorf("log %q", got)
	}
	want(t, s, "without the tag", strings.Replace(one, "tag 1", "tag -1", 1), "confirmed")
	// from the other side
	bye := strings.NewReplacer("From: <sip:alice@example.com>;tag=a1", "From: <sip:bob@example.com>;tag=b1", "To: <sip:bob@example.com>;tag=b1", "To: <sip:alice@example.com>;tag=a1").Replace(inDialog("BYE"))
	s.Receive(bye)
	want(t, s, "BYE", none, "terminated")
	s.Advance(60 * time.Second)
	s.Tick()
	want(t, s, "later", none, "")
	s.Log()
	s.Receive(inDialog("INFO"))
	if got := s.Log(); !strings.HasPrefix(got, "ERROR: <script>: update -1\n") {
		t.Errorf("log %q", got)
	}
}

func TestNegativeReplies(t *testing.T) {
	t.Run("without tm", func(t *testing.T) {
		s := modtest.Start(t, load+script+`}`)
		s.Receive(modtest.Request("INVITE", "sip:bob@h"))
		s.Receive(modtest.Reply(486, "Busy", "INVITE"))
		want(t, s, "486", none, "notanswered")
		s.Receive(modtest.Reply(200, "OK", "INVITE"))
		want(t, s, "a 200 that crossed it", one, "answered")
	})
	t.Run("tm answers", func(t *testing.T) {
		s := modtest.Start(t, `loadmodule "tm.so"`+load+script+` if (method == "INVITE") t_send_reply("486", "Busy"); }`)
		s.Receive(modtest.Request("INVITE", "sip:bob@h"))
		want(t, s, "486", none, "notanswered")
	})
}

func TestLifetimes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		reply bool
		kept  time.Duration
		gone  time.Duration
	}{
		{"not answered", false, 100 * time.Second, 60 * time.Second},
		{"answered", true, 200 * time.Second, 200 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, load+strings.Replace(script, `loadmodule "dlgs.so"`, `loadmodule "dlgs.so"
modparam("dlgs", "init_lifetime", 120)
modparam("dlgs", "active_lifetime", 300)`, 1)+`}`)
			s.Receive(modtest.Request("INVITE", "sip:bob@h"))
			if tc.reply {
				s.Receive(modtest.Reply(200, "OK", "INVITE"))
			}
			s.Advance(tc.kept)
			s.Tick()
			want(t, s, "kept", one, "state")
			s.Advance(tc.gone)
			s.Tick()
			want(t, s, "gone", none, "")
		})
	}
}

func TestCommands(t *testing.T) {
	s := modtest.Start(t, load+script+`}`)
	s.Receive(modtest.Request("INVITE", "sip:bob@h"))
	for _, tc := range []struct {
		name    string
		command string
		params  []any
		want    string // a part of the answer; "": a fault
	}{
		{"stats", "dlgs.stats", nil, "init: 1"},
		{"list", "dlgs.list", nil, "vip"},
		{"get", "dlgs.get", []any{"dst", "eq", "bob"}, "callid: call-1@127.0.0.1"},
		{"getall", "dlgs.getall", []any{"src", "sw", "a"}, "ftag: a1"},
		{"get none", "dlgs.get", []any{"dst", "eq", "x"}, ""},
		{"count", "dlgs.count", []any{"any", "eq", ""}, "count: 1"},
		{"bad field", "dlgs.count", []any{"x", "eq", ""}, ""},
		{"bad expression", "dlgs.count", []any{"src", "re", "("}, ""},
		{"too few parameters", "dlgs.get", []any{"src"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := s.RPC(tc.command, tc.params...)
			if tc.want == "" && err == nil || tc.want != "" && (err != nil || !strings.Contains(got, tc.want)) {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
	s.Receive(inDialog("CANCEL"))
	want(t, s, "CANCEL", none, "notanswered")
}

func TestStartErrors(t *testing.T) {
	for _, tc := range []struct{ name, call, want string }{
		{"field", `dlgs_count("x", "eq", "1")`, "want src, dst, data or any"},
		{"operator", `dlgs_count("src", "x", "1")`, "want eq, ne, re, sw or fm"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := modtest.Load(t, load+"loadmodule \"dlgs.so\"\nrequest_route { "+tc.call+"; }")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
