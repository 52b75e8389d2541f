package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

var hostileSplits = flag.Bool("hostile-splits", false, "TestHostile sends every message of up to 4 KB over TCP split at every byte, not only the first one (minutes)")

// corpusDir lies beside the repository; it is not part of it.
const corpusDir = "../../../shared/corpus/sip"

// hostileConfig looks at as much of a message as a script can; transactions end soon, and what is registered goes at once.
const hostileConfig = `
listen=udp:@SERVER@
listen=tcp:@SERVER@
children=1
tcp_children=1
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "xlog.so"
modparam("tm", "fr_timer", 300)
modparam("tm", "fr_inv_timer", 300)
modparam("tm", "wt_timer", 100)
request_route {
	if (method=="OPTIONS" && uri==myself && $rU==$null && $ci=~"^probe-") {
		sl_send_reply("200", "OK");
		exit;
	}
	xlog("L_ERR", "$rm $ru $rU $rd $rp $ci $cs $fu $fn $ft $tu $tn $tt $ct $ua $cT $cl $ml $rv $hdr(Subject) $hdrc(Via) $(ct{nameaddr.uri}) $ai $pu $di $rr $td $(rb{s.len}) $(hdr(Via)[-1])\n");
	force_rport();
	sanity_check("17895", "7");
	mf_process_maxfwd_header("10");
	has_totag();
	has_body("application/sdp");
	remove_hf("Subject");
	append_hf("X-Seen: $si\r\n");
	if (method=="ACK") {
		t_check_trans();
		exit;
	}
	if (method=="CANCEL") {
		if (t_check_trans()) t_relay();
		exit;
	}
	t_check_trans();
	loose_route();
	if (method=="REGISTER") {
		if (!save("location")) sl_reply_error();
		unregister("location", "$tu");
		exit;
	}
	lookup("location");
	record_route();
	$du = $null;
	rewritehostport("@SINK@");
	t_on_failure("F");
	t_on_reply("R");
	if (!t_relay()) sl_reply_error();
}
failure_route[F] {
	xlog("L_ERR", "failed $rs $ru\n");
}
onreply_route[R] {
	xlog("L_ERR", "reply $rs $rr $ct\n");
}
reply_route {
	xlog("L_ERR", "reply $rs $rr $ci $cs $fu $tu $rv\n");
}
`

// hostileINVITE is the message that the others are made of; @PROTO@ is its transport.
const hostileINVITE = "INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/@PROTO@ 127.0.0.1:9;branch=z9hG4bK-h;rport\r\nRoute: <sip:p.example;lr>\r\nMax-Forwards: 70\r\n" +
	"From: \"A\" <sip:alice@a.example>;tag=h\r\nTo: <sip:bob@b.example>\r\nCall-ID: hostile@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@127.0.0.1:9>\r\n" +
	"Subject: hostile\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"

type hostileMessage struct {
	name string
	text []byte
}

