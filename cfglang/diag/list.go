package diag

import (
	"fmt"
	"slices"
)

// Errorf adds an error with a summary and no detail.
func (l *List) Errorf(p Pos, format string, a ...any) {
	l.Add(Diagnostic{Severity: Error, Pos: p, Summary: fmt.Sprintf(format, a...)})
}

// Warnf adds a warning with a summary and no detail.
func (l *List) Warnf(p Pos, format string, a ...any) {
	l.Add(Diagnostic{Severity: Warning, Pos: p, Summary: fmt.Sprintf(format, a...)})
}

// Add adds a diagnostic, unless it has it already. A range that is not given is the word that stands there.
func (l *List) Add(d Diagnostic) {
	if d.Pos.Def != nil { // who reports knows what the define became, not how long its name is
		if name := d.Pos.word(); name != "" {
			d.EndCol = d.Pos.Col + len(name)
		}
	} else if d.EndCol == 0 {
		d.EndCol = d.Pos.tokenEnd()
	}
	k := key{d.Severity, "", d.Pos.Line, d.Pos.Col, d.Summary, d.Detail}
	if d.Pos.Src != nil {
		k.file = d.Pos.Src.Name
	}
	if _, again := l.said[k]; again { // a text that is read twice, or a define that is used for two things
		return
	}
	if l.said == nil {
		l.said = map[key]struct{}{}
	}
	l.said[k] = struct{}{}
	if d.Severity == Error {
		l.errors++
	}
	l.all = append(l.all, d)
}

// HasErrors says whether an error, not only warnings, was added.
func (l *List) HasErrors() bool { return l.errors > 0 }

// Errors is the number of errors.
func (l *List) Errors() int { return l.errors }

// All returns a copy: errors first, then warnings, each in the order in which a reader meets the places when he reads
// the main file and every included file where it is included. Several at one place keep the order in which they were added.
func (l *List) All() []Diagnostic {
	type keyed struct {
		Diagnostic
		path []Pos // outermost include first
	}
	roots := map[string]int{} // by name: a file may be read twice
	ks := make([]keyed, len(l.all))
	for i, d := range l.all {
		ks[i] = keyed{d, readingPath(d.Pos)}
		root := rootName(ks[i].path[0])
		if _, ok := roots[root]; !ok {
			roots[root] = len(roots)
		}
	}
	slices.SortStableFunc(ks, func(a, b keyed) int {
		if a.Severity != b.Severity {
			return int(a.Severity) - int(b.Severity)
		}
		if c := roots[rootName(a.path[0])] - roots[rootName(b.path[0])]; c != 0 {
			return c
		}
		for i := 0; i < len(a.path) && i < len(b.path); i++ {
			if c := a.path[i].Line - b.path[i].Line; c != 0 {
				return c
			}
			if c := a.path[i].Col - b.path[i].Col; c != 0 {
				return c
			}
		}
		return len(a.path) - len(b.path)
	})
	out := make([]Diagnostic, len(ks))
	for i := range ks {
		out[i] = ks[i].Diagnostic
	}
	return out
}

func rootName(p Pos) string {
	if p.Src == nil {
		return ""
	}
	return p.Src.Name
}

func readingPath(p Pos) []Pos {
	var path []Pos
	for q := &p; q != nil; q = q.Incl {
		path = append(path, *q)
	}
	slices.Reverse(path)
	return path
}
