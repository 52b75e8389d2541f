package main

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kahea/cfglang/compile"
	"kahea/cfglang/core"
	"kahea/cfglang/diag"
	"kahea/cfglang/pv"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/cfglang/tune"
	"kahea/modules"
	"kahea/procmgr"
)

// config is a loaded configuration: parameters, module instances with their parameters set, the tree. main and children make it
// from the same text in the same way.
type config struct {
	opts    *options
	par     *core.Config
	table   []core.Param
	file    *syntax.File
	loaded  []modules.Loaded
	missing map[string]bool // modules that loadmodule did not find
	// moduleExprs are the modules that modparam lines have named, as expressions; moduleSteps is their size.
	moduleExprs map[string]*syntax.Regexp
	moduleSteps int
	places      map[string]diag.Pos // of the loadmodule lines, by module
	vars        *pv.Table
	listen      []listenSpec
	aliases     []syntax.SocketID
	flags       map[string]int
	avpFlags    map[string]int
	path        []string // mpath: where plugins are looked for
	follows     string   // parameter that was not set and takes another one's value
	// settings are the module parameters as written, by module.
	settings map[string][]setting
	origins  map[string]origin // by "core.NAME" or "MODULE.NAME": where the value comes from
	runtime  *runtimeConfig
	diag     *diag.List
}

// listenSpec is one listen line, socket block or -l.
type listenSpec struct {
	*syntax.Param
	workers int    // socket_workers before it, or its own; 0: none
	mcast   string // mcast before it
	device  string // vrf
	group   string // agname
}

// PortEnd is the end of a range of ports, 0: it has one port.
func (l *listenSpec) PortEnd() int { return l.Sockets[0].PortEnd }

// addListen takes the parameters that are for the next socket only.
func (c *config) addListen(l listenSpec) {
	if l.workers == 0 {
		l.workers = c.par.SocketWorkers
	}
	l.mcast = c.par.Mcast
	c.par.SocketWorkers, c.par.Mcast = 0, ""
	c.listen = append(c.listen, l)
}

// socketBlock is socket = { ... }; of an attribute that stands there twice the last one counts.
func (c *config) socketBlock(b *syntax.SocketBlock) {
	l := listenSpec{Param: &syntax.Param{Pos: b.Pos, Name: "socket"}}
	for _, a := range b.Attrs {
		switch a.Name {
		case "bind":
			l.Sockets = []syntax.SocketID{*a.Sock}
		case "advertise":
			if len(a.Sock.Hosts) != 1 {
				c.diag.Errorf(a.Pos, "advertise takes one address")
				return
			}
			l.Adv = a.Sock
		case "name":
			l.SockName = a.Value.Str
		case "agname":
			l.group = a.Value.Str
			c.diag.Add(diag.Diagnostic{Severity: diag.Notice, Pos: a.Pos, EndCol: a.Pos.Col + len("agname"),
				Summary: "agname changes nothing here: every socket has workers of its own, there are no groups of them"})
		case "virtual":
			l.Virtual = a.Value.Int != 0
		case "vrf":
			l.device = a.Value.Str
		case "workers":
			if a.Value.Int < 0 || a.Value.Int > 450 {
				c.diag.Errorf(a.Pos, "workers: got %d, want 0 to 450", a.Value.Int)
			}
			l.workers = int(a.Value.Int)
		}
	}
	if l.Sockets == nil {
		c.diag.Errorf(b.Pos, "this socket has no bind")
		return
	}
	c.addListen(l)
}

