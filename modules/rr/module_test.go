package rr_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/rr"
	_ "kahea/modules/tm"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "pv.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "xlog.so"
`

// lines are the values of a field, in order.
func lines(msg, name string) (l []string) {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			l = append(l, v)
		}
	}
	return l
}

func inDialog(s string) string {
	return strings.Replace(s, "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=b1", 1)
}

// TestLooseRoute follows route sets (RFC 3261 16.4, 16.12).
func TestLooseRoute(t *testing.T) {
	const own, other, strict = "<sip:127.0.0.1;lr>", "<sip:127.0.0.1:6001;lr>", "<sip:127.0.0.1:6001>"
	for _, tc := range []struct {
		name, uri string
		dialog    bool
		routes    []string // fields
		rc        string
		ruri, to  string   // what leaves; "": nothing
		left      []string // Route fields of it
	}{
		{"no Route", "sip:bob@127.0.0.1:6009", true, nil, "-1", "", "", nil},
		{"own alone", "sip:bob@127.0.0.1:6009", true, []string{own}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6009", nil},
		{"own, loose", "sip:bob@127.0.0.1:6009", true, []string{own, other}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6001", []string{other}},
		{"own, loose in one field", "sip:bob@127.0.0.1:6009", true, []string{own + "," + other}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6001", []string{other}},
		{"not ours", "sip:bob@127.0.0.1:6009", true, []string{other}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6001", []string{other}},
		{"own, strict", "sip:bob@127.0.0.1:6009", true, []string{own, strict}, "1", "sip:127.0.0.1:6001", "127.0.0.1:6001", []string{"<sip:bob@127.0.0.1:6009>"}},
		{"two own of a double record", "sip:bob@127.0.0.1:6009", true, []string{"<sip:127.0.0.1;r2=on;lr>", "<sip:127.0.0.1:5062;r2=on;lr>"}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6009", nil},
		{"two own, loose", "sip:bob@127.0.0.1:6009", true, []string{"<sip:127.0.0.1;r2=on;lr>,<sip:127.0.0.1:5062;r2=on;lr>", other}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6001", []string{other}},
		{"from a strict router", "sip:127.0.0.1;lr", true, []string{"<sip:bob@127.0.0.1:6009>"}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6009", nil},
		{"from a strict router, loose next", "sip:127.0.0.1;lr", true, []string{other, "<sip:bob@127.0.0.1:6009>"}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6001", []string{other}},
		{"preloaded, own alone", "sip:bob@127.0.0.1:6009", false, []string{own}, "-3", "", "", nil},
		{"preloaded, loose", "sip:bob@127.0.0.1:6009", false, []string{own, other}, "1", "sip:bob@127.0.0.1:6009", "127.0.0.1:6001", []string{other}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, "listen=udp:127.0.0.1:5060\nlisten=udp:127.0.0.1:5062\n"+load+`request_route {
	loose_route();
	$var(rc) = $rc;
	xlog("L_NOTICE", "$var(rc)\n");
	if ($var(rc) > 0) t_relay();
}`)
			var h []string
			for _, r := range tc.routes {
				h = append(h, "Route: "+r)
			}
			msg := modtest.Request("BYE", tc.uri, h...)
			if tc.dialog {
				msg = inDialog(msg)
			}
			s.Receive(msg)
			if got := s.Log(); !strings.HasPrefix(got, "NOTICE: <script>: "+tc.rc+"\n") {
				t.Errorf("loose_route: log %q, want %s", got, tc.rc)
			}
			out := s.Sent()
			if tc.ruri == "" {
				if len(out) != 0 {
					t.Errorf("sent %q", out[0].Text)
				}
				return
			}
			if len(out) != 1 {
				t.Fatalf("sent %d messages, want 1", len(out))
			}
			if got, _, _ := strings.Cut(out[0].Text, "\r\n"); got != "BYE "+tc.ruri+" SIP/2.0" {
				t.Errorf("first line %q, want R-URI %q", got, tc.ruri)
			}
			if got := out[0].To.String(); got != tc.to {
				t.Errorf("sent to %s, want %s", got, tc.to)
			}
			if got := strings.Join(lines(out[0].Text, "Route"), "|"); got != strings.Join(tc.left, "|") {
				t.Errorf("Route %q, want %q", got, tc.left)
			}
		})
	}
}

// TestParams asks about the parameters of the own entry that was followed.
func TestParams(t *testing.T) {
	for _, tc := range []struct {
		name, route, expr string
		want              bool
	}{
		{"check_route_param", "<sip:127.0.0.1;lr;vsf=abc>", `check_route_param("vsf=abc")`, true},
		{"with its semicolon", "<sip:127.0.0.1;lr;vsf=abc>", `check_route_param(";vsf=a.c$")`, true},
		{"first parameter", "<sip:127.0.0.1;vsf=abc;lr>", `check_route_param(";vsf=abc")`, true},
		{"another value", "<sip:127.0.0.1;lr;vsf=xyz>", `check_route_param("vsf=abc")`, false},
		{"of the next entry", "<sip:127.0.0.1;lr>,<sip:127.0.0.1:6001;lr;vsf=abc>", `check_route_param("vsf=abc")`, false},
		{"of a foreign entry", "<sip:127.0.0.1:6001;lr;vsf=abc>", `check_route_param("vsf=abc")`, false},
		{"downstream", "<sip:127.0.0.1;lr;ftag=a1>", `is_direction("downstream")`, true},
		{"not upstream", "<sip:127.0.0.1;lr;ftag=a1>", `is_direction("upstream")`, false},
		{"upstream", "<sip:127.0.0.1;lr;ftag=b1>", `is_direction("upstream")`, true},
		{"not downstream", "<sip:127.0.0.1;lr;ftag=b1>", `is_direction("downstream")`, false},
		{"no ftag is downstream", "<sip:127.0.0.1;lr>", `is_direction("downstream")`, true},
		{"a further entry", "<sip:127.0.0.1;lr>,<sip:127.0.0.1:6001;lr>", `rr_next_hop_route()`, true},
		{"no further entry", "<sip:127.0.0.1;lr>", `rr_next_hop_route()`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, load+`request_route { loose_route(); if (`+tc.expr+`) log(1, "true\n"); else log(1, "false\n"); }`)
			s.Receive(inDialog(modtest.Request("BYE", "sip:bob@127.0.0.1:6009", "Route: "+tc.route)))
			want := "NOTICE: <script>: false\n"
			if tc.want {
				want = "NOTICE: <script>: true\n"
			}
			if got := s.Log(); got != want {
				t.Errorf("log %q, want %q", got, want)
			}
		})
	}
}

// TestRecordRoute checks the lines that leave; the request goes out by the socket that the script forces, if any.
func TestRecordRoute(t *testing.T) {
	const one = "<sip:127.0.0.1;lr;ftag=a1>"
	for _, tc := range []struct {
		name, par, script string
		want              []string
	}{
		{"plain", "", `record_route();`, []string{one}},
		{"none", "", `;`, nil},
		{"with parameters", "", `record_route(";x=y");`, []string{"<sip:127.0.0.1;lr;ftag=a1;x=y>"}},
		{"parameter before", "", `add_rr_param(";x=y"); record_route();`, []string{"<sip:127.0.0.1;lr;ftag=a1;x=y>"}},
		{"parameter behind", "", `record_route(); add_rr_param(";x=y");`, []string{"<sip:127.0.0.1;lr;ftag=a1;x=y>"}},
		{"removed", "", `record_route(); remove_record_route();`, nil},
		{"twice", "", `record_route(); record_route();`, []string{one}},
		{"append_fromtag off", `modparam("rr", "append_fromtag", 0)`, `record_route();`, []string{"<sip:127.0.0.1;lr>"}},
		{"enable_full_lr", `modparam("rr", "enable_full_lr", 1)`, `record_route();`, []string{"<sip:127.0.0.1;lr=on;ftag=a1>"}},
		{"add_username", `modparam("rr", "add_username", 1)`, `record_route();`, []string{"<sip:bob@127.0.0.1;lr;ftag=a1>"}},
		{"sips", "", `$ru = "sips:bob@127.0.0.1:6001;transport=udp"; $du = "sip:127.0.0.1:6001"; record_route();`, []string{"<sips:127.0.0.1;lr;ftag=a1>"}},
		{"ignore_sips", `modparam("rr", "ignore_sips", 1)`, `$ru = "sips:bob@127.0.0.1:6001;transport=udp"; $du = "sip:127.0.0.1:6001"; record_route();`, []string{one}},
		{"double", "", `$fs = "udp:127.0.0.1:5062"; record_route();`, []string{"<sip:127.0.0.1:5062;r2=on;lr;ftag=a1>", "<sip:127.0.0.1;r2=on;lr;ftag=a1>"}},
		{"enable_double_rr off", `modparam("rr", "enable_double_rr", 0)`, `$fs = "udp:127.0.0.1:5062"; record_route();`, []string{one}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, "listen=udp:127.0.0.1:5060\nlisten=udp:127.0.0.1:5062\n"+load+tc.par+"\nrequest_route { "+tc.script+" t_relay(); }")
			s.Receive(modtest.Request("OPTIONS", "sip:bob@127.0.0.1:6001"))
			out := s.Sent()
			if len(out) != 1 {
				t.Fatalf("sent %d messages, want 1", len(out))
			}
			if got := lines(out[0].Text, "Record-Route"); strings.Join(got, "|") != strings.Join(tc.want, "|") {
				t.Errorf("Record-Route %q, want %q", got, tc.want)
			}
		})
	}
}

// TestParameterErrors refuses what means nothing.
func TestParameterErrors(t *testing.T) {
	for _, tc := range []struct{ name, cfg, want string }{
		{"custom_user_avp", load + "modparam(\"rr\", \"custom_user_avp\", \"$nosuch\")\nrequest_route { exit; }", "custom_user_avp"},
		{"direction", load + `request_route { is_direction("sideways"); }`, "downstream"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := modtest.Load(t, tc.cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
