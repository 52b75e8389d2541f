package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCheckJSON: an editor gets every diagnostic with its places.
func TestCheckJSON(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"main.cfg":  "listen=udp:127.0.0.1:5062\n#!define WHAT exi\ninclude_file \"inner.cfg\"\nchildrn=2\n",
		"inner.cfg": "request_route {\n\tWHAT();\n}\n",
	})
	main := filepath.Join(dir, "main.cfg")
	var out, errOut strings.Builder
	if code := runCheck([]string{"--json", main}, &out, &errOut); code != exitError {
		t.Errorf("exit code %d, want %d", code, exitError)
	}
	var doc struct {
		File        string
		OK          bool
		Diagnostics []struct {
			Severity, File, Summary, Detail string
			Line, Col                       int
			EndCol                          int `json:"end_col"`
			Defined, Included               []struct {
				File      string
				Line, Col int
			}
		}
	}
	if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if doc.File != main || doc.OK || len(doc.Diagnostics) != 2 {
		t.Fatalf("got\n%s", out.String())
	}
	call, param := doc.Diagnostics[0], doc.Diagnostics[1]
	if call.Severity != "error" || call.File != filepath.Join(dir, "inner.cfg") || call.Line != 2 || call.Col != 2 || call.EndCol != 6 ||
		len(call.Defined) != 1 || call.Defined[0].Line != 2 || call.Defined[0].Col != 10 || len(call.Included) != 1 || call.Included[0].Line != 3 {
		t.Errorf("got %+v", call)
	}
	if param.Line != 4 || param.Col != 1 || param.EndCol != 8 || param.Detail != `did you mean "children"?` {
		t.Errorf("got %+v", param)
	}
	if errOut.Len() > 0 {
		t.Errorf("besides the document: %s", errOut.String())
	}
}

// TestCheckEffective: what differs from its default, and where that was said.
func TestCheckEffective(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"main.cfg":  "listen=udp:127.0.0.1:5062\nchildren=2\ndebug=1\nmax_branches=12\nloadmodule \"usrloc.so\"\nmodparam(\"usrloc\", \"hash_size\", 11)\nrequest_route { exit; }\n",
		"main.toml": "[core]\nchildren = 3\n[[listen]]\nsocket = \"udp:127.0.0.1:5064\"\n",
	})
	var out, errOut strings.Builder
	if code := runCheck([]string{"--effective", "-m", "32", "-l", "udp:127.0.0.1:5066", filepath.Join(dir, "main.cfg")}, &out, &errOut); code != 0 {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	var got []string
	for l := range strings.Lines(strings.ReplaceAll(out.String(), dir+"/", "")) {
		got = append(got, strings.Join(strings.Fields(l), " "))
	}
	want := []string{
		"setting value default from",
		"debug 1 0 main.cfg:3:1",
		"children 3 8 main.toml:2:1",
		"shm_mem_size 32 64 command line (-m)",
		"listen udp:127.0.0.1:5066 command line (-l)",
		"listen udp:127.0.0.1:5062 main.cfg:1:1",
		"listen udp:127.0.0.1:5064 main.toml:3:1",
		"usrloc.hash_size 11 10 main.cfg:6:1",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// TestTenMistakes: ten mistakes of different kinds are ten diagnostics, each with its line, a caret and a reason; the exit code is 255.
func TestTenMistakes(t *testing.T) {
	text, err := os.ReadFile("testdata/check/ten.cfg")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/check/ten.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := writeFiles(t, map[string]string{"ten.cfg": string(text)})
	var out, errOut strings.Builder
	if code := runCheck([]string{filepath.Join(dir, "ten.cfg")}, &out, &errOut); code != exitError {
		t.Errorf("exit code %d, want %d", code, exitError)
	}
	got := strings.ReplaceAll(errOut.String(), dir+"/", "")
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n := strings.Count(got, ": error: "); n < 10 {
		t.Errorf("%d errors", n)
	}
}
