package syntax

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// maxIfs bounds the nesting of conditional parts, as in Kamailio.
const maxIfs = 512

// ifPart is an open conditional part.
type ifPart struct {
	pos   Pos
	taken bool // text is being read, not skipped
}

// directive handles #!word or !!word at the frame's offset; false if it is none (a comment, an operator, or a compatibility marker that was handled).
func (l *lexer) directive(f *frame) bool {
	text := f.text
	if f.off+1 >= len(text) || text[f.off+1] != '!' || f.macro != nil {
		return false
	}
	if f.off+2 >= len(text) || !isIDStart(text[f.off+2]) {
		return false
	}
	if text[f.off] == '#' && l.modeMarker(f) {
		return true
	}
	end := identEnd(text, f.off+2)
	word := text[f.off+2 : end]
	if word == "kahea" && l.marked && l.readMark(f, end) {
		return true
	}
	start := f.off
	switch word {
	case "else", "endif":
		if !blankToEOL(text, end) {
			if text[start] == '#' {
				l.warnAt(f.pos(), f.col()+end-start, fmt.Sprintf("#!%s is a comment here", word), "nothing may stand behind it on its line, and the line must end with a newline")
			}
			return false
		}
		if word == "else" {
			l.elseDirective(f, start)
		} else {
			l.endifDirective(f, start)
		}
		return true
	}
	arg := end
	for arg < len(text) && (text[arg] == ' ' || text[arg] == '\t') {
		arg++
	}
	switch word {
	case "define", "def", "trydefine", "trydef", "redefine", "redef", "undefine", "undef", "tryundefine", "tryundef",
		"defexp", "defexps", "defenv", "defenvs", "trydefenv", "trydefenvs", "ifdef", "ifndef", "ifexp",
		"subst", "substdef", "substdefs", "include_file", "import_file":
	default:
		if text[start] == '#' && strings.HasPrefix(text[start:], "#!") && f.col() == 1 {
			l.unknownDirective(f, word, end)
		}
		return false
	}
	if arg == end || arg >= len(text) || text[arg] == '\n' || text[arg] == '\r' {
		if text[start] == '#' {
			l.warnAt(f.pos(), f.col()+end-start, fmt.Sprintf("#!%s without an argument is a comment", word), "")
		}
		return false
	}
	switch word {
	case "include_file", "import_file":
		l.include(f, start, arg, word)
	case "ifdef", "ifndef", "ifexp":
		l.ifDirective(f, start, arg, word)
	case "subst", "substdef", "substdefs":
		return l.substDirective(f, arg, word)
	default:
		return l.defineDirective(f, arg, word)
	}
	return true
}

func (l *lexer) unknownDirective(f *frame, word string, end int) {
	known := []string{"define", "trydefine", "redefine", "undef", "defexp", "defexps", "defenv", "defenvs", "trydefenv", "trydefenvs",
		"ifdef", "ifndef", "ifexp", "else", "endif", "subst", "substdef", "substdefs", "include_file", "import_file", "KAMAILIO", "OPENSER", "MAXCOMPAT", "SER"}
	if near := l.d.Nearest(word, known); near != "" {
		l.warnAt(f.pos(), f.col()+end-f.off, fmt.Sprintf("#!%s is a comment", word), fmt.Sprintf("did you mean #!%s?", near))
	}
}

func blankToEOL(s string, i int) bool {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i < len(s) && s[i] == '\n'
}

// modeMarker reads #!KAMAILIO and its like, also with //!, alone from the prefix to the end of the line.
func (l *lexer) modeMarker(f *frame) bool {
	rest := f.text[f.off:]
	name, ok := strings.CutPrefix(rest, "#!")
	if !ok {
		if name, ok = strings.CutPrefix(rest, "//!"); !ok {
			return false
		}
	}
	n := identEnd(name, 0)
	var mode Mode
	switch name[:n] {
	case "SER":
		mode = ModeSER
	case "KAMAILIO", "OPENSER":
		mode = ModeKamailio
	case "MAXCOMPAT", "ALL":
		mode = ModeMax
	default:
		return false
	}
	if !blankToEOL(name, n) || f.macro != nil {
		return false
	}
	l.mode = mode
	f.off = f.eol()
	return true
}

