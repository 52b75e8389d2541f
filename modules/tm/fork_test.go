package tm_test

import (
	"strings"
	"testing"
	"time"
)

// three forks to bob, carol and dave at once.
const three = load + `
request_route {
	if (method=="INVITE" || method=="MESSAGE") {
		append_branch("sip:carol@127.0.0.1:6002");
		append_branch("sip:dave@127.0.0.1:6003");
	}
	t_relay();
}`

// serial goes from bob to carol to dave.
const serial = load + `
request_route {
	t_on_failure("NEXT");
	t_relay();
}
failure_route[NEXT] {
	if (t_is_canceled()) { exit; }
	log(1, "failure\n");
	if ($ru =~ "6001") {
		$ru = "sip:carol@127.0.0.1:6002";
	} else if ($ru =~ "6002") {
		$ru = "sip:dave@127.0.0.1:6003";
	} else {
		exit;
	}
	t_on_failure("NEXT");
	t_relay();
}`

// script is what bob, carol and dave answer: "bob 486" in order, with what leaves behind each.
type script []struct{ answer, want string }

func (p *phone) play(s script) {
	p.t.Helper()
	for _, x := range s {
		switch who, code, ok := strings.Cut(x.answer, " "); {
		case !ok && x.answer == "cancel":
			p.ask("CANCEL")
		case who == "wait":
			d, err := time.ParseDuration(code)
			if err != nil {
				p.t.Fatal(err)
			}
			p.Advance(d)
		case strings.HasSuffix(code, " CANCEL"):
			p.answerTo(who, "CANCEL", number(code[:3]))
		default:
			p.answer(who, number(code))
		}
		if got := p.sent(); got != x.want {
			p.t.Fatalf("%s: sent %q, want %q", x.answer, got, x.want)
		}
	}
}

func number(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// TestParallel forks to three at once: which answer goes back, and who is cancelled.
func TestParallel(t *testing.T) {
	const all = "alice 100, bob INVITE, carol INVITE, dave INVITE"
	for _, tc := range []struct {
		name, cfg string
		s         script
	}{
		{"the best of three", three, script{{"bob 486", "bob ACK"}, {"carol 404", "carol ACK"}, {"dave 500", "dave ACK, alice 404"}}},
		{"a 6xx beats", three, script{{"bob 486", "bob ACK"}, {"carol 180", "alice 180"}, {"dave 180", "alice 180"}, {"carol 603", "carol ACK, dave CANCEL"}, {"dave 200 CANCEL", ""}, {"dave 487", "dave ACK, alice 603"}}},
		{"a 6xx with t_set_disable_6xx", strings.Replace(three, "t_relay();", `t_set_disable_6xx("1"); t_relay();`, 1), script{{"bob 603", "bob ACK"}, {"carol 180", "alice 180"}, {"carol 200", "alice 200"}, {"dave 180", "dave CANCEL"}}},
		{"a 3xx beats 4xx", three, script{{"bob 486", "bob ACK"}, {"carol 302", "carol ACK"}, {"dave 401", "dave ACK, alice 302"}}},
		{"a 401 beats other 4xx", three, script{{"bob 404", "bob ACK"}, {"carol 401", "carol ACK"}, {"dave 403", "dave ACK, alice 401"}}},
		{"a 503 becomes 500", three, script{{"bob 503", "bob ACK"}, {"carol 503", "carol ACK"}, {"dave 503", "dave ACK, alice 500"}}},
		{"a 503 stays", strings.Replace(three, "request_route", "modparam(\"tm\", \"remap_503_500\", 0)\nrequest_route", 1), script{{"bob 503", "bob ACK"}, {"carol 503", "carol ACK"}, {"dave 503", "dave ACK, alice 503"}}},
		{"one answers", three, script{{"bob 180", "alice 180"}, {"carol 183", "alice 183"}, {"bob 200", "alice 200, carol CANCEL"}, {"carol 200 CANCEL", ""}, {"carol 487", "carol ACK"}, {"dave 180", "dave CANCEL"}, {"dave 487", "dave ACK"}}},
		{"a late 2xx passes", three, script{{"bob 180", "alice 180"}, {"carol 180", "alice 180"}, {"bob 200", "alice 200, carol CANCEL"}, {"carol 200", "alice 200"}, {"carol 200", "alice 200"}, {"bob 200", "alice 200"}}},
		{"a late negative reply does not", three, script{{"bob 200", "alice 200"}, {"carol 404", "carol ACK"}, {"dave 486", "dave ACK"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, tc.cfg)
			p.ask("INVITE")
			p.want(all)
			p.play(tc.s)
			p.gone()
		})
	}
	t.Run("one that never answers", func(t *testing.T) {
		p := start(t, three)
		p.ask("MESSAGE")
		p.want("bob MESSAGE, carol MESSAGE, dave MESSAGE")
		p.play(script{{"bob 404", ""}, {"carol 486", ""}})
		p.Advance(30*time.Second - tick)
		p.sent()
		p.Advance(tick)
		p.want("alice 404")
		p.gone()
	})
	t.Run("2xx of a MESSAGE ends the wait", func(t *testing.T) {
		p := start(t, three)
		p.ask("MESSAGE")
		p.sent()
		p.play(script{{"bob 404", ""}, {"carol 202", "alice 202"}, {"dave 404", ""}})
		p.gone()
	})
}

// TestChallenges sends the challenges of all branches back together.
func TestChallenges(t *testing.T) {
	for _, tc := range []struct {
		name, par string
		want      []string
	}{
		{"aggregated", "1", []string{"WWW-Authenticate: Digest realm=\"b\"", "Proxy-Authenticate: Digest realm=\"c\""}},
		{"the picked one only", "0", []string{"WWW-Authenticate: Digest realm=\"b\""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, strings.Replace(three, "request_route", "modparam(\"tm\", \"aggregate_challenges\", "+tc.par+")\nrequest_route", 1))
			p.ask("INVITE")
			p.sent()
			p.answer("bob", 401, `WWW-Authenticate: Digest realm="b"`)
			p.answer("carol", 407, `Proxy-Authenticate: Digest realm="c"`)
			p.answer("dave", 404)
			p.want("bob ACK, carol ACK, dave ACK, alice 401")
			msg := p.up[len(p.up)-1].Text
			var got []string
			for _, l := range strings.Split(msg, "\r\n") {
				if strings.Contains(l, "-Authenticate: ") {
					got = append(got, l)
				}
			}
			if strings.Join(got, "|") != strings.Join(tc.want, "|") {
				t.Errorf("challenges %q, want %q", got, tc.want)
			}
			p.gone()
		})
	}
}

