// Package counters lets the script count: counters that modparam declares, and those of the core and of other modules.
package counters

import (
	"fmt"
	"strings"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/lib/statistics"
	"kahea/shm"
)

func init() { modules.Register("counters", func() modules.Module { return &mod{group: "script"} }) }

var (
	_ modules.Module       = (*mod)(nil)
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
)

type mod struct {
	group    string
	declared []declared
	h        *modules.Host
	used     []*ref
}

// declared is a script_counter; group is "" for that of script_cnt_grp_name.
type declared struct{ group, name, doc string }

// ref is a counter that the script uses; its number is known once the process stands.
type ref struct {
	group, name string
	k           shm.Counter
}

func (m *mod) Exports() modules.Exports {
	const from = route.InRequest | route.AnyReply | route.InFailure | route.InOnSend | route.InBranch | route.InBranchFailure | route.InEvent | route.InLocal
	return modules.Exports{
		Params: []modules.Param{
			{Name: "script_cnt_grp_name", Str: &m.group, Doc: `group of counters declared without one, "script"`},
			{Name: "script_counter", Type: modules.StrParam, Func: m.declare, Doc: "declare a counter: [group.]name[ description]; may be repeated"},
		},
		Funcs: []route.Func{
			{Name: "cnt_inc", Args: "S", From: from, Doc: "add 1 to a counter, [group.]name", Compile: func(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
				r, err := m.find(a)
				if err != nil {
					return nil, err
				}
				return func(c *route.Ctx) int { c.P.Counts.Add(r.k, 1); return 1 }, nil
			}},
			{Name: "cnt_add", Args: "Si", From: from, Doc: "add a number to a counter", Compile: func(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
				r, err := m.find(a)
				if err != nil {
					return nil, err
				}
				return func(c *route.Ctx) int {
					n, ok := a.Int(c, 1)
					if !ok {
						c.Logf(log.Err, "counters", "cnt_add: no number")
						return -1
					}
					c.P.Counts.Add(r.k, n)
					return 1
				}, nil
			}},
			{Name: "cnt_reset", Args: "S", From: from, Doc: "begin at 0 again", Compile: func(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
				r, err := m.find(a)
				if err != nil {
					return nil, err
				}
				return func(c *route.Ctx) int { c.P.Counts.Reset(r.k); return 1 }, nil
			}},
		},
		RPC: []modules.RPC{
			{Name: "cnt.get", Doc: "get a counter: group, name; without a name all of the group", Run: m.get},
			{Name: "cnt.get_raw", Doc: "as cnt.get", Run: m.get},
			{Name: "cnt.reset", Doc: "reset a counter: group, name", Run: m.reset},
			{Name: "cnt.list_groups", Array: true, Doc: "list all the counter groups", Run: m.listGroups},
			{Name: "cnt.grps_list", Array: true, Doc: "list all the counter groups", Run: m.listGroups},
			{Name: "cnt.list_vars", Array: true, Doc: "list the counters of a group", Run: m.listVars},
			{Name: "cnt.var_list", Array: true, Doc: "list the counters of a group", Run: m.listVars},
			{Name: "cnt.get_vars", Doc: "get all the counters of a group", Run: m.getVars},
			{Name: "cnt.grp_get_all", Doc: "get all the counters of a group", Run: m.getVars},
			{Name: "cnt.help", Doc: "describe a counter: group, name", Run: m.help},
		},
	}
}

// declare takes [group.]name[( |:)description].
func (m *mod) declare(v modules.Value) error {
	d := declared{name: v.Str, doc: "custom script counter."}
	if i := strings.IndexAny(v.Str, " :\t"); i >= 0 {
		d.name, d.doc = v.Str[:i], strings.TrimLeft(v.Str[i:], " :\t")
	}
	if g, n, ok := strings.Cut(d.name, "."); ok {
		d.group, d.name = g, n
	}
	if d.name == "" {
		return fmt.Errorf("%q has no name", v.Str)
	}
	m.declared = append(m.declared, d)
	return nil
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	for i := range m.declared {
		if m.declared[i].group == "" {
			m.declared[i].group = m.group
		}
	}
	return nil
}

