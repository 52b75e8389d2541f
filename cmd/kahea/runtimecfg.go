package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"kahea/cfglang/core"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/modules"
	"kahea/shm"
)

const (
	maxRuntimeVars  = 512
	maxRuntimeTexts = 64
	maxRuntimeText  = 1020 // bytes
	maxRuntimeName  = 124  // bytes of group.name
)

// runtimeVars is what may change while the server runs. A variable has a place here, found by name, as another binary's list of them is another.
// Every process reads numbers in place and texts under the lock.
type runtimeVars struct {
	Layout  uint64 // of runtimeVars: who opens it compares
	Var     [maxRuntimeVars]runtimePlace
	Val     [maxRuntimeVars]int64
	Changes uint64 // counts the changes of parameters: a process that sees another number reads them again
	Mu      shm.Mutex
	_       uint32
	Text    [maxRuntimeTexts]runtimeText
	Inst    [maxInstances]runtimeInstance
	Own     [maxOwnValues]runtimeOwn
}

// runtimePlace is whose the place of the same number in Val is. It stays while the memory does; places are taken from the first on, under the lock.
type runtimePlace struct {
	Len  uint16 // of Name; 0: the place is free
	Text uint16 // of a text: index in Text + 1; 0: a number
	Name [maxRuntimeName]byte
}

func (p *runtimePlace) name() string { return string(p.Name[:min(p.Len, maxRuntimeName)]) }

type runtimeText struct {
	Len uint32
	B   [maxRuntimeText]byte
}

// runtimeVar is one variable: a parameter of the core or of a module that may change, or one that the configuration declares (group.name = value).
type runtimeVar struct {
	group, name, doc string
	min, max         int            // both 0: any
	from             *core.Param    // start value, final once the configuration is loaded
	mod              *modules.Param // the same of a module; both nil: it is declared
	isStr            bool
	num              int    // start value
	text             string // the same of a declared text
	place            int    // in shared memory, once that is open
	at               int    // index in Val (place) or Text
}

// runtimeConfig is the run-time configuration (group.name, the RPC commands cfg.*): its list is made of the configuration, alike in all processes, its values lie in
// shared memory once it is open. Each configuration has its own: a script that still runs under the one before reads its own variables.
type runtimeConfig struct {
	vars   []runtimeVar
	inst   []*syntax.GroupVar         // group[id].name = value of the configuration, checked by instances
	groups map[string]*route.CfgGroup // of scripts, by name
	texts  int
	frozen bool
	seen   uint64 // of root.Changes
	root   *runtimeVars
	arena  *shm.Arena
}

// newRuntimeConfig lists the core parameters that may change.
func newRuntimeConfig(table []core.Param) *runtimeConfig {
	r := &runtimeConfig{groups: map[string]*route.CfgGroup{}}
	for i := range table {
		t := &table[i]
		if t.Runtime == "" || t.Str != nil {
			continue
		}
		name := t.RTName
		if name == "" {
			name = t.Name
		}
		lo, hi := t.Min, t.Max
		if t.Bool != nil {
			hi = 1
		}
		r.add(runtimeVar{group: t.Runtime, name: name, doc: t.Doc, min: lo, max: hi, from: t})
	}
	return r
}

// addModule adds the parameters of a module that may change.
func (r *runtimeConfig) addModule(l modules.Loaded) error {
	for i := range l.Table.Params {
		p := &l.Table.Params[i]
		if p.Runtime == "" {
			continue
		}
		if r.find(l.Name, p.Runtime) >= 0 {
			return fmt.Errorf("variable %s.%s is declared before the module is loaded", l.Name, p.Runtime)
		}
		v := runtimeVar{group: l.Name, name: p.Runtime, doc: p.Doc, min: p.Min, max: p.Max, mod: p, isStr: p.Str != nil}
		if v.isStr {
			r.texts++
		}
		r.add(v)
	}
	return nil
}

