package pv

import (
	"strings"

	"kahea/modules"
)

func (m *mod) commands() []modules.RPC {
	return []modules.RPC{
		{Name: "pv.shvGet", Doc: "value of a shared variable, or of all: [name]", Run: m.rpcGet},
		{Name: "pv.shvSet", Doc: "set a shared variable: name, int or str, value", Run: m.rpcSet},
	}
}

func (m *mod) rpcGet(r *modules.Request) error {
	name, one := r.NextStr()
	var items *modules.Node
	if !one {
		items = r.AddStruct().AddStruct("items")
	}
	found := false
	m.eachShared(func(x *sharedVar) bool { // the newest first
		if one && string(x.Name[:x.NameLen]) != name {
			return true
		}
		found = true
		var n *modules.Node
		if one {
			n = r.AddStruct()
		} else {
			n = items.AddStruct("shv")
		}
		n.AddStr("name", string(x.Name[:x.NameLen]))
		if x.IsText != 0 {
			n.AddStr("type", "string")
			n.AddStr("value", string(x.Text[:min(x.TextLen, maxSharedText)]))
		} else {
			n.AddStr("type", "int")
			n.AddInt("value", x.Int)
		}
		return !one
	})
	if one && !found {
		return modules.NewFault(404, "Variable not found")
	}
	return nil
}

// eachShared calls f with each variable under the list's lock until it says false.
func (m *mod) eachShared(f func(x *sharedVar) bool) {
	if m.list == nil {
		return // no shared variable is named anywhere
	}
	m.arena.Lock(&m.list.Mu)
	defer m.arena.Unlock(&m.list.Mu)
	for i := int(m.list.N) - 1; i >= 0; i-- {
		if !f(&m.list.Var[i]) {
			return
		}
	}
}

const setParameters = " (Parameters: varname type value)"

func (m *mod) rpcSet(r *modules.Request) error {
	name, ok := r.NextStr()
	if !ok {
		return modules.NewFault(500, "Missing parameter varname"+setParameters)
	}
	kind, ok := r.NextStr()
	if !ok {
		return modules.NewFault(500, "Missing parameter type"+setParameters)
	}
	var n int64
	var text string
	isText := strings.EqualFold(kind, "str")
	switch {
	case isText:
		if text, ok = r.NextStr(); !ok {
			return modules.NewFault(500, "Missing string parameter value"+setParameters)
		}
		if len(text) > maxSharedText {
			return modules.NewFault(500, "%d bytes are more than %d", len(text), maxSharedText)
		}
	case strings.EqualFold(kind, "int"):
		var err error
		if n, ok, err = r.NextInt(); !ok || err != nil {
			return modules.NewFault(500, "Missing integer parameter value"+setParameters)
		}
	default:
		return modules.NewFault(500, "Unknown parameter type (Types: int or str)")
	}
	found := false
	m.eachShared(func(x *sharedVar) bool {
		if string(x.Name[:x.NameLen]) != name {
			return true
		}
		x.IsText, x.Int, x.TextLen, found = 0, n, 0, true
		if isText {
			x.IsText, x.TextLen = 1, uint32(copy(x.Text[:], text))
		}
		return false
	})
	if !found {
		return modules.NewFault(404, "Variable not found")
	}
	r.AddStr("Ok. Variable set to new value.")
	return nil
}
