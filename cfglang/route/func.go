package route

import "kahea/cfglang/syntax"

// Func describes a script function of a module or of the core. One table per module lists them; compiler, checker, help and
// documentation read it.
type Func struct {
	Name    string
	Aliases []string
	// Args has one letter a parameter: s = string (a literal is a format with pseudo-variables, an expression is evaluated), S = constant
	// text, i = integer (number or expression), I = constant integer, p = one pseudo-variable, P = one that can be written,
	// r = regular expression, f = number or name of a flag, a = attribute (%name, or its name as text), A = name of an avpflag. What stands behind '|' is optional: "s|si".
	Args string
	From Mask // where it may be used
	// Run does it: > 0 true, < 0 false, 0 ends the script. Exactly one of Run and Compile is set.
	Run func(c *Ctx, a *Args) int
	// Compile checks the constant arguments once and returns what runs; an error is a configuration error.
	Compile func(e Env, a *Args) (func(c *Ctx) int, error)
	// Core marks a core command: it does not set $rc.
	Core bool
	Doc  string
}

// Args are the compiled arguments of one call. They belong to the program and are only read at run time.
type Args struct {
	N    int
	args [6]Arg
}

// Arg is one compiled argument.
type Arg struct {
	Kind  byte    // letter of Func.Args
	Const bool    // Text/Num are final
	Text  []byte  // constant text
	Num   int64   // constant number
	IsNum bool    // written as a number
	Fmt   *Format // kind s: the format of a literal with variables
	Eval  Getter  // an expression
	PV    *PV
	RE    *syntax.Regexp
	Attr  *Attr // kind a
}

// Set is for the compiler.
func (a *Args) Set(i int, x Arg) { a.args[i] = x; a.N = max(a.N, i+1) }

// At returns argument i.
func (a *Args) At(i int) *Arg { return &a.args[i] }

// Str evaluates argument i (from 0) as text; ok is false when evaluation failed.
func (a *Args) Str(c *Ctx, i int) (b []byte, ok bool) {
	x := &a.args[i]
	switch {
	case x.Const:
		return x.Text, true
	case x.Fmt != nil:
		return x.Fmt.Eval(c)
	case x.Eval != nil:
		return x.Eval(c).Text(c), true
	}
	return nil, false
}

// Int evaluates argument i as a number; ok is false when evaluation failed or the text is no number.
func (a *Args) Int(c *Ctx, i int) (n int64, ok bool) {
	x := &a.args[i]
	switch {
	case x.Const && x.IsNum:
		return x.Num, true
	case x.Const:
		return ParseInt(x.Text)
	case x.Fmt != nil:
		b, ok := x.Fmt.Eval(c)
		if !ok {
			return 0, false
		}
		return ParseInt(b)
	case x.Eval != nil:
		return x.Eval(c).Number()
	}
	return 0, false
}

// ConstStr is the text of a constant argument; ok is false when it is not constant or absent.
func (a *Args) ConstStr(i int) (string, bool) {
	if i >= a.N || !a.args[i].Const {
		return "", false
	}
	return string(a.args[i].Text), true
}

// PV is argument i of kind p or P.
func (a *Args) PV(i int) *PV { return a.args[i].PV }

// Attr is argument i of kind a.
func (a *Args) Attr(i int) *Attr { return a.args[i].Attr }

// RE is argument i of kind r.
func (a *Args) RE(i int) *syntax.Regexp { return a.args[i].RE }
