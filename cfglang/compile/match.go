package compile

import (
	"regexp"
	"strings"

	"kahea/cfglang/syntax"
)

// matcher is a compiled constant pattern of =~. A pattern that is only alternatives of plain words, the usual list of unwanted user agents,
// is searched for without the regular expression machine, which costs ten times as much there.
type matcher struct {
	re    *regexp.Regexp
	words []string // lower case; nil: use re
	first [256]bool
}

func newMatcher(pattern string) (*matcher, error) {
	re, err := syntax.CompilePOSIX(pattern, true, true)
	if err != nil {
		return nil, err
	}
	m := &matcher{re: re}
	if pattern == "" || strings.ContainsAny(pattern, `.[]()*+?{}^$\`) {
		return m, nil
	}
	for _, w := range strings.Split(pattern, "|") {
		if w == "" || !ascii(w) {
			m.words = nil
			return m, nil
		}
		w = strings.ToLower(w)
		m.words = append(m.words, w)
		m.first[w[0]] = true
		m.first[upper(w[0])] = true
	}
	return m, nil
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
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
	if m.words == nil {
		return m.re.Match(b)
	}
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
