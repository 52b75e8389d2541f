package syntax

import (
	"errors"
	"fmt"
	"regexp"
	resyntax "regexp/syntax"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxRegexp bounds the text of a regular expression in bytes.
const maxRegexp = 64 << 10

// Regexp is a regular expression that has been read, so all that can be wrong with it has been said. Its machine is made when it is asked for first: of a
// short text it may be a thousand times as large, and a check of a configuration, or a worker that never comes there, should not pay for it.
type Regexp struct {
	text    string // Go's syntax
	groups  int
	size    int
	longest bool
	never   string
	once    sync.Once
	re      *regexp.Regexp
	empty   bool // it matches the empty text
}

// ParsePOSIX reads a POSIX extended regular expression, as glibc's regcomp reads it. dotnl says that "." and
// [^x] match a newline and that ^ and $ match only at the ends (regcomp without REG_NEWLINE, what =~ uses); without it a newline
// splits lines (subst without the s flag). Back references and repeats above 1000 are errors that say so, as Go has none.
// Differences: text is matched as UTF-8, not byte by byte; the match is leftmost-first unless the caller calls Longest.
func ParsePOSIX(re string, icase, dotnl bool) (*Regexp, error) {
	if len(re) > maxRegexp {
		return nil, fmt.Errorf("regular expression of %d bytes: limit is %d", len(re), maxRegexp)
	}
	t := posix{in: re, dotnl: dotnl, icase: icase}
	flags := ""
	if icase {
		flags += "i"
	}
	if dotnl {
		flags += "s"
	} else {
		flags += "m"
	}
	t.out.WriteString("(?" + flags + ")")
	if err := t.translate(); err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", re, err)
	}
	tree, err := resyntax.Parse(t.out.String(), resyntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", re, err)
	}
	return &Regexp{text: t.out.String(), groups: tree.MaxCap(), size: machineSize(tree), never: t.never}, nil
}

// Never is an escape in it that matches nothing, such as \d: POSIX has no such classes, and a small letter behind a backslash is compared with
// text in upper case when case does not count. "" if there is none.
func (r *Regexp) Never() string { return r.never }

// Longest makes it prefer the leftmost longest match, as POSIX does. It comes before the first use.
func (r *Regexp) Longest() { r.longest = true }

// NumSubexp is the number of groups.
func (r *Regexp) NumSubexp() int { return r.groups }

// Size is about the number of steps that the machine has, or will have.
func (r *Regexp) Size() int { return r.size }

// String is the expression in Go's syntax.
func (r *Regexp) String() string { return r.text }

// Machine is what matches.
func (r *Regexp) Machine() *regexp.Regexp {
	r.once.Do(func() {
		r.re = regexp.MustCompile(r.text) // it has been parsed, so it compiles
		if r.longest {
			r.re.Longest()
		}
		r.empty = r.re.Match(nil)
	})
	return r.re
}

// MatchesEmpty says whether it matches the empty text.
func (r *Regexp) MatchesEmpty() bool {
	r.Machine()
	return r.empty
}

// Match says whether b holds a match.
func (r *Regexp) Match(b []byte) bool { return r.Machine().Match(b) }

// machineSize counts steps without making them. Parse has bounded the depth (1000) and the product.
func machineSize(x *resyntax.Regexp) int {
	n := 1
	if x.Op == resyntax.OpLiteral {
		n = len(x.Rune)
	}
	for _, s := range x.Sub {
		n += machineSize(s)
	}
	if x.Op == resyntax.OpRepeat {
		n *= max(1, x.Min, x.Max)
	}
	return n
}

type posix struct {
	in    string
	i     int
	out   strings.Builder
	dotnl bool
	icase bool
	never string
}

// translate reads alternatives and branches; groups are tracked with a stack, so depth costs no Go stack here
// (regexp.Compile limits nesting to 1000 itself).
func (t *posix) translate() error {
	var groups []int // where each open group starts in out
	atom := -1       // start of the last atom in out, -1: nothing to repeat
	repeated := false
	for t.i < len(t.in) {
		start := t.out.Len()
		c := t.in[t.i]
		switch c {
		case '(':
			groups = append(groups, start)
			t.out.WriteByte('(')
			t.i++
			atom = -1
			continue
		case ')':
			t.i++
			if len(groups) == 0 { // glibc: an unmatched ) is a literal
				t.out.WriteString(`\)`)
				atom, repeated = start, false
				continue
			}
			t.out.WriteByte(')')
			atom, repeated = groups[len(groups)-1], false
			groups = groups[:len(groups)-1]
			continue
		case '|', '^', '$':
			t.out.WriteByte(c)
			t.i++
			atom = -1
			continue
		case '*', '+', '?', '{':
			op := string(c)
			if c == '{' {
				var literal bool
				var err error
				if op, literal, err = t.interval(); err != nil {
					return err
				} else if literal {
					t.out.WriteString(`\{`)
					atom, repeated = start, false
					continue
				}
			} else {
				t.i++
			}
			if atom < 0 {
				return fmt.Errorf("%q has nothing to repeat", op)
			}
			if repeated { // a*? is lazy in Go and a** an error; in POSIX each applies to what was read before
				s := t.out.String()
				t.out.Reset()
				t.out.WriteString(s[:atom] + "(?:" + s[atom:] + ")")
			}
			t.out.WriteString(op)
			repeated = true
			continue
		case '[':
			if err := t.bracket(); err != nil {
				return err
			}
		case '\\':
			isAtom, err := t.escape()
			if err != nil {
				return err
			}
			if !isAtom {
				atom = -1
				continue
			}
		case '.':
			t.out.WriteByte('.')
			t.i++
		default:
			_, n := utf8.DecodeRuneInString(t.in[t.i:])
			t.out.WriteString(regexp.QuoteMeta(t.in[t.i : t.i+n]))
			t.i += n
		}
		atom, repeated = start, false
	}
	if len(groups) > 0 {
		return errors.New("unmatched (")
	}
	return nil
}

