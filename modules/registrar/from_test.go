package registrar_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

func TestFromUser(t *testing.T) {
	for _, tc := range []struct{ name, contact, mode, want string }{
		{"address", "<sip:a@127.0.0.1:9>", "0", "1"},
		{"address and port", "<sip:a@127.0.0.1:5070>", "1", "1"},
		{"another port", "<sip:a@127.0.0.1:9>", "1", "-1"},
		{"protocol", "<sip:a@127.0.0.1:5070;transport=tcp>", "2", "-1"},
		{"another address", "<sip:a@127.0.0.2:5070>", "0", "-1"},
		{"a name", "<sip:a@host.test:5070>", "0", "-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, `
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
request_route {
	if (method == "REGISTER") { save("location"); exit; }
	reg_from_user("location", "sip:u@h", "`+tc.mode+`"); xlog("rc $rc\n");
	reg_from_user("location", "sip:none@h", "0"); xlog("rc $rc\n");
}`)
			s.Receive(strings.Replace(modtest.Request("REGISTER", "sip:h", "Contact: "+tc.contact), "To: <sip:bob@example.com>", "To: <sip:u@h>", 1))
			s.Receive(modtest.Request("OPTIONS", "sip:h"))
			if got := s.Log(); !strings.HasSuffix(got, "rc "+tc.want+"\nERROR: <script>: rc -1\n") {
				t.Errorf("log %q, want rc %s and rc -1", got, tc.want)
			}
		})
	}
}
