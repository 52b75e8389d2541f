package syntax

import (
	"fmt"
	"net/netip"
	"strings"

	"kahea/cfglang/diag"
)

// Levels of binding, lowest first, as in Kamailio's grammar.
const (
	levelUnary   = 13
	levelDefined = 14
	levelCast    = 15
	levelCompare = 9
)

// binary gives the normalised name and the level of a binary operator; level 0: it is none.
func (t *token) binary() (string, int) {
	if t.kind != tOp && t.kind != tID {
		return "", 0
	}
	switch t.text {
	case "or", "||":
		return "||", 2
	case "and", "&&":
		return "&&", 3
	case "|":
		return "|", 4
	case "&":
		return "&", 5
	case "^":
		return "^", 6
	case "<<":
		return "<<", 7
	case ">>":
		return ">>", 8
	case "==", "!=", "=~", "ieq", "ine", "eq", "ne":
		return t.text, levelCompare
	case ">", "<", ">=", "<=":
		return t.text, 10
	case "+", "-":
		return t.text, 11
	case "*", "/", "mod":
		return t.text, 12
	}
	return "", 0
}

func isOperatorWord(s string) bool {
	switch s {
	case "or", "and", "not", "mod", "eq", "ne", "ieq", "ine", "strlen", "strempty", "defined", "selval":
		return true
	}
	return false
}

// expr parses an expression of operators that bind at least as tightly as level; 0 is any.
func (p *parser) expr(level int) Expr {
	p.enter()
	defer p.leave()
	l := p.unary()
	for n := 0; ; n++ {
		t := *p.peek()
		op, lv := t.binary()
		if lv == 0 || lv < level {
			return l
		}
		p.take()
		if n > maxDepth*10 {
			p.failAt(&t, "expression has too many operators", "")
		}
		r := p.expr(lv + 1)
		b := &Binary{Pos: t.pos, Op: op, L: l, R: r}
		p.checkTypes(b)
		l = b
	}
}

// staticType is what is known of a value before it is evaluated.
type staticType uint8

const (
	anyType staticType = iota
	intType
	strType
)

func typeOf(e Expr) staticType {
	switch e := e.(type) {
	case *IntLit, *Call, *BlockExpr, *ParenAssign:
		return intType
	case *StrLit, *Select:
		return strType
	case *Unary:
		if e.Op == "(str)" {
			return strType
		}
		return intType
	case *Binary:
		if e.Op == "+" {
			return typeOf(e.L)
		}
		return intType
	}
	return anyType
}

// checkTypes reports a text where a number is needed, as Kamailio's parser does: of most operators both operands are numbers; the left
// one's type decides what a comparison and + take.
func (p *parser) checkTypes(b *Binary) {
	switch b.Op {
	case "eq", "ne", "=~":
		p.needString(b.L, fmt.Sprintf("%q compares texts; (str) converts", b.Op))
	case "+", "==", "!=":
		if typeOf(b.L) == intType {
			p.needNumber(b.R, fmt.Sprintf("the left operand of %q is a number, so the right one must be one; (str) or (int) converts", b.Op))
		}
	default:
		p.needNumber(b.L, fmt.Sprintf("%q takes numbers; (int) converts", b.Op))
		p.needNumber(b.R, fmt.Sprintf("%q takes numbers; (int) converts", b.Op))
	}
}

func (p *parser) needNumber(e Expr, detail string) {
	if typeOf(e) != strType {
		return
	}
	p.errors++
	p.d.Add(diag.Diagnostic{Pos: e.Position(), Summary: "type mismatch: a string where a number is needed", Detail: detail})
}

func (p *parser) needString(e Expr, detail string) {
	if typeOf(e) == intType {
		p.errors++
		p.d.Add(diag.Diagnostic{Pos: e.Position(), Summary: "type mismatch: a number where a string is needed", Detail: detail})
	}
}

