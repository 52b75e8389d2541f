package pv

import (
	"strconv"
	"strings"

	"kahea/cfglang/route"
)

// versionVars are read by configurations that ask which Kamailio they run on: numbers are Kamailio's, names are kahea's.
func (m *mod) versionVars() []route.Var {
	num := func() string {
		n, _, _ := strings.Cut(m.h.Info.Version, " ")
		return n
	}
	text := func(f func() string) route.Getter {
		return func(c *route.Ctx) route.Value { return route.Str(c.Scratch.CopyString(f())) }
	}
	return []route.Var{
		choice("version", "$version(num), (full) with name and machine, (hash) of the revision", map[string]route.Getter{
			"num":  text(num),
			"full": text(func() string { return m.h.Info.Name + " " + m.h.Info.Version }),
			"hash": text(func() string { return m.h.Info.ID }),
		}),
		choice("ksr", "$ksr(ver), version; (verval), the same as a number: 6002000 is 6.2.0", map[string]route.Getter{
			"ver": text(num),
			"verval": func(*route.Ctx) route.Value {
				n := int64(0)
				for p := range strings.SplitSeq(num(), ".") {
					k, _ := strconv.ParseInt(p, 10, 32) // of ours: three numbers
					n = n*1000 + k
				}
				return route.Int(n)
			},
		}),
	}
}
