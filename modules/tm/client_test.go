package tm_test

import (
	"strings"
	"testing"
	"time"
)

// TestRetransmission follows the request side of both state machines (RFC 3261 17.1) by the clock.
func TestRetransmission(t *testing.T) {
	type step struct {
		after time.Duration
		want  string
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, tc := range []struct {
		name, method string
		provisional  int // a reply of bob's before the steps, 0: none
		first        string
		steps        []step
	}{
		{"INVITE without a reply", "INVITE", 0, "", []step{{ms(500), "bob INVITE"}, {ms(1000), "bob INVITE"}, {ms(2000), "bob INVITE"}, {ms(4000), "bob INVITE"}, {ms(4000), "bob INVITE"}}},
		{"INVITE that rings", "INVITE", 180, "alice 180", []step{{ms(120000), "alice 408, bob CANCEL"}}},
		{"INVITE that is tried", "INVITE", 100, "", []step{{ms(120000), "alice 408, bob CANCEL"}}},
		{"MESSAGE without a reply", "MESSAGE", 0, "", []step{{ms(500), "bob MESSAGE"}, {ms(1000), "bob MESSAGE"}, {ms(2000), "bob MESSAGE"}, {ms(4000), "bob MESSAGE"}, {ms(4000), "bob MESSAGE"}}},
		{"MESSAGE with a 100", "MESSAGE", 100, "", []step{{ms(4000), "bob MESSAGE"}, {ms(4000), "bob MESSAGE"}}},
		{"MESSAGE with a 183", "MESSAGE", 183, "alice 183", []step{{ms(4000), "bob MESSAGE"}, {ms(4000), "bob MESSAGE"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, plain)
			p.ask(tc.method)
			if tc.method == "INVITE" {
				p.want("alice 100, bob INVITE")
			} else {
				p.want("bob " + tc.method)
			}
			if tc.provisional != 0 {
				p.answer("bob", tc.provisional)
				p.want(tc.first)
			}
			for _, s := range tc.steps {
				p.after(s.after, s.want)
			}
			p.gone()
		})
	}
}

// TestTimeout checks when a branch has failed, and with which answer.
func TestTimeout(t *testing.T) {
	for _, tc := range []struct {
		name, cfg, method string
		ring              bool
		at                time.Duration
		want              string
	}{
		{"INVITE, fr_timer", `modparam("tm", "fr_timer", 3000)`, "INVITE", false, 3 * time.Second, "alice 408"},
		{"INVITE, fr_inv_timer", `modparam("tm", "fr_inv_timer", 7000)`, "INVITE", true, 7 * time.Second, "alice 408, bob CANCEL"},
		{"MESSAGE, fr_timer", `modparam("tm", "fr_timer", 3000)`, "MESSAGE", false, 3 * time.Second, "alice 408"},
		{"code of a parameter", "modparam(\"tm\", \"fr_timer\", 3000)\nmodparam(\"tm\", \"reply_408_code\", 480)", "MESSAGE", false, 3 * time.Second, "alice 480"},
		{"max_inv_lifetime", `modparam("tm", "max_inv_lifetime", 5000)`, "INVITE", true, 5 * time.Second, "alice 408, bob CANCEL"},
		{"max_noninv_lifetime", `modparam("tm", "max_noninv_lifetime", 5000)`, "MESSAGE", false, 5 * time.Second, "alice 408"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+tc.cfg+"\nrequest_route { t_relay(); }")
			p.ask(tc.method)
			p.sent()
			if tc.ring {
				p.answer("bob", 180)
				p.want("alice 180")
			}
			p.Advance(tc.at - tick)
			if got := p.sent(); strings.Contains(got, "alice") {
				t.Fatalf("sent %q before %v", got, tc.at)
			}
			p.Advance(tick)
			got := p.sent()
			for _, w := range strings.Split(tc.want, ", ") {
				if !strings.Contains(got, w) {
					t.Errorf("sent %q, want %q", got, tc.want)
				}
			}
			p.gone()
		})
	}
}

// TestRestartFR says which provisional replies begin fr_inv_timer anew.
func TestRestartFR(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		at          time.Duration // of the timeout, from the second 180 on, which comes after 6 s
	}{
		{"each", "1", 10 * time.Second},
		{"the first only", "0", 4 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+`modparam("tm", "fr_inv_timer", 10000)
modparam("tm", "restart_fr_on_each_reply", `+tc.value+`)
request_route { t_relay(); }`)
			p.ask("INVITE")
			p.sent()
			p.answer("bob", 180)
			p.want("alice 180")
			p.Advance(6 * time.Second)
			p.answer("bob", 180)
			p.want("alice 180")
			p.after(tc.at, "alice 408, bob CANCEL")
			p.gone()
		})
	}
}

// TestScriptTimers sets the timers of one transaction before and after it is made.
func TestScriptTimers(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		at           time.Duration
	}{
		{"t_set_fr before t_relay", `t_set_fr("9000", "2000"); t_relay();`, 2 * time.Second},
		{"t_set_fr behind t_newtran", `t_newtran(); t_set_fr("9000", "2000"); t_relay();`, 2 * time.Second},
		{"t_reset_fr", `t_set_fr("9000", "2000"); t_reset_fr(); t_relay();`, 5 * time.Second},
		{"t_set_max_lifetime", `t_set_max_lifetime("3000", "3000"); t_relay();`, 3 * time.Second},
		{"t_reset_max_lifetime", `t_set_max_lifetime("3000", "3000"); t_reset_max_lifetime(); t_relay();`, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+"modparam(\"tm\", \"fr_timer\", 5000)\nrequest_route { "+tc.script+" }")
			p.ask("MESSAGE")
			p.sent()
			p.Advance(tc.at - tick)
			if got := p.sent(); strings.Contains(got, "alice") {
				t.Fatalf("sent %q before %v", got, tc.at)
			}
			p.Advance(tick)
			if got := p.sent(); !strings.Contains(got, "alice 408") {
				t.Errorf("sent %q, want alice 408 after %v", got, tc.at)
			}
			p.gone()
		})
	}
	t.Run("t_set_retr", func(t *testing.T) {
		p := start(t, load+`request_route { t_set_retr("1000", "1500"); t_relay(); }`)
		p.ask("MESSAGE")
		p.want("bob MESSAGE")
		p.after(time.Second, "bob MESSAGE")
		p.after(1500*time.Millisecond, "bob MESSAGE")
		p.after(1500*time.Millisecond, "bob MESSAGE")
		p.gone()
	})
}
