package compile

import (
	"bytes"
	"fmt"
	"strings"

	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

// stmts compiles a list: it yields the code of the last action that ran.
func (k *Compiler) stmts(list []syntax.Stmt) route.Stmt {
	k.unreachable(list)
	run := make([]route.Stmt, 0, len(list))
	var spots []route.Spot
	for _, s := range list {
		if f := k.stmt(s); f != nil {
			run = append(run, f)
			spots = append(spots, k.spot(s))
		}
	}
	switch len(run) {
	case 0:
		return func(*route.Ctx) int { return 1 }
	case 1:
		f, at := run[0], &spots[0]
		return func(c *route.Ctx) int {
			c.At = at
			if c.P.Par.LatencyLimitAction > 0 {
				return c.Timed(f, at)
			}
			return f(c)
		}
	}
	return func(c *route.Ctx) int {
		rc := 1
		timed := c.P.Par.LatencyLimitAction > 0
		for i, f := range run {
			c.At = &spots[i]
			if timed {
				rc = c.Timed(f, &spots[i])
			} else {
				rc = f(c)
			}
			if c.Flow != 0 {
				return rc
			}
		}
		return rc
	}
}

// spot is what a log line says of a statement.
func (k *Compiler) spot(s syntax.Stmt) route.Spot {
	p := route.Spot{Name: "statement", Line: s.Position().Line}
	if src := s.Position().Src; src != nil {
		p.File = src.Name
	}
	switch s := s.(type) {
	case *syntax.CallStmt:
		p.Name = s.Call.Name
	case *syntax.AssignStmt:
		p.Name = "assign"
	case *syntax.If:
		p.Name = "if"
	case *syntax.While:
		p.Name = "while"
	case *syntax.Switch:
		p.Name = "switch"
	}
	return p
}

// block is a nested block: it counts as a level.
func (k *Compiler) block(s syntax.Stmt) route.Stmt {
	var body route.Stmt
	if b, ok := s.(*syntax.Block); ok {
		body = k.stmts(b.Stmts)
	} else {
		body = k.stmts([]syntax.Stmt{s})
	}
	return func(c *route.Ctx) int {
		if !c.Enter() {
			return -1
		}
		rc := body(c)
		c.Leave()
		return rc
	}
}

func (k *Compiler) stmt(s syntax.Stmt) route.Stmt {
	k.pos = s.Position()
	switch s := s.(type) {
	case *syntax.CallStmt:
		return k.call(s.Call)
	case *syntax.AssignStmt:
		return k.assign(s)
	case *syntax.Ctl:
		return k.ctl(s)
	case *syntax.If:
		return k.ifStmt(s)
	case *syntax.While:
		return k.while(s)
	case *syntax.Switch:
		return k.switchStmt(s)
	case *syntax.Block:
		return k.block(s)
	case *syntax.Empty:
		return nil
	}
	panic(fmt.Sprintf("compile: statement %T", s)) // the parser makes no other
}

func (k *Compiler) ctl(s *syntax.Ctl) route.Stmt {
	var flow route.Flow
	def := 1
	switch s.Kind {
	case syntax.Break:
		return func(c *route.Ctx) int { c.Flow |= route.FlowBreak; return 0 }
	case syntax.Return:
		flow = route.FlowReturn
	case syntax.Exit:
		flow = route.FlowExit
	case syntax.Drop:
		flow, def = route.FlowExit|route.FlowDrop, 0
	}
	set := func(c *route.Ctx, rc int) int {
		c.RC = int64(rc)
		c.Flow |= flow
		if rc == 0 {
			c.Flow |= route.FlowExit // "return 0" ends the script
		}
		return rc
	}
	if s.Val == nil {
		return func(c *route.Ctx) int { return set(c, def) }
	}
	e := k.expr(s.Val)
	if e == nil {
		return nil
	}
	if v, ok := constInt(s.Val); ok {
		n := int(v)
		return func(c *route.Ctx) int { return set(c, n) }
	}
	num := e.asInt()
	return func(c *route.Ctx) int {
		n, ok := num(c)
		if c.Flow != 0 {
			return int(n)
		}
		if !ok {
			c.Error("return value can not be evaluated")
			n = -1
		}
		return set(c, int(n))
	}
}

func (k *Compiler) ifStmt(s *syntax.If) route.Stmt {
	cond := k.cond(s.Cond)
	then := k.block(s.Then)
	if cond == nil {
		return nil
	}
	if s.Else == nil {
		return func(c *route.Ctx) int {
			if cond(c) && c.Flow == 0 {
				return then(c)
			}
			return 1
		}
	}
	els := k.block(s.Else)
	return func(c *route.Ctx) int {
		v := cond(c)
		if c.Flow != 0 {
			return 1
		}
		if v {
			return then(c)
		}
		return els(c)
	}
}

func (k *Compiler) while(s *syntax.While) route.Stmt {
	cond := k.cond(s.Cond)
	body := k.block(s.Body)
	if cond == nil {
		return nil
	}
	return func(c *route.Ctx) int {
		rc, at := 1, c.At
		limit := c.P.Par.MaxWhileLoops
		for n := 0; ; n++ {
			c.At = at // the condition's, not what the body did last
			if limit > 0 && n >= limit {
				c.Error("while loop ended after max_while_loops (%d) turns", limit)
				return -1
			}
			if !cond(c) || c.Flow != 0 {
				return rc
			}
			rc = body(c)
			if c.Flow != 0 {
				c.Flow &^= route.FlowBreak
				return rc
			}
		}
	}
}

type switchCase struct {
	num  int64
	text []byte
	re   *syntax.Regexp
	from int // index of the first statement
}

// switchStmt compiles to a jump into one list of statements: cases fall through as in C.
func (k *Compiler) switchStmt(s *syntax.Switch) route.Stmt {
	e := k.expr(s.Value)
	if e == nil {
		return nil
	}
	var cases []switchCase
	var stmts []route.Stmt
	def := -1
	ints, strs, res := false, false, false // kinds of labels: numbers, texts, regular expressions among them
	for i := range s.Cases {
		cs := &s.Cases[i]
		x := switchCase{from: len(stmts)}
		switch {
		case cs.Default:
			def = len(stmts)
		default:
			v, ok := fold(cs.Label)
			switch {
			case !ok && !syntax.IsConst(cs.Label): // the parser has said so
			case !ok:
				k.d.Errorf(cs.Label.Position(), "the label of the case has no value")
			case !v.isStr:
				x.num, ints = v.n, true
			default:
				strs = true
				x.text = []byte(v.s)
				if cs.Regex {
					re, err := syntax.ParsePOSIX(v.s, false, true)
					if err != nil {
						k.d.Errorf(cs.Label.Position(), "%v", err)
					}
					x.re, res = re, true
				}
			}
			cases = append(cases, x)
		}
		for _, st := range cs.Body {
			if f := k.stmt(st); f != nil {
				stmts = append(stmts, f)
			}
		}
	}
	num, str := e.asInt(), e.asStr()
	keys := make([]int64, len(cases)) // apart from the rest, so that the search stays in a few cache lines
	for i := range cases {
		if keys[i] = cases[i].num; strs {
			keys[i] = textKey(cases[i].text)
		}
	}
	return func(c *route.Ctx) int {
		at := def
		if ints || !strs {
			if n, ok := num(c); ok {
				for i := range keys {
					if keys[i] == n {
						at = cases[i].from
						break
					}
				}
			}
		} else if b, ok := str(c); ok {
			key := textKey(b)
			for i := range keys {
				if keys[i] != key && !res {
					continue
				}
				if x := &cases[i]; x.re != nil && x.re.Match(b) || x.re == nil && bytes.Equal(x.text, b) {
					at = x.from
					break
				}
			}
		}
		rc := 1
		if at < 0 || c.Flow != 0 || !c.Enter() {
			return rc
		}
		for _, f := range stmts[at:] {
			rc = f(c)
			if c.Flow != 0 {
				c.Flow &^= route.FlowBreak
				break
			}
		}
		c.Leave()
		return rc
	}
}

// textKey is equal for equal texts: their length, first and last bytes.
func textKey(b []byte) int64 {
	k := int64(len(b))
	for i := range min(len(b), 4) {
		k = k<<16 ^ int64(b[i])<<8 ^ int64(b[len(b)-1-i])
	}
	return k
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// assign compiles lval = expr.
func (k *Compiler) assign(s *syntax.AssignStmt) route.Stmt {
	if f, ok := k.appendAttributes(s); ok {
		return f
	}
	v := k.lval(s.L)
	if v == nil {
		return nil
	}
	var e *expr
	switch s.R.(type) {
	case *syntax.Call, *syntax.BlockExpr: // unlike in an expression, the code itself
		if code := k.code(s.R); code != nil {
			e = intExpr(code)
		}
	default:
		e = k.expr(s.R)
	}
	if e == nil {
		return nil
	}
	k.pos = s.Pos
	get := e.asValue()
	if e.pv != nil {
		get = assigned(get)
	}
	setInt, whole := v.SetInt, e.whole
	switch {
	case setInt == nil:
		whole = nil
	case e.typ == tInt:
		f := e.int
		return func(c *route.Ctx) int {
			n, ok := f(c)
			if c.Flow != 0 {
				return 1
			}
			if !ok {
				c.Error("right side of the assignment can not be evaluated")
				return -1
			}
			setInt(c, n)
			return 1
		}
	}
	return func(c *route.Ctx) int {
		if whole != nil {
			if n, ok := whole(c); ok {
				setInt(c, n)
				return 1
			}
		}
		val, ok := get(c)
		if c.Flow != 0 {
			return 1
		}
		if !ok {
			c.Error("right side of the assignment can not be evaluated")
			return -1
		}
		if err := v.Set(c, val); err != nil {
			c.Error("assignment to %s: %v", v.Text, err)
			return -1
		}
		return 1
	}
}

// assigned is what an assignment takes of a variable that stands alone on its right: a number brings its text along, so that $rU = $var(n)
// works.
func assigned(get valFn) valFn {
	return func(c *route.Ctx) (route.Value, bool) {
		v, ok := get(c)
		if v.Flags&route.FlagInt != 0 && v.Flags&route.FlagStr == 0 {
			v.Str = c.Scratch.Int(v.Int)
			v.Flags |= route.FlagStr
		}
		return v, ok
	}
}

// lval compiles what stands on the left of an assignment.
func (k *Compiler) lval(x syntax.Expr) *route.PV {
	k.pos = x.Position()
	if a, ok := x.(*syntax.Avp); ok {
		v := k.attribute(a)
		if v != nil && v.Set == nil {
			k.d.Errorf(a.Pos, "attribute %s: %v", a.Text, errAttr(a.Text))
			return nil
		}
		return v
	}
	l, ok := x.(*syntax.PV)
	if !ok {
		panic(fmt.Sprintf("compile: assignment to %T", x)) // the parser takes variables only
	}
	v, err := k.ParsePV(l.Text)
	if err != nil {
		k.errorAt(l.Pos, err)
		return nil
	}
	switch {
	case v.Set != nil:
	case strings.ContainsRune(l.Text, '{'): // the parser has said so
		return nil
	default:
		k.d.Errorf(l.Pos, "variable %s is read-only", l.Text)
		return nil
	}
	return v
}
