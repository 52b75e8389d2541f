package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kahea/modules"
)

// archive is a txtar file: comment lines, then sections "-- name --".
type archive struct {
	head     string
	sections map[string]string
}

func readArchive(t testing.TB, file string) archive {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a := archive{sections: map[string]string{}}
	name := ""
	for l := range strings.Lines(string(b)) {
		if s, ok := strings.CutPrefix(l, "-- "); ok {
			if s, ok = strings.CutSuffix(strings.TrimRight(s, "\n"), " --"); ok {
				name = s
				a.sections[name] = ""
				continue
			}
		}
		if name == "" {
			a.head += l
		} else {
			a.sections[name] += l
		}
	}
	return a
}

// scenario runs one case.
type scenario struct {
	t     *testing.T
	a     archive
	addr  string
	dir   string
	vars  map[string]string // captured by expect, used in messages
	peers map[string]*peer
	srv   *instance
	last  outcome
	ran   bool
	step  string
}

func runCase(t *testing.T, file string) {
	c := &scenario{t: t, a: readArchive(t, file), addr: freeAddr(t), vars: map[string]string{}, peers: map[string]*peer{}}
	c.define("server", c.addr)
	if *oracle != "" && strings.Contains(c.a.head, "\nrun ") {
		t.Skip("looks at kahea's command line")
	}
	if m := c.missing(); m != "" && *oracle == "" {
		t.Fatalf("module %s is not in modules.list", m)
	}
	n := 0
	for l := range strings.Lines(c.a.head) {
		n++
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		c.step = fmt.Sprintf("%s:%d: %s", file, n, l)
		c.run(strings.Fields(l))
	}
	if c.srv != nil && !c.srv.stopped {
		for _, p := range c.peers {
			p.close()
		}
		if *oracle == "" {
			c.srv.sameProcesses()
			c.srv.memoryBack()
		}
		c.srv.stop()
	}
}

// missing is a module of the configuration that the server does not have.
func (c *scenario) missing() string {
	for _, m := range regexp.MustCompile(`(?m)^loadmodule "(\w+)\.so"`).FindAllStringSubmatch(c.a.sections["kahea.cfg"], -1) {
		if !slices.Contains(modules.Names(), m[1]) {
			return m[1]
		}
	}
	return ""
}

func (c *scenario) fail(format string, a ...any) {
	c.t.Helper()
	c.t.Fatalf(c.step+": "+format, a...)
}

func (c *scenario) define(name, addr string) {
	host, port, _ := net.SplitHostPort(addr)
	c.vars[name], c.vars[name+".host"], c.vars[name+".port"] = addr, host, port
}

func (c *scenario) run(f []string) {
	c.t.Helper()
	arg := func(i int) string {
		if i >= len(f) {
			c.fail("argument missing")
		}
		return f[i]
	}
	rest := func(i int) string { return strings.Join(f[min(i, len(f)):], " ") }
	switch f[0] {
	case "udp", "tcp", "listen":
		p := newPeer(c.t, f[0], arg(1), c.addr)
		if f[0] == "tcp" {
			if err := p.connect(); err != nil {
				c.fail("%v", err)
			}
		}
		c.peers[p.name] = p
		c.define(p.name, p.local)
	case "server":
		c.srv = startServer(c.t, c.addr, c.fill(c.section("kahea.cfg")), f[1:]...)
	case "reload", "refuse":
		c.srv.reload(c.fill(c.section(arg(1))), f[0] == "reload")
	case "stop":
		c.srv.stop()
	case "rpc":
		c.rpc(c.fill(c.section(arg(1))))
	case "send":
		if err := c.peer(arg(1)).send(c.message(c.section(arg(2)))); err != nil {
			c.fail("%v", err)
		}
	case "reply":
		c.reply(c.peer(arg(1)), arg(2), arg(3), rest(4))
	case "expect":
		b, err := c.peer(arg(1)).next()
		if err != nil {
			c.fail("%v", err)
		}
		c.match(b, c.section(arg(2)))
	case "again":
		if b, err := c.peer(arg(1)).again(); err != nil {
			c.fail("%v\n%s", err, b)
		}
	case "quiet":
		if err := c.peer(arg(1)).fence(); err != nil {
			c.fail("%v", err)
		}
	case "log":
		re, err := regexp.Compile(c.fill(rest(1)))
		if err != nil {
			c.fail("%v", err)
		}
		_, next, err := c.srv.log.find(re, c.srv.read, patience)
		if err != nil {
			c.fail("%v", err)
		}
		c.srv.read = next
	case "processes":
		if *oracle != "" {
			return
		}
		c.processes(c.section(arg(1)))
	case "run":
		c.runOnce(f[1:])
	case "exit":
		if n, err := strconv.Atoi(arg(1)); err != nil || n != c.last.code {
			c.fail("exit code is %d\nstdout: %s\nstderr: %s", c.last.code, c.last.stdout, c.last.stderr)
		}
	case "stderr", "stdout":
		text := c.last.stdout
		if f[0] == "stderr" {
			text = c.last.stderr
		}
		if want := c.fill(rest(1)); !strings.Contains(text, want) {
			c.fail("%q is not in\n%s", want, text)
		}
	case "unbound":
		c.unbound()
	default:
		c.fail("unknown step")
	}
}

