package syntax

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"kahea/cfglang/diag"
)

const (
	maxExpansion = 2 << 20 // bytes that defines and substs may add in one run
	maxMacros    = 256     // defines whose texts stand in each other
)

// envValue is an environment variable as it was found.
type envValue struct {
	value string
	set   bool
}

// lexer makes tokens. Directives, includes and defines are done on the way.
type lexer struct {
	o                     *Options
	d                     *diag.List
	frames                []frame
	defs                  map[string]*Define
	order                 []*Define
	substs                []*substRule
	substSteps, substCost int // of their expressions; of what they have been used on
	ifs                   []ifPart
	strays                []Pos // #!endif that closed nothing
	mode                  Mode

	env     map[string]envValue // what was asked for so far
	rec     *bytes.Buffer       // Preprocess: where the text goes
	texts   []string            // Preprocess: of all files
	sources []*diag.Source
	marked  bool // the text has markers

	expanded int
	gaveUp   bool // the bound on expansion was reached and reported
	included int  // files so far, and their bytes
	inclSize int
	errors   int

	loadmod  int // 1: loadmodule was seen, its name comes next
	evroute  int // 1: event_route, 2: event_route [
	lastLine Pos // place of the last token, for errors at the end of the file

	torn    Pos // the first string over several lines that ends right before a word, as strings do when an earlier quote is missing
	tornEnd int // the line where it ends
}

func newLexer(o *Options, d *diag.List) *lexer {
	l := &lexer{o: o, d: d, defs: map[string]*Define{}}
	for _, def := range o.Defines {
		if !def.Pos.IsValid() {
			src := &diag.Source{Text: []byte(def.Name + " " + def.Value)}
			def.Pos = Pos{Src: src, Line: 1, Col: 1}
		}
		l.setDefine(def)
	}
	for _, s := range []struct {
		directive string
		list      []string
	}{{"subst", o.Subst}, {"substdef", o.SubstDef}, {"substdefs", o.SubstDefs}} {
		for _, expr := range s.list {
			p := Pos{Src: &diag.Source{Text: []byte(expr)}, Line: 1, Col: 1}
			l.addSubst(s.directive, expr, p, p)
		}
	}
	return l
}

func (l *lexer) setDefine(def Define) {
	if old := l.defs[def.Name]; old != nil {
		used := old.Used
		*old = def
		old.Used = used
		return
	}
	n := def
	l.defs[def.Name] = &n
	l.order = append(l.order, &n)
}

func (l *lexer) top() *frame { return &l.frames[len(l.frames)-1] }

func (l *lexer) errorAt(p Pos, end int, summary, detail string) {
	if l.errors++; l.errors > maxErrors {
		return // scan ends
	}
	l.d.Add(diag.Diagnostic{Severity: diag.Error, Pos: p, EndCol: end, Summary: summary, Detail: detail})
}

func (l *lexer) warnAt(p Pos, end int, summary, detail string) {
	l.d.Add(diag.Diagnostic{Severity: diag.Warning, Pos: p, EndCol: end, Summary: summary, Detail: detail})
}

// next returns the next token.
func (l *lexer) next() token {
	t := l.scan()
	switch {
	case l.loadmod == 1 && t.kind == tStr:
		l.loadmod = 0
		if l.o.ModuleDefines {
			l.defineModule(t)
		}
	case t.kind == tID && (t.text == "loadmodule" || t.text == "loadmodulex"):
		l.loadmod = 1
	case l.loadmod == 1 && !t.is("("):
		l.loadmod = 0
	}
	switch {
	case t.word("event_route"):
		l.evroute = 1
	case l.evroute == 1 && t.is("["):
		l.evroute = 2
	default:
		l.evroute = 0
	}
	l.lastLine = t.pos
	return t
}

func (l *lexer) defineModule(t token) {
	name := t.text[strings.LastIndexByte(t.text, '/')+1:]
	name = strings.TrimSuffix(name, ".so")
	l.setDefine(Define{Name: "MOD_" + name, Pos: t.pos, Predefined: true})
}

