package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"kahea/cfglang/compile"
	"kahea/cfglang/core"
	"kahea/cfglang/diag"
	"kahea/cfglang/pv"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/modules"
)

// config is a loaded configuration: parameters, module instances with their parameters set, the tree. main and children make it
// from the same text in the same way.
type config struct {
	opts    *options
	par     *core.Config
	table   []core.Param
	file    *syntax.File
	loaded  []modules.Loaded
	vars    *pv.Table
	listen  []listenSpec
	aliases []syntax.SocketID
	flags   map[string]int
	follows string // parameter that was not set and takes another one's value
	// settings are the module parameters as written, by module.
	settings map[string][]setting
	runtime  *runtimeConfig
	diag     *diag.List
}

// listenSpec is one listen line or -l.
type listenSpec struct {
	*syntax.Param
	workers int // socket_workers before it, 0: children
}

// parseOptions are what the command line adds to the text.
func (o *options) parseOptions() (syntax.Options, error) {
	so := syntax.Options{Env: os.LookupEnv, ModuleDefines: true}
	pre := func(name, val string) {
		so.Defines = append(so.Defines, syntax.Define{Name: name, Value: val, HasValue: val != "", Predefined: true})
	}
	pre(fmt.Sprintf("KAMAILIO_%d", versionMajor), "")
	pre(fmt.Sprintf("KAMAILIO_%d_%d", versionMajor, versionMinor), "")
	pre(fmt.Sprintf("KAMAILIO_%d_%d_%d", versionMajor, versionMinor, versionPatch), "")
	pre("KAMAILIO_VERSION", fmt.Sprint(versionMajor*1000000+versionMinor*1000+versionPatch))
	pre("OS_NAME", `"linux"`)
	for _, d := range o.Defines {
		name, val, has := strings.Cut(d, "=")
		if name == "" {
			return so, fmt.Errorf("-A %s: no name", d)
		}
		so.Defines = append(so.Defines, syntax.Define{Name: name, Value: val, HasValue: has})
	}
	return so, nil
}

// load makes a config out of preprocessed text; everything that is wrong is in the diagnostics.
func load(o *options, name string, text []byte, d *diag.List) (*config, error) {
	so, err := o.parseOptions()
	if err != nil {
		return nil, err
	}
	c := &config{opts: o, par: core.Defaults(fullVersion()), vars: pv.NewTable(), flags: map[string]int{}, settings: map[string][]setting{}, diag: d}
	c.table = c.par.Params()
	c.runtime = newRuntimeConfig(c.table)
	if err := c.vars.AddVars(core.Vars()); err != nil {
		return nil, err
	}
	if o.ModPath != "" {
		c.noPath(diag.Pos{})
	}
	for _, l := range o.Listen {
		p, err := syntax.ParseListenArg(l)
		if err != nil {
			return nil, err
		}
		c.listen = append(c.listen, listenSpec{Param: p})
	}
	for _, a := range o.Aliases {
		p, err := syntax.ParseAliasArg(a)
		if err != nil {
			return nil, err
		}
		c.aliases = append(c.aliases, p.Sockets...)
	}
	c.file = syntax.ParseText(name, text, so, d)
	for _, it := range c.file.Items {
		c.item(it)
	}
	c.overrides()
	if o.fixed != nil {
		return c, c.keep(o.fixed)
	}
	return c, nil
}

func (c *config) item(it syntax.Item) {
	switch it := it.(type) {
	case *syntax.Param:
		c.param(it)
	case *syntax.SocketBlock:
		c.diag.Errorf(it.Pos, "socket = { ... } is not there yet: write listen=")
	case *syntax.LoadPath:
		c.noPath(it.Pos)
	case *syntax.LoadModule:
		c.loadModule(it)
	case *syntax.ModParam:
		c.modParam(it)
	case *syntax.GroupVar:
		c.groupVar(it)
	case *syntax.Flags:
		c.declareFlags(it)
	case *syntax.CfgEngine:
		if it.Name != "native" && it.Name != "default" {
			c.diag.Errorf(it.Pos, "cfgengine %q is not there yet: only native", it.Name)
		}
	}
}

// noPath says that a module path has no meaning yet: all modules are built in.
func (c *config) noPath(p diag.Pos) {
	c.diag.Add(diag.Diagnostic{Severity: diag.Notice, Pos: p, Summary: "the module search path is not used: all modules are built in"})
}

