package pv

import (
	"errors"
	"strconv"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// replyVars is $rpl: where a reply will go, by its second Via; null for a request.
func replyVars() []route.Var {
	via := func(f func(c *route.Ctx, host []byte, port uint16, p sipparse.Proto) route.Value) route.Getter {
		return func(c *route.Ctx) route.Value {
			if c.IsRequest() {
				return route.Null
			}
			v, e := c.Msg.Via2()
			if e != sipparse.OK {
				return route.Null
			}
			host, port := c.Msg.Bytes(v.Host), v.Port
			if !v.Received.Empty() {
				host = c.Msg.Bytes(v.Received)
			}
			if n, ok := route.ParseInt(c.Msg.Bytes(v.RPort)); ok && n > 0 && n < 65536 {
				port = uint16(n)
			}
			if port == 0 {
				port = 5060
				if v.Proto == sipparse.TLS {
					port = 5061
				}
			}
			return f(c, host, port, v.Proto)
		}
	}
	count := func(k sipparse.HdrType) route.Getter {
		name := hdrName{typ: k}
		return func(c *route.Ctx) route.Value {
			if c.IsRequest() {
				return route.Null
			}
			n := int64(0)
			name.values(&c.Msg, func([]byte) bool { n++; return true })
			return route.Int(n)
		}
	}
	return []route.Var{choice("rpl", "where a reply goes: $rpl(duri), dhost, dport, dproto, dprotoid; cntvia and cntrr, the values of Via and Record-Route", map[string]route.Getter{
		"duri": via(func(c *route.Ctx, host []byte, port uint16, p sipparse.Proto) route.Value {
			b := append(append(c.Scratch.Tail(len(host)+64), "sip:"...), host...)
			b = strconv.AppendUint(append(b, ':'), uint64(port), 10)
			b = append(append(b, ";transport="...), p.String()...)
			return route.Str(c.Scratch.Keep(b))
		}),
		"dhost":    via(func(_ *route.Ctx, host []byte, _ uint16, _ sipparse.Proto) route.Value { return route.Str(host) }),
		"dport":    via(func(_ *route.Ctx, _ []byte, port uint16, _ sipparse.Proto) route.Value { return route.Int(int64(port)) }),
		"dproto":   via(func(_ *route.Ctx, _ []byte, _ uint16, p sipparse.Proto) route.Value { return protoValue(p) }),
		"dprotoid": via(func(_ *route.Ctx, _ []byte, _ uint16, p sipparse.Proto) route.Value { return route.Int(int64(p)) }),
		"cntvia":   count(sipparse.HdrVia),
		"cntrr":    count(sipparse.HdrRecordRoute),
	})}
}

var (
	errOneChar  = errors.New("one character is needed")
	errPosition = errors.New("the message has no such position")
	errNotOwned = errors.New("the message is a transaction's copy")
)

// msgbufVars is $msgbuf, one byte of the message as received. Writing it does not parse the message again.
func msgbufVars() []route.Var {
	return []route.Var{{Name: "msgbuf", Doc: "character of the received message at a position: $msgbuf(0)", Bind: func(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		if r.Index.Kind != route.NoIndex {
			return nil, nil, errIndex
		}
		at := intParam{pv: r.InnerPV}
		if at.pv == nil {
			var err error
			if at, err = number(&route.TransParam{Text: r.Inner}); err != nil {
				return nil, nil, err
			}
		}
		return func(c *route.Ctx) route.Value {
				n, ok := at.eval(c)
				if !ok || n < 0 || n >= len(c.Msg.Buf) {
					return route.Null
				}
				return route.Str(c.Scratch.Copy(c.Msg.Buf[n : n+1]))
			}, func(c *route.Ctx, v route.Value) error {
				n, ok := at.eval(c)
				switch {
				case !isStr(v) || len(v.Str) != 1:
					return errOneChar
				case !ok || n < 0 || n >= len(c.Msg.Buf):
					return errPosition
				case c.Kind&(route.InRequest|route.AnyReply) == 0:
					return errNotOwned
				}
				c.Msg.Buf[n] = v.Str[0]
				return nil
			}, nil
	}}}
}
