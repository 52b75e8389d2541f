package syntax

import (
	"fmt"
	"strings"
)

// str reads "..." and what is concatenated with it: more of them behind blanks and newlines, also across the end of a define's text.
func (l *lexer) str(f *frame) token {
	t := token{kind: tStr, pos: f.pos()}
	var b strings.Builder
	parts := 0
	plain := "" // the only part, if it has no escape
	for {
		body, end, escapes := scanQuoted(f.text, f.off+1)
		if end < 0 {
			l.errorAt(f.pos(), 0, "string is not closed", l.tornDetail())
			t.kind = tBad
			f.advance(f.eol())
			return t
		}
		if parts == 0 && !escapes {
			plain = body
		} else {
			if parts == 1 {
				b.WriteString(plain)
				plain = ""
			}
			unescape(&b, body)
		}
		parts++
		f.advance(end + 1)
		if parts == 1 && f.macro == nil && f.line == t.pos.Line {
			t.end = f.col()
		} else {
			t.end = 0
		}
		if f.line != t.pos.Line && parts == 1 && f.macro == nil && l.torn.Line == 0 && f.off < len(f.text) && (isIDStart(f.text[f.off]) || f.text[f.off] == '\\') {
			l.torn, l.tornEnd = t.pos, f.line
		}
		if !l.moreString() {
			break
		}
		f = l.top()
	}
	t.text = plain
	if b.Len() > 0 {
		t.text = b.String()
	}
	t.text = l.substitute(t.text, t.pos)
	return t
}

// tornDetail names the string that may be the one without its quote.
func (l *lexer) tornDetail() string {
	if l.torn.Line == 0 {
		return ""
	}
	return fmt.Sprintf("the string that begins at line %d ends at line %d only: is its quote missing?", l.torn.Line, l.tornEnd)
}

// moreString says whether the next thing but blanks is another double-quoted string, and moves to it.
func (l *lexer) moreString() bool {
	for n := len(l.frames) - 1; n >= 0; n-- {
		f := &l.frames[n]
		i := f.off
		for i < len(f.text) && (f.text[i] == ' ' || f.text[i] == '\t' || f.text[i] == '\r' || f.text[i] == '\n') {
			i++
		}
		if i < len(f.text) {
			if f.text[i] != '"' {
				return false
			}
			f.advance(i)
			l.frames = l.frames[:n+1]
			return true
		}
		if f.macro == nil {
			return false
		}
	}
	return false
}

// scanQuoted finds the closing quote of a string whose text begins at i; end is -1 if there is none.
func scanQuoted(s string, i int) (body string, end int, escapes bool) {
	for j := i; j < len(s); j++ {
		switch s[j] {
		case '"':
			return s[i:j], j, escapes
		case '\\':
			escapes = true
			j++
		}
	}
	return "", -1, false
}

