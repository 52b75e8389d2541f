package tm_test

import (
	"strings"
	"testing"
)

// TestMemoryExhausted runs one message after the other with less and less shared memory: whatever can not be had, alice gets an answer or nothing,
// nothing crashes, and nothing leaks.
func TestMemoryExhausted(t *testing.T) {
	cfg := "shm_reserve=0" + load + `request_route {
	if (method=="INVITE") append_branch("sip:carol@127.0.0.1:6002");
	$avp(a) = "a text that has to be kept for the failure route";
	append_hf("X-Long: a line that has to be kept for the failure route\r\n");
	t_on_failure("F");
	t_relay();
}
failure_route[F] { if (t_check_status("486")) { $ru = "sip:dave@127.0.0.1:6003"; t_relay(); } }`
	for rest := uint64(0); rest <= 8192; rest += 128 {
		p := start(t, cfg)
		free := p.fill(rest)
		p.ask("INVITE")
		first := p.sent()
		for _, who := range []string{"bob", "carol", "dave"} {
			if p.last[who] != "" {
				p.answer(who, 180)
				p.answer(who, 486)
			}
			p.sent()
		}
		free()
		p.gone()
		if t.Failed() {
			t.Fatalf("with %d bytes free; first %q", rest, first)
		}
	}
}

// TestNoMemoryForTransaction says what the script sees.
func TestNoMemoryForTransaction(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"t_relay", `if (!t_relay()) sl_reply_error();`, "alice 503"},
		{"t_newtran", `if (!t_newtran()) sl_send_reply("500", "No");`, "alice 500"},
		{"t_send_reply", `if (!t_send_reply("404", "No")) sl_send_reply("500", "No");`, "alice 500"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, "shm_reserve=0"+load+"request_route { "+tc.script+" }")
			free := p.fill(0)
			p.ask("MESSAGE")
			p.want(tc.want)
			free()
			if log := p.Log(); !strings.Contains(log, "ERROR: tm [test.cfg:7]: ") {
				t.Errorf("log %q has no error of tm", log)
			}
			p.ask("MESSAGE") // the server works on
			p.sent()
			p.gone()
		})
	}
}

// TestReserve: when only the reserve is left, what would make a new call gets 503, and what belongs to calls passes.
func TestReserve(t *testing.T) {
	const script = `if (!t_relay()) sl_reply_error();`
	for _, tc := range []struct{ name, cfg, method, to, want string }{
		{"INVITE", "", "INVITE", "", "alice 503"},
		{"request outside dialogs", "", "MESSAGE", "", "alice 503"},
		{"re-INVITE", "", "INVITE", ";tag=b1", "alice 100, bob INVITE"},
		{"BYE", "", "BYE", ";tag=b1", "bob BYE"},
		{"CANCEL without its INVITE", "", "CANCEL", "", "bob CANCEL"},
		{"ACK", "", "ACK", ";tag=b1", "bob ACK"},
		{"no reserve", "shm_reserve=0", "INVITE", "", "alice 100, bob INVITE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, tc.cfg+load+"request_route { "+script+" }")
			u := p.Arena.Usage()
			if want := u.Total / 100 * 5; tc.cfg == "" && u.Reserve != want {
				t.Errorf("reserve is %d, want %d", u.Reserve, want)
			}
			o, err := p.Arena.Alloc(int(u.Free-u.Total/100*5), p.Arena.TagFor("test", "fill"))
			if err != nil {
				t.Fatal(err)
			}
			p.Receive(strings.Replace(request(tc.method, "sip:bob@"+bob), "To: <sip:bob@example.com>", "To: <sip:bob@example.com>"+tc.to, 1))
			p.want(tc.want)
			refused := p.Arena.Usage().Refused == 1
			if want := tc.want == "alice 503"; refused != want {
				t.Errorf("counted as refused: %v, want %v", refused, want)
			}
			p.Arena.Free(o)
			p.gone()
		})
	}
}

// TestReserveErrors says what the script sees of a refusal.
func TestReserveErrors(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"t_newtran", `if (!t_newtran()) sl_reply_error();`, "alice 503"},
		{"t_send_reply", `if (!t_send_reply("404", "No")) sl_reply_error();`, "alice 503"},
		{"attributes, with room for the transaction", `$avp(a) = $rm + "@3000@"; t_on_failure("F"); t_relay();`, "alice 100, alice 503"},
		{"t_replicate", `$du = "sip:127.0.0.1:6002"; if (!t_replicate()) sl_reply_error();`, "alice 503"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+"request_route { "+strings.Replace(tc.script, "@3000@", strings.Repeat("x", 3000), 1)+" }\nfailure_route[F] { exit; }")
			rest := uint64(0)
			if strings.HasPrefix(tc.name, "attributes") {
				rest = p.Arena.Usage().Reserve + 2000
			}
			free := p.fill(rest)
			p.ask("INVITE")
			p.want(tc.want)
			if log := p.Log(); strings.Contains(log, "tm: ") { // there may be thousands a second
				t.Errorf("log %q", log)
			}
			free()
			p.gone()
		})
	}
}