func (c *config) param(p *syntax.Param) {
	switch p.Name {
	case "listen", "socket":
		c.listen = append(c.listen, listenSpec{Param: p, workers: c.par.SocketWorkers})
		c.par.SocketWorkers = 0
		return
	case "alias", "domain":
		c.aliases = append(c.aliases, p.Sockets...)
		return
	case "loadpath", "mpath":
		c.noPath(p.Pos)
		return
	}
	row := core.Find(c.table, p.Name)
	if row == nil {
		dg := diag.Diagnostic{Pos: p.Pos, EndCol: p.Pos.Col + len(p.Name), Summary: fmt.Sprintf("unknown parameter %q", p.Name)}
		if core.NotYet(p.Name) {
			dg.Summary = fmt.Sprintf("parameter %s is not there yet", p.Name)
			dg.Detail = "Kamailio has it; kahea does not do what it asks for, and does not pretend to"
		} else if near := c.diag.Nearest(p.Name, core.Names(c.table)); near != "" {
			dg.Detail = fmt.Sprintf("did you mean %q?", near)
		}
		c.diag.Add(dg)
		return
	}
	if err := row.Set(p.Value); err != nil {
		c.diag.Errorf(p.Pos, "%v", err)
	}
}

// groupVar sets the variable of a group: a core parameter, a module's, or one that it declares with that.
func (c *config) groupVar(g *syntax.GroupVar) {
	var err error
	switch {
	case g.HasID:
		err = fmt.Errorf("%s[%d].%s: instances of a group are not there yet", g.Group, g.ID, g.Name)
	case g.Group == "core" || g.Group == "tcp":
		err = fmt.Errorf("there is no variable %s.%s", g.Group, g.Name)
		for i := range c.table {
			t := &c.table[i]
			if t.Runtime == g.Group && (t.RTName == g.Name || t.RTName == "" && t.Name == g.Name) {
				err = t.Set(g.Value)
			}
		}
	default:
		for _, l := range c.loaded {
			if l.Name == g.Group {
				if err := c.setParam(l, g.Name, g.Value); err != nil {
					c.diag.Errorf(g.Pos, "module %s: %v", l.Name, err)
				}
				return
			}
		}
		err = c.runtime.declare(g)
	}
	if err != nil {
		c.diag.Errorf(g.Pos, "%v", err)
	}
}

func (c *config) declareFlags(f *syntax.Flags) {
	if f.AVP {
		c.diag.Errorf(f.Pos, "avpflags are not there yet")
		return
	}
	taken := map[int]bool{}
	for _, n := range c.flags {
		taken[n] = true
	}
	for i, name := range f.Names {
		bit := f.Bits[i]
		if bit < 0 {
			for bit = 0; taken[bit]; bit++ {
			}
		}
		if bit > 31 {
			c.diag.Errorf(f.Pos, "flag %s: there are only 32", name)
			continue
		}
		taken[bit] = true
		c.flags[name] = bit
	}
}

