package kex_test

import (
	"strings"
	"testing"

	_ "kahea/modules/corex"
	_ "kahea/modules/kex"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sl"
	_ "kahea/modules/xlog"
)

const load = `
alias=foo.bar
loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
`

// The codes and values are Kamailio 5.6.3's.
func TestFunctions(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"script flags", `setsflag("3"); xlog("$rc $sf "); issflagset(3); xlog("$rc "); resetsflag(3); xlog("$rc $sf "); issflagset("3"); xlog("$rc");`, "1 8 1 1 0 -1"},
		{"branch flags", `setbflag("2"); xlog("$rc $bf "); setbflag(6); xlog("$rc $bf "); isbflagset(6); xlog("$rc "); isbflagset("7"); xlog("$rc");`, "1 4 1 68 1 -1"},
		{"no such branch", `setbflag(6, 1); xlog("$rc $bf "); setbflag(6, -1); xlog("$rc");`, "-1 0 -1"},
		{"further branch", `append_branch("sip:a@b.c"); setbflag(6, 1); xlog("$rc $bf "); isbflagset(6, 1); xlog("$rc "); resetbflag(6, 1); isbflagset(6, 1); xlog("$rc");`, "1 0 1 -1"},
		{"destination", `isdsturiset(); xlog("$rc "); setdsturi("sip:1.2.3.4:5090"); xlog("$rc $du "); isdsturiset(); xlog("$rc "); resetdsturi(); xlog("$rc $du");`, "-1 1 sip:1.2.3.4:5090 1 1 <null>"},
		{"destination is not checked", `setdsturi("bad uri"); xlog("$rc $du");`, "1 bad uri"},
		{"alias", `is_myself("sip:a@foo.bar"); xlog("$rc "); is_myself("foo.bar"); xlog("$rc "); is_myself("foo.bar:5070"); xlog("$rc");`, "1 1 -1"},
		{"own address", `is_myself("sip:127.0.0.1:5060"); xlog("$rc "); is_myself("sip:127.0.0.1:1"); xlog("$rc "); is_myself("sip:127.0.0.1"); xlog("$rc "); is_myself("127.0.0.1"); xlog("$rc");`, "1 -1 1 1"},
		{"a host with a port is no host", `is_myself("udp:127.0.0.1:5060"); xlog("$rc "); is_myself("127.0.0.1:5060"); xlog("$rc "); is_myself(""); xlog("$rc");`, "-1 -1 -1"},
		{"host without port", `is_myhost("sip:127.0.0.1:1"); xlog("$rc");`, "1"},
		{"printf", `pv_printf("$var(x)", "a $rm b"); xlog("$rc $var(x) "); avp_printf("$avp(x)", "q$rm"); xlog("$rc $avp(x)");`, "1 a MESSAGE b 1 qMESSAGE"},
		{"debug level", `setdebug("3"); xlog("L_DBG", "seen "); resetdebug(); xlog("L_DBG", "unseen "); xlog("$rc");`, "seen 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, load+"request_route { "+strings.ReplaceAll(tc.script, ` ");`, `\n");`)+" }")
			s.Receive(modtest.Request("MESSAGE", "sip:bob@127.0.0.1:5060"))
			if got := text(s.Log()); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// text is what the script logged, a blank between the lines.
func text(log string) string {
	var l []string
	for _, line := range strings.Split(strings.TrimSuffix(log, "\n"), "\n") {
		_, t, _ := strings.Cut(line, "<script>: ")
		l = append(l, t)
	}
	return strings.Join(l, " ")
}

func TestUniqueID(t *testing.T) {
	s := modtest.Start(t, load+`request_route { xlog("$sruid $sruid"); }`)
	s.Receive(modtest.Request("MESSAGE", "sip:bob@127.0.0.1"))
	a, b, _ := strings.Cut(text(s.Log()), " ")
	if a == b || !strings.HasPrefix(a, "srid-") || !strings.HasSuffix(b, "-2") {
		t.Errorf("%q and %q", a, b)
	}
}