// hostileMessages are the messages of the table; truncations are made from the first.
func hostileMessages() []hostileMessage {
	l := []hostileMessage{{"invite", []byte(hostileINVITE)}}
	add := func(name, text string) { l = append(l, hostileMessage{name, []byte(text)}) }
	with := func(name, old, text string) {
		if !strings.Contains(hostileINVITE, old) {
			panic("no " + old)
		}
		add(name, strings.Replace(hostileINVITE, old, text, 1))
	}
	header := func(name, line string) { with(name, "Subject: hostile\r\n", line) }
	big := func(n int) string { return strings.Repeat("x", n) }

	add("empty", "")
	add("line-end", "\r\n")
	add("keepalive", "\r\n\r\n")
	add("many-line-ends", strings.Repeat("\r\n", 2000))
	add("nul", "\x00")
	add("nuls", strings.Repeat("\x00", 4096))
	add("ff", strings.Repeat("\xff", 4096))
	binary := make([]byte, 8192)
	for i := range binary {
		binary[i] = byte(i*i*31 + i>>3)
	}
	add("binary", string(binary))
	add("text", big(65507))
	add("spaces", strings.Repeat(" ", 65507))
	add("colons", strings.Repeat(":", 65507))
	add("http", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
	add("tls-hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"+big(300))
	add("stun", "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl")
	add("only-first-line", "INVITE sip:bob@b.example SIP/2.0\r\n\r\n")
	add("no-method", " sip:bob@b.example SIP/2.0\r\n\r\n")
	with("largest", "v=0\r\n", big(65000-len(hostileINVITE)))
	with("largest-true-length", "Content-Length: 5\r\n\r\nv=0\r\n", "Content-Length: 64000\r\n\r\n"+big(64000))
	header("largest-field", "Subject: "+big(64000)+"\r\n")
	header("largest-name", big(64000)+": a\r\n")
	header("ten-thousand-fields", strings.Repeat("A:b\r\n", 10000))
	header("ten-thousand-vias", strings.Repeat("v:a\r\n", 10000))
	header("thousand-real-vias", strings.Repeat("Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n", 1000))
	header("thousand-routes", strings.Repeat("Route: <sip:a@b;lr>\r\n", 2000))
	header("one-line-of-routes", "Route: "+strings.Repeat("<sip:a;lr>,", 5000)+"<sip:b;lr>\r\n")
	header("folded", "Subject: a"+strings.Repeat("\r\n ", 10000)+"b\r\n")
	header("folded-to-the-end", "Subject: a\r\n "+"\r\n \r\n")
	header("no-colon", "Subject hostile\r\n")
	header("empty-name", ": hostile\r\n")
	header("nul-in-field", "Subject: a\x00b\r\n")
	header("nul-in-name", "Sub\x00ject: a\r\n")
	header("bare-cr", "Subject: a\rb\r\n")
	header("bare-lf", "Subject: a\nX: b\n")
	header("quote-open", "Subject: \"a\r\n")
	header("many-unknown", "X-A: 1\r\nX-B: 2\r\nX-C\r\n")
	for _, n := range []string{"", " ", "-1", "+5", "0", "4", "6", "5 5", "5,5", "0x5", "5abc", "99999", "65536", "2147483647", "2147483648", "4294967295", "4294967301",
		"18446744073709551615", "18446744073709551621", big(100), strings.Repeat("9", 5000), "-" + strings.Repeat("9", 500), "\x00", "\xff"} {
		with("content-length-"+short(n), "Content-Length: 5", "Content-Length:"+n)
	}
	with("content-length-absent", "Content-Length: 5\r\n", "")
	with("content-length-twice", "Content-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 500\r\n")
	with("content-length-compact-twice", "Content-Length: 5\r\n", "l: 500\r\nContent-Length: 5\r\n")
	via := "SIP/2.0/@PROTO@ 127.0.0.1:9;branch=z9hG4bK-h;rport"
	for i, v := range []string{"", " ", ",", ";", "SIP", "SIP/", "SIP/2.0", "SIP/2.0/", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0/UDP ;", "SIP/2.0/UDP :", "SIP/2.0/UDP a:", "SIP/2.0/UDP a:b",
		"SIP/2.0/UDP a:99999", "SIP/2.0/UDP a:-1", "SIP/2.0/UDP [", "SIP/2.0/UDP []", "SIP/2.0/UDP [::1", "SIP/2.0/UDP [" + big(2000) + "]", "SIP/2.0/UDP " + big(30000), "SIP/9/UDP a", "SIP/2.0/XXX a",
		"SIP/2.0/UDP a;branch", "SIP/2.0/UDP a;branch=", "SIP/2.0/UDP a;branch=\"", "SIP/2.0/UDP a;branch=z9hG4bK", "SIP/2.0/UDP a;branch=z9hG4bK" + big(30000), "SIP/2.0/UDP a;rport=x;received=y",
		"SIP/2.0/UDP a;;;;;", "SIP/2.0/UDP a (", "SIP/2.0/UDP a (((((((((", "SIP/2.0/UDP a\x00b", "SIP/2.0/UDP a,,,,b", "SIP/2.0/UDP a;maddr=127.0.0.1;ttl=256;branch=z9hG4bK1",
		"SIP/2.0/UDP a;" + strings.Repeat("p=1;", 10000), "SIP/2.0/UDP a;i=ffffffffff;branch=z9hG4bK1", "SIP/2.0/UDP a;alias=" + big(100)} {
		with(fmt.Sprintf("via-%d-%s", i, short(v)), via, v)
	}
	with("via-absent", "Via: "+via+"\r\n", "")
	for i, u := range []string{"", ":", "sip", "sip:", "sip:@", "sip:a@", "sip:@b", "sip::@b", "sip:a:@b", "sip:a@b:", "sip:a@b:0", "sip:a@b:65536", "sip:a@b:" + strings.Repeat("9", 1000), "sip:a@[::1", "sip:a@[::1]:x",
		"sip:a@b;", "sip:a@b;;;", "sip:a@b;transport=", "sip:a@b;transport=xxx", "sip:a@b;maddr=;lr=;ttl=x", "sip:a@b?", "sip:a@b?x", "sip:a@b?%", "sip:a%@b", "sip:a%0@b", "sip:%00@b", "sip:a@b;%", "tel:", "tel:+",
		"tel:+1;phone-context=", "urn:service:sos", "sips:a@b", "http://a/", "sip:" + big(60000), "sip:a@" + big(60000), "sip:a@b;" + strings.Repeat("a=b;", 10000), "sip:" + strings.Repeat("a@", 10000) + "b",
		"sip:a\x00@b", "sip:\xff\xfe@b", "<sip:a@b>", "*", "sip:a@b sip:c@d"} {
		with(fmt.Sprintf("ruri-%d-%s", i, short(u)), "sip:bob@b.example", u)
		with(fmt.Sprintf("to-%d-%s", i, short(u)), "To: <sip:bob@b.example>", "To: <"+u+">")
		with(fmt.Sprintf("from-%d-%s", i, short(u)), "\"A\" <sip:alice@a.example>;tag=h", u)
		with(fmt.Sprintf("contact-%d-%s", i, short(u)), "<sip:alice@127.0.0.1:9>", "<"+u+">;expires=1")
		with(fmt.Sprintf("route-%d-%s", i, short(u)), "<sip:p.example;lr>", "<"+u+">")
		add(fmt.Sprintf("register-%d-%s", i, short(u)), strings.NewReplacer("INVITE sip:bob@b.example", "REGISTER sip:b.example", "1 INVITE", "1 REGISTER",
			"<sip:alice@127.0.0.1:9>", "<"+u+">;q=0.5;+sip.instance=\"<x>\"").Replace(hostileINVITE))
	}
	for i, c := range []string{"", " ", "1", "INVITE", "x INVITE", "-1 INVITE", "1 ", "1 BYE", "4294967295 INVITE", "4294967296 INVITE", strings.Repeat("9", 10000) + " INVITE", "1 " + big(30000), "1\x00INVITE", "1 INVITE INVITE", "0x1 INVITE", "1\tINVITE"} {
		with(fmt.Sprintf("cseq-%d-%s", i, short(c)), "1 INVITE", c)
	}
	for i, c := range []string{"", "*", "\"", "\"\\", "\"\\\"", "<", ">", "<>", "><", "\"a\" <sip:b@c", "a b c <sip:b@c>", "sip:a@b;tag", "<sip:a@b>;tag=", "<sip:a@b>;tag=\"", "<sip:a@b>;;tag==x", "<sip:a@b>;tag=" + big(60000), "\"" + big(60000) + "\" <sip:a@b>", "=?\xff", "<sip:a@b>;tag=a;tag=b"} {
		with(fmt.Sprintf("to-field-%d-%s", i, short(c)), "<sip:bob@b.example>\r", c+"\r")
		with(fmt.Sprintf("from-field-%d-%s", i, short(c)), "\"A\" <sip:alice@a.example>;tag=h", c)
		with(fmt.Sprintf("contact-field-%d-%s", i, short(c)), "<sip:alice@127.0.0.1:9>", c)
	}
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards"} {
		i := strings.Index(hostileINVITE, h+":")
		j := i + strings.Index(hostileINVITE[i:], "\r\n") + 2
		add("without-"+h, hostileINVITE[:i]+hostileINVITE[j:])
		add("twice-"+h, hostileINVITE[:j]+hostileINVITE[i:j]+hostileINVITE[j:])
		add("huge-"+h, hostileINVITE[:i]+h+": "+big(60000)+"\r\n"+hostileINVITE[j:])
	}
	for i, m := range []string{"x", big(60000), "\x00", "SIP/2.0", "SIP/2.0 200", "INVITE\t", "invite", "CANCEL", "ACK", "BYE", "PRACK", "INVITE INVITE"} {
		with(fmt.Sprintf("method-%d-%s", i, short(m)), "INVITE sip", m+" sip")
	}
	for i, v := range []string{"", "SIP", "SIP/", "SIP/1.0", "SIP/2.00", "SIP/7.0", "sip/2.0", "HTTP/1.1", big(60000)} {
		with(fmt.Sprintf("version-%d-%s", i, short(v)), " SIP/2.0\r\nVia", " "+v+"\r\nVia")
	}
	for i, s := range []string{"SIP/2.0 200 OK", "SIP/2.0 200", "SIP/2.0 200 ", "SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/2.0 2000 x", "SIP/2.0 -20 x", "SIP/2.0  200 x", "SIP/2.0 100 x", "SIP/2.0 200 " + big(60000), "SIP/2.0 20x x"} {
		with(fmt.Sprintf("reply-%d-%s", i, short(s)), "INVITE sip:bob@b.example SIP/2.0", s)
	}
	return l
}

