package pv_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

// TestGrammarInAllRoutes: what the operator lets pass is let pass for a message of the wire and for one that tm has kept.
func TestGrammarInAllRoutes(t *testing.T) {
	s := modtest.Start(t, `uri_host_extra_chars="_"
hdr_name_extra_chars="@"
`+load+`
loadmodule "tm.so"
request_route { xlog("L_INFO", "request: $hdr(X@Y) $td $(tu{uri.host})\n"); t_on_failure("F"); t_relay(); exit; }
failure_route[F] { xlog("L_INFO", "failure: $hdr(X@Y) $td $(tu{uri.host})\n"); }`)
	m := strings.Replace(modtest.Request("INVITE", "sip:bob@127.0.0.1:6000", "X@Y: 1"), "\r\nTo: ", "\r\nTo: <sip:u@a_b>\r\nX-Before: ", 1)
	s.Receive(m)
	got := s.Log()
	var via string
	for _, o := range s.Sent() {
		if strings.HasPrefix(o.Text, "INVITE ") {
			for l := range strings.SplitSeq(o.Text, "\r\n") {
				if strings.HasPrefix(l, "Via:") {
					via += l + "\r\n"
				}
			}
		}
	}
	if via == "" {
		t.Fatalf("the INVITE did not leave:\n%s", got)
	}
	s.Receive("SIP/2.0 486 Busy Here\r\n" + via + "From: <sip:alice@example.com>;tag=a1\r\nTo: <sip:u@a_b>;tag=2\r\nCall-ID: call-1@127.0.0.1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
	got += s.Log()
	for _, want := range []string{"request: 1 a_b a_b", "failure: 1 a_b a_b"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