// scan skips blanks, comments and directives, expands defines, and reads one token.
func (l *lexer) scan() token {
	for {
		f := l.top()
		if l.errors >= maxErrors {
			return token{kind: tEOF, pos: f.pos()}
		}
		text := f.text
		i := f.off
		for i < len(text) {
			c := text[i]
			if c == ' ' || c == '\t' || c == '\r' {
				i++
			} else if c == '\n' {
				i++
				f.line++
				f.lineStart = i
			} else if c == '\\' && i+1 < len(text) && text[i+1] == '\n' {
				i++
			} else {
				break
			}
		}
		f.off = i
		if i == len(text) {
			if !l.pop() {
				return token{kind: tEOF, pos: f.pos()}
			}
			continue
		}
		if l.evroute == 2 {
			if t, ok := l.eventName(f); ok {
				return t
			}
		}
		c := text[i]
		switch {
		case isIDStart(c):
			if t, ok := l.ip6(f); ok {
				return t
			}
			if t, ok := l.ident(f); ok {
				return t
			}
		case isDigit(c):
			if t, ok := l.ip6(f); ok {
				return t
			}
			return l.number(f)
		case c == '#':
			if !l.directive(f) {
				l.lineComment(f)
			}
		case c == '!' && strings.HasPrefix(text[i:], "!!") && l.directive(f):
		case c == '/' && strings.HasPrefix(text[i:], "//"):
			if !l.modeMarker(f) {
				l.lineComment(f)
			}
		case c == '/' && strings.HasPrefix(text[i:], "/*"):
			l.blockComment(f)
		case c == '"':
			return l.str(f)
		case c == '\'':
			return l.rawStr(f)
		case c == '$':
			return l.dollar(f)
		case c == '%' && i+1 < len(text) && isIDStart(text[i+1]):
			return l.avp(f, 1)
		case c == '@' && i+1 < len(text) && isIDStart(text[i+1]):
			return l.sel(f)
		case c == ':':
			if t, ok := l.ip6(f); ok {
				return t
			}
			return l.take(f, tOp, 1)
		default:
			if t, ok := l.operator(f); ok {
				return t
			}
		}
	}
}

