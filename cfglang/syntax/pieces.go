package syntax

import (
	"fmt"
	"strings"
)

// pieceKind is what a piece of text is to the formatter, which sees one file without includes and defines.
type pieceKind uint8

const (
	pWord      pieceKind = iota // word or number
	pText                       // string, variable, attribute, select: taken as it is, may have several lines
	pOperator                   // operator or punctuation
	pComment                    // # or // to the end of the line
	pBlock                      // /* ... */
	pDirective                  // #!, //! or !! line with its continuations
	pNewline
)

// piece is a part of a file that stays together.
type piece struct {
	kind  pieceKind
	text  string
	space bool // blanks stood before it
}

func (p *piece) is(op string) bool { return p.kind == pOperator && p.text == op }

// pieces splits a file. The error names the line of what is not closed.
func pieces(text string) (out []piece, err error) {
	line, space := 1, false
	for i := 0; i < len(text); {
		end, kind := i+1, pOperator
		c := text[i]
		switch {
		case c == '\n':
			kind = pNewline
		case c == ' ' || c == '\t' || c == '\r' || c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			if c == '\\' {
				out = append(out, piece{kind: pOperator, text: `\`, space: true})
			}
			space = true
			i++
			continue
		case isDirectiveAt(text, i):
			kind, end = pDirective, directiveEnd(text, i)
		case c == '#' || strings.HasPrefix(text[i:], "//"):
			kind, end = pComment, lineEnd(text, i)
		case strings.HasPrefix(text[i:], "/*"):
			kind = pBlock
			if end = blockEnd(text, i); end < 0 {
				return nil, fmt.Errorf("line %d: the comment is not closed", line)
			}
		case c == '"':
			kind = pText
			if _, end, _ = scanQuoted(text, i+1); end < 0 {
				return nil, fmt.Errorf("line %d: the string is not closed", line)
			}
			end++
		case c == '\'':
			kind = pText
			if end = strings.IndexByte(text[i+1:], '\''); end < 0 {
				return nil, fmt.Errorf("line %d: the string is not closed", line)
			}
			end += i + 2
		case c == '$':
			kind = pText
			if end = dollarEnd(text, i); end < 0 {
				return nil, fmt.Errorf("line %d: the variable is not closed", line)
			}
		case isAlnum(c):
			kind, end = pWord, identEnd(text, i)
		case len(text) > i+1 && strings.Contains(" == != =~ <= >= && || << >> += ", " "+text[i:i+2]+" "):
			end = i + 2
		}
		out = append(out, piece{kind: kind, text: text[i:end], space: space})
		line += strings.Count(text[i:end], "\n")
		space = false
		i = end
	}
	return out, nil
}

// isDirectiveAt says whether a preprocessor line begins at i.
func isDirectiveAt(text string, i int) bool {
	switch {
	case strings.HasPrefix(text[i:], "#!"):
		return true
	case strings.HasPrefix(text[i:], "//!"):
		return strings.TrimSpace(text[strings.LastIndexByte(text[:i], '\n')+1:i]) == ""
	case !strings.HasPrefix(text[i:], "!!"):
		return false
	}
	switch text[i+2 : identEnd(text, i+2)] {
	case "define", "def", "trydefine", "trydef", "redefine", "redef", "undefine", "undef", "tryundefine", "tryundef",
		"defexp", "defexps", "defenv", "defenvs", "trydefenv", "trydefenvs", "ifdef", "ifndef", "ifexp", "else", "endif",
		"subst", "substdef", "substdefs", "include_file", "import_file":
		return true
	}
	return false
}

func lineEnd(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(text)
}

// directiveEnd is the end of a preprocessor line; a backslash before the newline continues it.
func directiveEnd(text string, i int) int {
	end := lineEnd(text, i)
	for end < len(text) && text[end-1] == '\\' {
		end = lineEnd(text, end+1)
	}
	return end
}

// blockEnd is the end of the comment at i; comments nest. -1: it has none.
func blockEnd(text string, i int) int {
	depth := 0
	for i+1 < len(text) {
		switch text[i : i+2] {
		case "/*":
			depth++
			i += 2
		case "*/":
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return -1
}

// dollarEnd is the end of the variable at i, index included; -1: a parenthesis is not closed.
func dollarEnd(text string, i int) int {
	end := identEnd(text, i+1)
	if end < len(text) && text[end] == '?' && end == i+1 {
		end++
	}
	if end == len(text) || text[end] != '(' {
		return end
	}
	depth := 0
	for j := end; j < len(text); j++ {
		switch text[j] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return j + 1
			}
		}
	}
	return -1
}
