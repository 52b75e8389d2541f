package kex

import (
	"fmt"
	"sort"
	"strings"

	"kahea/modules"
	"kahea/shm"
)

// statistic is one value: a counter, or computed.
type statistic struct {
	group, name string
	counter     shm.Counter // -1: computed, can not be reset
	get         func() int64
}

// statistics lists all, in order of group and name.
func (m *mod) statistics() []statistic {
	h := m.h
	var l []statistic
	h.Counts.Each(func(group, name string, k shm.Counter) bool {
		l = append(l, statistic{group, name, k, func() int64 { return h.Counts.Sum(k) }})
		return true
	})
	computed := func(s []modules.Stat) {
		for _, x := range s {
			if x.Get != nil {
				l = append(l, statistic{x.Group, x.Name, -1, x.Get})
			}
		}
	}
	for _, x := range h.Loaded() {
		computed(x.Table.Stats)
		if s, ok := x.Module.(modules.Stater); ok {
			computed(s.Stats())
		}
	}
	u := h.Arena.Usage()
	for name, v := range map[string]uint64{
		"total_size": u.Total, "used_size": u.Used, "real_used_size": u.RealUsed, "max_used_size": u.MaxUsed, "free_size": u.Free, "fragments": u.Fragments,
	} {
		l = append(l, statistic{"shmem", name, -1, func() int64 { return int64(v) }})
	}
	sort.Slice(l, func(i, j int) bool {
		if l[i].group != l[j].group {
			return l[i].group < l[j].group
		}
		return l[i].name < l[j].name
	})
	return l
}

// chosen walks the statistics that the parameters name: all, "group:", or a bare name (the first of that name).
func (m *mod) chosen(r *modules.Request, missing string, f func(s *statistic)) error {
	if !r.More() {
		return modules.NewFault(400, "%s", missing)
	}
	l := m.statistics()
	for r.More() {
		arg, err := r.Str()
		if err != nil {
			return err
		}
		for i := range l {
			switch {
			case arg == "all" || strings.HasSuffix(arg, ":") && l[i].group+":" == arg:
				f(&l[i])
				continue
			case l[i].name == arg:
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
			return m.chosen(r, want, func(s *statistic) { add(n, s.group+"."+s.name, s.get()) })
		}
	}
	return []modules.RPC{
		{Name: "stats.get_statistics", Array: true, Doc: "get core and modules internal statistics", Run: func(r *modules.Request) error {
			return m.chosen(r, want, func(s *statistic) { r.AddStr(fmt.Sprintf("%s:%s = %d", s.group, s.name, s.get())) })
		}},
		{Name: "stats.fetch", Doc: "fetch core and modules internal statistics", Run: fetch(func(n *modules.Node, name string, v int64) { n.AddStr(name, fmt.Sprint(v)) })},
		{Name: "stats.fetchn", Doc: "fetch core and modules internal statistics, as numbers", Run: fetch((*modules.Node).AddInt)},
		{Name: "stats.reset_statistics", Doc: "reset core and modules internal statistics", Run: func(r *modules.Request) error {
			return m.chosen(r, name, func(s *statistic) {
				if s.counter >= 0 {
					m.h.Counts.Reset(s.counter)
				}
			})
		}},
		{Name: "stats.clear_statistics", Doc: "reset core and modules internal statistics, and tell what they were", Run: func(r *modules.Request) error {
			return m.chosen(r, name, func(s *statistic) {
				old := s.get()
				if s.counter >= 0 {
					m.h.Counts.Reset(s.counter)
				}
				if now := s.get(); now != old {
					r.AddStr(fmt.Sprintf("%s:%s = %d (%d)", s.group, s.name, now, old))
				} else {
					r.AddStr(fmt.Sprintf("%s:%s = %d", s.group, s.name, now))
				}
			})
		}},
	}
}
