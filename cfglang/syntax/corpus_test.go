package syntax

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

const (
	stockFile = "/etc/kamailio/kamailio.cfg"
	corpusDir = "../../../shared/corpus/cfg" // beside the checkout
)

// notAccepted are trees that INDEX.tsv counts no syntax error for, and that are errors all the same, with the reason.
var notAccepted = map[string]string{
	"kam-pkg-sip-router-basic":       "an #!endif too many; Kamailio says so too, after the error that the index has",
	"kam-pkg-sip-router-oob":         "an #!endif is missing; Kamailio says so too, after the error that the index has",
	"treesitter-simple":              "unknown flags of #!subst and missing includes; Kamailio says so too",
	"kam-mod-uid_avp_db-avp_dialogs": "!@to.tag negates a text; Kamailio says so too, after the error that the index has",
	"kam-doc-xhttp_prom-24":          "prose of the manual stands in the file; Kamailio stops at an error before it",
}

// TestStock parses the file that Debian installs.
func TestStock(t *testing.T) {
	if _, err := os.Stat(stockFile); err != nil {
		t.Skipf("Debian's kamailio is not installed: %v", err)
	}
	for _, defines := range [][]string{nil, {"WITH_DEBUG", "WITH_MYSQL", "WITH_AUTH", "WITH_IPAUTH", "WITH_USRLOCDB", "WITH_ALIASDB", "WITH_SPEEDDIAL",
		"WITH_MULTIDOMAIN", "WITH_PRESENCE", "WITH_NAT", "WITH_PSTN", "WITH_VOICEMAIL", "WITH_TLS", "WITH_ANTIFLOOD", "WITH_BLOCK3XX", "WITH_ACCDB", "WITH_JSONRPC"}} {
		o := Options{ModuleDefines: true}
		for _, name := range defines {
			o.Defines = append(o.Defines, Define{Name: name})
		}
		var d diag.List
		f := Parse(stockFile, o, &d)
		if len(d.All()) > 0 {
			t.Errorf("with %v:\n%s", defines, written(&d))
		}
		routes := 0
		for _, it := range f.Items {
			if _, ok := it.(*Route); ok {
				routes++
			}
		}
		if routes < 10 {
			t.Errorf("with %v: %d routes", defines, routes)
		}
		checkReplay(t, stockFile, o, f, &d)
	}
}

// TestCorpus parses every tree of the development corpus. One whose grammar Kamailio accepted must parse without an error.
func TestCorpus(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(corpusDir, "INDEX.tsv"))
	if err != nil {
		t.Skipf("the corpus is not beside the checkout: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(index)), "\n")
	columns := map[string]int{}
	for i, name := range strings.Split(lines[0], "\t") {
		columns[name] = i
	}
	for _, ln := range lines[1:] {
		row := strings.Split(ln, "\t")
		slug, path := row[0], filepath.Join(corpusDir, row[0], row[1])
		accepted := row[columns["debian_syntax_errors"]] == "0"
		t.Run(slug, func(t *testing.T) {
			var d diag.List
			o := Options{ModuleDefines: true}
			f := Parse(path, o, &d)
			reason := notAccepted[slug]
			if accepted && reason == "" && d.HasErrors() {
				t.Errorf("%s", written(&d))
			}
			if reason != "" && !d.HasErrors() {
				t.Errorf("has no errors, but is listed: %s", reason)
			}
			checkReplay(t, path, o, f, &d)
		})
	}
}