func (c *config) loadModule(l *syntax.LoadModule) {
	if l.X {
		c.diag.Errorf(l.Pos, "loadmodulex is not there yet: write loadmodule")
		return
	}
	name := strings.TrimSuffix(filepath.Base(l.Name), ".so")
	for _, x := range c.loaded {
		if x.Name == name {
			if !strings.Contains(l.Opts, "o") {
				c.diag.Errorf(l.Pos, "module %q is loaded twice", name)
			}
			return
		}
	}
	m := modules.New(name)
	if m == nil {
		dg := diag.Diagnostic{Pos: l.Pos, Summary: fmt.Sprintf("there is no module %q", name)}
		if near := c.diag.Nearest(name, modules.Names()); near != "" {
			dg.Detail = fmt.Sprintf("did you mean %q?", near)
		} else {
			dg.Detail = "kahea has: " + strings.Join(modules.Names(), " ")
		}
		c.diag.Add(dg)
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
}

// modParam sets a parameter of every module that the expression matches; each must have it.
func (c *config) modParam(p *syntax.ModParam) {
	if p.X {
		c.diag.Errorf(p.Pos, "modparamx is not there yet: write modparam")
		return
	}
	re, err := regexp.Compile("(?i)^(?:" + p.Module + ")$")
	if err != nil {
		c.diag.Errorf(p.ModulePos, "modparam: %v", err)
		return
	}
	found := false
	for _, l := range c.loaded {
		if !re.MatchString(l.Name) {
			continue
		}
		found = true
		if err := c.setParam(l, p.Name, p.Value); err != nil {
			dg := diag.Diagnostic{Pos: p.NamePos, Summary: fmt.Sprintf("module %s: %v", l.Name, err)}
			var names []string
			for i := range l.Table.Params {
				names = append(names, l.Table.Params[i].Name)
			}
			if near := c.diag.Nearest(p.Name, names); near != "" && near != p.Name {
				dg.Detail = fmt.Sprintf("did you mean %q?", near)
			}
			c.diag.Add(dg)
		}
	}
	if !found {
		dg := diag.Diagnostic{Pos: p.ModulePos, Summary: fmt.Sprintf("modparam: no module matching %q is loaded", p.Module), Detail: "loadmodule has to stand above"}
		c.diag.Add(dg)
	}
}

// setParam sets a module's parameter, unless it keeps the value of the start.
func (c *config) setParam(l modules.Loaded, name string, value syntax.Value) error {
	v := modules.Value{Str: value.Str, Int: int(value.Int), IsInt: value.Kind == syntax.IntValue}
	c.settings[l.Name] = append(c.settings[l.Name], setting{name, v})
	if c.opts.fixed.kept(l, name) {
		return nil
	}
	return modules.SetParam(l.Table.Params, name, v)
}

// overrides applies what the command line wins with (core.md 1.1, pass 4).
func (c *config) overrides() {
	o, p := c.opts, c.par
	if o.DebugSet {
		p.Debug = o.Debug
	}
	if o.Stderr || o.Check {
		p.LogStderr = true
	}
	if o.Colour {
		p.LogColor = true
	}
	str := func(dst *string, v string) {
		if v != "" {
			*dst = v
		}
	}
	str(&p.User, o.User)
	str(&p.Group, o.Group)
	str(&p.Chroot, o.Chroot)
	str(&p.Workdir, o.Workdir)
	str(&p.RunDir, o.RunDir)
	if o.Children > 0 {
		p.Children = o.Children
	}
	if o.set["tcp-children"] {
		p.TCPChildren = o.TCPWorkers
	}
	if p.TCPChildren < 0 {
		p.TCPChildren, c.follows = p.Children, "tcp_children"
	}
	if o.MaxBuffer > 0 {
		p.MaxBuffer = o.MaxBuffer
	}
	if o.NoTCP {
		p.DisableTCP = true
	}
	switch o.AutoAlias {
	case "on", "yes":
		p.AutoAliases = true
	case "off", "no":
		p.AutoAliases = false
	}
	if o.Fork == 1 {
		p.Fork = false
	}
	if o.Shm > 0 {
		p.ShmSize = o.Shm
	}
	if p.ShmSize == 0 {
		p.ShmSize = defaultShmMB
	}
	none := diag.Pos{}
	if p.EnableTLS {
		c.diag.Errorf(none, "enable_tls=yes: TLS is not there yet")
	}
	if p.EnableSCTP == 1 {
		c.diag.Errorf(none, "enable_sctp=yes: SCTP is not there")
	}
}

// compile compiles the script against the core and the loaded modules.
func (c *config) compile() (*route.Program, *compile.Compiler) {
	k := c.compiler()
	return k.Compile(c.file), k
}

func (c *config) compiler() *compile.Compiler {
	funcs := core.Funcs()
	for _, l := range c.loaded {
		funcs = append(funcs, l.Table.Funcs...)
	}
	return compile.New(compile.Options{
		Vars: c.vars, Funcs: funcs, Defines: c.file.Defines, Flags: c.flags, NotYet: core.NotYetFuncs, Mode: c.file.Mode,
		Select:    (&core.Selects{Cfg: c.runtime.getter, Group: c.runtime.hasGroup}).Parse,
		RawReturn: c.par.ReturnMode == 1,
		Modules: func(name string) any {
			for _, l := range c.loaded {
				if l.Name == name {
					return l.Module
				}
			}
			return nil
		},
	}, c.diag)
}