// TestSerial forks one after the other by a failure route.
func TestSerial(t *testing.T) {
	for _, tc := range []struct {
		name string
		s    script
		log  int // how often the route ran
	}{
		{"second answers", script{{"bob 486", "bob ACK, carol INVITE"}, {"carol 180", "alice 180"}, {"carol 200", "alice 200"}}, 1},
		{"all busy", script{{"bob 486", "bob ACK, carol INVITE"}, {"carol 486", "carol ACK, dave INVITE"}, {"dave 480", "dave ACK, alice 480"}}, 3},
		{"the first rang", script{{"bob 180", "alice 180"}, {"bob 404", "bob ACK, carol INVITE"}, {"carol 200", "alice 200"}}, 1},
		{"a repeated failure", script{{"bob 486", "bob ACK, carol INVITE"}, {"bob 486", "bob ACK"}, {"carol 200", "alice 200"}}, 1},
		{"a late 2xx of the first leg", script{{"bob 486", "bob ACK, carol INVITE"}, {"bob 200", ""}, {"carol 200", "alice 200"}}, 1},
		{"cancelled in the second leg", script{{"bob 486", "bob ACK, carol INVITE"}, {"carol 180", "alice 180"}, {"cancel", "carol CANCEL, alice 200"}, {"carol 487", "carol ACK, alice 487"}}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, serial)
			p.ask("INVITE")
			p.want("alice 100, bob INVITE")
			p.play(tc.s)
			if got := strings.Count(p.Log(), "<script>: failure"); got != tc.log {
				t.Errorf("the failure route ran %d times, want %d", got, tc.log)
			}
			p.gone()
		})
	}
	t.Run("the first times out", func(t *testing.T) {
		p := start(t, serial)
		p.ask("MESSAGE")
		p.want("bob MESSAGE")
		p.Advance(30 * time.Second)
		if got := p.sent(); !strings.HasSuffix(got, "carol MESSAGE") {
			t.Fatalf("sent %q, want carol's MESSAGE at last", got)
		}
		p.play(script{{"carol 200", "alice 200"}})
		p.gone()
	})
}

