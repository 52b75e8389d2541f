package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kahea/modules"
	"kahea/modules/lib/rpc"
)

const convertConfig = `
listen=udp:@SERVER@
listen=tcp:@SERVER@
children=2
tcp_children=2
loadmodule "ctl.so"
loadmodule "kex.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "corex.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("tm", "wt_timer", 300)
modparam("tm", "fr_timer", 60000)
request_route {
	if (method=="OPTIONS" && uri==myself) {
		sl_send_reply("200", "OK");
		exit;
	}
	if (method=="REGISTER") {
		save("location");
		exit;
	}
	if (method=="CANCEL") {
		t_relay();
		exit;
	}
	if (has_totag()) {
		if (loose_route() || method=="ACK") t_relay();
		exit;
	}
	record_route();
	if ($rU=="looked") {
		if (!lookup("location")) {
			sl_send_reply("404", "Not here");
			exit;
		}
	}
	if ($rU=="fork") append_branch("$hdr(X-Second)");
	if ($rU=="serial") {
		$avp(who) = "known as " + $rU;
		t_on_failure("NEXT");
	}
	if ($rU=="late") t_set_fr("0", "5000");
	if (!t_relay()) sl_reply_error();
}
failure_route[NEXT] {
	$ru = $hdr(X-Second);
	append_hf("X-Who: $avp(who)\r\n");
	t_relay();
}
`

// ringing is a call between two ends of its own, and what its callee got.
type ringing struct {
	t              *testing.T
	srv            *instance
	id             string
	caller, callee *peer
	second         *peer // where a fork or a failure route leads to
	asked          []byte
	invite         []byte
}

// ring makes a call and has it ring, when codes has a 180.
func ring(t *testing.T, srv *instance, user, id, from, to string, codes ...int) *ringing {
	t.Helper()
	r := &ringing{t: t, srv: srv, id: id, caller: newPeer(t, from, id+"-caller", srv.addr), callee: newPeer(t, to, id+"-callee", srv.addr), second: newPeer(t, "udp", id+"-second", srv.addr)}
	if from == "tcp" {
		if err := r.caller.connect(); err != nil {
			t.Fatal(err)
		}
	}
	target := "sip:" + user + "@" + r.callee.local
	if to == "listen" {
		target += ";transport=tcp"
	}
	if user == "looked" {
		target = "sip:looked@" + srv.addr
	}
	r.asked = r.request("INVITE", target)
	r.send(r.asked)
	r.expect(r.caller, "SIP/2.0 100 ")
	if user == "looked" {
		return r
	}
	r.invite = r.expect(r.callee, "INVITE ")
	for _, c := range codes {
		r.reply(r.callee, r.invite, c)
		r.expect(r.caller, fmt.Sprintf("SIP/2.0 %d ", c))
	}
	return r
}

func (r *ringing) request(method, target string) []byte {
	proto := "UDP"
	if r.caller.pc == nil {
		proto = "TCP"
	}
	return fmt.Appendf(nil, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\nFrom: <sip:caller@%s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"+
		"X-Second: sip:second@%s\r\nContent-Length: 0\r\n\r\n", method, target, proto, r.caller.local, r.id, r.caller.local, r.id, target, r.id, method, r.second.local)
}

func (r *ringing) send(m []byte) {
	r.t.Helper()
	if err := r.caller.send(m); err != nil {
		r.t.Fatalf("%s: %v", r.id, err)
	}
}

// expect is the next message to p, which begins so.
func (r *ringing) expect(p *peer, begin string) []byte {
	r.t.Helper()
	b, err := p.next()
	if err != nil || !bytes.HasPrefix(b, []byte(begin)) {
		r.t.Fatalf("%s got %q, %v; want %q", p.name, b, err, begin)
	}
	return b
}

var replyLines = regexp.MustCompile(`(?m)^(Via|From|To|Call-ID|CSeq|Record-Route): .*\r\n`)

