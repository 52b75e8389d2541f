package textops_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

// relayed runs a script on a request with a body, which is then forwarded; it returns what the script logged and the body that left.
func relayed(t *testing.T, script, ctype, body string) (log, out string) {
	t.Helper()
	s := modtest.Start(t, "listen=udp:127.0.0.1:17200\n"+load+"request_route { "+script+` forward("127.0.0.1", 17201); }`)
	head := "MESSAGE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n"
	from := netip.MustParseAddrPort("127.0.0.1:5070")
	s.ReceiveRaw(fmt.Appendf(nil, "%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", head, ctype, len(body), body), from, s.Proc.Net.Sockets[0])
	sent := s.Sent()
	if len(sent) != 1 {
		t.Fatalf("sent %+v, want the request", sent)
	}
	_, out, _ = strings.Cut(sent[0].Text, "\r\n\r\n")
	return s.Log(), out
}

const everyBodyFunction = `
	$var(n) = 0;
	if (filter_body("text/plain")) $var(n) = $var(n) + 1;
	if (remove_body_part("text/plain")) $var(n) = $var(n) + 1;
	if (get_body_part("text/plain", "$var(o)")) $var(n) = $var(n) + 1;
	if (get_body_part_raw("text/plain", "$var(o)")) $var(n) = $var(n) + 1;
	if (append_body_part("x", "text/plain")) $var(n) = $var(n) + 1;
	if (is_audio_on_hold()) $var(n) = $var(n) + 1;
	xlog("true: $var(n)\n");
`

// RFC 2046 5.1.1: what is broken has no parts; the functions say so and the message leaves as it came.
func TestBrokenMultipart(t *testing.T) {
	part := "Content-Type: text/plain\r\n\r\nhi\r\n"
	good := "--b1\r\n" + part + "--b1--\r\n"
	for _, tc := range []struct{ name, ctype, body string }{
		{"no boundary", "multipart/mixed", good},
		{"empty boundary", "multipart/mixed;boundary=", good},
		{"empty boundary in quotes", `multipart/mixed;boundary=""`, good},
		{"open quote", `multipart/mixed;boundary="b1`, good},
		{"other boundary", "multipart/mixed;boundary=b2", good},
		{"boundary of more than 70", "multipart/mixed;boundary=" + strings.Repeat("b", 71), strings.ReplaceAll(good, "b1", strings.Repeat("b", 71))},
		{"one dash less", "multipart/mixed;boundary=b1", strings.ReplaceAll(good, "--b1", "-b1")},
		{"ends with dashes", "multipart/mixed;boundary=b1", "--b1\r\n" + part + "--"},
		{"only dashes", "multipart/mixed;boundary=b1", "--"},
		{"only the end", "multipart/mixed;boundary=b2", "--b1--\r\n"},
		{"LF only", "multipart/mixed;boundary=b1", strings.ReplaceAll(good, "\r\n", "\n")},
		{"no end", "multipart/mixed;boundary=b1", "--b1\r\n" + part},
		{"truncated", "multipart/mixed;boundary=b1", "--b1\r\nContent-Type: text/plain"},
		{"longer boundary", "multipart/mixed;boundary=b1", strings.ReplaceAll(good, "b1", "b11")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, out := relayed(t, everyBodyFunction, tc.ctype, tc.body)
			if !strings.HasSuffix(log, "true: 0\n") {
				t.Errorf("log %q, want no function to be true", log)
			}
			if out != tc.body {
				t.Errorf("body %q, want %q", out, tc.body)
			}
		})
	}
}

func TestAdjacentBoundaries(t *testing.T) {
	_, out := relayed(t, `if (get_body_part("text/plain", "$var(o)") || filter_body("text/plain") || remove_body_part("text/plain")) append_hf("X: 1\r\n");`,
		"multipart/mixed;boundary=b1", "--b1\r\n--b1\r\n--b1--\r\n")
	if out != "--b1\r\n--b1\r\n--b1--\r\n" {
		t.Errorf("body %q has changed", out)
	}
}

