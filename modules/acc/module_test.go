package acc_test

import (
	"strings"
	"testing"

	_ "kahea/modules/acc"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
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

// A call that fails over: missed with the first answer, answered with the second; the extra fields are those of the second.
func TestFailover(t *testing.T) {
	s := modtest.Start(t, head+`
request_route { setflag(1); setflag(2); t_on_failure("F"); $du = "sip:127.0.0.1:5090"; t_relay(); }
failure_route[F] { $rU = "second"; $du = "sip:127.0.0.1:5091"; t_relay(); }`)
	s.Receive(modtest.Request("INVITE", "sip:bob@example.com"))
	answer := func(code string) {
		t.Helper()
		for _, x := range s.Sent() {
			if !strings.HasPrefix(x.Text, "INVITE ") {
				continue
			}
			h, _, _ := strings.Cut(x.Text, "\r\n\r\n")
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
			s.ReceiveFrom(reply+"Content-Length: 0\r\n\r\n", x.To, s.Proc.Net.Sockets[0])
			return
		}
		t.Fatal("no INVITE was sent")
	}
	answer("486 Busy Here")
	answer("200 Okay fine")
	want := "NOTICE: acc: ACC: call missed: timestamp=1767225600;method=INVITE;from_tag=a1;to_tag=b7" + tail + "486;reason=Busy Here;u=bob;nul=\n" +
		"NOTICE: acc: ACC: transaction answered: timestamp=1767225600;method=INVITE;from_tag=a1;to_tag=b7" + tail + "200;reason=Okay fine;u=second;nul=\n"
	if got := s.Log(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}
