package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFmt: kahea fmt prints, lists and writes; a file that it can not read as a configuration stays.
func TestFmt(t *testing.T) {
	const ugly, nice = "route{exit;}\n", "route { exit; }\n"
	dir := writeFiles(t, map[string]string{"a.cfg": ugly, "b.cfg": nice, "c.cfg": "route { xlog(\"open); }\n"})
	a, b, c := filepath.Join(dir, "a.cfg"), filepath.Join(dir, "b.cfg"), filepath.Join(dir, "c.cfg")
	run := func(want int, args ...string) string {
		t.Helper()
		var out strings.Builder
		if code := runFmt(args, strings.NewReader(ugly), &out, &out); code != want {
			t.Errorf("fmt %v: exit code %d, want %d", args, code, want)
		}
		return strings.ReplaceAll(out.String(), dir+"/", "")
	}
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	is(run(0, a), nice)
	is(run(0, "-"), nice)
	is(run(1, "-l", a, b), "a.cfg\n")
	is(run(0, "-l", b), "")
	is(run(exitError, "-w", c, a), "ERROR: kahea: fmt: c.cfg: line 1: the string is not closed\n")
	for name, want := range map[string]string{a: nice, c: "route { xlog(\"open); }\n"} {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		is(string(got), want)
	}
	if l, err := os.ReadDir(dir); err != nil || len(l) != 3 {
		t.Errorf("files are left: %v %v", l, err)
	}
	run(exitError)
	run(exitError, "-x", a)
}
