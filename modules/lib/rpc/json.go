package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"kahea/modules"
)

// JSONRequest is a JSON-RPC 2.0 request.
type JSONRequest struct {
	Version   string // "2.0"; "" when it is missing
	Method    string
	Params    []*modules.Node // of an object: its members in order, without the names
	BadParams bool            // params is neither array nor object
	ID        []byte          // as it goes back, JSON; nil: there is none
	ReplyName string          // of the fifo transport
	StorePath string
}

// Codes of JSON-RPC 2.0, with their texts.
const (
	CodeParse   = -32700
	CodeRequest = -32600
	CodeParams  = -32602
)

var standardTexts = map[int]string{
	CodeParse: "Parse error", CodeRequest: "Invalid Request", -32601: "Method not found", CodeParams: "Invalid params", -32603: "Internal error",
	-32000: "Execution error",
}

// ErrNotObject says that a text is JSON, but no request: a batch, for example.
var ErrNotObject = errors.New("a JSON-RPC request is an object")

// ParseJSON reads one request; what stands behind it is ignored, as Kamailio does.
func ParseJSON(b []byte) (*JSONRequest, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	n, err := jsonValue(d, 0)
	if err != nil {
		return nil, fmt.Errorf("parse request: %w", err)
	}
	if n.Kind != modules.KindStruct {
		return nil, ErrNotObject
	}
	r := &JSONRequest{}
	for i, name := range n.Names {
		m := n.Members[i]
		switch name {
		case "jsonrpc":
			r.Version = m.Str
		case "method":
			r.Method = m.Str
		case "params":
			r.Params, r.BadParams = m.Members, m.Kind != modules.KindArray && m.Kind != modules.KindStruct
		case "reply_name":
			r.ReplyName = m.Str
		case "store_path":
			r.StorePath = m.Str
		case "id":
			if m.Kind != modules.KindArray && m.Kind != modules.KindStruct {
				r.ID = AppendJSON(nil, m, false, 0)
				if m == null {
					r.ID = []byte("0")
				}
			}
		}
	}
	return r, nil
}

// null is the node of JSON's null: text without a character.
var null = &modules.Node{Kind: modules.KindStr}

func jsonValue(d *json.Decoder, depth int) (*modules.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		n := &modules.Node{Kind: modules.KindArray}
		if t == '{' {
			n.Kind = modules.KindStruct
		}
		for d.More() {
			if t == '{' {
				k, err := d.Token()
				if err != nil {
					return nil, err
				}
				n.Names = append(n.Names, k.(string)) // the decoder makes sure that it is a string
			}
			m, err := jsonValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			n.Members = append(n.Members, m)
		}
		_, err := d.Token() // the end
		return n, err
	case string:
		return &modules.Node{Kind: modules.KindStr, Str: t}, nil
	case json.Number:
		if i, err := t.Int64(); err == nil {
			return &modules.Node{Kind: modules.KindInt, Int: i}, nil
		}
		f, err := t.Float64()
		if err != nil {
			return nil, err
		}
		return &modules.Node{Kind: modules.KindDouble, Double: f}, nil
	case bool:
		n := &modules.Node{Kind: modules.KindInt}
		if t {
			n.Int = 1
		}
		return n, nil
	}
	return null, nil
}

// AppendJSON appends a value; pretty is Kamailio's form: a member a line, indented by tabs.
func AppendJSON(dst []byte, n *modules.Node, pretty bool, depth int) []byte {
	switch n.Kind {
	case modules.KindInt:
		return strconv.AppendInt(dst, n.Int, 10)
	case modules.KindDouble:
		return appendFloat(dst, n.Double)
	case modules.KindStr:
		return appendString(dst, n.Str)
	case modules.KindArray:
		dst = append(dst, '[')
		for i, m := range n.Members {
			if i > 0 {
				dst = append(dst, ',')
				if pretty {
					dst = append(dst, ' ')
				}
			}
			dst = AppendJSON(dst, m, pretty, depth+1)
		}
		return append(dst, ']')
	}
	o := object{dst: append(dst, '{'), pretty: pretty, depth: depth + 1}
	for i, m := range n.Members {
		o.name(n.Names[i])
		o.dst = AppendJSON(o.dst, m, pretty, depth+1)
	}
	return o.end()
}

