package textops

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

var errNoMethod = errors.New("no method given")

// compileIsMethod knows methods in any case; one that is not known may only stand alone, as in Kamailio.
func compileIsMethod(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	var bits sipparse.Method
	var other []byte
	n := 0
	for s := range strings.FieldsFuncSeq(string(a.At(0).Text), func(r rune) bool { return r == '|' || r == ',' || r == ' ' || r == '\t' }) {
		n++
		if m := sipparse.LookupMethod([]byte(strings.ToUpper(s))); m != sipparse.OtherMethod {
			bits |= m
			continue
		}
		if strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`$()<>@;:\"/[]?={}`, r) }) >= 0 {
			return nil, fmt.Errorf("%q is no method", s)
		}
		other = []byte(s)
	}
	if n == 0 {
		return nil, errNoMethod
	}
	if other != nil {
		if n > 1 {
			return nil, fmt.Errorf("method %q is not known: it can not stand in a list", other)
		}
		return func(c *route.Ctx) int { return truth(bytes.EqualFold(methodText(c), other)) }, nil
	}
	return func(c *route.Ctx) int { return truth(c.Msg.Method()&bits != 0) }, nil
}

func methodText(c *route.Ctx) []byte {
	if !c.Msg.Line.IsReply {
		return c.Msg.Bytes(c.Msg.Line.MethodText)
	}
	q, e := c.Msg.CSeq()
	if e != sipparse.OK {
		return nil
	}
	return c.Msg.Bytes(q.MethodText)
}
