package compile

import (
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

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

// arithmetic is what an operator of two numbers does; nil: it is none.
func arithmetic(op string) func(a, b int64) (int64, bool) {
	switch op {
	case "-":
		return func(a, b int64) (int64, bool) { return a - b, true }
	case "*":
		return func(a, b int64) (int64, bool) { return a * b, true }
	case "/":
		return func(a, b int64) (int64, bool) {
			if b == 0 {
				return 0, false
			}
			return a / b, true
		}
	case "mod":
		return func(a, b int64) (int64, bool) {
			if b == 0 {
				return 0, false
			}
			return a % b, true
		}
	case "|":
		return func(a, b int64) (int64, bool) { return a | b, true }
	case "&":
		return func(a, b int64) (int64, bool) { return a & b, true }
	case "^":
		return func(a, b int64) (int64, bool) { return a ^ b, true }
	case "<<":
		return func(a, b int64) (int64, bool) { return a << uint64(b&63), true }
	case ">>":
		return func(a, b int64) (int64, bool) { return a >> uint64(b&63), true }
	case ">":
		return func(a, b int64) (int64, bool) { return b2i(a > b), true }
	case "<":
		return func(a, b int64) (int64, bool) { return b2i(a < b), true }
	case ">=":
		return func(a, b int64) (int64, bool) { return b2i(a >= b), true }
	case "<=":
		return func(a, b int64) (int64, bool) { return b2i(a <= b), true }
	}
	return nil
}

func arith(op string, l, r intFn) *expr {
	f := arithmetic(op)
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
	lf, rf, ri := l.asValue(), r.asStr(), r.asInt()
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
	return dynExpr(sum, func(c *route.Ctx) (route.Value, bool) {
		a, ok := lf(c)
		if !ok {
			return route.Null, false
		}
		if a.IsInt() || a.IsNull() && rInt {
			n, _ := a.Number()
			m, ok := ri(c)
			return route.Int(n + m), ok
		}
		at := a.Text(c)
		b, ok := rf(c)
		return route.Str(c.Scratch.Concat(at, b)), ok
	})
}
