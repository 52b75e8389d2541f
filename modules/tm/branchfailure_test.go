package tm_test

import (
	"strings"
	"testing"
)

// branchFailure relays to bob and carol; a branch that fails goes on at dave.
const branchFailure = load + `
request_route {
	if (method=="CANCEL") { t_relay(); exit; }
	if (method=="ACK") { t_check_trans(); exit; }
	append_branch("sip:carol@127.0.0.1:6002");
	t_on_branch_failure("B");
	t_on_failure("F");
	t_relay();
}
event_route[tm:branch-failure:B] {
	if (t_check_status("40[0-9]")) exit;
	append_hf("X-Branch: again\r\n");
	$ru = "sip:dave@127.0.0.1:6003";
	t_relay();
}
failure_route[F] { log(1, "failure\n"); t_reply("480", "None"); }`

// TestBranchFailure: what a branch-failure route adds belongs to the transaction, and the failure route runs once all have ended.
func TestBranchFailure(t *testing.T) {
	t.Run("goes on", func(t *testing.T) {
		p := start(t, branchFailure)
		p.ask("INVITE")
		p.want("alice 100, bob INVITE, carol INVITE")
		p.answer("bob", 486)
		p.want("bob ACK, dave INVITE")
		if got := header(p.last["dave"], "X-Branch"); got != "again" {
			t.Errorf("dave's INVITE has X-Branch %q", got)
		}
		p.answer("carol", 404) // the route adds nothing
		p.want("carol ACK")
		p.answer("dave", 486) // armed for the first two only
		p.want("dave ACK, alice 480")
		p.ack()
		p.gone()
	})
	t.Run("answered", func(t *testing.T) {
		p := start(t, branchFailure)
		p.ask("INVITE")
		p.want("alice 100, bob INVITE, carol INVITE")
		p.answer("carol", 180)
		p.want("alice 180")
		p.answer("bob", 486)
		p.want("bob ACK, dave INVITE")
		p.answer("dave", 200)
		p.want("alice 200, carol CANCEL")
		p.answerTo("carol", "CANCEL", 200)
		p.answer("carol", 487) // no route runs behind the answer
		p.want("carol ACK")
		p.gone()
	})
}

// TestBranchFailureWaits: while the route of one branch waits, the other one's end is not the end of the transaction, and its answer is an answer.
func TestBranchFailureWaits(t *testing.T) {
	cfg := strings.Replace(branchFailure, "append_hf(", `sleep("1"); append_hf(`, 1)
	cfg = strings.Replace(cfg, "request_route", "loadmodule \"cfgutils.so\"\nrequest_route", 1)
	begin := func(t *testing.T) (*phone, *slow) {
		p, s := startSlow(t, cfg)
		p.receive(request("INVITE", "sip:bob@"+bob))
		p.want("alice 100, bob INVITE, carol INVITE")
		p.receive(replyTo(p.last["bob"], "bob", "", 486))
		p.want("bob ACK")
		return p, s
	}
	t.Run("the other one fails", func(t *testing.T) {
		p, s := begin(t)
		p.receive(replyTo(p.last["carol"], "carol", "", 404))
		p.want("carol ACK")
		s.next()
		p.want("dave INVITE")
		p.answer("dave", 200)
		p.want("alice 200")
		p.gone()
	})
	t.Run("the other one answers", func(t *testing.T) {
		p, s := begin(t)
		p.receive(replyTo(p.last["carol"], "carol", "", 200))
		p.want("alice 200")
		s.next()
		p.want("")
		p.gone()
	})
	t.Run("cancelled", func(t *testing.T) {
		p, s := begin(t)
		p.receive(replyTo(p.last["carol"], "carol", "", 404))
		p.want("carol ACK")
		p.receive(request("CANCEL", "sip:bob@"+bob))
		p.want("alice 200")
		s.next()
		p.want("alice 480")
		p.ack()
		p.gone()
	})
}

// TestBranchFailureLeaves: flags and attributes that the route sets are there in the failure route.
func TestBranchFailureLeaves(t *testing.T) {
	p := start(t, load+`
request_route {
	if (method=="ACK") { t_check_trans(); exit; }
	t_on_branch_failure("B");
	t_on_failure("F");
	t_relay();
}
event_route[tm:branch-failure:B] { setflag(5); $avp(x) = "kept"; }
failure_route[F] { if (isflagset(5) && $avp(x) == "kept") t_reply("480", "Both"); }`)
	p.ask("INVITE")
	p.want("alice 100, bob INVITE")
	p.answer("bob", 486)
	p.want("bob ACK, alice 480")
	p.ack()
	p.gone()
}

// TestLocalMaxForwards: a request of our own has one Max-Forwards, that of the lines if they say one.
func TestLocalMaxForwards(t *testing.T) {
	p := start(t, load+`request_route { t_uac_send("OPTIONS", "sip:bob@127.0.0.1:6001", "", "", "From: <sip:a@h>\r\nTo: <sip:b@h>\r\nmax-forwards: 5\r\n", ""); }`)
	p.ask("OPTIONS")
	p.want("bob OPTIONS")
	if m := strings.ToLower(p.last["bob"]); strings.Count(m, "max-forwards:") != 1 || !strings.Contains(m, "max-forwards: 5") {
		t.Errorf("bob got\n%s", m)
	}
	p.answer("bob", 200)
	p.want("")
	p.gone()
}