func overProto(b []byte, proto string) []byte {
	return bytes.ReplaceAll(b, []byte("@PROTO@"), []byte(proto))
}

// short makes a test's name of a text.
func short(s string) string {
	s = fmt.Sprintf("%q", s)
	return s[1:min(len(s)-1, 24)]
}

// hostile sends messages to a server and asks after each whether it is well.
type hostile struct {
	t    *testing.T
	srv  *instance
	udp  *udpSocket
	read int // lines of the log that were looked at
	n    int
}

func startHostile(t *testing.T) *hostile {
	sink := newPeer(t, "udp", "sink", "")
	go func() {
		for range sink.in {
		}
	}()
	addr := freeAddr(t)
	text := strings.NewReplacer("@SERVER@", addr, "@SINK@", sink.local).Replace(hostileConfig)
	h := &hostile{t: t, srv: startServer(t, addr, text), udp: openUDP(t)}
	t.Cleanup(func() { h.udp.Close() })
	a, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	h.udp.to = a
	return h
}

// well wants OPTIONS answered by the worker that had the message, and nothing of a crash in the log.
func (h *hostile) well(name string) {
	h.t.Helper()
	h.n++
	id := fmt.Sprintf("hostile-%d", h.n)
	ask := []byte(probe(h.srv.addr, h.udp.addr(), id))
	if err := h.udp.write(ask); err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	want := []byte("Call-ID: probe-" + id + "\r\n")
	for end := time.Now().Add(patience); ; {
		b, err := h.udp.read(time.Second)
		if err == nil && bytes.Contains(b, want) {
			break
		}
		if err != nil {
			if time.Now().After(end) {
				h.t.Fatalf("%s: OPTIONS is not answered any more", name)
			}
			if err := h.udp.write(ask); err != nil {
				h.t.Fatalf("%s: %v", name, err)
			}
		}
	}
	h.trouble(name)
}

