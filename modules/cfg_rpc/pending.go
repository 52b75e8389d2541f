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
	ID, Instance      uint32
	Val               int64
	Delete            uint32 // the value of an instance is to go
	IsText            uint32
	TextLen           uint32
	Text              [maxText]byte
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

func (d *delayed) group() modules.CfgGroup {
	return modules.CfgGroup{Name: string(d.Group[:d.GroupLen]), ID: d.ID, Instance: d.Instance != 0}
}

func (d *delayed) name() string { return string(d.Name[:d.NameLen]) }

// follows says whether a change stands behind one of g: changes of one group are together, those of instances behind the group's own, by number.
func (d *delayed) follows(g modules.CfgGroup) bool {
	o := d.group()
	return o.Instance && (!g.Instance || o.ID > g.ID)
}

// lock takes the list; one that a process left behind in the middle of a change is emptied.
func (m *mod) lock() func() {
	if m.h.Arena.Lock(&m.wait.Mu) {
		m.wait.N = 0
	}
	return func() { m.h.Arena.Unlock(&m.wait.Mu) }
}

// insert puts a change where cfg.diff shows it; nil: there is no room. Under the lock.
func (w *pending) insert(g modules.CfgGroup, name string) *delayed {
	if w.N == maxPending || len(g.Name) > maxName || len(name) > maxName {
		return nil
	}
	at, met := w.N, false
	for i := range w.N {
		same := w.List[i].group().Name == g.Name
		if met && !same || same && w.List[i].follows(g) {
			at = i
			break
		}
		met = met || same
	}
	copy(w.List[at+1:w.N+1], w.List[at:w.N])
	d := &w.List[at]
	*d = delayed{ID: g.ID}
	d.GroupLen, d.NameLen = uint32(copy(d.Group[:], g.Name)), uint32(copy(d.Name[:], name))
	if g.Instance {
		d.Instance = 1
	}
	w.N++
	return d
}

func (m *mod) setDelayed(read func(r *modules.Request) (modules.Value, error)) func(*modules.Request) error {
	return func(r *modules.Request) error {
		group, name, v, err := change(r, read)
		if err != nil {
			return err
		}
		if v, err = m.h.Cfg.Check(group, name, v); err != nil || len(v.Str) > maxText {
			return errSet
		}
		defer m.lock()()
		d := m.wait.insert(group, name)
		if d == nil {
			return errSet
		}
		d.put(v)
		return nil
	}
}

func (m *mod) delDelayed(r *modules.Request) error {
	group, name, err := value(r)
	if err != nil {
		return err
	}
	if _, ok := m.h.Cfg.Get(modules.CfgGroup{Name: group.Name}, name); !ok {
		return errDel
	}
	defer m.lock()()
	d := m.wait.insert(group, name)
	if d == nil {
		return errDel
	}
	d.Delete = 1
	return nil
}

// valid says whether all changes are of variables and instances that exist. Under the lock.
func (m *mod) valid() bool {
	for i := range m.wait.N {
		if _, ok := m.h.Cfg.Get(m.wait.List[i].group(), m.wait.List[i].name()); !ok {
			return false
		}
	}
	return true
}

// commit makes all changes, or none: those of an instance that does not exist wait on.
func (m *mod) commit(*modules.Request) error {
	defer m.lock()()
	failed := !m.valid()
	for i := uint32(0); i < m.wait.N && !failed; i++ {
		d := &m.wait.List[i]
		var err error
		if d.Delete != 0 {
			err = m.h.Cfg.Unset(d.group(), d.name())
		} else {
			err = m.h.Cfg.Set(d.group(), d.name(), d.value())
		}
		if err != nil {
			m.h.Logf(log.Err, "cfg_rpc", "commit: %v", err)
			failed = true
		}
	}
	if failed {
		return modules.NewFault(400, "Failed to commit the changes")
	}
	m.wait.N = 0
	return nil
}

func (m *mod) rollback(*modules.Request) error {
	defer m.lock()()
	m.wait.N = 0
	return nil
}

func (m *mod) diff(r *modules.Request) error {
	defer m.lock()()
	if !m.valid() {
		return modules.NewFault(400, "Failed to get the changes")
	}
	for i := range m.wait.N {
		d := &m.wait.List[i]
		g := d.group()
		old, _ := m.h.Cfg.Get(g, d.name())
		n := r.AddStruct()
		n.AddStr("group name", g.Name)
		if g.Instance {
			n.AddInt("group id", int64(g.ID))
		}
		n.AddStr("variable name", d.name())
		add(n, "old value", old)
		if d.Delete != 0 {
			g.Instance = false
			old, _ = m.h.Cfg.Get(g, d.name())
			add(n, "new value", old)
			continue
		}
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
