package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recorded makes a record of "PEER text" lines; "|" is a checkpoint.
func recorded(lines ...string) *record {
	r := &record{start: time.Unix(0, 0)}
	for i, l := range lines {
		e := event{at: time.Unix(0, 0).Add(time.Duration(i) * 100 * time.Millisecond)}
		if l != "|" {
			p, text, _ := strings.Cut(l, " ")
			e.peer, e.data = p, []byte(text)
		}
		r.events = append(r.events, e)
	}
	return r
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		name      string
		want, got *record
		differs   string // a part of the text; "" is equal
	}{
		{"equal", recorded("A x", "|"), recorded("A x", "|"), ""},
		{"other text", recorded("A x", "|"), recorded("A y", "|"), "A, event 1"},
		{"more", recorded("A x"), recorded("A x", "A x"), "kahea sends more"},
		{"less", recorded("A x", "B y"), recorded("A x"), "kahea does not send"},
		{"order of two peers", recorded("A INVITE a", "B SIP/2.0 200 OK"), recorded("B SIP/2.0 200 OK", "A INVITE a"), "Kamailio's is A:INVITE B:200, kahea's is B:200 A:INVITE"},
		{"order of a TCP peer is not known", recorded("A x", "TA y"), recorded("TA y", "A x"), ""},
		{"before and after a checkpoint", recorded("A x", "|"), recorded("|", "A x"), "A, event 1"},
		{"server's name", recorded("A Server: kamailio (5.6.3 (x86_64/linux))"), recorded("A Server: kahea (1)"), ""},
		{"another server header", recorded("A Server: kamailio"), recorded("A Server: kahea"), "event 1"},
		{"id of a connection", recorded("A Via: SIP/2.0/TCP 127.0.0.1:1;branch=z;i=1a"), recorded("A Via: SIP/2.0/TCP 127.0.0.1:1;branch=z;i=2"), ""},
		{"branch", recorded("A Via: SIP/2.0/UDP 127.0.0.1:1;branch=z.1"), recorded("A Via: SIP/2.0/UDP 127.0.0.1:1;branch=z.2"), "event 1"},
		{"expires a second off", recorded("A Contact: <sip:a@b>;expires=60"), recorded("A Contact: <sip:a@b>;expires=59"), ""},
		{"expires two seconds off", recorded("A Contact: <sip:a@b>;expires=60"), recorded("A Contact: <sip:a@b>;expires=58"), "event 1"},
		{"expires of another contact", recorded("A Contact: <sip:a@b>;expires=60"), recorded("A Contact: <sip:c@b>;expires=60"), "event 1"},
		{"end of line", recorded("A a\r\nb\r\n"), recorded("A a\nb\r\n"), "(no CR)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := diff(c.want, c.got)
			if c.differs == "" && got != "" || !strings.Contains(got, c.differs) {
				t.Errorf("got %q, want %q", got, c.differs)
			}
		})
	}
}

func TestDiffOfTimesAndCopies(t *testing.T) {
	want, late := recorded("A x", "A y"), recorded("A x", "A y")
	late.events[1].at = late.events[1].at.Add(80 * time.Millisecond)
	if d := diff(want, late); d != "" {
		t.Errorf("times are compared although the case does not ask: %s", d)
	}
	want.timing = 50 * time.Millisecond
	if d := diff(want, late); !strings.Contains(d, "tolerance 50ms") {
		t.Errorf("80 ms late with 50 ms of tolerance: %q", d)
	}
	want, late = recorded("A x", "A x", "A x"), recorded("A x")
	want.fold, late.fold = true, true
	if d := diff(want, late); d != "" {
		t.Errorf("copies are compared although the case folds them: %s", d)
	}
	got := recorded("A x")
	got.err = errNothing
	if d := diff(recorded("A x"), got); !strings.Contains(d, errNothing.Error()) {
		t.Errorf("a case that kahea does not bring to its end: %q", d)
	}
}

