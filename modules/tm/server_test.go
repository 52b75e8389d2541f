package tm_test

import (
	"strings"
	"testing"
	"time"

	"kahea/modules/lib/modtest"
)

// TestFinalReply follows the answering side (RFC 3261 17.2): what is repeated, what the ACK and the request's repetition do.
func TestFinalReply(t *testing.T) {
	cfg := load + `request_route {
	if (is_present_hf("X-Code")) { t_newtran(); t_reply("$hdr(X-Code)", "Text"); exit; }
	t_relay();
}`
	t.Run("negative to an INVITE until the ACK", func(t *testing.T) {
		p := start(t, cfg)
		p.ask("INVITE", "X-Code: 486")
		p.want("alice 486")
		p.after(500*time.Millisecond, "alice 486")
		p.after(time.Second, "alice 486")
		p.ask("INVITE", "X-Code: 486")
		p.want("alice 486")
		p.ack()
		p.want("")
		p.Advance(4 * time.Second)
		p.want("")
		p.gone()
	})
	t.Run("negative to an INVITE without an ACK", func(t *testing.T) {
		p := start(t, cfg)
		p.ask("INVITE", "X-Code: 486")
		p.Advance(10 * time.Minute)
		n := strings.Count(p.sent(), "alice 486")
		if n != 10 { // at 0, .5, 1.5, 3.5, and each 4 s until fr_timer has run out
			t.Errorf("sent %d times, want 10", n)
		}
		p.gone()
	})
	t.Run("own 2xx to an INVITE until the ACK", func(t *testing.T) {
		p := start(t, cfg)
		p.ask("INVITE", "X-Code: 200")
		p.want("alice 200")
		p.after(500*time.Millisecond, "alice 200")
		p.ack2()
		p.want("")
		p.Advance(4 * time.Second)
		p.want("")
		p.gone()
	})
	t.Run("relayed 2xx to an INVITE", func(t *testing.T) {
		p := start(t, cfg)
		p.ask("INVITE")
		p.sent()
		p.answer("bob", 200)
		p.want("alice 200")
		p.Advance(4 * time.Second)
		p.want("")
		p.gone()
	})
	t.Run("to a MESSAGE", func(t *testing.T) {
		p := start(t, cfg)
		p.ask("MESSAGE", "X-Code: 404")
		p.want("alice 404")
		p.Advance(4 * time.Second)
		p.want("")
		p.ask("MESSAGE", "X-Code: 404")
		p.want("alice 404")
		p.gone()
	})
	t.Run("after the wait time the request is a new one", func(t *testing.T) {
		p := start(t, cfg)
		p.ask("MESSAGE")
		p.want("bob MESSAGE")
		p.answer("bob", 200)
		p.want("alice 200")
		p.Advance(5*time.Second - tick)
		p.ask("MESSAGE")
		p.want("alice 200")
		p.Advance(tick)
		p.ask("MESSAGE")
		p.want("bob MESSAGE")
		p.gone()
	})
	t.Run("relayed negative", func(t *testing.T) {
		p := start(t, cfg)
		p.ask("INVITE")
		p.want("alice 100, bob INVITE")
		p.answer("bob", 404)
		p.want("bob ACK, alice 404")
		p.after(500*time.Millisecond, "alice 404")
		p.answer("bob", 404)
		p.want("bob ACK")
		p.ack()
		p.want("")
		p.gone()
	})
}

// TestRequestRepeated answers a repetition with the newest reply.
func TestRequestRepeated(t *testing.T) {
	for _, tc := range []struct {
		name   string
		method string
		codes  []int
		want   string
	}{
		{"INVITE, own 100", "INVITE", nil, "alice 100"},
		{"INVITE, 100 of bob's", "INVITE", []int{100}, "alice 100"},
		{"INVITE, 180", "INVITE", []int{180}, "alice 180"},
		{"INVITE, 183 behind 180", "INVITE", []int{180, 183}, "alice 183"},
		{"INVITE, 200", "INVITE", []int{180, 200}, "alice 200"},
		{"MESSAGE, nothing", "MESSAGE", nil, ""},
		{"MESSAGE, 202", "MESSAGE", []int{202}, "alice 202"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, plain)
			p.ask(tc.method)
			for _, c := range tc.codes {
				p.answer2(c)
			}
			p.sent()
			p.ask(tc.method)
			p.want(tc.want)
			p.gone()
		})
	}
}

func (p *phone) answer2(code int) { p.sent(); p.answer("bob", code) }

// TestOwn100 says when an INVITE is answered 100 at once.
func TestOwn100(t *testing.T) {
	for _, tc := range []struct{ name, par, script, want string }{
		{"default", "", `t_relay();`, "alice 100, bob INVITE"},
		{"parameter off", `modparam("tm", "auto_inv_100", 0)`, `t_relay();`, "bob INVITE"},
		{"t_set_auto_inv_100 off", "", `t_set_auto_inv_100("0"); t_relay();`, "bob INVITE"},
		{"the script has answered", "", `t_newtran(); t_reply("183", "Wait"); t_relay();`, "alice 183, bob INVITE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+tc.par+"\nrequest_route { "+tc.script+" }")
			p.ask("INVITE")
			p.want(tc.want)
			p.gone()
		})
	}
	t.Run("a 100 of the branch", func(t *testing.T) {
		for _, tc := range []struct{ par, want string }{{"0", ""}, {"1", "alice 100"}} {
			p := start(t, load+"modparam(\"tm\", \"relay_100\", "+tc.par+")\nrequest_route { t_relay(); }")
			p.ask("INVITE")
			p.sent()
			p.answer("bob", 100)
			p.want(tc.want)
			p.gone()
		}
	})
}

