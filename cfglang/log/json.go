package log

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// JSON is the structured log engine: an object a line (log_engine_type="json", --log-engine=json:FLAGS).
type JSON struct {
	callID                    bool // c: a field callid
	embed                     bool // j: texts that are JSON objects stand in the line as they are, others as {"text": ...}
	readyPrefix               bool // p: a log_prefix that begins with a comma is made of fields
	stripNewline, noLineEnd   bool // M, N
	cee                       bool // U: the fields of CEE
	host, program             string
	now                       func() time.Time
	idPrefix, idPrefixMessage string // a, A: "kamailio." before all keys, with A not before message
}

var errEngine = errors.New(`there is only "json"`)

// ParseEngine reads a log engine and its flags as they stand behind --log-engine: json or json:FLAGS, where FLAGS are letters of "aAcjpMNU".
func ParseEngine(text, program string) (*JSON, error) {
	name, flags, _ := strings.Cut(text, ":")
	if name != "json" {
		return nil, fmt.Errorf("log engine %q: %w", name, errEngine)
	}
	j := &JSON{program: program, now: time.Now}
	var err error
	if j.host, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("log engine: %w", err)
	}
	for _, f := range flags {
		switch f {
		case 'a':
			j.idPrefix, j.idPrefixMessage = "kamailio.", "kamailio."
		case 'A':
			j.idPrefix, j.idPrefixMessage = "kamailio.", ""
		case 'c':
			j.callID = true
		case 'j':
			j.embed = true
		case 'p':
			j.readyPrefix = true
		case 'M':
			j.stripNewline = true
		case 'N':
			j.noLineEnd = true
		case 'U':
			j.cee = true
		default:
			return nil, fmt.Errorf("log engine json: flag %q is none of aAcjpMNU", f)
		}
	}
	return j, nil
}

// append writes the line: to standard error with time, index and pid of the process, which syslog adds by itself.
func (j *JSON) append(b []byte, l *Line, text []byte, stderr bool, slot, pid int) []byte {
	if j.stripNewline {
		text = trimNewline(text)
	}
	if j.cee {
		b = j.appendCEE(b, l, text, stderr, pid)
	} else {
		b = j.appendFields(b, l, text, stderr, slot, pid)
	}
	if !j.noLineEnd {
		b = append(b, '\n')
	}
	return b
}

func (j *JSON) appendFields(b []byte, l *Line, text []byte, stderr bool, slot, pid int) []byte {
	sep := "{ "
	key := func(name string) {
		b = append(append(append(append(b, sep...), '"'), j.idPrefix...), name...)
		b = append(b, `": `...)
		sep = ", "
	}
	if stderr {
		key("time")
		b = appendQuoted(b, j.timestamp())
		key("idx")
		b = strconv.AppendInt(b, int64(slot), 10)
		key("pid")
		b = strconv.AppendInt(b, int64(pid), 10)
	}
	key("level")
	b = appendQuoted(b, l.Level.String())
	key("module")
	b = appendQuoted(b, l.module())
	key("file")
	b = appendQuoted(b, l.File)
	key("line")
	b = strconv.AppendInt(b, int64(l.Number), 10)
	key("function")
	b = append(b, `""`...)
	if j.callID {
		key("callid")
		b = appendQuoted(b, string(l.CallID))
	}
	if j.readyPrefix && (len(l.Prefix) == 0 || l.Prefix[0] == ',') {
		b = append(b, l.Prefix...)
	} else {
		key("logprefix")
		b = j.appendText(b, l.Prefix)
	}
	b = append(append(append(append(b, sep...), '"'), j.idPrefixMessage...), `message": `...)
	b = j.appendText(b, text)
	return append(b, " }"...)
}

func (j *JSON) appendText(b, text []byte) []byte {
	if !j.embed {
		return appendQuoted(b, string(text))
	}
	if n := len(text); n > 1 && text[0] == '{' && text[n-1] == '}' {
		return append(b, text...)
	}
	b = append(b, `{ "text": `...)
	b = appendQuoted(b, string(text))
	return append(b, " }"...)
}

func (j *JSON) appendCEE(b []byte, l *Line, text []byte, stderr bool, pid int) []byte {
	if !stderr {
		b = append(b, "@cee: "...)
	}
	b = append(b, `{"time":`...)
	b = appendQuoted(b, j.timestamp())
	b = append(b, `,"proc":{"id":"`...)
	b = strconv.AppendInt(b, int64(pid), 10)
	b = append(b, `","tid":`...)
	b = strconv.AppendInt(b, int64(pid), 10)
	b = append(b, `},"pri":`...)
	b = appendQuoted(b, l.Level.String())
	b = append(b, `,"subsys":`...)
	b = appendQuoted(b, l.module())
	b = append(b, `,"file":{"name":`...)
	b = appendQuoted(b, l.File)
	b = append(b, `,"line":`...)
	b = strconv.AppendInt(b, int64(l.Number), 10)
	b = append(b, `},"native":{"function":""}`...)
	if j.callID {
		b = append(b, `,"callid":`...)
		b = appendQuoted(b, string(l.CallID))
	}
	b = append(b, `,"msg":`...)
	b = appendQuoted(b, string(text))
	b = append(b, `,"pname":`...)
	b = appendQuoted(b, j.program)
	b = append(b, `,"appname":`...)
	b = appendQuoted(b, j.program)
	b = append(b, `,"hostname":`...)
	b = appendQuoted(b, j.host)
	return append(b, '}')
}

// timestamp is ISO 8601 in UTC with nanoseconds.
func (j *JSON) timestamp() string { return j.now().UTC().Format("2006-01-02T15:04:05.000000000Z") }

// appendQuoted appends a JSON string (RFC 8259 section 7); bytes that are no UTF-8 stay, as in Kamailio.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c < 0x20:
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func trimNewline(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		return b[:n-1]
	}
	return b
}
