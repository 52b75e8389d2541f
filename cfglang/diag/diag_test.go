package diag

import (
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	main := &Source{Name: "main.cfg", Text: []byte("debug=3\n#!define BAD foo(\ninclude_file \"x.cfg\"\n")}
	x := &Source{Name: "x.cfg", Text: []byte("route {\n\t\u00e4 sl_sendreply(\"200\");\r\n\tBAD\n}\n")}
	in := &Pos{Src: main, Line: 3, Col: 1}
	cmd := &Source{Text: []byte("A 1")}
	for _, c := range []struct {
		name string
		d    Diagnostic
		want string
	}{
		{"range behind a tab and a wide character", Diagnostic{Pos: Pos{Src: x, Line: 2, Col: 5}, EndCol: 17, Summary: `unknown function "sl_sendreply"`, Detail: `did you mean "sl_send_reply"?`},
			"x.cfg:2:5: error: unknown function \"sl_sendreply\"\n   2 | \t\u00e4 sl_sendreply(\"200\");\n     | \t  ^~~~~~~~~~~~\n     = did you mean \"sl_send_reply\"?\n"},
		{"define and include", Diagnostic{Severity: Warning, Pos: Pos{Src: x, Line: 3, Col: 2, Def: &Pos{Src: main, Line: 2, Col: 10}, Incl: in}, Summary: "bad"},
			"x.cfg:3:2: warning: bad\n   3 | \tBAD\n     | \t^~~\n     = in the expansion of BAD defined at main.cfg:2:10\n     = included from main.cfg:3\n"},
		{"command line", Diagnostic{Pos: Pos{Src: main, Line: 1, Col: 1, Def: &Pos{Src: cmd, Line: 1, Col: 1}}, Summary: "bad"},
			"main.cfg:1:1: error: bad\n   1 | debug=3\n     | ^~~~~\n     = in the expansion of A, defined on the command line\n"},
		{"no text", Diagnostic{Pos: Pos{Src: &Source{Name: "y.cfg"}, Line: 7, Col: 2}, Summary: "bad"}, "y.cfg:7:2: error: bad\n"},
		{"no place", Diagnostic{Severity: Notice, Summary: "bad\x1b[31m"}, "notice: bad\u00b7[31m\n"},
		{"past the end", Diagnostic{Pos: Pos{Src: main, Line: 1, Col: 50}, EndCol: 60, Summary: "bad"}, "main.cfg:1:50: error: bad\n   1 | debug=3\n     |        ^\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l List
			l.Add(c.d)
			var b strings.Builder
			if err := l.Write(&b, false); err != nil {
				t.Fatal(err)
			}
			if b.String() != c.want {
				t.Errorf("got\n%q\nwant\n%q", b.String(), c.want)
			}
			b.Reset()
			if err := l.Write(&b, true); err != nil || !strings.Contains(b.String(), "\x1b[1;3") {
				t.Errorf("no colour (%v): %q", err, b.String())
			}
		})
	}
}

func TestOrder(t *testing.T) {
	main, inc := &Source{Name: "main"}, &Source{Name: "inc"}
	at := func(line int) Pos { return Pos{Src: main, Line: line, Col: 1} }
	in := at(5)
	var l List
	l.Warnf(at(1), "w%d", 1)
	l.Errorf(at(9), "e9")
	l.Errorf(Pos{Src: inc, Line: 100, Col: 1, Incl: &in}, "i100")
	l.Errorf(Pos{Src: inc, Line: 3, Col: 1, Incl: &in}, "i3")
	l.Errorf(at(2), "e2")
	l.Errorf(at(2), "e2 again")
	var got []string
	for _, d := range l.All() {
		got = append(got, d.Summary)
	}
	if s := strings.Join(got, ","); s != "e2,e2 again,i3,i100,e9,w1" {
		t.Error(s)
	}
	if !l.HasErrors() || l.Errors() != 5 {
		t.Errorf("%v, %d errors", l.HasErrors(), l.Errors())
	}
}

func TestNearest(t *testing.T) {
	names := []string{"sl_send_reply", "send_reply", "t_relay", "t_reply", "xlog"}
	for name, want := range map[string]string{
		"sl_sendreply": "sl_send_reply", "t_rleay": "t_relay", "T_RELAY": "t_relay", "xlgo": "xlog", "frobnicate": "", "": "", "x": "", "t_replay": "t_relay",
	} {
		if got := new(List).Nearest(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestWithin: the range is the name, not the whole string.
func TestWithin(t *testing.T) {
	src := &Source{Name: "x.cfg", Text: []byte(`xlog("hdrr $hdr(a) $hdrr(b) $(ru{s.slect,0})");` + "\n")}
	p := Pos{Src: src, Line: 1, Col: 6}
	for name, want := range map[string]string{"$hdrr": "$hdrr", "s.slect": "s.slect", "$ru": "ru", "$nope": "", "hd": ""} {
		at, end := p.Within(name)
		got := ""
		if end > 0 {
			got = string(src.Text[at.Col-1 : end-1])
		}
		if got != want {
			t.Errorf("%s: the range is %q, want %q", name, got, want)
		}
	}
	if at, end := p.Within("$hdrr"); at.Col != 20 || end != 25 {
		t.Errorf("got columns %d to %d", at.Col, end)
	}
}
