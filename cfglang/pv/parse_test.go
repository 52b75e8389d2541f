package pv

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"kahea/cfglang/route"
)

// table knows $a and $a.b (no inner name), $ro (read-only), $h(name)[index], $null and {s.len}, {s.cat,x,y}.
func table(t *testing.T) *Table {
	t.Helper()
	tb := NewTable()
	text := func(s string) route.Getter {
		return func(*route.Ctx) route.Value { return route.Str([]byte(s)) }
	}
	set := func(*route.Ctx, route.Value) error { return nil }
	err := tb.AddVars([]route.Var{
		{Name: "a", Get: text("A"), Set: set},
		{Name: "a.b", Get: text("AB"), Set: set},
		{Name: "ro", Get: text("RO")},
		{Name: "null", Get: func(*route.Ctx) route.Value { return route.Null }},
		{Name: "h", Bind: func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
			if r.Inner == "bad" {
				return nil, nil, errBad
			}
			x := *r
			return func(c *route.Ctx) route.Value {
				s := x.Inner
				if x.InnerPV != nil {
					s = "pv:" + string(x.InnerPV.Get(c).Text(c))
				}
				switch n, all := x.Index.Eval(c); {
				case all:
					s += "/all"
				case x.Index.Kind != route.NoIndex:
					s += "/" + string(c.Scratch.Int(int64(n)))
				}
				return route.Str([]byte(s))
			}, set, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tb.AddTrans([]route.Trans{{Class: "s", Methods: []route.TransMethod{{Name: "len"}, {Name: "cat"}, {Name: "no"}}, Bind: func(_ route.Env, method string, a *route.TransArgs) (func(*route.Ctx, route.Value) route.Value, error) {
		switch method {
		case "no":
			return nil, errBad
		case "len":
			return func(c *route.Ctx, v route.Value) route.Value { return route.Int(int64(len(v.Text(c)))) }, nil
		}
		return func(c *route.Ctx, v route.Value) route.Value {
			b := slices.Clone(v.Text(c))
			for i := range a.Params {
				b = append(append(b, '+'), a.Params[i].Eval(c)...)
			}
			return route.Str(b)
		}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

var errBad = errors.New("that can not be")

type heap struct{}

func (heap) Chunk(n int) []byte { return make([]byte, n) }
func (heap) Release([]byte)     {}

func ctx() *route.Ctx {
	return (&route.Proc{Mem: heap{}}).Get()
}

// TestParse evaluates references.
func TestParse(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"$a", "A"}, {"$(a)", "A"}, {"$( a )", "A"}, {"$a.b", "AB"}, {"$(a.b)", "AB"},
		{"$h(x)", "x"}, {"$h( x )", "x"}, {"$(h(x))", "x"}, {"$(h(x)[2])", "x/2"}, {"$(h(x)[-1])", "x/-1"}, {"$(h(x)[*])", "x/all"}, {"$(h(x)[$a])", "x/0"},
		{"$h((x))", "(x)"}, {"$h($a)", "pv:A"}, {"$h($(a{s.len}))", "pv:1"}, {"$h($a x)", "$a x"}, {"$h($h($a))", "pv:pv:A"},
		{"$(a{s.len})", "1"}, {"$(a{S.Len})", "1"}, {"$(a{s.cat,x})", "A+x"}, {"$(a{s.cat,x,y})", "A+x+y"}, {"$(a{s.cat,$ro})", "A+RO"}, {"$(a{s.cat,x(1,2),y})", "A+x(1,2)+y"},
		{"$(a{s.cat,x}{s.len})", "3"}, {"$(a {s.cat,x} {s.len})", "3"}, {"$(a{s.cat,})", "A+"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			v, err := Parse(table(t), nil, tc.text)
			if err != nil {
				t.Fatal(err)
			}
			c := ctx()
			if got := string(v.Get(c).Text(c)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if v.Text != tc.text {
				t.Errorf("Text is %q", v.Text)
			}
		})
	}
}

// TestParseErrors says what is wrong with a reference.
func TestParseErrors(t *testing.T) {
	deep := strings.Repeat("$(h(x)[", 40) + "$a" + strings.Repeat("])", 40)
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", "is no variable"},
		{"no dollar", "a", "is no variable"},
		{"dollar alone", "$", "name must follow"},
		{"no name", "$-", "name must follow"},
		{"no name in parentheses", "$()", "name is missing"},
		{"unknown", "$b", `unknown variable "$b"`},
		{"unknown in parentheses", "$(b)", `unknown variable "$b"`},
		{"text behind it", "$a-x", `unexpected "-x"`},
		{"not closed", "$(a", "missing ')'"},
		{"inner name not closed", "$h(x", "missing ')'"},
		{"inner name in parentheses not closed", "$(h(x)", "missing ')'"},
		{"index not closed", "$(h(x)[1)", "missing ']'"},
		{"transformation not closed", "$(a{s.len)", "missing '}'"},
		{"index is no number", "$(h(x)[y])", "is no number, variable or *"},
		{"index is an unknown variable", "$(h(x)[$b])", `unknown variable "$b"`},
		{"text behind the index variable", "$(h(x)[$a-])", `unexpected "-" in index`},
		{"takes no name", "$a(x)", "takes no name"},
		{"takes no index", "$(a[1])", "takes no index"},
		{"the variable refuses", "$h(bad)", "that can not be"},
		{"unknown class", "$(a{t.len})", `unknown transformation class "t"`},
		{"unknown method", "$(a{s.lem})", `unknown transformation "s.lem"`},
		{"no method", "$(a{len})", "is no class.method"},
		{"empty transformation", "$(a{})", "is no class.method"},
		{"the transformation refuses", "$(a{s.no})", "that can not be"},
		{"parameter is an unknown variable", "$(a{s.cat,$b})", `unknown variable "$b"`},
		{"text in between", "$(a x)", `unexpected "x"`},
		{"nested too deep", deep, "nested deeper"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := Parse(table(t), nil, tc.text)
			if err == nil {
				t.Fatalf("is taken: %+v", v)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, want %q", err, tc.want)
			}
		})
	}
	var u *UnknownError
	if _, err := Parse(table(t), nil, "$(a{s.lem})"); !errors.As(err, &u) || !slices.Contains(u.Known, "s.len") {
		t.Errorf("%v does not name what is known", err)
	}
	if _, err := Parse(table(t), nil, "$b"); !errors.As(err, &u) || !slices.Contains(u.Known, "$a.b") {
		t.Errorf("%v does not name what is known", err)
	}
}

// TestSet says what can be assigned to.
func TestSet(t *testing.T) {
	for _, tc := range []struct {
		text           string
		writable, null bool
	}{{"$a", true, false}, {"$(a)", true, false}, {"$ro", false, false}, {"$h(x)", true, false}, {"$(a{s.len})", false, false}, {"$null", false, true}, {"$(null{s.len})", false, false}} {
		v, err := Parse(table(t), nil, tc.text)
		if err != nil {
			t.Fatal(err)
		}
		if (v.Set != nil) != tc.writable || v.Null != tc.null {
			t.Errorf("%s: writable %v, null %v", tc.text, v.Set != nil, v.Null)
		}
	}
}

// TestFormat evaluates texts with variables in them.
func TestFormat(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", ""}, {"plain", "plain"}, {"$a", "A"}, {"x$a-y", "xA-y"}, {"$$a", "$a"}, {"$a.", "A."}, {"$a.b.", "AB."}, {"$a.x", "A.x"}, {"<$(a{s.len})>", "<1>"}, {"$h(x)$a", "xA"}, {"$a$$", "A$"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			f, err := Format(table(t), nil, tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := f.Eval(ctx()); string(got) != tc.want || !ok {
				t.Errorf("got %q, %v, want %q", got, ok, tc.want)
			}
		})
	}
	for _, text := range []string{"$", "x $ y", "$b", "$(a", "$a $(b)"} {
		if _, err := Format(table(t), nil, text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestNamesTaken refuses a second variable or class of a name.
func TestNamesTaken(t *testing.T) {
	tb := table(t)
	if err := tb.AddVars([]route.Var{{Name: "a"}}); err == nil {
		t.Error("a second $a is taken")
	}
	if err := tb.AddTrans([]route.Trans{{Class: "S"}}); err == nil {
		t.Error("a second class s is taken")
	}
	if got := strings.Join(tb.VarNames(), " "); got != "a a.b h null ro" {
		t.Errorf("names %q", got)
	}
}