// parseOptions are what the command line adds to the text.
func (o *options) parseOptions() (syntax.Options, error) {
	so := syntax.Options{Env: os.LookupEnv, ModuleDefines: true, Subst: o.Subst, SubstDef: o.SubstDef, SubstDefs: o.SubstDefs}
	pre := func(name, val string) {
		so.Defines = append(so.Defines, syntax.Define{Name: name, Value: val, HasValue: val != "", Predefined: true})
	}
	pre(fmt.Sprintf("KAMAILIO_%d", versionMajor), "")
	pre(fmt.Sprintf("KAMAILIO_%d_%d", versionMajor, versionMinor), "")
	pre(fmt.Sprintf("KAMAILIO_%d_%d_%d", versionMajor, versionMinor, versionPatch), "")
	pre("KAMAILIO_VERSION", fmt.Sprint(versionMajor*1000000+versionMinor*1000+versionPatch))
	pre("OS_NAME", `"linux"`)
	for _, d := range o.Defines {
		def, err := syntax.ParseDefineArg(d)
		if err != nil {
			return so, err
		}
		if slices.ContainsFunc(so.Defines, func(x syntax.Define) bool { return x.Name == def.Name }) {
			return so, fmt.Errorf("-A %s: %s is defined already", d, def.Name)
		}
		so.Defines = append(so.Defines, def)
	}
	return so, nil
}

