package core

import (
	"strings"
	"testing"

	"kahea/cfglang/syntax"
)

// TestParams sets every row to a value it takes, and to some that it refuses.
func TestParams(t *testing.T) {
	num := func(n int) syntax.Value { return syntax.Value{Kind: syntax.IntValue, Int: int64(n)} }
	text := func(s string) syntax.Value { return syntax.Value{Kind: syntax.StrValue, Str: s} }
	word := func(s string) syntax.Value { return syntax.Value{Kind: syntax.IdentValue, Str: s} }
	seen := map[string]bool{}
	for _, name := range names() {
		t.Run(name, func(t *testing.T) {
			c := Defaults("0")
			table := c.Params()
			p := Find(table, name)
			if p == nil {
				t.Fatal("is not found by its name")
			}
			if seen[name] {
				t.Error("is in the table twice")
			}
			seen[name] = true
			if NotYet(name) {
				t.Error("is listed as not there yet, too")
			}
			for _, a := range p.Aliases {
				if Find(table, a) != p {
					t.Errorf("alias %s finds another row", a)
				}
			}
			if p.Doc == "" {
				t.Error("has no text")
			}
			refuse := func(v syntax.Value) {
				t.Helper()
				before := *c
				if err := p.Set(v); err == nil {
					t.Errorf("%+v is taken", v)
				}
				if *c != before {
					t.Errorf("%+v is refused but has changed something", v)
				}
			}
			accept := func(v syntax.Value) {
				t.Helper()
				if err := p.Set(v); err != nil {
					t.Errorf("%+v: %v", v, err)
				}
			}
			switch p.Type {
			case Bool:
				if p.Bool == nil || p.Int != nil || p.Str != nil {
					t.Fatal("must have a Bool, and nothing else")
				}
				for n, want := range []bool{false, true} {
					accept(num(n))
					if *p.Bool != (want != p.Invert) {
						t.Errorf("%d makes it %v", n, *p.Bool)
					}
				}
				accept(num(7))
				accept(num(-1 << 31)) // from 2^31 on: Kamailio wraps it, and what is not 0 is yes
				refuse(syntax.Value{Kind: syntax.IntValue, Int: -1, Sign: true})
				refuse(text("yes"))
			case Number, Integer:
				if p.Int == nil || p.Bool != nil || p.Str != nil {
					t.Fatal("must have an Int, and nothing else")
				}
				low := max(p.Min, 1)
				accept(num(low))
				if *p.Int != low {
					t.Errorf("got %d, want %d", *p.Int, low)
				}
				if p.Max != 0 {
					accept(num(p.Max))
					refuse(num(p.Max + 1))
				}
				if p.Min != 0 {
					refuse(num(p.Min - 1))
				}
				if p.Type == Number {
					refuse(num(-1))
				} else if p.Min == 0 && p.Max == 0 {
					accept(num(-1))
				}
				refuse(text("1"))
				for _, w := range p.Words {
					if accept(word(strings.ToLower(w.Text))); *p.Int != w.N {
						t.Errorf("%s makes it %d, want %d", w.Text, *p.Int, w.N)
					}
				}
				if p.List {
					if accept(text(p.Words[0].Text + ", " + p.Words[1].Text)); *p.Int != p.Words[0].N|p.Words[1].N {
						t.Errorf("a list of two makes it %d", *p.Int)
					}
				}
				refuse(word("nosuchword"))
			case String, StringOrID:
				if p.Str == nil || p.Bool != nil || p.Int != nil {
					t.Fatal("must have a Str, and nothing else")
				}
				if p.OneOf != nil {
					for _, x := range p.OneOf {
						if accept(text(x)); *p.Str != x {
							t.Errorf("got %q, want %q", *p.Str, x)
						}
					}
					refuse(text("x"))
					refuse(text(""))
					refuse(num(1))
					break
				}
				accept(text("x"))
				if *p.Str != "x" {
					t.Errorf("got %q, want x", *p.Str)
				}
				if p.Type == String {
					refuse(num(1))
					refuse(word("x"))
					break
				}
				accept(num(12))
				if *p.Str != "12" {
					t.Errorf("a number makes it %q", *p.Str)
				}
				accept(word("y"))
				if *p.Str != "y" {
					t.Errorf("a word makes it %q", *p.Str)
				}
			default:
				t.Fatalf("unknown type %d", p.Type)
			}
		})
	}
}

func names() (l []string) {
	for _, p := range Defaults("0").Params() {
		l = append(l, p.Name)
	}
	return l
}

func TestUnknown(t *testing.T) {
	table := Defaults("0").Params()
	for _, n := range []string{"", "childrn", "Debug"} {
		if Find(table, n) != nil {
			t.Errorf("%q is found", n)
		}
	}
	if NotYet("childrn") {
		t.Error("childrn is no parameter of Kamailio's")
	}
	for _, n := range notYet {
		if !NotYet(n) || Find(table, n) != nil {
			t.Errorf("%s is not there yet, and in the table", n)
		}
	}
	taken := map[string]string{}
	for _, p := range table {
		for _, n := range append([]string{p.Name}, p.Aliases...) {
			if taken[n] != "" {
				t.Errorf("%s is a name of %s and of %s", n, taken[n], p.Name)
			}
			taken[n] = p.Name
		}
	}
}
