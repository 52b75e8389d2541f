package pv

import (
	"fmt"
	"os"
	"strings"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
)

func (m *mod) processVars() []route.Var {
	pid := route.Int(int64(os.Getpid()))
	return []route.Var{
		get("pp", "process id", func(*route.Ctx) route.Value { return pid }),
		get("sid", "server_id", func(c *route.Ctx) route.Value { return route.Int(int64(c.P.Par.ServerID)) }),
		{Name: "stat", Bind: m.bindStat, Doc: "value of a statistic"},
		{Name: "sel", Bind: bindSel, Doc: "value of a select: $sel(from.uri.user)"},
		{Name: "ccp", Bind: m.bindCfg, Doc: "run-time configuration variable: $ccp(group.name)"},
		{Name: "_s", Bind: bindFormat, Doc: "an evaluated format"},
		get("err.class", "class of the last error", lastError(func(c *route.Ctx) int { return c.Err.Class })),
		get("err.level", "its level", lastError(func(c *route.Ctx) int { return c.Err.Level })),
		get("err.info", "what it was", func(c *route.Ctx) route.Value { return text(c.Scratch.CopyString(c.Err.Info)) }),
		get("err.rcode", "SIP status to answer it with", lastError(func(c *route.Ctx) int { return c.Err.Code })),
		get("err.rreason", "reason to answer it with", func(c *route.Ctx) route.Value { return text(c.Scratch.CopyString(c.Err.Reason)) }),
	}
}

// lastError is null while nothing has gone wrong.
func lastError(f func(c *route.Ctx) int) route.Getter {
	return func(c *route.Ctx) route.Value {
		if c.Err.Code == 0 && c.Err.Class == 0 {
			return route.Null
		}
		return route.Int(int64(f(c)))
	}
}

// bindStat finds the counter when it is first read: statistics are registered after the script is compiled in some processes.
func (m *mod) bindStat(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	if r.Inner == "" || r.InnerPV != nil {
		return nil, nil, errWantName
	}
	name := r.Inner
	found := false
	var k shm.Counter
	return func(c *route.Ctx) route.Value {
		if !found {
			c.P.Counts.Each(func(_, n string, x shm.Counter) bool {
				if n == name {
					k, found = x, true
				}
				return !found
			})
		}
		if found {
			return route.Int(c.P.Counts.Sum(k))
		}
		for _, l := range m.h.Loaded() {
			for i := range l.Table.Stats {
				if s := &l.Table.Stats[i]; s.Name == name && s.Get != nil {
					return route.Int(s.Get())
				}
			}
		}
		return route.Null
	}, nil, nil
}

func splitCfg(s string) (group, name string, err error) {
	group, name, ok := strings.Cut(s, ".")
	if !ok || group == "" || name == "" {
		return "", "", fmt.Errorf("got (%s), want (group.name)", s)
	}
	return group, name, nil
}

func bindSel(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	f, err := e.Select(r.Inner)
	if err != nil {
		return nil, nil, err
	}
	return func(c *route.Ctx) route.Value {
		v := f(c)
		if v.IsNull() || v.Flags&route.FlagStr != 0 && v.Str == nil {
			return route.Null
		}
		return v
	}, nil, nil
}

func (m *mod) bindCfg(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	group, name, err := splitCfg(r.Inner)
	if err != nil {
		return nil, nil, err
	}
	get, err := e.Select("cfg_get." + r.Inner)
	if err != nil {
		get = func(*route.Ctx) route.Value { return route.Null } // no error in Kamailio either
	}
	return get, func(c *route.Ctx, v route.Value) error {
		switch {
		case v.IsNull():
			return errNull
		case v.IsInt():
			return m.h.Cfg.Set(modules.CfgGroup{Name: group}, name, modules.Value{Int: int(v.Int), IsInt: true})
		}
		return m.h.Cfg.Set(modules.CfgGroup{Name: group}, name, modules.Value{Str: string(v.Text(c))})
	}, nil
}

func bindFormat(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	f, err := e.ParseFormat(r.Inner)
	if err != nil {
		return nil, nil, err
	}
	return func(c *route.Ctx) route.Value {
		b, ok := f.Eval(c)
		if !ok {
			return route.Null
		}
		return route.Str(b)
	}, nil, nil
}
