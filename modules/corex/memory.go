package corex

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/shm"
)

// memoryCommands are those about shared memory. What Kamailio tells by function and line of the source is told by owner: module and kind.
func (m *mod) memoryCommands() []modules.RPC {
	return []modules.RPC{
		{Name: "corex.shm_status", Doc: "Log who uses shared memory, with sums and sizes", Run: func(*modules.Request) error { return m.logMemory(true) }},
		{Name: "corex.shm_summary", Doc: "Log who uses shared memory", Run: func(*modules.Request) error { return m.logMemory(false) }},
		{Name: "shm.info", Doc: "Allocator and size of shared memory", Run: m.shmInfo},
		{Name: "shm.stats", Doc: "Sums of shared memory, in bytes", Run: m.shmStats},
		{Name: "shm.report", Doc: "Sums of shared memory, in bytes, and its blocks", Run: m.shmReport},
		{Name: "shm.rprint", Doc: "Write to a file who uses shared memory: file, part of an owner's module or kind", Run: m.shmPrint},
	}
}

// logMemory logs at level memlog.
func (m *mod) logMemory(more bool) error {
	level := log.Debug
	if v, ok := m.h.Core("memlog"); ok {
		level = log.Level(v.Int)
	}
	if more {
		u := m.h.Arena.Usage()
		m.h.Logf(level, "corex", "shared memory: total %d free %d used %d real used %d max used %d fragments %d largest free %d",
			u.Total, u.Free, u.Used, u.RealUsed, u.MaxUsed, u.Fragments, u.LargestFree)
	}
	for _, t := range m.h.Arena.Ledger() {
		m.h.Logf(level, "corex", "shared memory of %s/%s: %d blocks, %d bytes", t.Module, t.Kind, t.Blocks, t.Bytes)
	}
	return nil
}

func (m *mod) shmInfo(r *modules.Request) error {
	n := r.AddStruct()
	n.AddStr("name", m.h.Arena.Allocator().String())
	n.AddInt("size", int64(m.h.Arena.Usage().Total))
	return nil
}

func (m *mod) shmStats(r *modules.Request) error {
	u, n := m.h.Arena.Usage(), r.AddStruct()
	n.AddInt("total", int64(u.Total))
	n.AddInt("free", int64(u.Free))
	n.AddInt("used", int64(u.Used))
	n.AddInt("real_used", int64(u.RealUsed))
	n.AddInt("max_used", int64(u.MaxUsed))
	n.AddInt("fragments", int64(u.Fragments))
	return nil
}

func (m *mod) shmReport(r *modules.Request) error {
	u, n := m.h.Arena.Usage(), r.AddStruct()
	var blocks uint64
	for _, t := range m.h.Arena.Ledger() {
		blocks += t.Blocks
	}
	n.AddInt("total_size", int64(u.Total))
	n.AddInt("free_size_s", int64(u.Free))
	n.AddInt("used_size_s", int64(u.Used))
	n.AddInt("real_used_s", int64(u.RealUsed))
	n.AddInt("max_used_s", int64(u.MaxUsed))
	n.AddInt("free_frags", int64(u.Fragments))
	n.AddInt("used_frags", int64(blocks))
	n.AddInt("total_frags", int64(u.Fragments+blocks))
	return nil
}

// shmPrint writes a line for each owner whose module or kind has the text in it.
func (m *mod) shmPrint(r *modules.Request) error {
	path, err := r.Str()
	if err != nil {
		return err
	}
	part, err := r.Str()
	if err != nil {
		return err
	}
	if err := writeReport(path, part, m.h.Arena.Ledger()); err != nil {
		return modules.NewFault(500, "%v", err)
	}
	return nil
}

func writeReport(path, part string, l []shm.TagUsage) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriter(f)
	for _, t := range l {
		if owner := t.Module + "/" + t.Kind; strings.Contains(owner, part) {
			fmt.Fprintf(w, "%s blocks=%d bytes=%d\n", owner, t.Blocks, t.Bytes)
		}
	}
	return w.Flush()
}

var coreGroup = modules.CfgGroup{Name: "core"}

// debug is corex.debug: the log level of all processes, and with a number another one.
func (m *mod) debug(r *modules.Request) error {
	old, ok := m.h.Cfg.Get(coreGroup, "debug")
	if !ok {
		return modules.NewFault(500, "core.debug is not there")
	}
	if !r.More() {
		r.AddStruct().AddInt("debug", int64(old.Int))
		return nil
	}
	n, err := r.Integer()
	if err != nil {
		return err
	}
	if err := m.h.Cfg.Set(coreGroup, "debug", modules.Value{Int: int(n), IsInt: true}); err != nil {
		return modules.NewFault(400, "%v", err)
	}
	s := r.AddStruct()
	s.AddInt("old", int64(old.Int))
	s.AddInt("new", n)
	return nil
}
