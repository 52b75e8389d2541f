package tm

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"kahea/cfglang/route"
	"kahea/modules"
)

// attrName is a parameter that names an attribute ($avp): by name or by number.
type attrName struct {
	set  bool
	name []byte // nil: a number
	id   int64
}

var errAVP = errors.New("want name, s:name, i:number or $avp(...) of these")

// read is the parameter's Func.
func (a *attrName) read(v modules.Value) error {
	text := v.Str
	if in, ok := strings.CutPrefix(text, "$avp("); ok {
		if text, ok = strings.CutSuffix(in, ")"); !ok {
			return errAVP
		}
	}
	if n, ok := strings.CutPrefix(text, "i:"); ok {
		id, err := strconv.ParseInt(n, 10, 32)
		if err != nil {
			return fmt.Errorf("%q: %w", v.Str, errAVP)
		}
		*a = attrName{set: true, id: id}
		return nil
	}
	if text = strings.TrimPrefix(text, "s:"); text == "" || strings.ContainsAny(text, "$():") {
		return fmt.Errorf("%q: %w", v.Str, errAVP)
	}
	*a = attrName{set: true, name: []byte(text)}
	return nil
}

// get is the newest value, Null if the parameter is not set.
func (a *attrName) get(c *route.Ctx) route.Value {
	if !a.set {
		return route.Null
	}
	return c.AVPs.Get(a.name, a.id, 0)
}

func (a *attrName) drop(c *route.Ctx, all bool) { c.AVPs.Delete(a.name, a.id, all) }

// seconds is the value as a time in ms, 0 if there is none or it is no number above 0.
func (a *attrName) seconds(c *route.Ctx) uint32 {
	v := a.get(c)
	n := v.Int
	if !v.IsInt() {
		if v.IsNull() {
			return 0
		}
		x, err := strconv.ParseInt(string(v.Str), 10, 32)
		if err != nil {
			return 0
		}
		n = x
	}
	if n <= 0 || n > 1<<20 {
		return 0
	}
	return uint32(n) * 1000
}
