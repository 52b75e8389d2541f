package pv_test

import (
	"fmt"
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/tm"
)

// TestXAVPInFailureRoute: what the request route stored is there when the reply comes, and what the reply route adds in the failure route.
func TestXAVPInFailureRoute(t *testing.T) {
	s := modtest.Start(t, load+`
loadmodule "tm.so"
request_route {
	$xavp(r=>f) = "from the request";
	$xavu(u) = 7;
	t_on_reply("R");
	t_on_failure("F");
	t_relay();
	exit;
}
onreply_route[R] { xlog("L_INFO", "reply: $xavp(r=>f) $xavu(u)\n"); $xavp(r[0]=>g) = "from the reply"; }
failure_route[F] { xlog("L_INFO", "failure: $xavp(r=>f) $xavp(r=>g) $xavu(u)\n"); }`)
	s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1:6000", "Max-Forwards: 70"))
	var vias []string
	for _, m := range s.Sent() {
		if !strings.HasPrefix(m.Text, "INVITE ") {
			continue
		}
		for _, l := range strings.Split(m.Text, "\r\n") {
			if strings.HasPrefix(l, "Via:") {
				vias = append(vias, l)
			}
		}
	}
	if len(vias) != 2 {
		t.Fatalf("the INVITE that left has %d Via", len(vias))
	}
	s.Log()
	s.Receive(fmt.Sprintf("SIP/2.0 486 Busy\r\n%s\r\nFrom: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>;tag=b1\r\nCall-ID: call-1@127.0.0.1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
		strings.Join(vias, "\r\n")))
	got := s.Log()
	for _, want := range []string{"reply: from the request 7\n", "failure: from the request from the reply 7\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
	}
}
