package textopsx_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

func TestPlaces(t *testing.T) {
	for _, tc := range []struct{ name, call, want string }{
		{"no name", `remove_hf_value("[1]")`, "want name[index].parameter"},
		{"open bracket", `remove_hf_value("X[1")`, "want name[index].parameter"},
		{"no number", `remove_hf_value("X[a]")`, `index "a" is no number`},
		{"no parameter", `remove_hf_value("X[1].")`, "want name[index].parameter"},
		{"five walks", `bl_iterator_start("a"); bl_iterator_start("b"); bl_iterator_start("c"); bl_iterator_start("d"); bl_iterator_start("e")`, "four iterators"},
		{"no route", `msg_changed_route("NONE")`, "NONE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := modtest.Load(t, load+"request_route { "+tc.call+"; }")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestChangedRoute(t *testing.T) {
	s := modtest.Start(t, "listen=udp:127.0.0.1:17200\n"+load+`
request_route {
	append_hf("X-A: 1\r\n");
	$rU = "new";
	msg_changed_route("SEE");
	xlog("after: $hdr(X-A) $rU $(ru{uri.user})\n");
	forward("127.0.0.1", 17201);
}
route[SEE] { xlog("inside: $hdr(X-A) $(mb{s.substr,0,15})\n"); append_hf("X-B: 1\r\n"); $rU = "other"; }
`)
	s.Receive(modtest.Request("INVITE", "sip:b@h"))
	if got, want := s.Log(), "ERROR: <script>: inside: 1 INVITE sip:new@\nERROR: <script>: after: <null> new new\n"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
	out := s.Sent()
	if len(out) != 1 || !strings.HasPrefix(out[0].Text, "INVITE sip:new@h ") || !strings.Contains(out[0].Text, "X-A: 1\r\n") || strings.Contains(out[0].Text, "X-B") {
		t.Errorf("sent %+v", out)
	}
}

func TestLastLineWithoutLineEnd(t *testing.T) {
	s := modtest.Start(t, "listen=udp:127.0.0.1:17200\n"+load+`
request_route {
	set_body("a\r\nb", "text/plain");
	append_hf("X: 1\r\n");
	msg_apply_changes();
	bl_iterator_start("w");
	while (bl_iterator_next("w")) { xlog("$(blitval(w){s.len})\n"); }
	bl_iterator_next("w"); xlog("$rc\n");
}`)
	s.Receive(modtest.Request("INVITE", "sip:b@h"))
	if got, want := s.Log(), "ERROR: <script>: 3\nERROR: <script>: 1\nERROR: <script>: -1\n"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
}
