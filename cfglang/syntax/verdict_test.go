package syntax

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

// TestVerdicts compares accept or reject with what Kamailio said (testdata/verdicts.txt).
func TestVerdicts(t *testing.T) {
	data, err := os.ReadFile("testdata/verdicts.txt")
	if err != nil {
		t.Fatal(err)
	}
	const modules = "loadmodule \"pv.so\"\nloadmodule \"xlog.so\"\nloadmodule \"sl.so\"\nloadmodule \"tm.so\"\n"
	for i, c := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n---\n") {
		head, text, _ := strings.Cut(c, "\n")
		kind, verdict, ok := strings.Cut(strings.TrimPrefix(head, "## "), " ")
		if !strings.HasPrefix(head, "## ") || !ok {
			if i == 0 {
				continue // what the file is
			}
			t.Fatalf("case %d: bad head %q", i, head)
		}
		if kind == "body" {
			text = modules + "request_route {\n" + text + "\n}\nroute[X] { ; }\n"
		} else {
			text = modules + text + "\nrequest_route { exit; }\n"
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			env := func(s string) (string, bool) { return "/", s == "HOME" }
			read := func(path string) ([]byte, error) {
				if path == "/dev/null" {
					return nil, nil
				}
				return nil, os.ErrNotExist
			}
			var d diag.List
			ParseText("k.cfg", []byte(text), Options{ModuleDefines: true, Env: env, ReadFile: read}, &d)
			if d.HasErrors() != (verdict == "reject") {
				t.Errorf("Kamailio's verdict: %s\n%s\n%s", verdict, text, written(&d))
			}
		})
	}
}

func TestListenArg(t *testing.T) {
	for in, want := range map[string]string{
		"udp:10.0.0.1:5060":                  "udp:10.0.0.1:5060",
		"10.0.0.1":                           "10.0.0.1",
		"tls:[2001:db8::1]:5061/a.b:5062/in": "tls:[2001:db8::1]:5061 a.b:5062 in",
		"2001:db8::1":                        "[2001:db8::1]",
		"udp:127.0.0.1:5080//local":          "udp:127.0.0.1:5080 local",
		"sctp:(10.0.0.1,10.0.0.2):5060":      "sctp:(10.0.0.1,10.0.0.2):5060",
		"*:eth0:*":                           "eth0",
		"udp:10.0.0.1:x":                     "error",
		"udp:10.0.0.1:99999":                 "error",
		"udp:":                               "error",
		"udp:[::1":                           "error",
		"udp:(a,":                            "error",
		"udp:a/":                             "error",
		"udp:a/b/":                           "error",
		"udp:a/b/c/d":                        "error",
	} {
		p, err := ParseListenArg(in)
		got := "error"
		if err == nil {
			got = p.Sockets[0].String()
			if p.Adv != nil {
				got += " " + p.Adv.String()
			}
			if p.SockName != "" {
				got += " " + p.SockName
			}
		}
		if got != want {
			t.Errorf("%s: %s (%v), want %s", in, got, err, want)
		}
	}
}

func TestDefineArg(t *testing.T) {
	for in, want := range map[string]string{"A": "A false ", "A=": "A false ", "A=1 2": "A true 1 2", `A="x=y"`: `A true "x=y"`, "1A": "error", "": "error", "A-B=1": "error"} {
		def, err := ParseDefineArg(in)
		got := "error"
		if err == nil {
			got = fmt.Sprint(def.Name, " ", def.HasValue, " ", def.Value)
		}
		if got != want {
			t.Errorf("%s: %q (%v), want %q", in, got, err, want)
		}
	}
	def, err := ParseDefineArg("BAD=foo(")
	if err != nil {
		t.Fatal(err)
	}
	var d diag.List
	ParseText("t.cfg", []byte("debug = BAD;"), Options{Defines: []Define{def}}, &d)
	if s := written(&d); !strings.Contains(s, "in the expansion of BAD, defined on the command line") {
		t.Errorf("no note:\n%s", s)
	}
}

// TestBounds gives what would be expanded without end.
func TestBounds(t *testing.T) {
	doubling := strings.Builder{}
	for i := range 40 {
		fmt.Fprintf(&doubling, "#!define A%d A%d A%d\n", i, i+1, i+1)
	}
	doubling.WriteString("#!define A40 ;\nA0\n")
	chain := strings.Builder{}
	for i := range 400 {
		fmt.Fprintf(&chain, "#!define A%d A%d\n", i, i+1)
	}
	chain.WriteString("A0\n")
	deep := "route { $x = " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + "; }"
	ifs := strings.Repeat("#!ifndef X\n", 600) + strings.Repeat("#!endif\n", 600)
	largeSubsts, manySubsts := strings.Builder{}, strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(&largeSubsts, "#!subst \"/x%da{1,1000}/y/\"\n", i)
		fmt.Fprintf(&manySubsts, "#!subst \"/x%d/y/\"\n", i)
	}
	for range 5000 {
		manySubsts.WriteString("user=\"a\"\n")
	}
	for _, c := range []struct{ name, text, want string }{
		{"doubling defines", doubling.String(), "add more than"},
		{"long chain", chain.String(), "stand in each other"},
		{"deep expression", deep, "in each other"},
		{"deep blocks", "route { " + strings.Repeat("if (1) {", 5000), "in each other"},
		{"deep conditions", ifs, "more than 512 conditional parts"},
		{"growing subst", "#!subst \"/a/" + strings.Repeat("c", 60000) + "/g\"\n#!subst \"/c/" + strings.Repeat("b", 100) + "/g\"\nuser=\"aaaaa\"\n", "subst makes more than"},
		{"long expression on a long word", "#!subst \"/" + strings.Repeat("a", 60000) + "/b/\"\nuser=\"" + strings.Repeat("a", 60000) + "\"\n", "subst with an expression of"},
		{"many large substs", largeSubsts.String(), "need more than 262144 steps"},
		{"many substs on many words", manySubsts.String(), "take too long"},
		{"many errors", strings.Repeat("route { 1; }\n", 5000), "more than 100 errors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d diag.List
			ParseText("t.cfg", []byte(c.text), Options{}, &d)
			if s := written(&d); !strings.Contains(s, c.want) {
				t.Errorf("no error %q:\n%.2000s", c.want, s)
			}
			if n := len(d.All()); n > 2*maxErrors+2 {
				t.Errorf("%d diagnostics", n)
			}
		})
	}
}
