package tm_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"kahea/modules"
)

// startLocal is a server and what its requests' replies are told to, as "code reason param".
func startLocal(t *testing.T, cfg string) (*phone, modules.UAC, *[]string) {
	t.Helper()
	p := start(t, load+cfg)
	u, ok := p.Host.Find("tm").(modules.UAC)
	if !ok {
		t.Fatal("tm is no UAC")
	}
	told := new([]string)
	u.OnReply("test", func(r *modules.UACReply) {
		*told = append(*told, fmt.Sprintf("%d %s %s", r.Status, r.Reason(), r.Param))
	})
	return p, u, told
}

func local(method string) *modules.UACRequest {
	return &modules.UACRequest{Method: []byte(method), URI: []byte("sip:bob@" + bob), From: []byte("<sip:me@example.com>"), To: []byte("<sip:bob@example.com>"),
		Headers: []byte("X-Local: 1\r\n"), Reply: "test", Param: []byte("param")}
}

const noRoute = "request_route { exit; }"

// TestLocal: requests of this server's own.
func TestLocal(t *testing.T) {
	send := func(p *phone, u modules.UAC, q *modules.UACRequest) modules.TransactionID {
		t.Helper()
		id, err := u.SendRequest(q)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	want := func(t *testing.T, told *[]string, list ...string) {
		t.Helper()
		if got := strings.Join(*told, ", "); got != strings.Join(list, ", ") {
			t.Errorf("told %q, want %q", got, list)
		}
	}
	t.Run("answered", func(t *testing.T) {
		p, u, told := startLocal(t, noRoute)
		id := send(p, u, local("OPTIONS"))
		p.want("bob OPTIONS")
		if !regexp.MustCompile(`^OPTIONS sip:bob@127\.0\.0\.1:6001 SIP/2\.0\r
Via: SIP/2\.0/UDP 127\.0\.0\.1;branch=z9hG4bK[0-9a-f]+\.[0-9a-f]{8}0{24}\.0\r
To: <sip:bob@example\.com>\r
From: <sip:me@example\.com>;tag=[0-9a-f]{32}-[0-9a-f]{8}\r
CSeq: 10 OPTIONS\r
Call-ID: [0-9a-f]{16}-\d+@127\.0\.0\.1\r
Max-Forwards: 70\r
Content-Length: 0\r
(User-Agent: .*\r\n)?X-Local: 1\r
\r
$`).MatchString(p.last["bob"]) {
			t.Errorf("sent\n%s", p.last["bob"])
		}
		p.after(500*time.Millisecond, "bob OPTIONS")
		p.answer("bob", 180) // nobody has asked for it
		want(t, told)
		p.answer("bob", 200)
		p.answer("bob", 200)
		p.want("")
		want(t, told, "200 Text param")
		if !u.Transaction(id, func(r *modules.UACReply) {
			if r.Status != 200 || string(r.Reason()) != "Text" || string(r.Param) != "param" {
				t.Errorf("stands at %d %s %s", r.Status, r.Reason(), r.Param)
			}
		}) {
			t.Error("the transaction is not there")
		}
		p.gone()
		if u.Transaction(id, func(*modules.UACReply) {}) {
			t.Error("the transaction is still there")
		}
	})
	t.Run("provisional", func(t *testing.T) {
		p, u, told := startLocal(t, noRoute)
		q := local("OPTIONS")
		q.Provisional = true
		send(p, u, q)
		p.want("bob OPTIONS")
		p.answer("bob", 180)
		p.answer("bob", 404)
		p.want("")
		want(t, told, "180 Text param", "404 Text param")
		p.gone()
	})
	t.Run("timeout", func(t *testing.T) {
		p, u, told := startLocal(t, noRoute)
		q := local("OPTIONS")
		q.FR = 500
		send(p, u, q)
		p.want("bob OPTIONS")
		p.after(500*time.Millisecond, "")
		want(t, told, "408 Request Timeout param")
		p.answer("bob", 200) // too late
		p.want("")
		want(t, told, "408 Request Timeout param")
		p.gone()
	})
	t.Run("INVITE with 2xx", func(t *testing.T) {
		p, u, told := startLocal(t, noRoute)
		send(p, u, local("INVITE"))
		p.want("bob INVITE")
		p.answer("bob", 180)
		ok := []string{"Contact: <sip:bob@" + carol + ">", "Record-Route: <sip:127.0.0.1:6003;lr>", "Record-Route: <sip:127.0.0.1:6001;lr>, <sip:127.0.0.1:6002;lr;x=1>"}
		p.answer("bob", 200, ok...)
		var ack string
		for _, m := range p.Sent() {
			ack = m.To.String() + "\n" + m.Text
		}
		for _, w := range []string{carol + "\nACK sip:bob@" + carol + " SIP/2.0\r\n", "CSeq: 10 ACK\r\n", "To: <sip:bob@example.com>;tag=bob\r\n",
			"Route: <sip:127.0.0.1:6002;lr;x=1>, <sip:127.0.0.1:6001;lr>, <sip:127.0.0.1:6003;lr>\r\n", "Content-Length: 0\r\n\r\n"} {
			if !strings.Contains(ack, w) {
				t.Errorf("ACK lacks %q:\n%s", w, ack)
			}
		}
		p.answer("bob", 200, ok...)
		p.want("carol ACK")
		want(t, told, "200 Text param")
		p.gone()
	})
	t.Run("INVITE whose ACK is the caller's", func(t *testing.T) {
		p, u, told := startLocal(t, noRoute)
		q := local("INVITE")
		q.NoACK = true
		send(p, u, q)
		p.want("bob INVITE")
		p.answer("bob", 200)
		p.want("")
		want(t, told, "200 Text param")
		p.gone()
	})
	t.Run("INVITE refused", func(t *testing.T) {
		p, u, told := startLocal(t, noRoute)
		send(p, u, local("INVITE"))
		p.want("bob INVITE")
		p.answer("bob", 486)
		p.answer("bob", 486)
		p.want("bob ACK, bob ACK")
		want(t, told, "486 Text param")
		p.gone()
	})
	t.Run("INVITE cancelled", func(t *testing.T) {
		p, u, told := startLocal(t, noRoute)
		id := send(p, u, local("INVITE"))
		p.want("bob INVITE")
		p.answer("bob", 180)
		if !u.CancelRequest(id) {
			t.Error("not cancelled")
		}
		p.want("bob CANCEL")
		p.answerTo("bob", "CANCEL", 200)
		p.answer("bob", 487)
		p.want("bob ACK")
		want(t, told, "487 Text param")
		if u.CancelRequest(id) {
			t.Error("cancelled behind its end")
		}
		p.gone()
	})
	t.Run("event route", func(t *testing.T) {
		p, u, told := startLocal(t, `request_route { exit; }
event_route[tm:local-request] {
	if ($rm == "PUBLISH") drop;
	append_hf("X-Event: $ci\r\n");
	$du = "sip:127.0.0.1:6002";
	$avp(a) = "kept";
	t_on_reply("R");
}
onreply_route[R] { log(1, "reply $avp(a)\n"); if ($avp(a) == "kept") setflag(1); }`)
		q := local("OPTIONS")
		q.CallID = []byte("mine")
		send(p, u, q)
		p.want("carol OPTIONS")
		if got := header(p.last["carol"], "X-Event"); got != "mine" {
			t.Errorf("X-Event %q", got)
		}
		p.answer("carol", 200)
		p.want("")
		want(t, told, "200 Text param")
		if log := p.Log(); !strings.Contains(log, "reply") {
			t.Errorf("log %q", log)
		}
		if _, err := u.SendRequest(local("PUBLISH")); err == nil {
			t.Error("what the event route drops is sent")
		}
		p.want("")
		p.gone()
	})
}

// TestLocalRequestRoute: what functions of tm do in event_route[tm:local-request], where there is no transaction yet.
func TestLocalRequestRoute(t *testing.T) {
	p, u, _ := startLocal(t, `modparam("tm", "wt_timer", 1000)
loadmodule "xlog.so"
request_route { exit; }
event_route[tm:local-request] {
	t_set_no_auto_ack("1");
	t_set_fr("0", "700");
	t_newtran(); xlog("L_ERR", "newtran $rc\n");
	t_reply("404", "no"); xlog("L_ERR", "reply $rc\n");
	t_relay(); xlog("L_ERR", "relay $rc\n");
}`)
	if _, err := u.SendRequest(local("INVITE")); err != nil {
		t.Fatal(err)
	}
	p.want("bob INVITE")
	log := p.Log()
	for _, w := range []string{"newtran -1\n", "reply -1\n", "relay -1\n"} {
		if !strings.Contains(log, w) {
			t.Errorf("log lacks %q:\n%s", w, log)
		}
	}
	p.answer("bob", 200)
	p.want("")
	p.gone()
}

// TestLocalNames: an error that shows at once is the caller's, one that shows behind a lookup is a reply.
func TestLocalNames(t *testing.T) {
	p, u, told := startLocal(t, noRoute)
	q := local("OPTIONS")
	q.URI = []byte("sip:x@nobody.example.com")
	if _, err := u.SendRequest(q); err != nil {
		t.Fatal(err)
	}
	p.Drain()
	if got := strings.Join(*told, ", "); got != "478 Unresolvable destination param" {
		t.Errorf("told %q", got)
	}
	for name, change := range map[string]func(q *modules.UACRequest){
		"method":  func(q *modules.UACRequest) { q.Method = []byte("NO GO") },
		"URI":     func(q *modules.UACRequest) { q.URI = []byte("nothing") },
		"next":    func(q *modules.UACRequest) { q.NextHop = []byte("sip:") },
		"handler": func(q *modules.UACRequest) { q.Reply = "nobody" },
	} {
		q := local("OPTIONS")
		change(q)
		if _, err := u.SendRequest(q); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	p.gone()
}

// TestLocalMemory: without memory nothing is sent, and nothing is left.
func TestLocalMemory(t *testing.T) {
	p, u, told := startLocal(t, noRoute)
	for _, rest := range []uint64{0, 600, 1000, 1400, 1600} {
		free := p.fill(rest)
		if _, err := u.SendRequest(local("OPTIONS")); err == nil {
			p.Advance(time.Minute)
		}
		free()
	}
	for _, x := range *told {
		if x != "408 Request Timeout param" {
			t.Errorf("told %q", x)
		}
	}
	p.gone()
}
