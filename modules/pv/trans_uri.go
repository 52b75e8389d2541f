package pv

import (
	"bytes"
	"strconv"
	"strings"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// onURI makes a binder of a function of a parsed URI; what is no URI fails.
func onURI(f func(c *route.Ctx, u *sipparse.URI, b []byte) route.Value) binder {
	return onText(func(c *route.Ctx, b []byte) route.Value {
		var u sipparse.URI
		if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
			return failed
		}
		return f(c, &u, b)
	})
}

func uriSpan(span func(u *sipparse.URI) sipparse.Span) binder {
	return onURI(func(_ *route.Ctx, u *sipparse.URI, b []byte) route.Value { return route.Str(span(u).In(b)) })
}

func uriTrans() map[string]binder {
	hostSpan := uriSpan(func(u *sipparse.URI) sipparse.Span { return u.Host })
	return map[string]binder{
		"user":      uriSpan(func(u *sipparse.URI) sipparse.Span { return u.User }),
		"host":      hostSpan,
		"domain":    hostSpan,
		"passwd":    uriSpan(func(u *sipparse.URI) sipparse.Span { return u.Passwd }),
		"params":    uriSpan(func(u *sipparse.URI) sipparse.Span { return u.Params }),
		"headers":   uriSpan(func(u *sipparse.URI) sipparse.Span { return u.Headers }),
		"transport": uriSpan(func(u *sipparse.URI) sipparse.Span { return u.Transport }),
		"ttl":       uriSpan(func(u *sipparse.URI) sipparse.Span { return u.TTL }),
		"uparam":    uriSpan(func(u *sipparse.URI) sipparse.Span { return u.UserParam }),
		"maddr":     uriSpan(func(u *sipparse.URI) sipparse.Span { return u.Maddr }),
		"method":    uriSpan(func(u *sipparse.URI) sipparse.Span { return u.MethodParam }),
		"lr":        uriSpan(func(u *sipparse.URI) sipparse.Span { return u.LRVal }),
		"r2":        uriSpan(func(u *sipparse.URI) sipparse.Span { return u.R2 }),
		"scheme":    uriSpan(func(u *sipparse.URI) sipparse.Span { return u.SchemeText }),
		"port": onURI(func(_ *route.Ctx, u *sipparse.URI, b []byte) route.Value {
			return route.IntStr(int64(u.Port), u.PortText.In(b))
		}),
		"param":   bindURIParam,
		"rmparam": bindURIRmParam,
		"tosocket": onURI(func(c *route.Ctx, u *sipparse.URI, b []byte) route.Value {
			if u.Proto == sipparse.ProtoNone || u.Host.Empty() {
				return route.Str(empty) // without a transport there is no socket
			}
			d := c.Scratch.Tail(len(b) + 16)
			d = append(d, u.Proto.String()...)
			d = append(append(d, ':'), u.Host.In(b)...)
			if !u.PortText.Empty() {
				d = append(append(d, ':'), u.PortText.In(b)...)
			} else {
				d = append(d, ":5060"...)
			}
			return route.Str(c.Scratch.Keep(d))
		}),
		"duri": shortURI(false, true), "saor": shortURI(true, false), "suri": shortURI(true, true),
	}
}

// shortURI prints scheme, host and, as asked for, user and port with transport.
func shortURI(withUser, withPort bool) binder {
	return onURI(func(c *route.Ctx, u *sipparse.URI, b []byte) route.Value {
		d := c.Scratch.Tail(len(b) + 8)
		d = append(append(d, u.SchemeText.In(b)...), ':')
		if withUser && !u.User.Empty() {
			d = append(d, u.User.In(b)...)
			if !u.Host.Empty() {
				d = append(d, '@')
			}
		}
		d = append(d, u.Host.In(b)...)
		if withPort {
			if !u.PortText.Empty() {
				d = append(append(d, ':'), u.PortText.In(b)...)
			}
			if !u.Transport.Empty() {
				d = append(append(d, ";transport="...), u.Transport.In(b)...)
			}
		}
		return route.Str(c.Scratch.Keep(d))
	})
}

func bindURIParam(a *route.TransArgs) (step, error) {
	if len(a.Params) != 1 {
		return nil, errParams
	}
	p := &a.Params[0]
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		b, name := v.Text(c), p.Eval(c)
		var u sipparse.URI
		if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
			return failed
		}
		if u.Params.Empty() {
			return route.Str(empty)
		}
		l := paramList{b: u.Params.In(b), delim: ';'}
		if !l.valid() {
			return failed
		}
		l.find(name)
		return route.Str(l.value)
	}, nil
}