// line reads from offset i to the end of the line, joining lines that end with a backslash; end is the offset of the last newline.
func line(s string, i int) (value string, end int) {
	nl := strings.IndexByte(s[i:], '\n')
	if nl < 0 {
		return s[i:], len(s)
	}
	if nl == 0 || s[i+nl-1] != '\\' {
		return s[i : i+nl], i + nl
	}
	var b strings.Builder
	for {
		nl = strings.IndexByte(s[i:], '\n')
		if nl < 0 {
			b.WriteString(s[i:])
			return b.String(), len(s)
		}
		if nl == 0 || s[i+nl-1] != '\\' {
			b.WriteString(s[i : i+nl])
			return b.String(), i + nl
		}
		b.WriteString(s[i : i+nl-1])
		i += nl + 1
	}
}

// defineDirective handles everything that makes or removes a define.
func (l *lexer) defineDirective(f *frame, arg int, word string) bool {
	text := f.text
	at := f.posAt(arg)
	value, eol := line(text, arg)
	idEnd := 0
	if value != "" && isIDStart(value[0]) {
		idEnd = identEnd(value, 0)
	}
	id := value[:idEnd]
	env := strings.HasSuffix(word, "env") || strings.HasSuffix(word, "envs")
	if id == "" {
		l.warnAt(at, 0, fmt.Sprintf("#!%s without a name is a comment", word), "a name begins with a letter or _")
		return false
	}
	defer func() { f.advance(eol) }()
	rest := value[idEnd:]
	if strings.HasPrefix(rest, "-") {
		l.errorAt(at, at.Col+idEnd, fmt.Sprintf("define %s: '-' is not allowed in a name", id), "")
		return true
	}
	if env {
		l.envDirective(word, value, at)
		return true
	}
	rest = strings.TrimLeft(rest, " \t\r")
	old := l.defs[id]
	def := Define{Name: id, Value: rest, HasValue: rest != "", Pos: at}
	switch word {
	case "define", "def":
		if old != nil {
			l.alreadyDefined(at, id, old)
			return true
		}
	case "trydefine", "trydef":
		if old != nil {
			return true
		}
	case "redefine", "redef":
	case "undefine", "undef", "tryundefine", "tryundef":
		if strings.TrimSpace(rest) != "" {
			l.errorAt(at, 0, fmt.Sprintf("#!%s %s: nothing else may stand on the line", word, id), "")
		}
		if old == nil {
			if strings.HasPrefix(word, "undef") {
				l.errorAt(at, at.Col+idEnd, fmt.Sprintf("%s is not defined", id), "#!tryundef takes that without an error")
			}
			return true
		}
		l.undefine(id)
		return true
	case "defexp", "defexps":
		if old != nil {
			l.alreadyDefined(at, id, old)
			return true
		}
		def.Value, def.HasValue = "", false
		v, err := l.evaluate(rest)
		if err != nil {
			l.warnAt(at, at.Col+idEnd, fmt.Sprintf("#!%s %s: %v", word, id, err), "it is defined without a value")
			break
		}
		def.Value, def.HasValue = v.text(), true
		if word == "defexps" {
			def.Value = `"` + def.Value + `"`
		}
	}
	l.setDefine(def)
	return true
}

func (l *lexer) alreadyDefined(at Pos, id string, old *Define) {
	detail := "#!redefine replaces a value, #!trydefine keeps the first"
	if old.Pos.Src != nil && old.Pos.Src.Name != "" {
		detail = fmt.Sprintf("it was defined at %s; %s", old.Pos, detail)
	}
	l.errorAt(at, at.Col+len(id), fmt.Sprintf("%s is already defined", id), detail)
}

func (l *lexer) undefine(id string) {
	def := l.defs[id]
	delete(l.defs, id)
	for i, d := range l.order {
		if d == def {
			l.order = append(l.order[:i], l.order[i+1:]...)
			break
		}
	}
}

// envDirective handles defenv ENV, defenv ID=ENV and their kin.
func (l *lexer) envDirective(word, value string, at Pos) {
	tok := value
	if i := strings.IndexAny(tok, " \t\r"); i >= 0 {
		tok = tok[:i]
	}
	id, env, ok := strings.Cut(tok, "=")
	if !ok {
		env = id
	}
	if identEnd(id, 0) != len(id) || env == "" {
		l.errorAt(at, at.Col+len(tok), fmt.Sprintf("#!%s %s: want ENV or NAME=ENV", word, tok), "")
		return
	}
	v, set := l.getenv(env)
	try := strings.HasPrefix(word, "try")
	if !set {
		if !try {
			l.errorAt(at, at.Col+len(tok), fmt.Sprintf("environment variable %s is not set", env), "#!trydefenv takes that without an error")
		}
		return
	}
	v = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' ' // a define is one line
		}
		return r
	}, v)
	if strings.HasSuffix(word, "s") {
		v = `"` + v + `"`
	}
	if old := l.defs[id]; old != nil {
		if !try {
			l.alreadyDefined(at, id, old)
		}
		return
	}
	v = strings.TrimLeft(v, " \t")
	l.setDefine(Define{Name: id, Value: v, HasValue: v != "", Pos: at})
}

