package route

// Format is a compiled format string: texts and variables.
type Format struct {
	Text  string
	parts []part
	konst []byte // whole text when there is no variable in it
}

type part struct {
	lit []byte
	pv  *PV
}

// NewFormat is for package pv: AddText and AddPV build it.
func NewFormat(text string) *Format { return &Format{Text: text, konst: []byte{}} }

// AddText appends literal text.
func (f *Format) AddText(s string) {
	if s == "" {
		return
	}
	f.parts = append(f.parts, part{lit: []byte(s)})
	if f.konst != nil {
		f.konst = append(f.konst, s...)
	}
}

// AddPV appends a variable.
func (f *Format) AddPV(p *PV) {
	f.parts = append(f.parts, part{pv: p})
	f.konst = nil
}

// Const is the whole text when the format has no variable; ok is false otherwise.
func (f *Format) Const() (b []byte, ok bool) { return f.konst, f.konst != nil }

// Single is the variable when the format is just that.
func (f *Format) Single() *PV {
	if len(f.parts) == 1 {
		return f.parts[0].pv
	}
	return nil
}

var nullText = []byte("<null>")

// isNull says whether a value prints as <null>: a failed transformation, which is null with an empty text, prints nothing.
func isNull(v Value) bool { return v.Flags&(FlagNull|FlagStr) == FlagNull }

// Append appends the evaluated format to dst. Null prints as <null>.
func (f *Format) Append(c *Ctx, dst []byte) []byte {
	for i := range f.parts {
		p := &f.parts[i]
		if p.pv == nil {
			dst = append(dst, p.lit...)
			continue
		}
		v := p.pv.Get(c)
		if isNull(v) {
			dst = append(dst, nullText...)
			continue
		}
		dst = append(dst, v.Text(c)...)
	}
	return dst
}

// Eval evaluates into scratch memory (constant formats are returned as they are); ok is false when memory ran out.
func (f *Format) Eval(c *Ctx) (b []byte, ok bool) {
	if f.konst != nil {
		return f.konst, true
	}
	if p := f.Single(); p != nil {
		v := p.Get(c)
		if isNull(v) {
			return nullText, true
		}
		return v.Text(c), true
	}
	// Variables may print into scratch memory themselves, so the result cannot grow in its tail: lengths first, then one block.
	n := 0
	var vals [16]Value
	if len(f.parts) > len(vals) {
		b = f.Append(c, nil) // longer than any format in use; the allocation is bounded by the message
		return c.Scratch.Copy(b), true
	}
	for i := range f.parts {
		p := &f.parts[i]
		if p.pv == nil {
			n += len(p.lit)
			continue
		}
		v := p.pv.Get(c)
		if isNull(v) {
			v = Str(nullText)
		}
		v.Str = v.Text(c)
		vals[i] = v
		n += len(v.Str)
	}
	b = c.Scratch.Alloc(n)
	if b == nil && n > 0 {
		return nil, false
	}
	n = 0
	for i := range f.parts {
		if f.parts[i].pv == nil {
			n += copy(b[n:], f.parts[i].lit)
		} else {
			n += copy(b[n:], vals[i].Str)
		}
	}
	return b, true
}
