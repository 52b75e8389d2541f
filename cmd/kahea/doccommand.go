package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"kahea/cfglang/core"
	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/modules"
)

const docUsage = `usage: kahea doc NAME

Prints what a word of the language, a parameter, function, variable, transformation, statistic, command or module is, from the tables that the server reads. NAME may be a word (t_relay, children, s.len), a
variable ($ru), a module's parameter (usrloc.hash_size), an RPC command (core.psx), or a module, which lists what it has.
`

// entry is one thing that has a name.
type entry struct {
	names []string // the first is its own; the others are aliases
	title string   // function t_relay of module tm
	rows  [][2]string
	doc   string
}

// runDoc is kahea doc; it returns the exit code.
func runDoc(args []string, out, errOut io.Writer) int {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		fmt.Fprint(errOut, docUsage)
		if len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
			return 0
		}
		return exitError
	}
	all := entries()
	var names []string
	found := false
	for _, e := range all {
		names = append(names, e.names...)
		if slices.ContainsFunc(e.names, func(n string) bool { return n == args[0] }) {
			if found {
				fmt.Fprintln(out)
			}
			found = true
			e.write(out)
		}
	}
	if !found {
		fmt.Fprintf(errOut, "ERROR: kahea: doc: there is no %q\n", args[0])
		if near := diag.Nearest(args[0], names); near != "" {
			fmt.Fprintf(errOut, "did you mean %q?\n", near)
		}
		return exitError
	}
	return 0
}

func stdDoc(args []string) int { return runDoc(args, os.Stdout, os.Stderr) }

func (e *entry) write(w io.Writer) {
	fmt.Fprintf(w, "%s\n    %s\n", e.title, e.doc)
	for _, r := range e.rows {
		if r[1] != "" {
			fmt.Fprintf(w, "    %-9s%s\n", r[0]+":", r[1])
		}
	}
}

// entries is everything that has a name, the core's first.
func entries() (out []entry) {
	for _, w := range syntax.Words() {
		out = append(out, entry{names: append([]string{w.Name}, w.Aliases...), title: string(w.Kind) + " " + w.Name, doc: w.Doc,
			rows: [][2]string{{"aliases", strings.Join(w.Aliases, " ")}, {"form", w.Form}, {"example", strings.ReplaceAll(w.Example, "\n", "\n             ")}}})
	}
	for _, p := range core.Defaults(fullVersion()).Params() {
		out = append(out, coreParamEntry(&p))
	}
	out = append(out, tableEntries("the core", "", modules.Exports{Funcs: core.Funcs(), Vars: core.Vars(), RPC: coreCommands(&server{})})...)
	for _, name := range modules.Names() {
		t := modules.New(name).Exports()
		out = append(out, moduleEntry(name, &t))
		out = append(out, tableEntries("module "+name, name, t)...)
	}
	return out
}

func coreParamEntry(p *core.Param) entry {
	e := entry{names: append([]string{p.Name}, p.Aliases...), title: "global parameter " + p.Name, doc: p.Doc}
	kind := map[core.Type]string{core.Bool: "yes or no", core.Number: "number", core.Integer: "number, may be negative", core.String: "string", core.StringOrID: "string or word"}[p.Type]
	if p.Min != 0 || p.Max != 0 {
		kind += fmt.Sprintf(", %d to %d", p.Min, p.Max)
	}
	if p.OneOf != nil {
		kind += ": " + strings.Join(p.OneOf, " or ")
	}
	def := coreValue(p)
	e.rows = [][2]string{{"aliases", strings.Join(p.Aliases, " ")}, {"type", kind}, {"default", valueText(def)}}
	if p.Runtime != "" {
		name := p.RTName
		if name == "" {
			name = p.Name
		}
		e.rows = append(e.rows, [2]string{"changes", "while the server runs, as " + p.Runtime + "." + name + " (cfg.set)"})
		e.names = append(e.names, p.Runtime+"."+name)
	}
	if p.Fixed {
		e.rows = append(e.rows, [2]string{"changes", "with a restart only, not with a reload"})
	}
	value := valueText(def)
	if p.Type == core.Bool {
		value = map[bool]string{true: "yes", false: "no"}[def.Int != 0]
	}
	e.rows = append(e.rows, [2]string{"example", p.Name + "=" + value})
	return e
}

func moduleEntry(name string, t *modules.Exports) entry {
	e := entry{names: []string{name, name + ".so"}, title: "module " + name, doc: fmt.Sprintf("%d parameters, %d functions, %d variables, %d commands", len(t.Params), len(t.Funcs), len(t.Vars), len(t.RPC))}
	var params, funcs, vars, trans, rpc, stats []string
	for i := range t.Params {
		params = append(params, t.Params[i].Name)
	}
	for i := range t.Funcs {
		funcs = append(funcs, t.Funcs[i].Name)
	}
	for i := range t.Vars {
		vars = append(vars, "$"+t.Vars[i].Name)
	}
	for i := range t.Trans {
		trans = append(trans, t.Trans[i].Class)
	}
	for i := range t.RPC {
		rpc = append(rpc, t.RPC[i].Name)
	}
	for i := range t.Stats {
		stats = append(stats, t.Stats[i].Group+"."+t.Stats[i].Name)
	}
	e.rows = [][2]string{{"params", strings.Join(params, " ")}, {"funcs", strings.Join(funcs, " ")}, {"vars", strings.Join(vars, " ")},
		{"trans", strings.Join(trans, " ")}, {"rpc", strings.Join(rpc, " ")}, {"stats", strings.Join(stats, " ")}, {"events", strings.Join(t.Events, " ")},
		{"example", fmt.Sprintf("loadmodule \"%s.so\"", name)}}
	return e
}

