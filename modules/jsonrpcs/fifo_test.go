package jsonrpcs

import (
	"reflect"
	"strings"
	"testing"

	"kahea/modules"
)

// TestEcho gives back what Kamailio's does.
func TestEcho(t *testing.T) {
	text := func(s string) *modules.Node { return &modules.Node{Kind: modules.KindStr, Str: s} }
	num := func(n int64) *modules.Node { return &modules.Node{Kind: modules.KindInt, Int: n} }
	for _, tc := range []struct {
		name    string
		in, out []*modules.Node
	}{
		{"none", nil, nil},
		{"text", []*modules.Node{text("a")}, []*modules.Node{text("a")}},
		{"number", []*modules.Node{num(5)}, []*modules.Node{text("5")}},
		{"two texts", []*modules.Node{text("a"), text("b")}, []*modules.Node{text("a")}},
		{"three", []*modules.Node{text("a"), num(5), text("b")}, []*modules.Node{text("a"), num(5)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &modules.Request{Params: tc.in}
			if err := echo(r); err != nil || !reflect.DeepEqual(r.Out, tc.out) {
				t.Errorf("got %v, %v", r.Out, err)
			}
		})
	}
}

func TestFramer(t *testing.T) {
	for _, tc := range []struct {
		name, stream string
		want         []string
		errors       int
	}{
		{"one", `{"a":1}`, []string{`{"a":1}`}, 0},
		{"over lines", "{\"a\":\n{}}", []string{"{\"a\":\n{}}"}, 0},
		{"two, and what stands between", `x {"a":1} y{"b":2}`, []string{`{"a":1}`, `{"b":2}`}, 0},
		{"braces in a string", `{"a":"}\"}{"}`, []string{`{"a":"}\"}{"}`}, 0},
		{"not complete", `{"a":1`, nil, 0},
		{"too long", `{"` + strings.Repeat("a", maxFifoRequest) + `":1} {"b":2}`, []string{`{"b":2}`}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f framer
			var got []string
			errs := 0
			for _, c := range []byte(tc.stream) {
				b, err := f.add(c)
				if err != nil {
					errs++
				}
				if b != nil {
					got = append(got, string(b))
				}
			}
			if !reflect.DeepEqual(got, tc.want) || errs != tc.errors {
				t.Errorf("got %q, %d errors", got, errs)
			}
		})
	}
}
