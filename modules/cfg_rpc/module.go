// Package cfg_rpc reads and changes the run-time configuration by RPC.
package cfg_rpc

import (
	"kahea/modules"
	"kahea/shm"
)

func init() { modules.Register("cfg_rpc", func() modules.Module { return &mod{} }) }

var (
	_ modules.Module       = (*mod)(nil)
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
)

type mod struct {
	h    *modules.Host
	wait *pending
}

func (m *mod) Exports() modules.Exports {
	return modules.Exports{RPC: []modules.RPC{
		{Name: "cfg.get", Doc: "Get the value of a configuration variable: group, name; without a name all of the group", Run: m.get},
		{Name: "cfg.list", Array: true, Doc: "List the configuration variables, of a group or all", Run: m.list},
		{Name: "cfg.help", Doc: "Print the description of a configuration variable: group, name", Run: m.help},
		{Name: "cfg.set", Doc: "Set the value of a configuration variable now: group, name, value", Run: m.set(either)},
		{Name: "cfg.set_now_int", Doc: "Set the value of a configuration variable now: group, name, number", Run: m.set(number)},
		{Name: "cfg.seti", Doc: "As cfg.set_now_int", Run: m.set(number)},
		{Name: "cfg.set_now_string", Doc: "Set the value of a configuration variable now: group, name, text", Run: m.set(text)},
		{Name: "cfg.sets", Doc: "As cfg.set_now_string", Run: m.set(text)},
		{Name: "cfg.set_delayed", Doc: "Prepare the change of a variable, for cfg.commit: group, name, value", Run: m.setDelayed(either)},
		{Name: "cfg.set_delayed_int", Doc: "Prepare the change of a variable, for cfg.commit: group, name, number", Run: m.setDelayed(number)},
		{Name: "cfg.set_delayed_string", Doc: "Prepare the change of a variable, for cfg.commit: group, name, text", Run: m.setDelayed(text)},
		{Name: "cfg.del", Doc: "Delete the value of a variable from a group instance now: group[id], name", Run: m.del},
		{Name: "cfg.del_delayed", Doc: "Prepare the deletion of the value of a variable from a group instance, for cfg.commit: group[id], name", Run: m.delDelayed},
		{Name: "cfg.reset", Doc: "Give all variables of a group what the configuration says: group", Run: m.reset},
		{Name: "cfg.add_group_inst", Doc: "Add an instance to a group: group[id]", Run: m.addInstance},
		{Name: "cfg.del_group_inst", Doc: "Delete an instance of a group: group[id]", Run: m.delInstance},
		{Name: "cfg.commit", Doc: "Make the prepared changes", Run: m.commit},
		{Name: "cfg.rollback", Doc: "Drop the prepared changes", Run: m.rollback},
		{Name: "cfg.diff", Doc: "List the prepared changes", Run: m.diff},
	}}
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	return nil
}

func (m *mod) Init(h *modules.Host) error {
	r, _, err := shm.Root[pending](h.Arena, "cfg_rpc")
	if err == nil {
		m.wait = r.Get(h.Arena)
	}
	return err
}

func (m *mod) InitWorker(h *modules.Host, _ int) error { return m.Init(h) }

var (
	errGet  = &modules.Fault{Code: 400, Text: "Failed to get the variable"}
	errSet  = &modules.Fault{Code: 400, Text: "Failed to set the variable"}
	errHelp = &modules.Fault{Code: 400, Text: "Failed to get the variable description"}
	errDel  = &modules.Fault{Code: 400, Text: "Failed to delete the value"}
	errArgs = &modules.Fault{Code: 500, Text: "Failed to get the parameters"}
	// errUnreadable is for a module's parameter that is fixed once the server runs.
	errUnreadable = &modules.Fault{Code: 400, Text: "Variable exists, but it is not readable via RPC interface"}
)

func (m *mod) get(r *modules.Request) error {
	word, err := r.Str()
	if err != nil {
		return errArgs
	}
	group, err := parseGroup(word)
	if err != nil {
		return err
	}
	if !r.More() {
		n := &modules.Node{Kind: modules.KindStruct}
		m.h.Cfg.Each(func(g, name string, v modules.Value, _ string) {
			if g != group.Name {
				return
			}
			if v, ok := m.h.Cfg.Get(group, name); ok {
				add(n, name, v)
			}
		})
		if len(n.Members) == 0 {
			return errGet
		}
		r.Out = append(r.Out, n)
		return nil
	}
	name, err := r.Str()
	if err != nil {
		return errArgs
	}
	v, ok := m.h.Cfg.Get(group, name)
	switch {
	case !ok && m.isParam(group.Name, name):
		return errUnreadable
	case !ok:
		return errGet
	case v.IsInt:
		r.AddInt(int64(v.Int))
	default:
		r.AddStr(v.Str)
	}
	return nil
}

func (m *mod) isParam(module, name string) bool {
	for _, l := range m.h.Loaded() {
		if l.Name != module {
			continue
		}
		for i := range l.Table.Params {
			if l.Table.Params[i].Name == name {
				return true
			}
		}
	}
	return false
}

func (m *mod) list(r *modules.Request) error {
	group := ""
	if r.More() {
		var err error
		if group, err = r.Str(); err != nil {
			return err
		}
	}
	m.h.Cfg.Each(func(g, name string, _ modules.Value, _ string) {
		if group == "" || g == group {
			r.AddStr(g + ": " + name)
		}
	})
	return nil
}

func (m *mod) help(r *modules.Request) error {
	group, err := r.Str()
	if err != nil {
		return err
	}
	name, err := r.Str()
	if err != nil {
		return err
	}
	found := false
	m.h.Cfg.Each(func(g, n string, v modules.Value, doc string) {
		if g != group || n != name {
			return
		}
		found = true
		r.AddStr(doc)
		if v.IsInt {
			r.AddStr("(parameter type is integer)")
		} else {
			r.AddStr("(parameter type is string)")
		}
	})
	if !found {
		return errHelp
	}
	return nil
}

// change reads group, name and what to set; read reads the value.
func change(r *modules.Request, read func(r *modules.Request) (modules.Value, error)) (group modules.CfgGroup, name string, v modules.Value, err error) {
	word, err := r.Str()
	if err != nil {
		return
	}
	if group, err = parseGroup(word); err != nil {
		return
	}
	if name, err = r.Str(); err != nil {
		return
	}
	v, err = read(r)
	return
}

func number(r *modules.Request) (modules.Value, error) {
	n, err := r.Integer()
	return modules.Value{Int: int(n), IsInt: true}, err
}

func text(r *modules.Request) (modules.Value, error) {
	s, err := r.Str()
	return modules.Value{Str: s}, err
}

// either takes a number as it comes and a text as a text; the variable converts.
func either(r *modules.Request) (modules.Value, error) {
	if r.NextIsInt() {
		return number(r)
	}
	return text(r)
}

func (m *mod) set(read func(r *modules.Request) (modules.Value, error)) func(*modules.Request) error {
	return func(r *modules.Request) error {
		group, name, v, err := change(r, read)
		if err != nil {
			return err
		}
		if m.h.Cfg.Set(group, name, v) != nil {
			return errSet // why is not told, as in Kamailio: unknown, out of range, or fixed
		}
		return nil
	}
}
