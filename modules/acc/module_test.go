package acc_test

import (
	"fmt"
	"strings"
	"testing"

	_ "kahea/modules/acc"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/rr"
	_ "kahea/modules/sl"
	_ "kahea/modules/tm"
)

const head = `
loadmodule "pv.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "acc.so"
modparam("acc", "log_flag", 1)
modparam("acc", "log_missed_flag", 2)
modparam("acc", "failed_transaction_flag", 3)
modparam("acc", "acc_prepare_flag", 5)
modparam("acc", "early_media", 1)
modparam("acc", "log_extra", "u=$rU;nul=$hdr(X)")
`

// tail is what every line of these tests has between its beginning and its end.
const tail = ";call_id=call-1@127.0.0.1;code="

// The lines are Kamailio 5.6.3's.
func TestLocalReplies(t *testing.T) {
	for _, tc := range []struct{ name, method, script, want string }{
		{"comment", "MESSAGE", `acc_log_request("hello world");`, "request accounted: timestamp=1767225600;method=MESSAGE;from_tag=a1;to_tag=" + tail + ";reason=hello world;u=bob;nul=\n"},
		{"comment with a code", "MESSAGE", `acc_log_request("404 gone");`, "request accounted: timestamp=1767225600;method=MESSAGE;from_tag=a1;to_tag=" + tail + "404;reason=gone;u=bob;nul=\n"},
		{"comment with a variable", "MESSAGE", `acc_log_request("$rm x");`, "request accounted: timestamp=1767225600;method=MESSAGE;from_tag=a1;to_tag=" + tail + ";reason=MESSAGE x;u=bob;nul=\n"},
		{"answered", "MESSAGE", `setflag(1); setflag(2); t_newtran(); t_reply("200", "Fine");`, "transaction answered: timestamp=1767225600;method=MESSAGE;from_tag=a1;to_tag=" + tail + "200;reason=OK;u=bob;nul=\n"},
		{"failed", "MESSAGE", `setflag(1); t_newtran(); t_reply("404", "Nope");`, ""},
		{"failed, with the flag", "MESSAGE", `setflag(1); setflag(3); t_newtran(); t_reply("404", "Nope");`, "transaction answered: timestamp=1767225600;method=MESSAGE;from_tag=a1;to_tag=" + tail + "404;reason=Not Found;u=bob;nul=\n"},
		{"missed", "INVITE", `setflag(2); t_newtran(); t_reply("486", "Busy");`, "call missed: timestamp=1767225600;method=INVITE;from_tag=a1;to_tag=OWN" + tail + "486;reason=Busy Here;u=bob;nul=\n"},
		{"no call is missed", "MESSAGE", `setflag(2); t_newtran(); t_reply("486", "Busy");`, ""},
		{"flag when the transaction is there", "MESSAGE", `t_newtran(); setflag(1); t_reply("200", "Fine");`, ""},
		{"flag when the transaction is there, prepared", "MESSAGE", `setflag(5); t_newtran(); setflag(1); t_reply("200", "Fine");`, "transaction answered: timestamp=1767225600;method=MESSAGE;from_tag=a1;to_tag=" + tail + "200;reason=OK;u=bob;nul=\n"},
		{"no flag", "INVITE", `t_newtran(); t_reply("200", "OK");`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, head+"request_route { "+tc.script+" }")
			s.Receive(modtest.Request(tc.method, "sip:bob@example.com"))
			var own string
			for _, x := range s.Sent() {
				if _, to, ok := strings.Cut(x.Text, "To: <sip:bob@example.com>;tag="); ok {
					own, _, _ = strings.Cut(to, "\r\n")
				}
			}
			want := strings.ReplaceAll(tc.want, "OWN", own)
			if want != "" {
				want = "NOTICE: acc: ACC: " + want
			}
			if got := s.Log(); got != want {
				t.Errorf("got  %swant %s", got, want)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	for _, tc := range []struct{ name, param, want string }{
		{"database", `"db_url", "mysql://x"`, "accounting to a database is not there yet"},
		{"call records", `"cdr_enable", 1`, "call records is not there yet"},
		{"acks", `"report_ack", 1`, "accounting of ACKs is not there yet"},
		{"flag out of range", `"log_flag", 32`, "got 32, want -1 to 31"},
		{"extra without a name", `"log_extra", "$rU"`, "is not name=$variable"},
		{"extra with an unknown variable", `"log_extra", "a=$nosuch"`, "nosuch"},
		{"facility", `"log_facility", "LOG_X"`, "no syslog facility"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := modtest.Load(t, head+"modparam(\"acc\", "+tc.param+")\nrequest_route { exit; }")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	if s := modtest.Start(t, head+"modparam(\"acc\", \"early_media\", 0)\nrequest_route { exit; }"); s == nil {
		t.Error("a default is refused")
	}
}

// answer answers the last INVITE that was sent; each code may have a body behind a line end.
func answer(t *testing.T, s *modtest.Server, codes ...string) {
	t.Helper()
	for _, x := range s.Sent() {
		if !strings.HasPrefix(x.Text, "INVITE ") {
			continue
		}
		h, _, _ := strings.Cut(x.Text, "\r\n\r\n")
		for _, code := range codes {
			code, body, _ := strings.Cut(code, "\n")
			reply := "SIP/2.0 " + code + "\r\n"
			for _, l := range strings.Split(h, "\r\n")[1:] {
				switch name, _, _ := strings.Cut(l, ":"); name {
				case "To":
					l += ";tag=b7"
					fallthrough
				case "Via", "From", "Call-ID", "CSeq":
					reply += l + "\r\n"
				}
			}
			s.ReceiveFrom(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", reply, len(body), body), x.To, s.Proc.Net.Sockets[0])
		}
		return
	}
	t.Fatal("no INVITE was sent")
}

// Early media is accounted as often as it comes; ringing is not, nor is a call whose flag is set too late. The lines are Kamailio 5.6.3's.
func TestEarlyMedia(t *testing.T) {
	const flagged = "setflag(1);"
	for _, tc := range []struct{ name, script, want string }{
		{"accounted", flagged, "183 183 200"},
		{"flag too late", "t_newtran(); " + flagged, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, head+"request_route { "+tc.script+` $du = "sip:127.0.0.1:5090"; t_relay(); }`)
			s.Receive(modtest.Request("INVITE", "sip:bob@example.com"))
			answer(t, s, "180 Ringing", "183 Early\nv=0", "183 Early\nv=0", "200 OK")
			var codes []string
			for _, l := range strings.Split(s.Log(), "\n") {
				if _, code, ok := strings.Cut(l, ";code="); ok {
					codes = append(codes, code[:3])
				}
			}
			if got := strings.Join(codes, " "); got != tc.want {
				t.Errorf("accounted %q, want %q", got, tc.want)
			}
		})
	}
}

// A call that fails over: missed with the first answer, answered with the second; the extra fields are those of the second.
func TestFailover(t *testing.T) {
	s := modtest.Start(t, head+`
request_route { setflag(1); setflag(2); t_on_failure("F"); $du = "sip:127.0.0.1:5090"; t_relay(); }
failure_route[F] { $rU = "second"; $du = "sip:127.0.0.1:5091"; t_relay(); }`)
	s.Receive(modtest.Request("INVITE", "sip:bob@example.com"))
	answer(t, s, "486 Busy Here")
	answer(t, s, "200 Okay fine")
	want := "NOTICE: acc: ACC: call missed: timestamp=1767225600;method=INVITE;from_tag=a1;to_tag=b7" + tail + "486;reason=Busy Here;u=bob;nul=\n" +
		"NOTICE: acc: ACC: transaction answered: timestamp=1767225600;method=INVITE;from_tag=a1;to_tag=b7" + tail + "200;reason=Okay fine;u=second;nul=\n"
	if got := s.Log(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// TestFields are the fields that parameters add, and what is left out. The forms are Kamailio 5.6.3's.
func TestFields(t *testing.T) {
	const begin, end = "NOTICE: acc: ACC: request accounted: timestamp=1767225600", ";method=INVITE;from_tag=a1;to_tag=" + tail + "200;reason=x;u=bob;nul="
	legs := `modparam("acc", "multi_leg_info", "src=$avp(s);dst=$avp(d)")`
	for _, tc := range []struct{ name, par, script, want string }{
		{"time_mode 1", `modparam("acc", "time_mode", 1)`, "", begin + ";time_exten=0" + end + "\n"},
		{"time_exten", "modparam(\"acc\", \"time_mode\", 1)\nmodparam(\"acc\", \"time_exten\", \"us\")", "", begin + ";us=0" + end + "\n"},
		{"time_mode 2", `modparam("acc", "time_mode", 2)`, "", begin + ";time_attr=1767225600.000" + end + "\n"},
		{"time_mode 4", `modparam("acc", "time_mode", 4)`, "", begin + ";time_attr=2026-01-01 00:00:00" + end + "\n"},
		{"time_format", "modparam(\"acc\", \"time_mode\", 4)\nmodparam(\"acc\", \"time_format\", \"%H.%M\")\nmodparam(\"acc\", \"time_attr\", \"at\")", "", begin + ";at=00.00" + end + "\n"},
		{"legs", legs, `$avp(s) = "s1"; $avp(d) = "d1"; $avp(s) = "s2";`, begin + end + ";src=s2;dst=d1;src=s1;dst=\n"},
		{"no legs", legs, "", begin + end + "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, head+tc.par+"\nrequest_route { "+tc.script+` acc_request("200 x", "acc"); }`)
			s.Receive(modtest.Request("INVITE", "sip:bob@example.com"))
			if got := s.Log(); got != tc.want {
				t.Errorf("got  %swant %s", got, tc.want)
			}
		})
	}
}

func TestFailedFilter(t *testing.T) {
	s := modtest.Start(t, head+`modparam("acc", "failed_filter", "404, 407")
request_route { setflag(1); setflag(3); t_newtran(); t_reply("$rU", "Nope"); }`)
	s.Receive(modtest.Request("MESSAGE", "sip:404@example.com"))
	if got := s.Log(); got != "" {
		t.Errorf("404 is accounted: %s", got)
	}
	s.Receive(strings.ReplaceAll(modtest.Request("MESSAGE", "sip:403@example.com"), "call-1", "call-2"))
	if got := s.Log(); !strings.Contains(got, ";code=403;") {
		t.Errorf("403 is not accounted: %q", got)
	}
}

// TestDirection: a request of the callee is accounted with the tags of the caller's.
func TestDirection(t *testing.T) {
	for _, tc := range []struct{ route, want string }{
		{"Route: <sip:127.0.0.1;lr;ftag=a1>", "from_tag=a1;to_tag=b1"},
		{"Route: <sip:127.0.0.1;lr;ftag=b1>", "from_tag=b1;to_tag=a1"},
	} {
		s := modtest.Start(t, head+"loadmodule \"rr.so\"\nmodparam(\"acc\", \"detect_direction\", 1)\nrequest_route { acc_log_request(\"x\"); }")
		s.Receive(strings.Replace(modtest.Request("BYE", "sip:bob@example.com", tc.route), "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=b1", 1))
		if got := s.Log(); !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %s", tc.route, got, tc.want)
		}
	}
}

func TestParameterErrors(t *testing.T) {
	for _, tc := range []struct{ par, want string }{
		{`modparam("acc", "failed_filter", "200")`, "want codes from 300 to 999"},
		{`modparam("acc", "multi_leg_info", "a=$var(x)")`, "multi_leg_info: a: want name=$avp(name)"},
		{`modparam("acc", "detect_direction", 1)`, "detect_direction needs module rr"},
		{`modparam("acc", "db_flag", 1)`, "accounting to a database is not there yet"},
	} {
		if _, err := modtest.Load(t, head+tc.par+"\nrequest_route { exit; }"); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", tc.par, err, tc.want)
		}
	}
}

// TestReasonField: with reason_from_hf the reason is that of the reply's Reason field.
func TestReasonField(t *testing.T) {
	for on, want := range map[string]string{"0": ";code=486;reason=Busy;", "1": ";code=486;reason=Q.850;cause=17;"} {
		s := modtest.Start(t, head+`modparam("acc", "reason_from_hf", `+on+`)
request_route { setflag(1); setflag(3); t_relay(); }`)
		s.Receive(modtest.Request("INVITE", "sip:bob@127.0.0.1:6000"))
		var vias []string
		for _, m := range s.Sent() {
			for l := range strings.SplitSeq(m.Text, "\r\n") {
				if strings.HasPrefix(m.Text, "INVITE ") && strings.HasPrefix(l, "Via:") {
					vias = append(vias, l)
				}
			}
		}
		s.Log()
		s.Receive("SIP/2.0 486 Busy\r\n" + strings.Join(vias, "\r\n") + "\r\nFrom: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>;tag=b1\r\nCall-ID: call-1@127.0.0.1\r\nCSeq: 1 INVITE\r\n" +
			"Reason: Q.850;cause=17\r\nContent-Length: 0\r\n\r\n")
		if got := s.Log(); !strings.Contains(got, want) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
}
