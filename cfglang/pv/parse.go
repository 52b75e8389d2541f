package pv

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kahea/cfglang/route"
)

// UnknownError is an unknown variable, class or method; the compiler adds what it was near to.
type UnknownError struct {
	What  string // "variable", "transformation class", "transformation"
	Name  string
	Known []string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("unknown %s %q", e.What, e.Name) }

// maxNesting bounds variables inside variables.
const maxNesting = 32

// Parse compiles the reference that text is as a whole.
func Parse(t *Table, e route.Env, text string) (*route.PV, error) {
	p := parser{t: t, e: e}
	v, n, err := p.ref(text)
	if err != nil {
		return nil, err
	}
	if n != len(text) {
		return nil, fmt.Errorf("unexpected %q behind variable %s", text[n:], text[:n])
	}
	return v, nil
}

// Format compiles a format string: text in which $name, $name(x) and $(...) are variables and $$ is one dollar sign.
func Format(t *Table, e route.Env, text string) (*route.Format, error) {
	p := parser{t: t, e: e}
	f := route.NewFormat(text)
	for rest := text; rest != ""; {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			f.AddText(rest)
			break
		}
		f.AddText(rest[:i])
		rest = rest[i:]
		if strings.HasPrefix(rest, "$$") {
			f.AddText("$")
			rest = rest[2:]
			continue
		}
		v, n, err := p.ref(rest)
		if err != nil {
			return nil, err
		}
		f.AddPV(v)
		rest = rest[n:]
	}
	return f, nil
}

type parser struct {
	t     *Table
	e     route.Env
	depth int
}

// ref parses one reference at the start of s and returns how long it is.
func (p *parser) ref(s string) (*route.PV, int, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, 0, fmt.Errorf("variables are nested deeper than %d", maxNesting)
	}
	defer func() { p.depth-- }()
	if s == "" || s[0] != '$' {
		return nil, 0, fmt.Errorf("%q is no variable", s)
	}
	if len(s) > 1 && s[1] == '(' {
		end := closing(s, 1)
		if end < 0 {
			return nil, 0, fmt.Errorf("missing ')' in variable %q", s)
		}
		v, err := p.body(s[2:end])
		if err != nil {
			return nil, 0, err
		}
		v.Text = s[:end+1]
		return v, end + 1, nil
	}
	n := 1
	for n < len(s) && nameChar(s[n]) {
		n++
	}
	if n == 1 {
		return nil, 0, fmt.Errorf("%q: a variable's name must follow '$'", s)
	}
	// "$rU." at the end of a sentence: a dot belongs to the name only if the longer name is known
	name := s[1:n]
	for p.t.Var(name) == nil {
		i := strings.LastIndexByte(name, '.')
		if i <= 0 {
			name = s[1:n]
			break
		}
		name = name[:i]
	}
	n = 1 + len(name)
	r := route.VarRef{Name: name}
	if n < len(s) && s[n] == '(' {
		end := closing(s, n)
		if end < 0 {
			return nil, 0, fmt.Errorf("missing ')' in variable %q", s)
		}
		r.Inner, r.HasInner = s[n+1:end], true
		n = end + 1
		if n < len(s) && s[n] == '[' && (name == "branch" || name == "hfl") {
			end := strings.IndexByte(s[n:], ']')
			if end < 0 {
				return nil, 0, fmt.Errorf("missing ']' in variable %q", s)
			}
			if err := p.index(&r, s[n+1:n+end]); err != nil {
				return nil, 0, err
			}
			n += end + 1
		}
	}
	v, err := p.bind(&r)
	if err != nil {
		return nil, 0, err
	}
	v.Text = s[:n]
	return v, n, nil
}

// body parses what stands in $( ): name, inner name, index, transformations.
func (p *parser) body(s string) (*route.PV, error) {
	s = strings.TrimSpace(s)
	n := 0
	for n < len(s) && nameChar(s[n]) {
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("%q: a variable's name is missing", "$("+s+")")
	}
	r := route.VarRef{Name: s[:n]}
	s = strings.TrimLeft(s[n:], " \t")
	if s != "" && s[0] == '(' {
		end := closing(s, 0)
		if end < 0 {
			return nil, fmt.Errorf("missing ')' behind $(%s", r.Name)
		}
		r.Inner, r.HasInner = s[1:end], true
		s = strings.TrimLeft(s[end+1:], " \t")
	}
	if s != "" && s[0] == '[' {
		end := closingOf(s, 0, '[', ']')
		if end < 0 {
			return nil, fmt.Errorf("missing ']' behind $(%s", r.Name)
		}
		if err := p.index(&r, s[1:end]); err != nil {
			return nil, err
		}
		s = strings.TrimLeft(s[end+1:], " \t")
	}
	v, err := p.bind(&r)
	if err != nil {
		return nil, err
	}
	for s != "" {
		if s[0] != '{' {
			return nil, fmt.Errorf("unexpected %q in $(%s", s, r.Name)
		}
		end := closingOf(s, 0, '{', '}')
		if end < 0 {
			return nil, fmt.Errorf("missing '}' behind $(%s", r.Name)
		}
		if err := p.transform(v, strings.TrimSpace(s[1:end])); err != nil {
			return nil, err
		}
		s = strings.TrimLeft(s[end+1:], " \t")
	}
	return v, nil
}

