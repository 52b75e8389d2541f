package pv_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

const useShared = load + `
modparam("pv", "shvset", "text=s:abc")
modparam("pv", "shvset", "num=i:7")
request_route { xlog("L_INFO", "$shv(text) $shv(num) $shv(new)\n"); $shv(new) = $shv(new) + 1; $shv(num) = "now a text"; exit; }`

func TestSharedVariables(t *testing.T) {
	s := modtest.Start(t, useShared)
	for _, want := range []string{"abc 7 0\n", "abc now a text 1\n", "abc now a text 2\n"} {
		s.Receive(modtest.Request("OPTIONS", "sip:a@b"))
		if l := s.Log(); !strings.HasSuffix(l, want) {
			t.Errorf("logged %q, want %q", l, want)
		}
	}
}

func TestSharedVariableErrors(t *testing.T) {
	for _, c := range []struct{ name, cfg, want string }{
		{"no name", "request_route { $shv() = 1; }", "name in parentheses is missing"},
		{"index", "request_route { $var(x) = $(shv(x)[1]); }", "takes no index"},
		{"start value", "modparam(\"pv\", \"shvset\", \"x=z:1\")\nrequest_route { exit; }", "want s or i"},
		{"root without a name", "request_route { $xavp(=>x) = 1; }", "name in parentheses is missing"},
		{"three levels", "request_route { $xavp(a=>b=>c) = 1; }", "two levels"},
		{"name in no variable", "request_route { $xavp($nosuch) = 1; }", `unknown variable "$nosuch"`},
		{"index behind", "request_route { $var(x) = $(xavp(a)[1]); }", "stands in the parentheses"},
		{"index of xavu", "request_route { $xavu(a[1]) = 1; }", "takes no index"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := modtest.Load(t, load+"\n"+c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
