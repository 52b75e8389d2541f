package cfg_rpc

import (
	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/shm"
)

const (
	maxPending = 64
	maxName    = 48
)

// pending is the root "cfg_rpc": changes that wait for cfg.commit. It is one list for all processes that serve RPC.
type pending struct {
	Mu   shm.Mutex
	N    uint32
	_    uint32
	List [maxPending]delayed
}

// delayed is one of them.
type delayed struct {
	Group, Name       [maxName]byte
	GroupLen, NameLen uint32
	Val               int64
}

func (d *delayed) key() (group, name string) {
	return string(d.Group[:d.GroupLen]), string(d.Name[:d.NameLen])
}

// lock takes the list; one that a process left behind in the middle of a change is emptied.
func (m *mod) lock() func() {
	if m.h.Arena.Lock(&m.wait.Mu) {
		m.wait.N = 0
	}
	return func() { m.h.Arena.Unlock(&m.wait.Mu) }
}

func (m *mod) setDelayed(r *modules.Request) error {
	group, name, val, err := change(r)
	if err != nil {
		return err
	}
	if _, ok := m.h.Cfg.Get(group, name); !ok || len(group) > maxName || len(name) > maxName {
		return errSet
	}
	defer m.lock()()
	w := m.wait
	for i := range w.N {
		if g, n := w.List[i].key(); g == group && n == name {
			w.List[i].Val = val
			return nil
		}
	}
	if w.N == maxPending {
		return errSet
	}
	d := &w.List[w.N]
	d.GroupLen, d.NameLen = uint32(copy(d.Group[:], group)), uint32(copy(d.Name[:], name))
	d.Val = val
	w.N++
	return nil
}

func (m *mod) commit(*modules.Request) error {
	defer m.lock()()
	failed := false
	for i := range m.wait.N {
		d := &m.wait.List[i]
		g, n := d.key()
		if err := m.h.Cfg.Set(g, n, modules.Value{Int: int(d.Val), IsInt: true}); err != nil {
			m.h.Logf(log.Err, "cfg_rpc", "commit: %v", err)
			failed = true
		}
	}
	m.wait.N = 0
	if failed {
		return modules.NewFault(400, "Failed to commit the changes")
	}
	return nil
}

func (m *mod) rollback(*modules.Request) error {
	defer m.lock()()
	m.wait.N = 0
	return nil
}

func (m *mod) diff(r *modules.Request) error {
	defer m.lock()()
	for i := range m.wait.N {
		d := &m.wait.List[i]
		g, name := d.key()
		old, _ := m.h.Cfg.Get(g, name)
		n := r.AddStruct()
		n.AddStr("group name", g)
		n.AddStr("variable name", name)
		n.AddInt("old value", int64(old.Int))
		n.AddInt("new value", d.Val)
	}
	return nil
}
