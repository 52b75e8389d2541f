package syntax

import (
	"errors"
	"fmt"
	"strings"
)

// substRule is one #!subst: sep regex sep replacement sep flags.
type substRule struct {
	re   *Regexp
	repl []replPart
	all  bool
}

type replPart struct {
	text  string
	group int // -1: text
}

const (
	maxSubstResult = 1 << 20 // what one rule may make of one token, in bytes
	maxSubstCost   = 1 << 29 // of all words: nanoseconds, about
	substCost      = 250     // of a rule that does not match
	maxSubstSteps  = 1 << 18 // steps of all rules' expressions
	maxSubstWork   = 1 << 24 // steps of a rule's expression times length of a token
)

// splitSubst takes the expression apart. A backslash before the separator gives the separator.
func splitSubst(expr string) (re, repl, flags string, err error) {
	if len(expr) < 3 {
		return "", "", "", fmt.Errorf("%q is too short: want /regex/replacement/flags", expr)
	}
	sep := expr[0]
	if sep == '\\' {
		return "", "", "", errors.New(`the separator cannot be \`)
	}
	var parts []string
	var b strings.Builder
	i := 1
	for ; i < len(expr) && len(parts) < 2; i++ {
		switch {
		case expr[i] == '\\' && i+1 < len(expr) && expr[i+1] == sep:
			b.WriteByte(sep)
			i++
		case expr[i] == '\\' && i+1 < len(expr):
			b.WriteString(expr[i : i+2])
			i++
		case expr[i] == sep:
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(expr[i])
		}
	}
	if len(parts) < 2 {
		return "", "", "", fmt.Errorf("missing separator %c in %q", sep, expr)
	}
	return parts[0], parts[1], expr[i:], nil
}

// newSubst compiles a rule; eval resolves $... in the replacement, once.
func newSubst(re, repl, flags string, eval func(string) (string, error)) (*substRule, error) {
	r := &substRule{}
	icase, dotnl := false, false
	for _, f := range flags {
		switch f {
		case 'i':
			icase = true
		case 'g':
			r.all = true
		case 's':
			dotnl = true
		default:
			return nil, fmt.Errorf("unknown flag %q: known are g, i, s", f)
		}
	}
	var err error
	if r.re, err = ParsePOSIX(re, icase, dotnl); err != nil {
		return nil, err
	}
	r.re.Longest()
	if repl, err = eval(repl); err != nil {
		return nil, err
	}
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			r.repl = append(r.repl, replPart{text: b.String(), group: -1})
			b.Reset()
		}
	}
	for i := 0; i < len(repl); i++ {
		if repl[i] != '\\' || i+1 == len(repl) {
			b.WriteByte(repl[i])
			continue
		}
		i++
		switch c := repl[i]; {
		case c >= '0' && c <= '9':
			if n := int(c - '0'); n > r.re.NumSubexp() {
				return nil, fmt.Errorf("\\%d in the replacement: the expression has %d groups", n, r.re.NumSubexp())
			}
			flush()
			r.repl = append(r.repl, replPart{group: int(c - '0')})
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == 'r':
			b.WriteByte('\r')
		default:
			b.WriteByte(c)
		}
	}
	flush()
	return r, nil
}

// apply returns s rewritten. It stops growing at maxSubstResult and says so.
func (r *substRule) apply(s string) (string, error) {
	if r.re.Size()*len(s) > maxSubstWork {
		return s, fmt.Errorf("subst with an expression of %d steps on a word of %d bytes", r.re.Size(), len(s))
	}
	n := 1
	if r.all {
		n = -1
	}
	ms := r.re.Machine().FindAllStringSubmatchIndex(s, n)
	if ms == nil {
		return s, nil
	}
	var b strings.Builder
	last := 0
	for _, m := range ms {
		b.WriteString(s[last:m[0]])
		for _, p := range r.repl {
			if p.group < 0 {
				b.WriteString(p.text)
			} else if lo, hi := m[2*p.group], m[2*p.group+1]; lo >= 0 {
				b.WriteString(s[lo:hi])
			}
		}
		last = m[1]
		if b.Len() > maxSubstResult {
			return s, fmt.Errorf("subst makes more than %d bytes of one word", maxSubstResult)
		}
	}
	b.WriteString(s[last:])
	return b.String(), nil
}
