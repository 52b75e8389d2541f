package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// group is a file of cases that share a configuration.
type group struct {
	Name   string // of the file
	Config string // as written, with {PROBE} and addresses to be filled in
	Args   []string
	Host   string // address of all sockets
	Cases  []*testCase
	Ports  map[string]int // of every name in the file: servers S, S2.., peers
}

// testCase is one case.
type testCase struct {
	Group *group
	Name  string
	Steps []step
}

// ID is how docs/differences.md names the case.
func (c *testCase) ID() string { return c.Group.Name + "/" + c.Name }

// probe is what {PROBE} stands for: every configuration answers the harness's own OPTIONS before anything else.
const probe = `if ($rU == "parity-probe") { sl_send_reply("200", "OK"); exit; }`

var (
	// addressName: S, S2: the server's UDP sockets; ST: its TCP socket; A to F: UDP peers; TA, TB: TCP peers that connect to the server;
	// LA, LB: TCP peers that listen.
	addressName = regexp.MustCompile(`\{(S[23]?|ST|[A-F]|T[AB]|L[AB])(\.port)?\}`)
	peerStep    = regexp.MustCompile(`^(?:raw )?([A-F]|T[AB]|L[AB])(?:@(S[23]?))? `)
	sectionLine = regexp.MustCompile(`^-- ([^ ].*) --$`)
)

// loadGroups reads dir/*.txtar. Each group has a hundred ports from port on, so that groups do not meet.
func loadGroups(dir, host string, port int) ([]*group, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no cases in %s", dir)
	}
	slices.Sort(files)
	var out []*group
	for i, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		g, err := parseGroup(strings.TrimSuffix(filepath.Base(f), ".txtar"), string(b), host, port+100*i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		out = append(out, g)
	}
	return out, nil
}

func parseGroup(name, text, host string, port int) (*group, error) {
	g := &group{Name: name, Host: host, Ports: map[string]int{}}
	for i, n := range []string{"S", "S2", "S3", "ST", "A", "B", "C", "D", "E", "F", "TA", "TB", "LA", "LB"} {
		if g.Ports[n] = port + i; n == "ST" {
			g.Ports[n] = port // the same port over TCP
		}
	}
	section, from, scripts := "", 0, ""
	var lines []string
	add := func(name string, steps []step) error {
		if slices.ContainsFunc(g.Cases, func(o *testCase) bool { return o.Name == name }) {
			return fmt.Errorf("line %d: case %s is there twice", from, name)
		}
		g.Cases = append(g.Cases, &testCase{Group: g, Name: name, Steps: steps})
		return nil
	}
	end := func(line int) error {
		body := lines
		lines = nil
		switch word, rest, _ := strings.Cut(section, " "); {
		case section == "":
		case section == "config":
			g.Config = strings.Join(body, "\n") + "\n"
		case section == "args":
			g.Args = strings.Fields(strings.Join(body, " "))
		case word == "case" && rest != "":
			steps, err := parseSteps(body, from+1)
			if err != nil {
				return err
			}
			return add(rest, steps)
		case word == "script" && rest != "":
			s, err := parseScript(rest, body, from+1)
			if err != nil {
				return err
			}
			scripts += s.Route
			return add(rest, s.Steps)
		default:
			return fmt.Errorf("line %d: section %q: want config, args, case NAME or script NAME", from, section)
		}
		return nil
	}
	n := 0
	for l := range strings.Lines(text) {
		n++
		l = strings.TrimRight(l, "\r\n")
		if m := sectionLine.FindStringSubmatch(l); m != nil {
			if err := end(n); err != nil {
				return nil, err
			}
			section, from = m[1], n
			continue
		}
		lines = append(lines, l)
	}
	if err := end(n); err != nil {
		return nil, err
	}
	if scripts != "" {
		if !strings.Contains(g.Config, "{SCRIPTS}") {
			return nil, fmt.Errorf("script cases, but config without {SCRIPTS}")
		}
		g.Config = strings.ReplaceAll(g.Config, "{SCRIPTS}", runScript) + showValue + scripts
	}
	if !strings.Contains(g.Config, "{PROBE}") {
		return nil, fmt.Errorf("config without {PROBE}")
	}
	if len(g.Cases) == 0 {
		return nil, fmt.Errorf("no cases")
	}
	return g, nil
}

// addr is the address of a name.
func (g *group) addr(name string) string { return fmt.Sprintf("%s:%d", g.Host, g.Ports[name]) }

// expand fills in addresses.
func (g *group) expand(s string) string {
	return addressName.ReplaceAllStringFunc(strings.ReplaceAll(s, "{IP}", g.Host), func(m string) string {
		sub := addressName.FindStringSubmatch(m)
		if sub[2] != "" {
			return fmt.Sprint(g.Ports[sub[1]])
		}
		return g.addr(sub[1])
	})
}

// peers are the names of peers that the cases use.
func (g *group) peers() (out []string) {
	add := func(n string) {
		if n[0] != 'S' && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	text := g.Config
	for _, c := range g.Cases {
		for _, s := range c.Steps {
			if s.Peer != "" {
				add(s.Peer)
			}
			text += s.text()
		}
	}
	for _, m := range addressName.FindAllStringSubmatch(text, -1) {
		add(m[1])
	}
	slices.Sort(out)
	return out
}

// serverSockets are the UDP sockets that the configuration has.
func (g *group) serverSockets() []string {
	out := []string{"S"}
	for _, n := range []string{"S2", "S3"} {
		if strings.Contains(g.Config, "{"+n+"}") {
			out = append(out, n)
		}
	}
	return out
}

// selectCases keeps the cases that match, and the groups that have any.
func selectCases(groups []*group, r *regexp.Regexp) (out []*group) {
	for _, g := range groups {
		g.Cases = slices.DeleteFunc(g.Cases, func(c *testCase) bool { return !r.MatchString(c.ID()) })
		if len(g.Cases) > 0 {
			out = append(out, g)
		}
	}
	return out
}

var namedDifference = regexp.MustCompile(`parity:([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]*[A-Za-z0-9])`)

// loadDifferences finds the cases that a page names.
func loadDifferences(file string) (map[string]bool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, m := range namedDifference.FindAllStringSubmatch(string(b), -1) {
		out[m[1]] = true
	}
	return out, nil
}
