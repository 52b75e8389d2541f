package syntax

import (
	"fmt"
	"strings"
)

// Format gives a configuration the usual form: a tab for each open brace, one blank around comparisons, assignments and logical operators in routes, behind
// commas and before an opening brace, none at the end of a line, one empty line at most. Lines are neither joined nor split; comments, strings and preprocessor
// lines keep their text, and preprocessor lines begin in the first column. Only spaces and empty lines change, so the result means the same; formatting it
// again changes nothing. It works on one file: included ones are files of their own, and both sides of a conditional part are formatted.
//
// The error names the line of a string or comment that is not closed.
func Format(text []byte) ([]byte, error) {
	ps, err := pieces(unixLines(string(text)))
	if err != nil {
		return nil, err
	}
	f := formatter{}
	for len(ps) > 0 {
		n := 0
		for n < len(ps) && ps[n].kind != pNewline {
			n++
		}
		f.line(ps[:n])
		ps = ps[min(n+1, len(ps)):]
	}
	out := strings.TrimRight(f.out.String(), "\n")
	if out != "" {
		out += "\n"
	}
	if again, err := pieces(out); err != nil || !samePieces(string(text), again) {
		return nil, fmt.Errorf("a change would mean something else; nothing is changed: %w", errFormat)
	}
	return []byte(out), nil
}

// unixLines takes the carriage returns off the ends of lines.
func unixLines(text string) string {
	text = strings.TrimRight(text, "\r")
	for strings.Contains(text, "\r\n") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return text
}

var errFormat = fmt.Errorf("the text is too unusual to be formatted")

// samePieces says whether only blanks and newlines differ.
func samePieces(text string, got []piece) bool {
	want, err := pieces(unixLines(text))
	if err != nil {
		return false
	}
	i := 0
	for _, w := range want {
		if w.kind == pNewline {
			continue
		}
		for i < len(got) && got[i].kind == pNewline {
			i++
		}
		if i == len(got) || got[i].kind != w.kind || strings.TrimRight(got[i].text, " \t\r") != strings.TrimRight(w.text, " \t\r") {
			return false
		}
		i++
	}
	for i < len(got) && got[i].kind == pNewline {
		i++
	}
	return i == len(got)
}

// brace is an open brace.
type brace struct {
	isSwitch bool
	inCase   bool // a case stood in it
}

// state is where the formatter is between two lines.
type state struct {
	braces []brace
	parens int
	open   bool // a statement goes on in the next line
}

type formatter struct {
	out   strings.Builder
	blank int // empty lines that wait
	state
	ifs      []state // at the beginning of each conditional part
	switched bool    // switch was seen, its brace not
}

func (f *formatter) copyState() state {
	s := f.state
	s.braces = append([]brace{}, f.braces...)
	return s
}

// line writes one line; ps are its pieces, without the newline.
func (f *formatter) line(ps []piece) {
	if len(ps) == 0 {
		f.blank++
		return
	}
	if f.blank > 0 && f.out.Len() > 0 {
		f.out.WriteByte('\n')
	}
	f.blank = 0
	if ps[0].kind == pDirective {
		f.conditional(ps[0].text)
		f.out.WriteString(ps[0].text + "\n")
		return
	}
	f.out.WriteString(strings.Repeat("\t", f.indent(ps)))
	for i := range ps {
		if i > 0 && f.gap(ps, i) {
			f.out.WriteByte(' ')
		}
		text := ps[i].text
		if ps[i].kind == pComment {
			text = strings.TrimRight(text, " \t\r")
		}
		f.out.WriteString(text)
		f.track(&ps[i])
	}
	f.out.WriteByte('\n')
	f.open = f.goesOn(ps)
}

// conditional keeps both sides of a conditional part at the same depth.
func (f *formatter) conditional(text string) {
	switch text[2:identEnd(text, 2)] {
	case "ifdef", "ifndef", "ifexp":
		f.ifs = append(f.ifs, f.copyState())
	case "else":
		if n := len(f.ifs); n > 0 {
			f.state = f.ifs[n-1]
			f.ifs[n-1] = f.copyState()
		}
	case "endif":
		if n := len(f.ifs); n > 0 {
			f.ifs = f.ifs[:n-1]
		}
	}
}

// indent is the number of tabs of a line.
func (f *formatter) indent(ps []piece) int {
	n := len(f.braces)
	for _, b := range f.braces {
		if b.inCase {
			n++
		}
	}
	inner := n > 0 && f.braces[len(f.braces)-1].inCase
	first := &ps[0]
	switch {
	case first.is("}"):
		n--
		if inner {
			n--
		}
	case inner && first.kind == pWord && (first.text == "case" || first.text == "default"):
		n--
	case first.is("{"):
	case first.is(")") && f.parens == 1:
	case f.parens > 0 || f.open && first.kind != pComment:
		n++
	}
	return max(n, 0)
}

// track follows braces and parentheses.
func (f *formatter) track(p *piece) {
	switch {
	case p.kind == pWord && p.text == "switch":
		f.switched = true
	case p.kind == pWord && (p.text == "case" || p.text == "default"):
		if n := len(f.braces); n > 0 && f.braces[n-1].isSwitch && f.parens == 0 {
			f.braces[n-1].inCase = true
		}
	case p.is("("):
		f.parens++
	case p.is(")"):
		f.parens = max(0, f.parens-1)
	case p.is("{"):
		f.braces = append(f.braces, brace{isSwitch: f.switched})
		f.switched = false
	case p.is("}"):
		if n := len(f.braces); n > 0 {
			f.braces = f.braces[:n-1]
		}
	}
}

// goesOn says whether the statement of a line in a route is not at its end yet.
func (f *formatter) goesOn(ps []piece) bool {
	if len(f.braces) == 0 {
		return false
	}
	for i := len(ps) - 1; i >= 0; i-- {
		p := &ps[i]
		if p.kind == pComment || p.kind == pBlock {
			continue
		}
		return !(p.is(";") || p.is("{") || p.is("}") || p.is(":")) && !(p.kind == pDirective)
	}
	return f.open
}

// wideOperators have a blank on both sides.
func wideOperator(p *piece) bool {
	if p.kind != pOperator {
		return false
	}
	switch p.text {
	case "==", "!=", "=~", "<=", ">=", "&&", "||", "=", "+=":
		return true
	}
	return false
}

// spaced are words behind which a parenthesis stands apart.
func spaced(word string) bool {
	switch word {
	case "if", "while", "switch", "case", "return", "and", "or", "not", "mod", "eq", "ne", "ieq", "ine", "else":
		return true
	}
	return false
}

// gap says whether a blank stands before piece i of a line.
func (f *formatter) gap(ps []piece, i int) bool {
	p, prev := &ps[i], &ps[i-1]
	switch {
	case p.kind == pComment || p.kind == pBlock || prev.kind == pBlock || p.kind == pDirective || p.is(`\`):
		return true
	case p.is("{"):
		return !prev.is("(")
	case prev.is("{") || p.is("}"):
		return p.kind != pOperator || !p.is("}") || !prev.is("{") || p.space
	case prev.is("}"):
		return !p.is(";") && !p.is(")")
	case p.is(";") || p.is(","):
		return false
	case prev.is(","):
		return len(f.braces) > 0 || f.parens > 0 || p.space
	case len(f.braces) == 0:
		return p.space // names and addresses of parameters may hold anything
	case p.is(")") || prev.is("("):
		return false
	case wideOperator(p) || wideOperator(prev):
		return true
	case p.is("(") && prev.kind == pWord:
		return spaced(prev.text)
	}
	return p.space
}
