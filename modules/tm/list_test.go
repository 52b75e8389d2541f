package tm_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestCommands: what an operator asks about transactions, and does to them.
func TestCommands(t *testing.T) {
	rpc := func(p *phone, name string, params ...any) string {
		t.Helper()
		out, err := p.RPC(name, params...)
		if err != nil {
			return err.Error()
		}
		return out
	}
	p := start(t, load+`request_route { if ($rU == "own") { t_newtran(); exit; } t_newtran(); t_relay(); }
event_route[tm:local-response] { log(1, "sent $rs $rr $ci\n"); xlog("L_ERR", "sent $rs $rr $ci\n"); }`+"\n"+`loadmodule "xlog.so"`)
	p.ask("INVITE")
	p.want("alice 100, bob INVITE")
	out := rpc(p, "tm.list")
	for _, w := range []string{`tindex: \d+`, `tlabel: \d+`, `method: INVITE`, `from: From: <sip:alice@example\.com>;tag=a1`, `callid: Call-ID: call-1@127\.0\.0\.1`, `cseq: CSeq: 1`,
		`uas_request: yes`, `outgoings: 1`} {
		if !regexp.MustCompile(`(?m)^\t` + w + `$`).MatchString(out) {
			t.Errorf("tm.list lacks %s:\n%s", w, out)
		}
	}
	id := regexp.MustCompile(`tindex: (\d+)\n\ttlabel: (\d+)`).FindStringSubmatch(out)
	if out := rpc(p, "tm.hash_stats"); !strings.Contains(out, "buckets: 65536\n\tused: 1\n\tlongest: 1\n\ttransactions: 1\n") {
		t.Errorf("tm.hash_stats: %s", out)
	}
	if got := rpc(p, "tm.retransmit_reply_callid", "call-1@127.0.0.1", "1"); got != "" {
		t.Error(got)
	}
	p.want("alice 100")
	p.Log()
	if got := rpc(p, "tm.reply", 480, "Later", id[1]+":"+id[2], "tag1", "X-Reply: 1", "body"); got != "" {
		t.Error(got)
	}
	p.want("alice 480")
	last := p.up[len(p.up)-1].Text
	for _, w := range []string{"SIP/2.0 480 Later\r\n", ";tag=tag1\r\n", "\r\nX-Reply: 1\r\n", "Content-Length: 4\r\n\r\nbody"} {
		if !strings.Contains(last, w) {
			t.Errorf("reply lacks %q:\n%s", w, last)
		}
	}
	if log := p.Log(); !strings.Contains(log, "sent 480 Later call-1@127.0.0.1") {
		t.Errorf("the event route logged %q", log)
	}
	var index, label int
	fmt.Sscan(id[1]+" "+id[2], &index, &label)
	if got := rpc(p, "tm.retransmit_reply", index, label); got != "" {
		t.Error(got)
	}
	p.want("alice 480")
	p.ack()
	for name, x := range map[string]struct {
		params []any
		want   string
	}{
		"unknown transaction": {[]any{"tm.reply", 200, "OK", "1:2", "", "", ""}, "481 No such transaction"},
		"no transaction's ID": {[]any{"tm.reply", 200, "OK", "x", "", "", ""}, "400"},
		"code":                {[]any{"tm.reply", 99, "OK", "1:2", "", "", ""}, "400"},
		"final reply twice":   {[]any{"tm.reply", 200, "OK", id[1] + ":" + id[2], "", "", ""}, "500"},
		"unknown Call-ID":     {[]any{"tm.retransmit_reply_callid", "x", "1"}, "404"},
		"unknown index":       {[]any{"tm.retransmit_reply", 1, 2}, "404"},
	} {
		if got := rpc(p, x.params[0].(string), x.params[1:]...); !strings.Contains(got, x.want) { //nolint:forcetypeassert // it is a name
			t.Errorf("%s: %q, want %s", name, got, x.want)
		}
	}
	p.answer("bob", 487)
	p.want("bob ACK")
	p.gone()
}

// TestSilentTimeout: with noisy_ctimer 0 an INVITE to one branch that says nothing ends without an answer.
func TestSilentTimeout(t *testing.T) {
	p := start(t, load+`modparam("tm", "noisy_ctimer", 0)
modparam("tm", "fr_timer", 400)
request_route { t_relay(); }`)
	p.ask("INVITE")
	p.want("alice 100, bob INVITE")
	p.after(7*tick, "")
	p.Advance(10 * time.Second)
	p.want("")
	p.gone()
}
