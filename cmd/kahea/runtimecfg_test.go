package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kahea/cfglang/diag"
	"kahea/modules"
	"kahea/shm"
)

func loadText(t *testing.T, text string) (*config, *diag.List) {
	t.Helper()
	d := &diag.List{}
	c, err := load(&sealed{Options: &options{}, Name: "test.cfg", Text: []byte(text)}, d)
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

func TestGroupVariables(t *testing.T) {
	c, d := loadText(t, "g.n = 5 desc \"a number\"\ng.s = \"text\"\ncore.mem_summary = 7\n")
	if d.HasErrors() {
		t.Fatalf("%+v", d)
	}
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	followed := false
	at, err := c.runtime.create(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.runtime.open(a, at, func(*int64) { followed = true }); err != nil || !followed {
		t.Fatal("the log level does not follow debug", err)
	}
	get := func(group, name string) modules.Value {
		v, ok := c.runtime.Get(modules.CfgGroup{Name: group}, name)
		if !ok {
			t.Fatalf("there is no %s.%s", group, name)
		}
		return v
	}
	num, str := func(n int) modules.Value { return modules.Value{Int: n, IsInt: true} }, func(s string) modules.Value { return modules.Value{Str: s} }
	for _, x := range []struct {
		name, group, variable string
		set                   modules.Value
		fails                 bool
		want                  modules.Value
	}{
		{"number", "g", "n", num(6), false, num(6)},
		{"text to a number", "g", "n", str("8"), false, num(8)},
		{"text that is no number", "g", "n", str("x"), true, num(8)},
		{"text", "g", "s", str("longer than before"), false, str("longer than before")},
		{"number to a text", "g", "s", num(12), false, str("12")},
		{"empty text", "g", "s", str(""), false, str("")},
		{"text too long", "g", "s", str(strings.Repeat("x", maxRuntimeText+1)), true, str("")},
		{"core parameter of the text", "core", "mem_summary", num(3), false, num(3)},
		{"table that can not grow", "tcp", "max_connections", num(1 << 20), true, num(2048)},
		{"core parameter", "core", "debug", num(3), false, num(3)},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.variable == "mem_summary" && get("core", "mem_summary") != num(7) {
				t.Error("core.mem_summary = 7 was not taken")
			}
			if err := c.runtime.Set(modules.CfgGroup{Name: x.group}, x.variable, x.set); (err != nil) != x.fails {
				t.Errorf("Set: %v", err)
			}
			if v := get(x.group, x.variable); v != x.want {
				t.Errorf("got %+v, want %+v", v, x.want)
			}
		})
	}
	docs := map[string]string{}
	c.runtime.Each(func(g, n string, _ modules.Value, doc string) { docs[g+"."+n] = doc })
	if docs["g.n"] != "a number" || docs["g.s"] != "<null string>" {
		t.Errorf("descriptions are %q and %q", docs["g.n"], docs["g.s"])
	}
}

func TestGroupVariableErrors(t *testing.T) {
	for _, x := range []struct{ name, cfg, want string }{
		{"declared twice", "g.n = 1\ng.n = 2\n", "declared twice"},
		{"unknown core variable", "core.nosuch = 1\n", "there is no variable core.nosuch"},
		{"instance of an unknown variable", "g.n = 1\ng[1].x = 2\n", "g[1].x: there is no variable g.x"},
		{"instance of an unknown group", "g[1].x = 2\n", "g[1].x: there is no variable g.x"},
		{"instance with no number", "g.n = 1\ng[1].n = \"abc\"\n", "g[1].n: variable g.n is a number"},
		{"instance of a core group", "core[1].max_while_loops = 2\n", "group core has no instances"},
		{"selection of an unknown group", "request_route { cfg_select(\"g\", 1); exit; }\n", "there is no group \"g\""},
		{"variable of a module that comes later", "tm.fr_timer = 1\nloadmodule \"tm\"\n", "declared before the module is loaded"},
		{"instance of a module's group", "loadmodule \"tm\"\ntm[1].fr_timer = 2\n", "group tm has no instances"},
		{"wrong type", "core.mem_summary = \"x\"\n", "want a number"},
		{"select of an unknown variable", "loadmodule \"xlog\"\nrequest_route { if (@cfg_get.g.n == 1) exit; }\n", "there is no variable g.n"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, d := loadText(t, x.cfg)
			c.compiler().Compile(c.file)
			var b strings.Builder
			if err := d.Write(&b, false); err != nil || !strings.Contains(b.String(), x.want) {
				t.Errorf("diagnostics are %q (%v), want %q", b.String(), err, x.want)
			}
		})
	}
}

// A group that the configuration declares is known to selects and to the commands.
func TestGroupIsKnown(t *testing.T) {
	c, d := loadText(t, "g.n = 1\nloadmodule \"pv\"\nrequest_route { cfg_reset(\"g\"); if (cfg_select(\"g\", $rU)) exit; $var(x) = @cfg_get.g.n + @cfg_selected.g; exit; }\n")
	if p := c.compiler().Compile(c.file); p == nil || d.HasErrors() {
		var b strings.Builder
		if err := d.Write(&b, false); err != nil {
			t.Fatal(err)
		}
		t.Errorf("the configuration was refused:\n%s", b.String())
	}
}

