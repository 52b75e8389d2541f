package kex

import (
	"fmt"
	"strings"

	"kahea/modules"
	"kahea/modules/lib/statistics"
)

// chosen walks the statistics that the parameters name: all, "group:", or a bare name (the first of that name).
func (m *mod) chosen(r *modules.Request, missing string, f func(s *statistics.Statistic)) error {
	if !r.More() {
		return modules.NewFault(400, "%s", missing)
	}
	l := statistics.All(m.h)
	for r.More() {
		arg, err := r.Str()
		if err != nil {
			return err
		}
		for i := range l {
			switch {
			case arg == "all" || strings.HasSuffix(arg, ":") && l[i].Group+":" == arg:
				f(&l[i])
				continue
			case l[i].Name == arg:
				f(&l[i])
			default:
				continue
			}
			break
		}
	}
	return nil
}

func (m *mod) statCommands() []modules.RPC {
	const want, name = "Please provide which stats to retrieve", "Please provide stats name"
	fetch := func(add func(n *modules.Node, name string, v int64)) func(r *modules.Request) error {
		return func(r *modules.Request) error {
			if !r.More() {
				return modules.NewFault(400, want)
			}
			n := r.AddStruct()
			return m.chosen(r, want, func(s *statistics.Statistic) { add(n, s.Group+"."+s.Name, s.Get()) })
		}
	}
	return []modules.RPC{
		{Name: "stats.get_statistics", Array: true, Doc: "get core and modules internal statistics", Run: func(r *modules.Request) error {
			return m.chosen(r, want, func(s *statistics.Statistic) { r.AddStr(fmt.Sprintf("%s:%s = %d", s.Group, s.Name, s.Get())) })
		}},
		{Name: "stats.fetch", Doc: "fetch core and modules internal statistics", Run: fetch(func(n *modules.Node, name string, v int64) { n.AddStr(name, fmt.Sprint(v)) })},
		{Name: "stats.fetchn", Doc: "fetch core and modules internal statistics, as numbers", Run: fetch((*modules.Node).AddInt)},
		{Name: "stats.reset_statistics", Doc: "reset core and modules internal statistics", Run: func(r *modules.Request) error {
			return m.chosen(r, name, func(s *statistics.Statistic) {
				if s.Counter >= 0 {
					m.h.Counts.Reset(s.Counter)
				}
			})
		}},
		{Name: "stats.clear_statistics", Doc: "reset core and modules internal statistics, and tell what they were", Run: func(r *modules.Request) error {
			return m.chosen(r, name, func(s *statistics.Statistic) {
				old := s.Get()
				if s.Counter >= 0 {
					m.h.Counts.Reset(s.Counter)
				}
				if now := s.Get(); now != old {
					r.AddStr(fmt.Sprintf("%s:%s = %d (%d)", s.Group, s.Name, now, old))
				} else {
					r.AddStr(fmt.Sprintf("%s:%s = %d", s.Group, s.Name, now))
				}
			})
		}},
	}
}
