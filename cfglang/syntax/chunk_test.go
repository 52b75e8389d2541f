package syntax

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

// TestChunks runs testdata/*.cfg: cases are split by lines of ---; the first line of a case may be a comment that names it. A line
// that ends in ### "regexp" must have an error there that matches, one that ends in ##~ "regexp" a warning. A missing one, an
// unexpected one and one at another line fail. The markers are cut off before parsing. A case may bring files: a line of
// "=== NAME" begins one.
func TestChunks(t *testing.T) {
	files, err := filepath.Glob("testdata/*.cfg")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lineNo := 1
		for _, chunk := range strings.Split(string(data), "\n---\n") {
			lines := strings.Count(chunk, "\n") + 2
			name := fmt.Sprintf("%s:%d", filepath.Base(file), lineNo)
			if first, rest, _ := strings.Cut(chunk, "\n"); first == "# no newline at the end" {
				chunk = "\n" + strings.TrimSuffix(rest, "\n")
			} else {
				chunk = strings.TrimSuffix(chunk, "\n") + "\n"
			}
			t.Run(name, func(t *testing.T) { runChunk(t, chunk) })
			lineNo += lines
		}
	}
}

var markRE = regexp.MustCompile(`[ \t]*##([#~])((?: *"(?:[^"\\]|\\.)*")+)[ \t]*$`)
var quotedRE = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

type expectation struct {
	file     string
	line     int
	severity diag.Severity
	re       *regexp.Regexp
	met      bool
}

func runChunk(t *testing.T, chunk string) {
	files := map[string]string{}
	var want []*expectation
	name := "main.cfg"
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
			sev := diag.Error
			if ln[m[2]] == '~' {
				sev = diag.Warning
			}
			for _, q := range quotedRE.FindAllString(ln[m[4]:m[5]], -1) {
				pattern, err := strconv.Unquote(q)
				if err != nil {
					t.Fatalf("bad marker %s: %v", q, err)
				}
				re, err := regexp.Compile(pattern)
				if err != nil {
					t.Fatalf("bad marker %s: %v", q, err)
				}
				want = append(want, &expectation{file: name, line: n + 1, severity: sev, re: re})
			}
			lines[n] = ln[:m[0]]
		}
		files[name] = strings.Join(lines, "\n")
	}
	o := Options{
		ModuleDefines: true,
		Env: func(s string) (string, bool) {
			if s == "HOST" {
				return "example.com", true
			}
			return "", false
		},
		ReadFile: func(path string) ([]byte, error) {
			if s, ok := files[path]; ok {
				return []byte(s), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
	var d diag.List
	f := Parse("main.cfg", o, &d)
	for _, got := range d.All() {
		found := false
		for _, w := range want {
			if !w.met && got.Pos.Src != nil && got.Pos.Src.Name == w.file && got.Pos.Line == w.line && got.Severity == w.severity && w.re.MatchString(got.Summary+"\n"+got.Detail) {
				w.met, found = true, true
				break
			}
		}
		if !found {
			t.Errorf("unexpected %v at %v: %s (%s)", got.Severity, got.Pos, got.Summary, got.Detail)
		}
	}
	for _, w := range want {
		if !w.met {
			t.Errorf("%s:%d: no %v that matches %q", w.file, w.line, w.severity, w.re)
		}
	}
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