// find makes a reference to the counter in argument 0, which must exist.
func (m *mod) find(a *route.Args) (*ref, error) {
	text, _ := a.ConstStr(0)
	r := &ref{group: m.group, name: text}
	if g, n, ok := strings.Cut(text, "."); ok {
		r.group, r.name = g, n
	}
	if !m.known(r.group, r.name) {
		return nil, fmt.Errorf("there is no counter %s.%s", r.group, r.name)
	}
	m.used = append(m.used, r)
	return r, nil
}

func (m *mod) known(group, name string) bool {
	for _, d := range m.declared {
		if d.group == group && d.name == name {
			return true
		}
	}
	for _, l := range m.h.Loaded() {
		for _, s := range l.Table.Stats {
			if s.Counter != nil && s.Group == group && s.Name == name {
				return true
			}
		}
	}
	if group == "core" {
		for _, s := range m.h.Stat.StatNames() {
			if s.Name == name {
				return true
			}
		}
	}
	return false
}

// Init registers the declared counters in main.
func (m *mod) Init(h *modules.Host) error {
	for _, d := range m.declared {
		if _, err := h.Counts.Register(d.group, d.name); err != nil {
			return err
		}
	}
	return m.InitWorker(h, 0)
}

// InitWorker looks up what the script uses.
func (m *mod) InitWorker(h *modules.Host, _ int) error {
	for _, r := range m.used {
		k, ok := h.Counts.Lookup(r.group, r.name)
		if !ok {
			return fmt.Errorf("counter %s.%s is missing in shared memory", r.group, r.name)
		}
		r.k = k
	}
	return nil
}

// lookup finds a statistic by the next two parameters.
func (m *mod) lookup(r *modules.Request) (*statistics.Statistic, error) {
	group, err := r.Str()
	if err != nil {
		return nil, err
	}
	name, err := r.Str()
	if err != nil {
		return nil, err
	}
	for _, s := range statistics.All(m.h) {
		if s.Group == group && s.Name == name {
			return &s, nil
		}
	}
	return nil, modules.NewFault(400, "non-existent counter %s.%s\n", group, name)
}

func (m *mod) get(r *modules.Request) error {
	if len(r.Params) == 1 {
		return m.getVars(r)
	}
	s, err := m.lookup(r)
	if err != nil {
		return err
	}
	r.AddInt(s.Get())
	return nil
}

func (m *mod) reset(r *modules.Request) error {
	s, err := m.lookup(r)
	if err != nil {
		return err
	}
	if s.Counter >= 0 {
		m.h.Counts.Reset(s.Counter)
	}
	return nil
}

func (m *mod) help(r *modules.Request) error {
	s, err := m.lookup(r)
	if err != nil {
		return err
	}
	for _, d := range m.declared {
		if d.group == s.Group && d.name == s.Name {
			r.AddStr(d.doc)
			return nil
		}
	}
	if s.Doc == "" {
		r.AddStr("kamailio statistic (no description)")
		return nil
	}
	r.AddStr(s.Doc)
	return nil
}

func (m *mod) listGroups(r *modules.Request) error {
	last := ""
	for _, s := range statistics.All(m.h) {
		if s.Group != last {
			r.AddStr(s.Group)
			last = s.Group
		}
	}
	return nil
}

func (m *mod) listVars(r *modules.Request) error {
	group, err := r.Str()
	if err != nil {
		return err
	}
	for _, s := range statistics.All(m.h) {
		if s.Group == group {
			r.AddStr(s.Name)
		}
	}
	return nil
}

func (m *mod) getVars(r *modules.Request) error {
	group, err := r.Str()
	if err != nil {
		return err
	}
	n := r.AddStruct()
	for _, s := range statistics.All(m.h) {
		if s.Group == group {
			n.AddInt(s.Name, s.Get())
		}
	}
	return nil
}
