package compile

import (
	"errors"
	"strings"

	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
)

// attribute compiles %name: reading takes the newest value, or that of an index; assigning replaces all.
func (k *Compiler) attribute(x *syntax.Avp) *route.PV {
	a, writable := k.attr(x)
	if a == nil {
		return nil
	}
	v := &route.PV{Text: x.Text, Get: a.Get}
	if writable && !a.HasIndex {
		v.Set = a.Set
	}
	return v
}

// attr reads what names an attribute: %name, or $name where the file says that this is one; nil: it was reported.
func (k *Compiler) attr(x *syntax.Avp) (a *route.Attr, writable bool) {
	a, writable, err := route.NewAttr(strings.TrimLeft(x.Text, "%$"))
	if err != nil {
		k.d.Errorf(x.Pos, "attribute %s: %v", x.Text, err)
	}
	return a, writable
}

// appendAttributes compiles %x = %y[], which puts copies of all values of y before those of x.
func (k *Compiler) appendAttributes(s *syntax.AssignStmt) (f route.Stmt, ok bool) {
	l, isAttr := s.L.(*syntax.Avp)
	r, fromAttr := s.R.(*syntax.Avp)
	if !isAttr || !fromAttr || !strings.HasSuffix(r.Text, "[]") {
		return nil, false
	}
	from, _ := k.attr(r)
	to, _ := k.attr(l)
	if from == nil || to == nil || k.lval(l) == nil {
		return nil, true
	}
	return func(c *route.Ctx) int {
		if err := to.Append(c, from); err != nil {
			c.Error("assignment to %s: %v", l.Text, err)
			return -1
		}
		return 1
	}, true
}

// errAttr says why an attribute can not be assigned to.
func errAttr(text string) error {
	if strings.Contains(text, "[") {
		return errIndexedAttr
	}
	return route.ErrReadOnlyAttr
}

var errIndexedAttr = errors.New("one with an index can not be assigned to")

// attrArg is the attribute that an argument names, with %name, as a text, or with $name outside of #!KAMAILIO; nil: it names none.
func (k *Compiler) attrArg(x syntax.Expr) *route.Attr {
	text := ""
	switch x := x.(type) {
	case *syntax.Avp:
		text = x.Text[1:]
	case *syntax.StrLit:
		text = x.Val
	case *syntax.PV:
		if k.o.Mode != syntax.ModeKamailio {
			text = x.Text[1:]
		}
	}
	a, _, err := route.NewAttr(text)
	if err != nil || text == "" || a.HasIndex || a.All {
		return nil
	}
	return a
}
