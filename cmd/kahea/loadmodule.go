package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"kahea/cfglang/diag"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/modules"
)

// setPath is loadpath and mpath; -L wins.
func (c *config) setPath(dirs string) {
	if c.opts.ModPath == "" {
		c.path = strings.Split(dirs, ":")
	}
}

// loadModule loads a module: one that is built in, or a Go plugin found as Kamailio finds a module.
func (c *config) loadModule(l *syntax.LoadModule) {
	file := l.Name
	if l.X {
		v, ok := c.evaluate(file, l.Pos)
		if !ok {
			return
		}
		file = v.Str
	}
	name := strings.TrimSuffix(filepath.Base(file), ".so")
	if c.has(name) {
		if !strings.Contains(l.Opts, "o") {
			c.diag.Errorf(l.Pos, "module %q is loaded twice", name)
		}
		return
	}
	m := modules.New(name)
	if m == nil {
		var err error
		if m, err = c.plugin(file, name); err != nil {
			c.diag.Add(diag.Diagnostic{Pos: l.Pos, Summary: fmt.Sprintf("there is no module %q", name), Detail: err.Error()})
			c.missing[name] = true
			return
		}
	}
	if m == nil {
		dg := diag.Diagnostic{Pos: l.Pos, Summary: fmt.Sprintf("there is no module %q", name)}
		if near := c.diag.Nearest(name, modules.Names()); near != "" {
			dg.Detail = fmt.Sprintf("did you mean %q?", near)
		} else {
			dg.Detail = "kahea has: " + strings.Join(modules.Names(), " ")
		}
		c.diag.Add(dg)
		c.missing[name] = true
		return
	}
	x := modules.Loaded{Name: name, Module: m, Table: m.Exports()}
	if err := c.vars.AddVars(x.Table.Vars); err != nil {
		c.diag.Errorf(l.Pos, "module %s: %v", name, err)
	}
	if err := c.vars.AddTrans(x.Table.Trans); err != nil {
		c.diag.Errorf(l.Pos, "module %s: %v", name, err)
	}
	c.loaded = append(c.loaded, x)
	if err := c.runtime.addModule(x); err != nil {
		c.diag.Errorf(l.Pos, "module %s: %v", name, err)
	}
	c.places[name] = l.Pos
}

var errNotRegistered = errors.New("the plugin registers no module of this name (modules.Register in an init function)")

// plugin looks for a Go plugin and loads it; nil without an error: there is none. A plugin is built with -buildmode=plugin from the same sources and by the same
// compiler as this binary; Go refuses any other. One that is loaded stays, so a changed file needs another process (an upgrade, a restart).
func (c *config) plugin(file, name string) (modules.Module, error) {
	path, err := findPlugin(file, c.path)
	if path == "" || err != nil {
		return nil, err
	}
	if err := openPlugin(path); err != nil {
		return nil, err
	}
	m := modules.New(name)
	if m == nil {
		return nil, fmt.Errorf("%s: %w", path, errNotRegistered)
	}
	return m, nil
}

// findPlugin searches as Kamailio does: a name with a slash as it is, then under the path; another one as DIR/x.so and DIR/x/x.so.
func findPlugin(file string, path []string) (string, error) {
	file = strings.TrimSuffix(file, ".so") + ".so"
	var tries []string
	if strings.Contains(file, "/") {
		tries = append(tries, file)
	}
	base := strings.TrimSuffix(filepath.Base(file), ".so")
	for _, dir := range path {
		if dir != "" {
			tries = append(tries, filepath.Join(dir, file), filepath.Join(dir, base, base+".so"))
		}
	}
	for _, t := range tries {
		_, err := os.Stat(t)
		if err == nil {
			return filepath.Abs(t)
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return "", err
		}
	}
	return "", nil
}

// evaluated is a modparamx with its variables replaced.
func (c *config) evaluated(p *syntax.ModParam) (*syntax.ModParam, bool) {
	out := *p
	mod, ok := c.evaluate(p.Module, p.ModulePos)
	name, ok2 := c.evaluate(p.Name, p.NamePos)
	val, ok3 := p.Value, true
	if val.Kind == syntax.StrValue {
		val, ok3 = c.evaluate(val.Str, val.Pos)
	}
	out.Module, out.Name, out.Value = mod.Str, name.Str, val
	return &out, ok && ok2 && ok3
}

// evaluate is the value that a text with variables has before the start: there is no message, so only $env, $def, $version and their like have one. A single
// variable that is a number stays one.
func (c *config) evaluate(text string, pos diag.Pos) (v syntax.Value, ok bool) {
	v = syntax.Value{Pos: pos, Kind: syntax.StrValue, Str: text}
	if !strings.Contains(text, "$") {
		return v, true
	}
	defer func() {
		if p := recover(); p != nil {
			c.diag.Errorf(pos, "%q has no value before the start", text)
			ok = false
		}
	}()
	p := &route.Proc{Host: noHost{}, Log: log.New(log.Options{Stderr: true}, log.Level(c.par.Debug))}
	p.Par.ServerID = c.par.ServerID
	if c.par.IUID != "" {
		p.Par.IUID = []byte(c.par.IUID)
	}
	defer p.Close()
	x := p.Get()
	defer p.Put(x)
	x.Faked = true
	k := c.compiler()
	if one, err := k.ParsePV(text); err == nil {
		got := one.Get(x)
		if got.IsNull() {
			c.diag.Errorf(pos, "%s has no value before the start", text)
			return v, false
		}
		if n, isNum := got.Number(); got.IsInt() && isNum {
			return syntax.Value{Pos: pos, Kind: syntax.IntValue, Int: n}, true
		}
		v.Str = string(got.Text(x))
		return v, true
	}
	f, err := k.ParseFormat(text)
	if err != nil {
		c.diag.Errorf(pos, "%v", err)
		return v, false
	}
	b, ok := f.Eval(x)
	v.Str = string(b)
	return v, ok
}
