package tmx_test

import (
	"net/netip"
	"strings"
	"testing"

	_ "kahea/modules/corex"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/textops"
)

const moreHead = head + `loadmodule "corex.so"
loadmodule "textops.so"
`

// said is what the script has logged with xlog.
func said(s *modtest.Server) string {
	var l []string
	for _, x := range strings.Split(s.Log(), "\n") {
		if _, x, ok := strings.Cut(x, "<script>: "); ok {
			l = append(l, x)
		}
	}
	return strings.Join(l, "\n")
}

// sentTo are the first lines of what went to a port since the last call, and the last message whole.
func sentTo(s *modtest.Server, port uint16) (lines, last string) {
	var l []string
	for _, x := range s.Sent() {
		if x.To.Port() == port {
			line, _, _ := strings.Cut(x.Text, "\r\n")
			l = append(l, line)
			last = x.Text
		}
	}
	return strings.Join(l, ", "), last
}

func answer(s *modtest.Server, req, status string, lines ...string) {
	out := "SIP/2.0 " + status + "\r\n"
	for _, l := range strings.Split(req, "\r\n")[1:] {
		switch name, _, _ := strings.Cut(l, ":"); name {
		case "To":
			out += l + ";tag=peer\r\n"
		case "Via", "From", "Call-ID", "CSeq":
			out += l + "\r\n"
		}
	}
	for _, l := range lines {
		out += l + "\r\n"
	}
	s.ReceiveFrom(out+"Content-Length: 0\r\n\r\n", netip.MustParseAddrPort("127.0.0.1:6001"), s.Proc.Net.Sockets[0])
}

// TestFlagsOfTransaction: they are the transaction's, in later routes and after an upgrade; without a transaction there are none.
func TestFlagsOfTransaction(t *testing.T) {
	s := modtest.Start(t, moreHead+`
request_route {
	t_vbflag_set("3"); xlog("$rc\n");
	xlog("$T(id_label)\n"); if ($T(id_label_n) == $null) xlog("none\n"); if ($T(id_index_n) == $T(id_index)) xlog("made\n");
	t_vbflag_set("3"); t_vbflag_set("4"); t_vbflag_reset("4");
	t_on_failure("F");
	t_relay();
	setxflag("5");
	t_flush_xflags(); xlog("$rc\n");
}
failure_route[F] {
	t_vbflag_is_set("3"); xlog("$rc\n"); t_vbflag_is_set("4"); xlog("$rc\n");
	isxflagset("5"); xlog("$rc\n"); isxflagset("6"); xlog("$rc\n");
}`)
	s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1:6001"))
	if got := said(s); got != "-1\n<null>\nmade\n1" {
		t.Errorf("the request route said %q", got)
	}
	_, invite := sentTo(s, 6001)
	s.Carry()
	answer(s, invite, "486 Busy")
	if got := said(s); got != "1\n-1\n1\n-1" {
		t.Errorf("the failure route said %q", got)
	}
}

// TestCancelBranchIndex cancels one branch of two by its number.
func TestCancelBranchIndex(t *testing.T) {
	s := modtest.Start(t, moreHead+`
request_route {
	if ($rm == "MESSAGE") { t_cancel_branch_idx("$shv(i)", "$shv(l)", "$rU"); xlog("$rc\n"); exit; }
	append_branch("sip:carol@127.0.0.1:6002");
	t_relay();
	$shv(i) = $T(id_index); $shv(l) = $T(id_label);
}`)
	s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1:6001"))
	var invites [2]string
	for _, x := range s.Sent() {
		switch x.To.Port() {
		case 6001:
			invites[0] = x.Text
		case 6002:
			invites[1] = x.Text
		}
	}
	answer(s, invites[0], "180 Ringing")
	answer(s, invites[1], "180 Ringing")
	s.Sent()
	for _, tc := range []struct{ branch, said, bob, carol string }{
		{"7", "-1", "", ""}, {"1", "1", "", "CANCEL sip:carol@127.0.0.1:6002 SIP/2.0"},
	} {
		s.Receive(modtest.Request("MESSAGE", "sip:"+tc.branch+"@example.com"))
		if got := said(s); got != tc.said {
			t.Errorf("branch %s: said %q, want %s", tc.branch, got, tc.said)
		}
		var bob, carol string
		for _, x := range s.Sent() {
			line, _, _ := strings.Cut(x.Text, "\r\n")
			switch x.To.Port() {
			case 6001:
				bob += line
			case 6002:
				carol += line
			}
		}
		if bob != tc.bob || carol != tc.carol {
			t.Errorf("branch %s: bob got %q, carol %q", tc.branch, bob, carol)
		}
	}
}

// TestACKLocal: the ACK to a local INVITE whose sender wants to send it himself.
func TestACKLocal(t *testing.T) {
	s := modtest.Start(t, moreHead+`
request_route { t_uac_ack_local("$hdr(X-Call)", "7", "X-Ack: 1", "body"); xlog("$rc\n"); }`)
	const lines = "From: <sip:me@example.com>\r\nTo: <sip:bob@example.com>\r\nCall-ID: own\r\nCSeq: 7 INVITE\r\n"
	if _, err := s.RPC("tm.t_uac_start_noack", "INVITE", "sip:bob@127.0.0.1:6001", ".", ".", lines); err != nil {
		t.Fatal(err)
	}
	ask := modtest.Request("MESSAGE", "sip:x@example.com", "X-Call: own")
	s.Receive(ask)
	if got := said(s); got != "-1" {
		t.Errorf("before the answer: %q", got)
	}
	_, invite := sentTo(s, 6001)
	answer(s, invite, "200 OK", "Contact: <sip:bob@127.0.0.1:6002>")
	if lines, _ := sentTo(s, 6002); lines != "" {
		t.Errorf("sent %s", lines)
	}
	s.Receive(ask)
	if got := said(s); got != "1" {
		t.Errorf("behind the answer: %q", got)
	}
	first, ack := sentTo(s, 6002)
	if first != "ACK sip:bob@127.0.0.1:6002 SIP/2.0" || !strings.Contains(ack, "\r\nX-Ack: 1\r\nContent-Length: 4\r\n\r\nbody") {
		t.Errorf("sent\n%s", ack)
	}
	answer(s, invite, "200 OK", "Contact: <sip:bob@127.0.0.1:6002>")
	if again, _ := sentTo(s, 6002); again != first {
		t.Errorf("to a repeated 200: %q", again)
	}
}
