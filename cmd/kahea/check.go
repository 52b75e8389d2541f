package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"kahea/cfglang/core"
	"kahea/cfglang/diag"
	"kahea/modules"
)

const checkUsage = `usage: kahea check [--json | --effective] [OPTIONS] [FILE]

Checks a configuration as -c does, and its overlay. OPTIONS are those of the server (kahea -h); FILE is the same as -f FILE.

      --json        print the diagnostics as one JSON document, for editors and CI
      --effective   print every setting that differs from its default, its value, and where it comes from

The exit code is 0 when the configuration is good, 255 when it is not.
`

// checkCommand is one run of kahea check.
type checkCommand struct {
	json, effective bool
	file            string // what the report names when nothing could be read
}

// runCheck is kahea check; args are those behind the word. It returns the exit code.
func runCheck(args []string, out, errOut io.Writer) int {
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "--help" }) {
		fmt.Fprint(out, checkUsage)
		return 0
	}
	var k checkCommand
	rest := slices.DeleteFunc(slices.Clone(args), func(a string) bool {
		k.json = k.json || a == "--json"
		k.effective = k.effective || a == "--effective"
		return a == "--json" || a == "--effective"
	})
	o, err := parseFileArgs(rest, errOut)
	if err != nil {
		return exitError
	}
	if k.json && k.effective {
		fmt.Fprintln(errOut, "ERROR: kahea: check: --json and --effective are two reports: ask for one")
		return exitError
	}
	o.Check = true
	k.file = o.File
	d := &diag.List{}
	s, err := loadMain(o, d)
	if s != nil {
		defer s.closeAll()
	}
	if k.json {
		return k.writeJSON(out, errOut, d, err)
	}
	if werr := d.Write(errOut, colourTerminal()); werr != nil {
		return exitError
	}
	if err != nil {
		if !errors.Is(err, errConfig) {
			fmt.Fprintf(errOut, "ERROR: kahea: %v\n", err)
		}
		return exitError
	}
	if k.effective {
		if err := s.writeEffective(out); err != nil {
			fmt.Fprintf(errOut, "ERROR: kahea: check: %v\n", err)
			return exitError
		}
		return 0
	}
	fmt.Fprintln(errOut, "config file ok")
	return 0
}

// parseFileArgs reads a command line on which the configuration may stand without -f.
func parseFileArgs(args []string, w io.Writer) (*options, error) {
	return (&options{set: map[string]bool{}, fileArg: true}).parse(args, w)
}

// jsonPlace is a place in a source; File is empty for the command line.
type jsonPlace struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Col  int    `json:"col"`
}

// jsonDiagnostic is one diagnostic; Line and Col count from 1, columns count bytes, EndCol is behind the last one. A place that is not known has line 0.
type jsonDiagnostic struct {
	Severity string `json:"severity"` // error, warning, notice
	jsonPlace
	EndCol   int         `json:"end_col"`
	Summary  string      `json:"summary"`
	Detail   string      `json:"detail,omitempty"`
	Defined  []jsonPlace `json:"defined,omitempty"`  // where the defines stand that the text came from, the innermost first
	Included []jsonPlace `json:"included,omitempty"` // where the file was included, the innermost first
}

func placeOf(p diag.Pos) jsonPlace {
	j := jsonPlace{Line: p.Line, Col: p.Col}
	if p.Src != nil {
		j.File = p.Src.Name
	}
	return j
}

// writeJSON prints {"file", "ok", "diagnostics"}; an error without a place is a diagnostic of the file.
func (k *checkCommand) writeJSON(out, errOut io.Writer, d *diag.List, err error) int {
	doc := struct {
		File        string           `json:"file"`
		OK          bool             `json:"ok"`
		Diagnostics []jsonDiagnostic `json:"diagnostics"`
	}{File: k.file, OK: err == nil, Diagnostics: []jsonDiagnostic{}}
	for _, x := range d.All() {
		j := jsonDiagnostic{Severity: x.Severity.String(), jsonPlace: placeOf(x.Pos), EndCol: x.EndCol, Summary: x.Summary, Detail: x.Detail}
		if j.Line > 0 && j.EndCol == 0 {
			j.EndCol = j.Col + 1
		}
		for def := x.Pos.Def; def != nil; def = def.Def {
			j.Defined = append(j.Defined, placeOf(*def))
		}
		for in := x.Pos.Incl; in != nil; in = in.Incl {
			j.Included = append(j.Included, placeOf(*in))
		}
		doc.Diagnostics = append(doc.Diagnostics, j)
	}
	if err != nil && !errors.Is(err, errConfig) {
		doc.Diagnostics = append(doc.Diagnostics, jsonDiagnostic{Severity: diag.Error.String(), jsonPlace: jsonPlace{File: k.file}, Summary: err.Error()})
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if werr := e.Encode(doc); werr != nil {
		fmt.Fprintf(errOut, "ERROR: kahea: check: %v\n", werr)
		return exitError
	}
	if err != nil {
		return exitError
	}
	return 0
}

// writeEffective prints the settings that differ from their defaults.
func (s *server) writeEffective(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "setting\tvalue\tdefault\tfrom")
	defaults := core.Defaults(fullVersion()).Params()
	for i := range s.table {
		t := &s.table[i]
		have, def := coreValue(t), coreValue(&defaults[i])
		if have == def || t.Name == s.follows {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, valueText(have), valueText(def), s.origins["core."+t.Name])
	}
	for _, l := range s.listen {
		from := origin{option: "-l"}
		if l.Pos.IsValid() {
			from = origin{pos: l.Pos}
		}
		for _, id := range l.Sockets {
			fmt.Fprintf(w, "listen\t%s\t\t%s\n", id, from)
		}
	}
	for _, l := range s.loaded {
		if err := writeModuleSettings(w, l, s.settings[l.Name], s.origins); err != nil {
			return err
		}
	}
	return w.Flush()
}

// writeModuleSettings prints the parameters of one module; of one that takes each value as it comes, the values as they were given.
func writeModuleSettings(w io.Writer, l modules.Loaded, given []setting, origins map[string]origin) error {
	fresh := modules.New(l.Name)
	if fresh == nil {
		return fmt.Errorf("module %s is not there any more", l.Name)
	}
	table := fresh.Exports().Params
	for i := range l.Table.Params {
		t, def := &l.Table.Params[i], &table[i]
		name := l.Name + "." + t.Name
		var have, want string
		switch {
		case t.Int != nil:
			have, want = fmt.Sprint(*t.Int), fmt.Sprint(*def.Int)
		case t.Str != nil:
			have, want = fmt.Sprintf("%q", *t.Str), fmt.Sprintf("%q", *def.Str)
		default:
			var values []string
			for _, v := range of(given, t.Name) {
				values = append(values, valueText(v.Value))
			}
			have = strings.Join(values, " ")
		}
		if have != want {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, have, want, origins[name])
		}
	}
	return nil
}

// stdCheck is runCheck on the process's own streams.
func stdCheck(args []string) int { return runCheck(args, os.Stdout, os.Stderr) }
