package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// diagnosticDirs hold what says something about a configuration. In the ones of cfglang an error becomes a diagnostic too.
var diagnosticDirs = []string{"../../cfglang/syntax", "../../cfglang/compile", "../../cfglang/core", "../../cfglang/pv", "../../cfglang/tune", "."}

// TestEveryDiagnosticHasACase scans the sources for what they can say about a configuration, and wants a case of testdata/diagnostics (or of the
// parser's own testdata) that makes them say it. What no configuration can cause is in notByConfig, with the reason.
func TestEveryDiagnosticHasACase(t *testing.T) {
	said := strings.Join(allSaid(t), "\x00")
	found := map[string]bool{}
	for _, dir := range diagnosticDirs {
		for _, m := range messages(t, dir) {
			found[m.format] = true
			if strings.HasSuffix(m.format, "not there yet") || strings.Contains(m.format, " not there yet: ") {
				continue // what is missing becomes less, and its messages with it
			}
			if re := m.pattern(); re != nil && !re.MatchString(said) && notByConfig[m.format] == "" {
				t.Errorf("%s: no case makes it say %q", m.at, m.format)
			}
		}
	}
	for format := range notByConfig {
		if !found[format] {
			t.Errorf("notByConfig has %q, which nothing says", format)
		}
	}
}

// message is one format in the sources.
type message struct {
	at     string
	format string
}

var verbRE = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// pattern matches what the format may become; nil: it has no text of its own.
func (m *message) pattern() *regexp.Regexp {
	var b strings.Builder
	letters := 0
	for i, part := range verbRE.Split(strings.ReplaceAll(m.format, "%%", "%"), -1) {
		if i > 0 {
			b.WriteString("[^\x00]*")
		}
		b.WriteString(regexp.QuoteMeta(part))
		letters += len(strings.Trim(part, ":., \""))
	}
	if letters < 3 {
		return nil
	}
	return regexp.MustCompile(b.String())
}

// messages finds the formats of a folder.
func messages(t *testing.T, dir string) (list []message) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources in %s: %v", dir, err)
	}
	fset := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		add := func(x ast.Expr) {
			if s, ok := formatOf(x); ok {
				list = append(list, message{fset.Position(x.Pos()).String(), s})
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if i := formatArg(n, dir); i >= 0 && i < len(n.Args) {
					add(n.Args[i])
				}
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok && id.Name == "Summary" {
					add(n.Value)
				}
			case *ast.AssignStmt:
				if s, ok := n.Lhs[0].(*ast.SelectorExpr); ok && s.Sel.Name == "Summary" {
					add(n.Rhs[0])
				}
			}
			return true
		})
	}
	return list
}

// formatArg is which argument of a call is what is said; -1: it says nothing.
func formatArg(c *ast.CallExpr, dir string) int {
	name, of := "", ""
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
		if x, ok := f.X.(*ast.Ident); ok {
			of = x.Name
		}
	case *ast.Ident:
		name = f.Name
	}
	switch name {
	case "Errorf", "Warnf":
		switch {
		case of != "fmt":
			return 1
		case dir != ".":
			return 0
		}
	case "New":
		if of == "errors" && dir != "." {
			return 0
		}
	case "fail":
		return 0
	case "failAt":
		return 1
	case "errorAt", "warnAt":
		if len(c.Args) == 4 {
			return 2
		}
		return 1
	}
	return -1
}

// formatOf is the format in an expression: a text, Sprintf of one, or texts joined with other things.
func formatOf(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		l, _ := formatOf(x.X)
		r, _ := formatOf(x.Y)
		if l == "" {
			l = "%v"
		}
		if r == "" {
			r = "%v"
		}
		return l + r, true
	case *ast.CallExpr:
		if s, ok := x.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Sprintf" && len(x.Args) > 0 {
			return formatOf(x.Args[0])
		}
	}
	return "", false
}

// allSaid is what all cases make kahea say.
func allSaid(t *testing.T) (said []string) {
	for _, c := range diagnosticCases(t) {
		d := c.load(t)
		for _, x := range d.All() {
			said = append(said, x.Summary+"\n"+x.Detail)
		}
	}
	slices.Sort(said)
	return slices.Compact(said)
}