func bindURIRmParam(a *route.TransArgs) (step, error) {
	if len(a.Params) != 1 {
		return nil, errParams
	}
	p := &a.Params[0]
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		b, name := v.Text(c), p.Eval(c)
		var u sipparse.URI
		if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
			return failed
		}
		if u.Params.Empty() {
			return route.Str(b)
		}
		d := c.Scratch.Tail(len(b))
		d = append(d, b[:u.Params.Off-1]...) // without the ';'
		for it := sipparse.Params(u.Params.In(b)); it.Next(); {
			if bytes.EqualFold(it.Name, name) {
				continue
			}
			d = append(append(d, ';'), it.Name...)
			if it.HasValue {
				d = append(append(d, '='), it.Value...)
			}
		}
		return route.Str(c.Scratch.Keep(append(d, b[u.Params.End():]...)))
	}, nil
}

// aliasTrans packs where a URI points into host~port~proto, and back.
func aliasTrans() map[string]binder {
	return map[string]binder{
		"encode": onText(func(c *route.Ctx, b []byte) route.Value {
			var u sipparse.URI
			switch {
			case len(b) == 0:
				return failed
			case c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK:
				return route.Str(empty)
			}
			p, port := u.Proto, uint64(5060)
			switch p {
			case sipparse.ProtoNone:
				p = sipparse.UDP
			case sipparse.TLS:
				port = 5061
			}
			d := c.Scratch.Tail(len(b) + 16)
			d = append(append(d, u.Host.In(b)...), '~')
			if u.PortText.Empty() {
				d = strconv.AppendUint(d, port, 10)
			} else {
				d = append(d, u.PortText.In(b)...)
			}
			return route.Str(c.Scratch.Keep(append(d, '~', '0'+byte(p))))
		}),
		"decode": onText(func(c *route.Ctx, b []byte) route.Value {
			i := bytes.IndexByte(b, '~')
			j := bytes.LastIndexByte(b, '~')
			if i < 0 || i == j {
				return failed
			}
			if j+2 != len(b) || b[j+1] < '1' || b[j+1] > '6' {
				return route.Str(empty)
			}
			d := c.Scratch.Tail(len(b) + 32)
			d = append(append(d, "sip:"...), b[:i]...)
			d = append(append(d, ':'), b[i+1:j]...)
			if p := sipparse.Proto(b[j+1] - '0'); p != sipparse.UDP {
				d = append(append(d, ";transport="...), p.String()...)
			}
			return route.Str(c.Scratch.Keep(d))
		}),
	}
}

// onAddr makes a binder of a parsed name-addr.
func onAddr(parse func(b []byte, n *sipparse.NameAddr) sipparse.Err, f func(c *route.Ctx, n *sipparse.NameAddr, b []byte) route.Value) binder {
	return onText(func(c *route.Ctx, b []byte) route.Value {
		var n sipparse.NameAddr
		if len(b) == 0 || parse(b, &n) != sipparse.OK {
			return failed
		}
		return f(c, &n, b)
	})
}

// parseAddr takes the body of From or To, which has a URI.
func parseAddr(b []byte, n *sipparse.NameAddr) sipparse.Err {
	e := n.ParseTo(b, sipparse.Span{Len: uint32(len(b))})
	if e == sipparse.OK && (n.URI.Empty() || bytes.Equal(n.URI.In(b), star)) {
		return sipparse.ErrURI
	}
	return e
}

var star = []byte("*")

// parseNameaddr takes a URI without < > as a whole, parameters included; a quote that nobody closes hides the rest.
func parseNameaddr(b []byte, n *sipparse.NameAddr) sipparse.Err {
	if q := bytes.IndexByte(b, '"'); bytes.IndexByte(b, '<') < 0 || q >= 0 && bytes.IndexByte(b[q+1:], '"') < 0 && q < bytes.IndexByte(b, '<') {
		*n = sipparse.NameAddr{URI: sipparse.Span{Len: uint32(len(b))}}
		return sipparse.OK
	}
	return sipparse.ParseNameAddr(b, sipparse.Span{Len: uint32(len(b))}, n)
}

func nameaddrTrans() map[string]binder {
	return map[string]binder{
		"name": onAddr(parseNameaddr, func(_ *route.Ctx, n *sipparse.NameAddr, b []byte) route.Value {
			if !n.Angle {
				return route.Str(empty)
			}
			return route.Str(b[:n.URI.Off-1]) // up to the '<', blanks included
		}),
		"uri": onAddr(parseNameaddr, func(_ *route.Ctx, n *sipparse.NameAddr, b []byte) route.Value { return route.Str(n.URI.In(b)) }),
		"len": onAddr(parseNameaddr, func(_ *route.Ctx, n *sipparse.NameAddr, _ []byte) route.Value {
			if n.Angle {
				return route.Int(int64(n.URI.End()) + 1)
			}
			return route.Int(int64(n.URI.End()))
		}),
	}
}

