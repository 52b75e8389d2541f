package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlugin builds the example of docs/plugin outside of the tree and loads it; a binary without plugins, a file that is none, and one that registers nothing are refused.
func TestPlugin(t *testing.T) {
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	mod := strings.Replace(read("go.mod"), "module kahea", "module example.com/hello", 1)
	for name, text := range map[string]string{
		"hello/go.mod":   mod + "\nrequire kahea v0.0.0\n\nreplace kahea => " + root + "\n",
		"hello/go.sum":   read("go.sum"),
		"hello/hello.go": read("docs/plugin/hello.go"),
		"empty/go.mod":   "module example.com/empty\n\ngo 1.26.0\n",
		"empty/empty.go": "package main\n",
		"lib/clib.so":    "\x7fELF no plugin",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, out := range map[string]string{"hello": "lib/hello.so", "empty": "lib/empty/empty.so"} {
		cmd := exec.Command("go", "build", "-buildmode=plugin", "-o", filepath.Join(dir, out), ".")
		cmd.Dir = filepath.Join(dir, name)
		if b, err := cmd.CombinedOutput(); err != nil {
			if strings.Contains(string(b), "requires external (cgo) linking") || strings.Contains(string(b), "-buildmode=plugin not supported") {
				t.Skipf("Go builds no plugins here: %s", b)
			}
			t.Fatalf("build the plugin %s: %v\n%s", name, err, b)
		}
	}
	with := buildServer(t, "plugin")
	lib := filepath.Join(dir, "lib")
	const head = "listen=udp:127.0.0.1:5062\nloadmodule \"pv.so\"\n"
	const use = "modparam(\"hello\", \"word\", \"hi\")\nrequest_route { if (is_hello(\"$hello\")) exit; }\n"
	tests := []struct {
		name, binary, text, want string
		code                     int
	}{
		{"in mpath", with, "mpath=\"/nowhere:" + lib + "\"\n" + head + "loadmodule \"hello.so\"\n" + use, "config file ok", 0},
		{"by its path", with, head + "loadmodule \"" + lib + "/hello\"\n" + use, "config file ok", 0},
		{"no module inside", with, "mpath=\"" + lib + "\"\n" + head + "loadmodule \"empty.so\"\nrequest_route { exit; }\n", "registers no module of this name", exitError},
		{"no plugin", with, "mpath=\"" + lib + "\"\n" + head + "loadmodule \"clib.so\"\nrequest_route { exit; }\n", "is no plugin for this kahea", exitError},
		{"not found", with, "mpath=\"" + lib + "\"\n" + head + "loadmodule \"hallo\"\nrequest_route { exit; }\n", "there is no module \"hallo\"", exitError},
		{"a binary without plugins", serverBinary, "mpath=\"" + lib + "\"\n" + head + "loadmodule \"hello.so\"\n" + use, "build it with -tags plugin", exitError},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kahea.cfg")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			b, err := exec.Command(c.binary, "-c", "-a", "off", "-f", file).CombinedOutput()
			code := 0
			if err != nil {
				code = exitError
			}
			if code != c.code || !strings.Contains(string(b), c.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, c.code, c.want, b)
			}
		})
	}
}
