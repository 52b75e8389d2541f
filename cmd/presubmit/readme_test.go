package presubmit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/modules"
	_ "kahea/modules/all"
)

// TestModuleReadmes: a module's README names every function, parameter, RPC command and event route of its table, and has a heading for no
// function that the table lacks.
func TestModuleReadmes(t *testing.T) {
	for _, name := range modules.Names() {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(root, "modules", name, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			x := modules.New(name).Exports()
			known := map[string]bool{}
			want := func(kind, n string) {
				known[n] = true
				if !strings.Contains(text, n) {
					t.Errorf("README does not name %s %s", kind, n)
				}
			}
			for _, f := range x.Funcs {
				want("function", f.Name)
				for _, a := range f.Aliases {
					want("function", a)
				}
			}
			for _, p := range x.Params {
				want("parameter", p.Name)
			}
			for _, r := range x.RPC {
				want("command", r.Name)
			}
			for _, e := range x.Events {
				want("event route", e)
			}
			for _, l := range strings.Split(text, "\n") {
				h, ok := strings.CutPrefix(l, "### ")
				if !ok || !strings.Contains(h, "(") {
					continue
				}
				n, _, _ := strings.Cut(strings.Trim(h, "`"), "(")
				if n = strings.TrimSpace(n); !known[n] {
					t.Errorf("README describes function %s, which the table lacks", n)
				}
			}
		})
	}
}
