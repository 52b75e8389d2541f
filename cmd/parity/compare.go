package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verdict is a case's outcome.
type verdict struct {
	Expected string // what Kamailio sent
	Text     string // the difference; "" is none
	Broken   error  // the case does not hold on Kamailio itself
}

// attempts is how often a case about time is run before it counts as different: a busy machine delays one server or the other.
const attempts = 3

// compare runs the group against both servers, and again what is about time and differs.
func (g *group) compare(servers []server, dir string) []verdict {
	out := g.compareOnce(servers, dir)
	for range attempts - 1 {
		again := *g
		again.Cases = nil
		var at []int
		for k, c := range g.Cases {
			if c.aboutTime() && (out[k].Text != "" || out[k].Broken != nil) {
				again.Cases, at = append(again.Cases, c), append(at, k)
			}
		}
		if len(at) == 0 {
			break
		}
		for i, v := range again.compareOnce(servers, dir) {
			out[at[i]] = v
		}
	}
	return out
}

// aboutTime tells if time passes in the case: its result may depend on how busy the machine is.
func (c *testCase) aboutTime() bool {
	return slices.ContainsFunc(c.Steps, func(s step) bool { return s.Verb == timing || s.Verb == pause || s.Verb == fold })
}

// compareOnce runs the group against both servers, Kamailio first.
func (g *group) compareOnce(servers []server, dir string) []verdict {
	out := make([]verdict, len(g.Cases))
	var recs [2][]*record
	var errs [2]error
	for i, s := range servers {
		d := filepath.Join(dir, s.Name)
		if errs[i] = makeDir(d); errs[i] == nil {
			recs[i], errs[i] = g.runGroup(s, d)
		}
	}
	for k := range g.Cases {
		switch {
		case k >= len(recs[0]) || recs[0][k].err != nil:
			if out[k].Broken = errs[0]; k < len(recs[0]) {
				out[k].Broken = fmt.Errorf("on Kamailio: %w\n%s", recs[0][k].err, recs[0][k].text())
			}
		case k >= len(recs[1]):
			out[k].Text = errs[1].Error()
		default:
			out[k].Expected = recs[0][k].text()
			out[k].Text = diff(recs[0][k], recs[1][k])
		}
	}
	return out
}

// item is one event ready for comparing.
type item struct {
	peer  string // "" is a checkpoint
	after time.Duration
	lines []string
}

var (
	serverName   = regexp.MustCompile(`^(Server|User-Agent): (?:kamailio|kahea) \(.*`)
	connectionID = regexp.MustCompile(`^(Via: SIP/2\.0/[A-Z]+ [^,]*;i=)[0-9a-f]+`)
	ownBranch    = regexp.MustCompile(`z9hG4bK[0-9a-f]+\.[0-9a-f]{8}0{24}\.`) // of a request of the server's own
	ownTag       = regexp.MustCompile(`;tag=[0-9a-f]{32}-[0-9a-f]{8}`)        // the same
	ownCallID    = regexp.MustCompile(`^Call-ID: [0-9a-f]{16}-[0-9]+@`)
	expiresParam = regexp.MustCompile(`(;expires=|^Expires: )(\d+)`)
)

// items normalises what cannot be equal.
func (r *record) items() (out []item) {
	seen := map[string]bool{}
	for _, e := range r.events {
		if e.peer == "" {
			out = append(out, item{})
			continue
		}
		key := e.peer + " " + string(e.data)
		if r.fold && seen[key] {
			continue
		}
		seen[key] = true
		it := item{peer: e.peer, after: e.at.Sub(r.start)}
		for l := range strings.SplitSeq(string(e.data), "\n") {
			l = serverName.ReplaceAllString(l, "$1: (server)")
			l = connectionID.ReplaceAllString(l, "${1}ID")
			l = ownBranch.ReplaceAllString(l, "z9hG4bKOWN.")
			l = ownTag.ReplaceAllString(l, ";tag=OWN")
			l = ownCallID.ReplaceAllString(l, "Call-ID: OWN@")
			it.lines = append(it.lines, l)
		}
		out = append(out, it)
	}
	return out
}

