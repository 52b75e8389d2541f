package registrar_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"kahea/modules/lib/modtest"
)

// TestContactExpired runs the event route once for each contact that has run out, with the contact in $ulc(exp=>...).
func TestContactExpired(t *testing.T) {
	s := start(t, script+`
event_route[usrloc:contact-expired] { xlog("L_NOTICE", "gone $rm $ulc(exp=>aor) $ulc(exp=>addr) $ulc(exp=>count) $ulc(exp=>domain)\n"); }`)
	s.want("200", "<sip:a@h>;expires=100", "Contact: <sip:a@h>;expires=100")
	s.want("200", "<sip:a@h>;expires=100, <sip:b@h>;expires=200", "Contact: <sip:b@h>;expires=200")
	s.Log()
	s.Advance(100 * time.Second)
	s.Tick()
	if got, want := s.Log(), "NOTICE: <script>: gone OPTIONS bob sip:a@h 1 location\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Tick()
	s.Advance(100 * time.Second)
	s.Tick()
	if got, want := s.Log(), "NOTICE: <script>: gone OPTIONS bob sip:b@h 1 location\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.empty()
}

// TestRange shortens what is asked for by chance, unless save() has flag 8.
func TestRange(t *testing.T) {
	for _, tc := range []struct {
		name, par, flags, line string
		least, most            int
	}{
		{"default", `modparam("registrar", "default_expires_range", 50)`, "0", "Contact: <sip:b@h>", 1800, 3600},
		{"asked for", `modparam("registrar", "expires_range", 50)`, "0", "Contact: <sip:b@h>;expires=1000", 500, 1000},
		{"flag 8", `modparam("registrar", "expires_range", 50)`, "8", "Contact: <sip:b@h>;expires=1000", 1000, 1000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, tc.par+"\nrequest_route { save(\"location\", \""+tc.flags+"\"); }")
			seen := map[string]bool{}
			for range 40 {
				_, c := s.register(tc.line)
				n := 0
				for _, d := range strings.TrimPrefix(c, "<sip:b@h>;expires=") {
					n = n*10 + int(d-'0')
				}
				if n < tc.least || n > tc.most {
					t.Fatalf("%q is not in %d to %d", c, tc.least, tc.most)
				}
				seen[c] = true
			}
			if (len(seen) == 1) != (tc.least == tc.most) {
				t.Errorf("%d different times", len(seen))
			}
		})
	}
}

