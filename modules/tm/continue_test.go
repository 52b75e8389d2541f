package tm_test

import (
	"strings"
	"testing"
	"time"

	_ "kahea/modules/tmx"
)

// suspends keeps its INVITEs; a MESSAGE continues the last of them at the route that its user names.
const suspends = load + `
loadmodule "tmx.so"
modparam("tm", "fr_timer", 2000)
request_route {
	if (method == "ACK") { t_check_trans(); exit; }
	if (method == "CANCEL") { t_relay(); exit; }
	if (method == "MESSAGE") { t_continue("$shv(i)", "$shv(l)", "$rU"); append_to_reply("X-RC: $rc\r\n"); sl_send_reply("202", "OK"); exit; }
	append_hf("X-Edit: kept\r\n");
	$avp(a) = "avp";
	t_on_failure("F");
	t_suspend();
	$shv(i) = $T(id_index); $shv(l) = $T(id_label);
}
route[RELAY] { append_hf("X-A: $avp(a)\r\n"); $ru = "sip:bob@127.0.0.1:6001"; t_relay(); }
route[BUSY] { t_reply("486", "Busy"); }
route[EMPTY] { $var(x) = 1; }
failure_route[F] { append_to_reply("X-Failed: $T(reply_code)\r\n"); if ($T(reply_code) == 408) t_reply("480", "Gone"); }
`

// goOn continues at a route and says what t_continue returned.
func (p *phone) goOn(route string) string {
	p.t.Helper()
	p.Receive(strings.ReplaceAll(request("MESSAGE", "sip:"+route+"@h"), "z9hG4bK", "z9hG4bK"+route))
	out := p.Sent()
	for i, m := range out {
		if strings.HasPrefix(m.Text, "SIP/2.0 202") {
			p.rest = append(out[:i:i], out[i+1:]...)
			return header(m.Text, "X-RC")
		}
	}
	p.t.Fatalf("no 202 in %+v", out)
	return ""
}

func (p *phone) others() string {
	var l []string
	for _, m := range p.rest {
		first, _, _ := strings.Cut(m.Text, "\r\n")
		f := strings.Fields(first)
		what := f[0]
		if what == "SIP/2.0" {
			what = f[1]
		} else {
			p.last[names[m.To.String()]] = m.Text
		}
		l = append(l, names[m.To.String()]+" "+what)
	}
	return strings.Join(l, ", ")
}

func TestSuspendAndContinue(t *testing.T) {
	p := start(t, suspends)
	p.ask("INVITE")
	p.want("alice 100")
	p.Carry() // an upgrade in between
	p.ask("INVITE")
	p.want("alice 100")
	if rc := p.goOn("RELAY"); rc != "1" {
		t.Errorf("t_continue returned %s", rc)
	}
	if got := p.others(); got != "bob INVITE" {
		t.Errorf("sent %s", got)
	}
	if m := p.last["bob"]; header(m, "X-Edit") != "kept" || header(m, "X-A") != "avp" {
		t.Errorf("edits and attributes are lost:\n%s", m)
	}
	if rc := p.goOn("BUSY"); rc != "-1" {
		t.Errorf("t_continue of a transaction that goes on returned %s", rc)
	}
	p.answer("bob", 486)
	p.want("bob ACK, alice 486")
	p.ack()
	p.gone()
}

func TestSuspendedEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(p *phone)
		want string
	}{
		{"by its timer", func(p *phone) { p.Advance(2 * time.Second) }, "alice 480"},
		{"by a CANCEL", func(p *phone) { p.ask("CANCEL") }, "alice 487, alice 200"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, suspends)
			p.ask("INVITE")
			p.want("alice 100")
			tc.do(p)
			p.want(tc.want)
			if rc := p.goOn("RELAY"); rc != "-1" || p.others() != "" {
				t.Errorf("t_continue returned %s and sent %q", rc, p.others())
			}
			p.ack()
			p.gone()
		})
	}
}

func TestContinuedRouteDoesNothing(t *testing.T) {
	p := start(t, suspends)
	p.ask("INVITE")
	p.want("alice 100")
	if rc := p.goOn("EMPTY"); rc != "1" || p.others() != "alice 500" {
		t.Errorf("t_continue returned %s and sent %q", rc, p.others())
	}
	p.ack()
	p.gone()
}

func TestContinueNoRoute(t *testing.T) {
	p := start(t, suspends)
	p.ask("INVITE")
	p.want("alice 100")
	if rc := p.goOn("NOTHERE"); rc != "-1" {
		t.Errorf("t_continue returned %s", rc)
	}
	if rc := p.goOn("BUSY"); rc != "1" || p.others() != "alice 486" {
		t.Errorf("t_continue returned %s and sent %q", rc, p.others())
	}
	p.ack()
	p.gone()
}

func TestCommandsByCallID(t *testing.T) {
	p := start(t, plain)
	p.ask("INVITE")
	p.want("alice 100, bob INVITE")
	p.answer("bob", 180)
	p.want("alice 180")
	id := header(p.last["bob"], "Call-ID")
	if _, err := p.RPC("tm.cancel", "other", "1"); err == nil {
		t.Error("tm.cancel of nothing has no error")
	}
	if _, err := p.RPC("tm.cancel", id, "1"); err != nil {
		t.Error(err)
	}
	p.want("bob CANCEL")
	if _, err := p.RPC("tm.reply_callid", id, "1", 99, "x"); err == nil {
		t.Error("tm.reply_callid with 99 has no error")
	}
	if _, err := p.RPC("tm.reply_callid", id, "1", 486, "Busy"); err != nil {
		t.Error(err)
	}
	p.want("alice 486")
	if _, err := p.RPC("tm.reply_callid", id, "1", 486, "Busy"); err == nil {
		t.Error("a second final reply has no error")
	}
	p.answerTo("bob", "CANCEL", 200)
	p.answer("bob", 487)
	p.want("bob ACK")
	p.ack()
	p.gone()
}

// The suspension's timer ends with it: it does not end the call that was made of it.
func TestContinuedLivesOn(t *testing.T) {
	p := start(t, suspends)
	p.ask("INVITE")
	p.want("alice 100")
	p.goOn("RELAY")
	p.others()
	p.answer("bob", 180)
	p.want("alice 180")
	p.after(20*time.Second, "")
	p.answer("bob", 486)
	p.want("bob ACK, alice 486")
	p.ack()
	p.gone()
}
