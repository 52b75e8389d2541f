package diag

// Severity of a diagnostic.
type Severity uint8

// Severities, the gravest first.
const (
	Error Severity = iota
	Warning
	Notice
)

func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "notice"
}

// Source is one file as it was read (or a define's text, or -A on the command line).
type Source struct {
	Name string // path as the user wrote it, "" for the command line
	Text []byte

	lines []int // offsets of the lines' beginnings; made when one is asked for
}

// Pos is a place in a source: line and column count from 1, columns count bytes. The zero Pos is unknown.
// When a macro produced the token, Pos is where the macro was used and Def is where its name was defined (Def.Def: where
// the outer macro was defined, if one macro's text used another); Incl is where the file was included.
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
	EndCol   int    // column after the last character of the range; 0: one character
	Summary  string // a few words: unknown function "sl_sendreply"
	Detail   string // a sentence or two, often with the fix: did you mean "sl_send_reply"?
}

// List collects the diagnostics of a run. The zero List is ready to use; it is for one goroutine.
type List struct {
	all    []Diagnostic
	errors int
	said   map[key]struct{}
}

// key tells diagnostics apart.
type key struct {
	severity        Severity
	file            string
	line, col       int
	summary, detail string
}
