// Package pv has the pseudo-variables that every configuration uses, the transformations of strings, URIs, parameters and addresses, and
// the functions that test variables. A variable is resolved once, when the script is compiled: what runs per message is a closure that
// neither looks up a name nor allocates. Values point into the message or into its scratch memory.
package pv

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
)

func init() {
	modules.Register("pv", func() modules.Module { return &mod{} })
}

var (
	_ modules.Module       = (*mod)(nil)
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
)

type mod struct {
	h       *modules.Host // nil until Setup
	slots   []*slot       // script variables met before Setup
	sets    []varset      // modparam varset
	aliases map[string]avpName
	shared  []*shv  // $shv met so far
	list    *shared // nil until Init
	arena   *shm.Arena
}

func (m *mod) Exports() modules.Exports {
	x := modules.Exports{
		Params: []modules.Param{
			{Name: "varset", Func: m.paramVarset, Type: modules.StrParam, Doc: `start value of a $var: "name=s:text" or "name=i:1"`},
			{Name: "avp_aliases", Func: m.paramAliases, Type: modules.StrParam, Doc: `other names of AVPs: "alias=s:name;alias2=i:5"`},
			{Name: "shvset", Func: m.paramShared, Type: modules.StrParam, Doc: `start value of a $shv: "name=s:text" or "name=i:1"`},
		},
		Funcs: slices.Concat(m.funcs(), xavpFuncs(), xavpParamFuncs(), xavpListFuncs(), xavpVarFuncs(), sbranchFuncs()),
		Trans: transformations(),
		RPC:   m.commands(),
	}
	for _, l := range [][]route.Var{m.scriptVars(), m.avpVars(), xavpVars(), m.sharedVars(), uriVars(), dstVars(), branchVars(), flagVars(), headerVars(), addressVars(), authVars(),
		messageVars(), replyVars(), msgbufVars(), sbranchVars(), m.versionVars(), networkVars(), m.processVars(), timeVars(), constVars()} {
		x.Vars = append(x.Vars, l...)
	}
	return x
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	for _, s := range m.slots {
		s.n = h.Vars.Slot(s.kind, s.name)
	}
	m.slots = nil
	for _, s := range m.sets {
		n := h.Vars.Slot(route.VarZero, s.name)
		h.Vars.Set(nil, n, s.val)
	}
	return nil
}

// Init and InitWorker open the shared variables: in main before the children, and in each of these.
func (m *mod) Init(h *modules.Host) error { return m.openShared(h.Arena) }

func (m *mod) InitWorker(h *modules.Host, _ int) error { return m.openShared(h.Arena) }

var (
	errWantString = errors.New("a string is needed")
	errWantInt    = errors.New("a number is needed")
	errWantName   = errors.New("a name in parentheses is missing")
	errNoInner    = errors.New("it takes no name in parentheses")
	errNull       = errors.New("$null can not be assigned")
)

// isStr says whether a value that was assigned has text of its own; Kamailio's setters of URIs do not take bare numbers.
func isStr(v route.Value) bool { return v.Flags&route.FlagStr != 0 && !v.IsNull() }

// text is Null for an empty text.
func text(b []byte) route.Value {
	if len(b) == 0 {
		return route.Null
	}
	return route.Str(b)
}

// get makes a read-only variable.
func get(name, doc string, f route.Getter) route.Var { return route.Var{Name: name, Get: f, Doc: doc} }

// choice makes a read-only variable whose inner name selects one of fixed getters.
func choice(name, doc string, of map[string]route.Getter) route.Var {
	return route.Var{Name: name, Doc: doc, Bind: func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		if r.Index.Kind != route.NoIndex {
			return nil, nil, errIndex
		}
		f := of[r.Inner]
		if f == nil {
			return nil, nil, unknownInner(r, of)
		}
		return f, nil, nil
	}}
}

var errIndex = errors.New("it takes no index")

func unknownInner[T any](r *route.VarRef, of map[string]T) error {
	names := make([]string, 0, len(of))
	for k := range of {
		names = append(names, k)
	}
	sort.Strings(names)
	return fmt.Errorf("got (%s), want one of %s", r.Inner, strings.Join(names, " "))
}
