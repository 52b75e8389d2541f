package tm_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var ends = flag.Int("ends", 3000, "how many transactions TestScriptsThatEndEarly makes")

// TestScriptsThatEndEarly: drop in a branch route, exit in a failure route, a second t_reply; whatever a script leaves undone, each transaction is answered once, ends,
// and its memory is back.
func TestScriptsThatEndEarly(t *testing.T) {
	p := start(t, load+`
request_route {
	if (method=="ACK") {
		t_check_trans();
		exit;
	}
	if (method=="MESSAGE") {
		t_on_branch("DROP");
		t_relay();
		exit;
	}
	if (method=="INFO") {
		t_newtran();
		t_reply("404", "first");
		t_reply("405", "second");
		exit;
	}
	t_on_failure("END");
	t_relay();
}
branch_route[DROP] { drop; }
failure_route[END] { exit; }
`)
	own := func(m string, n int) string {
		return strings.NewReplacer("z9hG4bK-1", fmt.Sprint("z9hG4bK-1-", n), "Call-ID: ", fmt.Sprint("Call-ID: ", n, "-")).Replace(m)
	}
	for n := range *ends {
		switch n % 3 {
		case 0:
			p.Receive(own(request("MESSAGE", "sip:bob@"+bob), n))
			p.want("alice 500")
		case 1:
			p.Receive(own(request("INFO", "sip:bob@"+bob), n))
			p.want("alice 404")
		case 2:
			p.Receive(own(request("INVITE", "sip:bob@"+bob), n))
			p.want("alice 100, bob INVITE")
			p.answer("bob", 486)
			p.want("bob ACK, alice 486")
			to := header(p.up[len(p.up)-1].Text, "To")
			p.Receive(own(strings.Replace(request("ACK", "sip:bob@"+bob), "To: <sip:bob@example.com>", "To: "+to, 1), n))
			p.want("")
		}
		if p.up = p.up[:0]; n%500 == 499 {
			p.Advance(6 * time.Second) // wt_timer
			if log := p.Log(); strings.Count(log, "a final reply was already sent") < 100 {
				t.Fatalf("after %d transactions: log %q", n+1, log)
			}
			if got := p.Arena.Usage().Used; got != p.used {
				t.Fatalf("after %d transactions: %d bytes of shared memory in use, want %d", n+1, got, p.used)
			}
		}
	}
	p.gone()
}
