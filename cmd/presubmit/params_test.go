package presubmit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kahea/cfglang/core"
)

// TestParamsAreRead: code outside of the table reads what every global parameter sets. One that changes nothing says so (Void), and stands in docs/differences.md.
func TestParamsAreRead(t *testing.T) {
	read, asked := map[string]bool{}, map[string]bool{}
	root := "../.."
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, filepath.Join(root, "cfglang/core/params")) {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		written := map[ast.Node]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok {
				for _, l := range a.Lhs {
					written[l] = true
				}
			}
			if s, ok := n.(*ast.SelectorExpr); ok && !written[s] {
				read[s.Sel.Name] = true
			}
			if c, ok := n.(*ast.CallExpr); ok && len(c.Args) == 1 { // modules ask Host.Core by name
				s, isSel := c.Fun.(*ast.SelectorExpr)
				name, isLit := c.Args[0].(*ast.BasicLit)
				if isSel && isLit && s.Sel.Name == "Core" && name.Kind == token.STRING {
					asked[strings.Trim(name.Value, `"`)] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	differences, err := os.ReadFile(filepath.Join(root, "docs/differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := core.Defaults("0")
	fields := map[any]string{} // by address
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		fields[v.Field(i).Addr().Interface()] = v.Type().Field(i).Name
	}
	for _, p := range c.Params() {
		if p.Void != "" {
			if !strings.Contains(string(differences), "`"+p.Name+"`") {
				t.Errorf("%s changes nothing, and docs/differences.md does not say so", p.Name)
			}
			continue
		}
		var at any
		switch {
		case p.Bool != nil:
			at = p.Bool
		case p.Int != nil:
			at = p.Int
		default:
			at = p.Str
		}
		name, ok := fields[at]
		if !ok {
			t.Errorf("%s sets no field of core.Config", p.Name)
		} else if !read[name] && !asked[p.Name] {
			t.Errorf("%s sets Config.%s, which no code reads", p.Name, name)
		}
	}
}
