package main

import (
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
	if c.runtime.open(a, at, func(*int64) { followed = true }); !followed {
		t.Fatal("the log level does not follow debug")
	}
	get := func(group, name string) modules.Value {
		v, ok := c.runtime.Get(group, name)
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
			if err := c.runtime.Set(x.group, x.variable, x.set); (err != nil) != x.fails {
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
		{"instance", "g.n = 1\ng[1].n = 2\n", "instances of a group are not there yet"},
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
