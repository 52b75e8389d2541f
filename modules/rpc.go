package modules

import (
	"fmt"
	"sort"
)

// RPC is a command that control modules (ctl, jsonrpcs) offer to operators.
type RPC struct {
	Name string
	Doc  string
	// Array: the reply is always a list (Kamailio's RET_ARRAY).
	Array bool
	Run   func(r *Request) error
}

// Fault is an error that the client sees with its code.
type Fault struct {
	Code int
	Text string
}

func (f *Fault) Error() string { return fmt.Sprintf("%d %s", f.Code, f.Text) }

// NewFault makes a Fault.
func NewFault(code int, format string, a ...any) error {
	return &Fault{Code: code, Text: fmt.Sprintf(format, a...)}
}

// Kind of a Node.
type Kind uint8

const (
	KindInt Kind = iota
	KindStr
	KindDouble
	KindStruct // named members in order
	KindArray
)

// Node is a value of a reply or a parameter of a request: a small tree that each protocol encodes in its own way.
type Node struct {
	Kind    Kind
	Int     int64
	Str     string
	Double  float64
	Names   []string // KindStruct
	Members []*Node
}

// Request is one call: parameters in, results out.
type Request struct {
	Params []*Node
	Out    []*Node
	next   int
	// Strict: Str and Int take only their own type (binrpc without autoconversion).
	Strict bool
	// Peer describes who asks, for commands about the connection itself (ctl.who): protocol, address, port, own address, own port; nil when the
	// protocol has none.
	Peer []string
	// Delayed, when a command sets it, makes the server wait for Reply instead of encoding Out when Run returns.
	Delayed bool
	Reply   func()
	Fault   *Fault // set before Reply when the delayed command has failed
}

// NextStr is the next parameter as text ("." autoconversion of Kamailio); ok is false when there is none.
func (r *Request) NextStr() (s string, ok bool) {
	if r.next >= len(r.Params) {
		return "", false
	}
	p := r.Params[r.next]
	r.next++
	switch p.Kind {
	case KindInt:
		return fmt.Sprint(p.Int), true
	case KindDouble:
		return fmt.Sprintf("%f", p.Double), true
	}
	return p.Str, true
}

// NextInt is the next parameter as a number; err is a Fault 400 when it is no number, ok is false when there is none.
func (r *Request) NextInt() (n int64, ok bool, err error) {
	if r.next >= len(r.Params) {
		return 0, false, nil
	}
	p := r.Params[r.next]
	r.next++
	switch p.Kind {
	case KindInt:
		return p.Int, true, nil
	case KindDouble:
		return int64(p.Double), true, nil
	case KindStr:
		if _, e := fmt.Sscanf(p.Str, "%d", &n); e == nil {
			return n, true, nil
		}
	}
	return 0, true, NewFault(400, "Invalid parameter value (expected an integer)")
}

// Str is the next parameter, which must be text, or a number where the protocol converts; err is what the client is told.
func (r *Request) Str() (string, error) {
	if r.next >= len(r.Params) {
		return "", NewFault(400, "error at parameter %d: expected string type but end of packet encountered", r.next)
	}
	p := r.Params[r.next]
	if p.Kind == KindStr || !r.Strict && p.Kind == KindInt {
		s, _ := r.NextStr()
		return s, nil
	}
	return "", NewFault(400, "error at parameter %d: expected string type but record doesn't match type", r.next)
}

// Integer is the next parameter, which must be a number, or text of one where the protocol converts.
func (r *Request) Integer() (int64, error) {
	if r.next >= len(r.Params) {
		return 0, NewFault(400, "error at parameter %d: expected integer type but end of packet encountered", r.next)
	}
	p := r.Params[r.next]
	if p.Kind == KindInt || !r.Strict && p.Kind != KindStruct && p.Kind != KindArray {
		n, _, err := r.NextInt()
		return n, err
	}
	return 0, NewFault(400, "error at parameter %d: expected integer type but record doesn't match type", r.next)
}

// NextIsInt says whether the next parameter was given as a number.
func (r *Request) NextIsInt() bool { return r.next < len(r.Params) && r.Params[r.next].Kind == KindInt }

// More says whether parameters are left.
func (r *Request) More() bool { return r.next < len(r.Params) }

// AddInt, AddStr, AddDouble, AddStruct and AddArray append to the reply.
func (r *Request) AddInt(n int64)      { r.Out = append(r.Out, &Node{Kind: KindInt, Int: n}) }
func (r *Request) AddStr(s string)     { r.Out = append(r.Out, &Node{Kind: KindStr, Str: s}) }
func (r *Request) AddDouble(f float64) { r.Out = append(r.Out, &Node{Kind: KindDouble, Double: f}) }

func (r *Request) AddStruct() *Node {
	n := &Node{Kind: KindStruct}
	r.Out = append(r.Out, n)
	return n
}

func (r *Request) AddArray() *Node {
	n := &Node{Kind: KindArray}
	r.Out = append(r.Out, n)
	return n
}

func (n *Node) add(name string, m *Node) *Node {
	if n.Kind == KindStruct {
		n.Names = append(n.Names, name)
	}
	n.Members = append(n.Members, m)
	return m
}

// Int, Text, Float, Struct and Array add a member; name is ignored in an array.
func (n *Node) AddInt(name string, v int64)      { n.add(name, &Node{Kind: KindInt, Int: v}) }
func (n *Node) AddStr(name, v string)            { n.add(name, &Node{Kind: KindStr, Str: v}) }
func (n *Node) AddDouble(name string, v float64) { n.add(name, &Node{Kind: KindDouble, Double: v}) }
func (n *Node) AddStruct(name string) *Node      { return n.add(name, &Node{Kind: KindStruct}) }
func (n *Node) AddArray(name string) *Node       { return n.add(name, &Node{Kind: KindArray}) }

// Commands is the table of all commands of a process; filled before children start, read afterwards.
type Commands struct {
	list   []RPC
	refuse func(r *Request) error
}

// Refuse makes every command answer err from now on: a process whose memory others take away serves nobody any more. On the loop.
func (t *Commands) Refuse(err error) { t.refuse = func(*Request) error { return err } }

// Add registers commands; a name that is taken is an error.
func (t *Commands) Add(l ...RPC) error {
	for _, c := range l {
		if t.Find(c.Name) != nil {
			return fmt.Errorf("register rpc %q: name is taken", c.Name)
		}
		t.list = append(t.list, c)
	}
	sort.Slice(t.list, func(i, j int) bool { return t.list[i].Name < t.list[j].Name })
	return nil
}

// Find is a command by name, nil if there is none.
func (t *Commands) Find(name string) *RPC {
	i := sort.Search(len(t.list), func(i int) bool { return t.list[i].Name >= name })
	if i == len(t.list) || t.list[i].Name != name {
		return nil
	}
	if t.refuse != nil {
		return &RPC{Name: name, Run: t.refuse}
	}
	return &t.list[i]
}

// Names lists all in order.
func (t *Commands) Names() []string {
	n := make([]string, len(t.list))
	for i := range t.list {
		n[i] = t.list[i].Name
	}
	return n
}
