package main

import (
	"path/filepath"
	"strings"
	"testing"

	"kahea/cfglang/syntax"
	"kahea/modules"
)

// TestDoc: whatever has a name can be asked for, and the tables say something of it.
func TestDoc(t *testing.T) {
	tests := []struct {
		ask  string
		code int
		want []string
	}{
		{"t_relay", 0, []string{"function t_relay of module tm", "t_relay([string[, string]])", "request_route failure_route", "t_relay();"}},
		{"children", 0, []string{"global parameter children", "number, 0 to 450", "default: 8"}},
		{"shm", 0, []string{"global parameter shm_mem_size", "aliases: shm shm_mem"}},
		{"core.debug", 0, []string{"global parameter debug", "cfg.set"}},
		{"registrar.realm_prefix", 0, []string{"registrar.realm_pref (cfg.set)"}},
		{"$ru", 0, []string{"variable $ru of module pv", "can be set"}},
		{"usrloc.hash_size", 0, []string{`modparam("usrloc", "hash_size", 10)`, "restart only"}},
		{"s.len", 0, []string{"transformation s.len of module pv", "$(var(x){s.len})"}},
		{"core.psx", 0, []string{"command core.psx of the core", "kaheactl core.psx"}},
		{"tm.so", 0, []string{"module tm", "t_relay", "fr_timer"}},
		{"t_rellay", exitError, []string{`there is no "t_rellay"`, `did you mean "t_relay"?`}},
		{"-h", 0, []string{"usage: kahea doc NAME"}},
	}
	for _, c := range tests {
		t.Run(c.ask, func(t *testing.T) {
			var out strings.Builder
			if code := runDoc([]string{c.ask}, &out, &out); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("got\n%s\nwant %q", out.String(), w)
				}
			}
		})
	}
	for _, e := range entries() {
		if e.doc == "" {
			t.Errorf("%s: the table says nothing of it", e.title)
		}
	}
}

// TestWordExamples: what the documentation shows of the language's words and of transformations is right, by the server's own check.
func TestWordExamples(t *testing.T) {
	var files []string
	inBlock := func(head, text string) string {
		return head + "request_route {\n" + text + "\nexit;\n}\n"
	}
	texts := map[string]string{}
	add := func(name, text string) {
		texts[name] = "log_stderror=yes\n" + text
		files = append(files, name)
	}
	for _, w := range syntax.Words() {
		if w.Doc == "" || w.Form == "" {
			t.Errorf("%s: no text or form", w.Name)
		}
		switch w.Kind {
		case syntax.BlockWord:
			add(w.Name, w.Example+"\n")
			if !strings.Contains(w.Example, "request_route") {
				texts[w.Name] += "request_route { exit; }\n"
			}
		case syntax.StatementWord, syntax.OperandWord, syntax.OperatorWord:
			add(w.Name, inBlock("", "if (msg:len > 0) {\n"+w.Example+"\n}"))
		case syntax.SendWord:
			add(w.Name, "onsend_route {\n"+w.Example+"\n}\n"+inBlock("", ""))
		default:
			add(w.Name, inBlock(w.Example+"\n", ""))
		}
	}
	for _, x := range modules.New("pv").Exports().Trans {
		for _, m := range x.Methods {
			name := x.Class + "." + m.Name
			args := ""
			if m.Example != "" {
				args = "," + m.Example
			}
			add(name, inBlock("loadmodule \"pv.so\"\n", "$var(y) = $(var(x){"+name+args+"});"))
		}
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{"main.cfg": texts[name]})
			var out, errOut strings.Builder
			if code := runCheck([]string{filepath.Join(dir, "main.cfg")}, &out, &errOut); code != 0 {
				t.Errorf("exit code %d\n%s%s\n%s", code, out.String(), errOut.String(), texts[name])
			}
		})
	}
}
