package syntax

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"kahea/cfglang/diag"
)

const (
	maxDepth  = 1000 // statements and expressions in each other
	maxErrors = 100  // syntax errors of one run: a file that is no configuration shall not fill the log
)

// Parse preprocesses, lexes and parses the file at path ("-": standard input) with everything that it includes. It reports all errors
// that it finds and recovers at the next statement or top-level item; the tree is usable for further checks even then, and never nil.
func Parse(path string, o Options, d *diag.List) *File {
	text, ok := readMain(path, o, d)
	if !ok {
		return &File{}
	}
	l := newLexer(&o, d)
	l.push(frame{text: string(text), src: &diag.Source{Name: path, Text: text}, line: 1, path: path})
	return parseAll(l)
}

// ParseText parses text that Preprocess made, or any configuration text, as if it stood in a file called name. Of Preprocess's text
// it makes the tree, with the positions, that Parse makes of the file; the sources have blanks where text was left out.
func ParseText(name string, text []byte, o Options, d *diag.List) *File {
	l := newLexer(&o, d)
	text = l.readEnvHeader(text)
	src := &diag.Source{Name: name, Text: text}
	if l.marked = bytes.Contains(text, []byte("\n#!kahea:")); l.marked {
		all := rebuildSources(name, string(text))
		src, l.sources = all[0], all[1:]
	}
	l.push(frame{text: string(text), src: src, line: 1, path: name})
	return parseAll(l)
}

// Preprocess gives the text after includes and conditional parts, with marker lines for ParseText. Defines and substs are still in it
// (their effect is not); the environment variables that were asked for are kept with it. Errors of directives and words are reported, not those of the grammar.
func Preprocess(path string, o Options, d *diag.List) []byte {
	text, ok := readMain(path, o, d)
	if !ok {
		return nil
	}
	l := newLexer(&o, d)
	l.rec = &bytes.Buffer{}
	l.rec.Grow(len(text) + len(text)/4)
	l.push(frame{text: string(text), src: &diag.Source{Name: path, Text: text}, line: 1, path: path})
	for l.next().kind != tEOF {
	}
	l.finish()
	return append(l.envHeader(), l.rec.Bytes()...)
}

func readMain(path string, o Options, d *diag.List) ([]byte, bool) {
	var text []byte
	var err error
	switch {
	case path == "-":
		text, err = io.ReadAll(os.Stdin)
	case o.ReadFile != nil:
		text, err = o.ReadFile(path)
	default:
		text, err = os.ReadFile(path)
	}
	if err != nil {
		d.Add(diag.Diagnostic{Pos: Pos{Src: &diag.Source{Name: path}}, Summary: "cannot read the configuration", Detail: err.Error()})
		return nil, false
	}
	return text, true
}

// finish reports what is still open at the end. Kamailio only counts: as many #!endif too many as too few are no error.
func (l *lexer) finish() {
	report := l.errorAt
	if len(l.ifs) == len(l.strays) {
		report = l.warnAt
	}
	for _, at := range l.strays {
		report(at, at.Col+len("#!endif"), "#!endif without #!ifdef", "")
	}
	for _, part := range l.ifs {
		report(part.pos, 0, "#!ifdef, #!ifndef or #!ifexp without #!endif", "an #!endif counts only if nothing stands behind it and its line ends with a newline")
	}
	l.ifs, l.strays = nil, nil
	if l.rec != nil {
		l.unusedDefines()
	}
}

// unusedDefines warns of defines whose name stands nowhere else, parts that are left out included.
func (l *lexer) unusedDefines() {
	for _, d := range l.order {
		if d.Used || d.Predefined || d.Pos.Src == nil || d.Pos.Src.Name == "" || l.mentions(d.Name) > 1 {
			continue
		}
		l.warnAt(d.Pos, d.Pos.Col+len(d.Name), fmt.Sprintf("define %s is not used", d.Name), "")
	}
}

