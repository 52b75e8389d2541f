package syntax

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"kahea/cfglang/diag"
)

// FuzzConfig asserts that no text makes the parser panic or hang, and that what Preprocess writes makes the same tree.
func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/*.cfg")
	if err != nil || len(files) == 0 {
		f.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{
		"#!define A A A\nA", "#!define A B B\n#!define B C C\n#!define C 1\nroute{$x=A;}", "route{$x=(((((1;}", "#!ifdef\\\n\n", "#!ifdef A\n#!else\n#!endif\nx",
		"alias=a b c=1", "#!define X \"a\nX \"b\"", "include_file \"x\" y", "#!subst \"/a*/b/g\"\nroute{$x=\"\";}", "event_route[a:b", "listen=udp:(a,b",
		"\n#!kahea:at 5 3\nx", "\n#!kahea:enter 1 1 \"x\"\n\n#!kahea:leave 2 2\n", "@a[\"", "%", "$", "$(", "\\", "route{switch(1){case", "!!", "#!",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := Options{
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
		file := Parse("main", o, &d)
		if file == nil {
			t.Fatal("no tree")
		}
		written(&d)
		var pre diag.List
		text := Preprocess("main", o, &pre)
		var d2 diag.List
		replay := ParseText("main", text, o, &d2)
		if !d.HasErrors() && !pre.HasErrors() && dump(file.Items, true) != dump(replay.Items, true) {
			t.Errorf("the preprocessed text makes another tree\n%s", firstDifference(dump(file.Items, true), dump(replay.Items, true)))
		}
	})
}

func FuzzPOSIX(f *testing.F) {
	for _, s := range []string{"a(b|c)*", "[[:alpha:]", "a{1,", "[]", "\\", "a**?+", "[a-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if re, err := ParsePOSIX(s, true, false); err == nil {
			re.Match([]byte(s))
		}
	})
}
