package compile

import (
	"fmt"
	resyntax "regexp/syntax"
	"slices"
	"sync"

	"kahea/cfglang/diag"
	"kahea/cfglang/syntax"
)

// matcher is a compiled constant pattern of =~. Most patterns of real scripts do not need the regular expression machine, which costs ten times as much: the usual list of
// unwanted user agents is searched for word by word, a prefix of digits is compared class by class, and of the rest most texts lack a word that they must have.
// What a pattern needs is found out when it is matched first.
type matcher struct {
	re       *syntax.Regexp
	once     sync.Once
	words    []string // lower case: one of them must be there; nil: nothing is known
	first    [256]bool
	only     bool         // the pattern is nothing but these words
	classes  []*[256]bool // the pattern is one of each of these; nil: it is something else
	from, to bool         // it begins at the start of the text, ends at its end
}

// matcher is the matcher of a pattern; one that stands in several places is made once.
func (k *Compiler) matcher(pattern string) (m *matcher, err error) {
	if m = k.matches[pattern]; m == nil {
		if m, err = newMatcher(pattern); err == nil {
			k.matches[pattern] = m
		}
	}
	return m, err
}

// neverMatches warns of an escape that matches nothing, which people know from other kinds of expressions.
func (k *Compiler) neverMatches(pos diag.Pos, re *syntax.Regexp) {
	esc := re.Never()
	if esc == "" {
		return
	}
	detail := "write the letter without the backslash, or a class in brackets"
	switch esc {
	case `\d`:
		detail = "write [0-9]"
	case `\n`, `\r`, `\t`:
		detail = `write one backslash less: "` + esc + `" is the character itself in a string`
	}
	k.d.Add(diag.Diagnostic{Severity: diag.Warning, Pos: pos, Summary: fmt.Sprintf("%s in a regular expression never matches, as in Kamailio", esc), Detail: detail})
}

func newMatcher(pattern string) (*matcher, error) {
	re, err := syntax.ParsePOSIX(pattern, true, true)
	if err != nil {
		return nil, err
	}
	return &matcher{re: re}, nil
}

// maxAnalysed bounds the patterns that are looked into, in steps of their machine.
const maxAnalysed = 4096

func (m *matcher) analyse() {
	if m.re.Size() > maxAnalysed {
		return
	}
	tree, err := resyntax.Parse(m.re.String(), resyntax.Perl)
	if err != nil {
		return // the machine takes it
	}
	tree = tree.Simplify()
	if m.sequence(tree) {
		return
	}
	m.words, m.only = required(tree)
	for _, w := range m.words {
		m.first[w[0]] = true
		m.first[upper(w[0])] = true
	}
}

// maxClasses bounds what is compared class by class.
const maxClasses = 16

// sequence takes a pattern that is a sequence of single characters, anchored or not.
func (m *matcher) sequence(tree *resyntax.Regexp) bool {
	parts := []*resyntax.Regexp{tree}
	for len(parts) == 1 && (parts[0].Op == resyntax.OpConcat || parts[0].Op == resyntax.OpCapture) {
		parts = parts[0].Sub
	}
	if len(parts) > 0 && parts[0].Op == resyntax.OpBeginText {
		m.from, parts = true, parts[1:]
	}
	var out []*[256]bool
	for i, p := range parts {
		switch p.Op {
		case resyntax.OpEndText:
			if i != len(parts)-1 {
				return false
			}
			m.to = true
		case resyntax.OpLiteral:
			for _, r := range p.Rune {
				if r >= 0x80 {
					return false
				}
				x := &[256]bool{}
				x[r] = true
				if p.Flags&resyntax.FoldCase != 0 { // not Go's relatives of k and s beyond ASCII: POSIX does not know them either
					x[lower(byte(r))], x[upper(byte(r))] = true, true
				}
				out = append(out, x)
			}
		case resyntax.OpCharClass:
			x := &[256]bool{}
			for j := 0; j < len(p.Rune); j += 2 {
				if p.Rune[j+1] >= 0x80 {
					return false
				}
				for r := p.Rune[j]; r <= p.Rune[j+1]; r++ {
					x[r] = true
				}
			}
			out = append(out, x)
		default:
			return false
		}
	}
	if len(out) == 0 || len(out) > maxClasses {
		return false
	}
	m.classes = out
	return true
}

// required are the words of which a text that matches has at least one; only says that a text with one of them matches. nil: nothing is known.
func required(x *resyntax.Regexp) (words []string, only bool) {
	switch x.Op {
	case resyntax.OpLiteral:
		w := make([]byte, 0, len(x.Rune))
		for _, r := range x.Rune {
			if r >= 0x80 {
				return nil, false
			}
			w = append(w, lower(byte(r)))
		}
		return []string{string(w)}, x.Flags&resyntax.FoldCase != 0
	case resyntax.OpCapture, resyntax.OpPlus:
		words, only = required(x.Sub[0]) // once: groups stand in each other
		return words, only && x.Op == resyntax.OpCapture
	case resyntax.OpRepeat:
		if x.Min > 0 {
			words, _ = required(x.Sub[0])
		}
		return words, false
	case resyntax.OpAlternate:
		only = true
		for _, s := range x.Sub {
			w, o := required(s)
			if w == nil {
				return nil, false
			}
			words, only = append(words, w...), only && o
		}
		return words, only
	case resyntax.OpConcat:
		for _, s := range x.Sub { // those whose shortest word is longest sort out most
			if w, _ := required(s); w != nil && shortest(w) > shortest(words) {
				words = w
			}
		}
		return words, false
	}
	return nil, false
}

func shortest(words []string) int {
	if len(words) == 0 {
		return 0
	}
	return len(slices.MinFunc(words, func(a, b string) int { return len(a) - len(b) }))
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c - 'A' + 'a'
	}
	return c
}

func (m *matcher) match(b []byte) bool {
	m.once.Do(m.analyse)
	switch {
	case m.classes != nil:
		return m.matchClasses(b)
	case m.words == nil:
		return m.re.Match(b)
	}
	return m.hasWord(b) && (m.only || m.re.Match(b))
}

func (m *matcher) matchClasses(b []byte) bool {
	n := len(m.classes)
	first, last := 0, len(b)-n
	if m.from {
		last = min(last, 0)
	}
	if m.to {
		first = max(first, len(b)-n)
	}
	for i := first; i <= last; i++ {
		ok := true
		for j, x := range m.classes {
			if !x[b[i+j]] {
				ok = false
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}

func (m *matcher) hasWord(b []byte) bool {
	for i := range b {
		if !m.first[b[i]] {
			continue
		}
		for _, w := range m.words {
			if hasPrefixFold(b[i:], w) {
				return true
			}
		}
	}
	return false
}

func hasPrefixFold(b []byte, w string) bool {
	if len(b) < len(w) {
		return false
	}
	for i := 0; i < len(w); i++ {
		if lower(b[i]) != w[i] {
			return false
		}
	}
	return true
}
