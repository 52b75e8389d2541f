package compile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"kahea/cfglang/compile"
	"kahea/cfglang/core"
	"kahea/cfglang/diag"
	"kahea/cfglang/pv"
	"kahea/cfglang/syntax"
	"kahea/modules"
	_ "kahea/modules/pv"
	_ "kahea/modules/siputils"
	_ "kahea/modules/textops"
	_ "kahea/modules/xlog"
)

// FuzzConfig asserts that no text makes anything panic or hang between the preprocessor and the compiled script, whether it has mistakes or not.
func FuzzConfig(f *testing.F) {
	for _, pattern := range []string{"../syntax/testdata/*.cfg", "../../cmd/kahea/testdata/diagnostics/*.txt", "../../cmd/parity/testdata/lang_*.txtar", "testdata/language.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if len(data) < 1<<16 {
				f.Add(data)
			}
		}
	}
	for _, s := range []string{
		"switch ($rU) { case 1 / 0: exit; case -(2): drop; default: return(1 mod 0); }", `$var(x) = selval(1 + "a", @branch.uriq[0].uri.user, {exit;});`, `if (src_ip == a.b || snd_port > 5 && myself == uri) exit;`,
		`setflag("a"); forward(uri:host, uri:port); force_send_socket(udp:[::1]:5); cfg_select("a", 1);`, `$(var(x){s.substr,$(avp(a)[$var(i)]),1}) = strlen((str)$rU + 5) << 3;`, `%f.x[1] = $f.y; route($rU + "x"); while (1) { break; }`,
	} {
		f.Add([]byte("request_route { " + s + " }"))
	}
	funcs := core.Funcs()
	vars := pv.NewTable()
	if err := vars.AddVars(core.Vars()); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"pv", "xlog", "textops", "siputils"} {
		t := modules.New(name).Exports()
		if err := errors.Join(vars.AddVars(t.Vars), vars.AddTrans(t.Trans)); err != nil {
			f.Fatal(err)
		}
		for _, fn := range t.Funcs {
			if fn.Compile == nil { // those ask their module for what Setup made
				funcs = append(funcs, fn)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := syntax.Options{
			ModuleDefines: true,
			Env:           func(string) (string, bool) { return "", false },
			ReadFile: func(path string) ([]byte, error) {
				if path == "main" || path == "x" {
					return data, nil
				}
				return nil, errors.New("no such file")
			},
		}
		var d diag.List
		file := syntax.Parse("main", o, &d)
		for _, raw := range []bool{false, true} {
			prog := compile.New(compile.Options{Vars: vars, Funcs: funcs, Defines: file.Defines, Flags: map[string]int{"FLT": 3}, Select: (&core.Selects{}).Parse, RawReturn: raw, Mode: file.Mode}, &d).Compile(file)
			if (prog == nil) != d.HasErrors() {
				t.Fatalf("a program: %v, errors: %d", prog != nil, d.Errors())
			}
		}
	})
}