// TestLookupXAVP reads contacts without touching the message.
func TestLookupXAVP(t *testing.T) {
	s := start(t, `
request_route {
	if (method=="REGISTER") { save("location"); exit; }
	$var(rc) = lookup_xavp("location", "sip:bob@x", "r", "c");
	xlog("L_NOTICE", "$var(rc) $xavp(r=>aor) $xavp(r=>count) $xavp(c=>uri) $xavp(c=>dsturi) $xavp(c=>socket) $xavp(c[1]=>uri) $ru $br\n");
	xavp_push_dst("c");
	xlog("L_NOTICE", "$ru $du $fs\n");
}
`+`modparam("registrar", "received_avp", "$var(rcv)")
modparam("pv", "varset", "rcv=s:sip:1.2.3.4:5")`)
	s.want("200", `<sip:b@h>;q=0.9;expires=3600;received="sip:1.2.3.4:5", <sip:a@h>;q=0.5;expires=3600;received="sip:1.2.3.4:5"`, "Contact: <sip:a@h>;q=0.5, <sip:b@h>;q=0.9")
	s.Log()
	s.Receive(modtest.Request("INVITE", "sip:carol@example.com"))
	want := "NOTICE: <script>: 1 bob 2 sip:b@h sip:1.2.3.4:5 udp:127.0.0.1:5060 sip:a@h sip:carol@example.com <null>\n" +
		"NOTICE: <script>: sip:b@h sip:1.2.3.4:5 udp:127.0.0.1:5060\n"
	if got := s.Log(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestSendReply sends later what save() has not sent.
func TestSendReply(t *testing.T) {
	s := start(t, `request_route { save("location", "0x12"); xlog("L_NOTICE", "saved\n"); reg_send_reply(); }`)
	s.want("200", "<sip:b@h>;expires=3600", "Contact: <sip:b@h>")
	s.want("400", "<sip:b@h>;expires=3600", "Contact: <sip:b@h>;q=x")
	s = start(t, `request_route { $var(rc) = reg_send_reply(); xlog("L_NOTICE", "$var(rc)\n"); sl_send_reply("202", "Own"); }`)
	s.want("202", "")
	if got := s.Log(); !strings.HasSuffix(got, "<script>: -1\n") {
		t.Errorf("log %q", got)
	}
}

var changing = regexp.MustCompile(`tag=uloc-[^\r]+|ksrulka-[0-9a-f]+-`)

// TestKeepalive asks each contact in each round, and lets go who does not answer.
func TestKeepalive(t *testing.T) {
	s := start(t, script+`
modparam("usrloc", "ka_mode", 1)
modparam("usrloc", "ka_randomize", 0)
modparam("usrloc", "ka_timeout", 100)
modparam("usrloc", "ka_loglevel", 1)
modparam("usrloc", "ka_reply_codes", "200,404")
modparam("usrloc", "ka_from", "sip:ping@x")
modparam("usrloc", "ka_domain", "y")
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 0)`)
	s.want("200", "<sip:a@127.0.0.1:5071>;expires=3600", "Contact: <sip:a@127.0.0.1:5071>", "Path: <sip:127.0.0.1:5072;lr>,<sip:p;lr>")
	s.Tick()
	out := s.Sent()
	want := "OPTIONS sip:a@127.0.0.1:5071 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx.1.0.0\r\nRoute: <sip:127.0.0.1:5072;lr>,<sip:p;lr>\r\n" +
		"From: <sip:ping@x>;TAG\r\nTo: <sip:bob@y>\r\nCall-ID: TAG1\r\nCSeq: 80 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	if len(out) != 1 || out[0].To.String() != "127.0.0.1:5072" || changing.ReplaceAllString(out[0].Text, "TAG") != want {
		t.Fatalf("sent %+v\nwant %q", out, want)
	}
	reply := func(code string) string {
		_, head, _ := strings.Cut(out[0].Text, "\r\n")
		return "SIP/2.0 " + code + " x\r\n" + head
	}
	s.Log()
	s.Advance(20 * time.Millisecond)
	s.Receive(reply("200"))
	if got := s.Log(); !regexp.MustCompile(`^NOTICE: usrloc: keepalive roundtrip: 0\.0\d{5} sec - ruid \[uloc-\S+\] to-uri: \[sip:bob@y\] remote-addr: \[udp:127.0.0.1:5070\]\n$`).MatchString(got) {
		t.Errorf("log %q", got)
	}
	if l := s.Sent(); len(l) != 0 {
		t.Errorf("the answer went on: %+v", l)
	}
	s.Advance(90 * time.Second)
	s.Receive(reply("404")) // keeps it for another ka_timeout
	s.Advance(90 * time.Second)
	s.Receive(reply("503")) // does not count
	s.Advance(9 * time.Second)
	s.Tick()
	if l := s.Sent(); len(l) != 1 {
		t.Errorf("sent %d keepalives within ka_timeout, want 1", len(l))
	}
	s.Advance(2 * time.Second)
	s.Tick()
	if l := s.Sent(); len(l) != 0 {
		t.Errorf("sent %+v after ka_timeout", l)
	}
	s.Advance(10 * time.Second)
	s.Tick()
	s.empty()
}

// TestParameters are those that do not go together.
func TestParameters(t *testing.T) {
	for _, tc := range []struct{ name, par, want string }{
		{"flow_timer alone", `modparam("registrar", "flow_timer", 5)`, "flow_timer needs outbound_mode 1 or 2"},
		{"sock_flag alone", `modparam("registrar", "sock_flag", 5)`, "sock_flag needs sock_hdr_name or xavp_cfg"},
		{"ka_reply_codes", "modparam(\"usrloc\", \"ka_mode\", 1)\nmodparam(\"usrloc\", \"ka_reply_codes\", \"99\")", `ka_reply_codes "99": want codes between 100 and 699`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := modtest.Load(t, load+tc.par+script); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
