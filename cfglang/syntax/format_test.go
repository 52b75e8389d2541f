package syntax

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

// TestFormat runs testdata/format.txt: cases are split by lines of ======, what comes in and what comes out by a line of ------.
func TestFormat(t *testing.T) {
	data, err := os.ReadFile("testdata/format.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range strings.Split(string(data), "======\n") {
		name, c, _ := strings.Cut(c, "\n")
		in, want, ok := strings.Cut(c, "------\n")
		if !ok {
			t.Fatalf("%s: no line of ------", name)
		}
		t.Run(name, func(t *testing.T) {
			got, err := Format([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			checkFormat(t, in)
		})
	}
}

func TestFormatNotClosed(t *testing.T) {
	for text, want := range map[string]string{
		"a=1\nroute { xlog(\"x); }": "line 2: the string is not closed",
		"/* a":                      "line 1: the comment is not closed",
		"route {\n\n$var(x = 1; }":  "line 3: the variable is not closed",
	} {
		if _, err := Format([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// checkFormat asserts that formatting twice is formatting once, and that the formatted text makes the same tree and the same errors.
func checkFormat(t *testing.T, in string) {
	t.Helper()
	got, err := Format([]byte(in))
	if err != nil {
		return
	}
	again, err := Format(got)
	if err != nil || string(again) != string(got) {
		t.Errorf("formatted twice: %v %s", err, firstDifference(string(got), string(again)))
	}
	parse := func(text string) (string, int) {
		var d diag.List
		f := Parse("main.cfg", Options{ModuleDefines: true, ReadFile: func(path string) ([]byte, error) {
			if path == "main.cfg" {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}}, &d)
		return dump(f, false), d.Errors()
	}
	a, na := parse(in)
	b, nb := parse(string(got))
	if a != b || na != nb {
		t.Errorf("the formatted text makes another tree (%d errors, were %d): %s", nb, na, firstDifference(a, b))
	}
}

// TestFormatCorpus formats all real configurations that are there.
func TestFormatCorpus(t *testing.T) {
	root := "../../../shared/corpus/cfg"
	if _, err := os.Stat(root); err != nil {
		t.Skip("the corpus of configurations is not there")
	}
	n, refused := 0, 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".cfg") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		if _, err := Format(b); err != nil {
			refused++
			t.Logf("%s: %v", path, err)
		}
		t.Run(path, func(t *testing.T) { checkFormat(t, string(b)) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d refused", n, refused)
}

func FuzzFormat(f *testing.F) {
	for _, s := range []string{"route{if($x==1){exit;}}", "#!ifdef A\nroute {\n#!else\nroute[b] {\n#!endif\n}\n", "a=\"b\" \\\n\"c\"\n", "switch($rU){case 1:\nbreak;default:\nexit;}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := Format([]byte(in))
		if err != nil {
			return
		}
		again, err := Format(got)
		if err != nil || string(again) != string(got) {
			t.Errorf("formatted twice: %v\n%q\n%q", err, got, again)
		}
	})
}
