package tm_test

import (
	"strings"
	"testing"
	"time"

	"kahea/modules/lib/modtest"
)

// TestCallIDCSeqMatching: a reply whose Via branch has another value than ours finds its request by Call-ID and CSeq, if that is asked for.
func TestCallIDCSeqMatching(t *testing.T) {
	for _, tc := range []struct{ name, par, want string }{
		{"by branch", "", "bob OPTIONS"}, // its transaction does not know of the reply
		{"by call", `modparam("tm", "callid_cseq_matching", 1)`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+tc.par+"\nrequest_route { t_relay(); }")
			p.ask("OPTIONS")
			p.want("bob OPTIONS")
			reply := replyTo(p.last["bob"], "bob", "", 200)
			md5 := strings.Split(reply[strings.Index(reply, "z9hG4bK"):], ".")[1]
			p.Receive(strings.Replace(reply, md5, strings.Repeat("0", 32), 1))
			p.want("alice 200") // without its transaction as a reply that is only passed on
			p.Advance(time.Second / 2)
			p.want(tc.want)
			p.answer("bob", 200)
			p.sent()
			p.gone()
		})
	}
}

// TestDelayedReply: with 0 the answer to a t_relay that fails has left before the script goes on.
func TestDelayedReply(t *testing.T) {
	for _, tc := range []struct{ par, want string }{
		{"1", "202"}, // the script's
		{"0", "500"},
	} {
		t.Run(tc.par, func(t *testing.T) {
			p := start(t, load+`modparam("tm", "delayed_reply", `+tc.par+`)
request_route { t_on_branch("B"); if (!t_relay()) t_reply("202", "Mine"); }
branch_route[B] { drop; }`)
			p.ask("OPTIONS")
			out := p.Sent()
			if len(out) != 1 || !strings.HasPrefix(out[0].Text, "SIP/2.0 "+tc.want) {
				t.Errorf("sent %+v, want one %s", out, tc.want)
			}
		})
	}
}

// TestContactsByWeight: mode 1 tries one after the other, also when all have the same q; each comes first now and then, and what has no q comes last.
func TestContactsByWeight(t *testing.T) {
	p := start(t, load+`modparam("tm", "contacts_avp", "c")
request_route {
	$ru = "sip:m@h"; append_branch("sip:a@h", "0.5"); append_branch("sip:b@h", "0.5");
	t_load_contacts("1");
	t_next_contacts(); $var(l) = $rU;
	t_next_contacts(); $var(l) = $var(l) + $rU;
	t_next_contacts(); $var(l) = $var(l) + $rU;
	t_next_contacts(); append_to_reply("X-List: $var(l) $rc\r\n"); sl_send_reply("202", "OK");
}`)
	seen := map[string]bool{}
	for range 64 { // both orders come up, but once in 2^63 runs
		p.ask("OPTIONS")
		out := p.Sent()
		if len(out) != 1 {
			t.Fatalf("sent %+v", out)
		}
		seen[header(out[0].Text, "X-List")] = true
	}
	if len(seen) != 2 || !seen["abm -2"] || !seen["bam -2"] {
		t.Errorf("orders %v", seen)
	}
}

func TestContactsMode(t *testing.T) {
	p := start(t, load+`modparam("tm", "contacts_avp", "c")
request_route { append_branch("sip:a@h", "0.5"); t_load_contacts("2"); append_to_reply("X-RC: $rc\r\n"); sl_send_reply("202", "OK"); }`)
	p.ask("OPTIONS")
	if out := p.Sent(); len(out) != 1 || header(out[0].Text, "X-RC") != "-1" {
		t.Errorf("sent %+v", out)
	}
	if _, err := modtest.Load(t, load+`event_route[tm:branch-failure:B] { t_next_contact_flow(); } request_route { t_on_branch_failure("B"); }`); err == nil ||
		!strings.Contains(err.Error(), "contact_flows_avp has to be set") {
		t.Errorf("t_next_contact_flow without contact_flows_avp: %v", err)
	}
}
