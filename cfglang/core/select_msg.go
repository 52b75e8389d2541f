package core

import (
	"bytes"
	"strconv"
	"strings"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

func requestPart(f element) element {
	return func(c *route.Ctx) ([]byte, bool) {
		if c.Msg.Line.IsReply {
			return nil, false
		}
		return f(c)
	}
}

func replyPart(f element) element {
	return func(c *route.Ctx) ([]byte, bool) {
		if !c.Msg.Line.IsReply {
			return nil, false
		}
		return f(c)
	}
}

func requestMethod(c *route.Ctx) ([]byte, bool) { return c.Msg.Bytes(c.Msg.Line.MethodText), true }
func requestURI(c *route.Ctx) ([]byte, bool)    { return c.Msg.Bytes(c.Msg.Line.URI), true }
func firstVersion(c *route.Ctx) ([]byte, bool)  { return c.Msg.Bytes(c.Msg.Line.Version), true }
func statusCode(c *route.Ctx) ([]byte, bool)    { return c.Msg.Bytes(c.Msg.Line.StatusText), true }
func reasonPhrase(c *route.Ctx) ([]byte, bool)  { return c.Msg.Bytes(c.Msg.Line.Reason), true }
func wholeMessage(c *route.Ctx) ([]byte, bool)  { return c.Msg.Buf[c.Msg.Line.Off:], true }

// statusAndReason is the first line behind the version.
func statusAndReason(c *route.Ctx) ([]byte, bool) {
	l := &c.Msg.Line
	return c.Msg.Buf[l.StatusText.Off:l.Reason.End()], true
}

func number(f func(c *route.Ctx) int64) element {
	return func(c *route.Ctx) ([]byte, bool) { return c.Scratch.Int(f(c)), true }
}

func messageSelect(_ *Selects, root component, rest []component) (element, error) {
	if root.hasIdx {
		return nil, errSelectIndex(root)
	}
	if len(rest) == 0 {
		return wholeMessage, nil
	}
	part, rest := rest[0], rest[1:]
	switch part.key() {
	case "len":
		return number(func(c *route.Ctx) int64 { return int64(len(c.Msg.Buf)) }), alone(part, rest)
	case "flags":
		return number(func(c *route.Ctx) int64 { return int64(c.Flags) }), alone(part, rest)
	case "type":
		return number(func(c *route.Ctx) int64 {
			if c.Msg.Line.IsReply {
				return 2
			}
			return 1
		}), alone(part, rest)
	case "id":
		if len(rest) > 0 && rest[0].key() == "hex" {
			return func(c *route.Ctx) ([]byte, bool) {
				b := c.Scratch.Tail(32)
				if c.ID < 1<<28 {
					b = append(b, "00000000"[:8-hexDigits(c.ID)]...)
				}
				return c.Scratch.Keep(strconv.AppendUint(b, uint64(c.ID), 16)), true
			}, alone(rest[0], rest[1:])
		}
		return number(func(c *route.Ctx) int64 { return int64(c.ID) }), alone(part, rest)
	case "first_line":
		return func(c *route.Ctx) ([]byte, bool) {
			return bytes.TrimRight(c.Msg.Buf[c.Msg.Line.Off:c.Msg.Line.End], "\r\n"), true
		}, alone(part, rest)
	case "header", "h":
		return headerSelect(part, rest)
	case "body", "content":
		return bodySelect(part, rest)
	case "request", "req":
		return lineSelect(part, rest, requestPart, map[string]element{"method": requestMethod, "uri": requestURI, "version": firstVersion})
	case "response", "res":
		return lineSelect(part, rest, replyPart, map[string]element{"version": firstVersion, "status": statusAndReason, "code": statusCode, "reason": reasonPhrase})
	}
	return nil, errSelectPart(root, part)
}

func hexDigits(n uint32) int {
	d := 1
	for ; n > 15; n >>= 4 {
		d++
	}
	return d
}

func lineSelect(of component, rest []component, only func(element) element, parts map[string]element) (element, error) {
	if len(rest) == 0 {
		return only(wholeMessage), nil
	}
	e := parts[rest[0].key()]
	if e == nil {
		return nil, errSelectPart(of, rest[0])
	}
	return only(e), alone(rest[0], rest[1:])
}

// nthHeader is field n of a name, counted from 1; negative counts from the end.
func nthHeader(m *sipparse.Msg, name []byte, n int) *sipparse.Hdr {
	if n < 0 {
		k := 0
		for h := m.Find(name); h != nil; h = m.FindNext(h) {
			k++
		}
		n += k + 1
	}
	if n < 1 {
		return nil
	}
	h := m.Find(name)
	for ; n > 1 && h != nil; n-- {
		h = m.FindNext(h)
	}
	return h
}

// headerSelect is msg.header["Name"], also with the parts of an address or parameters.
func headerSelect(of component, rest []component) (element, error) {
	if len(rest) == 0 {
		return func(c *route.Ctx) ([]byte, bool) { return c.Msg.Buf[c.Msg.Line.End:c.Msg.HdrEnd], true }, nil
	}
	name, n := rest[0].name, 1
	if !rest[0].quoted {
		name = strings.ReplaceAll(name, "_", "-")
	}
	if rest[0].hasIdx {
		n = rest[0].index
	}
	key := []byte(name)
	body := func(c *route.Ctx) ([]byte, bool) {
		h := nthHeader(&c.Msg, key, n)
		if h == nil {
			return nil, false
		}
		return c.Msg.Bytes(h.Body), true
	}
	if rest = rest[1:]; len(rest) == 0 {
		return body, nil
	}
	part, rest := rest[0], rest[1:]
	switch part.key() {
	case "params":
		return paramSelect(part, rest, func(c *route.Ctx) ([]byte, bool) {
			b, ok := body(c)
			i := bytes.IndexByte(b, ';')
			if !ok || i < 0 || bytes.IndexByte(b[i:], '>') >= 0 {
				return nil, false // parameters of a URI in < > are no parameters of the field
			}
			return b[i+1:], true
		})
	case "nameaddr":
		if len(rest) == 0 {
			return nil, errSelectMore(part)
		}
		addr := func(c *route.Ctx, a *sipparse.NameAddr) bool {
			h := nthHeader(&c.Msg, key, n)
			return h != nil && sipparse.ParseNameAddr(c.Msg.Buf, h.Body, a) == sipparse.OK
		}
		part, rest := rest[0], rest[1:]
		switch part.key() {
		case "uri":
			return uriSelect(part, rest, addrPart(addr, addrURI))
		case "name":
			return addrPart(addr, addrName), alone(part, rest)
		case "params":
			if len(rest) == 0 {
				return addrPart(addr, addrParams), nil
			}
			return paramSelect(part, rest, addrPart(addr, addrParams))
		}
		return nil, errSelectPart(of, part)
	}
	return nil, errSelectPart(of, part)
}

var sdpType = []byte("application/sdp")

// bodySelect is msg.body, msg.body.sdp and msg.body.sdp.line["x"].
func bodySelect(of component, rest []component) (element, error) {
	if len(rest) == 0 {
		return func(c *route.Ctx) ([]byte, bool) { return c.Msg.Body(), true }, nil
	}
	if rest[0].key() != "sdp" {
		return nil, errSelectPart(of, rest[0])
	}
	typ := bodyOf(sipparse.HdrContentType)
	sdp := func(c *route.Ctx) ([]byte, bool) {
		t, ok := typ(c)
		if i := bytes.IndexByte(t, ';'); i >= 0 {
			t = t[:i]
		}
		if !ok || !bytes.EqualFold(bytes.TrimSpace(t), sdpType) {
			return nil, false
		}
		b := c.Msg.Body()
		return b, len(b) > 0
	}
	line := rest[1:]
	if len(line) == 0 {
		return sdp, alone(rest[0], nil)
	}
	if line[0].key() != "line" {
		return nil, errSelectPart(rest[0], line[0])
	}
	if len(line) < 2 || len(line[1].name) == 0 {
		return nil, errSelectMore(line[0])
	}
	letter := line[1].name[0]
	return func(c *route.Ctx) ([]byte, bool) {
		b, ok := sdp(c)
		if !ok {
			return nil, false
		}
		for len(b) > 0 {
			l, next, _ := bytes.Cut(b, newline)
			if len(l) > 1 && l[0] == letter && l[1] == '=' {
				return bytes.TrimRight(l[2:], "\r"), true
			}
			b = next
		}
		return nil, false
	}, alone(line[1], line[2:])
}

var newline = []byte("\n")
