package tm

import (
	"bytes"
	"encoding/gob"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"kahea/modules/lib/modtest"
	"kahea/shm"
)

var writeForm = flag.Bool("write-form", false, "write testdata/form-1.gob anew: only for a form that no release has")

// TestFormIsForEver imports what the first binary with the form exported: an INVITE that rings at one branch, with flags, an edit, an attribute and a failure route.
// When it fails, a number or an encoding has changed, and the form needs another name.
func TestFormIsForEver(t *testing.T) {
	s := modtest.Start(t, `
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "textops.so"
request_route {
	$avp(a) = "kept";
	setflag(3);
	append_hf("X-Edit: kept\r\n");
	t_on_failure("F");
	t_relay();
}
failure_route[F] {
	if (!isflagset(3)) exit;
	append_hf("X-Attribute: $avp(a)\r\n");
	$ru = "sip:carol@127.0.0.1:6002";
	t_relay();
}`)
	m := s.Host.Find("tm").(*mod) //nolint:forcetypeassert // this package's
	const file = "testdata/form-1.gob"
	if *writeForm {
		s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1:6001"))
		for _, x := range s.Sent() {
			if strings.HasPrefix(x.Text, "INVITE ") {
				s.Receive(answerTo(x.Text, 180))
			}
		}
		var b bytes.Buffer
		if err := m.Export(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Fatal("written")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := gob.NewDecoder(bytes.NewReader(b))
	var head carriedHead
	var x carriedTransaction
	if err := d.Decode(&head); err != nil || head.Count != 1 {
		t.Fatalf("%+v %v", head, err)
	}
	if err := d.Decode(&x); err != nil || len(x.Branches) != 1 {
		t.Fatalf("%d branches, %v", len(x.Branches), err)
	}
	if x.Branches[0].Timer.Wheel == 0 || x.Timer.Wheel != 0 || x.Status != 180 {
		t.Errorf("%+v", x)
	}
	x.Branches[0].Timer.Wheel = uint64(s.Proc.Wheel.Off()) // an upgrade keeps it, a test has another
	if err := m.carryIn(&x); err != nil {
		t.Fatal(err)
	}
	s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1:6001"))
	s.Receive(answerTo(string(x.Branches[0].Sent), 486))
	var sent []string
	for _, x := range s.Sent() {
		line, _, _ := strings.Cut(x.Text, "\r\n")
		sent = append(sent, line)
		if strings.HasPrefix(line, "INVITE ") && (!strings.Contains(x.Text, "\r\nX-Edit: kept\r\n") || !strings.Contains(x.Text, "\r\nX-Attribute: kept\r\n")) {
			t.Errorf("behind the failure route:\n%s", x.Text)
		}
	}
	if got, want := strings.Join(sent, ", "), "SIP/2.0 180 Text, ACK sip:bob@127.0.0.1:6001 SIP/2.0, INVITE sip:carol@127.0.0.1:6002 SIP/2.0"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// TestCarriedInterrupted carries a timer over whose handler a process has died in: it is run again, as after a death without an upgrade, and nothing is left.
func TestCarriedInterrupted(t *testing.T) {
	s := modtest.Start(t, `
loadmodule "tm.so"
request_route { t_relay(); }`)
	m := s.Host.Find("tm").(*mod) //nolint:forcetypeassert // this package's
	used := s.Arena.Usage().Used
	s.Receive(modtest.Request("MESSAGE", "sip:bob@127.0.0.1:6001"))
	if n := len(s.Sent()); n != 1 {
		t.Fatalf("%d messages were sent", n)
	}
	// as if the process had died in the first retransmission
	err := m.eachCell(func(o shm.Off, c *cell) error {
		at := c.first + shm.Off(branchOff)
		m.branch(c.first).nextRetr = 0
		shm.Disarm(m.a, at)
		s.Proc.Wheel.Interrupt(m.a, at, kindBranch, 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Carry()
	s.Carry()
	s.Advance(time.Second / 16)
	if n := len(s.Sent()); n != 1 || !strings.Contains(s.Log(), `timer "tm: branch"`) {
		t.Errorf("%d retransmissions; log %q", n, s.Log())
	}
	s.Advance(time.Minute)
	if got := s.Arena.Usage().Used; got != used {
		t.Errorf("%d bytes in use at the end, %d before", got, used)
	}
	// one whose transaction is nowhere any more
	s.Proc.Wheel.Interrupt(m.a, 4096, kindBranch, 0)
	s.Carry()
	if _, _, ok := s.Proc.Wheel.Firing(m.a); ok {
		t.Error("a timer of nothing would be fired")
	}
}

func answerTo(req string, code int) string {
	status := map[int]string{180: "SIP/2.0 180 Text\r\n", 486: "SIP/2.0 486 Text\r\n"}[code]
	return status + strings.Join(regexp.MustCompile(`(?m)^(Via|From|To|Call-ID|CSeq): .*\r\n`).FindAllString(req, -1), "") + "Content-Length: 0\r\n\r\n"
}
