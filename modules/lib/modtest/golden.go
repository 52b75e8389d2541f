package modtest

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// Golden runs the cases of a file that was recorded from Kamailio: each is its own subtest. A file is made of sections:
//
//	=== name            begins a case
//	--- cfg             configuration below the loadmodule lines, which load gives
//	--- message         a message, as often as there are messages; line ends are \n here and \r\n on the wire
//	--- log             what the script logs, without levels: what stands behind "<script>: "
//	--- sent            each message that left, in any order
//
// The server listens at 127.0.0.1:17200 and messages come from 127.0.0.1:17202. What differs by nature is replaced before the comparison:
// the branch of our Via, the To tag that we made, Server and Date. A file ends with a newline that does not belong to the last section.
func Golden(t *testing.T, file, load string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cases := parseGolden(string(b))
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", file)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := Start(t, "listen=udp:127.0.0.1:17200\n"+load+c.cfg)
			for _, m := range c.messages {
				s.ReceiveFrom(m, goldenPeer, s.Proc.Net.Sockets[0])
			}
			if got := scriptLog(s.Log()); got != c.log {
				t.Errorf("log differs%s", lineDiff(got, c.log))
			}
			var sent []string
			for _, m := range s.Sent() {
				sent = append(sent, normalise(strings.ReplaceAll(m.Text, "\r\n", "\n")))
			}
			sort.Strings(sent)
			sort.Strings(c.sent)
			if got, want := strings.Join(sent, "\n"), strings.Join(c.sent, "\n"); got != want {
				t.Errorf("sent differs%s", lineDiff(got, want))
			}
		})
	}
}

var goldenPeer = netip.MustParseAddrPort("127.0.0.1:17202")

type golden struct {
	name, cfg, log string
	messages, sent []string
}

func parseGolden(text string) (l []golden) {
	section := ""
	var at *string
	flush := func() {
		if at != nil {
			*at = strings.TrimSuffix(*at, "\n")
		}
	}
	for line := range strings.SplitAfterSeq(text, "\n") {
		name := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(name, "=== "):
			flush()
			at = nil
			l = append(l, golden{name: name[4:]})
			continue
		case strings.HasPrefix(name, "--- ") && len(l) > 0:
			flush()
			c := &l[len(l)-1]
			switch section = name[4:]; section {
			case "cfg":
				at = &c.cfg
			case "message":
				c.messages = append(c.messages, "")
				at = &c.messages[len(c.messages)-1]
			case "log":
				at = &c.log
			case "sent":
				c.sent = append(c.sent, "")
				at = &c.sent[len(c.sent)-1]
			default:
				panic(fmt.Sprintf("modtest: section %q is unknown", section))
			}
			continue
		}
		if at != nil {
			*at += line
		}
	}
	flush()
	return l
}

var level = regexp.MustCompile(`(?m)^[A-Z]+: (.*)`)

// scriptLog keeps what the script logged, without levels.
func scriptLog(s string) string {
	var out strings.Builder
	keep := false
	for line := range strings.SplitAfterSeq(s, "\n") {
		if m := level.FindStringSubmatch(line); m != nil {
			var text string
			text, keep = strings.CutPrefix(m[1], "<script>: ")
			if keep {
				out.WriteString(text + "\n")
			}
			continue
		}
		if keep {
			out.WriteString(line)
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}

var replacements = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`branch=z9hG4bK[0-9a-f]+\.[0-9a-f]+\.0`), "branch=OURS"},
	{regexp.MustCompile(`(?m)^Server: .*$`), "Server: X"},
	{regexp.MustCompile(`(?m)^Date: .*$`), "Date: X"},
	{regexp.MustCompile(`tag=[0-9a-f]{32}\.[0-9a-f]{8}`), "tag=T"},
}

func normalise(s string) string {
	for _, r := range replacements {
		s = r.re.ReplaceAllString(s, r.with)
	}
	return s
}

// lineDiff lists the lines in which two texts differ, position by position.
func lineDiff(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var out strings.Builder
	for i := 0; i < max(len(g), len(w)); i++ {
		x, y := "(none)", "(none)"
		if i < len(g) {
			x = fmt.Sprintf("%q", g[i])
		}
		if i < len(w) {
			y = fmt.Sprintf("%q", w[i])
		}
		if x != y {
			fmt.Fprintf(&out, "\n  line %d\n   got %s\n  want %s", i+1, x, y)
		}
	}
	return out.String()
}
