package tm_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// TestFailover follows a request to a name with three addresses (RFC 3263 4.3): each failure goes on to the next address, in a branch of its own.
func TestFailover(t *testing.T) {
	const all = "use_dns_failover=yes\n" + load
	relay := func(s string) string { return all + "request_route { " + s + " }\n" }
	for _, tc := range []struct {
		name, cfg, unreachable, first string
		s                             script
		timeout                       []string // what leaves each time that fr_timer runs out
	}{
		{name: "503", cfg: relay("t_relay();"), first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, carol INVITE"}, {"carol 503", "carol ACK, dave INVITE"}, {"dave 200", "alice 200"}}},
		{name: "all answer 503", cfg: relay("t_relay();"), first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, carol INVITE"}, {"carol 503", "carol ACK, dave INVITE"}, {"dave 503", "dave ACK, alice 500"}}},
		{name: "another answer ends it", cfg: relay("t_relay();"), first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, carol INVITE"}, {"carol 404", "carol ACK, alice 404"}}},
		{name: "500 is an answer", cfg: relay("t_relay();"), first: "alice 100, bob INVITE", s: script{{"bob 500", "bob ACK, alice 500"}}},
		{name: "off", cfg: load + "request_route { t_relay(); }", first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, alice 500"}}},
		{name: "off for the transaction", cfg: relay(`t_set_disable_failover("1"); t_relay();`), first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, alice 500"}}},
		{name: "off for the relay", cfg: relay(`t_relay_to("4");`), first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, alice 500"}}},
		{name: "a proxy has no other address", cfg: relay(`t_relay_to("udp:three.test:6001");`), first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, alice 500"}}},
		{name: "the destination URI counts", cfg: relay(`$du = "sip:three.test"; $ru = "sip:x@nowhere.test"; t_relay();`), first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, carol INVITE"}, {"carol 200", "alice 200"}}},
		{name: "not sent", cfg: relay("t_relay();"), unreachable: bob, first: "alice 100, carol INVITE", s: script{{"carol 200", "alice 200"}}},
		{name: "two not sent", cfg: relay("t_relay();"), unreachable: bob + " " + carol, first: "alice 100, dave INVITE", s: script{{"dave 486", "dave ACK, alice 486"}}},
		{name: "none sent", cfg: relay(`if (!t_relay()) { t_reply("599", "None"); }`), unreachable: bob + " " + carol + " " + dave, first: "alice 100, alice 599"},
		{name: "not sent after a 503", cfg: relay("t_relay();"), unreachable: carol, first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, dave INVITE"}, {"dave 200", "alice 200"}}},
		{name: "max_branches", cfg: "max_branches=2\n" + relay("t_relay();"), first: "alice 100, bob INVITE", s: script{{"bob 503", "bob ACK, carol INVITE"}, {"carol 503", "carol ACK, alice 500"}}},
		{name: "the failure route comes last", cfg: all + "request_route { t_on_failure(\"F\"); t_relay(); }\nfailure_route[F] { t_reply(\"480\", \"F\"); }", first: "alice 100, bob INVITE",
			s: script{{"bob 503", "bob ACK, carol INVITE"}, {"carol 503", "carol ACK, dave INVITE"}, {"dave 503", "dave ACK, alice 480"}}},
		{name: "no answer", cfg: relay("t_relay();"), first: "alice 100, bob INVITE", timeout: []string{"carol INVITE", "dave INVITE", "alice 408"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, tc.cfg)
			p.Places = map[string][]route.Place{}
			for _, a := range []string{bob, carol, dave} {
				p.Places["three.test"] = append(p.Places["three.test"], route.Place{Addr: netip.MustParseAddrPort(a), Proto: sipparse.UDP})
			}
			p.Unreachable = map[string]bool{}
			for _, a := range strings.Fields(tc.unreachable) {
				p.Unreachable[a] = true
			}
			p.Receive(request("INVITE", "sip:bob@three.test"))
			p.want(tc.first)
			for _, x := range tc.s {
				who, code, _ := strings.Cut(x.answer, " ")
				p.answer(who, number(code))
				if got := p.sent(); got != x.want {
					t.Fatalf("%s: sent %q, want %q", x.answer, got, x.want)
				}
			}
			for _, want := range tc.timeout {
				p.Advance(30*time.Second - tick) // fr_timer
				last := p.sent()
				p.Advance(tick)
				if got := p.sent(); got != want {
					t.Fatalf("after the timeout, and %q before: sent %q, want %q", last, got, want)
				}
			}
			p.gone()
		})
	}
}

// TestFailoverRequest: the request goes on as it has left, with a Via of its own.
func TestFailoverRequest(t *testing.T) {
	p := start(t, "use_dns_failover=yes\n"+load+"request_route { t_on_branch(\"B\"); t_relay(); }\nbranch_route[B] { append_hf(\"X-Branch: first\\r\\n\"); }\n")
	for _, a := range []string{bob, carol} {
		p.Places = map[string][]route.Place{"two.test": append(p.Places["two.test"], route.Place{Addr: netip.MustParseAddrPort(a), Proto: sipparse.UDP})}
	}
	p.Receive(request("MESSAGE", "sip:bob@two.test"))
	p.want("bob MESSAGE")
	p.answer("bob", 503)
	p.want("carol MESSAGE")
	first, second := p.last["bob"], p.last["carol"]
	if header(first, "Via") == header(second, "Via") || strings.Replace(first, header(first, "Via"), header(second, "Via"), 1) != second {
		t.Errorf("sent first\n%s\nand then\n%s", first, second)
	}
	p.answer("carol", 200)
	p.want("alice 200")
	p.gone()
}

// TestBlocked: an address that has not answered an INVITE, or to which sending has failed, is passed over by the next request; without another address that is as if sending had failed.
func TestBlocked(t *testing.T) {
	const cfg = "use_dns_failover=yes\nuse_dst_blocklist=yes\n" + load + "request_route { if (!t_relay()) { t_reply(\"599\", \"None\"); } }\n"
	for _, tc := range []struct {
		name, method, unreachable string
		first, timeout, second    string
	}{
		{"no answer", "INVITE", "", "alice 100, bob INVITE", "carol INVITE", "carol MESSAGE"},
		{"no answer to another method", "MESSAGE", "", "bob MESSAGE", "carol MESSAGE", "bob MESSAGE"},
		{"not sent", "INVITE", bob, "alice 100, carol INVITE", "", "carol MESSAGE"},
		{"none left", "INVITE", bob + " " + carol, "alice 100, alice 599", "", "alice 599"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, cfg)
			p.Places = map[string][]route.Place{"two.test": {{Addr: netip.MustParseAddrPort(bob), Proto: sipparse.UDP}, {Addr: netip.MustParseAddrPort(carol), Proto: sipparse.UDP}}}
			p.Unreachable = map[string]bool{}
			for _, a := range strings.Fields(tc.unreachable) {
				p.Unreachable[a] = true
			}
			p.Receive(request(tc.method, "sip:bob@two.test"))
			p.want(tc.first)
			if tc.timeout != "" {
				p.Advance(30*time.Second - tick)
				p.sent()
				p.Advance(tick)
				p.want(tc.timeout)
			}
			p.Unreachable = nil
			p.Receive(strings.ReplaceAll(request("MESSAGE", "sip:bob@two.test"), "Call-ID: ", "Call-ID: second-"))
			p.want(tc.second)
			p.Advance(time.Minute) // dst_blocklist_expire
			p.sent()
			p.Receive(strings.ReplaceAll(request("MESSAGE", "sip:bob@two.test"), "Call-ID: ", "Call-ID: third-"))
			p.want("bob MESSAGE")
		})
	}
}
