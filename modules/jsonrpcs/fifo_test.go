package jsonrpcs

import (
	"reflect"
	"strings"
	"testing"
)

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