// reply answers a request that p got.
func (r *ringing) reply(p *peer, req []byte, code int) {
	r.t.Helper()
	b := fmt.Appendf(nil, "SIP/2.0 %d Text\r\n", code)
	for _, l := range replyLines.FindAll(req, -1) {
		if bytes.HasPrefix(l, []byte("To: ")) && !bytes.Contains(l, []byte(";tag=")) {
			l = append(bytes.TrimSpace(l), fmt.Sprintf(";tag=%s\r\n", p.name)...)
		}
		b = append(b, l...)
	}
	contact := p.local
	if p.ln != nil {
		contact += ";transport=tcp"
	}
	b = fmt.Appendf(b, "Contact: <sip:%s>\r\nContent-Length: 0\r\n\r\n", contact)
	if err := p.send(b); err != nil {
		r.t.Fatalf("%s: %v", p.name, err)
	}
}

// answer has p accept the call, and takes the way of 200 and ACK.
func (r *ringing) answer(p *peer, invite []byte) {
	r.t.Helper()
	r.reply(p, invite, 200)
	ok := string(r.expect(r.caller, "SIP/2.0 200 "))
	contact := regexp.MustCompile(`(?m)^Contact: <(.*)>`).FindStringSubmatch(ok)[1]
	var routes []string
	for _, l := range regexp.MustCompile(`(?m)^Record-Route: (.*)\r$`).FindAllStringSubmatch(ok, -1) {
		routes = append(routes, l[1])
	}
	slices.Reverse(routes)
	ack := string(r.request("ACK", contact))
	ack = strings.Replace(ack, "branch=z9hG4bK", "branch=z9hG4bKack", 1)
	ack = regexp.MustCompile(`(?m)^To: .*`).ReplaceAllString(ack, regexp.MustCompile(`(?m)^To: .*`).FindString(ok))
	r.send([]byte(strings.Replace(ack, "Call-ID:", "Route: "+strings.Join(routes, ",")+"\r\nCall-ID:", 1)))
	r.expect(p, "ACK ")
}

// ack acknowledges a negative final reply.
func (r *ringing) ack(reply []byte) {
	r.t.Helper()
	target := strings.Fields(string(r.asked))[1]
	to := regexp.MustCompile(`(?m)^To: .*`)
	r.send(to.ReplaceAll(r.request("ACK", target), to.Find(reply)))
}

// texts calls an RPC command with text parameters; the first struct of its reply is a "name: value" a line.
func (s *instance) texts(method string, params ...string) (string, error) {
	var in []*modules.Node
	for _, p := range params {
		in = append(in, &modules.Node{Kind: modules.KindStr, Str: p})
	}
	out, err := rpc.Ask("unix", filepath.Join(s.runDir(), "kamailio_ctl"), patience, method, in)
	var b strings.Builder
	for _, x := range out {
		for i, n := range x.Names {
			fmt.Fprintf(&b, "%s: %s\n", n, x.Members[i].Str)
		}
	}
	return b.String(), err
}

// calls are calls in every state that an upgrade may find.
type calls struct {
	tcp, toTCP, fork, serial, cancel, late *ringing
	contact                                *peer
}

func makeCalls(t *testing.T, srv *instance, id string) *calls {
	t.Helper()
	c := &calls{contact: newPeer(t, "udp", id+"-contact", srv.addr)}
	c.register(t, srv, 3600)
	c.late = ring(t, srv, "late", id+"-late", "udp", "udp")
	c.tcp = ring(t, srv, "tcp", id+"-tcp", "tcp", "udp", 180)
	c.toTCP = ring(t, srv, "totcp", id+"-totcp", "udp", "listen", 180)
	c.fork = ring(t, srv, "fork", id+"-fork", "udp", "udp", 180)
	c.fork.reply(c.fork.second, c.fork.expect(c.fork.second, "INVITE "), 183)
	c.fork.expect(c.fork.caller, "SIP/2.0 183 ")
	c.serial = ring(t, srv, "serial", id+"-serial", "udp", "udp", 180)
	c.cancel = ring(t, srv, "cancel", id+"-cancel", "udp", "udp", 180)
	return c
}

