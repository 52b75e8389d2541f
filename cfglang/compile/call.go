package compile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

// call compiles a core command or a module function.
func (k *Compiler) call(x *syntax.Call) route.Stmt {
	k.pos = x.Pos
	switch x.Name {
	case "route":
		return k.routeCall(x)
	case "forward", "forward_udp", "forward_tcp", "forward_tls", "forward_sctp":
		return k.forward(x)
	}
	fs := k.funcs[x.Name]
	if len(fs) == 0 {
		k.unknownFunc(x)
		return nil
	}
	var f *route.Func
	for i := len(fs) - 1; i >= 0 && f == nil; i-- {
		lo, hi := arity(fs[i].Args)
		if len(x.Args) >= lo && len(x.Args) <= hi {
			f = fs[i]
		}
	}
	if f == nil {
		lo, hi := arity(fs[len(fs)-1].Args)
		k.d.Add(diag.Diagnostic{Pos: x.Pos, EndCol: x.Pos.Col + len(x.Name),
			Summary: fmt.Sprintf("%s: got %s, want %s", x.Name, count(len(x.Args)), span(lo, hi))})
		return nil
	}
	allowed := f.From&k.kind != 0 || k.kind == route.InEvent && f.From&(route.InRequest|route.InEvent) != 0
	if !allowed {
		k.d.Add(diag.Diagnostic{Pos: x.Pos, EndCol: x.Pos.Col + len(x.Name),
			Summary: fmt.Sprintf("function %s cannot be used in %s", x.Name, blockName(k.kind)),
			Detail:  "it may be used in " + strings.ReplaceAll(f.From.String(), "|", ", ")})
		return nil
	}
	a := &route.Args{}
	kinds := strings.ReplaceAll(f.Args, "|", "")
	good := true
	for i, arg := range x.Args {
		v, ok := k.arg(x.Name, i, kinds[i], arg)
		good = good && ok
		a.Set(i, v)
	}
	if !good {
		return nil
	}
	k.pos = x.Pos
	run := f.Run
	if f.Compile != nil {
		g, err := f.Compile(k, a)
		if err != nil {
			k.errorAt(x.Pos, fmt.Errorf("%s: %w", x.Name, err))
			return nil
		}
		if f.Core {
			return g
		}
		return func(c *route.Ctx) int { return result(c, g(c)) }
	}
	if f.Core {
		return func(c *route.Ctx) int { return run(c, a) }
	}
	return func(c *route.Ctx) int { return result(c, run(c, a)) }
}

// result sets $rc; a module function that returns 0 ends the script.
func result(c *route.Ctx, rc int) int {
	c.RC = int64(rc)
	if rc == 0 {
		c.Flow |= route.FlowExit
	}
	return rc
}

func arity(args string) (lo, hi int) {
	i := strings.IndexByte(args, '|')
	if i < 0 {
		return len(args), len(args)
	}
	return i, len(args) - 1
}

func count(n int) string {
	if n == 1 {
		return "1 parameter"
	}
	return fmt.Sprintf("%d parameters", n)
}