// TestScriptEnds says what becomes of a transaction that the script has made.
func TestScriptEnds(t *testing.T) {
	for _, tc := range []struct{ name, script, want, log string }{
		{"left alone", `t_newtran();`, "", "WARNING: tm: script writer didn't release transaction\n"},
		{"released", `t_newtran(); t_release();`, "", ""},
		{"answered", `t_newtran(); t_reply("404", "No");`, "alice 404", ""},
		{"answered by t_send_reply", `t_send_reply("404", "No");`, "alice 404", ""},
		{"t_reply without one", `t_reply("404", "No");`, "", "ERROR: tm [test.cfg:7]: t_reply: there is no transaction\n"},
		{"send_reply with one", `t_newtran(); send_reply("404", "No");`, "alice 404", ""},
		{"answered twice", `t_newtran(); t_reply("404", "No"); t_reply("405", "No");`, "alice 404", "ERROR: tm [test.cfg:7]: a final reply was already sent: 405 dropped\n"},
		{"two provisional", `t_newtran(); t_reply("181", "A"); t_reply("183", "B"); t_reply("404", "No");`, "alice 181, alice 183, alice 404", ""},
		{"made twice", `t_newtran(); if (!t_newtran()) t_reply("404", "No");`, "alice 404", "ERROR: tm [test.cfg:7]: t_newtran: the transaction exists already\n"},
		{"relay fails", `$ru = "sip:x@nowhere.invalid"; t_relay();`, "alice 478", ""},
		{"relay fails, the script answers", `$ru = "sip:x@nowhere.invalid"; if (!t_relay()) t_reply("404", "No");`, "alice 404", ""},
		{"t_set_disable_internal_reply", `$ru = "sip:x@nowhere.invalid"; t_set_disable_internal_reply("1"); t_relay();`, "", ""},
		{"code without sense", `t_newtran(); t_reply("77", "No");`, "alice 500", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+"request_route { "+tc.script+" }")
			p.ask("MESSAGE")
			p.want(tc.want)
			log := p.Log()
			if tc.log != "" && !strings.HasPrefix(log, tc.log) {
				t.Errorf("log %q, want %q", log, tc.log)
			}
			p.gone()
		})
	}
}

// TestAck sends ACKs to what was answered: negative ones end here, others go on without a transaction.
func TestAck(t *testing.T) {
	t.Run("to a 2xx", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.answer("bob", 200)
		p.want("alice 200")
		p.Receive(strings.Replace(request("ACK", "sip:bob@"+bob), "z9hG4bK-1", "z9hG4bK-2", 1))
		p.want("bob ACK")
		p.Receive(strings.Replace(request("ACK", "sip:bob@"+bob), "z9hG4bK-1", "z9hG4bK-2", 1))
		p.want("bob ACK")
		p.gone()
	})
	t.Run("to a negative reply", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.answer("bob", 603)
		p.want("bob ACK, alice 603")
		p.ack()
		p.ack()
		p.want("")
		p.gone()
	})
	t.Run("to nothing", func(t *testing.T) {
		p := start(t, plain)
		p.Receive(request("ACK", "sip:bob@"+bob))
		p.want("bob ACK")
		p.gone()
	})
	t.Run("to the branch it belongs to", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.answer("bob", 486)
		for _, m := range p.Sent() {
			if !strings.HasPrefix(m.Text, "ACK ") {
				continue
			}
			inv := p.last["bob"]
			for _, name := range []string{"From", "Call-ID"} {
				if header(m.Text, name) != header(inv, name) {
					t.Errorf("%s of the ACK is %q, want %q", name, header(m.Text, name), header(inv, name))
				}
			}
			if got := header(m.Text, "To"); got != "<sip:bob@example.com>;tag=bob" {
				t.Errorf("To of the ACK is %q, want that of the reply", got)
			}
			if got, want := header(m.Text, "Via"), header(inv, "Via"); got != want {
				t.Errorf("Via of the ACK is %q, want %q", got, want)
			}
			if got := strings.Count(m.Text, "\r\nVia: "); got != 1 {
				t.Errorf("the ACK has %d Vias, want 1", got)
			}
		}
		p.gone()
	})
}

// TestOldStyle matches requests without the magic cookie (RFC 2543).
func TestOldStyle(t *testing.T) {
	old := func(method string) string {
		return strings.Replace(request(method, "sip:bob@"+bob), ";branch=z9hG4bK-1", "", 1)
	}
	p := start(t, plain)
	p.Receive(old("INVITE"))
	p.want("alice 100, bob INVITE")
	p.Receive(old("INVITE"))
	p.want("alice 100")
	p.answer("bob", 486)
	p.want("bob ACK, alice 486")
	p.Receive(old("ACK"))
	p.Advance(3 * time.Second)
	p.want("")
	p.gone()
}

// TestStream sends no repetitions where the transport is reliable.
func TestStream(t *testing.T) {
	p := start(t, "listen=udp:127.0.0.1:5060\nlisten=tcp:127.0.0.1:5060\n"+load+`request_route {
	if (is_present_hf("X-Code")) { t_newtran(); t_reply("$hdr(X-Code)", "Text"); exit; }
	t_relay();
}`)
	tcp := p.Proc.Net.Sockets[1]
	p.ReceiveFrom(request("INVITE", "sip:bob@"+bob, "X-Code: 486"), modtest.Peer, tcp)
	p.want("alice 486")
	p.Advance(10 * time.Second)
	p.want("")
	p.Advance(time.Minute)
	p.ReceiveFrom(request("INVITE", "sip:bob@"+bob+";transport=tcp"), modtest.Peer, tcp)
	p.want("alice 100, bob INVITE")
	p.Advance(30*time.Second - tick)
	p.want("")
	p.Advance(tick)
	p.want("alice 408")
	p.gone()
}
