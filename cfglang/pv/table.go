// Package pv is the framework of pseudo-variables and transformations: the table of what modules and the core offer, the parser
// of references ($name(inner)[index], $(name{class.method,param})) and of format strings. It compiles a reference once into the
// closures of package route; nothing here runs while a message is handled.
package pv

import (
	"fmt"
	"sort"
	"strings"

	"kahea/cfglang/route"
)

// Table holds the known variables (case-sensitive) and transformation classes (any case).
type Table struct {
	vars  map[string]*route.Var
	trans map[string]*route.Trans
}

// NewTable makes an empty table.
func NewTable() *Table {
	return &Table{vars: map[string]*route.Var{}, trans: map[string]*route.Trans{}}
}

// AddVars adds variables; a name that is taken is an error.
func (t *Table) AddVars(l []route.Var) error {
	for i := range l {
		if t.vars[l[i].Name] != nil {
			return fmt.Errorf("register variable $%s: name is taken", l[i].Name)
		}
		t.vars[l[i].Name] = &l[i]
	}
	return nil
}

// AddTrans adds transformation classes; a class that is taken is an error.
func (t *Table) AddTrans(l []route.Trans) error {
	for i := range l {
		k := strings.ToLower(l[i].Class)
		if t.trans[k] != nil {
			return fmt.Errorf("register transformation class {%s.*}: name is taken", l[i].Class)
		}
		t.trans[k] = &l[i]
	}
	return nil
}

// Var finds a variable; nil if it is unknown.
func (t *Table) Var(name string) *route.Var { return t.vars[name] }

// VarNames lists all names in order, for suggestions and documentation.
func (t *Table) VarNames() []string {
	n := make([]string, 0, len(t.vars))
	for k := range t.vars {
		n = append(n, k)
	}
	sort.Strings(n)
	return n
}

// Classes lists all transformation classes in order.
func (t *Table) Classes() []string {
	n := make([]string, 0, len(t.trans))
	for k := range t.trans {
		n = append(n, k)
	}
	sort.Strings(n)
	return n
}
