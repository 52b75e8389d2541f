package syntax

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// expValue is a value of #!ifexp and #!defexp: a number or a string.
type expValue struct {
	isStr bool
	num   float64
	str   string
}

func number(n float64) expValue { return expValue{num: n} }

func boolean(b bool) expValue {
	if b {
		return number(1)
	}
	return number(0)
}

func (v expValue) text() string {
	if v.isStr {
		return v.str
	}
	return formatNumber(v.num)
}

func (v expValue) number() float64 {
	if !v.isStr {
		return v.num
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(v.str), 64)
	if err != nil {
		return 0
	}
	return n
}

func (v expValue) truth() bool {
	if v.isStr {
		return v.str != ""
	}
	return v.num != 0
}

// expEval reads and evaluates in one pass.
type expEval struct {
	l     *lexer
	s     string
	depth int
}

func (l *lexer) evaluate(s string) (v expValue, err error) {
	e := &expEval{l: l, s: s}
	v, err = e.binary(1)
	if err != nil {
		return v, err
	}
	e.blank()
	if e.s != "" && e.s[0] != '#' && !strings.HasPrefix(e.s, "//") {
		return v, fmt.Errorf("unexpected %q in the expression", e.s)
	}
	return v, nil
}

func (e *expEval) blank() { e.s = strings.TrimLeft(e.s, " \t\r") }

// operators with their levels, longest first.
var expOperators = []struct {
	op    string
	level int
}{
	{"**", 12}, {"<<", 9}, {">>", 9}, {"<=", 8}, {">=", 8}, {"==", 7}, {"!=", 7}, {"&&", 3}, {"||", 2},
	{"*", 11}, {"/", 11}, {"%", 11}, {"+", 10}, {"-", 10}, {"<", 8}, {">", 8}, {"&", 6}, {"|", 5}, {"^", 4}, {",", 1},
}

func (e *expEval) operator() (string, int) {
	e.blank()
	if strings.HasPrefix(e.s, "//") {
		return "", 0
	}
	for _, o := range expOperators {
		if strings.HasPrefix(e.s, o.op) {
			return o.op, o.level
		}
	}
	return "", 0
}

func (e *expEval) binary(level int) (expValue, error) {
	l, err := e.unary()
	if err != nil {
		return l, err
	}
	for {
		op, lv := e.operator()
		if op == "" || lv < level {
			return l, nil
		}
		e.s = e.s[len(op):]
		next := lv + 1
		if op == "**" {
			next = lv // right to left
		}
		r, err := e.binary(next)
		if err != nil {
			return l, err
		}
		if l, err = apply(op, l, r); err != nil {
			return l, err
		}
	}
}

func (e *expEval) unary() (expValue, error) {
	if e.depth++; e.depth > 500 {
		return expValue{}, fmt.Errorf("expression is nested too deeply")
	}
	defer func() { e.depth-- }()
	e.blank()
	if e.s == "" {
		return expValue{}, fmt.Errorf("expression ends early")
	}
	c := e.s[0]
	switch {
	case c == '-' || c == '!' || c == '^':
		e.s = e.s[1:]
		v, err := e.unary()
		if err != nil {
			return v, err
		}
		switch c {
		case '-':
			return number(-v.number()), nil
		case '!':
			return boolean(!v.truth()), nil
		}
		return number(float64(^int64(v.number()))), nil
	case c == '(':
		e.s = e.s[1:]
		v, err := e.binary(1)
		if err != nil {
			return v, err
		}
		e.blank()
		if !strings.HasPrefix(e.s, ")") {
			return v, fmt.Errorf("missing ) in the expression")
		}
		e.s = e.s[1:]
		return v, nil
	case c == '"' || c == '\'':
		n := strings.IndexByte(e.s[1:], c)
		if n < 0 {
			return expValue{}, fmt.Errorf("string is not closed")
		}
		v := expValue{isStr: true, str: e.s[1 : 1+n]}
		e.s = e.s[n+2:]
		return v, nil
	case isDigit(c) || c == '.':
		n := 0
		for n < len(e.s) && (isAlnum(e.s[n]) || e.s[n] == '.') {
			n++
		}
		word := e.s[:n]
		e.s = e.s[n:]
		if i, err := strconv.ParseInt(word, 0, 64); err == nil && strings.HasPrefix(word, "0x") {
			return number(float64(i)), nil
		}
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return expValue{}, fmt.Errorf("%q is not a number", word)
		}
		return number(f), nil
	case isIDStart(c):
		n := identEnd(e.s, 0)
		id := e.s[:n]
		e.s = e.s[n:]
		return e.define(id), nil
	}
	return expValue{}, fmt.Errorf("unexpected %q in the expression", e.s)
}

func (e *expEval) define(id string) expValue {
	def := e.l.defs[id]
	if def == nil {
		return number(0)
	}
	def.Used = true
	if !def.HasValue {
		return number(1)
	}
	v := strings.TrimRight(def.Value, " \t\r")
	if n := len(v); n >= 2 && v[0] == v[n-1] && (v[0] == '"' || v[0] == '\'') {
		v = v[1 : n-1]
	}
	return expValue{isStr: true, str: v}
}

// apply converts the right operand to the type of the left one.
func apply(op string, l, r expValue) (expValue, error) {
	if l.isStr {
		s := r.text()
		switch op {
		case "+":
			if len(l.str)+len(s) > 1<<16 {
				return l, fmt.Errorf("string is too long")
			}
			return expValue{isStr: true, str: l.str + s}, nil
		case "==":
			return boolean(l.str == s), nil
		case "!=":
			return boolean(l.str != s), nil
		case "<":
			return boolean(l.str < s), nil
		case "<=":
			return boolean(l.str <= s), nil
		case ">":
			return boolean(l.str > s), nil
		case ">=":
			return boolean(l.str >= s), nil
		}
	}
	a, b := l.number(), r.number()
	switch op {
	case "&&":
		return boolean(l.truth() && r.truth()), nil
	case "||":
		return boolean(l.truth() || r.truth()), nil
	case ",":
		return r, nil
	case "**":
		return number(math.Pow(a, b)), nil
	case "*":
		return number(a * b), nil
	case "/":
		if b == 0 {
			return l, fmt.Errorf("division by zero")
		}
		return number(a / b), nil
	case "%":
		if b == 0 {
			return l, fmt.Errorf("division by zero")
		}
		return number(math.Mod(a, b)), nil
	case "+":
		return number(a + b), nil
	case "-":
		return number(a - b), nil
	case "<<":
		return number(float64(int64(a) << (uint64(b) & 63))), nil
	case ">>":
		return number(float64(int64(a) >> (uint64(b) & 63))), nil
	case "<":
		return boolean(a < b), nil
	case "<=":
		return boolean(a <= b), nil
	case ">":
		return boolean(a > b), nil
	case ">=":
		return boolean(a >= b), nil
	case "==":
		return boolean(a == b), nil
	case "!=":
		return boolean(a != b), nil
	case "&":
		return number(float64(int64(a) & int64(b))), nil
	case "|":
		return number(float64(int64(a) | int64(b))), nil
	case "^":
		return number(float64(int64(a) ^ int64(b))), nil
	}
	panic("syntax: operator " + op) // the table has no other
}