func TestFlagOutOfRange(t *testing.T) {
	s := modtest.Start(t, load+`request_route { setbflag(32); xlog("$rc"); }`)
	s.Receive(modtest.Request("MESSAGE", "sip:bob@127.0.0.1"))
	if log := s.Log(); !strings.Contains(log, "flag 32 is not in 0 to 31") || !strings.HasSuffix(log, "-1") {
		t.Errorf("log %q", log)
	}
}

func TestStatistics(t *testing.T) {
	s := modtest.Start(t, load+`request_route { sl_send_reply("404", "no"); }`)
	s.Receive(modtest.Request("MESSAGE", "sip:bob@127.0.0.1"))
	for _, tc := range []struct {
		name string
		cmd  string
		args []any
		want string
	}{
		{"name", "stats.get_statistics", []any{"rcv_requests"}, "core:rcv_requests = 1\n"},
		{"group and name is neither", "stats.get_statistics", []any{"core:rcv_requests"}, ""},
		{"unknown", "stats.get_statistics", []any{"nosuch:", "nosuch"}, ""},
		{"two names", "stats.get_statistics", []any{"404_replies", "rcv_requests_message"}, "sl:404_replies = 1\ncore:rcv_requests_message = 1\n"},
		{"fetch", "stats.fetchn", []any{"rcv_requests"}, "\n\tcore.rcv_requests: 1\n"},
		{"clear", "stats.clear_statistics", []any{"rcv_requests"}, "core:rcv_requests = 0 (1)\n"},
		{"cleared", "stats.clear_statistics", []any{"rcv_requests"}, "core:rcv_requests = 0\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := s.RPC(tc.cmd, tc.args...); err != nil || got != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
	all, err := s.RPC("stats.get_statistics", "all")
	if err != nil || !strings.HasPrefix(all, "core:bad_URIs_rcvd = 0\n") || !strings.Contains(all, "\nshmem:total_size = 16777216\n") {
		t.Errorf("all: %v\n%s", err, all)
	}
	if _, err := s.RPC("stats.get_statistics"); err == nil || err.Error() != "400 Please provide which stats to retrieve" {
		t.Errorf("without parameter: %v", err)
	}
}

func TestReplyStatistics(t *testing.T) {
	s := modtest.Start(t, load+`request_route { exit; }`)
	s.Receive(modtest.Reply(486, "Busy", "INVITE"))
	s.Receive(modtest.Reply(200, "OK", "REGISTER"))
	got, err := s.RPC("stats.get_statistics", "rcv_replies_4xx", "rcv_replies_486", "rcv_replies_4xx_invite", "rcv_replies_2xx_reg", "rcv_replies_2xx_invite")
	if want := "core:rcv_replies_4xx = 1\ncore:rcv_replies_486 = 1\ncore:rcv_replies_4xx_invite = 1\ncore:rcv_replies_2xx_reg = 1\ncore:rcv_replies_2xx_invite = 0\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMemory(t *testing.T) {
	s := modtest.Start(t, load+`request_route { exit; }`)
	if got, err := s.RPC("mod.stats", "core", "shm"); err != nil || !strings.HasPrefix(got, "Module: core\n\n\t") || !strings.Contains(got, "\tTotal: ") {
		t.Errorf("mod.stats: %q, %v", got, err)
	}
	for _, tc := range []struct {
		name string
		args []any
		want string
	}{
		{"no module", nil, `500 Module name or "all" needed`},
		{"no memory", []any{"all"}, `500 "pkg" or "shm" or "all" needed`},
		{"other memory", []any{"all", "x"}, `500 "pkg" or "shm" or "all" needed`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := s.RPC("mod.stats", tc.args...); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	if _, err := s.RPC("pkg.stats", "pid", 77); err == nil || err.Error() != "500 No such pid" {
		t.Errorf("pkg.stats of an unknown pid: %v", err)
	}
}