func (c *scenario) section(name string) string {
	s, ok := c.a.sections[name]
	if !ok {
		c.fail("no section %q", name)
	}
	return s
}

func (c *scenario) peer(name string) *peer {
	p := c.peers[name]
	if p == nil {
		c.fail("no socket %q", name)
	}
	return p
}

var capital = regexp.MustCompile(`@([A-Z]+)(_HOST|_PORT)?@`)

// fill puts addresses into a configuration: @SERVER@, @SERVER_HOST@, @SERVER_PORT@, the same for sockets, and @DIR@.
func (c *scenario) fill(s string) string {
	return capital.ReplaceAllStringFunc(s, func(w string) string {
		w = strings.Trim(w, "@")
		if w == "DIR" && c.dir != "" {
			return c.dir
		}
		v, ok := c.vars[strings.ReplaceAll(strings.ToLower(w), "_", ".")]
		if !ok {
			c.fail("@%s@ is unknown", w)
		}
		return v
	})
}

var brace = regexp.MustCompile(`\{([a-z_][a-z0-9_.]*)\}`)

// message makes a message of a section: {name} is replaced, lines end with CRLF, {len} is the length of the body.
func (c *scenario) message(s string) []byte {
	head, body, _ := strings.Cut(s, "\n\n")
	head, body = strings.TrimRight(head, "\n"), strings.ReplaceAll(body, "\n", "\r\n")
	s = strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body
	return []byte(brace.ReplaceAllStringFunc(s, func(w string) string {
		w = w[1 : len(w)-1]
		if w == "len" {
			return strconv.Itoa(len(body))
		}
		v, ok := c.vars[w]
		if !ok {
			c.fail("{%s} is unknown", w)
		}
		return v
	}))
}

// reply answers the last request of a method that the peer got; extra is the name of a section with further header fields.
func (c *scenario) reply(p *peer, method, code, rest string) {
	reason, extra, _ := strings.Cut(rest, " + ")
	var req []byte
	for _, b := range slices.Backward(p.seen) {
		if bytes.HasPrefix(b, []byte(method+" ")) {
			req = b
			break
		}
	}
	if req == nil {
		c.fail("%s got no %s", p.name, method)
	}
	head, _, _ := strings.Cut(string(req), "\r\n\r\n")
	out := "SIP/2.0 " + code + " " + reason + "\r\n"
	for _, l := range strings.Split(head, "\r\n")[1:] {
		name, _, _ := strings.Cut(l, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "via", "from", "call-id", "cseq", "record-route":
			out += l + "\r\n"
		case "to":
			if !strings.Contains(l, ";tag=") && code != "100" {
				l += ";tag=" + p.name
			}
			out += l + "\r\n"
		}
	}
	if extra != "" {
		out += strings.TrimSuffix(string(c.message(c.section(extra))), "\r\n")
	}
	out += "Content-Length: 0\r\n\r\n"
	if err := p.send([]byte(out)); err != nil {
		c.fail("%v", err)
	}
}

