package textops_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sl"
	_ "kahea/modules/textops"
	_ "kahea/modules/textopsx"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "xlog.so"
`

func TestAsKamailio(t *testing.T) { modtest.Golden(t, "testdata/kamailio.txt", load) }

func TestStartErrors(t *testing.T) {
	for _, tc := range []struct{ name, call, want string }{
		{"unknown method in a list", `is_method("INVITE|FOO")`, `method "FOO" is not known`},
		{"no method", `is_method("")`, "no method given"},
		{"no method either", `is_method("$rm")`, "is no method"},
		{"bad expression", `search("(")`, "regular expression"},
		{"bad substitution", `subst("/a/b")`, "want /expression/replacement/flags"},
		{"group that is not there", `subst("/a/\\1/")`, "has only 0 groups"},
		{"bad flag", `search_hf("To", "x", "z")`, "want f, l or a"},
		{"no name", `remove_hf("")`, "no header name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := modtest.Load(t, load+"request_route { "+tc.call+"; }")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
