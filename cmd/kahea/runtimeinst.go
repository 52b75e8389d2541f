package main

import (
	"fmt"
	"slices"
	"strings"

	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/modules"
)

// An instance of a group (group[id]) has the group's values but for those of its own. Instances are few and change seldom: they and their own values are
// read and written under the lock of the texts, and only by scripts that have selected one.
const (
	maxInstances = 64
	maxOwnValues = 256
)

// runtimeInstance is one instance; Group is the group's number (settle) + 1, 0: the place is free.
type runtimeInstance struct{ Group, ID uint32 }

// runtimeOwn is the own value of an instance's variable; a text lies in a place that no variable and no other value has.
type runtimeOwn struct {
	Inst uint32 // index in Inst + 1; 0: the place is free
	Var  uint32 // place of the variable
	Text uint32 // index in Text
	_    uint32
	Val  int64
}

// newGroup makes a group; settle numbers it.
func (r *runtimeConfig) newGroup(name string) *route.CfgGroup {
	g := &route.CfgGroup{Name: name}
	g.Has = func(id uint32) bool {
		r.lock()
		defer r.unlock()
		return r.instance(g.N, id) >= 0
	}
	return g
}

// Group is a group for scripts.
func (r *runtimeConfig) Group(name string) (*route.CfgGroup, error) {
	if g := r.groups[name]; g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("there is no group %q", name)
}

// checkInstances reports what the configuration says of variables that do not exist, or can not have that value.
func (r *runtimeConfig) checkInstances(d *diag.List) {
	for _, g := range r.inst {
		at := modules.CfgGroup{Name: g.Group, ID: uint32(g.ID), Instance: true}
		i := r.find(g.Group, g.Name)
		switch {
		case i < 0:
			d.Errorf(g.Pos, "%s[%d].%s: there is no variable %s.%s", g.Group, g.ID, g.Name, g.Group, g.Name)
			continue
		case r.vars[i].from != nil || r.vars[i].mod != nil:
			d.Errorf(g.Pos, "%s[%d].%s: group %s has no instances: only groups that the configuration declares have", g.Group, g.ID, g.Name, g.Group)
			continue
		}
		if _, err := r.Check(at, g.Name, groupValue(g)); err != nil {
			d.Errorf(g.Pos, "%s[%d].%s: %v", g.Group, g.ID, g.Name, err)
		}
	}
}

func groupValue(g *syntax.GroupVar) modules.Value {
	if g.Value.Kind == syntax.IntValue {
		return modules.Value{Int: int(g.Value.Int), IsInt: true}
	}
	return modules.Value{Str: g.Value.Str}
}

// written is what the configuration says of an instance's variable; the last one counts.
func (r *runtimeConfig) written(g modules.CfgGroup, name string) (v modules.Value, ok bool) {
	for _, x := range r.inst {
		if x.Group == g.Name && uint32(x.ID) == g.ID && x.Name == name {
			v, ok = groupValue(x), true
		}
	}
	return v, ok
}

func (r *runtimeConfig) writes(g modules.CfgGroup) bool {
	return slices.ContainsFunc(r.inst, func(x *syntax.GroupVar) bool { return x.Group == g.Name && uint32(x.ID) == g.ID })
}

