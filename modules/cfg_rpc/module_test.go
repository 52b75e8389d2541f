package cfg_rpc_test

import (
	"errors"
	"testing"

	"kahea/modules"
	_ "kahea/modules/cfg_rpc"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/sl"
)

// vars is a configuration of two variables.
type vars map[string]int

func (v vars) Get(group, name string) (modules.Value, bool) {
	n, ok := v[name]
	return modules.Value{Int: n, IsInt: true}, ok && group == "core"
}

func (v vars) Set(group, name string, x modules.Value) error {
	if _, ok := v.Get(group, name); !ok || x.Int > 100 {
		return errors.New("no")
	}
	v[name] = x.Int
	return nil
}

func (v vars) Each(f func(group, name string, v modules.Value, desc string)) {
	for _, n := range []string{"debug", "memlog"} {
		f("core", n, modules.Value{Int: v[n], IsInt: true}, "about "+n)
	}
}

// The messages are Kamailio 5.6.3's.
func TestCommands(t *testing.T) {
	s := modtest.Start(t, `
loadmodule "sl.so"
loadmodule "cfg_rpc.so"
request_route { exit; }`)
	s.Host.Cfg = vars{"debug": 2, "memlog": 4}
	for _, tc := range []struct {
		name, cmd string
		args      []any
		want, err string
	}{
		{"get", "cfg.get", []any{"core", "debug"}, "2\n", ""},
		{"group", "cfg.get", []any{"core"}, "\n\tdebug: 2\n\tmemlog: 4\n", ""},
		{"unknown", "cfg.get", []any{"core", "nosuch"}, "", "400 Failed to get the variable"},
		{"unknown group", "cfg.get", []any{"nosuch", "x"}, "", "400 Failed to get the variable"},
		{"parameter of a module", "cfg.get", []any{"sl", "bind_tm"}, "", "400 Variable exists, but it is not readable via RPC interface"},
		{"nothing", "cfg.get", nil, "", "500 Failed to get the parameters"},
		{"list", "cfg.list", nil, "core: debug\ncore: memlog\n", ""},
		{"list of no group", "cfg.list", []any{"nosuch"}, "", ""},
		{"help", "cfg.help", []any{"core", "debug"}, "about debug\n(parameter type is integer)\n", ""},
		{"help for none", "cfg.help", []any{"core", "nosuch"}, "", "400 Failed to get the variable description"},
		{"set", "cfg.seti", []any{"core", "debug", 3}, "", ""},
		{"was set", "cfg.get", []any{"core", "debug"}, "3\n", ""},
		{"set none", "cfg.set_now_int", []any{"core", "nosuch", 3}, "", "400 Failed to set the variable"},
		{"out of range", "cfg.seti", []any{"core", "debug", 101}, "", "400 Failed to set the variable"},
		{"nothing waits", "cfg.diff", nil, "", ""},
		{"delay", "cfg.set_delayed_int", []any{"core", "debug", 1}, "", ""},
		{"delay none", "cfg.set_delayed_int", []any{"core", "nosuch", 1}, "", "400 Failed to set the variable"},
		{"diff", "cfg.diff", nil, "\n\tgroup name: core\n\tvariable name: debug\n\told value: 3\n\tnew value: 1\n", ""},
		{"rollback", "cfg.rollback", nil, "", ""},
		{"nothing waits any more", "cfg.diff", nil, "", ""},
		{"delay again", "cfg.set_delayed_int", []any{"core", "debug", 0}, "", ""},
		{"another value", "cfg.set_delayed", []any{"core", "debug", 1}, "", ""},
		{"commit", "cfg.commit", nil, "", ""},
		{"was committed", "cfg.get", []any{"core", "debug"}, "1\n", ""},
		{"delay what is out of range", "cfg.set_delayed", []any{"core", "debug", 101}, "", ""},
		{"commit fails", "cfg.commit", nil, "", "400 Failed to commit the changes"},
	} {
		got, err := s.RPC(tc.cmd, tc.args...)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tc.want || text != tc.err {
			t.Errorf("%s: got %q, %q, want %q, %q", tc.name, got, text, tc.want, tc.err)
		}
	}
}
