package pv_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/tm"
)

// logged runs statements for an OPTIONS and returns what they log, a line each.
func logged(t *testing.T, script string) []string {
	t.Helper()
	s := modtest.Start(t, load+"request_route {\n"+script+"\n}\n")
	s.Receive(modtest.Request("OPTIONS", "sip:bob@127.0.0.1:6000"))
	var out []string
	for l := range strings.Lines(s.Log()) {
		if _, text, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "<script>: "); ok {
			out = append(out, text)
		}
	}
	return out
}

// TestLaterThanParity has what Kamailio's master has and 5.6.3, which make parity compares with, has not.
func TestLaterThanParity(t *testing.T) {
	const stack = `$xavp(x) = 1; $xavp(x) = 2; $xavp(x) = 3; $xavp(x) = 4; `
	const fields = `$xavp(t=>a) = "A"; $xavp(t[0]=>b) = 7; `
	for _, tc := range []struct{ name, script, want string }{
		{"xavp_lshift", stack + `xavp_lshift("x", 2); xlog("$rc: $xavp(x[0])$xavp(x[1])$xavp(x[2])$xavp(x[3])\n");`, "1: 2143"},
		{"xavp_lshift by nothing", stack + `xavp_lshift("x", 0); xlog("$rc: $xavp(x[0])$xavp(x[3])\n");`, "1: 41"},
		{"xavp_lshift from the end", stack + `xavp_lshift("x", -1); xlog("$rc: $xavp(x[0])$xavp(x[1])\n");`, "1: 14"},
		{"xavp_lshift too far", stack + `xavp_lshift("x", 4); xlog("$rc: $xavp(x[0])\n");`, "-1: 4"},
		{"xavp_lshift of nothing", `xavp_lshift("x", 0); xlog("$rc\n");`, "-1"},
		{"xavp_lshift moves fields", `$xavp(t=>a) = 1; $xavp(t=>a) = 2; xavp_lshift("t", 1); xlog("$xavp(t[0]=>a)$xavp(t[1]=>a)\n");`, "12"},
		{"xavp_rm index", stack + `xavp_rm("x", 1); xlog("$rc: $xavp(x[0])$xavp(x[1])$xavp(x[2])\n");`, "1: 421"},
		{"xavp_rm_all name", stack + fields + `xavp_rm_all("x"); xlog("$rc: $xavp(x) $xavp(t=>a)\n");`, "1: <null> A"},
		{"xavp_rm_all", stack + fields + `$xavi(i) = 5; xavp_rm_all(); xlog("$rc: $xavp(x) $xavp(t=>a) $xavi(i)\n");`, "1: <null> <null> 5"},
		{"xavi_rm_all", `$xavi(Ab) = 1; $xavi(aB) = 2; $xavp(p) = 3; xavi_rm_all("AB"); xlog("$xavi(ab) $xavp(p)\n");`, "<null> 3"},
		{"xavp_params_implode_qval", fields + `xavp_params_implode_qval("t", "$var(o)"); xlog("$rc: $var(o)\n");`, `1: b=7;a="A";`},
		{"xavp_xparams_explode", `xavp_xparams_explode("a=1&b=two", "&", "p"); xlog("$rc: $xavp(p=>a) $xavp(p=>b)\n");`, "1: 1 two"},
		{"xavp_push_dst", `$xavp(d=>uri) = "sip:x@h"; $xavp(d[0]=>dsturi) = "sip:h2"; xavp_push_dst("d"); xlog("$rc: $ru $du\n");`, "1: sip:x@h sip:h2"},
		{"xavp_push_dst of nothing", `xavp_push_dst("d"); xlog("$rc: $ru\n");`, "-1: sip:bob@127.0.0.1:6000"},
		{"fields joined", `$xavp(t=>a) = 1; $xavp(t[0]=>a) = 2; xlog("$xavp(t=>a[*])\n");`, "2, 1"},
		{"shvinc", `xlog("$shvinc(n) $shvinc(n) $shv(n)\n"); $shv(n) = "x"; xlog("$shvinc(n)\n");`, "1 2 2\n1"},
		{"version", `xlog("$version(num) $version(full) $ksr(ver) $ksr(verval)\n");`, "0.0.0 kahea 0.0.0 0.0.0 0"},
		{"msgbuf", `xlog("$msgbuf(0)$msgbuf(1)\n"); $msgbuf(0) = "X"; $var(i) = 1; xlog("$msgbuf(0)$msgbuf($var(i))\n"); $var(i) = 99999; xlog("$msgbuf($var(i))\n");`, "OP\nXP\n<null>"},
		{"s.rbefore, s.rafter", `$var(a) = "a.b.c"; xlog("$(var(a){s.rbefore,.}) $(var(a){s.rafter,.}) $(var(a){s.rbefore,x}) [$(var(a){s.rafter,x})]\n");`, "a.b c a.b.c []"},
		{"s.intv", `$var(a) = "+007"; xlog("$(var(a){s.intv}) [$(rU{s.intv})]\n");`, "7 []"},
		{"s.charat, s.byteat", `$var(a) = "abc"; xlog("$(var(a){s.charat,1}) $(var(a){s.byteat,1}) [$(var(a){s.charat,3})] $(var(a){s.byteat,3})\n");`, "b 98 [] -1"},
		{"s.crc32", `$var(a) = "123456789"; xlog("$(var(a){s.crc32})\n");`, "3421780262"},
		{"s.selectsw", `$var(a) = " a  b\tc "; xlog("$(var(a){s.selectsw,1, \t})|$(var(a){s.selectsw,-1, \t})|$(var(a){s.selectsw,3, \t})|$(var(a){s.selectsw,1,ab})\n");`, "b|c||  "},
		{"val.n0, val.ne", `xlog("$(null{val.n0})[$(null{val.ne})]\n");`, "0[]"},
		{"num.fdigit, num.ldigit", `$var(a) = "-925"; xlog("$(var(a){num.fdigit})$(var(a){num.ldigit})$(rU{num.fdigit})\n");`, "950"},
		{"uri.rmparam", `$var(a) = "sip:a@b;x=1;y;z=2?h=1"; xlog("$(var(a){uri.rmparam,y}) $(var(a){uri.rmparam,q})\n");`, "sip:a@b;x=1;z=2?h=1 sip:a@b;x=1;y;z=2?h=1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(logged(t, tc.script), "\n"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