func (it item) text() string {
	if it.peer == "" {
		return "    (everything has been handled)\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "    %s after %d ms\n", it.peer, it.after.Milliseconds())
	for _, l := range it.lines {
		fmt.Fprintf(&b, "      %s\n", printable(l))
	}
	return b.String()
}

// printable shows the ends of lines that are not CRLF.
func printable(l string) string {
	s, ok := strings.CutSuffix(l, "\r")
	q := strconv.QuoteToGraphic(s)
	s = q[1 : len(q)-1]
	s = strings.ReplaceAll(s, `\"`, `"`)
	if !ok && s != "" {
		s += " (no CR)"
	}
	return s
}

func (r *record) text() string {
	var b strings.Builder
	for _, it := range r.items() {
		b.WriteString(it.text())
	}
	return b.String()
}

// diff is the first difference of each peer, "" if there is none. Where all peers got the same, but not in the same order, it is that.
func diff(want, got *record) string {
	a, b := want.items(), got.items()
	var out strings.Builder
	for _, p := range peersOf(a, b) {
		out.WriteString(diffPeer(p, ofPeer(a, p), ofPeer(b, p), want.timing))
	}
	if out.Len() == 0 {
		a, b := datagrams(a), datagrams(b)
		for i := range a { // they are of the same length: each peer's are
			if a[i].peer != b[i].peer {
				fmt.Fprintf(&out, "  the same messages in another order: Kamailio's is%s, kahea's is%s\n", order(a), order(b))
				break
			}
		}
	}
	if got.err != nil {
		fmt.Fprintf(&out, "  %v\n", got.err)
	}
	return out.String()
}

// diffPeer compares what one peer got; checkpoints are among it.
func diffPeer(peer string, a, b []item, tolerance time.Duration) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("  %s: kahea sends more:\n%s", peer, b[i].text())
		case i >= len(b):
			return fmt.Sprintf("  %s: kahea does not send:\n%s", peer, a[i].text())
		}
		x, y := a[i], b[i]
		if x.peer != y.peer || !equalLines(x.lines, y.lines) {
			return fmt.Sprintf("  %s, event %d:\n   Kamailio:\n%s   kahea:\n%s", peer, i+1, x.text(), marked(x, y))
		}
		if d := (x.after - y.after).Abs(); tolerance > 0 && x.peer != "" && d > tolerance {
			return fmt.Sprintf("  %s, event %d: comes after %v, Kamailio's after %v, tolerance %v\n%s", peer, i+1, y.after, x.after, tolerance, y.text())
		}
	}
	return ""
}

// datagrams leaves out TCP peers: the kernel does not say when their bytes came.
func datagrams(l []item) (out []item) {
	for _, it := range l {
		if it.peer == "" || it.peer[0] != 'T' && it.peer[0] != 'L' {
			out = append(out, it)
		}
	}
	return out
}

func peersOf(lists ...[]item) (out []string) {
	for _, l := range lists {
		for _, it := range l {
			if it.peer != "" && !slices.Contains(out, it.peer) {
				out = append(out, it.peer)
			}
		}
	}
	slices.Sort(out)
	return out
}

// ofPeer is what one peer got, with all checkpoints.
func ofPeer(l []item, peer string) (out []item) {
	for _, it := range l {
		if it.peer == peer || it.peer == "" {
			out = append(out, it)
		}
	}
	return out
}

// order is the first lines' beginnings.
func order(l []item) string {
	var b strings.Builder
	for _, it := range l {
		switch {
		case it.peer == "":
			b.WriteString(" |")
		case strings.HasPrefix(it.lines[0], "SIP/2.0 "):
			b.WriteString(" " + it.peer + ":" + it.lines[0][8:min(len(it.lines[0]), 11)])
		default:
			m, _, _ := strings.Cut(it.lines[0], " ")
			b.WriteString(" " + it.peer + ":" + m)
		}
	}
	return b.String()
}

// marked is y with a mark at the lines that x does not have at their place.
func marked(x, y item) string {
	lines := strings.SplitAfter(y.text(), "\n")
	for i := range y.lines {
		if y.peer != "" && x.peer != "" && (i >= len(x.lines) || !equalLine(x.lines[i], y.lines[i])) && i+1 < len(lines) {
			lines[i+1] = "  !!" + lines[i+1][4:]
		}
	}
	return strings.Join(lines, "")
}

func equalLines(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equalLine(a[i], b[i]) {
			return false
		}
	}
	return true
}

// equalLine compares; what is left of an expiry may be a second off, as the second's turn may lie between.
func equalLine(a, b string) bool {
	if a == b {
		return true
	}
	x, y := expiresParam.FindAllStringSubmatch(a, -1), expiresParam.FindAllStringSubmatch(b, -1)
	if len(x) == 0 || len(x) != len(y) || expiresParam.ReplaceAllString(a, "$1") != expiresParam.ReplaceAllString(b, "$1") {
		return false
	}
	for i := range x {
		m, err1 := strconv.Atoi(x[i][2])
		n, err2 := strconv.Atoi(y[i][2])
		if err1 != nil || err2 != nil || m-n > 1 || n-m > 1 {
			return false
		}
	}
	return true
}
