package textopsx_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sl"
	_ "kahea/modules/textops"
	_ "kahea/modules/textopsx"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "textopsx.so"
loadmodule "xlog.so"
`

func TestAsKamailio(t *testing.T) { modtest.Golden(t, "testdata/kamailio.txt", load) }

func TestChangeReplyStatus(t *testing.T) {
	for _, tc := range []struct {
		name, call string
		code       int
		line, rc   string
	}{
		{"code and reason", `change_reply_status(404, "Gone")`, 486, "SIP/2.0 404 Gone", "1 404"},
		{"code", `change_reply_status_code(500)`, 486, "SIP/2.0 500 Old", "1 500"},
		{"class of 2xx stays", `change_reply_status(404, "Gone")`, 200, "SIP/2.0 200 Old", "-1 200"},
		{"no code", `change_reply_status(99, "Gone")`, 486, "SIP/2.0 486 Old", "-1 486"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, load+"reply_route { "+tc.call+`; xlog("$rc $rs\n"); }`)
			s.Receive(modtest.Reply(tc.code, "Old", "INVITE"))
			if got := s.Log(); !strings.HasSuffix(got, "<script>: "+tc.rc+"\n") {
				t.Errorf("log %q, want %s", got, tc.rc)
			}
			out := s.Sent()
			if len(out) != 1 || !strings.HasPrefix(out[0].Text, tc.line+"\r\n") {
				t.Errorf("sent %+v, want %s", out, tc.line)
			}
		})
	}
}

func TestApplyKeepsReplyHeaders(t *testing.T) {
	s := modtest.Start(t, load+`request_route {
	append_to_reply("X-Kept: 1\r\n");
	set_reply_body("text", "text/plain");
	append_hf("X-N: 1\r\n");
	msg_apply_changes();
	sl_send_reply("200", "OK");
}`)
	s.Receive(modtest.Request("OPTIONS", "sip:127.0.0.1"))
	out := s.Sent()
	if len(out) != 1 || !strings.Contains(out[0].Text, "X-Kept: 1\r\n") || !strings.HasSuffix(out[0].Text, "\r\n\r\ntext") {
		t.Errorf("sent %+v", out)
	}
}

func TestFiveIterators(t *testing.T) {
	_, err := modtest.Load(t, load+`request_route { hf_iterator_start("a"); hf_iterator_start("b"); hf_iterator_start("c"); hf_iterator_start("d"); hf_iterator_start("e"); }`)
	if err == nil || !strings.Contains(err.Error(), "four iterators at most") {
		t.Errorf("got %v", err)
	}
}
