package counters_test

import (
	"strings"
	"testing"

	_ "kahea/modules/counters"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sl"
	_ "kahea/modules/xlog"
)

const head = `
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "sl.so"
loadmodule "counters.so"
modparam("counters", "script_cnt_grp_name", "my")
modparam("counters", "script_counter", "foo")
modparam("counters", "script_counter", "grp.bar desc text")
modparam("counters", "script_counter", "baz:other text")
`

func TestCounting(t *testing.T) {
	for _, tc := range []struct{ name, script, group, counter, want string }{
		{"one", `cnt_inc("foo");`, "my", "foo", "1\n"},
		{"with the group", `cnt_inc("my.foo"); cnt_inc("foo");`, "my", "foo", "2\n"},
		{"other group", `cnt_add("grp.bar", "5");`, "grp", "bar", "5\n"},
		{"negative", `cnt_add("baz", "-3");`, "my", "baz", "-3\n"},
		{"variable", `$var(x) = 4; cnt_add("baz", "$var(x)");`, "my", "baz", "4\n"},
		{"reset", `cnt_add("foo", 7); cnt_reset("foo"); cnt_inc("foo");`, "my", "foo", "1\n"},
		{"of the core", `cnt_inc("core.fwd_requests");`, "core", "fwd_requests", "1\n"},
		{"of a module", `cnt_inc("sl.failures");`, "sl", "failures", "1\n"},
		{"no number", `cnt_add("foo", "$rU"); cnt_inc("foo");`, "my", "foo", "1\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, head+"request_route { "+tc.script+" }")
			s.Receive(modtest.Request("MESSAGE", "sip:bob@example.com"))
			if got, err := s.RPC("cnt.get", tc.group, tc.counter); err != nil || got != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestUnknownCounter(t *testing.T) {
	_, err := modtest.Load(t, head+`request_route { cnt_inc("nosuch"); }`)
	if err == nil || !strings.Contains(err.Error(), "there is no counter my.nosuch") {
		t.Errorf("got %v", err)
	}
}

func TestCommands(t *testing.T) {
	s := modtest.Start(t, head+`request_route { cnt_add("foo", 9); }`)
	s.Receive(modtest.Request("MESSAGE", "sip:bob@example.com"))
	for _, tc := range []struct {
		name, cmd string
		args      []any
		want, err string
	}{
		{"group", "cnt.get", []any{"my"}, "\n\tbaz: 0\n\tfoo: 9\n", ""},
		{"all of a group", "cnt.grp_get_all", []any{"my"}, "\n\tbaz: 0\n\tfoo: 9\n", ""},
		{"names", "cnt.list_vars", []any{"my"}, "baz\nfoo\n", ""},
		{"groups", "cnt.list_groups", nil, "core\ngrp\nmy\nshmem\nsl\n", ""},
		{"description", "cnt.help", []any{"grp", "bar"}, "desc text\n", ""},
		{"description behind a colon", "cnt.help", []any{"my", "baz"}, "other text\n", ""},
		{"no description", "cnt.help", []any{"my", "foo"}, "custom script counter.\n", ""},
		{"reset", "cnt.reset", []any{"my", "foo"}, "", ""},
		{"after reset", "cnt.get_raw", []any{"my", "foo"}, "0\n", ""},
		{"unknown", "cnt.get", []any{"my", "nosuch"}, "", "400 non-existent counter my.nosuch\n"},
		{"no group", "cnt.list_vars", nil, "", "400 error at parameter 0: expected string type but end of packet encountered"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := s.RPC(tc.cmd, tc.args...)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != tc.want || text != tc.err {
				t.Errorf("got %q, %q, want %q, %q", got, text, tc.want, tc.err)
			}
		})
	}
}
