package textops

import (
	"bytes"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// maxSubexpressions is how many Kamailio can look at (MAX_MATCH).
const maxSubexpressions = 20

// compileSubstring makes regex_substring: -2 when nothing matches. The number of subexpressions that is given counts the whole match too.
func compileSubstring(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	re, err := compileRE(a.At(1).Text)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		text, ok1 := a.Str(c, 0)
		i, ok2 := a.Int(c, 2)
		n, ok3 := a.Int(c, 3)
		if !ok1 || !ok2 || !ok3 || i < 0 || n < 0 || n > maxSubexpressions || i >= n || i > int64(re.NumSubexp()) {
			c.Logf(log.Err, "textops", "regex_substring: there is no subexpression %d of %d", i, n)
			return -1
		}
		m := re.Machine().FindSubmatchIndex(text)
		if m == nil || m[2*i] < 0 || m[2*i] == m[2*i+1] {
			return -2
		}
		return assign(c, a.PV(4), text[m[2*i]:m[2*i+1]])
	}, nil
}

// viaParamRemove is via_param_rm: of the nth via-parm of all Via fields.
func viaParamRemove(c *route.Ctx, a *route.Args) int {
	name, ok1 := a.Str(c, 0)
	n, ok2 := a.Int(c, 1)
	if !ok1 || !ok2 || n < 0 || len(name) == 0 {
		return -1
	}
	for h := c.Msg.First(sipparse.HdrVia); h != nil; h = c.Msg.NextOf(h) {
		for at := h.Body; ; n-- {
			var v sipparse.Via
			if sipparse.ParseVia(c.Msg.Buf, at, &v) != sipparse.OK {
				return -1
			}
			if n == 0 {
				return removeViaParam(c, &v, name)
			}
			if at = v.Rest; at.Empty() {
				n--
				break
			}
		}
	}
	return -1
}

func removeViaParam(c *route.Ctx, v *sipparse.Via, name []byte) int {
	params := c.Msg.Bytes(v.Params)
	at := v.Params.Off - 1 // the ';' before the parameter
	for p := range bytes.SplitSeq(params, []byte(";")) {
		key, _, _ := bytes.Cut(p, []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(key), name) {
			c.Edits.Remove(at, uint32(len(p))+1, sipparse.HdrVia)
			return 1
		}
		at += uint32(len(p)) + 1
	}
	return -1
}
