package compile

import (
	"bytes"
	"fmt"
	"strings"

	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

type typ uint8

const (
	tInt typ = iota
	tStr
	tDyn // only the value knows: variables
)

// ok is false when the expression can not be evaluated (a text that is no number where one is needed, division by zero).
type (
	intFn func(c *route.Ctx) (n int64, ok bool)
	strFn func(c *route.Ctx) (b []byte, ok bool)
	valFn func(c *route.Ctx) (v route.Value, ok bool)
)

// expr is a compiled expression: exactly one of the functions is set, by its type.
type expr struct {
	typ     typ
	int     intFn
	str     strFn
	val     route.Getter
	whole   intFn // of tDyn, may be nil: the value when it is an integer; not ok: val says what it is. It calls no functions, so that both may be asked
	isConst bool
	n       int64
	s       []byte
	pv      *route.PV    // a bare variable
	sel     route.Getter // a bare select
	pos     syntax.Pos
}

func (e *expr) asInt() intFn {
	switch e.typ {
	case tInt:
		return e.int
	case tStr:
		f := e.str
		return func(c *route.Ctx) (int64, bool) {
			b, ok := f(c)
			if !ok {
				return 0, false
			}
			return route.ParseInt(b)
		}
	}
	f := e.val
	if whole := e.whole; whole != nil {
		return func(c *route.Ctx) (int64, bool) {
			if n, ok := whole(c); ok {
				return n, true
			}
			return f(c).Number()
		}
	}
	return func(c *route.Ctx) (int64, bool) {
		v := f(c)
		if v.Flags&route.FlagInt != 0 {
			return v.Int, true
		}
		return v.Number()
	}
}

func (e *expr) asStr() strFn {
	switch e.typ {
	case tInt:
		f := e.int
		return func(c *route.Ctx) ([]byte, bool) {
			n, ok := f(c)
			return c.Scratch.Int(n), ok
		}
	case tStr:
		return e.str
	}
	f := e.val
	return func(c *route.Ctx) ([]byte, bool) { return f(c).Text(c), true }
}

func (e *expr) asValue() valFn {
	switch e.typ {
	case tInt:
		f := e.int
		return func(c *route.Ctx) (route.Value, bool) {
			n, ok := f(c)
			return route.Int(n), ok
		}
	case tStr:
		f := e.str
		return func(c *route.Ctx) (route.Value, bool) {
			b, ok := f(c)
			return route.Str(b), ok
		}
	}
	f := e.val
	return func(c *route.Ctx) (route.Value, bool) { return f(c), true }
}

func intExpr(f intFn) *expr { return &expr{typ: tInt, int: f} }

// cond compiles a condition: true when the value is greater than zero, with return_mode=1 when it is not zero (core.md 6.5).
func (k *Compiler) cond(x syntax.Expr) func(c *route.Ctx) bool {
	// comparisons and calls are the common cases and need no integer in between
	switch x := x.(type) {
	case *syntax.Unary:
		if x.Op == "!" {
			e := k.expr(x.X)
			if e == nil {
				return nil
			}
			f := e.asInt()
			return func(c *route.Ctx) bool {
				n, ok := f(c)
				return ok && n == 0
			}
		}
	}
	e := k.expr(x)
	if e == nil {
		return nil
	}
	if e.isConst && e.typ == tStr {
		k.d.Warnf(x.Position(), "the condition is a constant string: it is never true unless it is a number")
	}
	f := e.asInt()
	if k.o.RawReturn {
		return func(c *route.Ctx) bool {
			n, ok := f(c)
			return ok && n != 0
		}
	}
	return func(c *route.Ctx) bool {
		n, ok := f(c)
		return ok && n > 0
	}
}

// expr compiles x; nil after an error was reported.
func (k *Compiler) expr(x syntax.Expr) *expr {
	k.pos = x.Position()
	raw := k.o.RawReturn
	var e *expr
	switch x := x.(type) {
	case *syntax.IntLit:
		n := x.Val
		e = &expr{typ: tInt, isConst: true, n: n, int: func(*route.Ctx) (int64, bool) { return n, true }}
	case *syntax.StrLit:
		b := []byte(x.Val)
		e = &expr{typ: tStr, isConst: true, s: b, str: func(*route.Ctx) ([]byte, bool) { return b, true }}
	case *syntax.PV:
		v, err := k.ParsePV(x.Text)
		if err != nil {
			k.errorAt(x.Pos, err)
			return nil
		}
		e = &expr{typ: tDyn, val: v.Get, pv: v, whole: v.GetInt}
	case *syntax.Call:
		f := k.call(x)
		if f == nil {
			return nil
		}
		e = intExpr(func(c *route.Ctx) (int64, bool) {
			rc := f(c)
			c.Flow &^= route.FlowBreak | route.FlowReturn
			if raw {
				return int64(rc), true
			}
			return b2i(rc > 0), true
		})
	case *syntax.BlockExpr:
		f := k.block(x.Block)
		e = intExpr(func(c *route.Ctx) (int64, bool) {
			rc := f(c)
			c.Flow &^= route.FlowBreak | route.FlowReturn
			if raw {
				return int64(rc), true
			}
			return b2i(rc > 0), true
		})
	case *syntax.ParenAssign:
		f := k.assign(x.Assign)
		if f == nil {
			return nil
		}
		e = intExpr(func(c *route.Ctx) (int64, bool) { return b2i(f(c) > 0), true })
	case *syntax.Cond:
		e = k.coreCond(x)
	case *syntax.Unary:
		e = k.unary(x)
	case *syntax.Binary:
		e = k.binary(x)
	case *syntax.SelVal:
		e = k.selval(x)
	case *syntax.Addr:
		b := []byte(x.Text)
		e = &expr{typ: tStr, isConst: true, s: b, str: func(*route.Ctx) ([]byte, bool) { return b, true }}
	case *syntax.Select:
		get, err := k.Select(x.Text)
		if err != nil {
			k.errorAt(x.Pos, err)
			return nil
		}
		// a select is a string, "" when it is undefined; only "defined" sees the difference
		e = &expr{typ: tStr, sel: get, str: func(c *route.Ctx) ([]byte, bool) { return get(c).Text(c), true }}
	case *syntax.Avp:
		v := k.attribute(x, "$avp(%s)")
		if v == nil {
			return nil
		}
		e = &expr{typ: tDyn, val: v.Get, pv: v}
	default:
		k.d.Errorf(x.Position(), "expression is not supported here")
		return nil
	}
	if e != nil {
		e.pos = x.Position()
	}
	return e
}

// attribute compiles %name, which is the AVP of that name: reading takes the newest value, assigning replaces all.
func (k *Compiler) attribute(x *syntax.Avp, as string) *route.PV {
	name, ok := strings.CutPrefix(x.Text, "%")
	if !ok || strings.ContainsAny(name, ".[") {
		k.d.Errorf(x.Pos, "attribute %s: classes and indexes are not there yet: write %%name or $avp(name)", x.Text)
		return nil
	}
	v, err := k.ParsePV(fmt.Sprintf(as, name))
	if err != nil {
		k.errorAt(x.Pos, err)
		return nil
	}
	return v
}

func (k *Compiler) unary(x *syntax.Unary) *expr {
	e := k.expr(x.X)
	if e == nil {
		return nil
	}
	switch x.Op {
	case "!", "-", "~":
		if e.isConst && e.typ == tStr {
			k.d.Errorf(x.X.Position(), "%q is a string where a number is needed", e.s)
			return nil
		}
		f := e.asInt()
		var op intFn
		switch x.Op {
		case "!":
			op = func(c *route.Ctx) (int64, bool) { n, ok := f(c); return b2i(n == 0), ok }
		case "-":
			op = func(c *route.Ctx) (int64, bool) { n, ok := f(c); return -n, ok }
		default:
			op = func(c *route.Ctx) (int64, bool) { n, ok := f(c); return ^n, ok }
		}
		r := intExpr(op)
		if n, ok := constInt(x); ok {
			r = &expr{typ: tInt, isConst: true, n: n, int: func(*route.Ctx) (int64, bool) { return n, true }}
		}
		return r
	case "(int)":
		return intExpr(e.asInt())
	case "(str)":
		return &expr{typ: tStr, str: e.asStr()}
	case "defined":
		f := e.val
		if e.sel != nil {
			f = e.sel
		}
		if f == nil {
			return intExpr(func(*route.Ctx) (int64, bool) { return 1, true })
		}
		return intExpr(func(c *route.Ctx) (int64, bool) { return b2i(!f(c).IsNull()), true })
	case "strlen":
		f := e.asStr()
		return intExpr(func(c *route.Ctx) (int64, bool) { b, ok := f(c); return int64(len(b)), ok })
	case "strempty":
		f := e.asStr()
		return intExpr(func(c *route.Ctx) (int64, bool) { b, ok := f(c); return b2i(len(b) == 0), ok })
	}
	k.d.Errorf(x.Pos, "operator %s is not supported", x.Op)
	return nil
}

func (k *Compiler) selval(x *syntax.SelVal) *expr {
	cond, a, b := k.cond(x.Cond), k.expr(x.Then), k.expr(x.Else)
	if cond == nil || a == nil || b == nil {
		return nil
	}
	av, bv := a.asValue(), b.asValue()
	return &expr{typ: tDyn, val: func(c *route.Ctx) route.Value {
		f := bv
		if cond(c) {
			f = av
		}
		if v, ok := f(c); ok {
			return v
		}
		return route.Null
	}}
}

func (k *Compiler) binary(x *syntax.Binary) *expr {
	if e, done := k.condCompare(x); done {
		return e
	}
	l := k.expr(x.L)
	r := k.expr(x.R)
	if l == nil || r == nil {
		return nil
	}
	switch x.Op {
	case "||", "&&":
		lf, rf := l.asInt(), r.asInt()
		if x.Op == "||" {
			return intExpr(func(c *route.Ctx) (int64, bool) {
				n, ok := lf(c)
				if !ok || n != 0 || c.Flow != 0 {
					return b2i(n != 0), ok
				}
				n, ok = rf(c)
				return b2i(n != 0), ok
			})
		}
		return intExpr(func(c *route.Ctx) (int64, bool) {
			n, ok := lf(c)
			if !ok || n == 0 || c.Flow != 0 {
				return b2i(n != 0), ok
			}
			n, ok = rf(c)
			return b2i(n != 0), ok
		})
	case "==", "!=", "eq", "ne", "ieq", "ine":
		return k.equal(x, l, r)
	case "=~":
		return k.match(x, l, r)
	case "+":
		return k.plus(x, l, r)
	}
	for _, e := range []*expr{l, r} {
		if e.isConst && e.typ == tStr {
			k.d.Errorf(e.pos, "%q is a string where operator %s needs a number", e.s, x.Op)
			return nil
		}
	}
	if r.isConst && r.typ == tInt {
		if e := arithConst(x.Op, l.asInt(), r.n); e != nil {
			return e
		}
	}
	return k.arith(x.Op, l.asInt(), r.asInt(), x)
}

// arithConst compiles the commonest operators with a constant on the right; nil: arith does it.
func arithConst(op string, l intFn, b int64) *expr {
	switch op {
	case "<":
		return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return b2i(a < b), ok })
	case ">":
		return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return b2i(a > b), ok })
	case "<=":
		return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return b2i(a <= b), ok })
	case ">=":
		return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return b2i(a >= b), ok })
	case "-":
		return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return a - b, ok })
	case "*":
		return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return a * b, ok })
	case "/", "mod":
		if b == 0 {
			return nil
		}
		if op == "/" {
			return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return a / b, ok })
		}
		return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return a % b, ok })
	case "&":
		return intExpr(func(c *route.Ctx) (int64, bool) { a, ok := l(c); return a & b, ok })
	}
	return nil
}

