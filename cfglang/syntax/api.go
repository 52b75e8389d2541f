package syntax

import "kahea/cfglang/diag"

// The tree. Every node has the position of its first token.

type Pos = diag.Pos

// File is a whole configuration after preprocessing, in order.
type File struct {
	Items   []Item
	Defines []Define // as they stood at the end: $def(), core.ppdefines, checks
	Mode    Mode
}

type Mode uint8 // compatibility marker

const (
	ModeMax Mode = iota
	ModeKamailio
	ModeSER
)

type Define struct {
	Name, Value string
	HasValue    bool
	Pos         Pos
	Predefined  bool
	Used        bool
}

type Item interface{ item() }

// Param is `name = value` at top level. Values has one element but for lists (listen, alias: socket ids in Sockets).
type Param struct {
	Pos      Pos
	Name     string // as written; the core's table knows the aliases
	Index    string // coreparam[name]
	Value    Value
	Sockets  []SocketID // listen, alias, domain
	Adv      *SocketID  // advertise
	SockName string
	Virtual  bool
}

// SocketBlock is socket = { ... }.
type SocketBlock struct {
	Pos   Pos
	Attrs []Attr
}

type Attr struct {
	Pos   Pos
	Name  string
	Value Value
	Sock  *SocketID
}

// SocketID is [proto:]addr[:port[-portend]].
type SocketID struct {
	Pos     Pos
	Proto   string   // "" = all
	Hosts   []string // more than one: multi-homed set
	Port    int      // 0 = default
	PortEnd int
}

type ValueKind uint8

const (
	IntValue ValueKind = iota
	StrValue
	IdentValue
)

type Value struct {
	Pos  Pos
	Kind ValueKind
	Int  int64
	Sign bool   // a minus stands before the number
	Str  string // StrValue and IdentValue
}

type LoadModule struct {
	Pos  Pos
	Name string
	Opts string
	X    bool // loadmodulex
}

type LoadPath struct {
	Pos  Pos
	Dirs string
}

type ModParam struct {
	Pos                Pos
	Module             string // regular expression
	Name               string
	Value              Value
	X                  bool
	ModulePos, NamePos Pos
}

// GroupVar is group.name = value [desc "text"] or group[id].name = value.
type GroupVar struct {
	Pos         Pos
	Group, Name string
	ID          int
	HasID       bool
	Value       Value
	Desc        string
}

// Flags is flags a, b:5 or avpflags.
type Flags struct {
	Pos   Pos
	AVP   bool
	Names []string
	Bits  []int // -1: next free
}

type CfgEngine struct {
	Pos  Pos
	Name string
}

type RouteKind uint8

const (
	RequestRoute RouteKind = iota
	FailureRoute
	ReplyRoute   // onreply_route/reply_route without a name: the core's
	OnReplyRoute // onreply_route[NAME]: tm's
	BranchRoute
	OnSendRoute
	EventRoute
)

// Route is one block; Name is "" for the main ones. Several main request routes are appended to each other.
type Route struct {
	Pos  Pos
	Kind RouteKind
	Name string
	Body *Block
}

func (*Param) item()       {}
func (*SocketBlock) item() {}
func (*LoadModule) item()  {}
func (*LoadPath) item()    {}
func (*ModParam) item()    {}
func (*GroupVar) item()    {}
func (*Flags) item()       {}
func (*CfgEngine) item()   {}
func (*Route) item()       {}

type Stmt interface {
	stmt()
	Position() Pos
}
type Expr interface {
	expr()
	Position() Pos
}

type Block struct {
	Pos   Pos
	Stmts []Stmt
}

type CallStmt struct{ Call *Call }

type AssignStmt struct {
	Pos Pos
	L   Expr // PV or Avp
	R   Expr
}

type CtlKind uint8

const (
	Return CtlKind = iota
	Exit
	Drop
	Break
)

type Ctl struct {
	Pos  Pos
	Kind CtlKind
	Val  Expr // nil: default code
}

type If struct {
	Pos        Pos
	Cond       Expr
	Then, Else Stmt // Else may be nil
}

type While struct {
	Pos  Pos
	Cond Expr
	Body Stmt
}

type Case struct {
	Pos     Pos
	Default bool
	Regex   bool
	Label   Expr
	Body    []Stmt
}

type Switch struct {
	Pos   Pos
	Value Expr
	Cases []Case
}

type Empty struct{ Pos Pos }

type IntLit struct {
	Pos Pos
	Val int64
}

type StrLit struct {
	Pos Pos
	Val string
}

// PV is a pseudo-variable as written, `$...` included; cfglang/pv parses the text.
type PV struct {
	Pos  Pos
	Text string
}

// Avp is an attribute in avp syntax (%name, $f.x ...).
type Avp struct {
	Pos  Pos
	Text string
}

// Select is @a.b["x"][1] as written.
type Select struct {
	Pos  Pos
	Text string
}

// Call is a core command or a module function; which is decided later (core names win).
type Call struct {
	Pos    Pos
	Name   string
	Args   []Expr
	Parens bool
}

// HostPort is an argument uri:host or uri:port of forward().
type URIPart struct {
	Pos  Pos
	Port bool
}

// BlockExpr is { ... } used as a value; ParenAssign is (a = b).
type BlockExpr struct{ Block *Block }
type ParenAssign struct{ Assign *AssignStmt }

// Cond is an operand of a core condition: method, uri, status, from_uri, to_uri, src_ip, dst_ip, src_port, dst_port, proto, af, myself, msg:len, snd_*, to_*.
type Cond struct {
	Pos  Pos
	Name string
}

// Addr is the right side of an address comparison: ip, ip/len, ip/mask, or a bare word (host name, method name, protocol word).
type Addr struct {
	Pos  Pos
	Text string
}

type Unary struct {
	Pos Pos
	Op  string // "!", "-", "~", "(int)", "(str)", "defined", "strlen", "strempty"
	X   Expr
}

type Binary struct {
	Pos  Pos    // of the operator
	Op   string // normalised: "||" "&&" "|" "&" "^" "<<" ">>" "==" "!=" "=~" "ieq" "ine" "eq" "ne" ">" "<" ">=" "<=" "+" "-" "*" "/" "mod"
	L, R Expr
}

type SelVal struct {
	Pos              Pos
	Cond, Then, Else Expr
}

// Options are what the command line adds before the file.
type Options struct {
	Defines                    []Define // predefined and -A
	ModuleDefines              bool     // define MOD_x after each loadmodule
	Subst, SubstDef, SubstDefs []string
	Env                        func(string) (string, bool)       // nil: os.LookupEnv
	ReadFile                   func(path string) ([]byte, error) // nil: os.ReadFile
}
