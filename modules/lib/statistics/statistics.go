// Package statistics lists what the server counts: the counters in shared memory, and what modules compute when somebody asks. The RPC
// commands of kex (stats.*) and of counters (cnt.*) read it.
package statistics

import (
	"sort"

	"kahea/modules"
	"kahea/shm"
)

// Statistic is one value.
type Statistic struct {
	Group, Name string
	Counter     shm.Counter // -1: computed, can not be reset
	Get         func() int64
	Doc         string
}

// All lists the statistics in order of group and name.
func All(h *modules.Host) []Statistic {
	var l []Statistic
	docs := map[[2]string]string{}
	computed := func(s []modules.Stat) {
		for _, x := range s {
			docs[[2]string{x.Group, x.Name}] = x.Doc
			if x.Get != nil {
				l = append(l, Statistic{Group: x.Group, Name: x.Name, Counter: -1, Get: x.Get, Doc: x.Doc})
			}
		}
	}
	for _, x := range h.Loaded() {
		computed(x.Table.Stats)
		if s, ok := x.Module.(modules.Stater); ok {
			computed(s.Stats())
		}
	}
	h.Counts.Each(func(group, name string, k shm.Counter) bool {
		l = append(l, Statistic{Group: group, Name: name, Counter: k, Get: func() int64 { return h.Counts.Sum(k) }, Doc: docs[[2]string{group, name}]})
		return true
	})
	u := h.Arena.Usage()
	for _, x := range []struct {
		name string
		val  uint64
		doc  string
	}{
		{"total_size", u.Total, "bytes of shared memory"}, {"used_size", u.Used, "bytes in blocks"}, {"real_used_size", u.RealUsed, "bytes in blocks with their headers"},
		{"max_used_size", u.MaxUsed, "the most that real_used_size ever was"}, {"free_size", u.Free, "bytes that are free"}, {"fragments", u.Fragments, "free blocks"},
	} {
		l = append(l, Statistic{Group: "shmem", Name: x.name, Counter: -1, Get: func() int64 { return int64(x.val) }, Doc: x.doc})
	}
	sort.Slice(l, func(i, j int) bool {
		if l[i].Group != l[j].Group {
			return l[i].Group < l[j].Group
		}
		return l[i].Name < l[j].Name
	})
	return l
}
