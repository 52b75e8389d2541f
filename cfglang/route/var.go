package route

// Getter yields a value; Setter stores one (v is Null when $null was assigned).
type (
	Getter func(c *Ctx) Value
	Setter func(c *Ctx, v Value) error
)

// Var describes a pseudo-variable. One table per module lists them.
type Var struct {
	Name string // without the '$'
	// Get and Set serve a variable without inner name and index. Set nil: read-only.
	Get Getter
	Set Setter
	// Bind serves one with an inner name or an index: it resolves them once and returns what runs (set nil: read-only).
	Bind func(e Env, r *VarRef) (Getter, Setter, error)
	// Int (optional, with Bind) gives shorter ways for whole numbers, which carry no text: get is the value when it is an integer, ok is false when it is something
	// else and the Getter must say what.
	Int func(r *VarRef) (get func(c *Ctx) (n int64, ok bool), set func(c *Ctx, n int64))
	Doc string
}

// VarRef is a use of a variable: $name(inner)[index].
type VarRef struct {
	Name     string
	Inner    string
	HasInner bool
	InnerPV  *PV // Inner is itself a variable
	Index    Index
}

// IndexKind is how the index of a variable was written.
type IndexKind uint8

const (
	NoIndex IndexKind = iota
	ConstIndex
	AllIndex // [*]
	VarIndex // [$x]
)

// Index of a variable.
type Index struct {
	Kind IndexKind
	N    int
	Get  Getter
}

// Eval returns the index as a number: 0 without an index. all is true for [*].
func (x *Index) Eval(c *Ctx) (n int, all bool) {
	switch x.Kind {
	case ConstIndex:
		return x.N, false
	case AllIndex:
		return 0, true
	case VarIndex:
		v, _ := x.Get(c).Number()
		return int(v), false
	}
	return 0, false
}

// Trans describes a class of transformations ({s.len}: class "s").
type Trans struct {
	Class   string
	Methods []TransMethod
	// Bind resolves method and parameters once. The function gets the value so far and returns the next; a Null result is a failed
	// transformation.
	Bind func(e Env, method string, a *TransArgs) (func(c *Ctx, v Value) Value, error)
	Doc  string
}

// TransMethod is a row of a class: a method's name in lower case, its parameters as they are written (what is optional in brackets), an
// example of them (empty: none are needed), and what it yields.
type TransMethod struct {
	Name, Args, Example, Doc string
}

// TransArgs are a transformation's parameters: as written behind the method's comma, and split at commas.
type TransArgs struct {
	Raw    string
	Params []TransParam
}

// TransParam is a parameter of a transformation: a literal or a variable.
type TransParam struct {
	Text string
	PV   *PV
}

// Eval is the parameter's text.
func (p *TransParam) Eval(c *Ctx) []byte {
	if p.PV != nil {
		return p.PV.Get(c).Text(c)
	}
	return c.Scratch.CopyString(p.Text)
}

// PV is a compiled reference to a variable with its transformations.
type PV struct {
	Text string // as written
	Get  Getter
	Set  Setter // nil: read-only, or has transformations
	Null bool   // it is $null itself
	// GetInt and SetInt are Var.Int's; nil: there are none.
	GetInt func(c *Ctx) (n int64, ok bool)
	SetInt func(c *Ctx, n int64)
}

// Env is what a Compile or Bind function may ask of the compiler.
type Env interface {
	ParsePV(text string) (*PV, error)         // "$rU", "$(hdr(X)[0]{s.len})"
	ParseFormat(text string) (*Format, error) // text with variables in it
	// Route finds a block by name; it is resolved when all routes are known, so that a block may be named before it is defined. An
	// unknown name is reported by the compiler at the position of the call.
	Route(kind Mask, name string) *RouteRef
	// Pos is where the function or variable stands: file:line.
	Pos() (file string, line int)
	// Block is the name of the block where it stands, as Kamailio has it ("DEFAULT_ROUTE"); "" in a module parameter.
	Block() string
	// Module finds a loaded module by name (nil if it is not loaded), for its API.
	Module(name string) any
	Define(name string) (string, bool)
	// CfgGroup is a group of the run-time configuration.
	CfgGroup(name string) (*CfgGroup, error)
	// Select compiles a select (@from.uri.user); its getter yields Null for what is not there and a string without text (Str nil) for what is empty.
	Select(text string) (Getter, error)
}

// RouteRef is a named block, resolved after parsing.
type RouteRef struct {
	Name  string
	Route *Route
}
