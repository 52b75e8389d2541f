package compile

import (
	"math/rand/v2"
	"strings"
	"testing"

	"kahea/cfglang/syntax"
)

// TestMatcher: what is found without the regular expression machine is what the machine finds.
func TestMatcher(t *testing.T) {
	patterns := []string{
		"", "a", "^a", "a$", "^a$", "^0[1-9]", "^[+]?49", "[0-9][0-9]", "^[a-c]x$", "friendly|scanner|sip", "(friendly|sipvicious|scan).*[0-9]+", "^(sip|sips):", "a+b", "(ab){2,3}c",
		"(ab)*c", "x?y", ".", "^.$", "a.c", "[^0-9]", "^$", "a|", "k", "s[ks]", "\\.com$", "(a|b)(c|d)", "^(1|2)[0-9]{3}$", "bench 1", "A-b",
	}
	words := []string{"", "a", "b", "0", "1", "9", "49", "+49", "sip:", "sips:", "friendly", "SCAN", "sipvicious7", "scanner ", "ab", "c", "x", "y", ".com", "\n", "k", "S", "bench", " ", "\x80", "A-B", "abc", "\u017f"}
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range patterns {
		m, err := newMatcher(p)
		if err != nil {
			t.Fatal(err)
		}
		re, err := syntax.ParsePOSIX(p, true, true)
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			text := ""
			for range r.IntN(5) {
				text += words[r.IntN(len(words))]
			}
			if got, want := m.match([]byte(text)), re.Match([]byte(text)); got != want && !containsLongS(text) {
				t.Fatalf("%q on %q: %v, the machine says %v", p, text, got, want)
			}
		}
	}
}

// containsLongS: Go folds it to s, POSIX does not.
func containsLongS(s string) bool {
	for _, r := range s {
		if r == 0x17f {
			return true
		}
	}
	return false
}

// TestMatcherOfDeepGroups: what is known of a pattern is found in one walk, whatever stands in each other.
func TestMatcherOfDeepGroups(t *testing.T) {
	const depth = 200
	m, err := newMatcher(strings.Repeat("(", depth) + "a+b" + strings.Repeat(")c", depth))
	if err != nil {
		t.Fatal(err)
	}
	if text := "aab" + strings.Repeat("c", depth); !m.match([]byte(text)) || m.match([]byte(text[:len(text)-1])) {
		t.Error("the pattern matches something else")
	}
}
