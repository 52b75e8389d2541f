package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kahea/cfglang/diag"
	"kahea/cfglang/pv"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

// Options are what a program is compiled against.
type Options struct {
	Vars  *pv.Table
	Funcs []route.Func // the core's first, then the modules' in load order: later ones shadow earlier ones of equal arity
	// FuncModule tells from which module a function comes, for messages; may be nil.
	Modules  func(name string) any
	Defines  []syntax.Define
	Flags    map[string]int // declared by flags
	AVPFlags map[string]int
	Resolve  func(host string) ([]byte, error) // constant host names of forward(); nil: none
	// SIPMode is the compatibility mode's treatment of $name that is no known variable.
	Mode syntax.Mode
	// Select compiles a select (@...); nil: there are none.
	Select func(text string) (route.Getter, error)
	// CfgGroup finds a group of the run-time configuration; nil: there is none.
	CfgGroup func(name string) (*route.CfgGroup, error)
	// RawReturn is return_mode=1: calls in expressions yield their code, and a condition is true unless it is 0.
	RawReturn bool
	// Elsewhere names a module that is not loaded and has the function, "$variable" or transformation class; "": none has it. May be nil.
	Elsewhere func(name string) string
	// Missing are modules that the configuration loads and that are not there: what is unknown may be theirs.
	Missing []string
}

// Compiler compiles one configuration. It implements route.Env for the functions and variables that it meets.
type Compiler struct {
	o       Options
	d       *diag.List
	pos     diag.Pos
	kind    route.Mask
	title   string // name of the block that is compiled, as Kamailio calls it; "" outside blocks
	prog    *route.Program
	pending []pendingRef
	funcs   map[string][]*route.Func
	defined map[routeKey]*route.Route
	used    map[routeKey]bool
	hints   map[string]string   // what was found out about unknown names
	matches map[string]*matcher // of the patterns so far
	dynamic bool                // a route() whose name is known at run time only
}

type routeKey struct {
	kind route.Mask
	name string
}

type pendingRef struct {
	ref  *route.RouteRef
	kind route.Mask
	pos  diag.Pos
}

// New makes a compiler; formats and variables of module parameters may be compiled with it before Compile.
func New(o Options, d *diag.List) *Compiler {
	k := &Compiler{o: o, d: d, prog: &route.Program{}, funcs: map[string][]*route.Func{}, defined: map[routeKey]*route.Route{}, used: map[routeKey]bool{}, hints: map[string]string{}, matches: map[string]*matcher{}}
	for i := range o.Funcs {
		f := &o.Funcs[i]
		k.funcs[f.Name] = append(k.funcs[f.Name], f)
		for _, a := range f.Aliases {
			k.funcs[a] = append(k.funcs[a], f)
		}
	}
	return k
}

// Compile compiles all blocks of f. The result is nil when an error was reported.
func (k *Compiler) Compile(f *syntax.File) *route.Program {
	type job struct {
		r    *route.Route
		body []*syntax.Block
	}
	var jobs []*job
	main := map[route.Mask]*job{}
	for _, it := range f.Items {
		s, ok := it.(*syntax.Route)
		if !ok {
			continue
		}
		kind, named := kindOf(s)
		if !named {
			if j := main[kind]; j != nil {
				j.body = append(j.body, s.Body)
				continue
			}
			j := &job{r: &route.Route{Kind: kind, Name: s.Name, ID: route.RouteID(kind, "0")}, body: []*syntax.Block{s.Body}}
			main[kind] = j
			jobs = append(jobs, j)
			continue
		}
		key := routeKey{kind, s.Name}
		if k.defined[key] != nil {
			continue // the parser has said so
		}
		r := &route.Route{Kind: kind, Name: s.Name, ID: route.RouteID(kind, s.Name)}
		k.defined[key] = r
		k.prog.Named = append(k.prog.Named, r)
		jobs = append(jobs, &job{r: r, body: []*syntax.Block{s.Body}})
	}
	if j := main[route.InRequest]; j != nil {
		k.prog.Request = j.r
	}
	if j := main[route.InReply]; j != nil {
		k.prog.Reply = j.r
	}
	if j := main[route.InOnSend]; j != nil {
		k.prog.OnSend = j.r
	}
	k.prog.DefaultOf = map[route.Mask]*route.Route{}
	for _, m := range []route.Mask{route.InFailure, route.InBranch} {
		if j := main[m]; j != nil {
			k.prog.DefaultOf[m] = j.r
		}
	}
	for _, j := range jobs {
		k.kind, k.title = j.r.Kind, blockTitle(j.r)
		var stmts []syntax.Stmt
		for _, b := range j.body {
			stmts = append(stmts, b.Stmts...)
		}
		j.r.Body = k.stmts(stmts)
	}
	for _, p := range k.pending {
		key := routeKey{p.kind, p.ref.Name}
		if p.ref.Route = k.defined[key]; p.ref.Route == nil {
			name := blockName(p.kind)
			detail := k.hint(name, p.ref.Name, false, func() []string { return k.routeNames(p.kind) })
			k.d.Add(diag.Diagnostic{Pos: p.pos, Summary: fmt.Sprintf("there is no %s[%s]", name, p.ref.Name), Detail: detail})
		}
	}
	if k.d.HasErrors() {
		return nil
	}
	k.unusedRoutes(f)
	return k.prog
}

