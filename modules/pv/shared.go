package pv

import (
	"errors"
	"fmt"
	"strings"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
)

const (
	maxShared     = 256
	maxSharedName = 64
	maxSharedText = 1004 // bytes
)

// shared is the root "pv": the variables $shv, one list for all processes.
type shared struct {
	Mu  shm.Mutex
	N   uint32
	Var [maxShared]sharedVar
}

type sharedVar struct {
	Name    [maxSharedName]byte
	NameLen uint32
	IsText  uint32
	Int     int64
	TextLen uint32
	Text    [maxSharedText]byte
}

var errNoShared = errors.New("there is no shared memory yet")

// shv is a variable that the configuration names. Its number in the list is known once the list is there.
type shv struct {
	name  string
	start route.Value // of modparam shvset
	at    uint32
}

func (m *mod) sharedVars() []route.Var {
	return []route.Var{
		{Name: "shv", Bind: m.bindShared, Doc: "variable that all processes share; 0 at the start, an empty text after $null"},
		{Name: "shvinc", Bind: m.bindSharedInc, Doc: "adds 1 to a shared variable and yields it; a text counts as 0"},
	}
}

func (m *mod) sharedVar(name string) (*shv, error) {
	if name == "" || strings.HasPrefix(name, "$") {
		return nil, errWantName
	}
	if len(name) > maxSharedName {
		return nil, fmt.Errorf("name %q has more than %d bytes", name, maxSharedName)
	}
	for _, v := range m.shared {
		if v.name == name {
			return v, nil
		}
	}
	if len(m.shared) == maxShared {
		return nil, fmt.Errorf("there are more than %d shared variables", maxShared)
	}
	v := &shv{name: name, start: route.Int(0)}
	m.shared = append(m.shared, v)
	if m.list != nil {
		return v, m.place(v) // named at run time
	}
	return v, nil
}

// openShared finds or makes the list and gives every variable its place.
func (m *mod) openShared(a *shm.Arena) error {
	if len(m.shared) == 0 {
		return nil
	}
	r, _, err := shm.Root[shared](a, "pv")
	if err != nil {
		return err
	}
	m.list, m.arena = r.Get(a), a
	for _, v := range m.shared {
		if err := m.place(v); err != nil {
			return err
		}
	}
	return nil
}

func (m *mod) place(v *shv) error {
	m.arena.Lock(&m.list.Mu)
	defer m.arena.Unlock(&m.list.Mu)
	for i := range m.list.N {
		if x := &m.list.Var[i]; string(x.Name[:x.NameLen]) == v.name {
			v.at = i
			return nil
		}
	}
	if m.list.N == maxShared {
		return fmt.Errorf("there are more than %d shared variables", maxShared)
	}
	x := &m.list.Var[m.list.N]
	x.NameLen = uint32(copy(x.Name[:], v.name))
	x.IsText, x.Int, x.TextLen = 0, v.start.Int, 0
	if !v.start.IsInt() {
		x.IsText, x.TextLen = 1, uint32(copy(x.Text[:], v.start.Str))
	}
	v.at = m.list.N
	m.list.N++
	return nil
}

func (m *mod) bindShared(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	if r.Index.Kind != route.NoIndex {
		return nil, nil, errIndex
	}
	v, err := m.sharedVar(r.Inner)
	if err != nil {
		return nil, nil, err
	}
	return func(c *route.Ctx) route.Value {
			if m.list == nil {
				return v.start // an event route before the processes
			}
			m.arena.Lock(&m.list.Mu)
			x := &m.list.Var[v.at]
			out := route.Int(x.Int)
			if x.IsText != 0 {
				out = route.Str(c.Scratch.Copy(x.Text[:min(x.TextLen, maxSharedText)]))
			}
			m.arena.Unlock(&m.list.Mu)
			return out
		}, func(c *route.Ctx, val route.Value) error {
			var text []byte
			isText := uint32(0)
			switch {
			case val.IsNull():
				val.Int, isText = 0, 1 // $null leaves an empty text
			case !val.IsInt():
				text, isText = val.Text(c), 1
			}
			if m.list == nil {
				return errNoShared
			}
			if len(text) > maxSharedText {
				return fmt.Errorf("%d bytes are more than %d", len(text), maxSharedText)
			}
			m.arena.Lock(&m.list.Mu)
			x := &m.list.Var[v.at]
			x.IsText, x.Int, x.TextLen = isText, val.Int, uint32(copy(x.Text[:], text))
			m.arena.Unlock(&m.list.Mu)
			return nil
		}, nil
}

// bindSharedInc counts under the list's lock: two processes never get the same number.
func (m *mod) bindSharedInc(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	if r.Index.Kind != route.NoIndex {
		return nil, nil, errIndex
	}
	v, err := m.sharedVar(r.Inner)
	if err != nil {
		return nil, nil, err
	}
	return func(c *route.Ctx) route.Value {
		if m.list == nil {
			return route.Null
		}
		m.arena.Lock(&m.list.Mu)
		defer m.arena.Unlock(&m.list.Mu)
		x := &m.list.Var[v.at]
		if x.IsText != 0 {
			x.IsText, x.Int, x.TextLen = 0, 0, 0
		}
		x.Int++
		return route.Int(x.Int)
	}, nil, nil
}

func (m *mod) paramShared(v modules.Value) error {
	name, val, err := parseSet(v.Str)
	if err != nil {
		return err
	}
	s, err := m.sharedVar(name)
	if err == nil {
		s.start = val
	}
	return err
}