// declare adds a variable of the configuration.
func (r *runtimeConfig) declare(g *syntax.GroupVar) error {
	switch {
	case r.find(g.Group, g.Name) >= 0:
		return fmt.Errorf("variable %s.%s is declared twice", g.Group, g.Name)
	case len(g.Group)+1+len(g.Name) > maxRuntimeName:
		return fmt.Errorf("variable %s.%s: the name has more than %d bytes", g.Group, g.Name, maxRuntimeName)
	case len(r.vars) == maxRuntimeVars:
		return fmt.Errorf("variable %s.%s: there are more than %d", g.Group, g.Name, maxRuntimeVars)
	}
	v := runtimeVar{group: g.Group, name: g.Name, doc: g.Desc}
	if v.doc == "" {
		v.doc = "<null string>" // what cfg.help of Kamailio says
	}
	switch g.Value.Kind {
	case syntax.IntValue:
		v.num = int(g.Value.Int)
	case syntax.StrValue:
		if len(g.Value.Str) > maxRuntimeText {
			return fmt.Errorf("variable %s.%s: %d bytes are more than %d", g.Group, g.Name, len(g.Value.Str), maxRuntimeText)
		}
		if r.texts == maxRuntimeTexts {
			return fmt.Errorf("variable %s.%s: there are more than %d texts", g.Group, g.Name, maxRuntimeTexts)
		}
		v.isStr, v.text = true, g.Value.Str
		r.texts++
	default:
		return fmt.Errorf("variable %s.%s: want a number or a string in quotes", g.Group, g.Name)
	}
	r.add(v)
	return nil
}

// add adds a variable, and its group with the first one.
func (r *runtimeConfig) add(v runtimeVar) {
	if r.groups[v.group] == nil {
		r.groups[v.group] = r.newGroup(v.group)
	}
	r.vars = append(r.vars, v)
}

// create makes the variables' place in shared memory, filled from the configuration (main). before is the configuration that this one follows, nil at the
// start: what was changed by RPC since stays, unless the configuration itself says something else than before.
func (r *runtimeConfig) create(a *shm.Arena, before *runtimeConfig) (shm.Off, error) {
	ref, err := shm.New[runtimeVars](a, a.TagFor("core", "cfg"))
	if err != nil {
		return 0, fmt.Errorf("run-time configuration: %w", err)
	}
	r.root, r.arena = ref.Get(a), a
	r.root.Layout = shm.LayoutOf[runtimeVars]().Fingerprint()
	r.freeze()
	if err := r.settle(); err != nil {
		return 0, err
	}
	for i := range r.vars {
		v := &r.vars[i]
		val := v.start()
		if before != nil {
			if k := before.find(v.group, v.name); k >= 0 && before.vars[k].start() == val {
				val = before.value(k)
			}
		}
		if v.isStr {
			r.setText(v, val.Str)
		} else {
			r.root.Val[v.at] = int64(val.Int)
		}
	}
	if err := r.createInstances(before); err != nil {
		return 0, err
	}
	return ref.Off, nil
}

// start is what the configuration says.
func (v *runtimeVar) start() modules.Value {
	switch {
	case v.isStr:
		return modules.Value{Str: v.text}
	default:
		return modules.Value{Int: v.num, IsInt: true}
	}
}

// freeze notes what the loaded configuration says of the parameters: read changes them.
func (r *runtimeConfig) freeze() {
	if r.frozen {
		return
	}
	r.frozen = true
	for i := range r.vars {
		switch v := &r.vars[i]; {
		case v.from != nil:
			v.num = coreValue(v.from).Int
		case v.mod != nil && v.isStr:
			v.text = *v.mod.Str
		case v.mod != nil:
			v.num = *v.mod.Int
		}
	}
}

// read copies the parameters that have been changed since the last time into this process's; false: none was. On the goroutine that reads the parameters.
func (r *runtimeConfig) read() bool {
	n := atomic.LoadUint64(&r.root.Changes)
	if n == r.seen {
		return false
	}
	r.seen = n
	for i := range r.vars {
		switch v := &r.vars[i]; {
		case v.from != nil:
			setCoreValue(v.from, r.value(i))
		case v.mod != nil:
			setModuleValue(v.mod, r.value(i))
		}
	}
	return true
}

func setModuleValue(p *modules.Param, v modules.Value) {
	if p.Str != nil {
		*p.Str = v.Str
	} else {
		*p.Int = v.Int
	}
	if p.Changed != nil {
		p.Changed()
	}
}