func (p *parser) unary() Expr {
	t := *p.peek()
	switch t.kind {
	case tOp:
		switch t.text {
		case "!", "-", "~":
			p.take()
			if n := p.peek(); t.text == "-" && n.kind == tNum {
				p.take()
				return &IntLit{Pos: t.pos, Val: -p.prev.num}
			}
			u := &Unary{Pos: t.pos, Op: t.text, X: p.expr(levelUnary)}
			p.needNumber(u.X, fmt.Sprintf("%q takes a number; (int) converts", t.text))
			return u
		case "(":
			return p.paren()
		case "{":
			return &BlockExpr{Block: p.block()}
		}
	case tNum:
		p.take()
		return &IntLit{Pos: t.pos, Val: t.num}
	case tStr:
		p.take()
		return &StrLit{Pos: t.pos, Val: t.text}
	case tPV, tAvp:
		return p.variable()
	case tSelect:
		p.take()
		return &Select{Pos: t.pos, Text: t.text}
	case tID:
		switch t.text {
		case "not":
			p.take()
			u := &Unary{Pos: t.pos, Op: "!", X: p.expr(levelUnary)}
			p.needNumber(u.X, `"not" takes a number; (int) converts`)
			return u
		case "defined":
			p.take()
			u := &Unary{Pos: t.pos, Op: "defined", X: p.expr(levelDefined)}
			p.needString(u.X, "a number is always there")
			return u
		case "strlen", "strempty":
			p.take()
			p.expect("(", "")
			u := &Unary{Pos: t.pos, Op: t.text, X: p.expr(0)}
			p.needString(u.X, fmt.Sprintf("%s takes a string; (str) converts", t.text))
			p.expect(")", "")
			return u
		case "selval":
			p.take()
			const form = "form: selval(condition, value if true, value if false)"
			p.expect("(", form)
			s := &SelVal{Pos: t.pos, Cond: p.expr(0)}
			p.expect(",", form)
			s.Then = p.expr(0)
			p.expect(",", form)
			s.Else = p.expr(0)
			p.expect(")", form)
			return s
		}
		if isCondition(t.text) {
			return p.condition()
		}
		if !t.statementWord() && !isOperatorWord(t.text) {
			return p.call()
		}
	}
	p.failAt(&t, fmt.Sprintf("syntax error: %s, an expression expected", t.describe()), "")
	return nil
}

func (t *token) statementWord() bool {
	switch t.text {
	case "if", "else", "while", "switch", "case", "default", "return", "exit", "drop", "break":
		return true
	}
	return false
}

// paren parses ( expr ), ( a = b ), (int) x and (str) x.
func (p *parser) paren() Expr {
	open := p.take()
	if t := p.peek(); (t.word("int") || t.word("str")) && p.peekN(1).is(")") {
		op := "(" + t.text + ")"
		p.take()
		p.take()
		return &Unary{Pos: open.pos, Op: op, X: p.expr(levelCast)}
	}
	if t := p.peek(); (t.kind == tPV || t.kind == tAvp) && p.peekN(1).is("=") {
		a := p.assignRest(p.variable())
		a.Pos = a.L.Position()
		p.expect(")", "")
		return &ParenAssign{Assign: a}
	}
	e := p.expr(0)
	p.expect(")", "")
	return e
}

// call parses NAME(args) or, for some commands of the core, NAME alone.
func (p *parser) call() *Call {
	t := p.take()
	c := &Call{Pos: t.pos, Name: t.text}
	cmd, isCore := coreCommand(t.text)
	if !p.peek().is("(") {
		if isCore && cmd.bare {
			return c
		}
		detail := ""
		if t.text == "route" {
			detail = "form: route(NAME)"
		}
		p.failAt(p.peek(), fmt.Sprintf("syntax error: %s after %q, %q expected", p.peek().describe(), t.text, "("), detail)
	}
	p.take()
	c.Parens = true
	if isCore {
		p.coreArgs(c, cmd)
		return c
	}
	if p.inCall > 0 {
		p.errorAt(&t, fmt.Sprintf("function %s is called among the parameters of another function", t.text), "assign its result to a variable before")
	}
	p.inCall++
	for !p.peek().is(")") {
		c.Args = append(c.Args, p.expr(0))
		if !p.peek().is(",") {
			break
		}
		if comma := p.take(); len(c.Args) == 6 {
			p.failAt(&comma, "too many parameters", "a function has at most 6")
		}
		if n := p.peek(); n.is(")") {
			p.failAt(n, fmt.Sprintf("syntax error: %s, a parameter expected", n.describe()), "")
		}
	}
	p.inCall--
	p.expect(")", "")
	return c
}

