package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"kahea/cfglang/diag"
	"kahea/cfglang/diag/diagtest"
)

// TestDiagnostics runs the mistakes of testdata/diagnostics through what -c does; package diagtest describes their form. A file "main.toml" is the overlay.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/diagnostics/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/diagnostics: %v", err)
	}
	for _, file := range files {
		for _, c := range diagtest.Read(t, file, "main.cfg") {
			t.Run(c.Name, func(t *testing.T) {
				dir := t.TempDir()
				for name, text := range c.Files {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				o, err := parseArgs([]string{"-c", "-f", filepath.Join(dir, c.Main)}, io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				d := &diag.List{}
				s, err := loadMain(o, d)
				if s != nil {
					s.closeAll()
				}
				if err != nil && !errors.Is(err, errConfig) {
					t.Fatalf("an error that is no diagnostic: %v", err)
				}
				if (err != nil) != d.HasErrors() {
					t.Errorf("the configuration's verdict is %v with %d errors", err, d.Errors())
				}
				c.Check(t, d)
			})
		}
	}
}
