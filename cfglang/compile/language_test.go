package compile_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sl"
	_ "kahea/modules/xlog"
)

// languageCase is one case of testdata/language.txt: a block's statements and what Kamailio 5.6.3 logged when it ran them.
type languageCase struct{ name, body, want string }

func languageCases(t testing.TB, file string) []languageCase {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var l []languageCase
	for _, blk := range strings.Split("\n"+string(b), "\n--- ")[1:] {
		name, rest, _ := strings.Cut(blk, "\n")
		body, want, ok := strings.Cut(rest, "\n===\n")
		if !ok {
			t.Fatalf("case %q has no ===", name)
		}
		l = append(l, languageCase{name, body, strings.TrimSpace(want)})
	}
	return l
}

const subroutes = `
route[M2] { return -2; }
route[LAST] { setflag(1); route(M2); }
route[RET] { return; }
route[R0] { return 0; }
route[EX] { exit; }
route[LOUD] { xlog("L_INFO","loud\n"); }
`

const options = `OPTIONS sip:bob@127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKx
From: <sip:a@b>;tag=1
To: <sip:b@c>
Call-ID: x
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

`

// TestLanguage runs every case and compares what is logged with what Kamailio logged.
func TestLanguage(t *testing.T) { runCases(t, "testdata/language.txt", 60, options) }

// TestSelects does the same with selects, on a message that has what they name.
func TestSelects(t *testing.T) {
	b, err := os.ReadFile("testdata/selects.sip")
	if err != nil {
		t.Fatal(err)
	}
	runCases(t, "testdata/selects.txt", 180, modtest.CRLF(string(b)))
}

func runCases(t *testing.T, file string, atLeast int, msg string) {
	cases := languageCases(t, file)
	if len(cases) < atLeast {
		t.Fatalf("only %d cases were read", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := modtest.Start(t, fmt.Sprintf(`debug=2
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "sl.so"
modparam("xlog","prefix","")
request_route { route(CASE); }
%s
route[CASE] { %s }
`, subroutes, c.body))
			s.Receive(msg)
			var got []string
			for _, l := range strings.Split(s.Log(), "\n") {
				if text, ok := strings.CutPrefix(l, "INFO: "); ok && !strings.HasPrefix(text, "<core>") {
					got = append(got, text)
				}
			}
			if g := strings.TrimSpace(strings.Join(got, "\n")); g != c.want {
				t.Errorf("logged\n%s\nKamailio logs\n%s", g, c.want)
			}
		})
	}
}