// object writes the members of an object.
type object struct {
	dst    []byte
	pretty bool
	depth  int
	n      int
}

func (o *object) name(s string) {
	if o.n > 0 {
		o.dst = append(o.dst, ',')
	}
	o.n++
	if o.pretty {
		o.dst = append(o.dst, '\n')
		o.tabs(o.depth)
	}
	o.dst = appendString(o.dst, s)
	o.dst = append(o.dst, ':')
	if o.pretty {
		o.dst = append(o.dst, '\t')
	}
}

func (o *object) end() []byte {
	if o.pretty {
		o.dst = append(o.dst, '\n')
		o.tabs(o.depth - 1)
	}
	return append(o.dst, '}')
}

func (o *object) tabs(n int) {
	for range n {
		o.dst = append(o.dst, '\t')
	}
}

func appendFloat(dst []byte, f float64) []byte {
	switch a := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, '0')
	case f == math.Floor(f) && a < 1e15:
		return strconv.AppendFloat(dst, f, 'f', 0, 64)
	case a < 1e-6 || a > 1e9:
		return strconv.AppendFloat(dst, f, 'e', 6, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', 6, 64)
}

func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 32:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// JSONResult appends the response to a call that succeeded. array: the command always gives a list; otherwise of several values the last one counts.
func JSONResult(dst []byte, r *JSONRequest, array bool, out []*modules.Node, pretty bool) []byte {
	o := object{dst: append(dst, '{'), pretty: pretty, depth: 1}
	o.name("jsonrpc")
	o.dst = append(o.dst, `"2.0"`...)
	o.name("result")
	n := &modules.Node{Kind: modules.KindStruct}
	switch {
	case array:
		n = &modules.Node{Kind: modules.KindArray, Members: out}
	case len(out) > 0:
		n = out[len(out)-1]
	}
	o.dst = AppendJSON(o.dst, n, pretty, 1)
	return o.id(r)
}

// JSONError appends the response to a call that failed; r may be nil.
func JSONError(dst []byte, r *JSONRequest, code int, text string, pretty bool) []byte {
	if code == 0 {
		code = -32000
	}
	if t, ok := standardTexts[code]; ok {
		text = t
	}
	o := object{dst: append(dst, '{'), pretty: pretty, depth: 1}
	o.name("jsonrpc")
	o.dst = append(o.dst, `"2.0"`...)
	o.name("error")
	e := &modules.Node{Kind: modules.KindStruct}
	e.AddInt("code", int64(code))
	e.AddStr("message", text)
	o.dst = AppendJSON(o.dst, e, pretty, 1)
	return o.id(r)
}

func (o *object) id(r *JSONRequest) []byte {
	if r != nil && r.ID != nil {
		o.name("id")
		o.dst = append(o.dst, r.ID...)
	}
	return o.end()
}

// Answer runs the request on the process's loop and calls done there with the response and its code: 200, or the fault's.
func Answer(t *modules.Commands, r *JSONRequest, pretty bool, done func(code int, b []byte)) {
	fail := func(code int, text string) { done(code, JSONError(nil, r, code, text, pretty)) }
	if r.Version == "" || r.Method == "" {
		fail(CodeRequest, "")
		return
	}
	if r.BadParams {
		fail(CodeParams, "")
		return
	}
	c := t.Find(r.Method)
	if c == nil {
		fail(500, "Method Not Found")
		return
	}
	q := &modules.Request{Params: r.Params}
	Call(c, q, func(f *modules.Fault) {
		if f != nil {
			fail(f.Code, f.Text)
			return
		}
		done(200, JSONResult(nil, r, c.Array, q.Out, pretty))
	})
}
