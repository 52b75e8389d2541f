package pv

import (
	"cmp"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

var mtText = [2]route.Value{route.Str([]byte("rq")), route.Str([]byte("rp"))}

func messageVars() []route.Var {
	body := func(c *route.Ctx) route.Value {
		if !c.Msg.HasBody() {
			return route.Null
		}
		return route.Str(c.Msg.Body())
	}
	hdrs := func(c *route.Ctx) []byte { // without the last line end
		b := c.Msg.Buf[c.Msg.Line.End:c.Msg.HdrEnd]
		return b[:max(len(b)-2, 0)]
	}
	buf := func(c *route.Ctx) route.Value { return text(c.Msg.Buf) }
	size := func(c *route.Ctx) route.Value { return route.Int(int64(len(c.Msg.Body()))) }
	length := func(c *route.Ctx) route.Value { return route.Int(int64(len(c.Msg.Buf))) }
	return []route.Var{
		get("rm", "method; of a reply CSeq's", func(c *route.Ctx) route.Value {
			if !c.Msg.Line.IsReply {
				return route.StrInt(c.Msg.Bytes(c.Msg.Line.MethodText), int64(c.Msg.Line.Method))
			}
			q, e := c.Msg.CSeq()
			if e != sipparse.OK {
				return route.Null
			}
			return route.StrInt(c.Msg.Bytes(q.MethodText), int64(q.Method))
		}),
		get("rmid", "number of the method", func(c *route.Ctx) route.Value {
			if m := c.Msg.Method(); m != 0 {
				return route.Int(int64(m))
			}
			return route.Null
		}),
		get("rv", "version of the first line", func(c *route.Ctx) route.Value { return text(c.Msg.Bytes(c.Msg.Line.Version)) }),
		get("rs", "code of a reply", func(c *route.Ctx) route.Value {
			if !c.Msg.Line.IsReply {
				return route.Null
			}
			return route.Int(int64(c.Msg.Line.Status))
		}),
		get("rsi", "code of a reply as a number; 0 for a request", func(c *route.Ctx) route.Value {
			if !c.Msg.Line.IsReply {
				return route.Int(0)
			}
			return route.Int(int64(c.Msg.Line.Status))
		}),
		get("rr", "reason of a reply", func(c *route.Ctx) route.Value {
			if !c.Msg.Line.IsReply {
				return route.Null
			}
			return route.Str(c.Msg.Bytes(c.Msg.Line.Reason))
		}),
		get("rb", "body", body),
		get("bs", "size of the body", size),
		get("mb", "message as received", buf),
		get("mbu", "message with the changes so far", func(c *route.Ctx) route.Value {
			b := c.Scratch.Tail(len(c.Msg.Buf) + 1024)
			return route.Str(c.Scratch.Keep(c.Edits.Apply(b, c.Msg.Buf)))
		}),
		get("ml", "length of the message", length),
		get("mi", "number of the message in its process", func(c *route.Ctx) route.Value { return route.Int(int64(c.ID)) }),
		get("mt", "1 request, 2 reply", func(c *route.Ctx) route.Value {
			if c.Msg.Line.IsReply {
				return route.Int(2)
			}
			return route.Int(1)
		}),
		get("mts", "rq or rp", func(c *route.Ctx) route.Value {
			if c.Msg.Line.IsReply {
				return mtText[1]
			}
			return mtText[0]
		}),
		choice("msg", "pieces of the message", map[string]route.Getter{
			"len": length, "buf": buf, "body": body, "body_len": size,
			"hdrs":     func(c *route.Ctx) route.Value { return text(hdrs(c)) },
			"hdrs_len": func(c *route.Ctx) route.Value { return route.Int(int64(len(hdrs(c)))) },
			"hdrc":     func(c *route.Ctx) route.Value { return route.Int(int64(len(c.Msg.Hdrs))) },
			"fline": func(c *route.Ctx) route.Value {
				b := c.Msg.Buf[c.Msg.Line.Off:c.Msg.Line.End]
				return text(trimRight(b))
			},
			"fpart": func(c *route.Ctx) route.Value { return text(c.Msg.Buf[:max(c.Msg.HdrEnd-2, 0)]) }, // without the last line end
			"lpart": func(c *route.Ctx) route.Value { return text(c.Msg.Buf[c.Msg.Line.End:]) },
		}),
		{Name: "via0", Bind: bindVia((*sipparse.Msg).Via1), Doc: "parts of the top Via"},
		{Name: "via1", Bind: bindVia((*sipparse.Msg).Via2), Doc: "parts of the second Via"},
		{Name: "viaZ", Bind: bindVia(lastVia), Doc: "parts of the last Via"},
	}
}

// lastVia parses the last via-parm.
func lastVia(m *sipparse.Msg) (*sipparse.Via, sipparse.Err) {
	h := m.Last(sipparse.HdrVia)
	if h == nil {
		return nil, sipparse.ErrNoVia
	}
	var v sipparse.Via
	for at := h.Body; at.Len > 0; at = v.Rest {
		if e := sipparse.ParseVia(m.Buf, at, &v); e != sipparse.OK {
			return nil, e
		}
	}
	return &v, sipparse.OK
}

type viaPart func(m *sipparse.Msg, v *sipparse.Via) route.Value

func viaParam(name string) viaPart {
	return func(m *sipparse.Msg, v *sipparse.Via) route.Value {
		p, _ := sipparse.Param(m.Bytes(v.Params), name) // absent: null
		return text(p)
	}
}

var viaParts = map[string]viaPart{
	"host":        func(m *sipparse.Msg, v *sipparse.Via) route.Value { return text(m.Bytes(v.Host)) },
	"port":        func(_ *sipparse.Msg, v *sipparse.Via) route.Value { return route.Int(int64(cmp.Or(v.Port, 5060))) },
	"proto":       func(m *sipparse.Msg, v *sipparse.Via) route.Value { return text(m.Bytes(v.Transport)) },
	"protoid":     func(_ *sipparse.Msg, v *sipparse.Via) route.Value { return route.Int(int64(v.Proto)) },
	"branch":      func(m *sipparse.Msg, v *sipparse.Via) route.Value { return text(m.Bytes(v.Branch)) },
	"rport":       func(m *sipparse.Msg, v *sipparse.Via) route.Value { return text(m.Bytes(v.RPort)) },
	"received":    func(m *sipparse.Msg, v *sipparse.Via) route.Value { return text(m.Bytes(v.Received)) },
	"i":           func(m *sipparse.Msg, v *sipparse.Via) route.Value { return text(m.Bytes(v.I)) },
	"params":      func(m *sipparse.Msg, v *sipparse.Via) route.Value { return text(m.Bytes(v.Params)) },
	"oc":          viaParam("oc"),
	"ocval":       viaParam("oc"),
	"oc-val":      viaParam("oc"),
	"ocalgo":      viaParam("oc-algo"),
	"oc-algo":     viaParam("oc-algo"),
	"ocvalidity":  viaParam("oc-validity"),
	"oc-validity": viaParam("oc-validity"),
	"ocseq":       viaParam("oc-seq"),
	"oc-seq":      viaParam("oc-seq"),
}

func bindVia(of func(m *sipparse.Msg) (*sipparse.Via, sipparse.Err)) func(route.Env, *route.VarRef) (route.Getter, route.Setter, error) {
	return func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		part := viaParts[r.Inner]
		if part == nil {
			return nil, nil, unknownInner(r, viaParts)
		}
		return func(c *route.Ctx) route.Value {
			v, e := of(&c.Msg)
			if e != sipparse.OK {
				return route.Null
			}
			return part(&c.Msg, v)
		}, nil, nil
	}
}
