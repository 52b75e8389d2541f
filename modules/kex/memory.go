package kex

import (
	"fmt"
	"slices"
	"sync/atomic"

	"kahea/modules"
	"kahea/shm"
)

// private is what the process's private memory tells of itself.
type private interface {
	Usage() shm.Usage
	Ledger() []shm.TagUsage
}

// pkgTable is the root "kex": what the processes last wrote of their private memory, by slot.
type pkgTable struct {
	Rows [512]pkgRow
}

type pkgRow struct{ Used, Free, RealUsed, Total, Fragments uint64 }

func (m *mod) writeRow() {
	p, ok := m.h.Mem.(private)
	if !ok {
		return
	}
	u := p.Usage()
	r := &m.pkg.Rows[m.h.Slot]
	atomic.StoreUint64(&r.Used, u.Used)
	atomic.StoreUint64(&r.Free, u.Free)
	atomic.StoreUint64(&r.RealUsed, u.RealUsed)
	atomic.StoreUint64(&r.Total, u.Total)
	atomic.StoreUint64(&r.Fragments, u.Fragments)
}

// chosenProc reads the parameters that select a process: none selects all; none of that number is what is said when there is no such process.
func chosenProc(r *modules.Request) (match func(modules.ProcInfo) bool, none string, err error) {
	if !r.More() {
		return func(modules.ProcInfo) bool { return true }, "", nil
	}
	kind, err := r.Str()
	if err != nil {
		return nil, "", err
	}
	n, err := r.Integer()
	if err != nil {
		return nil, "", err
	}
	switch kind {
	case "pid":
		return func(p modules.ProcInfo) bool { return int64(p.PID) == n }, "No such pid", nil
	case "rank":
		return func(p modules.ProcInfo) bool { return int64(p.Rank) == n }, "", nil
	case "index":
		return func(p modules.ProcInfo) bool { return int64(p.Index) == n }, "No such index", nil
	}
	return nil, "", modules.NewFault(500, "Invalid filter type")
}

// pkgInfo tells what the private memory of a process is made of: all processes have the same.
func (m *mod) pkgInfo(r *modules.Request) error {
	match, none, err := chosenProc(r)
	if err != nil {
		return err
	}
	if none != "" && !slices.ContainsFunc(m.h.Procs(), match) {
		return modules.NewFault(500, "%s", none)
	}
	p, ok := m.h.Mem.(interface {
		private
		Allocator() shm.Allocator
	})
	if !ok {
		return modules.NewFault(500, "No private memory")
	}
	n := r.AddStruct()
	n.AddStr("name", p.Allocator().String())
	n.AddInt("size", int64(p.Usage().Total))
	return nil
}

func (m *mod) pkgStats(r *modules.Request) error {
	m.writeRow()
	match, none, err := chosenProc(r)
	if err != nil {
		return err
	}
	for _, p := range m.h.Procs() {
		if !match(p) {
			continue
		}
		none = ""
		row := &m.pkg.Rows[p.Index]
		n := r.AddStruct()
		n.AddInt("entry", int64(p.Index))
		n.AddInt("pid", int64(p.PID))
		n.AddInt("rank", int64(p.Rank))
		n.AddInt("used", int64(atomic.LoadUint64(&row.Used)))
		n.AddInt("free", int64(atomic.LoadUint64(&row.Free)))
		n.AddInt("real_used", int64(atomic.LoadUint64(&row.RealUsed)))
		n.AddInt("total_size", int64(atomic.LoadUint64(&row.Total)))
		n.AddInt("total_frags", int64(atomic.LoadUint64(&row.Fragments)))
		n.AddStr("desc", p.Desc)
	}
	if none != "" {
		return modules.NewFault(500, "%s", none)
	}
	return nil
}

func (m *mod) modStats(r *modules.Request) error {
	return m.ledger(r, func(n *modules.Node, t *shm.TagUsage) { n.AddInt(t.Kind, int64(t.Bytes)) })
}

func (m *mod) modStatsX(r *modules.Request) error {
	return m.ledger(r, func(n *modules.Node, t *shm.TagUsage) { n.AddStr(t.Kind, fmt.Sprintf("%d (%d)", t.Bytes, t.Blocks)) })
}

// ledger prints who uses shared memory, and this process's private memory, by module.
func (m *mod) ledger(r *modules.Request, add func(n *modules.Node, t *shm.TagUsage)) error {
	if !r.More() {
		return modules.NewFault(500, `Module name or "all" needed`)
	}
	name, err := r.Str()
	if err != nil {
		return err
	}
	const want = `"pkg" or "shm" or "all" needed`
	if !r.More() {
		return modules.NewFault(500, want)
	}
	where, err := r.Str()
	if err != nil {
		return err
	}
	var ledger []shm.TagUsage
	switch where {
	case "shm", "pkg", "all":
	default:
		return modules.NewFault(500, want)
	}
	if where != "pkg" {
		ledger = m.h.Arena.Ledger()
	}
	if p, ok := m.h.Mem.(private); ok && where != "shm" {
		ledger = append(ledger, p.Ledger()...)
	}
	mods := []string{"core"}
	l := m.h.Loaded()
	for i := len(l) - 1; i >= 0; i-- {
		mods = append(mods, l[i].Name)
	}
	for _, x := range mods {
		if name != "all" && name != x {
			continue
		}
		r.AddStr("Module: " + x)
		n := r.AddStruct()
		var total uint64
		for _, t := range ledger {
			if t.Module == x && t.Blocks > 0 {
				add(n, &t)
				total += t.Bytes
			}
		}
		n.AddInt("Total", int64(total))
		r.AddStr("")
	}
	return nil
}