func span(lo, hi int) string {
	if lo == hi {
		return strconv.Itoa(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

func (k *Compiler) unknownFunc(x *syntax.Call) {
	dg := diag.Diagnostic{Pos: x.Pos, EndCol: x.Pos.Col + len(x.Name), Summary: fmt.Sprintf("unknown function %q", x.Name)}
	dg.Detail = k.hint("function", x.Name, true, func() []string { return slices.Sorted(maps.Keys(k.funcs)) })
	if dg.Detail == "" {
		dg.Detail = k.unknownDetail("the module that has it must be loaded above the route that uses it")
	}
	k.d.Add(dg)
}

// arg compiles argument i (from 0) of the given kind.
func (k *Compiler) arg(fn string, i int, kind byte, x syntax.Expr) (a route.Arg, ok bool) {
	a.Kind = kind
	fail := func(format string, args ...any) (route.Arg, bool) {
		k.d.Errorf(x.Position(), "%s: parameter %d: %s", fn, i+1, fmt.Sprintf(format, args...))
		return a, false
	}
	if s, isConst := constText(x); isConst {
		x = &syntax.StrLit{Pos: x.Position(), Val: s}
	}
	k.pos = x.Position()
	switch x := x.(type) {
	case *syntax.IntLit:
		a.Const, a.IsNum, a.Num, a.Text = true, true, x.Val, strconv.AppendInt(nil, x.Val, 10)
	case *syntax.Unary, *syntax.Binary:
		if n, isConst := constInt(x); isConst {
			a.Const, a.IsNum, a.Num, a.Text = true, true, n, strconv.AppendInt(nil, n, 10)
		}
	case *syntax.StrLit:
		a.Const, a.Text = true, []byte(x.Val)
	case *syntax.Addr:
		a.Const, a.Text = true, []byte(x.Text)
	}
	switch kind {
	case 'S':
		if !a.Const {
			return fail("must be constant")
		}
		return a, true
	case 'f':
		n := a.Num
		if !a.IsNum {
			m, declared := k.Flag(string(a.Text))
			if !a.Const || !declared {
				k.d.Add(diag.Diagnostic{Pos: x.Position(), EndCol: endOf(x), Summary: fmt.Sprintf("%s: flag %q is not declared", fn, a.Text), Detail: k.flagHint(string(a.Text))})
				return a, false
			}
			n = int64(m)
		}
		if n < 0 || n > 31 {
			return fail("flag %d is not in 0 to 31", n)
		}
		a.IsNum, a.Num = true, n
		return a, true
	case 'r':
		if !a.Const {
			return fail("a regular expression must be constant")
		}
		re, err := syntax.ParsePOSIX(string(a.Text), false, true)
		if err != nil {
			return fail("%v", err)
		}
		k.neverMatches(x.Position(), re)
		a.RE = re
		return a, true
	case 'a':
		if a.Attr = k.attrArg(x); a.Attr == nil {
			return fail("must be an attribute: %%name")
		}
		return a, true
	case 'A':
		n, declared := k.o.AVPFlags[string(a.Text)]
		if !a.Const || !declared {
			return fail("avpflag %q is not declared: a line like \"avpflags NAME;\" declares it", a.Text)
		}
		a.Num = int64(n)
		return a, true
	case 'p', 'P':
		var text string
		switch x := x.(type) {
		case *syntax.PV:
			text = x.Text
		case *syntax.StrLit:
			text = strings.TrimSpace(x.Val)
		default:
			return fail("must be a variable")
		}
		v, err := k.ParsePV(text)
		if err != nil {
			k.errorAt(x.Position(), fmt.Errorf("%s: parameter %d: %w", fn, i+1, err))
			return a, false
		}
		if kind == 'P' && v.Set == nil {
			return fail("variable %s is read-only", text)
		}
		a.Const, a.PV = false, v
		return a, true
	}
	if lit, isStr := x.(*syntax.StrLit); isStr && (kind == 's' || kind == 'i') && strings.IndexByte(lit.Val, '$') >= 0 {
		f, err := k.ParseFormat(lit.Val)
		if err != nil {
			k.errorAt(x.Position(), fmt.Errorf("%s: parameter %d: %w", fn, i+1, err))
			return a, false
		}
		if b, isConst := f.Const(); isConst {
			a.Text = b
		} else {
			a.Const, a.Text, a.Fmt = false, nil, f
		}
	}
	if a.Const {
		if kind == 'I' || kind == 'i' {
			n, isNum := route.ParseInt(a.Text)
			if !isNum || len(a.Text) == 0 {
				return fail("%q is no number", a.Text)
			}
			a.IsNum, a.Num = true, n
		}
		return a, true
	}
	if kind == 'I' {
		return fail("must be a constant number")
	}
	if a.Fmt != nil {
		return a, true
	}
	e := k.expr(x)
	if e == nil {
		return a, false
	}
	get := e.asValue()
	a.Eval = func(c *route.Ctx) route.Value {
		v, ok := get(c)
		if !ok {
			return route.Null
		}
		return v
	}
	return a, true
}

// endOf is the column behind a bare word; 0: not known.
func endOf(x syntax.Expr) int {
	if a, ok := x.(*syntax.Addr); ok {
		return a.Pos.Col + len(a.Text)
	}
	return 0
}

// flagHint says which flags there are.
func (k *Compiler) flagHint(name string) string {
	names := slices.Sorted(maps.Keys(k.o.Flags))
	if near := k.d.Nearest(name, names); near != "" {
		return didYouMean(near)
	}
	if len(names) == 0 {
		return "flags are numbers from 0 to 31, or names that a line like \"flags NAME:5\" declares above"
	}
	return "declared are: " + strings.Join(names, " ")
}

// routeCall compiles route(NAME) and route(expression).
func (k *Compiler) routeCall(x *syntax.Call) route.Stmt {
	name, isConst := "", true
	switch a := x.Args[0].(type) {
	case *syntax.StrLit:
		name = a.Val
	case *syntax.Addr:
		name = a.Text
	case *syntax.IntLit:
		name = strconv.FormatInt(a.Val, 10)
	default:
		isConst = false
	}
	if isConst && strings.IndexByte(name, '$') < 0 {
		if name == "0" {
			prog := k.prog
			return func(c *route.Ctx) int { return c.Call(prog.Request) }
		}
		ref := k.Route(route.InRequest, name)
		return func(c *route.Ctx) int { return c.Call(ref.Route) }
	}
	k.dynamic = true
	a, ok := k.arg("route", 0, 's', x.Args[0])
	if !ok {
		return nil
	}
	args := &route.Args{}
	args.Set(0, a)
	prog := k.prog
	return func(c *route.Ctx) int {
		b, _ := args.Str(c, 0)
		for _, r := range prog.Named {
			if r.Kind == route.InRequest && r.Name == string(b) {
				return c.Call(r)
			}
		}
		c.Error("route(%s): there is no such route", b)
		return -1
	}
}
