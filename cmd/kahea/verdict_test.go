package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What -c says of a text, of a parameter's value and of a command line, as Kamailio 5.6.3 does (-oracle asks it): testdata/verdict/README.md tells of the files.

const (
	verdictModules = "loadmodule \"pv.so\"\nloadmodule \"xlog.so\"\nloadmodule \"sl.so\"\nloadmodule \"tm.so\"\nlisten=udp:127.0.0.1:5999\n"
	verdictListen  = "listen=udp:127.0.0.1:5999\n"
)

// verdictDir is the working directory of the cases, with the files that they include.
func verdictDir(t *testing.T) string {
	t.Helper()
	files := map[string]string{"inc.cfg": "$var(x) = 1;\n", "nonl.cfg": "$var(x) = 1;", "k.cfg": verdictListen + "request_route { exit; }\n"}
	for _, deep := range []int{9, 10, 11, 12} {
		name := fmt.Sprintf("deep%d.cfg", deep)
		for i := 1; i < deep; i++ {
			next := fmt.Sprintf("deep%d_%d.cfg", deep, i)
			files[name], name = "include_file \""+next+"\"\n", next
		}
		files[name] = "debug=3\n"
	}
	dir := writeFiles(t, files)
	t.Chdir(dir)
	return dir
}

// accepts says whether -c takes a text.
func accepts(t *testing.T, text string) bool {
	t.Helper()
	if err := os.WriteFile("x.cfg", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if *oracle != "" {
		return exec.Command(*oracle, "-c", "-a", "no", "-f", "x.cfg").Run() == nil
	}
	var out, errOut strings.Builder
	return runCheck([]string{"-a", "no", "x.cfg"}, &out, &errOut) == 0
}

// verdictFile reads a file of testdata/verdict.
func verdictFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/verdict", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTextVerdicts(t *testing.T) {
	cases := strings.Split(strings.TrimSuffix(verdictFile(t, "text.txt"), "\n"), "\n---\n")
	verdictDir(t)
	for i, c := range cases {
		head, text, _ := strings.Cut(c, "\n")
		f := strings.Fields(head)
		if len(f) < 3 || f[0] != "##" {
			t.Fatalf("case %d: bad head %q", i, head)
		}
		whole := verdictModules + text + "\nrequest_route { exit; }\n"
		if f[1] == "body" {
			whole = verdictModules + "request_route {\n" + text + "\n}\nroute[X] { ; }\n"
		}
		want := f[2] == "accept"
		if *oracle == "" && len(f) > 3 { // kahea's own, which differences.md explains
			want = f[3] == "kahea:accept"
		}
		if got := accepts(t, whole); got != want {
			t.Errorf("case %d: accepted %v, want %v:\n%s", i, got, want, text)
		}
	}
}

func TestParamVerdicts(t *testing.T) {
	rows := strings.Split(strings.TrimSuffix(verdictFile(t, "params.tsv"), "\n"), "\n")[1:]
	verdictDir(t)
	for _, row := range rows {
		f := strings.Split(row, "\t")
		if len(f) != 5 {
			t.Fatalf("bad row %q", row)
		}
		differs := map[string]bool{}
		for i, want := range []bool{true, false} {
			for _, v := range strings.Fields(f[3+i]) {
				differs[v] = true
				if got := accepts(t, f[0]+"="+v+"\n"+verdictListen+"request_route { exit; }\n"); got != want && *oracle == "" {
					t.Errorf("%s=%s: accepted %v, want %v", f[0], v, got, want)
				}
			}
		}
		for i, want := range []bool{true, false} {
			for _, v := range strings.Fields(f[1+i]) {
				if differs[v] && *oracle == "" {
					continue
				}
				if got := accepts(t, f[0]+"="+v+"\n"+verdictListen+"request_route { exit; }\n"); got != want {
					t.Errorf("%s=%s: accepted %v, want %v", f[0], v, got, want)
				}
			}
		}
	}
}

func TestOptionVerdicts(t *testing.T) {
	rows := strings.Split(strings.TrimSuffix(verdictFile(t, "options.tsv"), "\n"), "\n")[1:]
	dir := verdictDir(t)
	for _, row := range rows {
		f := strings.Split(row, "\t")
		if len(f) != 3 {
			t.Fatalf("bad row %q", row)
		}
		want := f[1]
		if *oracle == "" && f[2] != "" {
			want = f[2]
		}
		cmd := exec.Command(serverBinary, strings.Fields(f[0])...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != want {
			t.Errorf("%s: exit code %s, want %s\n%s", f[0], got, want, out)
		}
	}
}
