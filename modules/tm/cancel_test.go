package tm_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCancel sends a CANCEL before and after a provisional reply, by cancel_b_method.
func TestCancel(t *testing.T) {
	for _, tc := range []struct {
		method int
		before script
		s      script
	}{
		{0, nil, script{{"cancel", "alice 487, alice 200"}, {"bob 200", "alice 200"}}},
		{1, nil, script{{"cancel", "alice 200"}, {"wait 500ms", "bob INVITE"}, {"bob 100", "bob CANCEL"}, {"bob 487", "bob ACK, alice 487"}}},
		{2, nil, script{{"cancel", "bob CANCEL, alice 200"}, {"bob 200 CANCEL", ""}, {"bob 487", "bob ACK, alice 487"}}},
		{0, script{{"bob 180", "alice 180"}}, script{{"cancel", "bob CANCEL, alice 200"}, {"bob 200 CANCEL", ""}, {"bob 487", "bob ACK, alice 487"}}},
		{1, script{{"bob 180", "alice 180"}}, script{{"cancel", "bob CANCEL, alice 200"}, {"bob 200 CANCEL", ""}, {"bob 487", "bob ACK, alice 487"}}},
		{2, script{{"bob 180", "alice 180"}}, script{{"cancel", "bob CANCEL, alice 200"}, {"bob 200 CANCEL", ""}, {"bob 487", "bob ACK, alice 487"}}},
	} {
		t.Run(fmt.Sprintf("method %d, %d provisional", tc.method, len(tc.before)), func(t *testing.T) {
			p := start(t, fmt.Sprintf("%smodparam(\"tm\", \"cancel_b_method\", %d)\nrequest_route { t_relay(); }", load, tc.method))
			p.ask("INVITE")
			p.want("alice 100, bob INVITE")
			p.play(tc.before)
			p.play(tc.s)
			p.gone()
		})
	}
}

func TestCancelMore(t *testing.T) {
	t.Run("repeated until it is answered", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.play(script{{"bob 180", "alice 180"}, {"cancel", "bob CANCEL, alice 200"}})
		p.after(500*time.Millisecond, "bob CANCEL")
		p.after(time.Second, "bob CANCEL")
		p.after(2*time.Second, "bob CANCEL")
		p.play(script{{"bob 200 CANCEL", ""}, {"wait 10s", ""}, {"bob 487", "bob ACK, alice 487"}})
		p.gone()
	})
	t.Run("never answered", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.play(script{{"bob 180", "alice 180"}, {"cancel", "bob CANCEL, alice 200"}})
		p.Advance(30*time.Second - tick)
		if got := p.sent(); strings.Contains(got, "alice") {
			t.Fatalf("sent %q before fr_timer", got)
		}
		p.Advance(tick)
		p.want("alice 487")
		p.gone()
	})
	t.Run("repeated by alice", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.play(script{{"bob 180", "alice 180"}, {"cancel", "bob CANCEL, alice 200"}, {"cancel", "alice 200"}, {"bob 487", "bob ACK, alice 487"}, {"cancel", "alice 200"}})
		p.gone()
	})
	t.Run("behind the answer", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.play(script{{"bob 200", "alice 200"}, {"cancel", "alice 200"}})
		p.gone()
	})
	t.Run("bob answers all the same", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.play(script{{"bob 180", "alice 180"}, {"cancel", "bob CANCEL, alice 200"}, {"bob 200", "alice 200"}, {"bob 200 CANCEL", ""}})
		p.gone()
	})
	t.Run("what rings behind it is no news", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.play(script{{"bob 180", "alice 180"}, {"cancel", "bob CANCEL, alice 200"}, {"bob 183", ""}})
		p.gone()
	})
	t.Run("three branches", func(t *testing.T) {
		p := start(t, three)
		p.ask("INVITE")
		p.sent()
		p.play(script{{"bob 180", "alice 180"}, {"carol 486", "carol ACK"}, {"cancel", "bob CANCEL, alice 200"}, {"dave 100", "dave CANCEL"}, {"bob 487", "bob ACK"}, {"dave 487", "dave ACK, alice 486"}})
		p.gone()
	})
	t.Run("the request it cancels", func(t *testing.T) {
		p := start(t, plain)
		p.ask("INVITE")
		p.sent()
		p.answer("bob", 180)
		p.sent()
		p.ask("CANCEL", `Reason: SIP;cause=200;text="elsewhere"`)
		var found bool
		for _, m := range p.Sent() {
			if !strings.HasPrefix(m.Text, "CANCEL ") {
				continue
			}
			found = true
			inv := p.last["bob"]
			for _, name := range []string{"Via", "From", "To", "Call-ID"} {
				if header(m.Text, name) != header(inv, name) {
					t.Errorf("%s of the CANCEL is %q, want %q", name, header(m.Text, name), header(inv, name))
				}
			}
			if got := header(m.Text, "CSeq"); got != "1 CANCEL" {
				t.Errorf("CSeq %q", got)
			}
			if got := header(m.Text, "Reason"); got != `SIP;cause=200;text="elsewhere"` {
				t.Errorf("Reason %q, want alice's", got)
			}
		}
		if !found {
			t.Error("there is no CANCEL")
		}
		p.gone()
	})
}

// TestUnmatchedCancel is a CANCEL whose INVITE is not known.
func TestUnmatchedCancel(t *testing.T) {
	for _, tc := range []struct{ name, value, want, later string }{
		{"with a transaction", "0", "bob CANCEL", "bob CANCEL"},
		{"without", "1", "bob CANCEL", ""},
		{"dropped", "2", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+"modparam(\"tm\", \"unmatched_cancel\", "+tc.value+")\nrequest_route { t_relay(); }")
			p.ask("CANCEL")
			p.want(tc.want)
			p.Advance(500 * time.Millisecond)
			p.want(tc.later)
			p.gone()
		})
	}
}
