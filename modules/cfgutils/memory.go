package cfgutils

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
)

// memory is what an arena tells of itself.
type memory interface {
	Usage() shm.Usage
	Ledger() []shm.TagUsage
	Sizes() []shm.SizeUsage
}

func (m *mod) pkgStatus(*route.Ctx, *route.Args) int  { return m.report(m.h.Mem, "private", true) }
func (m *mod) pkgSummary(*route.Ctx, *route.Args) int { return m.report(m.h.Mem, "private", false) }
func (m *mod) shmStatus(*route.Ctx, *route.Args) int  { return m.report(m.h.Arena, "shared", true) }
func (m *mod) shmSummary(*route.Ctx, *route.Args) int { return m.report(m.h.Arena, "shared", false) }

// report logs who uses a memory, at level memlog; with more, its sums and block sizes too.
func (m *mod) report(of any, name string, more bool) int {
	x, ok := of.(memory)
	if !ok {
		return -1
	}
	level := log.Debug
	if v, ok := m.h.Core("memlog"); ok {
		level = log.Level(v.Int)
	}
	if !m.h.Log.On(level) {
		return 1
	}
	if more {
		u := x.Usage()
		m.h.Logf(level, "cfgutils", "%s memory: total %d free %d used %d real used %d max used %d fragments %d largest free %d",
			name, u.Total, u.Free, u.Used, u.RealUsed, u.MaxUsed, u.Fragments, u.LargestFree)
	}
	for _, t := range x.Ledger() {
		m.h.Logf(level, "cfgutils", "%s memory of %s/%s: %d blocks, %d bytes", name, t.Module, t.Kind, t.Blocks, t.Bytes)
	}
	if more {
		for _, s := range x.Sizes() {
			m.h.Logf(level, "cfgutils", "%s memory in blocks of up to %d: %d blocks, %d bytes", name, s.Max, s.Blocks, s.Bytes)
		}
	}
	return 1
}