func (h *hostile) trouble(name string) {
	h.t.Helper()
	text, _, _ := h.srv.log.snapshot()
	for ; h.read < len(text); h.read++ {
		if l := text[h.read]; badLog.MatchString(l) && !strings.Contains(l, "<script>: ") || strings.Contains(l, "child process") {
			h.t.Fatalf("%s: in the log: %s", name, l)
		}
	}
}

func (h *hostile) sendUDP(m hostileMessage) {
	h.t.Helper()
	b := overProto(m.text, "UDP")
	b = b[:min(len(b), 65507)]
	if _, err := h.udp.WriteTo(b, h.udp.to); err != nil {
		h.t.Fatalf("%s: %v", m.name, err)
	}
	h.well("udp " + m.name)
}

// sendTCP sends the pieces over a connection of its own, and an OPTIONS behind them, and reads until the server closes.
func (h *hostile) sendTCP(name string, pieces ...[]byte) {
	h.t.Helper()
	conn, err := net.DialTimeout("tcp4", h.srv.addr, patience)
	if err != nil {
		h.t.Fatalf("tcp %s: %v", name, err)
	}
	defer conn.Close()
	c := conn.(*net.TCPConn)
	c.SetDeadline(time.Now().Add(patience))
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, c)
		done <- err
	}()
	pieces = append(pieces, []byte(strings.Replace(probe(h.srv.addr, c.LocalAddr().String(), "behind"), "/UDP", "/TCP", 1)))
	for _, p := range pieces {
		if len(p) == 0 {
			continue
		}
		if _, err := c.Write(p); err != nil {
			break // the server has closed: its right
		}
	}
	c.CloseWrite()
	if err := <-done; err != nil && os.IsTimeout(err) {
		h.t.Fatalf("tcp %s: the server does not close %v after the peer did", name, patience)
	}
	h.trouble("tcp " + name)
}

