package presubmit

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// layers says which of the project's packages each part of the tree may import (docs/architecture.md); the longest matching prefix counts.
// "*" is everything.
var layers = map[string][]string{
	"cmd":      {"*"},
	"perf":     {"*"},
	"modules":  {"modules", "cfglang", "sipparse", "shm"},
	"cfglang":  {"cfglang", "sipparse", "shm"},
	"procmgr":  {"procmgr", "shm"},
	"reactor":  {"reactor", "sipparse", "shm"},
	"sipparse": {"sipparse"},
	"shm":      {"shm"},
}

// eachFile calls f for every Go file of the tree with its path from the root.
func eachFile(t *testing.T, f func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(p, "go.mod")); d.IsDir() && p != root && err == nil {
			return filepath.SkipDir // a module of its own (docs/plugin)
		}
		if strings.HasSuffix(p, ".go") {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			f(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func imports(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// TestImports: left may import right, never back.
func TestImports(t *testing.T) {
	files := 0
	eachFile(t, func(path string) {
		top, _, _ := strings.Cut(path, "/")
		allowed, ok := layers[top]
		if !ok {
			t.Errorf("%s: the folder %s is not in the tree of docs/architecture.md", path, top)
			return
		}
		files++
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, imp := range imports(t, path) {
			p, own := strings.CutPrefix(imp, "kahea/")
			if !own {
				continue
			}
			good := false
			for _, a := range allowed {
				good = good || a == "*" || p == a || strings.HasPrefix(p, a+"/")
			}
			if !good {
				t.Errorf("%s imports %s: %s may import %v", path, imp, top, allowed)
			}
		}
	})
	if files < 50 {
		t.Fatalf("only %d files were seen: the walk is broken", files)
	}
}

// TestSyscalls: golang.org/x/sys/unix only where processes, memory and sockets are.
func TestSyscalls(t *testing.T) {
	eachFile(t, func(path string) {
		top, _, _ := strings.Cut(path, "/")
		switch top {
		case "shm", "procmgr", "reactor", "perf":
			return
		}
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, imp := range imports(t, path) {
			if imp == "golang.org/x/sys/unix" {
				t.Errorf("%s imports %s: system calls live in shm, procmgr and reactor", path, imp)
			}
		}
	})
}

// TestNames: no folder or file whose name says nothing.
func TestNames(t *testing.T) {
	bad := map[string]bool{"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "misc": true}
	eachFile(t, func(path string) {
		for _, part := range strings.Split(strings.TrimSuffix(path, ".go"), "/") {
			if bad[strings.TrimSuffix(part, "_test")] {
				t.Errorf("%s: %q says nothing", path, part)
			}
		}
	})
}