// mentions counts a word in all files, up to 2.
func (l *lexer) mentions(word string) (n int) {
	for _, text := range l.texts {
		for i := 0; n < 2; {
			at := strings.Index(text[i:], word)
			if at < 0 {
				break
			}
			at += i
			i = at + len(word)
			if (at == 0 || !isAlnum(text[at-1])) && (i == len(text) || !isAlnum(text[i])) {
				n++
			}
		}
	}
	return n
}

type parser struct {
	l    *lexer
	d    *diag.List
	buf  [4]token // lookahead, a ring
	head int
	n    int
	prev token // last token taken

	file   *File
	routes map[string]Pos // kind and name of the routes so far
	kind   RouteKind
	depth  int
	inCall int // inside arguments of a module function
	errors int
	lost   Pos // where the last unclosed block was noticed
}

// bailout leaves the current statement or item after an error was reported.
type bailout struct{}

func parseAll(l *lexer) *File {
	p := &parser{l: l, d: l.d, file: &File{}, routes: map[string]Pos{}}
	for p.errors < maxErrors {
		if t := p.peek(); t.kind == tEOF {
			break
		}
		p.item()
	}
	if p.errors >= maxErrors || l.errors >= maxErrors {
		l.ifs, l.strays = nil, nil // what was not read may close them
		p.d.Add(diag.Diagnostic{Pos: p.peek().pos, Summary: fmt.Sprintf("more than %d errors: the rest is not read", maxErrors)})
	}
	l.finish()
	p.file.Mode = l.mode
	for _, def := range l.order {
		p.file.Defines = append(p.file.Defines, *def)
	}
	return p.file
}

// peekN looks i tokens ahead, i below 4.
func (p *parser) peekN(i int) *token {
	for p.n <= i {
		p.buf[(p.head+p.n)%len(p.buf)] = p.l.next()
		p.n++
	}
	return &p.buf[(p.head+i)%len(p.buf)]
}

func (p *parser) peek() *token { return p.peekN(0) }

func (p *parser) take() token {
	t := *p.peek()
	if t.kind != tEOF {
		p.head = (p.head + 1) % len(p.buf)
		p.n--
	}
	p.prev = t
	return t
}

// accept takes the operator if it is next.
func (p *parser) accept(op string) bool {
	if p.peek().is(op) {
		p.take()
		return true
	}
	return false
}

// failAt reports an error at a token and leaves the statement. What the lexer already reported is not reported again.
func (p *parser) failAt(t *token, summary, detail string) {
	p.errors++
	if detail == "" && p.l.tornEnd > 0 && t.pos.Line == p.l.tornEnd && t.pos.Src == p.l.torn.Src {
		detail = p.l.tornDetail()
	}
	if t.kind != tBad {
		p.d.Add(diag.Diagnostic{Pos: t.pos, EndCol: t.end, Summary: summary, Detail: detail})
	}
	panic(bailout{})
}

// errorAt reports an error and goes on.
func (p *parser) errorAt(t *token, summary, detail string) {
	p.errors++
	p.d.Add(diag.Diagnostic{Pos: t.pos, EndCol: t.end, Summary: summary, Detail: detail})
}

func (p *parser) expect(op, context string) token {
	t := p.peek()
	if !t.is(op) {
		p.failAt(t, fmt.Sprintf("syntax error: %s, %q expected", t.describe(), op), context)
	}
	return p.take()
}

func (p *parser) expectString(what string) token {
	t := p.peek()
	if t.kind != tStr {
		p.failAt(t, fmt.Sprintf("syntax error: %s, a string expected", t.describe()), what)
	}
	return p.take()
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.failAt(p.peek(), fmt.Sprintf("more than %d statements or expressions in each other", maxDepth), "")
	}
}

func (p *parser) leave() { p.depth-- }

// try runs f and says whether it went without an error.
func (p *parser) try(f func()) (ok bool) {
	depth, inCall := p.depth, p.inCall
	defer func() {
		p.depth, p.inCall = depth, inCall
		if !ok {
			if r := recover(); r != nil {
				if _, is := r.(bailout); !is {
					panic(r)
				}
			}
		}
	}()
	f()
	return true
}
