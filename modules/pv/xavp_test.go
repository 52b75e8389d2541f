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

// TestXAVPNames reads and writes attributes whose names are in variables.
func TestXAVPNames(t *testing.T) {
	s := modtest.Start(t, load+`
request_route {
	$var(r) = "a";
	$var(f) = "b";
	$xavp($var(r)=>$var(f)) = 1;
	$xavp($var(r)[0]=>c) = 2;
	$xavp($(var(r){s.toupper})=>c) = 3;
	$xavu($var(r)=>$var(f)) = 4;
	$xavi($var(r)=>x) = 5;
	xlog("L_INFO", "$xavp(a=>b) $xavp(a[0]=>c) $xavp(A=>c) $xavu(a=>b) $xavi(A=>X) $cnt($xavp($var(r)))\n");
	$var(r) = "z";
	xlog("L_INFO", "$xavp($var(r)=>b)\n");
	$var(r) = "";
	$xavp($var(r)) = 1;
	xlog("L_INFO", "$rc [$xavp($var(r))] $cnt($xavp($var(r)))\n");
}`)
	s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1:6000"))
	var got []string
	for l := range strings.Lines(s.Log()) {
		if _, text, ok := strings.Cut(l, "<script>: "); ok {
			got = append(got, strings.TrimSpace(text))
		}
	}
	if want := "1 2 3 4 5 1|<null>|"; !strings.HasPrefix(strings.Join(got, "|"), want) || !strings.HasSuffix(got[len(got)-1], "[<null>] 0") {
		t.Errorf("got %q", got)
	}
}

// TestKeccak is Keccak before NIST changed its padding: its empty digest is well known.
func TestKeccak(t *testing.T) {
	s := modtest.Start(t, load+`request_route { $var(e) = ""; xlog("L_INFO", "$(var(e){s.keccak})\n"); }`)
	s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1:6000"))
	if got := s.Log(); !strings.HasSuffix(got, ": c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470\n") {
		t.Errorf("got %q", got)
	}
}
