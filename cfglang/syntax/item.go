package syntax

import "fmt"

// item parses one top-level item and recovers behind it after an error.
func (p *parser) item() {
	first := *p.peek()
	if !p.try(func() { p.topLevel(first) }) {
		p.skipToItem(first)
	}
}

// itemStart says whether a word begins a top-level item wherever it stands.
func itemStart(s string) bool {
	switch s {
	case "route", "request_route", "failure_route", "onreply_route", "reply_route", "branch_route", "onsend_route", "event_route",
		"loadmodule", "loadmodulex", "loadpath", "mpath", "modparam", "modparamx", "cfgengine":
		return true
	}
	return false
}

// skipToItem moves to what looks like the next item: behind a ; or a }, or a line that begins with a word, outside of braces.
func (p *parser) skipToItem(first token) {
	depth := 0
	if same(p.peek(), &first) {
		p.take()
	}
	for {
		t := p.peek()
		switch {
		case t.kind == tEOF:
			return
		case t.is("{"):
			depth++
		case t.is("}"):
			if depth--; depth <= 0 {
				p.take()
				return
			}
		case depth > 0:
			// A route that was never closed shall not hide the rest: these words begin an item only.
			if t.kind == tID && t.pos.Col == 1 && itemStart(t.text) && p.prev.pos.Line != t.pos.Line {
				return
			}
		case t.is(";"):
			p.take()
			return
		case t.kind == tID && (t.pos.Line != p.prev.pos.Line || t.pos.Src != p.prev.pos.Src):
			if itemStart(t.text) || t.pos.Col == 1 || t.pos.Src != p.prev.pos.Src {
				return
			}
		}
		p.take()
	}
}

func same(a, b *token) bool {
	return a.kind == b.kind && a.pos.Src == b.pos.Src && a.pos.Line == b.pos.Line && a.pos.Col == b.pos.Col
}

func (p *parser) add(it Item) { p.file.Items = append(p.file.Items, it) }

func (p *parser) topLevel(t token) {
	if t.is(";") {
		p.take()
		return
	}
	if t.kind != tID {
		p.failAt(&t, fmt.Sprintf("syntax error: %s, a parameter, loadmodule, modparam or a route block expected", t.describe()), "")
	}
	switch t.text {
	case "route", "request_route", "failure_route", "onreply_route", "reply_route", "branch_route", "onsend_route", "event_route":
		p.route()
	case "loadmodule", "loadmodulex":
		p.loadModule()
	case "loadpath", "mpath":
		p.take()
		p.accept("=")
		dirs := p.expectString("a colon-separated list of folders")
		p.add(&LoadPath{Pos: t.pos, Dirs: dirs.text})
	case "modparam", "modparamx":
		p.modParam()
	case "cfgengine":
		p.take()
		p.accept("=")
		name := p.expectString("the name of the engine")
		p.add(&CfgEngine{Pos: t.pos, Name: name.text})
	case "flags", "bool", "avpflags":
		p.flags()
	default:
		p.param(t)
	}
	p.accept(";")
}

func (p *parser) loadModule() {
	t := p.take()
	m := &LoadModule{Pos: t.pos, X: t.text == "loadmodulex"}
	paren := p.accept("(")
	m.Name = p.expectString("the name of the module").text
	if paren {
		if p.accept(",") {
			m.Opts = p.expectString("options of loadmodule").text
		}
		p.expect(")", "")
	}
	p.add(m)
}

func (p *parser) modParam() {
	t := p.take()
	m := &ModParam{Pos: t.pos, X: t.text == "modparamx"}
	const form = `form: modparam("module", "parameter", value)`
	p.expect("(", form)
	mod := p.expectString(form)
	p.expect(",", form)
	name := p.expectString(form)
	p.expect(",", form)
	m.Module, m.ModulePos, m.Name, m.NamePos = mod.text, mod.pos, name.text, name.pos
	v := p.peek()
	switch {
	case m.X && v.kind == tPV:
		m.Value = Value{Pos: v.pos, Kind: StrValue, Str: v.text}
		p.take()
	case v.kind == tPV || v.kind == tAvp || v.kind == tSelect:
		p.failAt(v, "syntax error: modparam takes a string or a number, not a variable", "modparamx evaluates variables")
	default:
		m.Value = p.constValue(form)
	}
	p.expect(")", form)
	p.add(m)
}