func (c *calls) register(t *testing.T, srv *instance, expires int) {
	t.Helper()
	m := fmt.Sprintf("REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKreg%d\r\nMax-Forwards: 70\r\nFrom: <sip:looked@%s>;tag=reg\r\nTo: <sip:looked@%s>\r\nCall-ID: reg-%s\r\n"+
		"CSeq: %d REGISTER\r\nContact: <sip:looked@%s>\r\nExpires: %d\r\nContent-Length: 0\r\n\r\n", srv.addr, c.contact.local, expires, srv.addr, srv.addr, c.contact.name, 9999-expires, c.contact.local, expires)
	if err := c.contact.send([]byte(m)); err != nil {
		t.Fatal(err)
	}
	if b, err := c.contact.next(); err != nil || !bytes.HasPrefix(b, []byte("SIP/2.0 200 ")) {
		t.Fatalf("REGISTER: %q %v", b, err)
	}
}

// finish has every call come to its end.
func (c *calls) finish(t *testing.T, srv *instance, id string) {
	t.Helper()
	// a retransmission is absorbed
	c.serial.send(c.serial.asked)
	if b, err := c.serial.caller.again(); err != nil || !bytes.HasPrefix(b, []byte("SIP/2.0 180 ")) {
		t.Fatalf("repeated INVITE: %q %v", b, err)
	}
	c.tcp.answer(c.tcp.callee, c.tcp.invite)
	c.toTCP.answer(c.toTCP.callee, c.toTCP.invite)
	// the fork's other branch is cancelled
	second := c.fork.second.seen[0]
	c.fork.answer(c.fork.callee, c.fork.invite)
	c.fork.reply(c.fork.second, c.fork.expect(c.fork.second, "CANCEL "), 200)
	c.fork.reply(c.fork.second, second, 487)
	c.fork.expect(c.fork.second, "ACK ")
	// the failure route and its attribute
	c.serial.reply(c.serial.callee, c.serial.invite, 486)
	c.serial.expect(c.serial.callee, "ACK ")
	b := c.serial.expect(c.serial.second, "INVITE ")
	if !bytes.Contains(b, []byte("\r\nX-Who: known as serial\r\n")) {
		t.Errorf("behind the failure route:\n%s", b)
	}
	c.serial.answer(c.serial.second, b)
	// CANCEL
	c.cancel.send(bytes.ReplaceAll(c.cancel.asked, []byte("INVITE"), []byte("CANCEL")))
	c.cancel.expect(c.cancel.caller, "SIP/2.0 200 ")
	c.cancel.reply(c.cancel.callee, c.cancel.expect(c.cancel.callee, "CANCEL "), 200)
	c.cancel.reply(c.cancel.callee, c.cancel.invite, 487)
	c.cancel.ack(c.cancel.expect(c.cancel.caller, "SIP/2.0 487 "))
	c.cancel.expect(c.cancel.callee, "ACK ")
	// the contact
	l := ring(t, srv, "looked", id+"-looked", "udp", "udp")
	l.callee = c.contact
	l.answer(c.contact, l.expect(c.contact, "INVITE "))
	c.register(t, srv, 0)
	// fr_timer
	c.late.ack(c.late.expect(c.late.caller, "SIP/2.0 408 "))
	for _, r := range []*ringing{c.tcp, c.toTCP, c.fork, c.serial, c.cancel, c.late} {
		if err := r.caller.fence(); err != nil {
			t.Error(err)
		}
		r.caller.close()
		r.callee.close()
	}
	if out, err := srv.call("kahea.verify"); err != nil {
		t.Errorf("verify: %v %v", out, err)
	}
}

