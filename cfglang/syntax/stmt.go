package syntax

import (
	"fmt"

	"kahea/cfglang/diag"
)

// block parses { action+ }. An error in one statement does not end the block.
func (p *parser) block() *Block {
	p.enter()
	defer p.leave()
	open := p.take() // {
	b := &Block{Pos: open.pos}
	errorsBefore := p.errors
	b.Stmts = p.stmts(false)
	end := *p.peek()
	if !end.is("}") {
		if p.lost.IsValid() && p.lost == end.pos {
			panic(bailout{}) // an inner block said so already
		}
		p.lost = end.pos
		p.errors++
		p.d.Add(diag.Diagnostic{Pos: end.pos, EndCol: end.end, Summary: fmt.Sprintf("syntax error: %s, %q expected", end.describe(), "}"),
			Detail: fmt.Sprintf("the block that begins at line %d is not closed", open.pos.Line)})
		panic(bailout{})
	}
	if len(b.Stmts) == 0 && p.errors == errorsBefore {
		p.errorAt(&end, "syntax error: empty block", `a block needs at least one statement; ";" is one`)
	}
	p.take()
	return b
}

// stmts parses statements up to the closing brace, or in a switch up to the next label.
func (p *parser) stmts(inSwitch bool) []Stmt {
	var list []Stmt
	for p.errors < maxErrors {
		t := *p.peek()
		if t.kind == tEOF || t.is("}") || inSwitch && (t.word("case") || t.word("default")) {
			break
		}
		if p.blockLost(&t) {
			break
		}
		var s Stmt
		if p.try(func() { s = p.action() }) {
			list = append(list, s)
			continue
		}
		p.skipStmt(&t)
	}
	return list
}

// blockLost says whether a top-level item begins here, so that a closing brace must be missing.
func (p *parser) blockLost(t *token) bool {
	if t.kind != tID || !itemStart(t.text) || t.pos.Def != nil {
		return false
	}
	switch t.text {
	case "route":
		n := p.peekN(1)
		return n.is("[") || n.is("{")
	case "mpath", "loadpath", "cfgengine":
		return false
	}
	return true
}

// skipStmt moves behind the statement that begins at first: its ; or the } that closes what it opened.
func (p *parser) skipStmt(first *token) {
	if same(p.peek(), first) {
		if t := p.take(); t.is(";") {
			return
		} else if t.is("{") {
			p.skipBraces()
			return
		}
	}
	for {
		t := p.peek()
		switch {
		case t.kind == tEOF || t.is("}") || p.blockLost(t):
			return
		case t.word("case") || t.word("default"):
			return
		case t.is(";"):
			p.take()
			return
		case t.is("{"):
			p.take()
			p.skipBraces()
			if !p.peek().word("else") {
				return
			}
		}
		p.take()
	}
}

// skipBraces moves behind the brace that closes one that was taken.
func (p *parser) skipBraces() {
	for depth := 1; ; {
		t := p.peek()
		switch {
		case t.kind == tEOF || p.blockLost(t):
			return
		case t.is("{"):
			depth++
		case t.is("}"):
			depth--
		}
		p.take()
		if depth == 0 {
			return
		}
	}
}

// stm is a block or an action: the body of if, else and while.
func (p *parser) stm() Stmt {
	if p.peek().is("{") {
		return p.block()
	}
	return p.action()
}

func (p *parser) action() Stmt {
	p.enter()
	defer p.leave()
	t := *p.peek()
	switch t.kind {
	case tPV, tAvp:
		return p.assign()
	case tOp:
		if t.text == ";" {
			p.take()
			return &Empty{Pos: t.pos}
		}
	case tID:
		switch t.text {
		case "if":
			return p.ifStmt()
		case "while":
			p.take()
			w := &While{Pos: t.pos, Cond: p.expr(0)}
			w.Body = p.stm()
			return w
		case "switch":
			return p.switchStmt()
		case "return", "exit", "drop", "break":
			return p.ctl()
		case "else", "case", "default":
			p.failAt(&t, fmt.Sprintf("syntax error: %q without its %s", t.text, map[string]string{"else": "if", "case": "switch", "default": "switch"}[t.text]), "")
		}
		if isCondition(t.text) || isOperatorWord(t.text) {
			break
		}
		c := p.call()
		p.semicolon()
		return &CallStmt{Call: c}
	}
	detail := ""
	if t.is("{") {
		detail = "a block stands only behind if, else and while, and as the value of an assignment"
	} else if t.kind != tBad && t.kind != tEOF {
		detail = "a statement is an assignment, a function call, or a keyword like if, while, switch, return, exit"
	}
	p.failAt(&t, fmt.Sprintf("syntax error: %s cannot begin a statement", t.describe()), detail)
	return nil
}

// semicolon takes the ; that ends a statement. If it is missing at the end of a line the error stands there and parsing goes on.
func (p *parser) semicolon() {
	if p.accept(";") {
		return
	}
	t := p.peek()
	if t.kind == tBad {
		p.failAt(t, "", "")
	}
	if prev := p.prev; t.is("}") || prev.end != 0 && prev.pos.Src == t.pos.Src && t.pos.Line > prev.pos.Line && (t.kind == tID || t.kind == tPV || t.kind == tAvp) {
		p.errors++
		at := prev.pos
		if prev.end != 0 {
			at.Col = prev.end
		}
		p.d.Add(diag.Diagnostic{Pos: at, Summary: `syntax error: missing ";"`, Detail: fmt.Sprintf("%s follows", t.describe())})
		return
	}
	p.failAt(t, fmt.Sprintf(`syntax error: %s, ";" expected`, t.describe()), "")
}

