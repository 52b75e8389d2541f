package main

import (
	"fmt"
	"slices"

	"kahea/cfglang/core"
	"kahea/modules"
)

// fixed are the parameters that belong to what exists since the start (Fixed in the tables), with the values of that time. A later configuration keeps them.
type fixed struct {
	Core    map[string]modules.Value
	Modules map[string][]setting // by module
}

// setting is one modparam line.
type setting struct {
	Name  string
	Value modules.Value
}

// fixedOf takes the fixed values of the configuration that runs and says in which of them next differs.
func fixedOf(now, next *config) (f *fixed, notes []string) {
	f = &fixed{Core: map[string]modules.Value{}, Modules: map[string][]setting{}}
	for i := range now.table {
		t := &now.table[i]
		if !t.Fixed {
			continue
		}
		have := coreValue(t)
		f.Core[t.Name] = have
		if want := coreValue(&next.table[i]); want != have && t.Name != next.follows {
			notes = append(notes, fmt.Sprintf("%s keeps its value %s: it does not change while the server runs", t.Name, valueText(have)))
		}
	}
	for _, l := range now.loaded {
		var mine []setting
		for _, s := range now.settings[l.Name] {
			if fixedParam(l.Table.Params, s.Name) {
				mine = append(mine, s)
			}
		}
		f.Modules[l.Name] = mine
		wants := slices.DeleteFunc(slices.Clone(next.settings[l.Name]), func(s setting) bool { return !fixedParam(l.Table.Params, s.Name) })
		if next.has(l.Name) && !slices.Equal(mine, wants) {
			for i := range l.Table.Params {
				if p := &l.Table.Params[i]; p.Fixed && !slices.Equal(of(mine, p.Name), of(wants, p.Name)) {
					notes = append(notes, fmt.Sprintf("parameter %s of module %s keeps its value: it does not change while the server runs", p.Name, l.Name))
				}
			}
		}
	}
	return f, notes
}

func of(l []setting, name string) []setting {
	return slices.DeleteFunc(slices.Clone(l), func(s setting) bool { return s.Name != name })
}

func fixedParam(table []modules.Param, name string) bool {
	return slices.ContainsFunc(table, func(p modules.Param) bool { return p.Fixed && p.Name == name })
}

func (c *config) has(module string) bool {
	return slices.ContainsFunc(c.loaded, func(l modules.Loaded) bool { return l.Name == module })
}

// keep applies the fixed values; load calls it when everything is read.
func (c *config) keep(f *fixed) error {
	for i := range c.table {
		t := &c.table[i]
		if v, ok := f.Core[t.Name]; ok && t.Fixed {
			setCoreValue(t, v)
		}
	}
	for _, l := range c.loaded {
		for _, s := range f.Modules[l.Name] {
			if err := modules.SetParam(l.Table.Params, s.Name, s.Value); err != nil {
				return fmt.Errorf("module %s: %w", l.Name, err)
			}
		}
	}
	return nil
}

// kept says that a module parameter of the text is not to be set, because keep does that.
func (f *fixed) kept(l modules.Loaded, name string) bool {
	if f == nil {
		return false
	}
	_, was := f.Modules[l.Name]
	return was && fixedParam(l.Table.Params, name)
}

func coreValue(t *core.Param) modules.Value {
	switch {
	case t.Bool != nil:
		n := 0
		if *t.Bool {
			n = 1
		}
		return modules.Value{Int: n, IsInt: true}
	case t.Int != nil:
		return modules.Value{Int: *t.Int, IsInt: true}
	default:
		return modules.Value{Str: *t.Str}
	}
}

func setCoreValue(t *core.Param, v modules.Value) {
	switch {
	case t.Bool != nil:
		*t.Bool = v.Int != 0
	case t.Int != nil:
		*t.Int = v.Int
	default:
		*t.Str = v.Str
	}
}

func valueText(v modules.Value) string {
	if v.IsInt {
		return fmt.Sprint(v.Int)
	}
	return fmt.Sprintf("%q", v.Str)
}