func TestNestedMultipart(t *testing.T) {
	const depth = 1000
	body := "Content-Type: text/plain\r\n\r\nhi\r\n"
	for i := range depth {
		b := fmt.Sprintf("b%d.", i)
		body = "Content-Type: multipart/mixed;boundary=" + b + "\r\n\r\n--" + b + "\r\n" + body + "--" + b + "--\r\n"
	}
	_, body, _ = strings.Cut(body, "\r\n\r\n")
	if len(body) > 60000 {
		body = body[:60000]
	}
	for _, cid := range []string{"", "\r\nContent-ID: <self@x>\r\nContent-Type: message/external-body;access-type=cid:self@x"} {
		log, out := relayed(t, `if (get_body_part("text/plain", "$var(o)") || filter_body("text/plain") || remove_body_part("text/plain")) xlog("found\n");`,
			fmt.Sprintf("multipart/mixed;boundary=b%d.", depth-1)+cid, body)
		if strings.Contains(log, "found") || out != body {
			t.Errorf("a part of a part was found (%q), or the body has changed", log)
		}
	}
}

func TestBodyParts(t *testing.T) {
	two := "--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b1\r\nX-P: 1\r\nContent-Type: text/plain\r\n\r\nhi\r\nyou\r\n--b1--\r\n"
	for _, tc := range []struct{ name, ctype, body, script, log, out string }{
		{"content", `multipart/mixed;boundary="b1"`, two, `get_body_part("text/plain", "$var(o)"); xlog("$(var(o){s.encode.hexa})\n");`, "68690d0a796f75", two},
		{"part with its fields", "multipart/mixed;boundary=b1", two, `get_body_part_raw("application/sdp", "$var(o)"); xlog("$(var(o){s.len})\n");`, "36", two},
		{"append to what was made", "text/plain", "x", `set_body_multipart("a", "text/plain", "q"); append_body_part("b", "text/b"); xlog("$rc\n");`, "1",
			"--q\r\nContent-Type: text/plain\r\n\r\na\r\n--q\r\nContent-Type: text/b\r\n\r\nb\r\n--q--\r\n"},
		{"a text replaces a multipart body", "multipart/mixed;boundary=b1", two, `set_body_multipart("a", "text/plain"); xlog("$rc\n");`, "1",
			"--unique-boundary-1\r\nContent-Type: text/plain\r\n\r\na\r\n--unique-boundary-1--\r\n"},
		{"body in hexadecimal digits", "text/plain", "x", `set_body_hex("610d0A", "text/h"); xlog("$rc\n");`, "1", "a\r\n"},
		{"bad digits", "text/plain", "x", `set_body_hex("61g", "text/h"); xlog("$rc\n");`, "-1", "x"},
		{"a part with white space behind its delimiter", "multipart/mixed;boundary=b1", "--b1 \t\r\nContent-Type: a/b\r\n\r\nhi\r\n--b1--", `filter_body("a/b"); xlog("$rc\n");`, "1", "hi"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, out := relayed(t, tc.script, tc.ctype, tc.body)
			if !strings.HasSuffix(log, "<script>: "+tc.log+"\n") {
				t.Errorf("log %q, want %s", log, tc.log)
			}
			if out != tc.out {
				t.Errorf("body %q, want %q", out, tc.out)
			}
		})
	}
}

func TestViaParamRemove(t *testing.T) {
	for _, tc := range []struct{ name, call, rc, via string }{
		{"first", `via_param_rm("x", 0)`, "1", "SIP/2.0/UDP a;branch=z9hG4bK1;rport, SIP/2.0/UDP b;x=2;branch=3"},
		{"second", `via_param_rm("X", 1)`, "1", "SIP/2.0/UDP a;branch=z9hG4bK1;x=1;rport, SIP/2.0/UDP b;branch=3"},
		{"none of that name", `via_param_rm("y", 0)`, "-1", "SIP/2.0/UDP a;branch=z9hG4bK1;x=1;rport, SIP/2.0/UDP b;x=2;branch=3"},
		{"none of that number", `via_param_rm("x", 2)`, "-1", "SIP/2.0/UDP a;branch=z9hG4bK1;x=1;rport, SIP/2.0/UDP b;x=2;branch=3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, "listen=udp:127.0.0.1:17200\n"+load+"loadmodule \"textopsx.so\"\nrequest_route { "+tc.call+`; xlog("$rc\n"); msg_apply_changes(); xlog("$hdr(Via)\n"); }`)
			s.Receive("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1;x=1;rport, SIP/2.0/UDP b;x=2;branch=3\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
			if got, want := s.Log(), "ERROR: <script>: "+tc.rc+"\nERROR: <script>: "+tc.via+"\n"; got != want {
				t.Errorf("log %q, want %q", got, want)
			}
		})
	}
}
