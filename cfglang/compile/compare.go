package compile

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

// equal compiles the comparisons == != eq ne ieq ine.
func (k *Compiler) equal(x *syntax.Binary, l, r *expr) *expr {
	neg := int64(0)
	op := x.Op
	switch op {
	case "!=", "ne", "ine":
		neg = 1
	}
	if r.pv != nil && r.pv.Null {
		f := l.bare()
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
	if l.try != nil || r.try != nil {
		return equalValues(l.asValue(), r.asValue(), neg)
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

// equalValues compares two values that may fail: the left one's type decides, the right one's when that is undefined.
func equalValues(l, r valFn, neg int64) *expr {
	return intExpr(func(c *route.Ctx) (int64, bool) {
		a, ok1 := l(c)
		b, ok2 := r(c)
		switch {
		case !ok1 || !ok2:
			return 0, false
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
		m, err := k.matcher(string(r.s))
		if err != nil {
			k.d.Errorf(r.pos, "%v", err)
			return nil
		}
		k.neverMatches(r.pos, m.re)
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
		re, err := syntax.ParsePOSIX(string(p), true, true)
		if err != nil {
			c.Error("regular expression %q: %v", p, err)
			return 0, false
		}
		return b2i(re.Match(a)), true
	})
}