// interval reads {n}, {n,} or {n,m}. What does not look like one is a literal {.
func (t *posix) interval() (op string, literal bool, err error) {
	end := strings.IndexByte(t.in[t.i:], '}')
	if end < 0 {
		t.i++
		return "", true, nil
	}
	body := t.in[t.i+1 : t.i+end]
	lo, hi, comma := strings.Cut(body, ",")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if lo == "" && comma && digits(hi) { // glibc reads {,m} as {0,m}
		lo = "0"
	}
	if !digits(lo) || comma && hi != "" && !digits(hi) {
		t.i++
		return "", true, nil
	}
	for _, s := range []string{lo, hi} {
		if n, convErr := strconv.Atoi(s); s != "" && (convErr != nil || n > 1000) {
			return "", false, fmt.Errorf("repeat count %s: limit is 1000", s)
		}
	}
	t.i += end + 1
	op = "{" + lo
	if comma {
		op += "," + hi
	}
	return op + "}", false, nil
}

// escape reads \c. GNU's operators are kept; before any other character the backslash means that character.
func (t *posix) escape() (isAtom bool, err error) {
	if t.i+1 >= len(t.in) {
		return false, errors.New("trailing backslash")
	}
	c := t.in[t.i+1]
	t.i += 2
	switch {
	case c >= '1' && c <= '9':
		return false, fmt.Errorf("back reference \\%c: there are none here; write the alternatives out, or take the parts with {re.subst,...} and compare them", c)
	case c == '<' || c == '>':
		t.out.WriteString(`\b`)
		return false, nil
	case c == 'b' || c == 'B':
		t.out.WriteString(`\` + string(c))
		return false, nil
	case c == '`':
		t.out.WriteString(`\A`)
		return false, nil
	case c == '\'':
		t.out.WriteString(`\z`)
		return false, nil
	case c == 'w' || c == 'W' || c == 's' || c == 'S':
		t.out.WriteString(`\` + string(c))
		return true, nil
	}
	if t.icase && c >= 'a' && c <= 'z' { // glibc compares it with text that it has put in upper case
		t.out.WriteString(`[^\x00-\x{10FFFF}]`)
		if t.never == "" {
			t.never = `\` + string(c)
		}
		return true, nil
	}
	_, n := utf8.DecodeRuneInString(t.in[t.i-1:])
	t.out.WriteString(regexp.QuoteMeta(t.in[t.i-1 : t.i-1+n]))
	t.i += n - 1
	return true, nil
}

// bracket reads [...]: a backslash is a literal there, ] is one in the first place.
func (t *posix) bracket() error {
	in := t.in
	i := t.i + 1
	var b strings.Builder
	b.WriteByte('[')
	if i < len(in) && in[i] == '^' {
		b.WriteByte('^')
		i++
		if !t.dotnl {
			b.WriteString(`\n`)
		}
	}
	for first := true; ; first = false {
		if i >= len(in) {
			return errors.New("unmatched [")
		}
		if in[i] == ']' && !first {
			break
		}
		if strings.HasPrefix(in[i:], "[:") {
			end := strings.Index(in[i:], ":]")
			if end < 0 {
				return errors.New("unmatched [: in a bracket expression")
			}
			b.WriteString(in[i : i+end+2])
			i += end + 2
			continue
		}
		lo, n, err := bracketChar(in[i:])
		if err != nil {
			return err
		}
		i += n
		if i+1 < len(in) && in[i] == '-' && in[i+1] != ']' {
			hi, n, err := bracketChar(in[i+1:])
			if err != nil {
				return err
			}
			i += 1 + n
			if hi < lo {
				return fmt.Errorf("range %c-%c is the wrong way round", lo, hi)
			}
			b.WriteString(quoteBracket(lo) + "-" + quoteBracket(hi))
			continue
		}
		b.WriteString(quoteBracket(lo))
	}
	b.WriteByte(']')
	t.i = i + 1
	t.out.WriteString(b.String())
	return nil
}

// bracketChar reads one character, or [.c.] or [=c=], and says how many bytes it took.
func bracketChar(s string) (rune, int, error) {
	if len(s) > 1 && s[0] == '[' && (s[1] == '.' || s[1] == '=') {
		end := strings.Index(s[2:], s[1:2]+"]")
		if end < 0 {
			return 0, 0, fmt.Errorf("unmatched [%c", s[1])
		}
		r, n := utf8.DecodeRuneInString(s[2:])
		if n == 0 || n != end {
			return 0, 0, fmt.Errorf("collating element %s: only one character is supported", s[:end+4])
		}
		return r, end + 4, nil
	}
	if s == "" {
		return 0, 0, errors.New("unmatched [")
	}
	r, n := utf8.DecodeRuneInString(s)
	return r, n, nil
}

func quoteBracket(r rune) string {
	if strings.ContainsRune(`\]^-[&~`, r) {
		return `\` + string(r)
	}
	return string(r)
}