func tobodyTrans() map[string]binder {
	span := func(f func(n *sipparse.NameAddr) sipparse.Span) binder {
		return onAddr(parseAddr, func(c *route.Ctx, n *sipparse.NameAddr, b []byte) route.Value { return route.Str(f(n).In(b)) })
	}
	ofURI := func(f func(u *sipparse.URI) sipparse.Span) binder {
		return onAddr(parseAddr, func(c *route.Ctx, n *sipparse.NameAddr, b []byte) route.Value {
			var u sipparse.URI
			b = n.URI.In(b)
			if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
				return failed
			}
			return route.Str(f(&u).In(b))
		})
	}
	return map[string]binder{
		"uri":     span(func(n *sipparse.NameAddr) sipparse.Span { return n.URI }),
		"tag":     span(func(n *sipparse.NameAddr) sipparse.Span { return n.Tag }),
		"display": span(func(n *sipparse.NameAddr) sipparse.Span { return n.Name }),
		"params":  span(func(n *sipparse.NameAddr) sipparse.Span { return n.Params }),
		"user":    ofURI(func(u *sipparse.URI) sipparse.Span { return u.User }),
		"host":    ofURI(func(u *sipparse.URI) sipparse.Span { return u.Host }),
	}
}

// cutLine cuts the first line off, without its line end.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	line, rest = b[:i], b[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest
}

func countLines(b []byte) (n int) {
	for len(b) > 0 {
		_, b = cutLine(b)
		n++
	}
	return n
}

func lineTrans() map[string]binder {
	return map[string]binder{
		"count": onText(func(c *route.Ctx, b []byte) route.Value {
			if len(b) == 0 {
				return failed
			}
			n := int64(countLines(b))
			return route.StrInt(c.Scratch.Int(n), n)
		}),
		"at": withInt(func(_ *route.Ctx, b []byte, n int) route.Value {
			if len(b) == 0 {
				return failed
			}
			if n < 0 {
				n += countLines(b)
				if n < 0 {
					return route.Str(empty)
				}
			}
			for len(b) > 0 {
				var l []byte
				l, b = cutLine(b)
				if n == 0 {
					return route.Str(l)
				}
				n--
			}
			return route.Str(empty)
		}),
		"sw": withText(func(_ *route.Ctx, b, p []byte) route.Value {
			if len(b) == 0 {
				return failed
			}
			for len(b) > 0 {
				var l []byte
				l, b = cutLine(b)
				if bytes.HasPrefix(l, p) {
					return route.Str(l)
				}
			}
			return route.Str(empty)
		}),
	}
}

// valTrans has the methods that take null too.
func valTrans() map[string]binder {
	plain := func(f step) binder {
		return func(a *route.TransArgs) (step, error) {
			if strings.TrimSpace(a.Raw) != "" {
				return nil, errParams
			}
			return f, nil
		}
	}
	return map[string]binder{
		"n0": plain(func(_ *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return route.Int(0)
			}
			return v
		}),
		"ne": plain(func(_ *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return route.Str(empty)
			}
			return v
		}),
		"json": plain(func(c *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return route.Str(empty)
			}
			return route.Str(c.Scratch.Keep(appendJSON(c.Scratch.Tail(0), v.Text(c))))
		}),
		"jsonqe": plain(func(c *route.Ctx, v route.Value) route.Value {
			if v.IsInt() && !v.IsNull() {
				return v
			}
			b := v.Text(c)
			d := append(c.Scratch.Tail(len(b)+2), '"')
			return route.Str(c.Scratch.Keep(append(appendJSON(d, b), '"')))
		}),
	}
}

// appendJSON escapes text as the inside of a JSON string.
func appendJSON(d, b []byte) []byte {
	for _, ch := range b {
		switch ch {
		case '"', '\\':
			d = append(d, '\\', ch)
		case '\b':
			d = append(d, `\b`...)
		case '\f':
			d = append(d, `\f`...)
		case '\n':
			d = append(d, `\n`...)
		case '\r':
			d = append(d, `\r`...)
		case '\t':
			d = append(d, `\t`...)
		default:
			if ch < 0x20 {
				d = append(d, `\u00`...)
				d = append(d, "0123456789abcdef"[ch>>4], "0123456789abcdef"[ch&15])
				continue
			}
			d = append(d, ch)
		}
	}
	return d
}

func numTrans() map[string]binder {
	digit := func(last bool) binder {
		return onText(func(_ *route.Ctx, b []byte) route.Value {
			if _, ok := decimal(b); !ok {
				return route.Int(0)
			}
			if b[0] == '-' || b[0] == '+' {
				b = b[1:]
			}
			if last {
				return route.Int(int64(b[len(b)-1] - '0'))
			}
			return route.Int(int64(b[0] - '0'))
		})
	}
	return map[string]binder{"fdigit": digit(false), "ldigit": digit(true)}
}
