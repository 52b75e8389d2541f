package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// verb is what a step does.
type verb int

const (
	sendRequest verb = iota
	sendReply
	sendRaw
	sendAck
	sendCancel
	sendAgain
	wait
	quiet
	pause
	fold
	timing
)

// step is one step of a case; testdata/README.md describes them.
type step struct {
	Line int
	Verb verb
	Peer string
	To   string // name of the server's socket

	Method string // request; reply: of the request that is answered, "" for the last one
	URI    string
	Dialog bool
	Code   int
	Reason string
	Want   string        // wait: METHOD, CODE or CODE/METHOD
	For    time.Duration // wait, pause, timing
	Edits  []edit
	Raw    []string
}

// edit changes the message that a step would send by itself.
type edit struct {
	op    byte // '=' replace or add, '+' add, '^' add at the top, '-' remove, 'b' body
	name  string
	value string
}

func (s *step) text() string {
	t := s.URI + strings.Join(s.Raw, " ")
	for _, e := range s.Edits {
		t += " " + e.value
	}
	return t
}

var replyLine = regexp.MustCompile(`^(?:([A-Z]+) )?([1-6][0-9][0-9])(?: (.+))?$`)

// waitTimeout bounds a wait that says nothing else. It is long for the sake of a busy machine; a case that holds never uses it up.
const waitTimeout = 5 * time.Second

func parseSteps(lines []string, at int) (out []step, err error) {
	for i, l := range lines {
		bad := func(format string, a ...any) ([]step, error) {
			return nil, fmt.Errorf("line %d: %q: %s", at+i, l, fmt.Sprintf(format, a...))
		}
		body, indented := strings.CutPrefix(l, "  ")
		switch {
		case strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#"):
			continue
		case strings.HasPrefix(l, "|"):
			if len(out) == 0 || out[len(out)-1].Verb != sendRaw {
				return bad("want raw before it")
			}
			out[len(out)-1].Raw = append(out[len(out)-1].Raw, strings.TrimPrefix(strings.TrimPrefix(l, "|"), " "))
			continue
		case indented:
			if len(out) == 0 || out[len(out)-1].Verb > sendCancel {
				return bad("a header, but no message before it")
			}
			e, err := parseEdit(body)
			if err != nil {
				return bad("%v", err)
			}
			out[len(out)-1].Edits = append(out[len(out)-1].Edits, e)
			continue
		}
		s := step{Line: at + i, To: "S"}
		word, rest, _ := strings.Cut(l, " ")
		switch word {
		case "wait":
			w := strings.Fields(rest)
			if len(w) < 2 || len(w) > 3 {
				return bad("want wait PEER WHAT [TIME]")
			}
			s.Verb, s.Peer, s.Want, s.For = wait, w[0], w[1], waitTimeout
			if len(w) == 3 {
				if s.For, err = time.ParseDuration(w[2]); err != nil {
					return bad("%v", err)
				}
			}
		case "quiet":
			s.Verb = quiet
		case "fold":
			s.Verb = fold
		case "pause", "timing":
			s.Verb = pause
			if word == "timing" {
				s.Verb = timing
			}
			if s.For, err = time.ParseDuration(rest); err != nil {
				return bad("%v", err)
			}
		default:
			m := peerStep.FindStringSubmatch(l + " ")
			if m == nil {
				return bad("no such step")
			}
			s.Peer = m[1]
			if m[2] != "" {
				s.To = m[2]
			}
			if word == "raw" {
				s.Verb = sendRaw
				break
			}
			if err := s.parseMessage(rest); err != nil {
				return bad("%v", err)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// parseMessage parses what stands behind the peer's name.
func (s *step) parseMessage(rest string) error {
	word, arg, _ := strings.Cut(rest, " ")
	switch word {
	case "ack":
		s.Verb = sendAck
	case "cancel":
		s.Verb = sendCancel
	case "again":
		s.Verb, s.Method = sendAgain, arg
	case "<":
		s.Verb = sendReply
		m := replyLine.FindStringSubmatch(arg)
		if m == nil {
			return fmt.Errorf("want < [METHOD] CODE [REASON]")
		}
		s.Method, s.Reason = m[1], m[3]
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return err
		}
		s.Code = n
	case ">":
		s.Verb = sendRequest
		w := strings.Fields(arg)
		if len(w) != 2 {
			return fmt.Errorf("want > METHOD URI or > METHOD dialog")
		}
		s.Method, s.URI = w[0], w[1]
		if s.Dialog = s.URI == "dialog"; s.Dialog {
			s.URI = ""
		}
	default:
		return fmt.Errorf("want >, <, ack, cancel or again")
	}
	return nil
}

func parseEdit(s string) (e edit, err error) {
	e.op = '='
	if b, ok := strings.CutPrefix(s, "body "); ok {
		return edit{op: 'b', value: b}, nil
	}
	if strings.ContainsRune("+^-", rune(s[0])) {
		e.op, s = s[0], s[1:]
	}
	var ok bool
	if e.name, e.value, ok = strings.Cut(s, ":"); !ok && e.op != '-' {
		return e, fmt.Errorf("want Name: value")
	}
	e.value = strings.TrimPrefix(e.value, " ")
	return e, nil
}