// tableEntries are the entries of a table; owner is who has it, module the name for modparam.
func tableEntries(owner, module string, t modules.Exports) (out []entry) {
	for i := range t.Params {
		out = append(out, moduleParamEntry(module, &t.Params[i]))
	}
	for i := range t.Funcs {
		f := &t.Funcs[i]
		from := strings.ReplaceAll(f.From.String(), "|", " ")
		out = append(out, entry{names: append([]string{f.Name}, f.Aliases...), title: "function " + f.Name + " of " + owner, doc: f.Doc,
			rows: [][2]string{{"aliases", strings.Join(f.Aliases, " ")}, {"form", funcForm(f)}, {"routes", from}, {"example", funcExample(f)}}})
	}
	for i := range t.Vars {
		v := &t.Vars[i]
		access := ""
		if v.Get != nil && v.Bind == nil {
			access = map[bool]string{true: "read only", false: "can be set"}[v.Set == nil]
		}
		use := "$" + v.Name
		if v.Bind != nil && v.Get == nil {
			use += "(name)"
		}
		out = append(out, entry{names: []string{"$" + v.Name, v.Name}, title: "variable $" + v.Name + " of " + owner, doc: v.Doc,
			rows: [][2]string{{"access", access}, {"example", "xlog(\"" + use + "\\n\");"}}})
	}
	for i := range t.Trans {
		x := &t.Trans[i]
		var names []string
		for _, m := range x.Methods {
			names = append(names, m.Name)
		}
		out = append(out, entry{names: []string{"{" + x.Class + "}", x.Class}, title: "transformations " + x.Class + " of " + owner, doc: x.Doc,
			rows: [][2]string{{"methods", strings.Join(names, " ")}}})
		for _, m := range x.Methods {
			name, form, example := x.Class+"."+m.Name, "", ""
			if m.Args != "" {
				form = "{" + name + "," + m.Args + "}"
			}
			if m.Example != "" {
				example = "," + m.Example
			}
			out = append(out, entry{names: []string{"{" + name + "}", name}, title: "transformation " + name + " of " + owner, doc: m.Doc,
				rows: [][2]string{{"form", form}, {"example", "$(var(x){" + name + example + "})"}}})
		}
	}
	for i := range t.RPC {
		r := &t.RPC[i]
		out = append(out, entry{names: []string{r.Name}, title: "command " + r.Name + " of " + owner, doc: r.Doc, rows: [][2]string{{"example", "kaheactl " + r.Name}}})
	}
	for i := range t.Stats {
		s := &t.Stats[i]
		out = append(out, entry{names: []string{s.Group + "." + s.Name, s.Name}, title: "statistic " + s.Group + "." + s.Name + " of " + owner, doc: s.Doc,
			rows: [][2]string{{"example", "kaheactl stats.get_statistics " + s.Group + ":" + s.Name}}})
	}
	return out
}

func moduleParamEntry(module string, p *modules.Param) entry {
	e := entry{names: []string{module + "." + p.Name, p.Name}, title: "parameter " + p.Name + " of module " + module, doc: p.Doc}
	kind, def, value := "", "", "\"value\""
	switch {
	case p.Int != nil:
		kind, def = "number", fmt.Sprint(*p.Int)
		value = def
		if p.Min != 0 || p.Max != 0 {
			kind += fmt.Sprintf(", %d to %d", p.Min, p.Max)
		}
	case p.Str != nil:
		kind, def = "string", fmt.Sprintf("%q", *p.Str)
		value = def
	case p.Type == modules.IntParam:
		kind, value = "number", "1"
	case p.Type == modules.StrParam:
		kind = "string"
	default:
		kind = "string or number"
	}
	e.rows = [][2]string{{"type", kind}, {"default", def}}
	if p.Runtime != "" {
		e.rows = append(e.rows, [2]string{"changes", "while the server runs, as " + module + "." + p.Runtime + " (cfg.set)"})
	}
	if p.Fixed {
		e.rows = append(e.rows, [2]string{"changes", "with a restart only, not with a reload"})
	}
	e.rows = append(e.rows, [2]string{"example", fmt.Sprintf("modparam(%q, %q, %s)", module, p.Name, value)})
	return e
}

// argWords says what a letter of Func.Args is.
func argWords(c byte) (word, sample string) {
	switch c {
	case 's':
		return "string", `"text"`
	case 'S':
		return "constant string", `"text"`
	case 'i':
		return "number", "1"
	case 'I':
		return "constant number", "1"
	case 'p':
		return "variable", "$var(x)"
	case 'P':
		return "variable to set", "$var(x)"
	case 'r':
		return "regular expression", `"^a"`
	}
	return string(c), string(c)
}

// funcForm is name(string, number[, string]).
func funcForm(f *route.Func) string {
	var b strings.Builder
	b.WriteString(f.Name + "(")
	must, may, _ := strings.Cut(f.Args, "|")
	open := 0
	for i, c := range []byte(must + may) {
		word, _ := argWords(c)
		if i >= len(must) {
			b.WriteString("[")
			open++
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(word)
	}
	return b.String() + strings.Repeat("]", open) + ")"
}

func funcExample(f *route.Func) string {
	must, _, _ := strings.Cut(f.Args, "|")
	var l []string
	for _, c := range []byte(must) {
		_, sample := argWords(c)
		l = append(l, sample)
	}
	return f.Name + "(" + strings.Join(l, ", ") + ");"
}
