package compile

import (
	"fmt"

	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

// unusedRoutes warns of named blocks that nothing calls or arms. Names that are known at run time only may mean any route[].
func (k *Compiler) unusedRoutes(f *syntax.File) {
	for _, it := range f.Items {
		s, ok := it.(*syntax.Route)
		if !ok {
			continue
		}
		kind, named := kindOf(s)
		if !named || kind == route.InEvent || k.used[routeKey{kind, s.Name}] || kind == route.InRequest && k.dynamic {
			continue
		}
		k.d.Add(diag.Diagnostic{Severity: diag.Warning, Pos: s.Pos, Summary: fmt.Sprintf("%s[%s] is not used", blockName(kind), s.Name)})
	}
}

// unreachable warns of the first statement behind one that always leaves the list. Another one that leaves (drop; exit;) is a habit, and harmless.
func (k *Compiler) unreachable(list []syntax.Stmt) {
	word := ""
	for _, s := range list {
		if word != "" {
			switch s.(type) {
			case *syntax.Empty, *syntax.Ctl:
				continue
			}
			k.d.Warnf(s.Position(), "never run: %s stands before it", word)
			return
		}
		if x, ok := s.(*syntax.Ctl); ok {
			word = [...]string{syntax.Return: "return", syntax.Exit: "exit", syntax.Drop: "drop", syntax.Break: "break"}[x.Kind]
		}
	}
}
