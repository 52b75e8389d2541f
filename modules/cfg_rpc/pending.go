package cfg_rpc

import (
	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/shm"
)

const (
	maxPending = 64
	maxName    = 48
	maxText    = 252
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
	IsText            uint32
	TextLen           uint32
	Text              [maxText]byte
	_                 uint32
}

// put and value are what is to be set.
func (d *delayed) put(v modules.Value) {
	d.IsText, d.TextLen, d.Val = 0, 0, int64(v.Int)
	if !v.IsInt {
		d.IsText, d.TextLen = 1, uint32(copy(d.Text[:], v.Str))
	}
}

func (d *delayed) value() modules.Value {
	if d.IsText != 0 {
		return modules.Value{Str: string(d.Text[:d.TextLen])}
	}
	return modules.Value{Int: int(d.Val), IsInt: true}
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

func (m *mod) setDelayed(read func(r *modules.Request) (modules.Value, error)) func(*modules.Request) error {
	return func(r *modules.Request) error {
		group, name, v, err := change(r, read)
		if err != nil {
			return err
		}
		if _, ok := m.h.Cfg.Get(group, name); !ok || len(group) > maxName || len(name) > maxName || len(v.Str) > maxText {
			return errSet
		}
		defer m.lock()()
		w := m.wait
		for i := range w.N {
			if g, n := w.List[i].key(); g == group && n == name {
				w.List[i].put(v)
				return nil
			}
		}
		if w.N == maxPending {
			return errSet
		}
		d := &w.List[w.N]
		d.GroupLen, d.NameLen = uint32(copy(d.Group[:], group)), uint32(copy(d.Name[:], name))
		d.put(v)
		w.N++
		return nil
	}
}

func (m *mod) commit(*modules.Request) error {
	defer m.lock()()
	failed := false
	for i := range m.wait.N {
		d := &m.wait.List[i]
		g, n := d.key()
		if err := m.h.Cfg.Set(g, n, d.value()); err != nil {
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
		add(n, "old value", old)
		add(n, "new value", d.value())
	}
	return nil
}

func add(n *modules.Node, name string, v modules.Value) {
	if v.IsInt {
		n.AddInt(name, int64(v.Int))
		return
	}
	n.AddStr(name, v.Str)
}
