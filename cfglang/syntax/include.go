package syntax

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kahea/cfglang/diag"
)

const (
	maxIncludes     = 10       // how deep includes may stand in each other, as in Kamailio
	maxIncludeFiles = 4096     // how many there may be in all
	maxIncludeBytes = 64 << 20 // and how long
)

// include handles include_file and import_file; the directive begins at start, arg is behind its word.
func (l *lexer) include(f *frame, start, arg int, word string) {
	at := f.posAt(start)
	text := f.text
	for arg < len(text) && (text[arg] == ' ' || text[arg] == '\t') {
		arg++
	}
	f.off = arg
	name := f.pos()
	if f.macro != nil {
		l.errorAt(at, 0, word+" in the text of a define", "write it where the define is used")
		f.off = len(text)
		return
	}
	if arg >= len(text) || text[arg] != '"' {
		l.errorAt(name, 0, word+": the file's name must be in double quotes", "")
		f.off = f.eol()
		return
	}
	body, end, _ := scanQuoted(text, arg+1)
	if end < 0 || strings.IndexByte(body, '\n') >= 0 {
		l.errorAt(name, 0, "string is not closed", "")
		f.off = f.eol()
		return
	}
	path := l.substitute(unescapePath(body), name)
	f.off = end + 1
	depth := 0
	for i := range l.frames {
		if l.frames[i].macro == nil {
			depth += 1 + len(l.frames[i].resume)
		}
	}
	if depth > maxIncludes {
		l.errorAt(name, f.col(), fmt.Sprintf("includes stand in each other more than %d deep", maxIncludes), "does the file include itself?")
		return
	}
	data, opened, err := l.open(path, f.path)
	if err != nil {
		l.recordTo(f, start)
		f.copied = f.off
		if word == "import_file" && errors.Is(err, fs.ErrNotExist) {
			l.resumeRecord()
			return
		}
		l.errorAt(name, f.col(), fmt.Sprintf("cannot read included file %q", path), err.Error())
		return
	}
	l.included++
	if l.inclSize += len(data); l.included > maxIncludeFiles || l.inclSize > maxIncludeBytes {
		l.errorAt(name, f.col(), fmt.Sprintf("more than %d included files or %d bytes in them", maxIncludeFiles, maxIncludeBytes), "do files include each other?")
		l.errors += maxErrors // nothing more is read
		return
	}
	l.recordTo(f, start)
	f.copied = f.off
	src := &diag.Source{Name: opened, Text: data}
	incl := at
	incl.Def = nil
	l.push(frame{text: string(data), src: src, incl: &incl, line: 1, path: opened, ifs: len(l.ifs)})
	l.mark("enter", l.top())
}

func (l *lexer) push(f frame) {
	l.frames = append(l.frames, f)
	if l.rec != nil {
		l.texts = append(l.texts, f.text)
	}
}

// open reads path as given, then relative to the folder of the file that includes it.
func (l *lexer) open(path, from string) (data []byte, opened string, err error) {
	read := l.o.ReadFile
	if read == nil {
		read = os.ReadFile
	}
	if data, err = read(path); err == nil {
		return data, path, nil
	}
	if filepath.IsAbs(path) || from == "" || from == "-" {
		return nil, "", err
	}
	other := filepath.Join(filepath.Dir(from), path)
	if data, otherErr := read(other); otherErr == nil {
		return data, other, nil
	} else if !errors.Is(otherErr, fs.ErrNotExist) {
		err = otherErr
	}
	return nil, "", err
}

func unescapePath(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 't':
				c = '\t'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// The record. Text of files goes into it as it is; where some was left out or other text begins, a marker line tells the reader of the
// record which place the next line has:
//
//	#!kahea:enter LINE COL "path"   an included file begins; the include stood at LINE, COL
//	#!kahea:leave LINE COL          the including file goes on at LINE, COL
//	#!kahea:at LINE COL             the same file goes on at LINE, COL
//
// Before the text, lines of #!kahea:env "NAME" "VALUE", without a value if it was not set, keep the environment variables that were asked
// for, so that a process whose environment differs reads the same configuration.

// record writes the frame's text up to offset to.
func (l *lexer) record(f *frame, to int) {
	if l.rec == nil || f.macro != nil {
		return
	}
	if to > f.copied {
		l.rec.WriteString(f.text[f.copied:to])
	}
	f.copied = to
}

// recordTo writes up to the directive that begins at start.
func (l *lexer) recordTo(f *frame, start int) { l.record(f, start) }

// resumeRecord says where the text goes on after something was left out.
func (l *lexer) resumeRecord() {
	f := l.fileFrame()
	f.copied = f.off
	l.mark("at", f)
}

// replace records other text, of one line, for [start, end) of the frame.
func (l *lexer) replace(f *frame, start, end int, text string) {
	if l.rec == nil {
		return
	}
	l.record(f, start)
	f.copied = end
	l.rec.WriteString(text)
	if strings.IndexByte(f.text[start:end], '\n') >= 0 {
		g := *f
		g.advance(end)
		l.mark("at", &g)
	}
}

func (l *lexer) mark(what string, f *frame) {
	if l.rec == nil {
		return
	}
	n, col := f.line, f.col()
	if what == "enter" {
		n, col = f.incl.Line, f.incl.Col
	}
	fmt.Fprintf(l.rec, "\n#!kahea:%s %d %d", what, n, col)
	if what == "enter" {
		l.rec.WriteString(" " + strconv.Quote(f.src.Name))
	}
	l.rec.WriteByte('\n')
}

// envHeader is what stands before the record.
func (l *lexer) envHeader() []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		b = append(b, "#!kahea:env "+strconv.Quote(name)...)
		if v := l.env[name]; v.set {
			b = append(b, " "+strconv.Quote(v.value)...)
		}
		b = append(b, '\n')
	}
	return b
}

