package pv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"kahea/cfglang/route"
)

func xavpVars() []route.Var {
	return []route.Var{
		{Name: "xavp", Bind: bindXAVP(route.XAVP), Doc: "structured attribute of the transaction: $xavp(root), $xavp(root[0]=>field[0]); without the root's index assigning makes a new root"},
		{Name: "xavi", Bind: bindXAVP(route.XAVI), Doc: "as $xavp, names in any case"},
		{Name: "xavu", Bind: bindXAVP(route.XAVU), Doc: "as $xavp with one value a name: $xavu(name), $xavu(root=>field)"},
	}
}

// xref is a reference to a structured attribute; the indexes may be variables, and the names.
type xref struct {
	route.XRef
	rootPV, fieldPV     *route.PV // of the indexes
	rootName, fieldName *route.PV
}

var errOuterIndex = errors.New("the index stands in the parentheses: (name[0]) or (root[0]=>field[0])")

func parseXRef(e route.Env, kind route.XKind, s string) (*xref, error) {
	root, field, hasField := s, "", false
	if i := outside(s, "=>"); i >= 0 {
		root, field, hasField = s[:i], s[i+len("=>"):], true
	}
	x := &xref{XRef: route.XRef{Kind: kind}}
	var err error
	if x.Root, x.rootName, x.RootAt, x.rootPV, err = parseXName(e, root); err != nil {
		return nil, err
	}
	x.FieldAt.None = true
	if hasField {
		if x.Field, x.fieldName, x.FieldAt, x.fieldPV, err = parseXName(e, field); err != nil {
			return nil, err
		}
	}
	if kind == route.XAVU && (!x.RootAt.None || !x.FieldAt.None) {
		return nil, errIndex
	}
	return x, nil
}

// outside is where sep stands in s outside parentheses, -1 if nowhere.
func outside(s, sep string) int {
	depth := 0
	for i := range len(s) {
		switch {
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case depth == 0 && strings.HasPrefix(s[i:], sep):
			return i
		}
	}
	return -1
}

// parseXName reads name[index]; a name in a variable is nv, and name is not nil then.
func parseXName(e route.Env, s string) (name []byte, nv *route.PV, at route.XIndex, v *route.PV, err error) {
	s = strings.TrimSpace(s)
	n, rest, indexed := s, "", false
	if i := outside(s, "["); i >= 0 {
		n, rest, indexed = s[:i], s[i+1:], true
	}
	n = strings.TrimSpace(n)
	switch {
	case n == "":
		return nil, nil, at, nil, errWantName
	case strings.HasPrefix(n, "$"):
		if nv, err = e.ParsePV(n); err != nil {
			return nil, nil, at, nil, err
		}
	case outside(n, "=>") >= 0:
		return nil, nil, at, nil, fmt.Errorf("%q: there are two levels", s)
	}
	if !indexed {
		return []byte(n), nv, route.XIndex{None: true}, nil, nil
	}
	idx, ok := strings.CutSuffix(strings.TrimSpace(rest), "]")
	idx = strings.TrimSpace(idx)
	switch {
	case !ok:
		err = fmt.Errorf("missing ']' in %q", s)
	case idx == "*":
		at.All = true
	case strings.HasPrefix(idx, "$"):
		v, err = e.ParsePV(idx)
	default:
		if at.N, err = strconv.Atoi(idx); err != nil {
			err = fmt.Errorf("index %q is no number, variable or *", idx)
		}
	}
	return []byte(n), nv, at, v, err
}

var errEmptyName = errors.New("the variable with the name is empty")

// eval is the reference with its indexes and names read; false: a name is empty.
func (x *xref) eval(c *route.Ctx) (*route.XRef, bool) {
	if x.rootName != nil {
		if x.Root = x.rootName.Get(c).Text(c); len(x.Root) == 0 {
			return &x.XRef, false
		}
	}
	if x.fieldName != nil {
		if x.Field = x.fieldName.Get(c).Text(c); len(x.Field) == 0 {
			return &x.XRef, false
		}
	}
	if x.rootPV != nil {
		n, _ := x.rootPV.Get(c).Number()
		x.RootAt.N = int(n)
	}
	if x.fieldPV != nil {
		n, _ := x.fieldPV.Get(c).Number()
		x.FieldAt.N = int(n)
	}
	return &x.XRef, true
}

func bindXAVP(kind route.XKind) func(route.Env, *route.VarRef) (route.Getter, route.Setter, error) {
	return func(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		if r.Index.Kind != route.NoIndex {
			return nil, nil, errOuterIndex
		}
		x, err := parseXRef(e, kind, r.Inner)
		if err != nil {
			return nil, nil, err
		}
		return func(c *route.Ctx) route.Value {
				r, ok := x.eval(c)
				if !ok {
					return route.Null
				}
				return c.AVPs.XGet(c, r)
			}, func(c *route.Ctx, v route.Value) error {
				r, ok := x.eval(c)
				if !ok {
					return errEmptyName
				}
				return c.AVPs.XSet(c, r, v)
			}, nil
	}
}

func xavpFuncs() []route.Func {
	child := func(name string, kind route.XKind, num bool, doc string) route.Func {
		args := "sss"
		if num {
			args = "ssi"
		}
		return route.Func{Name: name, Args: args, From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			root, ok1 := a.Str(c, 0)
			field, ok2 := a.Str(c, 1)
			var v route.Value
			var ok3 bool
			if num {
				var n int64
				n, ok3 = a.Int(c, 2)
				v = route.Int(n)
			} else {
				var b []byte
				b, ok3 = a.Str(c, 2)
				v = route.Str(b)
			}
			if !ok1 || !ok2 || !ok3 || len(root) == 0 || len(field) == 0 {
				return -1
			}
			if err := c.AVPs.XChild(c, kind, root, field, v); err != nil {
				c.Error("%s: %v", name, err)
				return -1
			}
			return 1
		}}
	}
	return []route.Func{
		child("xavp_child_seti", route.XAVP, true, "set a field of the newest root to a number"),
		child("xavp_child_sets", route.XAVP, false, "set a field of the newest root to a text"),
		child("xavi_child_seti", route.XAVI, true, "as xavp_child_seti"),
		child("xavi_child_sets", route.XAVI, false, "as xavp_child_sets"),
	}
}