// routeNames are the routes of a kind, sorted.
func (k *Compiler) routeNames(kind route.Mask) (names []string) {
	for d := range k.defined {
		if d.kind == kind {
			names = append(names, d.name)
		}
	}
	slices.Sort(names)
	return names
}

func kindOf(s *syntax.Route) (kind route.Mask, named bool) {
	switch s.Kind {
	case syntax.RequestRoute:
		return route.InRequest, s.Name != "" && s.Name != "0"
	case syntax.FailureRoute:
		return route.InFailure, s.Name != "" && s.Name != "0"
	case syntax.ReplyRoute:
		return route.InReply, false
	case syntax.OnReplyRoute:
		if s.Name == "" || s.Name == "0" {
			return route.InReply, false
		}
		return route.InOnReply, true
	case syntax.BranchRoute:
		return route.InBranch, s.Name != "" && s.Name != "0"
	case syntax.OnSendRoute:
		return route.InOnSend, false
	}
	return route.InEvent, true
}

func blockName(kind route.Mask) string {
	switch kind {
	case route.InRequest:
		return "route"
	case route.InOnReply:
		return "onreply_route"
	}
	return kind.String()
}

func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", near)
}

// ParsePV, ParseFormat, Route, Pos, Module, Define and Select are route.Env.
func (k *Compiler) ParsePV(text string) (*route.PV, error) { return pv.Parse(k.o.Vars, k, text) }

func (k *Compiler) ParseFormat(text string) (*route.Format, error) {
	return pv.Format(k.o.Vars, k, text)
}

func (k *Compiler) Route(kind route.Mask, name string) *route.RouteRef {
	r := &route.RouteRef{Name: name}
	k.pending = append(k.pending, pendingRef{r, kind, k.pos})
	k.used[routeKey{kind, name}] = true
	return r
}

func (k *Compiler) Block() string { return k.title }

// blockTitle is Kamailio's name of a block: that in its brackets, or one for each kind.
func blockTitle(r *route.Route) string {
	if r.Name != "" {
		return r.Name
	}
	switch r.Kind {
	case route.InRequest:
		return "DEFAULT_ROUTE"
	case route.InOnSend:
		return "DEFAULT_SEND"
	case route.InFailure:
		return "DEFAULT_FAILURE"
	case route.InBranch:
		return "DEFAULT_BRANCH"
	}
	return "DEFAULT_ONREPLY"
}

func (k *Compiler) Pos() (string, int) {
	if k.pos.Src == nil {
		return "", 0
	}
	return k.pos.Src.Name, k.pos.Line
}

func (k *Compiler) Module(name string) any {
	if k.o.Modules == nil {
		return nil
	}
	return k.o.Modules(name)
}

func (k *Compiler) Define(name string) (string, bool) {
	for i := range k.o.Defines {
		if k.o.Defines[i].Name == name {
			return k.o.Defines[i].Value, true
		}
	}
	return "", false
}

// Select compiles a select, with or without its '@'.
func (k *Compiler) Select(text string) (route.Getter, error) {
	if k.o.Select == nil {
		return nil, fmt.Errorf("select %q: there are no selects", text)
	}
	return k.o.Select(text)
}

// CfgGroup is a group of the run-time configuration.
func (k *Compiler) CfgGroup(name string) (*route.CfgGroup, error) {
	if k.o.CfgGroup == nil {
		return nil, fmt.Errorf("there is no group %q", name)
	}
	return k.o.CfgGroup(name)
}

// Flag is the number of a flag: a declared name.
func (k *Compiler) Flag(name string) (int, bool) { n, ok := k.o.Flags[name]; return n, ok }

// maxHints is how many unknown names are looked into: a file that is no configuration has many.
const maxHints = 100

// hint says which module would have to be loaded for a name, or which known name is like it.
func (k *Compiler) hint(kind, name string, loadable bool, known func() []string) string {
	key := kind + " " + name
	h, ok := k.hints[key]
	if ok || len(k.hints) > maxHints {
		return h
	}
	if loadable && k.o.Elsewhere != nil {
		if m := k.o.Elsewhere(name); m != "" {
			h = fmt.Sprintf("module %s has it: loadmodule %q above", m, m+".so")
		}
	}
	if h == "" {
		h = didYouMean(k.d.Nearest(name, known()))
	}
	k.hints[key] = h
	return h
}

// unknownDetail is what is said of a name that nothing is like.
func (k *Compiler) unknownDetail(usual string) string {
	if len(k.o.Missing) == 0 {
		return usual
	}
	return "it may be of a module that is missing: " + strings.Join(k.o.Missing, ", ")
}

// errorAt reports err at p, with a suggestion when a name is unknown.
func (k *Compiler) errorAt(p diag.Pos, err error) {
	dg := diag.Diagnostic{Pos: p, Summary: err.Error()}
	var u *pv.UnknownError
	if errors.As(err, &u) {
		dg.Pos, dg.EndCol = p.Within(u.Name)
		dg.Detail = k.hint(u.What, u.Name, u.What == "variable" || u.What == "transformation class", func() []string { return u.Known })
		if u.What == "variable" && dg.Detail == "" {
			dg.Detail = k.unknownDetail("the module that defines it must be loaded before it is used")
		}
	}
	k.d.Add(dg)
}