// TestUpgradeConverts goes to a binary that lays transactions and contacts out differently and back, in the middle of calls; before and behind, to one that fails, in main
// when it has imported them or in its children, and back from that.
func TestUpgradeConverts(t *testing.T) {
	addr := freeAddr(t)
	srv := startServer(t, addr, strings.ReplaceAll(convertConfig, "@SERVER@", addr))
	own, other, fails := copyBinary(t, "kahea-again"), buildServer(t, "kahealayout"), buildServer(t, "kahealayout,kaheadebug")
	replaced := regexp.MustCompile(`upgrade: \d+ processes replaced`)
	pid := srv.cmd.Process.Pid
	failing := func(id, how string) {
		t.Helper()
		c := makeCalls(t, srv, id)
		exes := srv.exes()
		mark := filepath.Join(srv.runDir(), how)
		if err := os.WriteFile(mark, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := srv.texts("kahea.upgrade", fails); err == nil || !strings.Contains(err.Error(), " goes on") { // a child's death may be seen before its reason
			t.Fatalf("%v, want that the old one goes on", err)
		}
		if err := os.Remove(mark); err != nil {
			t.Error(err)
		}
		c.finish(t, srv, id)
		if got := srv.exes(); !slices.Equal(got, exes) || srv.cmd.Process.Pid != pid {
			t.Errorf("binaries %q, before %q", got, exes)
		}
	}
	failing("fails0", "upgrade-children-fail")
	for i, path := range []string{other, own} {
		id := fmt.Sprint("up", i)
		c := makeCalls(t, srv, id)
		text, _, _ := srv.log.snapshot()
		if out, err := srv.texts("kahea.upgrade", path, "check"); err != nil || !strings.Contains(out, "converts: tm usrloc\n") ||
			!regexp.MustCompile(`(?m)^adopts: .*\bcounters\b.*\bprocs\b.*\breactor\b.*\bwheels\b`).MatchString(out) {
			t.Errorf("check: %s %v", out, err)
		}
		if out, err := srv.texts("kahea.upgrade", path); err != nil || !strings.Contains(out, "converted: tm usrloc\n") {
			t.Fatalf("upgrade: %s %v", out, err)
		}
		c.finish(t, srv, id)
		if _, _, err := srv.log.find(replaced, len(text), patience); err != nil {
			t.Fatal(err)
		}
		if exes := srv.exes(); !slices.Equal(exes, []string{path}) {
			t.Errorf("binaries %q, want %q", exes, path)
		}
	}
	failing("fails1", "upgrade-fails")
	srv.pids = children(pid)
	srv.memoryBack()
	srv.stop()
}

// TestUpgradeConvertsUnderCalls goes to and fro between two layouts under calls over UDP and over TCP.
func TestUpgradeConvertsUnderCalls(t *testing.T) {
	own, other := copyBinary(t, "kahea-again"), buildServer(t, "kahealayout")
	for _, tcp := range []bool{false, true} {
		t.Run(fmt.Sprintf("tcp %v", tcp), func(t *testing.T) {
			caller, callee := newSIPp(t, tcp), newSIPp(t, tcp)
			srv := startUpgrade(t, strings.TrimPrefix(callee.uri(""), "sip:@"))
			callee.start("callee", srv.addr)
			const rate, seconds = 50, 8
			r := caller.start("caller", srv.addr, "-s", "callee", "-m", fmt.Sprint(rate*seconds), "-r", fmt.Sprint(rate), "-d", "100")
			for i := range 4 {
				path := []string{other, own}[i%2]
				text, _, _ := srv.log.snapshot()
				if out, err := srv.texts("kahea.upgrade", path); err != nil || !strings.Contains(out, "converted: tm\n") {
					t.Fatalf("upgrade: %s %v", out, err)
				}
				if _, _, err := srv.log.find(regexp.MustCompile(`upgrade: \d+ processes replaced`), len(text), patience); err != nil {
					t.Fatal(err)
				}
			}
			r.wait((seconds + 60) * time.Second)
			if out, err := srv.call("kahea.verify"); err != nil {
				t.Errorf("verify: %v %v", out, err)
			}
			srv.pids = children(srv.cmd.Process.Pid)
			srv.memoryBack()
			srv.stop()
		})
	}
}