// open finds what create has made, perhaps in another binary: variables that this one does not know stay where they are, those that it knew not are added
// with the values of the configuration. shm.ErrLayout when it lies otherwise than here.
func (r *runtimeConfig) open(a *shm.Arena, at shm.Off, follow func(debug *int64)) error {
	if *(shm.Ref[uint64]{Off: at}).Get(a) != shm.LayoutOf[runtimeVars]().Fingerprint() {
		return fmt.Errorf("run-time configuration: %w", shm.ErrLayout)
	}
	r.root, r.arena = shm.Ref[runtimeVars]{Off: at}.Get(a), a
	r.freeze()
	if err := r.settle(); err != nil {
		return err
	}
	r.seen = ^uint64(0) // a successor reads what was changed before its time
	if i := r.find("core", "debug"); i >= 0 {
		follow(&r.root.Val[r.vars[i].at])
	}
	return nil
}

// settle finds the variables' places, by name, and gives one to those that have none. A group's number is the first place of its variables.
func (r *runtimeConfig) settle() error {
	r.lock()
	defer r.unlock()
	places := make(map[string]int, maxRuntimeVars)
	for k := range r.root.Var {
		if p := &r.root.Var[k]; p.Len != 0 {
			places[p.name()] = k
		}
	}
	for i := range r.vars {
		v := &r.vars[i]
		name := v.group + "." + v.name
		k, ok := places[name]
		if !ok {
			if k = len(places); k == maxRuntimeVars {
				return fmt.Errorf("run-time configuration: variable %s: there are %d already", name, maxRuntimeVars)
			}
			if err := r.take(k, name, v); err != nil {
				return err
			}
			places[name] = k
		}
		p := &r.root.Var[k]
		if v.isStr != (p.Text != 0) {
			return fmt.Errorf("run-time configuration: variable %s is a text in one binary and a number in the other", name)
		}
		v.place, v.at = k, k
		if v.isStr {
			v.at = int(p.Text) - 1
		}
	}
	first := make(map[string]int, len(r.groups))
	for name, k := range places {
		group, _, _ := strings.Cut(name, ".")
		if n, ok := first[group]; !ok || k < n {
			first[group] = k
		}
	}
	for name, g := range r.groups {
		g.N = uint32(first[name])
	}
	return nil
}

// take makes place k v's, with its start value. Under the lock.
func (r *runtimeConfig) take(k int, name string, v *runtimeVar) error {
	p := &r.root.Var[k]
	p.Text = 0
	if v.isStr {
		t := r.freeText()
		if t < 0 {
			return fmt.Errorf("run-time configuration: variable %s: there are %d texts already", name, maxRuntimeTexts)
		}
		r.root.Text[t].set(v.text)
		p.Text = uint16(t) + 1
	}
	r.root.Val[k] = int64(v.num)
	p.Len = uint16(copy(p.Name[:], name))
	return nil
}

func (r *runtimeConfig) find(group, name string) int {
	for i := range r.vars {
		if r.vars[i].group == group && r.vars[i].name == name {
			return i
		}
	}
	return -1
}

// lock takes the lock of the texts; one that a process left half written is what it is: lengths and bytes stay in bounds.
func (r *runtimeConfig) lock()   { r.arena.Lock(&r.root.Mu) }
func (r *runtimeConfig) unlock() { r.arena.Unlock(&r.root.Mu) }

func (r *runtimeConfig) setText(v *runtimeVar, s string) {
	r.lock()
	r.root.Text[v.at].set(s)
	r.unlock()
}

// set and get are done under the lock.
func (t *runtimeText) set(s string) { t.Len = uint32(copy(t.B[:], s)) }
func (t *runtimeText) get() string  { return string(t.B[:min(t.Len, maxRuntimeText)]) }

// value reads variable i.
func (r *runtimeConfig) value(i int) modules.Value {
	v := &r.vars[i]
	if !v.isStr {
		return modules.Value{Int: int(atomic.LoadInt64(&r.root.Val[v.at])), IsInt: true}
	}
	r.lock()
	defer r.unlock()
	return modules.Value{Str: r.root.Text[v.at].get()}
}

// Get reads a variable.
func (r *runtimeConfig) Get(g modules.CfgGroup, name string) (modules.Value, bool) {
	i := r.find(g.Name, name)
	switch {
	case i < 0:
		return modules.Value{}, false
	case g.Instance:
		return r.instanceValue(g, i)
	}
	return r.value(i), true
}

