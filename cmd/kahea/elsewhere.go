package main

import (
	"slices"
	"strings"

	"kahea/cfglang/route"
	"kahea/modules"
)

// elsewhere is the module that is not loaded and has a function, a variable ($name) or a class of transformations; "": there is none.
func (c *config) elsewhere(name string) string {
	variable, isVar := strings.CutPrefix(name, "$")
	for _, m := range modules.Names() {
		if c.has(m) {
			continue
		}
		t := modules.New(m).Exports()
		switch {
		case isVar && slices.ContainsFunc(t.Vars, func(v route.Var) bool { return v.Name == variable }),
			!isVar && slices.ContainsFunc(t.Funcs, func(f route.Func) bool { return f.Name == name || slices.Contains(f.Aliases, name) }),
			!isVar && slices.ContainsFunc(t.Trans, func(x route.Trans) bool { return x.Class == name }):
			return m
		}
	}
	return ""
}
