package diag

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	ansiReset = "\x1b[0m"
	ansiBold  = "\x1b[1m"
)

func (s Severity) ansi() string {
	switch s {
	case Error:
		return "\x1b[1;31m"
	case Warning:
		return "\x1b[1;35m"
	}
	return "\x1b[1;36m"
}

// Write prints all diagnostics in the order of All:
//
//	FILE:LINE:COL: error: summary
//	  12 | 	sl_sendreply("200", "OK");
//	     | 	^~~~~~~~~~~~
//	     = detail
//	     = in the expansion of NAME defined at FILE:LINE:COL
//	     = included from FILE:LINE
//
// A place whose source text is not known has no snippet. colour adds ANSI colours. Control characters of the source are
// replaced, so a hostile file cannot write to the terminal.
func (l *List) Write(w io.Writer, colour bool) error {
	bw := bufio.NewWriter(w)
	for _, d := range l.All() {
		d.write(bw, colour)
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

func (d Diagnostic) write(w *bufio.Writer, colour bool) {
	paint := func(code, s string) string {
		if !colour || s == "" {
			return s
		}
		return code + s + ansiReset
	}
	if place := d.Pos.String(); place != "" {
		w.WriteString(paint(ansiBold, place+":") + " ")
	}
	fmt.Fprintf(w, "%s %s\n", paint(d.Severity.ansi(), d.Severity.String()+":"), paint(ansiBold, printable(d.Summary)))
	gutter := "     "
	if line, ok := d.Pos.sourceLine(); ok {
		fmt.Fprintf(w, "%s | %s\n", fmt.Sprintf("%4d", d.Pos.Line), printable(line))
		gutter = strings.Repeat(" ", max(4, len(fmt.Sprint(d.Pos.Line)))) + " "
		fmt.Fprintf(w, "%s| %s\n", gutter, paint(d.Severity.ansi(), caret(line, d.Pos.Col, d.EndCol)))
	}
	note := func(format string, a ...any) {
		fmt.Fprintf(w, "%s= %s\n", gutter, printable(fmt.Sprintf(format, a...)))
	}
	for line := range strings.Lines(d.Detail) {
		note("%s", strings.TrimRight(line, "\n"))
	}
	for def := d.Pos.Def; def != nil; def = def.Def {
		name := def.word()
		if name == "" {
			name = "a define"
		}
		if def.Src == nil || def.Src.Name == "" {
			note("in the expansion of %s, defined on the command line", name)
			continue
		}
		note("in the expansion of %s defined at %s", name, def)
	}
	for in := d.Pos.Incl; in != nil; in = in.Incl {
		if in.Src != nil {
			note("included from %s:%d", in.Src.Name, in.Line)
		}
	}
}

// String is FILE:LINE:COL, "" for an unknown place.
func (p Pos) String() string {
	if p.Src == nil {
		return ""
	}
	name := p.Src.Name
	if name == "" {
		name = "command line"
	}
	if p.Line == 0 {
		return name
	}
	return fmt.Sprintf("%s:%d:%d", name, p.Line, p.Col)
}

// IsValid says whether the place is known.
func (p Pos) IsValid() bool { return p.Src != nil && p.Line > 0 }

func (p Pos) sourceLine() (string, bool) {
	if !p.IsValid() || len(p.Src.Text) == 0 {
		return "", false
	}
	starts := p.Src.starts()
	if p.Line > len(starts) {
		return "", false
	}
	text := p.Src.Text[starts[p.Line-1]:]
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return strings.TrimRight(string(text), "\r"), true
}

// starts are the offsets at which the lines begin.
func (s *Source) starts() []int {
	if s.lines == nil {
		s.lines = append(s.lines, 0)
		for i, c := range s.Text {
			if c == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	}
	return s.lines
}

// word is the identifier that stands at p.
func (p Pos) word() string {
	line, ok := p.sourceLine()
	if !ok || p.Col < 1 || p.Col > len(line) {
		return ""
	}
	rest := line[p.Col-1:]
	end := 0
	for end < len(rest) && isWord(rest[end]) {
		end++
	}
	return rest[:end]
}

// tokenEnd is the column behind the word, string, variable or select that stands at p; 0: something else does.
func (p Pos) tokenEnd() int {
	line, ok := p.sourceLine()
	if !ok || p.Col < 1 || p.Col > len(line) {
		return 0
	}
	rest := line[p.Col-1:]
	end := 0
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		for end = 1; end < len(rest) && rest[end] != c; end++ {
			if rest[end] == '\\' && c == '"' {
				end++
			}
		}
		end++
	case c == '$' || c == '%' || c == '@':
		depth := 0
		for end = 1; end < len(rest) && (depth > 0 || isWord(rest[end]) || strings.IndexByte("(.[", rest[end]) >= 0); end++ {
			switch rest[end] {
			case '(', '[':
				depth++
			case ')', ']':
				depth--
			}
		}
	default:
		for end < len(rest) && isWord(rest[end]) {
			end++
		}
	}
	if end < 2 || end > len(rest) {
		return 0
	}
	return p.Col + end
}

// Within is the range of the variable or transformation called name in the string or variable that stands at p; p and 0 when it is not
// found there: in text that came of escapes, substitutions or defines.
func (p Pos) Within(name string) (start Pos, endCol int) {
	end := p.tokenEnd()
	if p.Def != nil || end == 0 {
		return p, 0
	}
	line, _ := p.sourceLine()
	token := line[p.Col-1 : end-1]
	bare := strings.TrimPrefix(name, "$")
	for off := 1; bare != ""; {
		i := strings.Index(token[off:], bare)
		if i < 0 {
			break
		}
		i += off
		off = i + len(bare)
		if off < len(token) && isWord(token[off]) || strings.IndexByte("$({", token[i-1]) < 0 {
			continue
		}
		if bare != name && token[i-1] == '$' {
			i--
		}
		p.Col += i
		return p, p.Col + off - i
	}
	return p, 0
}

func isWord(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// caret returns blanks (tabs kept, so that it lines up) and ^~~~ under the bytes [col, end) of line.
func caret(line string, col, end int) string {
	var b strings.Builder
	col = max(1, min(col, len(line)+1))
	for i, r := range line[:col-1] {
		switch {
		case r == utf8.RuneError && i > 0 && !utf8.RuneStart(line[i]): // middle of a broken sequence
		case r == '\t':
			b.WriteByte('\t')
		default:
			b.WriteByte(' ')
		}
	}
	b.WriteByte('^')
	if end > col+1 {
		end = min(end, len(line)+1)
		if end > col+1 {
			b.WriteString(strings.Repeat("~", utf8.RuneCountInString(line[col:end-1])))
		}
	}
	return b.String()
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\u00b7'
		}
		return r
	}, s)
}
