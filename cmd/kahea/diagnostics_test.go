package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/cfglang/diag"
	"kahea/cfglang/diag/diagtest"
)

// diagnosticCase is a case of diagtest that is run as -c runs. Its file "main.toml" is the overlay, "args" has more options.
type diagnosticCase struct{ *diagtest.Case }

// diagnosticCases are those of testdata/diagnostics, and those that the parser's own tests check.
func diagnosticCases(t *testing.T) (list []diagnosticCase) {
	files, err := filepath.Glob("testdata/diagnostics/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/diagnostics: %v", err)
	}
	for _, file := range append(files, "../../cfglang/syntax/testdata/errors.cfg", "../../cfglang/syntax/testdata/preprocessor.cfg") {
		for _, c := range diagtest.Read(t, file, "main.cfg") {
			list = append(list, diagnosticCase{c})
		}
	}
	return list
}

// load checks the configuration of a case. An error that is no diagnostic is added as one without a place.
func (c diagnosticCase) load(t *testing.T) *diag.List {
	t.Helper()
	dir := t.TempDir()
	for name, text := range c.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &diag.List{}
	o, err := parseArgs(append([]string{"-c", "-f", filepath.Join(dir, c.Main)}, strings.Fields(c.Files["args"])...), io.Discard)
	if err != nil {
		d.Errorf(diag.Pos{}, "%v", err)
		return d
	}
	s, err := loadMain(o, d)
	if s != nil {
		s.closeAll()
	}
	if err != nil && !errors.Is(err, errConfig) {
		d.Errorf(diag.Pos{}, "%v", err)
	}
	if (err != nil) != d.HasErrors() {
		t.Errorf("the configuration's verdict is %v with %d errors", err, d.Errors())
	}
	return d
}

// TestDiagnostics runs the mistakes of testdata/diagnostics through what -c does; package diagtest describes their form.
func TestDiagnostics(t *testing.T) {
	for _, c := range diagnosticCases(t) {
		if strings.HasPrefix(c.Name, "errors.cfg") || strings.HasPrefix(c.Name, "preprocessor.cfg") {
			continue // they are checked there, without modules
		}
		t.Run(c.Name, func(t *testing.T) { c.Check(t, c.load(t)) })
	}
}