// load makes a config out of the command line, the preprocessed text and the overlay of sl; everything that is wrong is in the diagnostics.
func load(sl *sealed, d *diag.List) (*config, error) {
	o := sl.Options
	so, err := o.parseOptions()
	if err != nil {
		return nil, err
	}
	c := &config{opts: o, par: core.Defaults(fullVersion()), vars: pv.NewTable(), flags: map[string]int{}, avpFlags: map[string]int{}, missing: map[string]bool{}, moduleExprs: map[string]*syntax.Regexp{}, places: map[string]diag.Pos{}, settings: map[string][]setting{},
		origins: map[string]origin{}, diag: d}
	c.table = c.par.Params()
	c.runtime = newRuntimeConfig(c.table)
	if err := c.vars.AddVars(core.Vars()); err != nil {
		return nil, err
	}
	c.path = strings.Split(o.ModPath, ":")
	if o.set["server-id"] { // unlike most options, the configuration wins over this one
		c.par.ServerID = o.ServerID
		c.origins["core.server_id"] = origin{option: "--server-id"}
	}
	for _, n := range o.noMeaning() {
		d.Add(diag.Diagnostic{Severity: diag.Notice, Summary: n})
	}
	for _, m := range o.LoadModule {
		c.loadModule(&syntax.LoadModule{Name: m})
	}
	for _, m := range o.ModParam {
		if err := c.modParamArg(m); err != nil {
			return nil, err
		}
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
	if sl.broken { // nothing will start: the file itself is read, for the mistakes behind the first ones
		c.file = syntax.Parse(sl.Name, so, d)
	} else {
		c.file = syntax.ParseText(sl.Name, sl.Text, so, d)
	}
	for _, it := range c.file.Items {
		c.item(it)
	}
	c.runtime.checkInstances(c.diag)
	if sl.TuneName != "" {
		c.overlay(tune.Parse(sl.TuneName, sl.TuneText, d))
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
		c.socketBlock(it)
	case *syntax.LoadPath:
		c.setPath(it.Dirs)
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

func (c *config) param(p *syntax.Param) {
	switch p.Name {
	case "listen", "socket":
		c.addListen(listenSpec{Param: p})
		return
	case "alias", "domain":
		c.aliases = append(c.aliases, p.Sockets...)
		return
	case "loadpath", "mpath":
		c.setPath(p.Value.Str)
		return
	}
	name := p.Name
	if p.Index != "" { // coreparam[name]
		name += "[" + p.Index + "]"
	}
	c.coreParam(name, p.Value, p.Pos)
}

// coreParam sets a global parameter.
func (c *config) coreParam(name string, value syntax.Value, pos diag.Pos) {
	row := core.Find(c.table, name)
	if row == nil {
		dg := diag.Diagnostic{Pos: pos, EndCol: pos.Col + len(name), Summary: fmt.Sprintf("unknown parameter %q", name)}
		if core.NotYet(name) {
			dg.Summary = fmt.Sprintf("parameter %s is not there yet", name)
			dg.Detail = "Kamailio has it; kahea does not do what it asks for, and does not pretend to"
		} else if near := c.diag.Nearest(name, append(core.Names(c.table), "listen", "alias", "domain", "mpath", "loadpath")); near != "" {
			dg.Detail = fmt.Sprintf("did you mean %q?", near)
		}
		c.diag.Add(dg)
		return
	}
	if err := row.Set(value); err != nil {
		c.diag.Errorf(pos, "%v", err)
	} else if row.Void != "" && c.origins["core."+row.Name] == (origin{}) {
		c.diag.Add(diag.Diagnostic{Severity: diag.Notice, Pos: pos, EndCol: pos.Col + len(name), Summary: fmt.Sprintf("%s changes nothing here: %s", name, row.Void)})
	}
	c.origins["core."+row.Name] = origin{pos: pos}
}

// groupVar sets the variable of a group: a core parameter, a module's, or one that it declares with that.
func (c *config) groupVar(g *syntax.GroupVar) {
	var err error
	switch {
	case g.HasID:
		c.runtime.inst = append(c.runtime.inst, g) // the variable may be declared below
		return
	case g.Group == "core" || g.Group == "tcp":
		err = fmt.Errorf("there is no variable %s.%s", g.Group, g.Name)
		for i := range c.table {
			t := &c.table[i]
			if t.Runtime == g.Group && (t.RTName == g.Name || t.RTName == "" && t.Name == g.Name) {
				err = t.Set(g.Value)
				c.origins["core."+t.Name] = origin{pos: g.Pos}
			}
		}
	default:
		for _, l := range c.loaded {
			if l.Name == g.Group {
				name := g.Name
				for i := range l.Table.Params {
					if p := &l.Table.Params[i]; p.Runtime == name {
						name = p.Name // realm_pref of registrar
						break
					}
				}
				if err := c.setParam(l, name, g.Value, g.Pos); err != nil {
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
	flags := c.flags
	if f.AVP {
		flags = c.avpFlags
	}
	taken := map[int]bool{}
	for _, n := range flags {
		taken[n] = true
	}
	for i, name := range f.Names {
		bit := f.Bits[i]
		if _, again := flags[name]; again && f.AVP {
			continue
		}
		if bit < 0 {
			for bit = 0; taken[bit]; bit++ {
			}
		}
		if bit > 31 {
			c.diag.Errorf(f.Pos, "flag %s: there are only 32", name)
			continue
		}
		taken[bit] = true
		flags[name] = bit
	}
}

// maxModuleSteps bounds the expressions for modules, whose machines a check has to make.
const maxModuleSteps = 1 << 17

// modParam sets a parameter of every module that the expression matches; each must have it.
func (c *config) modParam(p *syntax.ModParam) {
	if p.X {
		var ok bool
		if p, ok = c.evaluated(p); !ok {
			return
		}
	}
	if c.missing[p.Module] {
		return // loadmodule has said so
	}
	re := c.moduleExprs[p.Module]
	if re == nil {
		_, err := syntax.ParsePOSIX(p.Module, true, true) // as it is written, for the message
		whole, err2 := syntax.ParsePOSIX("^("+p.Module+")$", true, true)
		if err = cmp.Or(err, err2); err == nil {
			if c.moduleSteps += whole.Size(); c.moduleSteps > maxModuleSteps {
				err = fmt.Errorf("the expressions up to here need more than %d steps", maxModuleSteps)
			}
		}
		if err != nil {
			c.diag.Errorf(p.ModulePos, "modparam: %v", err)
			return
		}
		c.moduleExprs[p.Module], re = whole, whole
	}
	found := false
	for _, l := range c.loaded {
		if !re.Match([]byte(l.Name)) {
			continue
		}
		found = true
		if err := c.setParam(l, p.Name, p.Value, p.Pos); err != nil {
			c.badModParam(l, p.Name, p.NamePos, err)
		}
	}
	if !found {
		dg := diag.Diagnostic{Pos: p.ModulePos, Summary: fmt.Sprintf("modparam: no module matching %q is loaded", p.Module), Detail: "loadmodule has to stand above"}
		var names []string
		for _, l := range c.loaded {
			names = append(names, l.Name)
		}
		if near := c.diag.Nearest(p.Module, names); near != "" {
			dg.Detail = fmt.Sprintf("did you mean %q?", near)
		}
		c.diag.Add(dg)
	}
}

func (c *config) badModParam(l modules.Loaded, name string, pos diag.Pos, err error) {
	dg := diag.Diagnostic{Pos: pos, Summary: fmt.Sprintf("module %s: %v", l.Name, err)}
	var names []string
	for i := range l.Table.Params {
		names = append(names, l.Table.Params[i].Name)
	}
	if near := c.diag.Nearest(name, names); near != "" && near != name {
		dg.Detail = fmt.Sprintf("did you mean %q?", near)
	}
	c.diag.Add(dg)
}

// modParamArg obeys --modparam module:name:type:value.
func (c *config) modParamArg(arg string) error {
	f := strings.SplitN(arg, ":", 4)
	if len(f) != 4 || f[0] == "" || f[1] == "" {
		return fmt.Errorf("--modparam %s: want module:name:s:text or module:name:i:number", arg)
	}
	p := &syntax.ModParam{Module: regexp.QuoteMeta(f[0]), Name: f[1], Value: syntax.Value{Kind: syntax.StrValue, Str: f[3]}}
	switch f[2] {
	case "s":
	case "i":
		n, err := strconv.ParseInt(f[3], 10, 32)
		if err != nil {
			return fmt.Errorf("--modparam %s: %q is no number", arg, f[3])
		}
		p.Value = syntax.Value{Kind: syntax.IntValue, Int: n}
	default:
		return fmt.Errorf("--modparam %s: the type is %q, want s or i", arg, f[2])
	}
	c.modParam(p)
	c.origins[f[0]+"."+f[1]] = origin{option: "--modparam"}
	return nil
}

// setParam sets a module's parameter, unless it keeps the value of the start.
func (c *config) setParam(l modules.Loaded, name string, value syntax.Value, pos diag.Pos) error {
	v := modules.Value{Str: value.Str, Int: int(value.Int), IsInt: value.Kind == syntax.IntValue}
	c.settings[l.Name] = append(c.settings[l.Name], setting{name, v})
	c.origins[l.Name+"."+name] = origin{pos: pos}
	if c.opts.fixed.kept(l, name) {
		return nil
	}
	return modules.SetParam(l.Table.Params, name, v)
}

// overrides applies what the command line wins with.
func (c *config) overrides() {
	o, p := c.opts, c.par
	from := func(param, option string) { c.origins["core."+param] = origin{option: option} }
	if o.DebugSet {
		p.Debug = o.Debug
		from("debug", "-d")
	}
	if o.Stderr {
		p.LogStderr = true
		from("log_stderror", "-E")
	}
	if o.Colour {
		p.LogColor = true
		from("log_color", "-e")
	}
	for _, s := range []struct {
		dst           *string
		v             string
		param, option string
	}{
		{&p.User, o.User, "user", "-u"}, {&p.Group, o.Group, "group", "-g"}, {&p.Chroot, o.Chroot, "chroot", "-t"},
		{&p.Workdir, o.Workdir, "workdir", "-w"}, {&p.RunDir, o.RunDir, "rundir", "-Y"},
		{&p.IUID, o.IUID, "coreparam[iuid]", "--iuid"},
	} {
		if s.v != "" {
			*s.dst = s.v
			from(s.param, s.option)
		}
	}
	for _, n := range []struct {
		dst           *int
		v             int
		set           bool
		param, option string
	}{
		{&p.Children, o.Children, o.set["children"], "children", "-n"}, {&p.TCPChildren, o.TCPWorkers, o.set["tcp-children"], "tcp_children", "-N"},
		{&p.MaxBuffer, o.MaxBuffer, o.set["maxbuffer"], "maxbuffer", "-b"}, {&p.ShmSize, o.Shm, o.Shm > 0, "shm_mem_size", "-m"},
		{&p.MaxSndBuf, o.MaxSndBuf, o.set["maxsndbuffer"], "maxsndbuffer", "-B"},
	} {
		if n.set {
			*n.dst = n.v
			from(n.param, n.option)
		}
	}
	if o.CheckVia {
		p.CheckVia = true
		from("check_via", "-K")
	}
	if o.RevDNS {
		p.RevDNS = true
		from("rev_dns", "-R")
	}
	if p.Children == 0 {
		p.Children = core.Defaults("").Children
	}
	if p.TCPChildren <= 0 {
		p.TCPChildren, c.follows = p.Children, "tcp_children"
	}
	if o.NoTCP {
		p.DisableTCP = true
		from("disable_tcp", "-T")
	}
	switch o.AutoAlias {
	case "on", "yes":
		p.AutoAliases = true
		from("auto_aliases", "-a")
	case "off", "no":
		p.AutoAliases = false
		from("auto_aliases", "-a")
	}
	if o.Fork == 1 {
		p.Fork = false
		from("fork", "-D")
	}
	c.checkSockets()
	c.checkIdentity()
	none := diag.Pos{}
	if p.EnableTLS {
		c.diag.Errorf(none, "enable_tls=yes: TLS is not there yet")
	}
	if p.EnableSCTP == 1 {
		c.diag.Errorf(none, "enable_sctp=yes: SCTP is not there")
	}
}

// checkIdentity says which of user and group does not exist.
func (c *config) checkIdentity() {
	for _, x := range []struct{ param, user, group string }{{"user", c.par.User, ""}, {"group", "", c.par.Group}} {
		if _, err := procmgr.LookupIdentity(x.user, x.group); err != nil {
			at := c.origins["core."+x.param]
			if at.option != "" {
				err = fmt.Errorf("%s: %w", at.option, err)
			}
			c.diag.Errorf(at.pos, "%v", err)
		}
	}
}

// compiler compiles the script against the core and the loaded modules.
func (c *config) compiler() *compile.Compiler {
	funcs := core.Funcs()
	for _, l := range c.loaded {
		funcs = append(funcs, l.Table.Funcs...)
	}
	return compile.New(compile.Options{
		Vars: c.vars, Funcs: funcs, Defines: c.file.Defines, Flags: c.flags, AVPFlags: c.avpFlags, Mode: c.file.Mode,
		Elsewhere: c.elsewhere, Missing: c.notThere(),
		Select:    (&core.Selects{Cfg: c.runtime}).Parse,
		CfgGroup:  c.runtime.Group,
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

// notThere are the modules that loadmodule asked for in vain, unless a slip of the pen explains it.
func (c *config) notThere() (out []string) {
	for name := range c.missing {
		if c.diag.Nearest(name, modules.Names()) == "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// checkSockets looks at parameters of sockets that the table can not check.
func (c *config) checkSockets() {
	p := c.par
	for _, x := range []struct {
		name, text string
		v6         bool
	}{{"tcp_source_ipv4", p.TCPSourceIPv4, false}, {"tcp_source_ipv6", p.TCPSourceIPv6, true}} {
		if a, ok := route.ParseAddr([]byte(x.text)); x.text != "" && (!ok || a.Is6() != x.v6) {
			c.diag.Errorf(c.origins["core."+x.name].pos, "%s: got %q, want an address of that family", x.name, x.text)
		}
	}
	const haproxy = 128
	if o := c.origins["core.tcp_accept_protocols"]; o != (origin{}) && !c.diag.HasErrors() && p.TCPAcceptProtos&^haproxy != 0 {
		c.diag.Add(diag.Diagnostic{Severity: diag.Notice, Pos: o.pos, EndCol: o.pos.Col + len("tcp_accept_protocols"),
			Summary: "tcp_accept_protocols: of all protocols only haproxy means something here, because no module takes the others"})
	}
}