func (k *Compiler) arith(op string, l, r intFn, x *syntax.Binary) *expr {
	var f func(a, b int64) (int64, bool)
	switch op {
	case "-":
		f = func(a, b int64) (int64, bool) { return a - b, true }
	case "*":
		f = func(a, b int64) (int64, bool) { return a * b, true }
	case "/":
		f = func(a, b int64) (int64, bool) {
			if b == 0 {
				return 0, false
			}
			return a / b, true
		}
	case "mod":
		f = func(a, b int64) (int64, bool) {
			if b == 0 {
				return 0, false
			}
			return a % b, true
		}
	case "|":
		f = func(a, b int64) (int64, bool) { return a | b, true }
	case "&":
		f = func(a, b int64) (int64, bool) { return a & b, true }
	case "^":
		f = func(a, b int64) (int64, bool) { return a ^ b, true }
	case "<<":
		f = func(a, b int64) (int64, bool) { return a << uint64(b&63), true }
	case ">>":
		f = func(a, b int64) (int64, bool) { return a >> uint64(b&63), true }
	case ">":
		f = func(a, b int64) (int64, bool) { return b2i(a > b), true }
	case "<":
		f = func(a, b int64) (int64, bool) { return b2i(a < b), true }
	case ">=":
		f = func(a, b int64) (int64, bool) { return b2i(a >= b), true }
	case "<=":
		f = func(a, b int64) (int64, bool) { return b2i(a <= b), true }
	default:
		k.d.Errorf(x.Pos, "operator %s is not supported", op)
		return nil
	}
	return intExpr(func(c *route.Ctx) (int64, bool) {
		a, ok := l(c)
		if !ok {
			return 0, false
		}
		b, ok := r(c)
		if !ok {
			return 0, false
		}
		return f(a, b)
	})
}

