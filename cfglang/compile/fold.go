package compile

import (
	"strconv"

	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

// constant is the value of a constant expression: a number, or a text.
type constant struct {
	n     int64
	s     string
	isStr bool
}

func (v constant) number() (int64, bool) {
	if v.isStr {
		return route.ParseInt([]byte(v.s))
	}
	return v.n, true
}

func (v constant) text() string {
	if v.isStr {
		return v.s
	}
	return strconv.FormatInt(v.n, 10)
}

// fold evaluates a constant expression; ok is false when it is none, or has no value (a division by zero).
func fold(x syntax.Expr) (v constant, ok bool) {
	switch x := x.(type) {
	case *syntax.IntLit:
		return constant{n: x.Val}, true
	case *syntax.StrLit:
		return constant{s: x.Val, isStr: true}, true
	case *syntax.Unary:
		v, ok := fold(x.X)
		if !ok {
			return v, false
		}
		switch x.Op {
		case "(str)":
			return constant{s: v.text(), isStr: true}, true
		case "strlen":
			return constant{n: int64(len(v.text()))}, true
		case "strempty":
			return constant{n: b2i(v.text() == "")}, true
		case "defined":
			return constant{n: 1}, true
		}
		n, ok := v.number()
		switch x.Op {
		case "-":
			n = -n
		case "~":
			n = ^n
		case "!":
			n = b2i(n == 0)
		}
		return constant{n: n}, ok
	case *syntax.Binary:
		l, ok1 := fold(x.L)
		r, ok2 := fold(x.R)
		if !ok1 || !ok2 {
			return v, false
		}
		return foldBinary(x.Op, l, r)
	}
	return v, false
}

func foldBinary(op string, l, r constant) (v constant, ok bool) {
	switch op {
	case "=~":
		return v, false // left to the run
	case "eq", "ne":
		return constant{n: b2i((l.text() == r.text()) == (op == "eq"))}, true
	case "+", "==", "!=":
		if l.isStr {
			if op == "+" {
				return constant{s: l.s + r.text(), isStr: true}, true
			}
			return constant{n: b2i((l.s == r.text()) == (op == "=="))}, true
		}
	}
	a, ok1 := l.number()
	b, ok2 := r.number()
	if !ok1 || !ok2 {
		return v, false
	}
	switch op {
	case "+":
		return constant{n: a + b}, true
	case "==", "ieq":
		return constant{n: b2i(a == b)}, true
	case "!=", "ine":
		return constant{n: b2i(a != b)}, true
	case "&&":
		return constant{n: b2i(a != 0 && b != 0)}, true
	case "||":
		return constant{n: b2i(a != 0 || b != 0)}, true
	}
	f := arithmetic(op)
	if f == nil {
		return v, false
	}
	n, ok := f(a, b)
	return constant{n: n}, ok
}

// constInt is the value of a constant whole number.
func constInt(x syntax.Expr) (int64, bool) {
	v, ok := fold(x)
	return v.n, ok && !v.isStr
}

// constText is the value of a constant text.
func constText(x syntax.Expr) (string, bool) {
	v, ok := fold(x)
	return v.s, ok && v.isStr
}
