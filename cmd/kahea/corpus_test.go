package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kahea/cfglang/diag"
	"kahea/cfglang/syntax"
	"kahea/modules"
)

const cfgCorpus = "../../../shared/corpus/cfg" // beside the checkout

// otherVerdict are trees whose verdict may differ from the index's, with the reason.
var otherVerdict = map[string]string{
	"stock-master":                       "Debian's 5.6.3 has no module dlgs, which kahea has",
	"kam-mixed-kamailio-minimal-anycast": "xavp_via_params and the Via functions of corex",
	"kam-mod-ctl-ctl":                    "ctl's text fifo",
}

// TestCorpusVerdicts checks every tree of the development corpus: one whose modules are all here gets the verdict that Debian's Kamailio 5.6.3 gave; of any other
// one run names every module that is missing, each once.
func TestCorpusVerdicts(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(cfgCorpus, "INDEX.tsv"))
	if err != nil {
		t.Skipf("the corpus is not beside the checkout: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(index)), "\n")
	head := strings.Split(lines[0], "\t")
	verdict, noPath := slices.Index(head, "debian_5_6_3"), slices.Index(head, "debian_no_mpath")
	compared := 0
	for _, ln := range lines[1:] {
		row := strings.Split(ln, "\t")
		t.Run(row[0], func(t *testing.T) {
			good, d, missing := checkTree(t, filepath.Join(cfgCorpus, row[0], row[1]))
			named := map[string]int{}
			for _, x := range d.All() {
				if name, ok := strings.CutPrefix(x.Summary, "there is no module "); ok {
					named[strings.Trim(name, `"`)]++
				}
			}
			for _, m := range missing {
				if named[m] == 0 {
					t.Errorf("nothing says that module %s is missing", m)
				}
			}
			want := row[verdict]
			if row[noPath] != "=" {
				want = row[noPath] // without the mpath of another machine
			}
			if len(missing) > 0 {
				if good {
					t.Error("accepted, although modules are missing")
				}
				return
			}
			compared++
			if accepted := strings.HasPrefix(want, "0 ok"); good != accepted && otherVerdict[row[0]] == "" {
				t.Errorf("kahea accepts it: %v; Kamailio: %s\n%s", good, want, summaries(d))
			}
		})
	}
	if compared < 15 {
		t.Errorf("only %d trees were compared", compared)
	}
}

// checkTree is what -c says of a configuration; missing are the modules that it loads and that are not here.
func checkTree(t *testing.T, path string) (good bool, d *diag.List, missing []string) {
	t.Helper()
	o, err := parseArgs([]string{"-c", "-f", path}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	d = &diag.List{}
	s, err := loadMain(o, d)
	if s != nil {
		defer s.closeAll()
		for _, it := range s.config.file.Items {
			l, ok := it.(*syntax.LoadModule)
			if !ok {
				continue
			}
			if name := strings.TrimSuffix(filepath.Base(l.Name), ".so"); !slices.Contains(modules.Names(), name) {
				missing = append(missing, name)
			}
		}
	}
	if (err != nil) != d.HasErrors() {
		t.Errorf("the verdict is %v with %d errors", err, d.Errors())
	}
	return err == nil, d, missing
}

func summaries(d *diag.List) string {
	var b strings.Builder
	for _, x := range d.All() {
		if x.Severity == diag.Error {
			b.WriteString(x.Pos.String() + ": " + x.Summary + "\n")
		}
	}
	return b.String()
}
