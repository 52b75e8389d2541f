package core

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// nthVia finds Via n, counted from 1; negative counts from the end.
func nthVia(c *route.Ctx, n int, v *sipparse.Via) bool {
	count := 0
	for h := c.Msg.First(sipparse.HdrVia); h != nil; h = c.Msg.NextOf(h) {
		for at := h.Body; !at.Empty(); at = v.Rest {
			if sipparse.ParseVia(c.Msg.Buf, at, v) != sipparse.OK {
				return false
			}
			if count++; count == n {
				return true
			}
		}
	}
	if n < 0 && count+1+n > 0 {
		return nthVia(c, count+1+n, v)
	}
	return false
}

// viaEnd is where a Via ends, its comment included.
func viaEnd(c *route.Ctx, v *sipparse.Via) uint32 {
	if !v.Rest.Empty() {
		return v.Rest.Off
	}
	for h := c.Msg.First(sipparse.HdrVia); h != nil; h = c.Msg.NextOf(h) {
		if h.Body.Off <= v.Whole.Off && v.Whole.Off < h.Body.End() {
			return h.Body.End()
		}
	}
	return v.Whole.End()
}

// viaParts are the parts of a Via; ok is false when the parameter is not there.
var viaParts = map[string]func(c *route.Ctx, v *sipparse.Via) (b []byte, ok bool){
	"name":      func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.Name), true },
	"version":   func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.Version), true },
	"transport": func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.Transport), true },
	"host":      func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.Host), true },
	"port":      func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.PortText), true },
	"branch":    func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.Branch), v.HasBranch },
	"received": func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) {
		return c.Msg.Bytes(v.Received), !v.Received.Empty()
	},
	"rport": func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.RPort), v.HasRPort },
	"i":     func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.I), v.HasI },
	"alias": func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) { return c.Msg.Bytes(v.Alias), v.HasAlias },
	"comment": func(c *route.Ctx, v *sipparse.Via) ([]byte, bool) {
		b := c.Msg.Buf[v.Whole.Off:viaEnd(c, v)]
		from := max(int(v.Params.End()), int(v.SentByEnd)) - int(v.Whole.Off)
		if from < 0 || from > len(b) {
			return nil, true
		}
		b = b[from:]
		i, j := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
		if i < 0 || j < i {
			return nil, true
		}
		return b[i+1 : j], true
	},
}

func viaSelect(_ *Selects, root component, rest []component) (element, error) {
	v := new(sipparse.Via) // of the program, for the time of one call
	n := 1
	if root.hasIdx {
		n = root.index
	}
	if len(rest) == 0 {
		return func(c *route.Ctx) ([]byte, bool) {
			if !nthVia(c, n, v) {
				return nil, false
			}
			return bytes.TrimRight(c.Msg.Buf[v.Whole.Off:viaEnd(c, v)], " \t\r\n,"), true
		}, nil
	}
	part, rest := rest[0], rest[1:]
	if part.key() == "params" {
		return paramSelect(part, rest, func(c *route.Ctx) ([]byte, bool) {
			ok := nthVia(c, n, v)
			return c.Msg.Bytes(v.Params), ok
		})
	}
	f := viaParts[part.key()]
	if f == nil {
		return nil, errSelectPart(root, part)
	}
	return func(c *route.Ctx) ([]byte, bool) {
		if !nthVia(c, n, v) {
			return nil, false
		}
		b, ok := f(c, v)
		return opt(b), ok
	}, alone(part, rest)
}
