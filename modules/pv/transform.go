package pv

import (
	"errors"
	"fmt"
	"strings"

	"kahea/cfglang/route"
)

// failed is what a transformation yields that can not do its work: null for tests and assignments, nothing when it is printed.
var failed = route.Value{Flags: route.FlagNull | route.FlagStr}

// step is one bound transformation.
type step = func(c *route.Ctx, v route.Value) route.Value

// binder makes a step of a method's parameters.
type binder func(a *route.TransArgs) (step, error)

var errParams = errors.New("wrong number of parameters")

// class makes a transformation class of its methods.
func class(name, doc string, rows []route.TransMethod, methods map[string]binder) route.Trans {
	t := route.Trans{Class: name, Doc: doc, Methods: rows}
	t.Bind = func(_ route.Env, method string, a *route.TransArgs) (func(*route.Ctx, route.Value) route.Value, error) {
		return methods[method](a)
	}
	return t
}

// onText makes a binder of a function without parameters that takes text; null fails.
func onText(f func(c *route.Ctx, b []byte) route.Value) binder {
	return func(a *route.TransArgs) (step, error) {
		if len(a.Params) > 0 && strings.TrimSpace(a.Raw) != "" {
			return nil, errParams
		}
		return func(c *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return failed
			}
			return f(c, v.Text(c))
		}, nil
	}
}

// withText is onText with one text parameter.
func withText(f func(c *route.Ctx, b, p []byte) route.Value) binder {
	return func(a *route.TransArgs) (step, error) {
		if len(a.Params) != 1 {
			return nil, errParams
		}
		p := &a.Params[0]
		return func(c *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return failed
			}
			return f(c, v.Text(c), p.Eval(c))
		}, nil
	}
}

// withInt is onText with one number.
func withInt(f func(c *route.Ctx, b []byte, n int) route.Value) binder {
	return func(a *route.TransArgs) (step, error) {
		if len(a.Params) != 1 {
			return nil, errParams
		}
		n, err := number(&a.Params[0])
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return failed
			}
			k, ok := n.eval(c)
			if !ok {
				return failed
			}
			return f(c, v.Text(c), k)
		}, nil
	}
}

// intParam is a number in a parameter: a literal or a variable.
type intParam struct {
	n  int
	pv *route.PV
}

func number(p *route.TransParam) (intParam, error) {
	if p.PV != nil {
		return intParam{pv: p.PV}, nil
	}
	s := strings.TrimSpace(p.Text)
	n, ok := route.ParseInt([]byte(s))
	if !ok || s == "" {
		return intParam{}, fmt.Errorf("%q is no number", p.Text)
	}
	return intParam{n: int(n)}, nil
}

func (p *intParam) eval(c *route.Ctx) (int, bool) {
	if p.pv == nil {
		return p.n, true
	}
	v := p.pv.Get(c)
	if v.IsNull() || v.Flags&route.FlagInt == 0 { // a text of digits is no number here, as in Kamailio
		return 0, false
	}
	return int(v.Int), true
}

// char is a parameter that is one character, with the escapes \n \r \t \s \\.
func char(p *route.TransParam) (func(c *route.Ctx) (byte, bool), error) {
	if p.PV != nil {
		return func(c *route.Ctx) (byte, bool) {
			b := p.PV.Get(c).Text(c)
			if len(b) == 0 {
				return 0, false
			}
			return b[0], true
		}, nil
	}
	ch, err := escaped(p.Text)
	if err != nil {
		return nil, err
	}
	return func(*route.Ctx) (byte, bool) { return ch, true }, nil
}

var errChar = errors.New("want one character")

func escaped(s string) (byte, error) {
	if len(s) > 1 && s[0] == '\\' {
		switch s[1] {
		case 'n':
			return '\n', nil
		case 'r':
			return '\r', nil
		case 't':
			return '\t', nil
		case 's':
			return ' ', nil
		}
		return s[1], nil
	}
	if s == "" {
		return 0, errChar
	}
	return s[0], nil
}

func transformations() []route.Trans {
	return []route.Trans{
		class("s", "strings", stringMethods, stringTrans()),
		class("uri", "parts of a URI", uriMethods, uriTrans()),
		class("param", "lists of parameters: a=1;b=2", paramMethods, paramTrans()),
		class("nameaddr", "parts of a name-addr", nameaddrMethods, nameaddrTrans()),
		class("tobody", "parts of the body of From or To", tobodyMethods, tobodyTrans()),
		class("line", "lines of a text", lineMethods, lineTrans()),
		class("urialias", "address and transport packed as host~port~proto", aliasMethods, aliasTrans()),
		class("val", "values that may be null", valMethods, valTrans()),
		class("num", "digits of a number", numMethods, numTrans()),
	}
}
