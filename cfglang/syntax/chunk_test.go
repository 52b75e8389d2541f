package syntax

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"kahea/cfglang/diag"
	"kahea/cfglang/diag/diagtest"
)

// TestChunks runs testdata/*.cfg; package diagtest describes their form.
func TestChunks(t *testing.T) {
	files, err := filepath.Glob("testdata/*.cfg")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		for _, c := range diagtest.Read(t, file, "main.cfg") {
			t.Run(c.Name, func(t *testing.T) { runChunk(t, c) })
		}
	}
}

func runChunk(t *testing.T, c *diagtest.Case) {
	o := Options{
		ModuleDefines: true,
		Env: func(s string) (string, bool) {
			if s == "HOST" {
				return "example.com", true
			}
			return "", false
		},
		ReadFile: func(path string) ([]byte, error) {
			if s, ok := c.Files[path]; ok {
				return []byte(s), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
	var d diag.List
	f := Parse("main.cfg", o, &d)
	c.Check(t, &d)
	checkReplay(t, "main.cfg", o, f, &d)
}

// checkReplay asserts that the text of Preprocess makes the same tree, with the same places, and the same errors.
func checkReplay(t *testing.T, path string, o Options, f *File, d *diag.List) {
	t.Helper()
	var pre diag.List
	text := Preprocess(path, o, &pre)
	replay := o
	replay.ReadFile = func(path string) ([]byte, error) { return nil, errors.New("the replay reads " + path) }
	replay.Env = func(string) (string, bool) { return "", false }
	var d2 diag.List
	g := ParseText(path, text, replay, &d2)
	// Which defines #!ifdef used shows only in the first pass.
	for _, file := range []*File{f, g} {
		for i := range file.Defines {
			file.Defines[i].Used = false
		}
	}
	if a, b := dump(f, true), dump(g, true); a != b {
		t.Errorf("the preprocessed text makes another tree: %s\n%s", firstDifference(a, b), text)
	}
	if pre.HasErrors() {
		return // directives that failed are not there any more
	}
	if a, b := errorLines(d), errorLines(&d2); a != b {
		t.Errorf("the preprocessed text makes other errors: %s", firstDifference(a, b))
	}
}

func errorLines(d *diag.List) string {
	var b strings.Builder
	for _, e := range d.All() {
		if e.Severity == diag.Error {
			fmt.Fprintf(&b, "%s %s\n", placeText(e.Pos), e.Summary)
		}
	}
	return b.String()
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := 0; i < len(as) && i < len(bs); i++ {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d\n  %s\n  %s\nbefore: %s", i, as[i], bs[i], strings.Join(as[max(0, i-3):i], " / "))
		}
	}
	return fmt.Sprintf("%d and %d lines", len(as), len(bs))
}