func unescape(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\\' || i+1 == len(s) {
			b.WriteByte(c)
			continue
		}
		i++
		switch c := s[i]; {
		case c == 'n':
			b.WriteByte('\n')
		case c == 'r':
			b.WriteByte('\r')
		case c == 'a':
			b.WriteByte('\a')
		case c == 't':
			b.WriteByte('\t')
		case c == '"' || c == '\\':
			b.WriteByte(c)
		case c == '\n':
		case c == 'x' && i+1 < len(s) && isHex(s[i+1]):
			v := 0
			n := 0
			for n < 2 && i+1 < len(s) && isHex(s[i+1]) {
				i++
				n++
				v = v*16 + hexValue(s[i])
			}
			b.WriteByte(byte(v))
		case isOctal(c) && i+1 < len(s) && isOctal(s[i+1]):
			v := 0
			n := 0
			for n < 3 && i < len(s) && isOctal(s[i]) && v*8+int(s[i]-'0') < 256 {
				v = v*8 + int(s[i]-'0')
				i++
				n++
			}
			i--
			b.WriteByte(byte(v))
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

func hexValue(c byte) int {
	if isDigit(c) {
		return int(c - '0')
	}
	return int(c|0x20-'a') + 10
}

// rawStr reads '...'.
func (l *lexer) rawStr(f *frame) token {
	t := token{kind: tStr, pos: f.pos()}
	n := strings.IndexByte(f.text[f.off+1:], '\'')
	if n < 0 {
		l.errorAt(t.pos, 0, "string is not closed", "")
		t.kind = tBad
		f.advance(f.eol())
		return t
	}
	t.text = l.substitute(f.text[f.off+1:f.off+1+n], t.pos)
	f.advance(f.off + n + 2)
	if f.macro == nil && f.line == t.pos.Line {
		t.end = f.col()
	}
	return t
}

// substitute applies the subst rules to a string, a variable or an include path.
func (l *lexer) substitute(s string, p Pos) string {
	if l.gaveUp {
		return s
	}
	for _, r := range l.substs {
		out, err := r.apply(s)
		if err != nil {
			l.errorAt(p, 0, err.Error(), "")
			return s
		}
		if len(out) > len(s) && !l.grow(len(out)-len(s), p, 0) {
			return s
		}
		if l.substCost += substCost + r.re.Size()*len(s); l.substCost > maxSubstCost && !l.gaveUp {
			l.gaveUp = true
			l.errorAt(p, 0, "the substs above take too long on the words up to here", "nothing is replaced after this")
			return s
		}
		s = out
	}
	return s
}

// dollar reads $name, $name(...), $(...), or an attribute, by the compatibility mode.
func (l *lexer) dollar(f *frame) token {
	text := f.text
	i := f.off + 1
	if i < len(text) && text[i] == '(' {
		return l.balanced(f, i)
	}
	end := identEnd(text, i)
	if end == i {
		if i < len(text) && text[i] == '?' {
			return l.take(f, tPV, 2)
		}
		t := l.take(f, tBad, 1)
		l.errorAt(t.pos, t.end, "no name after $", "")
		return t
	}
	switch l.mode {
	case ModeSER:
		return l.avp(f, 1)
	case ModeMax:
		if end < len(text) && (text[end] == '[' || text[end] == '.' && avpClass(text[i:end])) {
			return l.avp(f, 1)
		}
	}
	if end < len(text) && text[end] == '(' {
		return l.balanced(f, end)
	}
	t := l.take(f, tPV, end-f.off)
	t.text = l.substitute(t.text, t.pos)
	return t
}

// avpClass: from and to, of uri, user, domain, and global.
func avpClass(s string) bool {
	switch s {
	case "f", "t", "fr", "fu", "fd", "tr", "tu", "td", "g":
		return true
	}
	return false
}

// balanced reads to the parenthesis that closes the one at offset open.
func (l *lexer) balanced(f *frame, open int) token {
	t := token{kind: tPV, pos: f.pos()}
	depth := 0
	for i := open; i < len(f.text); i++ {
		switch f.text[i] {
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				t.text = l.substitute(f.text[f.off:i+1], t.pos)
				f.advance(i + 1)
				if f.macro == nil && f.line == t.pos.Line {
					t.end = f.col()
				}
				return t
			}
		}
	}
	l.errorAt(t.pos, 0, "parenthesis of the variable is not closed", "")
	t.kind = tBad
	f.advance(f.eol())
	return t
}

// avp reads an attribute: one byte ($ or %), [class.]name, [index].
func (l *lexer) avp(f *frame, skip int) token {
	text := f.text
	i := f.off + skip
	end := identEnd(text, i)
	if end+1 < len(text) && text[end] == '.' && avpClass(text[i:end]) && isIDStart(text[end+1]) {
		end = identEnd(text, end+1)
	}
	if end < len(text) && text[end] == '[' {
		j := end + 1
		for j < len(text) && (isAlnum(text[j]) || text[j] == '-' || text[j] == '*') {
			j++
		}
		if j < len(text) && text[j] == ']' {
			end = j + 1
		}
	}
	t := l.take(f, tAvp, end-f.off)
	if t.text[0] == '$' {
		t.text = l.substitute(t.text, t.pos)
	}
	return t
}

// sel reads a select: @name, then .name and [index] in any number.
func (l *lexer) sel(f *frame) token {
	text := f.text
	end := identEnd(text, f.off+1)
	for end < len(text) {
		if text[end] == '.' && end+1 < len(text) && isAlnum(text[end+1]) {
			end = identEnd(text, end+1)
			continue
		}
		if text[end] != '[' {
			break
		}
		j := end + 1
		if j < len(text) && text[j] == '"' {
			_, q, _ := scanQuoted(text, j+1)
			if q < 0 {
				break
			}
			j = q + 1
		} else if j < len(text) && text[j] == '\'' {
			q := strings.IndexByte(text[j+1:], '\'')
			if q < 0 {
				break
			}
			j += q + 2
		} else {
			for j < len(text) && (isAlnum(text[j]) || text[j] == '-' || text[j] == '*' || text[j] == '%') {
				j++
			}
		}
		if j >= len(text) || text[j] != ']' {
			break
		}
		end = j + 1
	}
	if strings.IndexByte(text[f.off:end], '\n') >= 0 {
		t := token{kind: tSelect, text: text[f.off:end], pos: f.pos()}
		f.advance(end)
		return t
	}
	return l.take(f, tSelect, end-f.off)
}
