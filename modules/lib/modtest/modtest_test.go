package modtest_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/sl"
)

func TestReplyIsSeen(t *testing.T) {
	s := modtest.Start(t, `
loadmodule "sl.so"
request_route {
	log(1, "hello\n");
	sl_send_reply("404", "Nobody");
}`)
	s.Receive(modtest.Request("OPTIONS", "sip:bob@127.0.0.1"))
	out := s.Sent()
	if len(out) != 1 || !strings.HasPrefix(out[0].Text, "SIP/2.0 404 Nobody\r\n") || out[0].To != modtest.Peer {
		t.Fatalf("sent %+v", out)
	}
	if len(s.Sent()) != 0 {
		t.Error("Sent gives the same message twice")
	}
	if got := s.Log(); got != "NOTICE: <script>: hello\n" {
		t.Errorf("log %q", got)
	}
}

func TestErrorsAreReported(t *testing.T) {
	for _, tc := range []struct{ name, cfg, want string }{
		{"function", `request_route { sl_sendreply("200", "OK"); }`, `unknown function "sl_sendreply"`},
		{"module", `loadmodule "nosuch.so"` + "\nrequest_route { exit; }", `there is no module "nosuch"`},
		{"parameter", "loadmodule \"sl.so\"\nmodparam(\"sl\", \"bind_tm\", 7)\nrequest_route { exit; }", "got 7, want 0 to 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := modtest.Load(t, tc.cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