func (l *lexer) getenv(name string) (string, bool) {
	if was, ok := l.env[name]; ok {
		return was.value, was.set
	}
	get := l.o.Env
	if get == nil {
		get = os.LookupEnv
	}
	value, set := get(name)
	if l.env == nil {
		l.env = map[string]envValue{}
	}
	l.env[name] = envValue{value, set}
	return value, set
}

// ifDirective handles ifdef, ifndef and ifexp.
func (l *lexer) ifDirective(f *frame, start, arg int, word string) {
	at := f.pos()
	arg0 := f.posAt(arg)
	value, eol := line(f.text, arg)
	if eol == len(f.text) {
		l.errorAt(at, 0, fmt.Sprintf("#!%s at the end of the file", word), "the line must end with a newline")
	}
	if len(l.ifs) >= maxIfs {
		l.errorAt(at, 0, fmt.Sprintf("more than %d conditional parts stand in each other", maxIfs), "")
		f.advance(eol)
		return
	}
	taken := false
	switch word {
	case "ifexp":
		v, err := l.evaluate(value)
		if err != nil {
			l.warnAt(arg0, 0, fmt.Sprintf("#!ifexp: %v", err), "the expression counts as false")
			break
		}
		taken = v.truth()
	default:
		n := 0
		if value != "" && isIDStart(value[0]) {
			n = identEnd(value, 0)
		}
		id := value[:n]
		rest := strings.TrimSpace(value[n:])
		switch {
		case id == "" || strings.HasPrefix(rest, "-") && value[n] == '-':
			l.errorAt(arg0, 0, fmt.Sprintf("#!%s: %q is not a name", word, strings.TrimSpace(value)), "")
		case rest != "" && rest[0] != '#' && !strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "/*"):
			l.warnAt(arg0, 0, fmt.Sprintf("#!%s takes one name: what follows is ignored", word), "")
		}
		def := l.defs[id]
		if def != nil {
			def.Used = true
		}
		taken = (def != nil) == (word == "ifdef")
	}
	l.ifs = append(l.ifs, ifPart{pos: at, taken: taken})
	l.recordTo(f, start)
	f.advance(min(eol+1, len(f.text)))
	if !taken {
		l.skip()
	}
	l.resumeRecord()
}

func (l *lexer) elseDirective(f *frame, start int) {
	if len(l.ifs) == 0 {
		l.warnAt(f.pos(), f.col()+len("#!else"), "#!else without #!ifdef", "it is ignored")
		f.off = f.eol()
		return
	}
	l.recordTo(f, start)
	l.ifs[len(l.ifs)-1].taken = false
	f.advance(f.eol() + 1)
	l.skip()
	l.resumeRecord()
}

func (l *lexer) endifDirective(f *frame, start int) {
	if len(l.ifs) == 0 {
		l.strays = append(l.strays, f.pos())
		l.replace(f, start, f.eol(), "")
		f.off = f.eol()
		return
	}
	l.recordTo(f, start)
	l.ifs = l.ifs[:len(l.ifs)-1]
	f.advance(f.eol() + 1)
	l.resumeRecord()
}

// skip moves to the else or endif of the innermost part. Nothing but directives is looked at, so quotes do not matter.
func (l *lexer) skip() {
	depth := 0
	f := l.top()
	for {
		n := strings.Index(f.text[f.off:], "!")
		if n < 0 {
			f.advance(len(f.text))
			f.copied = len(f.text)
			if len(l.frames) == 1 {
				return
			}
			l.pop()
			f = l.top()
			continue
		}
		i := f.off + n
		if i == 0 || text2(f.text, i) != "#!" && text2(f.text, i) != "!!" {
			f.advance(i + 1)
			continue
		}
		end := identEnd(f.text, i+1)
		switch word := f.text[i+1 : end]; {
		case word == "ifdef" || word == "ifndef" || word == "ifexp":
			if end < len(f.text) && (f.text[end] == ' ' || f.text[end] == '\t') {
				depth++
			}
		case word == "else" && blankToEOL(f.text, end):
			if depth == 0 {
				f.advance(i + 1)
				f.advance(f.eol() + 1)
				l.ifs[len(l.ifs)-1].taken = true
				return
			}
		case word == "endif" && blankToEOL(f.text, end):
			if depth == 0 {
				f.advance(i + 1)
				f.advance(f.eol() + 1)
				l.ifs = l.ifs[:len(l.ifs)-1]
				return
			}
			depth--
		case word == "kahea" && l.marked:
			f.advance(i - 1)
			f.off = i - 1
			if l.readMark(f, end) {
				continue
			}
		}
		f.advance(end)
	}
}