// plus adds or concatenates: the type of the left operand decides.
func (k *Compiler) plus(x *syntax.Binary, l, r *expr) *expr {
	switch l.typ {
	case tInt:
		if r.isConst && r.typ == tStr {
			k.d.Errorf(r.pos, "%q is a string added to a number", r.s)
			return nil
		}
		lf, rf := l.int, r.asInt()
		return intExpr(func(c *route.Ctx) (int64, bool) {
			a, ok1 := lf(c)
			b, ok2 := rf(c)
			return a + b, ok1 && ok2
		})
	case tStr:
		lf, rf := l.str, r.asStr()
		return &expr{typ: tStr, str: func(c *route.Ctx) ([]byte, bool) {
			a, ok1 := lf(c)
			b, ok2 := rf(c)
			return c.Scratch.Concat(a, b), ok1 && ok2
		}}
	}
	lf, rf, ri := l.val, r.asStr(), r.asInt()
	rInt := r.typ == tInt
	var sum intFn
	switch lw, rw, b := l.whole, r.whole, r.n; {
	case lw == nil:
	case rInt && r.isConst:
		sum = func(c *route.Ctx) (int64, bool) { a, ok := lw(c); return a + b, ok }
	case rw != nil:
		sum = func(c *route.Ctx) (int64, bool) {
			a, ok1 := lw(c)
			b, ok2 := rw(c)
			return a + b, ok1 && ok2
		}
	}
	return &expr{typ: tDyn, whole: sum, val: func(c *route.Ctx) route.Value {
		a := lf(c)
		if a.IsInt() || a.IsNull() && rInt {
			n, _ := a.Number()
			m, ok := ri(c)
			if !ok {
				return route.Null
			}
			return route.Int(n + m)
		}
		at := a.Text(c)
		b, ok := rf(c)
		if !ok {
			return route.Null
		}
		return route.Str(c.Scratch.Concat(at, b))
	}}
}