// constValue is a string or a number with an optional sign.
func (p *parser) constValue(form string) Value {
	t := p.take()
	switch {
	case t.kind == tStr:
		return Value{Pos: t.pos, Kind: StrValue, Str: t.text}
	case t.kind == tNum:
		return Value{Pos: t.pos, Kind: IntValue, Int: t.num}
	case t.is("-") && p.peek().kind == tNum:
		return Value{Pos: t.pos, Kind: IntValue, Int: -p.take().num, Sign: true}
	}
	p.failAt(&t, fmt.Sprintf("syntax error: %s, a number or a string expected", t.describe()), form)
	return Value{}
}

func (p *parser) flags() {
	t := p.take()
	f := &Flags{Pos: t.pos, AVP: t.text == "avpflags"}
	for {
		n := p.peek()
		if n.kind != tID && n.kind != tStr {
			p.failAt(n, fmt.Sprintf("syntax error: %s, the name of a flag expected", n.describe()), "")
		}
		p.take()
		bit := -1
		if p.accept(":") {
			b := p.peek()
			if b.kind != tNum {
				p.failAt(b, fmt.Sprintf("syntax error: %s, the number of a flag expected", b.describe()), "")
			}
			bit = int(p.take().num)
		}
		f.Names = append(f.Names, n.text)
		f.Bits = append(f.Bits, bit)
		if !p.accept(",") {
			break
		}
	}
	p.add(f)
}

func (p *parser) routeKind(word string) (kind RouteKind, section string) {
	switch word {
	case "failure_route":
		return FailureRoute, word
	case "onreply_route", "reply_route":
		return ReplyRoute, word
	case "branch_route":
		return BranchRoute, word
	case "onsend_route":
		return OnSendRoute, word
	case "event_route":
		return EventRoute, word
	}
	return RequestRoute, word
}

func (p *parser) route() {
	t := p.take()
	kind, word := p.routeKind(t.text)
	r := &Route{Pos: t.pos, Kind: kind}
	nameTok := *p.peek()
	if nameTok.is("[") {
		if word == "request_route" || word == "reply_route" {
			p.failAt(&nameTok, fmt.Sprintf("syntax error: %s has no name", word), fmt.Sprintf("%s[NAME] has one", map[string]string{"request_route": "route", "reply_route": "onreply_route"}[word]))
		}
		p.take()
		n := *p.peek()
		switch {
		case n.kind == tEvName || n.kind == tStr && kind == EventRoute:
			r.Name = n.text
		case kind == EventRoute:
			p.failAt(&n, fmt.Sprintf("syntax error: %s, the name of an event expected", n.describe()), "form: event_route[module:event]")
		case n.kind == tID && !n.keyword() || n.kind == tStr || n.kind == tNum:
			r.Name = n.text
		case n.keyword():
			p.failAt(&n, fmt.Sprintf("syntax error: the keyword %q cannot be the name of a route", n.text), `in quotes it can: route["`+n.text+`"]`)
		default:
			p.failAt(&n, fmt.Sprintf("syntax error: %s, the name of a route expected", n.describe()), "")
		}
		nameTok = p.take()
		if !p.peek().is("]") {
			p.failAt(p.peek(), fmt.Sprintf("syntax error: %s, %q expected", p.peek().describe(), "]"), "a name with other characters than letters, digits and _ needs quotes")
		}
		p.take()
		if r.Name == "0" && kind != EventRoute {
			r.Name = ""
		} else if kind == ReplyRoute {
			r.Kind = OnReplyRoute
		}
	} else if kind == EventRoute {
		p.failAt(&nameTok, fmt.Sprintf("syntax error: %s, %q expected", nameTok.describe(), "["), "form: event_route[module:event] { ... }")
	}
	if r.Name != "" {
		key := fmt.Sprint(r.Kind, r.Name)
		if was, ok := p.routes[key]; ok {
			p.errorAt(&nameTok, fmt.Sprintf("duplicate %s[%s]", word, r.Name), "it was already defined at "+was.String())
		} else {
			p.routes[key] = nameTok.pos
		}
	}
	if !p.peek().is("{") {
		p.failAt(p.peek(), fmt.Sprintf("syntax error: %s, %q expected", p.peek().describe(), "{"), "")
	}
	p.kind = r.Kind
	r.Body = p.block()
	p.add(r)
}