// createInstances makes the configuration's instances. What was changed by RPC under the configuration before stays where both say the same.
func (r *runtimeConfig) createInstances(before *runtimeConfig) error {
	for _, x := range r.inst {
		g := modules.CfgGroup{Name: x.Group, ID: uint32(x.ID), Instance: true}
		if before != nil && before.writes(g) && !before.hasInstance(g) {
			continue // it was deleted
		}
		if err := r.AddInstance(g); err != nil {
			return err
		}
		if err := r.Set(g, x.Name, groupValue(x)); err != nil {
			return err
		}
	}
	if before == nil {
		return nil
	}
	for _, g := range before.instances() {
		if before.writes(g) != r.writes(g) && !r.writes(g) || r.groups[g.Name] == nil {
			continue // the configuration had it, and has it no more
		}
		if err := r.AddInstance(g); err != nil {
			return err
		}
		for i := range before.vars {
			v := &before.vars[i]
			if v.group != g.Name || r.find(v.group, v.name) < 0 {
				continue
			}
			was, had := before.written(g, v.name)
			if is, has := r.written(g, v.name); is != was || has != had {
				continue
			}
			var err error
			if val, ok := before.ownValue(g, i); ok {
				err = r.Set(g, v.name, val)
			} else {
				err = r.Unset(g, v.name)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// instances lists all that there are.
func (r *runtimeConfig) instances() (out []modules.CfgGroup) {
	r.lock()
	defer r.unlock()
	for i := range r.root.Inst {
		if x := &r.root.Inst[i]; x.Group != 0 {
			group, _, _ := strings.Cut(r.root.Var[x.Group-1].name(), ".")
			out = append(out, modules.CfgGroup{Name: group, ID: x.ID, Instance: true})
		}
	}
	return out
}

// instance finds an instance; negative: it does not exist. Under the lock.
func (r *runtimeConfig) instance(group, id uint32) int {
	for i := range r.root.Inst {
		if x := &r.root.Inst[i]; x.Group == group+1 && x.ID == id {
			return i
		}
	}
	return -1
}

// own finds the own value of an instance's variable; nil: it has none. Under the lock.
func (r *runtimeConfig) own(group, id uint32, v int) *runtimeOwn {
	k := r.instance(group, id)
	if k < 0 {
		return nil
	}
	for i := range r.root.Own {
		if o := &r.root.Own[i]; o.Inst == uint32(k)+1 && o.Var == uint32(r.vars[v].place) {
			return o
		}
	}
	return nil
}

// ownNumber is the number that an instance's variable has; an instance that was deleted since it was selected has the group's.
func (r *runtimeConfig) ownNumber(group, id uint32, v int) route.Value {
	r.lock()
	defer r.unlock()
	if o := r.own(group, id, v); o != nil {
		return route.Int(o.Val)
	}
	return route.Int(r.root.Val[r.vars[v].at])
}

func (r *runtimeConfig) hasInstance(g modules.CfgGroup) bool {
	x := r.groups[g.Name]
	return x != nil && x.Has(g.ID)
}

// ownValue is the value of its own that an instance's variable has.
func (r *runtimeConfig) ownValue(g modules.CfgGroup, v int) (modules.Value, bool) {
	r.lock()
	defer r.unlock()
	o := r.own(r.groups[g.Name].N, g.ID, v)
	switch {
	case o == nil:
		return modules.Value{}, false
	case r.vars[v].isStr:
		return modules.Value{Str: r.root.Text[o.Text].get()}, true
	}
	return modules.Value{Int: int(o.Val), IsInt: true}, true
}

// instanceValue is the value of an instance's variable, its own or the group's; false: there is no such instance.
func (r *runtimeConfig) instanceValue(g modules.CfgGroup, v int) (modules.Value, bool) {
	if !r.hasInstance(g) {
		return modules.Value{}, false
	}
	if val, ok := r.ownValue(g, v); ok {
		return val, true
	}
	return r.value(v), true
}

// AddInstance makes an instance of a declared group.
func (r *runtimeConfig) AddInstance(g modules.CfgGroup) error {
	x := r.groups[g.Name]
	if x == nil || slices.ContainsFunc(r.vars, func(v runtimeVar) bool { return v.group == g.Name && v.from != nil }) {
		return fmt.Errorf("there is no group %s that may have instances", g.Name)
	}
	r.lock()
	defer r.unlock()
	if r.instance(x.N, g.ID) >= 0 {
		return nil
	}
	for i := range r.root.Inst {
		if n := &r.root.Inst[i]; n.Group == 0 {
			n.ID, n.Group = g.ID, x.N+1
			return nil
		}
	}
	return fmt.Errorf("instance %s[%d]: there are %d already", g.Name, g.ID, maxInstances)
}

// DelInstance ends an instance with its values.
func (r *runtimeConfig) DelInstance(g modules.CfgGroup) error {
	x := r.groups[g.Name]
	if x == nil {
		return fmt.Errorf("there is no group %s", g.Name)
	}
	r.lock()
	defer r.unlock()
	k := r.instance(x.N, g.ID)
	if k < 0 {
		return fmt.Errorf("there is no instance %s[%d]", g.Name, g.ID)
	}
	for i := range r.root.Own {
		if o := &r.root.Own[i]; o.Inst == uint32(k)+1 {
			o.Inst = 0
		}
	}
	r.root.Inst[k].Group = 0
	return nil
}

// Unset gives an instance's variable the group's value.
func (r *runtimeConfig) Unset(g modules.CfgGroup, name string) error {
	i := r.find(g.Name, name)
	if i < 0 {
		return fmt.Errorf("variable %s.%s not found", g.Name, name)
	}
	r.lock()
	defer r.unlock()
	if r.instance(r.groups[g.Name].N, g.ID) < 0 {
		return fmt.Errorf("there is no instance %s[%d]", g.Name, g.ID)
	}
	if o := r.own(r.groups[g.Name].N, g.ID, i); o != nil {
		o.Inst = 0
	}
	return nil
}

// setOwn gives an instance's variable a value of its own, which Check has passed.
func (r *runtimeConfig) setOwn(g modules.CfgGroup, v int, val modules.Value) error {
	n := r.groups[g.Name].N
	r.lock()
	defer r.unlock()
	k := r.instance(n, g.ID)
	if k < 0 {
		return fmt.Errorf("there is no instance %s[%d]", g.Name, g.ID)
	}
	o := r.own(n, g.ID, v)
	if o == nil {
		i := slices.IndexFunc(r.root.Own[:], func(o runtimeOwn) bool { return o.Inst == 0 })
		if i < 0 {
			return fmt.Errorf("instances have %d values of their own already", maxOwnValues)
		}
		o = &r.root.Own[i]
		if r.vars[v].isStr {
			t := r.freeText()
			if t < 0 {
				return fmt.Errorf("there are %d texts already", maxRuntimeTexts)
			}
			o.Text = uint32(t)
		}
	}
	if r.vars[v].isStr {
		r.root.Text[o.Text].set(val.Str)
	}
	o.Val, o.Var = int64(val.Int), uint32(r.vars[v].place)
	o.Inst = uint32(k) + 1
	return nil
}

// freeText is a place for a text; negative: there is none. Under the lock.
func (r *runtimeConfig) freeText() int {
	var used [maxRuntimeTexts]bool
	for i := range r.root.Var {
		if p := &r.root.Var[i]; p.Len != 0 && p.Text != 0 {
			used[p.Text-1] = true
		}
	}
	for i := range r.root.Own {
		if o := &r.root.Own[i]; o.Inst != 0 && r.root.Var[o.Var].Text != 0 {
			used[o.Text] = true
		}
	}
	return slices.Index(used[:], false)
}

// resetInstance gives an instance's variables what the configuration says of them.
func (r *runtimeConfig) resetInstance(g modules.CfgGroup) error {
	if !r.hasInstance(g) {
		return fmt.Errorf("there is no instance %s[%d]", g.Name, g.ID)
	}
	for i := range r.vars {
		v := &r.vars[i]
		if v.group != g.Name {
			continue
		}
		var err error
		if val, ok := r.written(g, v.name); ok {
			err = r.Set(g, v.name, val)
		} else {
			err = r.Unset(g, v.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
