package compile_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

// TestReturnMode: what a return code means in a condition, in both modes.
func TestReturnMode(t *testing.T) {
	for _, c := range []struct{ name, cond, mode0, mode1 string }{
		{"negative variable", `$var(n)`, "no", "yes"},
		{"negated negative variable", `!$var(n)`, "no", "no"},
		{"negative route", `route(M2)`, "no", "yes"},
		{"negated negative route", `!route(M2)`, "yes", "no"},
		{"route compared", `route(M2) == -2`, "no", "yes"},
		{"route compared with 0", `route(M2) == 0`, "yes", "no"},
		{"positive route", `route(P7)`, "yes", "yes"},
		{"positive route compared", `route(P7) == 7`, "no", "yes"},
		{"and", `route(M2) && 1`, "no", "yes"},
		{"negative function", `is_int("$rU")`, "no", "yes"},
		{"zero", `0`, "no", "no"},
		{"text that is no number", `$rU`, "no", "no"},
	} {
		for mode, want := range map[string]string{"0": c.mode0, "1": c.mode1} {
			t.Run(c.name+" mode "+mode, func(t *testing.T) {
				s := modtest.Start(t, `debug=2
return_mode=`+mode+`
loadmodule "pv.so"
loadmodule "xlog.so"
modparam("xlog","prefix","")
request_route { $var(n) = -1; if (`+c.cond+`) xlog("L_INFO","yes\n"); else xlog("L_INFO","no\n"); exit; }
route[P7] { return 7; }
`+subroutes)
				s.Receive(options)
				if l := s.Log(); !strings.Contains(l, "INFO: "+want+"\n") {
					t.Errorf("logged %q, want %s", l, want)
				}
			})
		}
	}
}

// TestTCPAlias: the port is the top Via's, or the one that is given; over UDP nothing happens.
func TestTCPAlias(t *testing.T) {
	for _, c := range []struct {
		name, listen, call string
		want               uint16 // 0: none
	}{
		{"port of the top Via", "tcp", "force_tcp_alias();", 5070},
		{"without parentheses", "tcp", "add_tcp_alias;", 5070},
		{"port that is given", "tcp", "add_tcp_alias(5099);", 5099},
		{"over UDP", "udp", "force_tcp_alias();", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := modtest.Start(t, "listen="+c.listen+":127.0.0.1:5060\nrequest_route { "+c.call+" exit; }\n")
			s.Receive(options)
			if len(s.Aliases) != 0 && s.Aliases[0] != c.want || (len(s.Aliases) == 0) != (c.want == 0) {
				t.Errorf("aliases are %v, want %d", s.Aliases, c.want)
			}
		})
	}
}
