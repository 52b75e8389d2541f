// Package main is an example of a module outside of kahea's tree: a Go plugin. It has a parameter, a function and a variable.
package main

import (
	"kahea/cfglang/route"
	"kahea/modules"
)

func init() { modules.Register("hello", func() modules.Module { return &module{word: "hello"} }) }

type module struct{ word string }

func (m *module) Exports() modules.Exports {
	return modules.Exports{
		Params: []modules.Param{{Name: "word", Str: &m.word, Doc: "what $hello is, hello"}},
		Funcs: []route.Func{{Name: "is_hello", Args: "s", From: route.AnyRoute, Doc: "true if the text is the word",
			Run: func(c *route.Ctx, a *route.Args) int {
				if b, ok := a.Str(c, 0); ok && string(b) == m.word {
					return 1
				}
				return -1
			}}},
		Vars: []route.Var{{Name: "hello", Doc: "the word", Get: func(*route.Ctx) route.Value { return route.Str([]byte(m.word)) }}},
	}
}
