package core

import (
	"fmt"
	"slices"
	"strings"

	"kahea/cfglang/syntax"
)

// Type of a parameter's value.
type Type uint8

const (
	Bool Type = iota // a number; yes, no, on, off, true, false are numbers too
	Number
	Integer // may be negative
	String
	StringOrID
)

// Param is one row of the table of global parameters.
type Param struct {
	Name     string
	Aliases  []string
	Type     Type
	Min, Max int // of Number and Integer; both 0: any
	Bool     *bool
	Int      *int
	Str      *string
	Invert   bool     // Bool: disable_x
	OneOf    []string // of String: all that it may be; nil: any text
	Words    []Word   // of Number and Integer: words that stand for numbers, in any case
	List     bool     // with Words: several in one string, separated by commas, are the sum
	Runtime  string   // group of the run-time variable, "" if it can not change
	RTName   string   // its name there; "" = Name
	Fixed    bool     // a reload does not change it: it belongs to what exists since the start
	Void     string   // why it changes nothing here: it is accepted, and that is said when it is set
	Doc      string   // what it does, unit, default
}

// Word is a word that stands for a number.
type Word struct {
	Text string
	N    int
}

// Params is the table, bound to c. The checker, the command line, `cfg.get` and the documentation read it.
func (c *Config) Params() []Param {
	return slices.Concat(c.logParams(), c.processParams(), c.socketParams(), c.tcpParams(), c.dnsParams(), c.sipParams(), voidParams())
}

// notYet are parameters of Kamailio that kahea does not have yet: an error of their own kind, so that nobody takes them for a slip of
// the pen.
var notYet = strings.Fields(`xavp_via_params xavp_via_fields xavp_via_reply_params msg_apply_changes_mode route_locks_size`)

// NotYet says whether name is a parameter of Kamailio that kahea does not have yet.
func NotYet(name string) bool {
	for _, n := range notYet {
		if n == name {
			return true
		}
	}
	return false
}

// Find is the row of a name or alias; nil if there is none.
func Find(table []Param, name string) *Param {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
		for _, a := range table[i].Aliases {
			if a == name {
				return &table[i]
			}
		}
	}
	return nil
}

// Names lists the names and aliases of a table, for suggestions.
func Names(table []Param) []string {
	var n []string
	for i := range table {
		n = append(append(n, table[i].Name), table[i].Aliases...)
	}
	return n
}

// Set stores a value as it was written; the error says what was expected.
func (p *Param) Set(v syntax.Value) error {
	switch p.Type {
	case Bool, Number, Integer:
		if v.Kind != syntax.IntValue && p.Words != nil {
			n, err := p.words(v.Str)
			if err != nil {
				return err
			}
			v = syntax.Value{Kind: syntax.IntValue, Int: int64(n)}
		}
		if v.Kind != syntax.IntValue {
			return fmt.Errorf("%s: got %q, want a number", p.Name, v.Str)
		}
		n := int(v.Int)
		if p.Type != Integer && v.Sign || p.Type == Number && n < 0 { // numbers from 2^31 on are negative by now, as in Kamailio, whose grammar has no sign here
			return fmt.Errorf("%s: got %d, want a number that is not negative", p.Name, n)
		}
		if (p.Min != 0 || p.Max != 0) && (n < p.Min || p.Max != 0 && n > p.Max) {
			return fmt.Errorf("%s: got %d, want %d to %d", p.Name, n, p.Min, p.Max)
		}
		if p.Bool != nil {
			*p.Bool = (n != 0) != p.Invert
			return nil
		}
		*p.Int = n
		return nil
	case String:
		if v.Kind != syntax.StrValue {
			return fmt.Errorf("%s: want a string in quotes", p.Name)
		}
	case StringOrID:
		if v.Kind == syntax.IntValue && v.Sign {
			return fmt.Errorf("%s: want a name or a string in quotes", p.Name)
		}
		if v.Kind == syntax.IntValue {
			*p.Str = fmt.Sprint(v.Int)
			return nil
		}
	}
	if p.OneOf != nil && !slices.Contains(p.OneOf, v.Str) {
		return fmt.Errorf("%s: got %q, want %s", p.Name, v.Str, strings.Join(p.OneOf, " or "))
	}
	*p.Str = v.Str
	return nil
}

// words is the number that a word stands for, of a list the sum.
func (p *Param) words(text string) (n int, err error) {
	parts := []string{text}
	if p.List {
		parts = strings.Split(text, ",")
	}
	for _, w := range parts {
		w = strings.TrimSpace(w)
		i := slices.IndexFunc(p.Words, func(x Word) bool { return strings.EqualFold(x.Text, w) })
		if i < 0 {
			var all []string
			for _, x := range p.Words {
				all = append(all, x.Text)
			}
			return 0, fmt.Errorf("%s: got %q, want a number or %s", p.Name, w, strings.Join(all, ", "))
		}
		n |= p.Words[i].N
	}
	return n, nil
}
