package tmx_test

import (
	"strings"
	"testing"

	"kahea/cfglang/route"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sl"
	_ "kahea/modules/tm"
	_ "kahea/modules/tmx"
	_ "kahea/modules/xlog"
)

const head = `
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
`

// While a script waits, the same request is known; another one is not, and when the script has ended neither is this one.
func TestPrecheck(t *testing.T) {
	s := modtest.Start(t, head+`
request_route {
	if (t_precheck_trans()) { xlog("busy\n"); exit; }
	xlog("first $rc\n");
	t_precheck_trans(); xlog("mine $rc\n");
	exec("true");
	xlog("end\n");
}`)
	sock := s.Proc.Net.Sockets[0]
	receive := func(msg string) { // without waiting for what the script waits for
		r := route.Recv{Src: modtest.Peer, Dst: sock.Addr, Sock: sock, Proto: sock.Proto}
		s.Proc.Receive([]byte(modtest.CRLF(msg)), r, func() func() { return func() {} })
	}
	check := func(want string) {
		t.Helper()
		if got := strings.ReplaceAll(s.Log(), "ERROR: <script>: ", ""); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	msg := modtest.Request("MESSAGE", "sip:bob@example.com")
	receive(msg)
	check("first -1\nmine -1\n")
	receive(msg) // an exact copy starts no script at all
	check("")
	receive(modtest.Request("MESSAGE", "sip:bob@example.com", "X-Hop: 2")) // one that took another way does
	check("busy\n")
	receive(strings.Replace(msg, "CSeq: 1", "CSeq: 2", 1))
	check("first -1\nmine -1\n")
	s.Drain()
	check("end\nend\n")
	receive(msg)
	check("first -1\nmine -1\n")
	s.Drain()
}

func TestPrecheckOff(t *testing.T) {
	s := modtest.Start(t, head+`modparam("tmx", "precheck_trans", 0)
request_route { t_precheck_trans(); xlog("$rc"); }`)
	s.Receive(modtest.Request("MESSAGE", "sip:bob@example.com"))
	if got := s.Log(); got != "ERROR: <script>: -1" {
		t.Errorf("log %q", got)
	}
}

// The values are Kamailio 5.6.3's.
func TestVariables(t *testing.T) {
	const list = `$T_branch_idx $T(branch_index) $T_reply_code $T(reply_code) [$T_reply_reason] [$T_reply_last] $T(reply_type) $T_branch(flags)\n`
	s := modtest.Start(t, head+`
request_route {
	xlog("none $T(id_index) $T_reply_code\n");
	t_flush_flags(); xlog("$rc\n");
	t_on_branch("B"); t_on_failure("F"); t_on_reply("R");
	$bf = 16; $du = "sip:127.0.0.1:5090";
	t_relay();
	t_flush_flags(); xlog("$rc\n");
}
branch_route[B] { xlog("branch `+list+`"); t_is_branch_route(); xlog("$rc\n"); t_is_request_route(); xlog("$rc\n"); }
onreply_route[R] { xlog("reply `+list+`"); t_is_reply_route(); xlog("$rc\n"); t_is_failure_route(); xlog("$rc\n"); }
failure_route[F] { xlog("failure `+list+`"); t_is_failure_route(); xlog("$rc\n"); }`)
	check := func(want ...string) {
		t.Helper()
		var got []string
		for _, l := range strings.Split(s.Log(), "\n") {
			if _, x, ok := strings.Cut(l, "<script>: "); ok {
				got = append(got, x)
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	s.Receive(modtest.Request("INVITE", "sip:bob@example.com"))
	check("none <null> 0", "-1", "branch 0 0 100 100 [] [] 0 <null>", "1", "-1", "1")
	var invite modtest.Sent
	for _, x := range s.Sent() {
		if strings.HasPrefix(x.Text, "INVITE ") {
			invite = x
		}
	}
	reply := "SIP/2.0 486 Busy Here\r\n"
	for _, l := range strings.Split(invite.Text, "\r\n")[1:] {
		switch name, _, _ := strings.Cut(l, ":"); name {
		case "Via", "From", "To", "Call-ID", "CSeq":
			reply += l + "\r\n"
		}
	}
	s.ReceiveFrom(reply+"Content-Length: 0\r\n\r\n", invite.To, s.Proc.Net.Sockets[0])
	check("reply 0 0 486 486 [Busy Here] [486] 0 16", "1", "-1", "failure 1 1 486 486 [Busy Here] [] 0 16", "1")
}