// equal compiles the comparisons of core.md 6.4.
func (k *Compiler) equal(x *syntax.Binary, l, r *expr) *expr {
	neg := int64(0)
	op := x.Op
	switch op {
	case "!=", "ne", "ine":
		neg = 1
	}
	if r.pv != nil && r.pv.Null {
		f := l.val
		if l.sel != nil {
			f = l.sel
		}
		if f == nil {
			n := neg
			return intExpr(func(*route.Ctx) (int64, bool) { return n, true })
		}
		return intExpr(func(c *route.Ctx) (int64, bool) { return b2i(f(c).IsNull()) ^ neg, true })
	}
	asInts := op == "ieq" || op == "ine" || (op == "==" || op == "!=") && l.typ == tInt
	asStrs := op == "eq" || op == "ne" || (op == "==" || op == "!=") && l.typ == tStr
	switch {
	case asInts:
		if r.isConst && r.typ == tStr {
			k.d.Errorf(r.pos, "%q is a string compared with a number", r.s)
			return nil
		}
		lf, rf := l.asInt(), r.asInt()
		return intExpr(func(c *route.Ctx) (int64, bool) {
			a, ok1 := lf(c)
			b, ok2 := rf(c)
			return b2i(a == b) ^ neg, ok1 && ok2
		})
	case asStrs:
		lf, rf := l.asStr(), r.asStr()
		return intExpr(func(c *route.Ctx) (int64, bool) {
			a, ok1 := lf(c)
			b, ok2 := rf(c)
			return b2i(bytes.Equal(a, b)) ^ neg, ok1 && ok2
		})
	}
	lf := l.val
	switch r.typ {
	case tStr:
		rf := r.str
		return intExpr(func(c *route.Ctx) (int64, bool) {
			a := lf(c)
			b, ok := rf(c)
			if !ok {
				return 0, false
			}
			if a.IsInt() {
				m, ok := route.ParseInt(b)
				return b2i(a.Int == m) ^ neg, ok
			}
			return b2i(bytes.Equal(a.Text(c), b)) ^ neg, true
		})
	case tInt:
		rf := r.int
		return intExpr(func(c *route.Ctx) (int64, bool) {
			a := lf(c)
			m, ok := rf(c)
			if !ok {
				return 0, false
			}
			if a.IsInt() || a.IsNull() {
				return b2i(a.Int == m) ^ neg, true
			}
			return b2i(bytes.Equal(a.Text(c), c.Scratch.Int(m))) ^ neg, true
		})
	}
	rf := r.val
	return intExpr(func(c *route.Ctx) (int64, bool) {
		a, b := lf(c), rf(c)
		switch {
		case a.IsNull() && b.IsNull():
			return 1 ^ neg, true
		case a.IsInt() || a.IsNull() && b.IsInt():
			n, _ := a.Number()
			m, ok := b.Number()
			return b2i(n == m) ^ neg, ok
		}
		return b2i(bytes.Equal(a.Text(c), b.Text(c))) ^ neg, true
	})
}

// match compiles =~ : POSIX extended, any case, unanchored.
func (k *Compiler) match(x *syntax.Binary, l, r *expr) *expr {
	lf := l.asStr()
	if r.isConst && r.typ == tStr {
		m, err := newMatcher(string(r.s))
		if err != nil {
			k.d.Errorf(r.pos, "regular expression: %v", err)
			return nil
		}
		return intExpr(func(c *route.Ctx) (int64, bool) {
			b, ok := lf(c)
			if !ok {
				return 0, false
			}
			return b2i(m.match(b)), true
		})
	}
	rf := r.asStr()
	return intExpr(func(c *route.Ctx) (int64, bool) {
		a, ok1 := lf(c)
		p, ok2 := rf(c)
		if !ok1 || !ok2 {
			return 0, false
		}
		re, err := syntax.CompilePOSIX(string(p), true, true)
		if err != nil {
			c.Error("regular expression %q: %v", p, err)
			return 0, false
		}
		return b2i(re.Match(a)), true
	})
}