func text2(s string, i int) string { return s[i-1 : i+1] }

// substDirective handles subst, substdef and substdefs; false if no string follows.
func (l *lexer) substDirective(f *frame, arg int, word string) bool {
	text := f.text
	at := f.pos()
	quoted := f.posAt(arg)
	expr, end := "", -1
	switch text[arg] {
	case '"':
		body, e, _ := scanQuoted(text, arg+1)
		if e >= 0 {
			var b strings.Builder
			unescape(&b, body)
			expr, end = b.String(), e+1
		}
	case '\'':
		if n := strings.IndexByte(text[arg+1:], '\''); n >= 0 {
			expr, end = text[arg+1:arg+1+n], arg+n+2
		}
	}
	if end < 0 {
		l.errorAt(quoted, 0, fmt.Sprintf("#!%s: a string in quotes is needed", word), `example: #!subst "/regex/replacement/g"`)
		f.advance(f.eol())
		return true
	}
	expr = l.substitute(expr, quoted)
	l.addSubst(word, expr, at, quoted)
	f.advance(end)
	return true
}

func (l *lexer) addSubst(word, expr string, at, quoted Pos) {
	re, repl, flags, err := splitSubst(expr)
	if err == nil && word != "subst" && identEnd(re, 0) != len(re) {
		l.warnAt(quoted, 0, fmt.Sprintf("#!%s: %q is not a name", word, re), "only strings and variables are replaced")
	}
	var rule *substRule
	if err == nil {
		if word != "subst" {
			repl, err = l.evalVariables(repl)
		}
		if err == nil {
			rule, err = newSubst(re, repl, flags, l.evalVariables)
		}
	}
	if err == nil {
		if l.substSteps += rule.re.Size(); l.substSteps > maxSubstSteps {
			err = fmt.Errorf("the expressions up to here need more than %d steps", maxSubstSteps)
		}
	}
	if err != nil {
		l.errorAt(quoted, 0, fmt.Sprintf("#!%s: %v", word, err), "")
		return
	}
	l.substs = append(l.substs, rule)
	if word == "subst" {
		return
	}
	if old := l.defs[re]; old != nil {
		l.alreadyDefined(at, re, old)
		return
	}
	value := repl
	if word == "substdefs" {
		value = `"` + repl + `"`
	}
	p := quoted
	p.Col += 2 // behind the quote and the separator
	l.setDefine(Define{Name: re, Value: value, HasValue: value != "", Pos: p})
}

// evalVariables replaces the variables that are known before any message: $env(X), $def(X) and $$.
func (l *lexer) evalVariables(s string) (string, error) {
	if strings.IndexByte(s, '$') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' {
			b.WriteByte(s[i])
			continue
		}
		if strings.HasPrefix(s[i:], "$$") {
			b.WriteByte('$')
			i++
			continue
		}
		end := identEnd(s, i+1)
		closing := -1
		if end < len(s) && s[end] == '(' {
			closing = strings.IndexByte(s[end:], ')')
		}
		if closing < 0 && end > i+1 {
			return "", fmt.Errorf("$%s cannot be evaluated here: $env and $def can", s[i+1:end])
		}
		if closing < 0 {
			b.WriteByte('$')
			continue
		}
		name, arg := s[i+1:end], s[end+1:end+closing]
		switch name {
		case "env", "envn":
			v, _ := l.getenv(arg)
			b.WriteString(v)
		case "def", "defn":
			if d := l.defs[arg]; d != nil {
				b.WriteString(d.Value)
			}
		default:
			return "", fmt.Errorf("$%s(...) cannot be evaluated here: $env and $def can", name)
		}
		i = end + closing
	}
	return b.String(), nil
}

func formatNumber(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e18 {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatInt(int64(math.Max(-1e18, math.Min(1e18, n))), 10)
}