// match compares a message with an expectation: the first line and the named fields, every field of a name in order. {name} takes what stands there
// (or is compared, when it has a value), {_} stands for anything, "!Name" says that there is no such field. What follows an empty line is the body.
func (c *scenario) match(msg []byte, want string) {
	c.t.Helper()
	head, body, _ := strings.Cut(string(msg), "\r\n\r\n")
	wantHead, wantBody, hasBody := strings.Cut(want, "\n\n")
	got := strings.Split(head, "\r\n")
	fields := map[string][]string{}
	for _, l := range got[1:] {
		name, v, _ := strings.Cut(l, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		fields[name] = append(fields[name], strings.TrimSpace(v))
	}
	lines := strings.Split(strings.TrimRight(wantHead, "\n"), "\n")
	if err := c.matchText(got[0], lines[0]); err != nil {
		c.fail("first line: %v in\n%s", err, msg)
	}
	used := map[string]int{}
	for _, l := range lines[1:] {
		if name, ok := strings.CutPrefix(l, "!"); ok {
			if v := fields[strings.ToLower(name)]; v != nil {
				c.fail("%s: %q is there in\n%s", name, v, msg)
			}
			continue
		}
		name, v, ok := strings.Cut(l, ":")
		if !ok {
			c.fail("bad expectation %q", l)
		}
		k := strings.ToLower(name)
		if used[k] == len(fields[k]) {
			c.fail("%s number %d is missing in\n%s", name, used[k]+1, msg)
		}
		if err := c.matchText(fields[k][used[k]], strings.TrimSpace(v)); err != nil {
			c.fail("%s: %v in\n%s", name, err, msg)
		}
		used[k]++
	}
	for k, n := range used {
		if n != len(fields[k]) {
			c.fail("%s stands %d times instead of %d in\n%s", k, len(fields[k]), n, msg)
		}
	}
	if hasBody {
		if w := strings.ReplaceAll(wantBody, "\n", "\r\n"); body != w {
			c.fail("body is %q, want %q", body, w)
		}
	}
}

func (c *scenario) matchText(got, want string) error {
	re := "^"
	var names []string
	for want != "" {
		i := brace.FindStringSubmatchIndex(want)
		if i == nil {
			re += regexp.QuoteMeta(want)
			break
		}
		re += regexp.QuoteMeta(want[:i[0]])
		name := want[i[2]:i[3]]
		want = want[i[1]:]
		if v, ok := c.vars[name]; ok && name != "_" {
			re += regexp.QuoteMeta(v)
			continue
		}
		re += "(.*?)"
		names = append(names, name)
	}
	m := regexp.MustCompile(re + "$").FindStringSubmatch(got)
	if m == nil {
		return fmt.Errorf("%q does not match %s", got, re)
	}
	for i, name := range names {
		if name != "_" {
			c.vars[name] = m[i+1]
		}
	}
	return nil
}

// processes compares the titles of the server's children, in the order of their process ids, with patterns.
func (c *scenario) processes(want string) {
	var got []string
	eventually(patience, func() bool { // those that a reload has done without take a moment to end
		c.srv.pids = children(c.srv.cmd.Process.Pid)
		return len(c.srv.pids) == strings.Count(want, "\n")
	})
	for _, title := range c.srv.pids {
		got = append(got, title)
	}
	for l := range strings.Lines(c.fill(want)) {
		re := regexp.MustCompile("^" + strings.TrimSpace(l) + "$")
		i := slices.IndexFunc(got, re.MatchString)
		if i < 0 {
			c.fail("no process %q in %q", re, got)
		}
		got = slices.Delete(got, i, i+1)
	}
	if len(got) > 0 {
		c.fail("further processes: %q", got)
	}
}

// runOnce runs the binary to its end in a directory with the case's sections as files; it must not leave or change any.
func (c *scenario) runOnce(args []string) {
	if !c.ran {
		c.ran = true
		c.dir = testDir(c.t)
		if err := os.Mkdir(filepath.Join(c.dir, "run"), 0o755); err != nil {
			c.fail("%v", err)
		}
		for name, text := range c.a.sections {
			if err := os.WriteFile(filepath.Join(c.dir, name), []byte(c.fill(text)), 0o644); err != nil {
				c.fail("%v", err)
			}
		}
	}
	for i := range args {
		args[i] = c.fill(args[i])
	}
	before := c.listing()
	c.last = runBinary(c.t, c.dir, nil, args...)
	if after := c.listing(); after != before {
		c.fail("files before:\n%s\nafter:\n%s", before, after)
	}
}

// listing is every file with its size and time.
func (c *scenario) listing() string {
	var b strings.Builder
	err := filepath.Walk(c.dir, func(path string, i os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&b, path, i.Size(), i.ModTime())
		}
		return err
	})
	if err != nil {
		c.fail("%v", err)
	}
	return b.String()
}

// unbound says that nobody has the server's address.
func (c *scenario) unbound() {
	u, err := net.ListenPacket("udp4", c.addr)
	if err != nil {
		c.fail("%v", err)
	}
	u.Close()
	l, err := net.Listen("tcp4", c.addr)
	if err != nil {
		c.fail("%v", err)
	}
	l.Close()
}