// condition parses a core condition: an operand, an operator, and what it is compared with.
func (p *parser) condition() Expr {
	t := p.take()
	left := &Cond{Pos: t.pos, Name: t.text}
	kind := conditionKind(t.text)
	if strings.HasPrefix(t.text, "snd_") || t.text == "to_ip" || t.text == "to_port" || t.text == "to_proto" || t.text == "to_af" {
		if (t.text == "snd_ip" || t.text == "to_ip") && p.kind != OnSendRoute {
			p.errorAt(&t, t.text+" is allowed only in onsend_route", "")
		}
	}
	op := *p.peek()
	ok := false
	if op.kind == tOp || op.kind == tID {
		switch op.text {
		case "==", "!=":
			ok = true
		case "eq", "ne":
			ok = kind == condMethod || kind == condURI || kind == condIP
		case "=~":
			ok = kind == condMethod || kind == condURI || kind == condIP
		case "<", ">", "<=", ">=", "ieq", "ine":
			ok = kind == condInt
		}
	}
	if !ok {
		want := map[condKind]string{condInt: "== != < > <= >=", condProto: "== !=", condMyself: "== !="}[kind]
		if want == "" {
			want = "== != =~"
		}
		p.failAt(&op, fmt.Sprintf("syntax error: %s after %q, an operator expected", op.describe(), t.text), "operators here: "+want)
	}
	p.take()
	return &Binary{Pos: op.pos, Op: op.text, L: left, R: p.conditionRight(kind)}
}

func (p *parser) conditionRight(kind condKind) Expr {
	t := *p.peek()
	bare := t.kind == tID && !p.peekN(1).is("(") && !isOperatorWord(t.text) && !t.statementWord()
	switch kind {
	case condMethod:
		if bare && !t.keyword() {
			p.take()
			return &Addr{Pos: t.pos, Text: t.text}
		}
	case condProto:
		if bare {
			if _, ok := protoWord(t.text); !ok {
				p.failAt(&t, fmt.Sprintf("syntax error: %s is no transport protocol", t.describe()), "one of udp tcp tls sctp ws wss, or its number")
			}
			p.take()
			return &Addr{Pos: t.pos, Text: t.text}
		}
	case condURI:
		if t.word("myself") {
			p.take()
			return &Cond{Pos: t.pos, Name: t.text}
		}
	case condMyself:
		switch {
		case bare && isCondition(t.text) && conditionKind(t.text) != condMyself:
			p.take()
			return &Cond{Pos: t.pos, Name: t.text}
		}
		p.failAt(&t, fmt.Sprintf("syntax error: %s, uri, from_uri, to_uri, src_ip or dst_ip expected", t.describe()), "")
	case condIP:
		switch {
		case t.word("myself"):
			p.take()
			return &Cond{Pos: t.pos, Name: t.text}
		case t.is("[") || t.kind == tIP6 || t.kind == tNum && p.peekN(1).is("."):
			return p.network()
		case bare && !t.keyword():
			return &Addr{Pos: t.pos, Text: p.host()}
		}
	case condInt:
		if t.word("max_len") {
			p.failAt(&t, "syntax error: max_len cannot be used, number expected", "")
		}
	}
	return p.expr(levelCompare + 1)
}

// network parses ip, ip/len and ip/mask.
func (p *parser) network() Expr {
	t := *p.peek()
	text := p.host()
	if !p.peek().is("/") {
		return &Addr{Pos: t.pos, Text: text}
	}
	p.take()
	m := *p.peek()
	ip, _ := netip.ParseAddr(text)
	if m.kind == tNum && !p.peekN(1).is(".") {
		p.take()
		if m.num < 0 || ip.IsValid() && m.num > int64(ip.BitLen()) {
			p.errorAt(&m, fmt.Sprintf("bad network: mask length %s", m.text), fmt.Sprintf("0 to %d", ip.BitLen()))
			return &Addr{Pos: t.pos, Text: text}
		}
		return &Addr{Pos: t.pos, Text: text + "/" + m.text}
	}
	mask := p.host()
	if a, err := netip.ParseAddr(mask); err != nil || ip.IsValid() && a.BitLen() != ip.BitLen() {
		p.errorAt(&m, fmt.Sprintf("bad network mask %q", mask), "form: address/length or address/mask")
		return &Addr{Pos: t.pos, Text: text}
	}
	return &Addr{Pos: t.pos, Text: text + "/" + mask}
}
