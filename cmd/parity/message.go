package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// message is a SIP message as the harness writes it, or reads it from a server: no folding, one value a line where it matters.
type message struct {
	First   string
	Headers []header
	Body    string
}

type header struct{ Name, Value string }

// compactNames are the compact forms that servers may pass on.
var compactNames = map[string]string{"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "l": "Content-Length"}

// parseMessage splits b; ok is false when it is no SIP message.
func parseMessage(b []byte) (m message, ok bool) {
	head, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		return m, false
	}
	lines := strings.Split(head, "\r\n")
	m.First, m.Body = lines[0], body
	for _, l := range lines[1:] {
		n, v, ok := strings.Cut(l, ":")
		if !ok {
			return m, false
		}
		n = strings.TrimSpace(n)
		if long, ok := compactNames[strings.ToLower(n)]; ok {
			n = long
		}
		m.Headers = append(m.Headers, header{n, strings.TrimSpace(v)})
	}
	return m, strings.Contains(m.First, "SIP/2.0")
}

func (m *message) get(name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func (m *message) all(name string) (out []string) {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			out = append(out, h.Value)
		}
	}
	return out
}

// code is a reply's status, 0 for a request.
func (m *message) code() (n int) {
	if s, ok := strings.CutPrefix(m.First, "SIP/2.0 "); ok {
		if _, err := fmt.Sscanf(s, "%d", &n); err != nil {
			return 0
		}
	}
	return n
}

// method is a request's method, or that of a reply's CSeq.
func (m *message) method() string {
	if m.code() != 0 {
		_, s, _ := strings.Cut(m.get("CSeq"), " ")
		return strings.TrimSpace(s)
	}
	s, _, _ := strings.Cut(m.First, " ")
	return s
}

func (m *message) add(name, value string) { m.Headers = append(m.Headers, header{name, value}) }

// apply makes the edits of a step.
func (m *message) apply(edits []edit, expand func(string) string) {
	for _, e := range edits {
		v := expand(e.value)
		at := slices.IndexFunc(m.Headers, func(h header) bool { return strings.EqualFold(h.Name, e.name) })
		end := slices.IndexFunc(m.Headers, func(h header) bool { return strings.EqualFold(h.Name, "Content-Length") })
		if end < 0 {
			end = len(m.Headers)
		}
		switch e.op {
		case 'b':
			m.Body = strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(v)
			if i := slices.IndexFunc(m.Headers, func(h header) bool { return h.Name == "Content-Length" }); i >= 0 {
				m.Headers[i].Value = fmt.Sprint(len(m.Body))
			}
		case '-':
			m.Headers = slices.DeleteFunc(m.Headers, func(h header) bool { return strings.EqualFold(h.Name, e.name) })
		case '+':
			m.Headers = slices.Insert(m.Headers, end, header{e.name, v})
		case '^':
			m.Headers = slices.Insert(m.Headers, 0, header{e.name, v})
		default:
			if at >= 0 {
				m.Headers[at] = header{e.name, v}
			} else {
				m.Headers = slices.Insert(m.Headers, end, header{e.name, v})
			}
		}
	}
}

func (m *message) bytes() []byte {
	var b bytes.Buffer
	b.WriteString(m.First + "\r\n")
	for _, h := range m.Headers {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	b.WriteString("\r\n" + m.Body)
	return b.Bytes()
}

// bracketed is the URI of a name-addr.
func bracketed(v string) string {
	if _, r, ok := strings.Cut(v, "<"); ok {
		u, _, _ := strings.Cut(r, ">")
		return u
	}
	u, _, _ := strings.Cut(v, ";")
	return u
}

// splitList splits a header's value at commas outside of < > and quotes.
func splitList(v string) (out []string) {
	depth, quoted, from := 0, false, 0
	for i, c := range v {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			depth++
		case c == '>':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(v[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(v[from:]))
}

// dialog is what a peer knows of its dialog.
type dialog struct {
	target, from, to, callID string
	routes                   []string
	cseq                     int
}

// uacDialog is the caller's side, from a reply with a To tag (RFC 3261 section 12.1.2).
func uacDialog(m *message, cseq int) dialog {
	d := dialog{target: bracketed(m.get("Contact")), from: m.get("From"), to: m.get("To"), callID: m.get("Call-ID"), cseq: cseq}
	for _, v := range m.all("Record-Route") {
		d.routes = append(d.routes, splitList(v)...)
	}
	slices.Reverse(d.routes)
	return d
}

// uasDialog is the callee's side, from the request and its own To (section 12.1.1).
func uasDialog(req *message, to string) dialog {
	d := dialog{target: bracketed(req.get("Contact")), from: to, to: req.get("From"), callID: req.get("Call-ID")}
	for _, v := range req.all("Record-Route") {
		d.routes = append(d.routes, splitList(v)...)
	}
	return d
}

var reasons = map[int]string{100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 302: "Moved Temporarily",
	401: "Unauthorized", 404: "Not Found", 407: "Proxy Authentication Required", 408: "Request Timeout", 480: "Temporarily Unavailable",
	486: "Busy Here", 487: "Request Terminated", 500: "Server Internal Error", 503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline"}
