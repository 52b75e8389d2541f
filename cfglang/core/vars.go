package core

import (
	"errors"
	"os"

	"kahea/cfglang/route"
)

// Vars is the table of the core's pseudo-variables.
func Vars() []route.Var {
	rc := func(c *route.Ctx) route.Value { return route.Int(c.RC) }
	return []route.Var{
		{Name: "null", Get: func(*route.Ctx) route.Value { return route.Null }, Doc: "the undefined value"},
		{Name: "rc", Get: rc, Doc: "code of the last function, route or return"},
		{Name: "retcode", Get: rc, Doc: "as $rc"},
		{Name: "?", Get: rc, Doc: "as $rc"},
		{Name: "iuid", Get: func(c *route.Ctx) route.Value {
			if c.P.Par.IUID == nil {
				return route.Null
			}
			return route.Str(c.P.Par.IUID)
		}, Doc: "unique id of this instance: --iuid, coreparam[iuid]; null if there is none"},
		{Name: "env", Bind: bindEnv(false), Doc: "environment variable; null if unset"},
		{Name: "envn", Bind: bindEnv(true), Doc: "environment variable as a number"},
		{Name: "def", Bind: bindDef(whole), Doc: "value of a preprocessor define; null if it is not defined"},
		{Name: "defn", Bind: bindDef(asNumber), Doc: "the same as a number, 0 if it is none"},
		{Name: "defv", Bind: bindDef(unquoted), Doc: "the same without the quotes around it"},
		{Name: "defs", Bind: bindDef(quoted), Doc: "the same in quotes"},
	}
}

var errNoName = errors.New("a name in parentheses is missing")

func bindEnv(num bool) func(route.Env, *route.VarRef) (route.Getter, route.Setter, error) {
	return func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		if r.Inner == "" {
			return nil, nil, errNoName
		}
		s, ok := os.LookupEnv(r.Inner)
		return constant(s, ok, num), nil, nil
	}
}

// form is how the value of a define is given.
type form int

const (
	whole form = iota
	asNumber
	unquoted
	quoted
)

func bindDef(f form) func(route.Env, *route.VarRef) (route.Getter, route.Setter, error) {
	return func(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		if r.Inner == "" {
			return nil, nil, errNoName
		}
		s, ok := e.Define(r.Inner)
		switch n := len(s); {
		case f == unquoted && n > 1 && s[0] == s[n-1] && (s[0] == '"' || s[0] == '\''):
			s = s[1 : n-1]
		case f == quoted:
			s = `"` + s + `"`
		}
		if f == asNumber {
			n, _ := route.ParseInt([]byte(s)) // 0 for what is no number, or not defined
			v := route.Int(n)
			return func(*route.Ctx) route.Value { return v }, nil, nil
		}
		return constant(s, ok, false), nil, nil
	}
}

func constant(s string, ok, num bool) route.Getter {
	v := route.Str([]byte(s))
	if num {
		n, isNum := route.ParseInt([]byte(s))
		v = route.Int(n)
		ok = ok && isNum
	}
	if !ok {
		v = route.Null
	}
	return func(*route.Ctx) route.Value { return v }
}