func isDigit(c byte) bool   { return c >= '0' && c <= '9' }
func isIDStart(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isAlnum(c byte) bool   { return isIDStart(c) || isDigit(c) }
func isHex(c byte) bool     { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// take makes a token of the next n bytes, which hold no newline.
func (l *lexer) take(f *frame, k kind, n int) token {
	t := token{kind: k, text: f.text[f.off : f.off+n], pos: f.pos()}
	if f.macro == nil {
		t.end = t.pos.Col + n
	}
	f.off += n
	return t
}

func identEnd(s string, i int) int {
	for i < len(s) && isAlnum(s[i]) {
		i++
	}
	return i
}

// ident reads a word: keyword, number word, name, or a define, which it expands (then ok is false).
func (l *lexer) ident(f *frame) (t token, ok bool) {
	text := f.text
	end := identEnd(text, f.off+1)
	word := text[f.off:end]
	if end < len(text) && text[end] == ':' {
		switch {
		case word == "msg" && identEnd(text, end+1) == end+4 && text[end+1:end+4] == "len":
			return l.take(f, tID, len("msg:len")), true
		case word == "uri" && identEnd(text, end+1) == end+5 && (text[end+1:end+5] == "host" || text[end+1:end+5] == "port"):
			return l.take(f, tURI, len("uri:host")), true
		}
	}
	if n, ok := numberWord(word); ok {
		t = l.take(f, tNum, len(word))
		t.num = n
		return t, true
	}
	if word == "include_file" || word == "import_file" {
		l.include(f, f.off, f.off+len(word), word)
		return token{}, false
	}
	if len(l.defs) > 0 && !isKeyword(word) {
		if def := l.defs[word]; def != nil {
			l.expand(f, def, len(word))
			return token{}, false
		}
	}
	return l.take(f, tID, len(word)), true
}

// expand pushes the text of a define that stands at the frame's offset.
func (l *lexer) expand(f *frame, def *Define, n int) {
	def.Used = true
	at := f.pos()
	end := 0
	if f.macro == nil {
		end = at.Col + n
	}
	f.off += n
	if !def.HasValue || def.Value == "" || l.gaveUp {
		return
	}
	depth := 0
	for i := len(l.frames) - 1; i >= 0 && l.frames[i].macro != nil; i-- {
		depth++
		if l.frames[i].macro == def || depth >= maxMacros {
			summary := fmt.Sprintf("define %s refers to itself", def.Name)
			if l.frames[i].macro != def {
				summary = fmt.Sprintf("more than %d defines stand in each other", maxMacros)
			}
			l.errorAt(at, end, summary, "its text would be expanded without end")
			return
		}
	}
	if !l.grow(len(def.Value)+1, at, end) {
		return
	}
	use := at
	where := def.Pos
	where.Def = at.Def
	use.Def = &where
	l.frames = append(l.frames, frame{text: def.Value, line: 1, macro: def, use: use, path: f.path})
}

// grow counts bytes that were added to the text; false when there are too many.
func (l *lexer) grow(n int, at Pos, end int) bool {
	if l.expanded += n; l.expanded > maxExpansion && !l.gaveUp {
		l.gaveUp = true
		l.errorAt(at, end, fmt.Sprintf("defines and substs add more than %d bytes", maxExpansion), "nothing is replaced after this")
	}
	return !l.gaveUp
}

// pop ends the innermost input; false at the end of the main file.
func (l *lexer) pop() bool {
	f := l.top()
	if f.macro != nil {
		l.frames = l.frames[:len(l.frames)-1]
		return true
	}
	l.record(f, len(f.text))
	if len(l.frames) == 1 {
		return false
	}
	l.frames = l.frames[:len(l.frames)-1]
	l.mark("leave", l.fileFrame())
	return true
}

// fileFrame is the innermost frame that is a file.
func (l *lexer) fileFrame() *frame {
	for i := len(l.frames) - 1; ; i-- {
		if l.frames[i].macro == nil {
			return &l.frames[i]
		}
	}
}

// number reads 0, 12, 0x1f, 017, 101b, or a word that begins with a digit.
func (l *lexer) number(f *frame) token {
	text := f.text
	end := identEnd(text, f.off)
	word := text[f.off:end]
	base, digits := 10, word
	switch {
	case len(word) > 2 && word[0] == '0' && word[1] == 'x':
		base, digits = 16, word[2:]
	case word[len(word)-1] == 'b' && len(word) > 1 && strings.Trim(word[:len(word)-1], "01") == "":
		base, digits = 2, word[:len(word)-1]
	case len(word) > 1 && word[0] == '0':
		base, digits = 8, word[1:]
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil && !isRange(err) {
		return l.take(f, tNumID, len(word))
	}
	t := l.take(f, tNum, len(word))
	t.num = int64(int32(uint32(n))) // as C does it; ParseUint saturates, so that what is over 64 bits is -1
	if err != nil || n > 1<<31-1 {
		l.warnAt(t.pos, t.end, fmt.Sprintf("number %s does not fit in 32 bits", word), fmt.Sprintf("it is read as %d, as in Kamailio", t.num))
	}
	return t
}

func isRange(err error) bool {
	ne, ok := err.(*strconv.NumError)
	return ok && ne.Err == strconv.ErrRange
}

// ip6 reads a bare IPv6 address: the longest run of hex digits, colons and dots if it is one.
func (l *lexer) ip6(f *frame) (token, bool) {
	text := f.text
	i := f.off
	for i < len(text) && i < f.off+5 && isHex(text[i]) { // most words are done here
		i++
	}
	if i >= len(text) || text[i] != ':' {
		return token{}, false
	}
	colons := 0
	end := f.off
	for end < len(text) && (isHex(text[end]) || text[end] == ':' || text[end] == '.') {
		if text[end] == ':' {
			colons++
		}
		end++
	}
	if colons < 2 || end-f.off > 45 || end < len(text) && isAlnum(text[end]) {
		return token{}, false
	}
	if a, err := netip.ParseAddr(text[f.off:end]); err != nil || !a.Is6() {
		return token{}, false
	}
	return l.take(f, tIP6, end-f.off), true
}

// operator reads an operator. What is no word of the language is skipped, as in Kamailio, which echoes it.
func (l *lexer) operator(f *frame) (token, bool) {
	rest := f.text[f.off:]
	if len(rest) >= 2 {
		switch rest[:2] {
		case "==", "!=", "=~", "<=", ">=", "&&", "||", "<<", ">>", "+=":
			return l.take(f, tOp, 2), true
		}
	}
	switch rest[0] {
	case '=', '<', '>', '!', '&', '|', '^', '~', '+', '-', '*', '/', '(', ')', '{', '}', '[', ']', ';', ',', '.', '%', '@':
		return l.take(f, tOp, 1), true
	}
	r, n := utf8.DecodeRuneInString(rest)
	t := l.take(f, tBad, n)
	l.warnAt(t.pos, t.end, fmt.Sprintf("unexpected character %q is ignored", r), "")
	return t, false
}

func (l *lexer) lineComment(f *frame) {
	for f.macro != nil { // a comment in a define's text goes on behind the define
		at := f.pos()
		l.frames = l.frames[:len(l.frames)-1]
		f = l.top()
		if rest := strings.TrimSpace(f.text[f.off:f.eol()]); f.macro == nil && rest != "" && rest[0] != '#' && !strings.HasPrefix(rest, "//") {
			l.warnAt(at, 0, "the comment in the define's text also covers the rest of this line", "")
		}
	}
	f.off = f.eol()
}

func (l *lexer) blockComment(f *frame) {
	start := f.pos()
	depth := 0
	for {
		i := f.off
		for i+1 < len(f.text) {
			switch f.text[i : i+2] {
			case "/*":
				depth++
				i += 2
			case "*/":
				depth--
				i += 2
				if depth == 0 {
					f.advance(i)
					return
				}
			default:
				i++
			}
		}
		f.advance(len(f.text))
		if f.macro == nil {
			break
		}
		l.frames = l.frames[:len(l.frames)-1] // a comment in a define's text goes on behind the define
		f = l.top()
	}
	l.warnAt(start, 0, "comment is not closed", "comments nest: every /* needs its */")
}

// eventName reads the name in event_route[name].
func (l *lexer) eventName(f *frame) (token, bool) {
	text := f.text
	i := f.off
	parts := 0
	for {
		if i >= len(text) || !isIDStart(text[i]) || text[i] == '_' {
			return token{}, false
		}
		for i < len(text) && (isAlnum(text[i]) || text[i] == '-') {
			if text[i] == '_' && parts == 0 {
				break
			}
			i++
		}
		parts++
		if i >= len(text) || text[i] != ':' {
			break
		}
		i++
	}
	if parts < 2 {
		return token{}, false
	}
	return l.take(f, tEvName, i-f.off), true
}
