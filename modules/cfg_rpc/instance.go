package cfg_rpc

import (
	"strconv"
	"strings"

	"kahea/modules"
)

var (
	errGroup    = &modules.Fault{Code: 400, Text: `Wrong group syntax. Use either "group", or "group[id]"`}
	errInstance = &modules.Fault{Code: 400, Text: `Wrong group syntax. Use "group[id]"`}
)

// parseGroup reads group or group[id].
func parseGroup(s string) (g modules.CfgGroup, err error) {
	name, id, ok := strings.Cut(s, "[")
	if !ok || !strings.HasSuffix(id, "]") {
		return modules.CfgGroup{Name: s}, nil // a name that no group has, if there is a bracket
	}
	n, err := strconv.ParseUint(id[:len(id)-1], 10, 32)
	if err != nil {
		return g, errGroup
	}
	return modules.CfgGroup{Name: name, ID: uint32(n), Instance: true}, nil
}

// instance reads group[id].
func instance(r *modules.Request) (modules.CfgGroup, error) {
	s, err := r.Str()
	if err != nil {
		return modules.CfgGroup{}, err
	}
	g, err := parseGroup(s)
	if err != nil || !g.Instance {
		return g, errInstance
	}
	return g, nil
}

// value reads group[id] and the name of a variable.
func value(r *modules.Request) (g modules.CfgGroup, name string, err error) {
	if g, err = instance(r); err == nil {
		name, err = r.Str()
	}
	return g, name, err
}

func (m *mod) del(r *modules.Request) error {
	g, name, err := value(r)
	if err == nil && m.h.Cfg.Unset(g, name) != nil {
		err = errDel
	}
	return err
}

func (m *mod) addInstance(r *modules.Request) error {
	g, err := instance(r)
	if err == nil && m.h.Cfg.AddInstance(g) != nil {
		return modules.NewFault(400, "Failed to add the group instance")
	}
	return err
}

func (m *mod) delInstance(r *modules.Request) error {
	g, err := instance(r)
	if err == nil && m.h.Cfg.DelInstance(g) != nil {
		return modules.NewFault(400, "Failed to delete the group instance")
	}
	return err
}

func (m *mod) reset(r *modules.Request) error {
	s, err := r.Str()
	if err != nil {
		return err
	}
	g, err := parseGroup(s)
	if err == nil && m.h.Cfg.Reset(g) != nil {
		return modules.NewFault(500, "Reset failed")
	}
	return err
}
