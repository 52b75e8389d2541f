package syntax

import (
	"strings"
	"testing"
)

func TestPOSIX(t *testing.T) {
	for _, c := range []struct {
		name, re     string
		icase, dotnl bool
		match, not   []string
	}{
		{"class", `^[[:digit:]]+$`, false, true, []string{"123"}, []string{"12a", ""}},
		{"case", `^sip:`, true, true, []string{"SIP:x"}, []string{"tel:"}},
		{"backslash in bracket", `^[\d]+$`, false, true, []string{`\d`}, []string{"5"}},
		{"no digit class", `^\d$`, false, true, []string{"d"}, []string{"5"}},
		{"escaped small letter, case does not count", `a\d|b\r`, true, true, nil, []string{"ad", "b\r", "br", "a1"}},
		{"escaped capital, case does not count", `a\D`, true, true, []string{"ad", "AD"}, []string{"a1"}},
		{"bracket first", `^[]a]+$`, false, true, []string{"]a"}, []string{"b"}},
		{"negated bracket first", `^[^]a]$`, false, true, []string{"b"}, []string{"]", "a"}},
		{"dash", `^[a-c-]+$`, false, true, []string{"a-"}, []string{"d"}},
		{"collating", `^[[.-.]x]+$`, false, true, []string{"-x"}, []string{"y"}},
		{"brace literal", `^a{x$`, false, true, []string{"a{x"}, nil},
		{"brace not closed", `^{a`, false, true, []string{"{a"}, nil},
		{"interval", `^a{2,3}$`, false, true, []string{"aa", "aaa"}, []string{"a", "aaaa"}},
		{"interval from zero", `^a{,2}$`, false, true, []string{"", "aa"}, []string{"aaa"}},
		{"repeat of repeat", `^a+?b$`, false, true, []string{"b", "aab"}, nil},
		{"star star", `^(ab)**$`, false, true, []string{"abab", ""}, []string{"a"}},
		{"unmatched close", `^a)$`, false, true, []string{"a)"}, nil},
		{"dot and newline", `^a.b$`, false, true, []string{"a\nb"}, nil},
		{"no dot for newline", `^a.b$`, false, false, []string{"axb", "x\naxb\ny"}, []string{"a\nb"}},
		{"negated and newline", `a[^x]b`, false, false, []string{"ayb"}, []string{"a\nb"}},
		{"ends are the text's", `^b`, false, true, nil, []string{"a\nb"}},
		{"word", `\<ab\>`, false, true, []string{"x ab y"}, []string{"xaby"}},
		{"escaped slash", `\/\.\+`, false, true, []string{"/.+"}, nil},
		{"literals of Go", `^\Qa$`, false, true, []string{"Qa"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			re, err := ParsePOSIX(c.re, c.icase, c.dotnl)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range c.match {
				if !re.Match([]byte(s)) {
					t.Errorf("%q does not match %q (%s)", c.re, s, re)
				}
			}
			for _, s := range c.not {
				if re.Match([]byte(s)) {
					t.Errorf("%q matches %q (%s)", c.re, s, re)
				}
			}
		})
	}
	for _, c := range []struct{ re, want string }{
		{`(a)\1`, "back reference"},
		{`*a`, "nothing to repeat"},
		{`a|*b`, "nothing to repeat"},
		{`(?i)a`, "nothing to repeat"},
		{`(a`, "unmatched ("},
		{`[a`, "unmatched ["},
		{`a\`, "trailing backslash"},
		{`a{2000}`, "limit is 1000"},
		{`[z-a]`, "wrong way round"},
		{`[[:foo:]]`, "invalid character class"},
	} {
		if _, err := ParsePOSIX(c.re, false, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.re, err, c.want)
		}
	}
}
