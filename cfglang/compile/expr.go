package compile

import (
	"fmt"

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
	try     valFn // of tDyn, may be nil: like val, and says when the value can not be evaluated
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
	if try, whole := e.try, e.whole; try != nil {
		return func(c *route.Ctx) (int64, bool) {
			if whole != nil {
				if n, ok := whole(c); ok {
					return n, true
				}
			}
			v, ok := try(c)
			if !ok {
				return 0, false
			}
			return v.Number()
		}
	}
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
	if try := e.try; try != nil {
		return func(c *route.Ctx) ([]byte, bool) { v, ok := try(c); return v.Text(c), ok }
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
	if e.try != nil {
		return e.try
	}
	f := e.val
	return func(c *route.Ctx) (route.Value, bool) { return f(c), true }
}

func intExpr(f intFn) *expr { return &expr{typ: tInt, int: f} }

func constExpr(v constant) *expr {
	if v.isStr {
		b := []byte(v.s)
		return &expr{typ: tStr, isConst: true, s: b, str: func(*route.Ctx) ([]byte, bool) { return b, true }}
	}
	n := v.n
	return &expr{typ: tInt, isConst: true, n: n, int: func(*route.Ctx) (int64, bool) { return n, true }}
}

// cond compiles a condition: true when the value is greater than zero, with return_mode=1 when it is not zero.
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
	if v, isConst := fold(x); isConst {
		e := constExpr(v)
		e.pos = x.Position()
		return e
	}
	var e *expr
	switch x := x.(type) {
	case *syntax.PV:
		v, err := k.ParsePV(x.Text)
		if err != nil {
			k.errorAt(x.Pos, err)
			return nil
		}
		e = &expr{typ: tDyn, val: v.Get, pv: v, whole: v.GetInt}
	case *syntax.Call, *syntax.BlockExpr:
		code := k.code(x)
		switch {
		case code == nil:
			return nil
		case k.o.RawReturn:
			e = intExpr(code)
		default:
			e = intExpr(func(c *route.Ctx) (int64, bool) { n, _ := code(c); return b2i(n > 0), true })
		}
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
		e = constExpr(constant{s: x.Text, isStr: true})
	case *syntax.Select:
		get, err := k.Select(x.Text)
		if err != nil {
			k.errorAt(x.Pos, err)
			return nil
		}
		// a select is a string, "" when it is undefined; only "defined" sees the difference
		e = &expr{typ: tStr, sel: get, str: func(c *route.Ctx) ([]byte, bool) { return get(c).Text(c), true }}
	case *syntax.Avp:
		v := k.attribute(x)
		if v == nil {
			return nil
		}
		e = &expr{typ: tDyn, val: v.Get, pv: v}
	default: // uri:host and uri:port stand in forward() only
		panic(fmt.Sprintf("compile: expression %T", x))
	}
	if e != nil {
		e.pos = x.Position()
	}
	return e
}

// code is what a call or a block returns; return and break in it end the block only.
func (k *Compiler) code(x syntax.Expr) intFn {
	var f route.Stmt
	switch x := x.(type) {
	case *syntax.Call:
		f = k.call(x)
	case *syntax.BlockExpr:
		f = k.block(x.Block)
	}
	if f == nil {
		return nil
	}
	return func(c *route.Ctx) (int64, bool) {
		c.RC = 0 // $rc of a core command in an expression, and what a block in one begins with
		rc := f(c)
		c.Flow &^= route.FlowBreak | route.FlowReturn
		return int64(rc), true
	}
}

func (k *Compiler) unary(x *syntax.Unary) *expr {
	e := k.expr(x.X)
	if e == nil {
		return nil
	}
	switch x.Op {
	case "!", "-", "~":
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
		return intExpr(op)
	case "(int)":
		return intExpr(e.asInt())
	case "(str)":
		return &expr{typ: tStr, str: e.asStr()}
	case "defined":
		f := e.bare()
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
	panic("compile: operator " + x.Op) // the parser makes no other
}

func (k *Compiler) selval(x *syntax.SelVal) *expr {
	cond, a, b := k.cond(x.Cond), k.expr(x.Then), k.expr(x.Else)
	if cond == nil || a == nil || b == nil {
		return nil
	}
	av, bv := a.asValue(), b.asValue()
	return dynExpr(nil, func(c *route.Ctx) (route.Value, bool) {
		if cond(c) {
			return av(c)
		}
		return bv(c)
	})
}

// bare is the getter of a variable or select that stands alone: only those can be undefined. nil: it is something else.
func (e *expr) bare() route.Getter {
	switch {
	case e.sel != nil:
		return e.sel
	case e.pv != nil:
		return e.val
	}
	return nil
}

// dynExpr is a value whose type shows at run time and which may fail.
func dynExpr(whole intFn, try valFn) *expr {
	return &expr{typ: tDyn, whole: whole, try: try, val: func(c *route.Ctx) route.Value {
		if v, ok := try(c); ok {
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
		switch neutral := b2i(x.Op == "&&"); { // Kamailio drops "|| 0" and "&& 1", so what is left keeps its value
		case r.isConst && r.typ == tInt && r.n == neutral:
			return intExpr(lf)
		case l.isConst && l.typ == tInt && l.n == neutral:
			return intExpr(rf)
		}
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
	if r.isConst && r.typ == tInt {
		if e := arithConst(x.Op, l.asInt(), r.n); e != nil {
			return e
		}
	}
	return arith(x.Op, l.asInt(), r.asInt())
}
