package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"kahea/cfglang/core"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
)

// otherBinary is the run-time configuration as another binary lists it: its parameters of the core are others, and in another order.
func otherBinary(r *runtimeConfig, add string, without ...string) *runtimeConfig {
	o := &runtimeConfig{inst: r.inst, groups: map[string]*route.CfgGroup{}}
	if add != "" {
		o.add(runtimeVar{group: "core", name: add, num: 77, from: new(core.Param)})
	}
	for i := len(r.vars) - 1; i >= 0; i-- {
		if v := r.vars[i]; !slices.Contains(without, v.group+"."+v.name) {
			o.add(v)
		}
	}
	o.frozen = true
	return o
}

// A binary with other parameters reads what was set before by name; what it knows more has its start value, and the way back finds all again.
func TestRuntimeOtherBinary(t *testing.T) {
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	const text = "g.n = 5\ng.s = \"text\"\nh.n = 1\ng[3].n = 30\ng[3].s = \"three\"\n"
	load := func() *runtimeConfig { c, _ := loadText(t, text); return c.runtime }
	old := load()
	at, err := old.create(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	num := func(n int) modules.Value { return modules.Value{Int: n, IsInt: true} }
	for _, x := range []struct {
		g, n string
		v    modules.Value
	}{{"core", "debug", num(3)}, {"core", "max_while_loops", num(44)}, {"g", "n", num(6)}, {"g", "s", modules.Value{Str: "changed"}}, {"h", "n", num(9)}} {
		if err := old.Set(modules.CfgGroup{Name: x.g}, x.n, x.v); err != nil {
			t.Fatal(err)
		}
	}
	show := func(r *runtimeConfig) string {
		out := ""
		for _, x := range []struct {
			g modules.CfgGroup
			n string
		}{
			{modules.CfgGroup{Name: "core"}, "debug"}, {modules.CfgGroup{Name: "core"}, "max_while_loops"}, {modules.CfgGroup{Name: "core"}, "brand_new"},
			{modules.CfgGroup{Name: "g"}, "n"}, {modules.CfgGroup{Name: "g"}, "s"}, {modules.CfgGroup{Name: "h"}, "n"},
			{modules.CfgGroup{Name: "g", ID: 3, Instance: true}, "n"}, {modules.CfgGroup{Name: "g", ID: 3, Instance: true}, "s"}, {modules.CfgGroup{Name: "h", ID: 3, Instance: true}, "n"},
		} {
			v, ok := r.Get(x.g, x.n)
			switch {
			case !ok:
				out += " " + x.n + "=-"
			case v.IsInt:
				out += fmt.Sprintf(" %s=%d", x.n, v.Int)
			default:
				out += fmt.Sprintf(" %s=%s", x.n, v.Str)
			}
		}
		return out
	}
	const before = " debug=3 max_while_loops=44 brand_new=- n=6 s=changed n=9 n=30 s=three n=-"
	for _, x := range []struct {
		name string
		r    *runtimeConfig
		want string
	}{
		{"the same", load(), before},
		{"another order and one more", otherBinary(load(), "brand_new"), " debug=3 max_while_loops=44 brand_new=77 n=6 s=changed n=9 n=30 s=three n=-"},
		{"one less", otherBinary(load(), "", "core.max_while_loops"), " debug=3 max_while_loops=- brand_new=- n=6 s=changed n=9 n=30 s=three n=-"},
		{"the way back", load(), before},
	} {
		t.Run(x.name, func(t *testing.T) {
			debug := new(int64)
			if err := x.r.open(a, at, func(d *int64) { debug = d }); err != nil {
				t.Fatal(err)
			}
			if got := show(x.r); got != x.want || *debug != 3 {
				t.Errorf("got%s, the log level %d, want%s", got, *debug, x.want)
			}
		})
	}
	t.Run("a text where the other has a number", func(t *testing.T) {
		c, _ := loadText(t, "g.n = \"text\"\n")
		if err := c.runtime.open(a, at, func(*int64) {}); err == nil {
			t.Error("it was opened")
		}
	})
	t.Run("another layout", func(t *testing.T) {
		old.root.Layout++
		if err := load().open(a, at, func(*int64) {}); !errors.Is(err, shm.ErrLayout) {
			t.Errorf("got %v, want %v", err, shm.ErrLayout)
		}
	})
}

// Places are few: a binary with more variables than there are must not begin to serve.
func TestRuntimeNoPlace(t *testing.T) {
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c, _ := loadText(t, "")
	at, err := c.runtime.create(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &runtimeConfig{groups: map[string]*route.CfgGroup{}, frozen: true}
	for i := range maxRuntimeVars {
		o.add(runtimeVar{group: "x", name: fmt.Sprint("v", i)})
	}
	if err := o.open(a, at, func(*int64) {}); err == nil {
		t.Error("it was opened")
	}
}