func (p *parser) assign() Stmt {
	t := *p.peek()
	l := p.variable()
	op := *p.peek()
	if !op.is("=") {
		detail := "an expression alone is not a statement"
		if op.is("+=") {
			detail = "there is no +=: write $x = $x + ..."
		}
		p.failAt(&op, fmt.Sprintf("syntax error: %s after %s, %q expected", op.describe(), t.text, "="), detail)
	}
	a := p.assignRest(l)
	p.semicolon()
	return a
}

// variable takes a PV or an attribute.
func (p *parser) variable() Expr {
	t := p.take()
	if t.kind == tAvp {
		return &Avp{Pos: t.pos, Text: t.text}
	}
	return &PV{Pos: t.pos, Text: t.text}
}

// assignRest parses = expr behind a variable.
func (p *parser) assignRest(l Expr) *AssignStmt {
	p.take() // =
	if pv, ok := l.(*PV); ok && hasTransformation(pv.Text) {
		p.errors++
		p.d.Add(diag.Diagnostic{Pos: pv.Pos, EndCol: pv.Pos.Col + len(pv.Text), Summary: "a variable with a transformation cannot be assigned to"})
	}
	return &AssignStmt{Pos: l.Position(), L: l, R: p.expr(0)}
}

func hasTransformation(text string) bool {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '{':
			if depth == 1 && len(text) > 1 && text[1] == '(' {
				return true
			}
		}
	}
	return false
}

func (p *parser) ifStmt() Stmt {
	t := p.take()
	s := &If{Pos: t.pos}
	s.Cond = p.expr(0)
	s.Then = p.stm()
	if p.peek().word("else") {
		p.take()
		s.Else = p.stm()
	}
	return s
}

func (p *parser) ctl() Stmt {
	t := p.take()
	c := &Ctl{Pos: t.pos}
	switch t.text {
	case "exit":
		c.Kind = Exit
	case "drop":
		c.Kind = Drop
	case "break":
		c.Kind = Break
		p.semicolon()
		return c
	}
	switch n := p.peek(); {
	case n.is(";") || n.is("}"):
	case n.is("(") && p.peekN(1).is(")"):
		p.take()
		p.take()
	case n.kind == tID && n.pos.Line != t.pos.Line: // a missing ; rather than a value
	default:
		c.Val = p.expr(0)
	}
	p.semicolon()
	return c
}

func (p *parser) switchStmt() Stmt {
	t := p.take()
	s := &Switch{Pos: t.pos, Value: p.expr(0)}
	open := p.expect("{", "")
	labels := caseLabels{}
	ok := true
	for ok && !p.peek().is("}") && p.errors < maxErrors {
		c := Case{}
		if ok = p.try(func() { p.caseLabel(&c, &labels, &open) }); ok {
			c.Body = p.stmts(true)
			s.Cases = append(s.Cases, c)
		}
	}
	if !ok {
		p.skipBraces()
		return s
	}
	p.accept("}")
	if len(s.Cases) == 0 {
		p.d.Warnf(t.pos, "empty switch")
	}
	return s
}

// caseLabels is what the labels of a switch had so far.
type caseLabels struct {
	defaults int
	ints     bool
	strs     bool
}

// caseLabel parses case CONST:, case /CONST: or default:.
func (p *parser) caseLabel(c *Case, had *caseLabels, open *token) {
	l := *p.peek()
	c.Pos = l.pos
	switch {
	case l.word("case"):
		p.take()
		c.Regex = p.accept("/")
		at := *p.peek()
		c.Label = p.expr(0)
		kind, isConst := constKind(c.Label)
		isInt := kind == IntValue
		switch {
		case !isConst:
			p.errorAt(&at, "the label of a case must be constant", "")
		case c.Regex && isInt:
			p.errorAt(&at, "the label of a case must be a string behind /", "")
		default:
			if isInt && had.strs || !isInt && had.ints {
				p.errorAt(&at, "the labels of a switch are all numbers, or all strings and expressions", "")
			}
			had.ints = had.ints || isInt
			had.strs = had.strs || !isInt
		}
	case l.word("default"):
		p.take()
		c.Default = true
		if had.defaults++; had.defaults == 2 {
			p.errorAt(&l, `too many "default:" labels in a switch`, "")
		}
	case l.kind == tEOF || p.blockLost(&l):
		p.failAt(&l, fmt.Sprintf("syntax error: %s, %q expected", l.describe(), "}"), fmt.Sprintf("the switch that begins at line %d is not closed", open.pos.Line))
	default:
		p.failAt(&l, fmt.Sprintf("syntax error: %s, case or default expected", l.describe()), "")
	}
	p.expect(":", "")
}

// IsConst says whether an expression is made of constants only.
func IsConst(e Expr) bool {
	_, ok := constKind(e)
	return ok
}

// constKind is the type of a constant expression.
func constKind(e Expr) (k ValueKind, isConst bool) {
	switch e := e.(type) {
	case *IntLit:
		return IntValue, true
	case *StrLit:
		return StrValue, true
	case *Unary:
		_, isConst = constKind(e.X)
		if e.Op == "(str)" {
			return StrValue, isConst
		}
		return IntValue, isConst && e.Op != "defined"
	case *Binary:
		l, ok1 := constKind(e.L)
		_, ok2 := constKind(e.R)
		if e.Op == "+" {
			return l, ok1 && ok2
		}
		return IntValue, ok1 && ok2
	}
	return IntValue, false
}
