// Package diagtest reads files of mistakes with what is to be said of them.
//
// Cases are split by lines of ---; the first line of a case is a comment that names it. A line that ends in ### "regexp" must have an error there that matches
// (summary and detail), one that ends in ##~ "regexp" a warning, ##- "regexp" a notice. A missing one, an unexpected one and one at another line fail. The markers are
// cut off before the text is used. A case may bring files: a line of "=== NAME" begins one. ###0 in place of ### is a diagnostic without a place.
package diagtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

// Case is one case. Files has the texts without their markers by name, Main is the name of the first.
type Case struct {
	Name  string
	Main  string
	Files map[string]string
	want  []*expectation
}

type expectation struct {
	file     string
	line     int
	severity diag.Severity
	re       *regexp.Regexp
	met      bool
}

var (
	markRE   = regexp.MustCompile(`[ \t]*##([#~-]0?)((?: *"(?:[^"\\]|\\.)*")+)[ \t]*$`)
	quotedRE = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// Read reads the cases of a file; main is the name that the first text of a case gets.
func Read(t testing.TB, path, main string) (cases []*Case) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lineNo := 1
	for _, chunk := range strings.Split(string(data), "\n---\n") {
		c := &Case{Name: fmt.Sprintf("%s:%d", filepath.Base(path), lineNo), Main: main, Files: map[string]string{}}
		lineNo += strings.Count(chunk, "\n") + 2
		if first, rest, _ := strings.Cut(chunk, "\n"); first == "# no newline at the end" {
			chunk = "\n" + strings.TrimSuffix(rest, "\n")
		} else {
			chunk = strings.TrimSuffix(chunk, "\n") + "\n"
			name, _, _ := strings.Cut(strings.TrimLeft(first, "# "), " ##")
			c.Name += " " + name
		}
		c.fill(t, chunk)
		cases = append(cases, c)
	}
	return cases
}

func (c *Case) fill(t testing.TB, chunk string) {
	name := c.Main
	for i, part := range strings.Split(chunk, "\n=== ") {
		if i > 0 {
			name, part, _ = strings.Cut(part, "\n")
		}
		lines := strings.Split(part, "\n")
		for n, ln := range lines {
			m := markRE.FindStringSubmatchIndex(ln)
			if m == nil {
				continue
			}
			w := expectation{file: name, line: n + 1}
			switch ln[m[2]] {
			case '~':
				w.severity = diag.Warning
			case '-':
				w.severity = diag.Notice
			}
			if m[3]-m[2] > 1 {
				w.file, w.line = "", 0
			}
			for _, q := range quotedRE.FindAllString(ln[m[4]:m[5]], -1) {
				pattern, err := strconv.Unquote(q)
				if err != nil {
					t.Fatalf("%s: bad marker %s: %v", c.Name, q, err)
				}
				x := w
				if x.re, err = regexp.Compile(pattern); err != nil {
					t.Fatalf("%s: bad marker %s: %v", c.Name, q, err)
				}
				c.want = append(c.want, &x)
			}
			lines[n] = ln[:m[0]]
		}
		c.Files[name] = strings.Join(lines, "\n")
	}
}

// Check compares what was said with what was to be said. Names of files count without their folders.
func (c *Case) Check(t testing.TB, d *diag.List) {
	t.Helper()
	for _, got := range d.All() {
		if w := c.meets(got); w != nil {
			w.met = true
			continue
		}
		t.Errorf("unexpected %v at %v: %s (%s)", got.Severity, got.Pos, got.Summary, got.Detail)
	}
	for _, w := range c.want {
		if !w.met {
			t.Errorf("%s:%d: no %v that matches %q", w.file, w.line, w.severity, w.re)
		}
	}
}

func (c *Case) meets(got diag.Diagnostic) *expectation {
	file := ""
	if got.Pos.Src != nil {
		file = filepath.Base(got.Pos.Src.Name)
	}
	for _, w := range c.want {
		if !w.met && (file == w.file || w.line == 0) && got.Pos.Line == w.line && got.Severity == w.severity && w.re.MatchString(got.Summary+"\n"+got.Detail) {
			return w
		}
	}
	return nil
}
