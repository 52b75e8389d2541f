package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

// TestTuningExamples: the overlays in docs/tuning.md are good ones (their sockets are not opened).
func TestTuningExamples(t *testing.T) {
	doc, err := os.ReadFile("../../docs/tuning.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(doc), "```toml\n")
	if len(parts) != 3 {
		t.Fatalf("%d examples, want 2", len(parts)-1)
	}
	for _, p := range parts[1:] {
		text, _, _ := strings.Cut(p, "```")
		dir := writeFiles(t, map[string]string{"main.cfg": "loadmodule \"tm.so\"\nloadmodule \"usrloc.so\"\nrequest_route { exit; }\n", "main.toml": text})
		o, err := parseArgs([]string{"-c", "-f", filepath.Join(dir, "main.cfg")}, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		d := &diag.List{}
		s, err := loadMain(o, d)
		if s != nil {
			s.closeAll()
		}
		if err != nil || len(d.All()) > 0 {
			var b strings.Builder
			d.Write(&b, false)
			t.Errorf("%v\n%s", err, b.String())
		}
	}
}
