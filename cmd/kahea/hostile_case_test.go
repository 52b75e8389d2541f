package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hostileCase is one file of testdata/hostile (its README.md describes them): a message, values that go into it, and what has to come out.
type hostileCase struct {
	name    string
	config  string
	text    string // bytes with {placeholders}
	relayed *regexp.Regexp
	absent  *regexp.Regexp // does not match what is relayed
	answer  *regexp.Regexp // matches every answer
	values  []hostileValue // at least one
	cuts    int            // how many offsets TCP is cut at; 0: every one
}

// hostileValue is one message of a case.
type hostileValue struct {
	value string
	want  map[string]string // "udp", "tcp": outcome; "kamailio-udp", "kamailio-tcp": Kamailio's where it is another
}

// outcome is what is expected over a transport of the server that is asked; "" if the case says nothing: then the message is not sent.
func (v hostileValue) outcome(transport string) string {
	if *oracle != "" {
		if w, ok := v.want["kamailio-"+transport]; ok {
			return w
		}
	}
	return v.want[transport]
}

func (v hostileValue) name() string { return short(v.value) }

// readHostile reads the files of testdata/hostile.
func readHostile(t *testing.T) (l []hostileCase) {
	files, err := filepath.Glob("testdata/hostile/*.msg")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/hostile: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseHostile(string(b))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		c.name = strings.TrimSuffix(filepath.Base(f), ".msg")
		l = append(l, c)
	}
	return l
}

func parseHostile(s string) (c hostileCase, err error) {
	head, text, ok := strings.Cut(s, "\n--\n")
	if !ok {
		return c, fmt.Errorf("no line -- between expectation and message")
	}
	common := map[string]string{}
	for l := range strings.Lines(head + "\n") {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		if l[0] == '"' {
			v, err := parseHostileValue(l)
			if err != nil {
				return c, fmt.Errorf("%s: %w", l, err)
			}
			c.values = append(c.values, v)
			continue
		}
		key, arg, _ := strings.Cut(l, ":")
		arg = strings.TrimSpace(arg)
		switch key {
		case "config":
			c.config = arg
		case "udp", "tcp", "kamailio-udp", "kamailio-tcp":
			common[key] = arg
		case "relayed":
			c.relayed, err = regexp.Compile(arg)
		case "not-relayed":
			c.absent, err = regexp.Compile(arg)
		case "answered":
			c.answer, err = regexp.Compile(arg)
		case "cuts":
			c.cuts, err = strconv.Atoi(arg)
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return c, err
		}
	}
	if c.config == "" {
		return c, fmt.Errorf("no config")
	}
	if c.values == nil {
		c.values = []hostileValue{{}}
	}
	for i := range c.values {
		want := maps.Clone(common)
		maps.Copy(want, c.values[i].want)
		for _, k := range []string{"udp", "tcp"} { // an expectation of its own takes Kamailio's along
			if _, own := c.values[i].want[k]; own {
				if _, also := c.values[i].want["kamailio-"+k]; !also {
					delete(want, "kamailio-"+k)
				}
			}
		}
		if len(want) == 0 {
			return c, fmt.Errorf("%q: no expectation", c.values[i].value)
		}
		c.values[i].want = want
	}
	c.text, err = hostileText(text)
	return c, err
}

// parseHostileValue reads "quoted" key=outcome ...
func parseHostileValue(l string) (v hostileValue, err error) {
	q, err := strconv.QuotedPrefix(l)
	if err != nil {
		return v, err
	}
	if v.value, err = strconv.Unquote(q); err != nil {
		return v, err
	}
	v.want = map[string]string{}
	for _, f := range strings.Fields(l[len(q):]) {
		key, arg, ok := strings.Cut(f, "=")
		switch {
		case !ok:
			return v, fmt.Errorf("%q is no expectation", f)
		case key == "udp", key == "tcp", key == "kamailio-udp", key == "kamailio-tcp":
			v.want[key] = arg
		default:
			return v, fmt.Errorf("unknown key %q", key)
		}
	}
	return v, nil
}

// hostileText makes bytes of the text of a file: lines end with CRLF unless a backslash stands there, \xNN and its kin are bytes.
func hostileText(s string) (string, error) {
	var b strings.Builder
	for s != "" {
		switch {
		case s[0] == '\n':
			b.WriteString("\r\n")
			s = s[1:]
		case strings.HasPrefix(s, "\\\n"):
			s = s[2:]
		case s[0] == '\\':
			r, _, rest, err := strconv.UnquoteChar(s, 0)
			if err != nil {
				return "", fmt.Errorf("%.10q: %w", s, err)
			}
			b.WriteByte(byte(r))
			s = rest
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String(), nil
}

var hostileBrace = regexp.MustCompile(`(?s)\{(\d+\*)?([^{}]*)\}`)

// fillHostile puts values into a message: {} the value, {proto} {server} {local} {id} the transport, the addresses and a word of eight letters that no
// other message has, {N*text} a text N times, {len} the length of the body.
func fillHostile(text, value, proto, server, local, id string) []byte {
	// repetitions inside the value first, then the message around it, the length last: the body is known then
	expand := func(s string) string {
		return hostileBrace.ReplaceAllStringFunc(s, func(w string) string {
			m := hostileBrace.FindStringSubmatch(w)
			if m[1] != "" {
				n, _ := strconv.Atoi(m[1][:len(m[1])-1])
				return strings.Repeat(m[2], n)
			}
			switch m[2] {
			case "proto":
				return proto
			case "server":
				return server
			case "local":
				return local
			case "id":
				return id
			}
			return w
		})
	}
	s := expand(strings.ReplaceAll(text, "{}", expand(value)))
	if head, body, ok := strings.Cut(s, "\r\n\r\n"); ok {
		s = strings.Replace(head, "{len}", strconv.Itoa(len(body)), 1) + "\r\n\r\n" + body
	}
	return []byte(s)
}
