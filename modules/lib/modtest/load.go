package modtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
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
	"kahea/sipparse"
)

// loader makes modules and parameters of a configuration text.
type loader struct {
	par      *core.Config
	table    []core.Param
	file     *syntax.File
	vars     *pv.Table
	loaded   []modules.Loaded
	net      *route.Net
	flags    map[string]int
	avpFlags map[string]int
	diag     diag.List
}

// load reads the text; what is wrong is in l.diag.
func load(text string) (*loader, error) {
	l := &loader{par: core.Defaults("0.0.0 (test)"), vars: pv.NewTable(), flags: map[string]int{}, avpFlags: map[string]int{}, net: &route.Net{}}
	l.par.Debug = 2
	l.table = l.par.Params()
	if err := l.vars.AddVars(core.Vars()); err != nil {
		return nil, err
	}
	l.file = syntax.ParseText("test.cfg", []byte(text), syntax.Options{ModuleDefines: true}, &l.diag)
	for _, it := range l.file.Items {
		switch it := it.(type) {
		case *syntax.Param:
			l.param(it)
		case *syntax.LoadModule:
			l.module(it)
		case *syntax.ModParam:
			l.modParam(it)
		case *syntax.Flags:
			flags := l.flags
			if it.AVP {
				flags = l.avpFlags
			}
			for i, n := range it.Names {
				bit := it.Bits[i]
				if bit < 0 {
					bit = len(flags)
				}
				flags[n] = bit
			}
		}
	}
	if len(l.net.Sockets) == 0 {
		l.listen(sipparse.UDP, netip.MustParseAddrPort("127.0.0.1:5060"), nil)
	}
	return l, nil
}

func (l *loader) param(p *syntax.Param) {
	switch p.Name {
	case "listen":
		for _, id := range p.Sockets {
			proto, ok := sipparse.ParseProto([]byte(id.Proto))
			ip, isIP := route.ParseAddr([]byte(id.Hosts[0]))
			if !ok || !isIP {
				l.diag.Errorf(p.Pos, "listen: a test wants proto:address[:port]")
				return
			}
			port := id.Port
			if port == 0 {
				port = l.par.Port
			}
			l.listen(proto, netip.AddrPortFrom(ip, uint16(port)), p)
		}
		return
	case "alias":
		for _, id := range p.Sockets {
			proto, _ := sipparse.ParseProto([]byte(id.Proto)) // none: any
			for _, h := range id.Hosts {
				l.net.Aliases = append(l.net.Aliases, route.Alias{Proto: proto, Host: []byte(h), Port: uint16(id.Port)})
			}
		}
		return
	}
	row := core.Find(l.table, p.Name)
	if row == nil {
		l.diag.Errorf(p.Pos, "unknown parameter %q", p.Name)
		return
	}
	if err := row.Set(p.Value); err != nil {
		l.diag.Errorf(p.Pos, "%v", err)
	}
}

func (l *loader) listen(proto sipparse.Proto, addr netip.AddrPort, p *syntax.Param) {
	host := addr.Addr().String()
	if addr.Addr().Is6() {
		host = "[" + host + "]"
	}
	s := &route.Socket{Index: len(l.net.Sockets), Proto: proto, Addr: addr, Host: []byte(host), Loop: addr.Addr().IsLoopback(),
		Text: fmt.Appendf(nil, "%s:%s:%d", proto, host, addr.Port())}
	if p != nil && p.Adv != nil {
		s.AdvHost, s.AdvPort = []byte(p.Adv.Hosts[0]), uint16(p.Adv.Port)
	}
	if p != nil && p.SockName != "" {
		s.Name = []byte(p.SockName)
	}
	l.net.Sockets = append(l.net.Sockets, s)
}

func (l *loader) module(x *syntax.LoadModule) {
	name := strings.TrimSuffix(filepath.Base(x.Name), ".so")
	m := modules.New(name)
	if m == nil {
		l.diag.Errorf(x.Pos, "there is no module %q: the test must import it", name)
		return
	}
	d := modules.Loaded{Name: name, Module: m, Table: m.Exports()}
	if err := errors.Join(l.vars.AddVars(d.Table.Vars), l.vars.AddTrans(d.Table.Trans)); err != nil {
		l.diag.Errorf(x.Pos, "module %s: %v", name, err)
	}
	l.loaded = append(l.loaded, d)
}

func (l *loader) modParam(p *syntax.ModParam) {
	re, err := regexp.Compile("(?i)^(?:" + p.Module + ")$")
	if err != nil {
		l.diag.Errorf(p.ModulePos, "modparam: %v", err)
		return
	}
	found := false
	for _, d := range l.loaded {
		if !re.MatchString(d.Name) {
			continue
		}
		found = true
		if err := modules.SetParam(d.Table.Params, p.Name, modules.Value{Str: p.Value.Str, Int: int(p.Value.Int), IsInt: p.Value.Kind == syntax.IntValue}); err != nil {
			l.diag.Errorf(p.NamePos, "module %s: %v", d.Name, err)
		}
	}
	if !found {
		l.diag.Errorf(p.ModulePos, "modparam: no module matching %q is loaded", p.Module)
	}
}

func (l *loader) compiler() *compile.Compiler {
	funcs := core.Funcs()
	for _, d := range l.loaded {
		funcs = append(funcs, d.Table.Funcs...)
	}
	return compile.New(compile.Options{Vars: l.vars, Funcs: funcs, Defines: l.file.Defines, Flags: l.flags, AVPFlags: l.avpFlags, Mode: l.file.Mode,
		RawReturn: l.par.ReturnMode == 1,
		Select:    (&core.Selects{}).Parse,
		Modules: func(name string) any {
			for _, d := range l.loaded {
				if d.Name == name {
					return d.Module
				}
			}
			return nil
		},
	}, &l.diag)
}

// err is the diagnostics as one error, nil if there is no error among them.
func (l *loader) err() error {
	if !l.diag.HasErrors() {
		return nil
	}
	var b bytes.Buffer
	if err := l.diag.Write(&b, false); err != nil {
		return err
	}
	return errors.New(b.String())
}
