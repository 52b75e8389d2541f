package diag

// Severity of a diagnostic.
type Severity uint8

const (
	Error Severity = iota
	Warning
	Notice
)

// Source is one file as it was read (or a define's text, or -A on the command line).
type Source struct {
	Name string // path as the user wrote it, "" for the command line
	Text []byte
}

// Pos is a place in a source: line and column count from 1, columns count bytes. The zero Pos is unknown.
// When a macro produced the token, Pos is where the macro was used and Def is where its text was defined; Incl is where the file was included.
type Pos struct {
	Src       *Source
	Line, Col int
	Def       *Pos
	Incl      *Pos
}

// Diagnostic is data: the writer decides about colour and snippets.
type Diagnostic struct {
	Severity Severity
	Pos      Pos
	EndCol   int    // 0: one character
	Summary  string // a few words: unknown function "sl_sendreply"
	Detail   string // a sentence or two, often with the fix: did you mean "sl_send_reply"?
}

// List collects the diagnostics of a run.
type List struct{ all []Diagnostic }

func (l *List) Errorf(p Pos, format string, a ...any)      { panic("todo") }
func (l *List) Warnf(p Pos, format string, a ...any)       { panic("todo") }
func (l *List) Add(d Diagnostic)                           { panic("todo") }
func (l *List) HasErrors() bool                            { panic("todo") }
func (l *List) All() []Diagnostic                          { panic("todo") } // errors first, then warnings, each in order of position
func (l *List) Nearest(name string, names []string) string { panic("todo") } // did-you-mean; "" if nothing is near

// Write prints all in the manner: FILE:LINE:COL: error: summary / source line / caret range / detail. colour adds ANSI colours.
// (the signature is Write(w io.Writer, colour bool))