// TestFailureRoute says what may be asked and done in one.
func TestFailureRoute(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		code       int // bob's answer; 0: he is silent
		want, log  string
	}{
		{"t_reply", `t_reply("480", "Later");`, 486, "bob ACK, alice 480", ""},
		{"nothing", `;`, 486, "bob ACK, alice 486", ""},
		{"send_reply", `send_reply("480", "Later");`, 486, "bob ACK, alice 480", ""},
		{"t_check_status", `if (t_check_status("4[0-9]6")) log(1, "yes\n");`, 486, "bob ACK, alice 486", "yes"},
		{"t_check_status of another", `if (!t_check_status("404")) log(1, "no\n");`, 486, "bob ACK, alice 486", "no"},
		{"t_branch_replied: not by the reply in hand", `if (!t_branch_replied() && !t_branch_timeout()) log(1, "no\n");`, 486, "bob ACK, alice 486", "no"},
		{"t_grep_status", `if (t_grep_status("486") && !t_grep_status("404")) log(1, "yes\n");`, 486, "bob ACK, alice 486", "yes"},
		{"t_is_set", `if (!t_is_set("failure_route")) log(1, "off\n");`, 486, "bob ACK, alice 486", "off"},
		{"flags of the request route", `if (isflagset(7)) log(1, "flag\n");`, 486, "bob ACK, alice 486", "flag"},
		{"attributes of the request route", `if ($avp(a) == "x") log(1, "avp\n");`, 486, "bob ACK, alice 486", "avp"},
		{"t_relay without a new branch", `t_relay();`, 486, "bob ACK, alice 486", ""},
		{"the branch's R-URI", `if ($ru == "sip:bob@127.0.0.1:6001") log(1, "uri\n");`, 486, "bob ACK, alice 486", "uri"},
		{"two branches", `append_branch("sip:carol@127.0.0.1:6002"); append_branch("sip:dave@127.0.0.1:6003"); t_relay();`, 302, "bob ACK, carol INVITE, dave INVITE", ""},
		{"t_drop_replies", `t_drop_replies(); `, 486, "bob ACK, alice 500", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+`request_route { setflag(7); $avp(a) = "x"; t_on_failure("F"); t_relay(); }
failure_route[F] { `+tc.body+` }`)
			p.ask("INVITE")
			p.want("alice 100, bob INVITE")
			p.answer("bob", tc.code)
			p.want(tc.want)
			if log := p.Log(); tc.log != "" && !strings.Contains(log, "<script>: "+tc.log) {
				t.Errorf("log %q lacks %q", log, tc.log)
			}
			p.gone()
		})
	}
}

// TestBranchRoute runs for every branch and may change or drop it.
func TestBranchRoute(t *testing.T) {
	p := start(t, load+`request_route {
	append_branch("sip:carol@127.0.0.1:6002");
	append_branch("sip:drop@127.0.0.1:6003");
	t_on_branch("B");
	t_relay();
}
branch_route[B] {
	if ($rU == "drop") drop;
	append_hf("X-User: $rU\r\n");
}`)
	p.ask("INVITE")
	p.want("alice 100, bob INVITE, carol INVITE")
	for _, who := range []string{"bob", "carol"} {
		if got := header(p.last[who], "X-User"); got != who {
			t.Errorf("X-User of %s's request is %q: each branch has its own changes", who, got)
		}
	}
	p.gone()
}

// TestOnReply sees replies, may change them, and drops provisional ones only.
func TestOnReply(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		code       int
		want       string
	}{
		{"changed", `append_hf("X-Seen: $rs\r\n");`, 180, "alice 180"},
		{"provisional dropped", `drop;`, 180, ""},
		{"final not dropped", `drop;`, 200, "alice 200"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, load+`request_route { t_on_reply("R"); t_relay(); }
onreply_route[R] { `+tc.body+` }`)
			p.ask("INVITE")
			p.sent()
			p.answer("bob", tc.code)
			p.want(tc.want)
			if tc.name == "changed" && header(p.up[len(p.up)-1].Text, "X-Seen") != "180" {
				t.Errorf("the reply lacks the new line: %q", p.up[len(p.up)-1].Text)
			}
			p.gone()
		})
	}
}
