package syntax

import (
	"strings"

	"kahea/cfglang/diag"
)

// frame is one input on the lexer's stack: a file, or the text of a define that is being expanded.
type frame struct {
	text string
	off  int

	// place of the next byte: column = off - lineStart + 1
	src       *diag.Source
	incl      *Pos
	line      int
	lineStart int

	macro *Define // nil for a file
	use   Pos     // of every token of a macro

	path   string // for relative includes
	copied int    // text before this was written to the record

	resume []place // include places above the current one, in marked text (ParseText)
	ifs    int     // conditional parts that were open when the file began
}

type place struct {
	src  *diag.Source
	incl *Pos
}

func (f *frame) col() int { return f.off - f.lineStart + 1 }

func (f *frame) pos() Pos {
	if f.macro != nil {
		return f.use
	}
	return Pos{Src: f.src, Line: f.line, Col: f.col(), Incl: f.incl}
}

// posAt is the place of an offset on the current line.
func (f *frame) posAt(off int) Pos {
	if f.macro != nil {
		return f.use
	}
	return Pos{Src: f.src, Line: f.line, Col: off - f.lineStart + 1, Incl: f.incl}
}

// advance moves to off, counting lines.
func (f *frame) advance(off int) {
	if n := strings.Count(f.text[f.off:off], "\n"); n > 0 {
		f.line += n
		f.lineStart = f.off + strings.LastIndexByte(f.text[f.off:off], '\n') + 1
	}
	f.off = off
}

// eol is the offset of the end of the current line: of its newline, or of the end of the text.
func (f *frame) eol() int {
	if i := strings.IndexByte(f.text[f.off:], '\n'); i >= 0 {
		return f.off + i
	}
	return len(f.text)
}
