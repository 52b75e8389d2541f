package tm_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kahea/modules"
	_ "kahea/modules/xlog"
	"kahea/shm"
)

var carry = flag.Bool("carry", false, "at each look at what was sent, export all transactions, drop them and import them again")

// carried are the tests that must end alike when the transactions are exported and imported between all steps. Those that hold memory or suspended scripts over a step are
// not among them: an upgrade ends scripts first.
const carried = "^(TestRetransmission|TestTimeout|TestRestartFR|TestScriptTimers|TestFinalReply|TestRequestRepeated|TestOwn100|TestParallel|TestChallenges|TestSerial|" +
	"TestFailureRoute|TestBranchFailure|TestLocal|TestBranchRoute|TestOnReply|TestCancel|TestCancelMore|TestAck|TestStream|TestOldStyle|TestFailover|TestFailoverRequest)$"

// TestCarriedEverywhere runs those tests so.
func TestCarriedEverywhere(t *testing.T) {
	if *carry {
		t.Skip("it runs itself")
	}
	out, err := exec.Command(os.Args[0], "-test.run="+carried, "-test.v", "-carry").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "\n--- PASS: Test"); n != 22 {
		t.Errorf("%d tests ran:\n%s", n, out)
	}
}

// TestCarriedState looks at what a failure route, a branch and an onreply_route find after the way through an upgrade.
func TestCarriedState(t *testing.T) {
	p := start(t, load+`loadmodule "xlog.so"
request_route {
	if (method=="CANCEL") { t_relay(); exit; }
	append_branch("sip:carol@127.0.0.1:6002");
	$avp(a) = "kept";
	$avp(a) = "and this";
	setflag(3);
	append_hf("X-Edit: kept\r\n");
	t_on_failure("F");
	t_on_reply("R");
	t_relay();
}
onreply_route[R] { xlog("L_INFO", "reply $rs avp $(avp(a)[0])\n"); }
failure_route[F] {
	if (!isflagset(3)) exit;
	xlog("L_INFO", "failure avp $(avp(a)[0]), $(avp(a)[1])\n");
	$ru = "sip:dave@127.0.0.1:6003";
	t_relay();
}`)
	p.ask("INVITE")
	p.want("alice 100, bob INVITE, carol INVITE")
	p.answer("bob", 180)
	p.want("alice 180")
	before := p.Arena.Usage().Used
	p.Carry()
	if used := p.Arena.Usage().Used; used > before {
		t.Errorf("%d bytes in use, %d before", used, before)
	}
	p.ask("INVITE")
	p.want("alice 180") // a retransmission
	p.answer("bob", 486)
	p.want("bob ACK")
	p.Carry()
	p.answer("carol", 486)
	p.want("carol ACK, dave INVITE")
	if got := header(p.last["dave"], "X-Edit"); got != "kept" {
		t.Errorf("dave's INVITE has X-Edit %q:\n%s", got, p.last["dave"])
	}
	log := p.Log()
	for _, w := range []string{"reply 180 avp and this", "reply 486 avp and this", "failure avp and this, kept"} {
		if !strings.Contains(log, w) {
			t.Errorf("log lacks %q:\n%s", w, log)
		}
	}
	p.Carry()
	p.ask("CANCEL")
	p.want("alice 200")
	p.Carry()
	p.answer("dave", 180)
	p.want("dave CANCEL")
	p.Carry()
	p.after(500*time.Millisecond, "dave CANCEL")
	p.answerTo("dave", "CANCEL", 200)
	p.answer("dave", 487)
	p.want("dave ACK, alice 487")
	p.Carry()
	p.after(500*time.Millisecond, "alice 487")
	p.ack()
	p.gone()
}

func carrier(t *testing.T, p *phone) modules.Carrier {
	c, ok := p.Host.Find("tm").(modules.Carrier)
	if !ok {
		t.Fatal("tm is no Carrier")
	}
	return c
}

// TestCarryFails: what can not be imported leaves nothing behind after Drop, and the way back works.
func TestCarryFails(t *testing.T) {
	export := func(p *phone) []byte {
		var b bytes.Buffer
		if err := carrier(t, p).Export(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	again := func(p *phone, b []byte) error {
		c := carrier(t, p)
		if err := c.Drop(); err != nil {
			t.Fatal(err)
		}
		if err := p.Host.Find("tm").(modules.Initer).Init(p.Host); err != nil {
			t.Fatal(err)
		}
		return c.Import(bytes.NewReader(b))
	}
	for _, tc := range []struct {
		name  string
		spoil func(p *phone, b []byte) (_ []byte, undo func())
		want  error
	}{
		{"cut off", func(_ *phone, b []byte) ([]byte, func()) { return b[:len(b)-20], func() {} }, io.ErrUnexpectedEOF},
		{"empty", func(*phone, []byte) ([]byte, func()) { return nil, func() {} }, io.EOF},
		{"no memory", func(p *phone, b []byte) ([]byte, func()) { return b, p.fill(600) }, shm.ErrNoMemory},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, plain)
			p.ask("INVITE")
			p.want("alice 100, bob INVITE")
			whole := export(p)
			if err := carrier(t, p).Drop(); err != nil {
				t.Fatal(err)
			}
			if err := p.Host.Find("tm").(modules.Initer).Init(p.Host); err != nil {
				t.Fatal(err)
			}
			b, undo := tc.spoil(p, whole)
			err := carrier(t, p).Import(bytes.NewReader(b))
			if !errors.Is(err, tc.want) {
				t.Errorf("import: %v, want %v", err, tc.want)
			}
			undo()
			if err := again(p, whole); err != nil {
				t.Fatal(err)
			}
			p.answer("bob", 200)
			p.want("alice 200")
			p.gone()
		})
	}
}