// readEnvHeader takes the header off the text.
func (l *lexer) readEnvHeader(text []byte) []byte {
	for {
		ln, rest, full := bytes.Cut(text, []byte("\n"))
		after, ok := strings.CutPrefix(string(ln), "#!kahea:env ")
		if !ok || !full {
			return text
		}
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil {
			return text
		}
		name, err := strconv.Unquote(quoted)
		if err != nil {
			return text
		}
		v := envValue{}
		if value, ok := strings.CutPrefix(after[len(quoted):], " "); ok {
			v.set = true
			if v.value, err = strconv.Unquote(value); err != nil {
				return text
			}
		}
		if l.env == nil {
			l.env = map[string]envValue{}
		}
		l.env[name] = v
		text = rest
	}
}

type marker struct {
	what      string
	line, col int
	path      string
}

// parseMarker reads what stands behind #!kahea on a marker line.
func parseMarker(s string) (m marker, ok bool) {
	s, ok = strings.CutPrefix(s, ":")
	if !ok {
		return m, false
	}
	f := strings.SplitN(s, " ", 4)
	if len(f) < 3 {
		return m, false
	}
	var err1, err2, err3 error
	m.what = f[0]
	m.line, err1 = strconv.Atoi(f[1])
	m.col, err2 = strconv.Atoi(f[2])
	switch {
	case m.what == "enter" && len(f) == 4:
		m.path, err3 = strconv.Unquote(f[3])
	case (m.what == "leave" || m.what == "at") && len(f) == 3:
	default:
		return m, false
	}
	return m, err1 == nil && err2 == nil && err3 == nil && m.line > 0 && m.col > 0
}

// readMark obeys a marker line whose word ends at offset end.
func (l *lexer) readMark(f *frame, end int) bool {
	eol := f.eol()
	m, ok := parseMarker(f.text[end:eol])
	if !ok || eol == len(f.text) {
		return false
	}
	if m.what == "leave" && len(f.resume) == 0 {
		return false
	}
	switch m.what {
	case "enter":
		f.resume = append(f.resume, place{f.src, f.incl})
		f.incl = &Pos{Src: f.src, Line: m.line, Col: m.col, Incl: f.incl}
		if len(l.sources) == 0 {
			return false
		}
		f.src, l.sources = l.sources[0], l.sources[1:]
		m.line, m.col = 1, 1
	case "leave":
		was := f.resume[len(f.resume)-1]
		f.resume = f.resume[:len(f.resume)-1]
		f.src, f.incl = was.src, was.incl
	}
	f.off = eol + 1
	f.line = m.line
	f.lineStart = f.off - (m.col - 1)
	return true
}

// rebuildSources puts the texts of the files together again from marked text: one source for the main file and one for each enter.
// What was left out is blank.
func rebuildSources(name, text string) []*diag.Source {
	type build struct {
		src  *diag.Source
		line int
		col  int // of the next byte
	}
	main := &build{src: &diag.Source{Name: name}, line: 1, col: 1}
	all := []*diag.Source{main.src}
	stack := []*build{main}
	for len(text) > 0 {
		ln, rest, _ := strings.Cut(text, "\n")
		full := len(ln) < len(text)
		if after, ok := strings.CutPrefix(ln, "#!kahea"); ok && full {
			if m, ok := parseMarker(after); ok && !(m.what == "leave" && len(stack) == 1) {
				text = rest
				if m.what == "enter" {
					b := &build{src: &diag.Source{Name: m.path}, line: 1, col: 1}
					all = append(all, b.src)
					stack = append(stack, b)
					continue
				}
				if m.what == "leave" {
					stack = stack[:len(stack)-1]
				}
				b := stack[len(stack)-1]
				for gap := 0; b.line < m.line && gap < 1<<16; gap++ {
					b.src.Text = append(b.src.Text, '\n')
					b.line++
					b.col = 1
				}
				for gap := 0; b.line == m.line && b.col < m.col && gap < 1<<12; gap++ {
					b.src.Text = append(b.src.Text, ' ')
					b.col++
				}
				continue
			}
		}
		b := stack[len(stack)-1]
		b.src.Text = append(b.src.Text, ln...)
		b.col += len(ln)
		if full && !beginsWithMarker(rest) { // the newline before a marker belongs to the marker
			b.src.Text = append(b.src.Text, '\n')
			b.line++
			b.col = 1
		}
		text = rest
	}
	return all
}

func beginsWithMarker(s string) bool {
	after, ok := strings.CutPrefix(s, "#!kahea")
	if !ok {
		return false
	}
	ln, _, full := strings.Cut(after, "\n")
	_, ok = parseMarker(ln)
	return ok && full
}

// WithoutMarks is the text of Preprocess without its marker lines: what --cfg-print shows.
func WithoutMarks(text []byte) []byte {
	var out []byte
	for ln := range bytes.Lines(text) {
		if after, ok := bytes.CutPrefix(ln, []byte("#!kahea")); ok && len(after) > 0 && after[0] == ':' {
			if n := len(out); n > 1 && out[n-1] == '\n' && out[n-2] == '\n' {
				out = out[:n-1] // the newline before a marker belongs to it
			}
			continue
		}
		out = append(out, ln...)
	}
	return out
}
