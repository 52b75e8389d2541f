package tune

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"kahea/cfglang/diag"
	"kahea/cfglang/syntax"
)

// Setting is one key with its value, or one element of its list.
type Setting struct {
	Pos    diag.Pos
	Module string // "": a global parameter
	Name   string
	Value  syntax.Value // Kind is IntValue or StrValue; true and false are 1 and 0
}

// Listen is one [[listen]].
type Listen struct {
	Pos     diag.Pos
	Sockets []syntax.SocketID
	Adv     *syntax.SocketID // nil: none
	Name    string
	Workers int // 0: children
}

// Overlay is a whole file, in its order.
type Overlay struct {
	Core    []Setting
	Listen  []Listen
	Modules []Setting
}

// document is the file's form.
type document struct {
	Core    map[string]toml.Primitive            `toml:"core"`
	Listen  []map[string]toml.Primitive          `toml:"listen"`
	Modules map[string]map[string]toml.Primitive `toml:"modules"`
}

type parser struct {
	src *diag.Source
	d   *diag.List
	md  toml.MetaData
}

// Parse reads an overlay; what is wrong with it is in d. name is the path as the user wrote it.
func Parse(name string, text []byte, d *diag.List) *Overlay {
	p := &parser{src: &diag.Source{Name: name, Text: text}, d: d}
	o := &Overlay{}
	var doc document
	md, err := toml.Decode(string(text), &doc)
	if err != nil {
		p.fail(err)
		return o
	}
	p.md = md
	for _, key := range md.Keys() {
		switch {
		case len(key) == 2 && key[0] == "core":
			o.Core = append(o.Core, p.settings("", key[1], doc.Core[key[1]])...)
		case len(key) == 3 && key[0] == "modules":
			o.Modules = append(o.Modules, p.settings(key[1], key[2], doc.Modules[key[1]][key[2]])...)
		case len(key) == 1 && !slices.Contains(sections, key[0]):
			at := p.firstKey(key[0])
			dg := diag.Diagnostic{Pos: at, EndCol: at.Col + len(key[0]), Summary: fmt.Sprintf("unknown key %q", key[0])}
			if near := d.Nearest(key[0], sections); near != "" {
				dg.Detail = fmt.Sprintf("did you mean %q?", near)
			} else {
				dg.Detail = "there are [core], [[listen]] and [modules.NAME]"
			}
			d.Add(dg)
		}
	}
	for i, l := range doc.Listen {
		p.listen(o, i, l)
	}
	return o
}

// sections are the keys of the outermost level; read-only.
var sections = []string{"core", "listen", "modules"}

// fail reports an error of the library, with its place.
func (p *parser) fail(err error) {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		p.d.Add(diag.Diagnostic{Pos: diag.Pos{Src: p.src, Line: 1, Col: 1}, Summary: strings.TrimPrefix(err.Error(), "toml: ")})
		return
	}
	at := diag.Pos{Src: p.src, Line: pe.Position.Line, Col: max(1, pe.Position.Col)}
	dg := diag.Diagnostic{Pos: at, EndCol: at.Col + pe.Position.Len, Summary: pe.Message}
	if pe.LastKey != "" {
		dg.Detail = "after the key " + pe.LastKey
	}
	p.d.Add(dg)
}

// probe takes any value; its error makes the library tell where the value stands.
type probe struct{ value any }

var errPlace = errors.New("place")

func (v *probe) UnmarshalTOML(data any) error {
	v.value = data
	return errPlace
}

// value decodes a key; the position is that of its line.
func (p *parser) value(prim toml.Primitive) (any, diag.Pos) {
	var v probe
	at := diag.Pos{Src: p.src, Line: 1, Col: 1}
	var pe toml.ParseError
	if err := p.md.PrimitiveDecode(prim, &v); errors.As(err, &pe) {
		at.Line, at.Col = pe.Position.Line, max(1, pe.Position.Col)
	}
	return v.value, at
}

func (p *parser) settings(module, name string, prim toml.Primitive) (out []Setting) {
	v, at := p.value(prim)
	at = p.lineOf(at, name)
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for _, x := range list {
		val, ok := scalar(x, at)
		if !ok {
			p.d.Add(diag.Diagnostic{Pos: at, EndCol: at.Col + len(name), Summary: fmt.Sprintf("%s: want a string, a whole number, true or false, or a list of them", name)})
			return nil
		}
		out = append(out, Setting{Pos: at, Module: module, Name: name, Value: val})
	}
	return out
}

func scalar(x any, at diag.Pos) (syntax.Value, bool) {
	switch x := x.(type) {
	case string:
		return syntax.Value{Pos: at, Kind: syntax.StrValue, Str: x}, true
	case int64:
		return syntax.Value{Pos: at, Kind: syntax.IntValue, Int: x}, true
	case bool:
		n := int64(0)
		if x {
			n = 1
		}
		return syntax.Value{Pos: at, Kind: syntax.IntValue, Int: n}, true
	}
	return syntax.Value{}, false
}