// Variable is what scripts read a variable with, of the instance that the script has selected; it does not allocate.
func (r *runtimeConfig) Variable(group, name string) (route.Getter, error) {
	i := r.find(group, name)
	if i < 0 {
		return nil, fmt.Errorf("there is no variable %s.%s", group, name)
	}
	g := r.groups[group]
	if !r.vars[i].isStr {
		return func(c *route.Ctx) route.Value {
			if id, ok := c.Selected(g); ok {
				return r.ownNumber(g.N, id, i)
			}
			return route.Int(atomic.LoadInt64(&r.root.Val[r.vars[i].at]))
		}, nil
	}
	return func(c *route.Ctx) route.Value {
		at := r.vars[i].at
		r.lock()
		if id, ok := c.Selected(g); ok {
			if o := r.own(g.N, id, i); o != nil {
				at = int(o.Text)
			}
		}
		t := &r.root.Text[at]
		b := c.Scratch.Copy(t.B[:min(t.Len, maxRuntimeText)])
		r.unlock()
		if b == nil {
			b = []byte{}
		}
		return route.Str(b)
	}, nil
}

// Check converts numbers and texts as the variable wants them.
func (r *runtimeConfig) Check(g modules.CfgGroup, name string, v modules.Value) (modules.Value, error) {
	group := g.Name
	i := r.find(group, name)
	if i < 0 {
		return v, fmt.Errorf("variable %s.%s not found", group, name)
	}
	t := &r.vars[i]
	if t.isStr {
		if v.IsInt {
			v.Str = strconv.Itoa(v.Int)
		}
		if len(v.Str) > maxRuntimeText {
			return v, fmt.Errorf("variable %s.%s: %d bytes are more than %d", group, name, len(v.Str), maxRuntimeText)
		}
		return modules.Value{Str: v.Str}, nil
	}
	if !v.IsInt {
		n, err := strconv.Atoi(v.Str)
		if err != nil {
			return v, fmt.Errorf("variable %s.%s is a number, got %q", group, name, v.Str)
		}
		v = modules.Value{Int: n, IsInt: true}
	}
	if (t.min != 0 || t.max != 0) && (v.Int < t.min || t.max != 0 && v.Int > t.max) {
		return v, fmt.Errorf("variable %s.%s: got %d, want %d to %d", group, name, v.Int, t.min, t.max)
	}
	if group == "tcp" && name == "max_connections" && v.Int > t.num {
		return v, fmt.Errorf("variable %s.%s: the table was made for %d connections", group, name, t.num)
	}
	return v, nil
}

// Set changes a variable at once, in all processes; numbers and texts are converted as the variable wants them.
func (r *runtimeConfig) Set(g modules.CfgGroup, name string, v modules.Value) error {
	v, err := r.Check(g, name, v)
	if err != nil {
		return err
	}
	i := r.find(g.Name, name)
	if g.Instance {
		return r.setOwn(g, i, v)
	}
	r.store(i, v)
	return nil
}

// store keeps what Check has passed.
func (r *runtimeConfig) store(i int, v modules.Value) {
	t := &r.vars[i]
	if t.isStr {
		r.setText(t, v.Str)
	} else {
		atomic.StoreInt64(&r.root.Val[t.at], int64(v.Int))
	}
	if t.from != nil || t.mod != nil {
		atomic.AddUint64(&r.root.Changes, 1)
	}
}

// Reset gives the variables of a group what the configuration says of them.
func (r *runtimeConfig) Reset(g modules.CfgGroup) error {
	if g.Instance {
		return r.resetInstance(g)
	}
	for i := range r.vars {
		if r.vars[i].group == g.Name {
			r.store(i, r.vars[i].start())
		}
	}
	return nil
}

// Each walks all variables.
func (r *runtimeConfig) Each(f func(group, name string, v modules.Value, desc string)) {
	for i := range r.vars {
		f(r.vars[i].group, r.vars[i].name, r.value(i), r.vars[i].doc)
	}
}

// openRuntime makes the run-time configuration in main; before as in create.
func (v *server) openRuntime(before *runtimeConfig) error {
	at, err := v.runtime.create(v.arena, before)
	if err != nil {
		return err
	}
	v.RuntimeAt = uint64(at)
	return v.runtime.open(v.arena, at, v.proc.Log.Follow)
}
