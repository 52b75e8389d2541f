package textops

import (
	"errors"
	"fmt"
	"strings"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/sipparse"
)

// subst is a compiled /re/replacement/flags.
type subst struct {
	re   *syntax.Regexp
	repl []replPart
	all  bool
}

// replPart is text with variables, or what a group matched.
type replPart struct {
	fmt   *route.Format
	group int
}

var errSubst = errors.New("want /expression/replacement/flags")

func parseSubst(e route.Env, s string) (*subst, error) {
	if s == "" {
		return nil, errSubst
	}
	delim := s[0]
	expr, rest, ok := cutDelim(s[1:], delim)
	if !ok {
		return nil, errSubst
	}
	repl, flags, ok := cutDelim(rest, delim)
	if !ok {
		return nil, errSubst
	}
	x := &subst{}
	icase, dotnl := false, false
	for _, f := range flags {
		switch f {
		case 'i':
			icase = true
		case 's':
			dotnl = true
		case 'g':
			x.all = true
		default:
			return nil, fmt.Errorf("flag %q: want i, g or s", f)
		}
	}
	var err error
	if x.re, err = syntax.ParsePOSIX(expr, icase, dotnl); err != nil {
		return nil, err
	}
	x.re.Longest()
	text := ""
	flush := func() error {
		if text == "" {
			return nil
		}
		f, err := e.ParseFormat(text)
		if err != nil {
			return err
		}
		x.repl = append(x.repl, replPart{fmt: f})
		text = ""
		return nil
	}
	for i := 0; i < len(repl); i++ {
		if repl[i] != '\\' || i+1 == len(repl) {
			text += repl[i : i+1]
			continue
		}
		i++
		switch ch := repl[i]; {
		case ch >= '0' && ch <= '9':
			if err := flush(); err != nil {
				return nil, err
			}
			if int(ch-'0') > x.re.NumSubexp() {
				return nil, fmt.Errorf("\\%c: the expression has only %d groups", ch, x.re.NumSubexp())
			}
			x.repl = append(x.repl, replPart{group: int(ch - '0')})
		case ch == 'n':
			text += "\n"
		case ch == 'r':
			text += "\r"
		case ch == 't':
			text += "\t"
		default:
			text += string(ch)
		}
	}
	return x, flush()
}

// cutDelim cuts at the first delimiter that has no backslash before it.
func cutDelim(s string, delim byte) (before, after string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case delim:
			return strings.ReplaceAll(s[:i], `\`+string(delim), string(delim)), s[i+1:], true
		}
	}
	return "", "", false
}

// appendRepl appends the replacement for match m of src.
func (x *subst) appendRepl(c *route.Ctx, dst, src []byte, m []int) []byte {
	for i := range x.repl {
		p := &x.repl[i]
		if p.fmt != nil {
			b, _ := p.fmt.Eval(c) // memory ran out: nothing
			dst = append(dst, b...)
			continue
		}
		if at := m[2*p.group]; at >= 0 {
			dst = append(dst, src[at:m[2*p.group+1]]...)
		}
	}
	return dst
}

// find is nil as well when one of the matches is empty: Kamailio takes that for an error, and substitutes nothing.
func (x *subst) find(b []byte) [][]int {
	ms, empty := matches(x.re, b, x.all)
	if empty {
		return nil
	}
	return ms
}

// matches are the first match or all of them, up to an empty one: regexec finds that again and again, also right behind a match.
func matches(re *syntax.Regexp, b []byte, all bool) (ms [][]int, empty bool) {
	machine := re.Machine()
	n := 1
	if all {
		n = -1
	}
	ms = machine.FindAllSubmatchIndex(b, n)
	if !re.MatchesEmpty() {
		return ms, false
	}
	for i, m := range ms {
		if m[0] == m[1] {
			return ms[:i], true
		}
		if !all {
			break
		}
		if next := machine.FindIndex(b[m[1]:]); next != nil && next[1] == 0 {
			return ms[:i+1], true
		}
	}
	return ms, false
}

// text substitutes in a text; ok is false when nothing matched.
func (x *subst) text(c *route.Ctx, b []byte) (out []byte, ok bool) {
	ms := x.find(b)
	if len(ms) == 0 {
		return b, false
	}
	at := 0
	for _, m := range ms {
		out = append(out, b[at:m[0]]...)
		out = x.appendRepl(c, out, b, m)
		at = m[1]
	}
	out = append(out, b[at:]...)
	return c.Scratch.Copy(out), true
}

// edit substitutes in the message from an offset on.
func (x *subst) edit(c *route.Ctx, from, to uint32) bool {
	b := c.Msg.Buf[from:to]
	ms := x.find(b)
	for _, m := range ms {
		repl := x.appendRepl(c, nil, b, m)
		c.Edits.Replace(from+uint32(m[0]), uint32(m[1]-m[0]), repl, sipparse.HdrOther)
	}
	return len(ms) > 0
}

func substIn(where region) compiled {
	return func(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
		x, err := parseSubst(e, string(a.At(0).Text))
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx) int {
			from, to := where(c)
			return truth(from < to && x.edit(c, from, to))
		}, nil
	}
}

func compileSubstHdr(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	n, err := makeName(a.At(0).Text)
	if err != nil {
		return nil, err
	}
	x, err := parseSubst(e, string(a.At(1).Text))
	if err != nil {
		return nil, err
	}
	fl, err := flag(a, 2)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		return truth(which(c, &n, fl, func(h *sipparse.Hdr) bool { return x.edit(c, h.Body.Off, h.Body.End()) }))
	}, nil
}

func compileSubstURI(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	x, err := parseSubst(e, string(a.At(0).Text))
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		b, ok := x.text(c, c.RURI())
		return truth(ok && done(c, "subst_uri", c.SetRURI(b)))
	}, nil
}

func compileSubstUser(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	x, err := parseSubst(e, string(a.At(0).Text))
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		u, b, ok := c.ParsedRURI()
		if !ok {
			return -1
		}
		b, ok = x.text(c, u.User.In(b))
		return truth(ok && done(c, "subst_user", c.SetRURIPart(route.PartUser, b)))
	}, nil
}

func compileSubstVar(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	x, err := parseSubst(e, string(a.At(1).Text))
	if err != nil {
		return nil, err
	}
	dst := a.PV(2)
	return func(c *route.Ctx) int {
		b, ok := a.Str(c, 0)
		if !ok {
			return -1
		}
		b, ok = x.text(c, b)
		return truth(ok && done(c, "subst_v", dst.Set(c, route.Str(b))))
	}, nil
}

func done(c *route.Ctx, what string, err error) bool {
	if err != nil {
		c.Logf(log.Err, "textops", "%s: %v", what, err)
	}
	return err == nil
}

// failed is the result of a transformation of null.
var failed = route.Value{Flags: route.FlagNull | route.FlagStr}

// bindSubst is {re.subst,/re/replacement/flags}; a value that does not match stays as it is.
func bindSubst(e route.Env, _ string, a *route.TransArgs) (func(c *route.Ctx, v route.Value) route.Value, error) {
	x, err := parseSubst(e, a.Raw)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		src := v.Text(c)
		m := x.re.Machine().FindIndex(src)
		switch {
		case len(src) == 0 || m != nil && m[0] == m[1]:
			return failed // nothing to replace in, or nothing that is replaced, as in Kamailio
		case m == nil:
			return v // with its type
		}
		b, _ := x.text(c, src)
		return route.Str(b)
	}, nil
}