func (p *parser) index(r *route.VarRef, s string) error {
	s = strings.TrimSpace(s)
	switch {
	case s == "*":
		r.Index.Kind = route.AllIndex
	case strings.HasPrefix(s, "$"):
		v, n, err := p.ref(s)
		if err != nil {
			return err
		}
		if n != len(s) {
			return fmt.Errorf("unexpected %q in index", s[n:])
		}
		r.Index.Kind, r.Index.Get = route.VarIndex, v.Get
	default:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("index %q is no number, variable or *", s)
		}
		r.Index.Kind, r.Index.N = route.ConstIndex, n
	}
	return nil
}

// bind resolves a reference to closures.
func (p *parser) bind(r *route.VarRef) (*route.PV, error) {
	d := p.t.Var(r.Name)
	if d == nil {
		return nil, &UnknownError{What: "variable", Name: "$" + r.Name, Known: dollar(p.t.VarNames())}
	}
	if r.HasInner {
		r.Inner = strings.TrimSpace(r.Inner)
		if strings.HasPrefix(r.Inner, "$") && !strings.HasPrefix(r.Inner, "$$") {
			if v, n, err := p.ref(r.Inner); err == nil && n == len(r.Inner) {
				r.InnerPV = v
			}
		}
	}
	v := &route.PV{Null: r.Name == "null"}
	if d.Bind != nil {
		get, set, err := d.Bind(p.e, r)
		if err != nil {
			return nil, fmt.Errorf("variable $%s: %w", r.Name, err)
		}
		v.Get, v.Set = get, set
		if d.Int != nil {
			v.GetInt, v.SetInt = d.Int(r)
		}
		return v, nil
	}
	if r.HasInner {
		return nil, fmt.Errorf("variable $%s takes no name in parentheses", r.Name)
	}
	if r.Index.Kind != route.NoIndex {
		return nil, fmt.Errorf("variable $%s takes no index", r.Name)
	}
	v.Get, v.Set = d.Get, d.Set
	return v, nil
}

// transform appends one {class.method,params} to v.
func (p *parser) transform(v *route.PV, s string) error {
	name, raw, _ := strings.Cut(s, ",")
	class, method, ok := strings.Cut(strings.TrimSpace(name), ".")
	if !ok {
		return fmt.Errorf("transformation %q is no class.method", s)
	}
	class, method = strings.ToLower(strings.TrimSpace(class)), strings.ToLower(strings.TrimSpace(method))
	t := p.t.trans[class]
	if t == nil {
		return &UnknownError{What: "transformation class", Name: class, Known: p.t.Classes()}
	}
	if !slices.ContainsFunc(t.Methods, func(m route.TransMethod) bool { return m.Name == method }) {
		return &UnknownError{What: "transformation", Name: class + "." + method, Known: qualified(class, t.Methods)}
	}
	a := route.TransArgs{Raw: raw}
	for rest := raw; len(s) > len(name); {
		part := rest
		i := paramEnd(rest)
		if i >= 0 {
			part = rest[:i]
		}
		tp := route.TransParam{Text: part}
		if q := strings.TrimSpace(part); strings.HasPrefix(q, "$") && len(q) > 1 {
			ref, n, err := p.ref(q)
			if err != nil {
				return err
			}
			if n == len(q) {
				tp.PV = ref
			}
		}
		a.Params = append(a.Params, tp)
		if i < 0 {
			break
		}
		rest = rest[i+1:]
	}
	f, err := t.Bind(p.e, method, &a)
	if err != nil {
		return fmt.Errorf("transformation {%s}: %w", s, err)
	}
	get := v.Get
	v.Get = func(c *route.Ctx) route.Value { return f(c, get(c)) }
	v.Set, v.Null, v.GetInt, v.SetInt = nil, false, nil, nil
	return nil
}

// paramEnd is where the parameter at the start of s ends: at a comma outside parentheses.
func paramEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			if i > 0 {
				depth++
			}
		case ')':
			if depth > 0 {
				depth--
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// closing is the index of the ')' that closes the '(' at s[at]; braces and brackets inside do not matter.
func closing(s string, at int) int { return closingOf(s, at, '(', ')') }

func closingOf(s string, at int, open, shut byte) int {
	depth := 0
	for i := at; i < len(s); i++ {
		switch s[i] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func nameChar(c byte) bool {
	return c|0x20-'a' < 26 || c-'0' < 10 || c == '_' || c == '.' || c == '?'
}

func dollar(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "$" + n
	}
	return out
}

func qualified(class string, methods []route.TransMethod) []string {
	out := make([]string, len(methods))
	for i, m := range methods {
		out[i] = class + "." + m.Name
	}
	return out
}