// lineOf moves a place in a line to where the line's key stands.
func (p *parser) lineOf(at diag.Pos, name string) diag.Pos {
	line := p.line(at.Line)
	if i := strings.Index(line, name); i >= 0 {
		at.Col = i + 1
	}
	return at
}

func (p *parser) line(n int) string {
	for line := range strings.Lines(string(p.src.Text)) {
		if n--; n == 0 {
			return line
		}
	}
	return ""
}

// firstKey is the place of an unknown key of the outermost level: a table's header, or the key itself.
func (p *parser) firstKey(name string) diag.Pos {
	n := 0
	for line := range strings.Lines(string(p.src.Text)) {
		n++
		if t := strings.TrimLeft(line, " \t[\"'"); strings.HasPrefix(t, name) {
			return diag.Pos{Src: p.src, Line: n, Col: strings.Index(line, name) + 1}
		}
	}
	return diag.Pos{Src: p.src, Line: 1, Col: 1}
}

// header is the place of the n-th [[listen]], from 0; the library knows keys of a list of tables by their names only.
func (p *parser) header(n int) diag.Pos {
	at := 0
	for line := range strings.Lines(string(p.src.Text)) {
		at++
		t := strings.ReplaceAll(strings.TrimSpace(line), " ", "")
		if strings.HasPrefix(t, "[[listen]]") {
			if n--; n < 0 {
				return diag.Pos{Src: p.src, Line: at, Col: strings.Index(line, "[[") + 1}
			}
		}
	}
	return diag.Pos{Src: p.src, Line: 1, Col: 1}
}

// keyOf is the place of a key of the table whose header is at header; the header when the key is not on a line of its own.
func (p *parser) keyOf(header diag.Pos, key string) diag.Pos {
	for n := header.Line + 1; ; n++ {
		line := p.line(n)
		t := strings.TrimLeft(line, " \t\"'")
		if line == "" || strings.HasPrefix(t, "[") {
			return header
		}
		if rest, ok := strings.CutPrefix(t, key); ok && strings.HasPrefix(strings.TrimLeft(rest, " \t\"'"), "=") {
			return diag.Pos{Src: p.src, Line: n, Col: strings.Index(line, key) + 1}
		}
	}
}

var listenKeys = []string{"socket", "advertise", "name", "workers"}

func (p *parser) listen(o *Overlay, i int, keys map[string]toml.Primitive) {
	at := p.header(i)
	l := Listen{Pos: at}
	bad := func(key, format string, a ...any) {
		p.d.Add(diag.Diagnostic{Pos: p.keyOf(at, key), Summary: key + ": " + fmt.Sprintf(format, a...)})
	}
	text := func(key string) (string, bool) {
		prim, ok := keys[key]
		if !ok {
			return "", false
		}
		v, _ := p.value(prim)
		s, ok := v.(string)
		if !ok || s == "" {
			bad(key, "want a string that is not empty")
			return "", false
		}
		return s, true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(listenKeys, key) {
			dg := diag.Diagnostic{Pos: p.keyOf(at, key), Summary: fmt.Sprintf("unknown key %q of a listen", key)}
			if near := p.d.Nearest(key, listenKeys); near != "" {
				dg.Detail = fmt.Sprintf("did you mean %q?", near)
			} else {
				dg.Detail = "a listen has: " + strings.Join(listenKeys, " ")
			}
			p.d.Add(dg)
		}
	}
	s, ok := text("socket")
	if !ok {
		if _, there := keys["socket"]; !there {
			bad("socket", "is missing; form: socket = \"[proto:]addr[:port]\"")
		}
		return
	}
	prm, err := syntax.ParseListenArg(s)
	if err != nil {
		bad("socket", "%v", err)
		return
	}
	l.Sockets, l.Adv, l.Name = prm.Sockets, prm.Adv, prm.SockName
	for j := range l.Sockets {
		l.Sockets[j].Pos = at
	}
	if s, ok := text("advertise"); ok {
		a, err := syntax.ParseAliasArg(s)
		if err != nil {
			bad("advertise", "%v", err)
			return
		}
		l.Adv = &a.Sockets[0]
	}
	if s, ok := text("name"); ok {
		l.Name = s
	}
	if prim, ok := keys["workers"]; ok {
		v, _ := p.value(prim)
		n, ok := v.(int64)
		if !ok || n < 1 || n > 450 {
			bad("workers", "want a number from 1 to 450")
			return
		}
		l.Workers = int(n)
	}
	o.Listen = append(o.Listen, l)
}

// Param is the same as a listen line of a configuration.
func (l *Listen) Param() *syntax.Param {
	return &syntax.Param{Pos: l.Pos, Name: "listen", Sockets: l.Sockets, Adv: l.Adv, SockName: l.Name}
}