// What commands have changed stays at a reload where the configuration says the same as before; a reset gives what it says.
func TestGroupInstances(t *testing.T) {
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	create := func(text string, before *runtimeConfig) *runtimeConfig {
		c, d := loadText(t, text)
		if d.HasErrors() {
			t.Fatalf("%+v", d)
		}
		at, err := c.runtime.create(a, before)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.runtime.open(a, at, func(*int64) {}); err != nil {
			t.Fatal(err)
		}
		return c.runtime
	}
	inst := func(id uint32) modules.CfgGroup { return modules.CfgGroup{Name: "g", ID: id, Instance: true} }
	show := func(r *runtimeConfig) string {
		var b strings.Builder
		for id := range uint32(6) {
			if n, ok := r.Get(inst(id), "n"); ok {
				s, _ := r.Get(inst(id), "s")
				fmt.Fprintf(&b, "%d:%d,%s ", id, n.Int, s.Str)
			}
		}
		return strings.TrimSpace(b.String())
	}
	want := func(what string, r *runtimeConfig, want string) {
		t.Helper()
		if got := show(r); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	num := func(n int) modules.Value { return modules.Value{Int: n, IsInt: true} }
	text := "g.n = 5\ng.s = \"t\"\ng[1].n = 1\ng[2].s = \"two\"\ng[2].n = 2\ng[3].n = 3\n"
	one := create(text, nil)
	want("start", one, "1:1,t 2:2,two 3:3,t")
	must(one.Set(inst(1), "n", num(11)), one.Set(inst(1), "s", modules.Value{Str: "one"}), one.Unset(inst(2), "n"), one.DelInstance(inst(3)),
		one.AddInstance(inst(4)), one.Set(inst(4), "n", num(44)))
	want("changed", one, "1:11,one 2:5,two 4:44,t")
	want("reloaded", create(text, one), "1:11,one 2:5,two 4:44,t")
	want("reloaded with changes", create("g.n = 6\ng.s = \"t\"\ng[1].n = 111\ng[2].s = \"two\"\ng[2].n = 2\ng[5].n = 55\n", one), "1:111,one 2:6,two 4:44,t 5:55,t")
	want("without the group's variable", create("g.n = 6\n", one), "4:44,")
	must(one.Reset(inst(1)), one.Reset(inst(2)), one.Reset(inst(4)))
	want("reset", one, "1:1,t 2:2,two 4:5,t")
	must(one.Set(modules.CfgGroup{Name: "g"}, "n", num(9)))
	want("the group's value", one, "1:1,t 2:2,two 4:9,t")
	must(one.Reset(modules.CfgGroup{Name: "g"}))
	want("the group's reset", one, "1:1,t 2:2,two 4:5,t")
	if err := one.Reset(inst(3)); err == nil {
		t.Error("an instance that is not there was reset")
	}
	for id := range uint32(maxInstances + 1) {
		if err := one.AddInstance(inst(100 + id)); (err != nil) != (id+3 >= maxInstances) {
			t.Errorf("instance %d more: %v", id, err)
		}
	}
	var last error
	for id := range uint32(maxInstances) {
		if err := one.Set(inst(100+id), "s", modules.Value{Str: "x"}); err != nil {
			last = err
			break
		}
	}
	if last == nil {
		t.Error("more texts than there is room for")
	}
}

// TestModuleVariables: parameters of modules follow the run-time configuration; a reset gives what the configuration says.
func TestModuleVariables(t *testing.T) {
	c, d := loadText(t, "loadmodule \"sl\"\nloadmodule \"usrloc\"\nloadmodule \"registrar\"\nloadmodule \"tm\"\nmodparam(\"tm\", \"fr_timer\", 20000)\nregistrar.realm_pref = \"old.\"\n")
	if d.HasErrors() {
		t.Fatalf("%+v", d)
	}
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	at, err := c.runtime.create(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.runtime.open(a, at, func(*int64) {}); err != nil {
		t.Fatal(err)
	}
	has := func(module, param string, want modules.Value) {
		t.Helper()
		c.runtime.read()
		for _, l := range c.loaded {
			for i := range l.Table.Params {
				p := &l.Table.Params[i]
				if l.Name != module || p.Name != param {
					continue
				}
				if p.Int != nil && *p.Int != want.Int || p.Str != nil && *p.Str != want.Str {
					t.Errorf("%s.%s is not %+v", module, param, want)
				}
				return
			}
		}
		t.Errorf("there is no %s.%s", module, param)
	}
	num, str := func(n int) modules.Value { return modules.Value{Int: n, IsInt: true} }, func(s string) modules.Value { return modules.Value{Str: s} }
	tm, registrar := modules.CfgGroup{Name: "tm"}, modules.CfgGroup{Name: "registrar"}
	has("tm", "fr_timer", num(20000))
	has("registrar", "realm_prefix", str("old."))
	for _, x := range []error{c.runtime.Set(tm, "fr_timer", num(5)), c.runtime.Set(registrar, "realm_pref", str("sip."))} {
		if x != nil {
			t.Fatal(x)
		}
	}
	has("tm", "fr_timer", num(5))
	has("registrar", "realm_prefix", str("sip."))
	if c.runtime.Set(tm, "fr_timer", num(0)) == nil {
		t.Error("fr_timer 0 was taken")
	}
	for _, x := range []error{c.runtime.Reset(tm), c.runtime.Reset(registrar)} {
		if x != nil {
			t.Fatal(x)
		}
	}
	has("tm", "fr_timer", num(20000))
	has("registrar", "realm_prefix", str("old."))
}
