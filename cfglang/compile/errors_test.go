package compile_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/tm"
)

// TestErrors: what is wrong is found before the start, at its place, with what was expected.
func TestErrors(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"unknown function", `sl_send_repl("200","OK");`, `unknown function "sl_send_repl"`},
		{"suggestion", `sl_send_repl("200","OK");`, `did you mean "sl_send_reply"?`},
		{"arity", `sl_send_reply("200");`, "sl_send_reply: got 1 parameter, want 2"},
		{"missing route", `route(NOWHERE);`, "there is no route[NOWHERE]"},
		{"missing failure route", `t_on_failure("F");`, "there is no failure_route[F]"},
		{"wrong block", `t_branch_timeout();`, "cannot be used in route"},
		{"string minus number", `$var(x) = "abc" - 1;`, "type mismatch: a string where a number is needed"},
		{"number compared with string", `if (1 == "a") exit;`, "type mismatch: a string where a number is needed"},
		{"regular expression", `if ($rU =~ "a(") exit;`, "regular expression"},
		{"back-reference", `if ($rU =~ "(a)\1") exit;`, "regular expression"},
		{"read-only variable", `$rm = "X";`, "variable $rm is read-only"},
		{"unknown variable", `$var(x) = $nosuch;`, `unknown variable "$nosuch"`},
		{"unknown variable in a format", `xlog("$nosuch\n");`, `unknown variable "$nosuch"`},
		{"unknown transformation", `$var(x) = $(rU{s.lenn});`, `unknown transformation "s.lenn"`},
		{"transformation suggestion", `$var(x) = $(rU{s.lenn});`, `did you mean "s.len"?`},
		{"flag out of range", `setflag(32);`, "flag 32 is not in 0 to 31"},
		{"switch of two kinds", `switch ($rU) { case 1: break; case "a": break; }`, "the labels of a switch are all numbers"},
		{"call in a parameter list", `xlog(sl_send_reply("1","2"));`, "is called among the parameters of another function"},
		{"avpflag that is not declared", `setavpflag(%a, "x");`, `avpflag "x" is not declared`},
		{"attribute of a domain", `%fd.a = 1;`, "attributes of domains and global ones can not be changed"},
		{"attribute with an index", `%a[1] = 1;`, "one with an index can not be assigned to"},
		{"attribute with a bad index", `$var(x) = %a[b];`, `index "b" is no number`},
		{"attribute of a command", `setavpflag(%a[1], "x");`, "must be an attribute"},
		{"unknown select", `$var(x) = @nosuch.x;`, `unknown root "nosuch"`},
		{"unknown part of a select", `$var(x) = @from.nosuch;`, `from has no part "nosuch"`},
		{"part of a select is missing", `$var(x) = @from.params;`, "a part of params must be named"},
		{"select of an unknown variable", `if (@cfg_get.g.v == 1) exit;`, "there is no variable g.v"},
		{"select in a variable", `$var(x) = $sel(from.nosuch);`, `from has no part "nosuch"`},
		{"group that does not exist", `cfg_select("g", 1);`, `there is no group "g"`},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			_, err := modtest.Load(t, "loadmodule \"pv.so\"\nloadmodule \"sl.so\"\nloadmodule \"tm.so\"\nloadmodule \"xlog.so\"\nrequest_route {\n"+c.body+"\n}\n")
			if err == nil {
				t.Fatal("the configuration was accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got\n%v\nwant %q", err, c.want)
			}
			if !strings.Contains(err.Error(), ":6:") {
				t.Errorf("the error does not name line 6:\n%v", err)
			}
		})
	}
}
