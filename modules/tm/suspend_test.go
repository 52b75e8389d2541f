package tm_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"kahea/cfglang/route"
	_ "kahea/modules/cfgutils"
	"kahea/modules/lib/modtest"
)

// slow is a Host that has to look every name up (bob's address comes out), and whose sleeping scripts wake when the test says so.
type slow struct {
	route.Host
	wake []func()
}

func (s *slow) Resolve(n route.Name) (route.Place, bool, func() (route.Place, error)) {
	return route.Place{}, false, func() (route.Place, error) {
		return route.Place{Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), n.Port), Proto: n.Proto}, nil
	}
}

func (s *slow) After(_ time.Duration, done func()) { s.wake = append(s.wake, done) }

// next wakes the script that has slept longest.
func (s *slow) next() {
	f := s.wake[0]
	s.wake = s.wake[1:]
	f()
}

func startSlow(t *testing.T, cfg string) (*phone, *slow) {
	p := start(t, cfg)
	h := &slow{Host: p.Proc.Host}
	p.Proc.Host = h
	return p, h
}

// receive takes a message in and leaves the scripts that wait alone.
func (p *phone) receive(msg string) {
	sock := p.Proc.Net.Sockets[0]
	p.Proc.Receive([]byte(modtest.CRLF(msg)), route.Recv{Src: modtest.Peer, Dst: sock.Addr, Sock: sock, Proto: sock.Proto}, func() func() { return func() {} })
}

// byName is a request whose target has to be looked up.
func byName(method string) string { return request(method, "sip:bob@bob.example.com:6001") }

// TestLookupInRelay: t_relay waits for a name. Meanwhile the request's repetition and its CANCEL come.
func TestLookupInRelay(t *testing.T) {
	cfg := load + `request_route { if (method=="ACK") { t_check_trans(); exit; } t_on_failure("F"); t_relay(); }
failure_route[F] { if (t_check_status("486")) { $ru = "sip:bob@carol.example.com:6002"; t_relay(); } }`
	t.Run("goes on", func(t *testing.T) {
		p, _ := startSlow(t, cfg)
		p.receive(byName("INVITE"))
		p.want("alice 100")
		p.receive(byName("INVITE"))
		p.want("alice 100")
		p.Drain()
		p.want("bob INVITE")
		p.answer("bob", 200)
		p.want("alice 200")
		p.gone()
	})
	t.Run("cancelled meanwhile", func(t *testing.T) {
		p, _ := startSlow(t, cfg)
		p.receive(byName("INVITE"))
		p.want("alice 100")
		p.receive(byName("CANCEL"))
		p.want("alice 200")
		p.Drain()
		p.want("alice 487")
		if up := p.up[len(p.up)-1].Text; !strings.HasPrefix(up, "SIP/2.0 487 Transaction canceled (487/TM)\r\n") { // Kamailio's
			t.Errorf("the INVITE was answered\n%s", up)
		}
		p.ack()
		p.gone()
	})
	t.Run("cancelled while the failure route looks up", func(t *testing.T) {
		p, _ := startSlow(t, cfg)
		p.receive(request("INVITE", "sip:bob@"+bob))
		p.want("alice 100, bob INVITE")
		p.receive(replyTo(p.last["bob"], "bob", "", 486))
		p.want("bob ACK")
		p.receive(request("CANCEL", "sip:bob@"+bob))
		p.want("alice 200")
		p.Drain()
		p.want("alice 486")
		p.ack()
		p.gone()
	})
}

// TestTooManyWait: what would wait over the bound is answered 503, through its transaction if it has one, or not at all.
func TestTooManyWait(t *testing.T) {
	cfg := load + `
loadmodule "cfgutils.so"
request_route {
	if (method=="ACK") { if (!t_check_trans()) sleep("1"); exit; }
	if (method=="INVITE") t_newtran();
	if (method=="INFO") t_on_failure("F");
	if (method=="PUBLISH") { t_on_branch("B"); t_on_failure("F"); }
	if (method=="MESSAGE" || method=="INVITE") {
		sleep("1");
		t_send_reply("404", "Not here");
		exit;
	}
	t_relay();
	if (method=="PUBLISH") sl_send_reply("599", "The script goes on");
}
failure_route[F] { sleep("1"); t_reply("404", "Not here"); }
branch_route[B] { sleep("1"); }`
	for _, tc := range []struct {
		name, msg string
		reply     int // of bob's
		policy    route.Refusal
		want      string
	}{
		{"no transaction", request("MESSAGE", "sip:bob@"+bob), 0, route.RefuseReply, "alice 503"},
		{"a transaction", request("INVITE", "sip:bob@"+bob), 0, route.RefuseReply, "alice 503"},
		{"an ACK", request("ACK", "sip:bob@"+bob), 0, route.RefuseReply, ""},
		{"a name in t_relay", byName("SUBSCRIBE"), 0, route.RefuseReply, "alice 503"},
		{"in a branch route", request("PUBLISH", "sip:bob@"+bob), 0, route.RefuseReply, "alice 503"},
		{"in a failure route", request("INFO", "sip:bob@"+bob), 486, route.RefuseReply, "bob INFO, alice 503"},
		{"drop, no transaction", request("MESSAGE", "sip:bob@"+bob), 0, route.RefuseDrop, ""},
		{"drop, a transaction", request("INVITE", "sip:bob@"+bob), 0, route.RefuseDrop, ""},
		{"drop, a name in t_relay", byName("SUBSCRIBE"), 0, route.RefuseDrop, ""},
		{"drop, in a branch route", request("PUBLISH", "sip:bob@"+bob), 0, route.RefuseDrop, ""},
		{"drop, in a failure route", request("INFO", "sip:bob@"+bob), 486, route.RefuseDrop, "bob INFO, alice 486"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, h := startSlow(t, cfg)
			p.Proc.Runner.Max, p.Proc.Par.Refusal = 1, tc.policy
			p.receive(strings.ReplaceAll(request("MESSAGE", "sip:first@"+bob), "call-1", "call-0")) // waits
			p.receive(tc.msg)
			got := p.sent()
			if tc.reply != 0 {
				p.receive(replyTo(p.last["bob"], "bob", "", tc.reply))
				got += ", " + p.sent()
			}
			if got != tc.want {
				t.Errorf("sent %q, want %q", got, tc.want)
			}
			if n := len(p.up); n > 0 && strings.Contains(tc.want, "503") {
				if up := p.up[n-1].Text; !strings.Contains(up, "\r\nRetry-After: 5\r\n") || !strings.Contains(up, ";tag=") {
					t.Errorf("the answer lacks Retry-After or a tag:\n%s", up)
				}
			}
			if n := p.Proc.Counts.Sum(p.Proc.Stat.SuspendRefused); n != 1 {
				t.Errorf("%d are counted as refused, want 1", n)
			}
			h.next() // the first one was not touched
			if p.want("alice 404"); len(h.wake) != 0 {
				t.Errorf("%d scripts wait still", len(h.wake))
			}
			p.gone()
		})
	}
}