// param parses name = value and what looks like it: listen, alias, socket, group variables, coreparam.
func (p *parser) param(t token) {
	switch t.text {
	case "listen", "alias", "domain":
		p.take()
		p.expect("=", "")
		p.listen(t)
		return
	case "socket":
		p.take()
		p.expect("=", "")
		p.socketBlock(t)
		return
	case "coreparam":
		p.take()
		p.expect("[", "form: coreparam[name] = value")
		n := p.take()
		if n.kind != tID && n.kind != tStr {
			p.failAt(&n, fmt.Sprintf("syntax error: %s, a name expected", n.describe()), "form: coreparam[name] = value")
		}
		p.expect("]", "")
		p.expect("=", "")
		p.add(&Param{Pos: t.pos, Name: t.text, Index: n.text, Value: p.constValue("")})
		return
	}
	next := p.peekN(1)
	switch {
	case next.is("="):
		p.take()
		p.take()
		p.add(&Param{Pos: t.pos, Name: t.text, Value: p.paramValue()})
	case next.is(".") || next.is("["):
		p.groupVar()
	default:
		detail := ""
		if next.is("(") {
			detail = "functions are called inside of route blocks"
		} else if near := p.d.Nearest(t.text, topWords); near != "" && !t.keyword() {
			detail = fmt.Sprintf("did you mean %q?", near)
		}
		p.take()
		p.failAt(p.peek(), fmt.Sprintf("syntax error: %s after %q, %q expected", p.peek().describe(), t.text, "="), detail)
	}
}

// topWords is what a misspelt word at top level is compared with; read-only.
var topWords = []string{"route", "request_route", "failure_route", "onreply_route", "reply_route", "branch_route", "onsend_route",
	"event_route", "loadmodule", "modparam", "mpath", "loadpath", "listen", "alias", "include_file", "import_file"}

// paramValue is a number, a string, or a bare word: an address, a host name, a name.
func (p *parser) paramValue() Value {
	t := p.peek()
	switch {
	case t.kind == tNum && !p.peekN(1).is("."):
		v := p.take()
		return Value{Pos: v.pos, Kind: IntValue, Int: v.num}
	case t.is("-"):
		return p.constValue("")
	case t.kind == tNumID && !p.peekN(1).is(".") && !p.peekN(1).is("-"):
		p.failAt(t, fmt.Sprintf("syntax error: %s is no number", t.describe()), "numbers have no suffix: decimal, 0x hexadecimal, leading 0 octal, binary with b")
	case t.kind == tStr:
		v := p.take()
		return Value{Pos: v.pos, Kind: StrValue, Str: v.text}
	case t.kind == tID || t.kind == tNumID || t.kind == tNum || t.kind == tIP6 || t.is("["):
		pos := t.pos
		return Value{Pos: pos, Kind: IdentValue, Str: p.host()}
	}
	p.failAt(t, fmt.Sprintf("syntax error: %s, a value expected", t.describe()), "")
	return Value{}
}

func (p *parser) groupVar() {
	t := p.take()
	g := &GroupVar{Pos: t.pos, Group: t.text}
	const form = "form: group.name = value, or group[id].name = value"
	if p.accept("[") {
		id := p.take()
		if id.kind != tNum {
			p.failAt(&id, fmt.Sprintf("syntax error: %s, a number expected", id.describe()), form)
		}
		g.ID, g.HasID = int(id.num), true
		p.expect("]", form)
	}
	p.expect(".", form)
	n := p.take()
	if n.kind != tID {
		p.failAt(&n, fmt.Sprintf("syntax error: %s, a name expected", n.describe()), form)
	}
	g.Name = n.text
	p.expect("=", form)
	g.Value = p.constValue(form)
	if t.text == "kemi" && !g.HasID { // core parameters whose names have a dot
		p.add(&Param{Pos: t.pos, Name: "kemi." + g.Name, Value: g.Value})
		return
	}
	if d := p.peek(); d.word("desc") || d.word("descr") || d.word("description") {
		p.take()
		g.Desc = p.expectString("the description").text
	}
	p.add(g)
}