func TestParseSteps(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // of the error
	}{
		{"all", "A > INVITE sip:b@{B}\n  X: 1\n  -To\nwait B INVITE\nB < 200 Fine\nwait A 200/INVITE 2s\nA ack\nquiet\nraw A\n| x\nA cancel\nA again\nB again INVITE\npause 1ms\nfold\ntiming 9ms\nA@S2 > BYE dialog", ""},
		{"unknown step", "hop A", "no such step"},
		{"unknown peer", "Z > INVITE sip:x", "no such step"},
		{"header alone", "  X: 1", "no message before it"},
		{"header after wait", "wait A 200\n  X: 1", "no message before it"},
		{"no URI", "A > INVITE", "want > METHOD URI"},
		{"no code", "A < INVITE", "want < [METHOD] CODE"},
		{"bar without raw", "| x", "want raw before it"},
		{"wait without what", "wait A", "want wait PEER WHAT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseSteps(strings.Split(c.text, "\n"), 1)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestParseGroup(t *testing.T) {
	const config = "-- config --\n{PROBE}\n"
	for _, c := range []struct{ name, text, want string }{
		{"good", config + "-- case a --\nquiet\n", ""},
		{"no probe", "-- config --\n-- case a --\nquiet\n", "without {PROBE}"},
		{"no cases", config, "no cases"},
		{"twice", config + "-- case a --\n-- case a --\n", "there twice"},
		{"section", config + "-- what --\n", "want config, args, case NAME or script NAME"},
		{"script without its place", config + "-- script a --\n? $rU\n", "without {SCRIPTS}"},
		{"script twice", config + "{SCRIPTS}\n-- script a --\n? $rU\n-- script a --\n", "there twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseGroup("g", c.text, "127.0.0.1", 21000)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestCases: every case of testdata can be read, and names of cases are such that their messages can be told apart.
func TestCases(t *testing.T) {
	groups, err := loadGroups("testdata", "127.0.0.1", 21000)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range groups {
		for _, c := range g.Cases {
			n++
			if len(c.Steps) == 0 {
				t.Errorf("%s has no steps", c.ID())
			}
			if !namedDifference.MatchString("parity:" + c.ID()) {
				t.Errorf("%s cannot be named in docs/differences.md", c.ID())
			}
		}
	}
	if n < 60 {
		t.Errorf("%d cases, want 60", n)
	}
}

func TestMine(t *testing.T) {
	r := &runner{c: &testCase{Name: "cancel"}}
	for id, want := range map[string]bool{"cancel@parity": true, "cancel.2@parity": true, "cancel": true, "cancel-late@parity": false, "save@parity": false} {
		if r.mine(id) != want {
			t.Errorf("Call-ID %s: got %v, want %v", id, !want, want)
		}
	}
}

func TestReport(t *testing.T) {
	g := &group{Name: "g"}
	g.Cases = []*testCase{{Group: g, Name: "one"}}
	for _, c := range []struct {
		name  string
		v     verdict
		known map[string]bool
		want  error
	}{
		{"equal", verdict{}, nil, nil},
		{"differs", verdict{Text: "x"}, nil, errParity},
		{"differs and is named", verdict{Text: "x"}, map[string]bool{"g/one": true}, nil},
		{"named but equal", verdict{}, map[string]bool{"g/one": true}, errParity},
		{"named but not there", verdict{}, map[string]bool{"g/two": true}, errParity},
		{"broken", verdict{Broken: errNothing}, nil, errParity},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := report([]*group{g}, [][]verdict{{c.v}}, c.known, false, true); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestLoadDifferences(t *testing.T) {
	f := filepath.Join(t.TempDir(), "differences.md")
	if err := os.WriteFile(f, []byte("- text (parity:tm/cancel, parity:core/a-b.c). `parity:NAME` is no case.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := loadDifferences(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !got["tm/cancel"] || !got["core/a-b.c"] {
		t.Errorf("got %v", got)
	}
}

func TestDialog(t *testing.T) {
	m, ok := parseMessage([]byte("SIP/2.0 200 OK\r\nRecord-Route: <sip:1;lr>, <sip:2;x=\"a,b\";lr>\r\nRecord-Route: <sip:3;lr>\r\nFrom: f\r\nTo: t\r\nm: <sip:b@c>;q=1\r\ni: id\r\n\r\n"))
	if !ok {
		t.Fatal("not parsed")
	}
	d := uacDialog(&m, 1)
	if got := strings.Join(d.routes, " "); got != `<sip:3;lr> <sip:2;x="a,b";lr> <sip:1;lr>` {
		t.Errorf("routes of the caller: %s", got)
	}
	if d.target != "sip:b@c" || d.callID != "id" {
		t.Errorf("target %q, Call-ID %q", d.target, d.callID)
	}
	if got := strings.Join(uasDialog(&m, "t").routes, " "); got != `<sip:1;lr> <sip:2;x="a,b";lr> <sip:3;lr>` {
		t.Errorf("routes of the callee: %s", got)
	}
}

// TestParseScript asserts what the servers run and what is sent for a case that is written as script.
func TestParseScript(t *testing.T) {
	g, err := parseGroup("g", "-- config --\n{PROBE}\n{SCRIPTS}\n-- script x --\n$var(a) = 1;\n? $var(a)\nB > INVITE sip:b@{S}\n  To: sip:x\nwait B 200\n-- script y --\n? 1\n", "127.0.0.1", 21000)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`is_present_hf("X-Case")`, `route["parity-show"] {`, "route[\"x\"] {\n\t$var(a) = 1;\n\t$vn(r) = $var(a); route(\"parity-show\");\n\treturn;\n}\n", `route["y"] {`} {
		if !strings.Contains(g.Config, want) {
			t.Errorf("config without %q:\n%s", want, g.Config)
		}
	}
	x, y := g.Cases[0].Steps, g.Cases[1].Steps
	if len(x) != 2 || x[0].Method != "INVITE" || x[0].Edits[1] != (edit{op: '=', name: "X-Case", value: "x"}) || x[1].Want != "200" {
		t.Errorf("steps of x: %+v", x)
	}
	if len(y) != 2 || y[0].Method != "OPTIONS" || y[0].Edits[0].value != "y" || y[1].Verb != wait || y[1].Peer != "A" {
		t.Errorf("steps of y: %+v", y)
	}
}