// wellTCP wants an OPTIONS over a new connection answered.
func (h *hostile) wellTCP(name string) {
	h.t.Helper()
	p := newPeer(h.t, "tcp", "probe", h.srv.addr)
	if err := p.connect(); err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	if err := p.fence(); err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	p.close()
}

func (h *hostile) messageTCP(m hostileMessage, splits bool) {
	h.t.Helper()
	b := overProto(m.text, "TCP")
	h.sendTCP(m.name, b)
	if splits && len(b) <= 4096 {
		for i := 1; i < len(b); i++ {
			h.sendTCP(fmt.Sprintf("%s split at %d", m.name, i), b[:i], b[i:])
		}
	}
	if len(b) <= 4096 {
		single := make([][]byte, len(b))
		for i := range b {
			single[i] = b[i : i+1]
		}
		h.sendTCP(m.name+" byte by byte", single...)
	}
	h.wellTCP("tcp " + m.name)
}

// end wants the server as it was after its start.
func (h *hostile) end() {
	h.t.Helper()
	h.srv.sameProcesses()
	h.srv.memoryBack()
	h.srv.stop()
}

// TestHostile sends what no good client sends, over UDP and TCP.
func TestHostile(t *testing.T) {
	t.Run("udp", func(t *testing.T) {
		t.Parallel()
		h := startHostile(t)
		for _, m := range hostileMessages() {
			h.sendUDP(m)
		}
		h.end()
	})
	t.Run("udp-truncated", func(t *testing.T) {
		t.Parallel()
		h := startHostile(t)
		whole := overProto([]byte(hostileINVITE), "UDP")
		for i := range whole {
			h.sendUDP(hostileMessage{fmt.Sprintf("truncated at %d", i), whole[:i]})
		}
		h.end()
	})
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		h := startHostile(t)
		for i, m := range hostileMessages() {
			h.messageTCP(m, i == 0 || *hostileSplits)
		}
		h.end()
	})
	t.Run("tcp-truncated", func(t *testing.T) {
		t.Parallel()
		h := startHostile(t)
		whole := overProto([]byte(hostileINVITE), "TCP")
		for i := range whole {
			h.sendTCP(fmt.Sprintf("truncated at %d", i), whole[:i])
		}
		h.wellTCP("truncated")
		h.end()
	})
}
