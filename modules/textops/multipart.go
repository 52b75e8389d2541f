package textops

import (
	"bytes"
	"encoding/hex"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// A multipart body (RFC 2046 5.1) is delimiter lines, "--" and the boundary, with parts between them, and "--" behind the last one. Only what stands between two
// delimiters is a part; what is broken has fewer parts or none, and the functions say false. Parts of parts are not looked into, so depth does not matter.

const maxBoundary = 70

// boundaryOf is the boundary of a Content-Type's value; nil: it is not multipart, or its boundary is missing or not allowed.
func boundaryOf(ctype []byte) []byte {
	const multipart = "multipart/"
	if len(ctype) < len(multipart) || !bytes.EqualFold(ctype[:len(multipart)], []byte(multipart)) {
		return nil
	}
	_, params, _ := bytes.Cut(ctype, []byte(";"))
	b, _ := sipparse.Param(params, "boundary")
	if n := len(b); n > 0 && b[0] == '"' {
		if n < 2 || b[n-1] != '"' {
			return nil
		}
		b = b[1 : n-1]
	}
	if len(b) == 0 || len(b) > maxBoundary {
		return nil
	}
	return b
}

// part is a part of a body, as offsets in the body.
type part struct {
	delim   int // its delimiter line
	head    int // its header fields
	content int
	end     int // of the content; the line end before the next delimiter is not part of it
	next    int // the next delimiter line
}

// delimiter finds the next delimiter line from at on: where it begins and ends (its line end included), and whether it is the last one.
func delimiter(body, boundary []byte, at int) (from, to int, last, ok bool) {
	for {
		i := bytes.Index(body[at:], boundary)
		if i < 0 {
			return 0, 0, false, false
		}
		at += i
		from, to = at-2, at+len(boundary)
		at = to
		if from < 0 || !bytes.HasPrefix(body[from:], []byte("--")) || from > 0 && (from < 2 || !bytes.Equal(body[from-2:from], crlf)) {
			continue
		}
		if last = bytes.HasPrefix(body[to:], []byte("--")); last {
			to += 2
		}
		for to < len(body) && (body[to] == ' ' || body[to] == '\t') {
			to++
		}
		if bytes.HasPrefix(body[to:], crlf) {
			to += 2
		} else if !last || to < len(body) {
			continue // a longer boundary
		}
		return from, to, last, true
	}
}

// eachPart walks the parts until f says false; it returns where the last delimiter line begins, -1 if there is none.
func eachPart(body, boundary []byte, f func(p part) bool) (closing int) {
	from, to, last, ok := delimiter(body, boundary, 0)
	for ok {
		if last {
			return from
		}
		p := part{delim: from, head: to}
		if from, to, last, ok = delimiter(body, boundary, to); !ok {
			return -1
		}
		p.next, p.end = from, max(from-2, p.head)
		switch {
		case bytes.HasPrefix(body[p.head:p.end], crlf):
			p.content = p.head + 2 // no header fields
		default:
			i := bytes.Index(body[p.head:p.end], []byte("\r\n\r\n"))
			if i < 0 {
				continue
			}
			p.content = p.head + i + 4
		}
		if !f(p) {
			return -1
		}
	}
	return -1
}

// ctypeOf is the Content-Type of a part.
func ctypeOf(head []byte) []byte {
	for l := range bytes.SplitSeq(head, crlf) {
		name, val, ok := bytes.Cut(l, []byte(":"))
		if ok && sipparse.LookupHdr(bytes.TrimSpace(name)) == sipparse.HdrContentType {
			return bytes.TrimSpace(val)
		}
	}
	return nil
}

// findPart is the first part of a type, which is compared with its parameters, as in Kamailio.
func findPart(c *route.Ctx, ctype []byte) (p part, body []byte, ok bool) {
	h := c.Msg.First(sipparse.HdrContentType)
	if h == nil {
		return p, nil, false
	}
	boundary := boundaryOf(c.Msg.Bytes(h.Body))
	if boundary == nil {
		return p, nil, false
	}
	body = c.Msg.Body()
	eachPart(body, boundary, func(q part) bool {
		if bytes.EqualFold(ctypeOf(body[q.head:q.content]), ctype) {
			p, ok = q, true
		}
		return !ok
	})
	return p, body, ok
}

// filterBody keeps the content of one part; Content-Type stays, as in Kamailio.
func filterBody(c *route.Ctx, a *route.Args) int {
	ctype, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	p, body, ok := findPart(c, ctype)
	if !ok {
		return -1
	}
	at := c.Msg.BodyOff
	c.Edits.Remove(at, uint32(p.content), sipparse.HdrOther)
	c.Edits.Remove(at+uint32(p.end), uint32(len(body)-p.end), sipparse.HdrOther)
	return 1
}

func removeBodyPart(c *route.Ctx, a *route.Args) int {
	ctype, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	p, _, ok := findPart(c, ctype)
	if !ok {
		return -1
	}
	c.Edits.Remove(c.Msg.BodyOff+uint32(p.delim), uint32(p.next-p.delim), sipparse.HdrOther)
	return 1
}

// bodyPart stores a part: with its header fields when raw.
func bodyPart(raw bool) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		ctype, ok := a.Str(c, 0)
		if !ok {
			return -1
		}
		p, body, ok := findPart(c, ctype)
		if !ok {
			return -1
		}
		from := p.content
		if raw {
			from = p.head
		}
		return assign(c, a.PV(1), body[from:p.end])
	}
}

func assign(c *route.Ctx, p *route.PV, b []byte) int {
	if err := p.Set(c, route.Str(b)); err != nil {
		c.Logf(log.Err, "textops", "assignment to %s: %v", p.Text, err)
		return -1
	}
	return 1
}

const defaultBoundary = "unique-boundary-1"

// multiparts is the body and boundary that a set_body_multipart of this script has made, else those of the message.
func multiparts(c *route.Ctx) (body, boundary []byte, made bool) {
	if b, ok := c.Edits.Body(); ok {
		c.Edits.EachInsert(sipparse.HdrContentType, func(line []byte) []byte {
			line = bytes.TrimSuffix(bytes.TrimPrefix(line, contentType), crlf)
			boundary, _, _ = bytes.Cut(line, crlf)
			return nil
		})
		return b, boundaryOf(boundary), true
	}
	if h := c.Msg.First(sipparse.HdrContentType); h != nil {
		boundary = boundaryOf(c.Msg.Bytes(h.Body))
	}
	return c.Msg.Body(), boundary, false
}

// setMultipart wraps a text, or the body, into multipart/mixed; what is multipart already stays as it is when no text is given.
func setMultipart(c *route.Ctx, a *route.Args) int {
	var text, ctype []byte
	boundary := []byte(defaultBoundary)
	if a.N > 0 {
		ok := true
		if text, ok = a.Str(c, 0); !ok {
			return -1
		}
		if a.N > 1 {
			ctype, ok = a.Str(c, 1)
		}
		if a.N > 2 && ok {
			boundary, ok = a.Str(c, 2)
		}
		if !ok || len(text) == 0 || len(ctype) == 0 || len(boundary) == 0 || len(boundary) > maxBoundary {
			c.Logf(log.Err, "textops", "set_body_multipart: text, content type or boundary is empty or too long")
			return -1
		}
	} else {
		var have []byte
		if text, have, _ = multiparts(c); have != nil {
			return 1
		}
		h := c.Msg.First(sipparse.HdrContentType)
		if len(text) == 0 || h == nil {
			return -1
		}
		ctype = c.Msg.Bytes(h.Body)
	}
	b := appendPart(c.Scratch.Tail(len(text)+len(ctype)+3*len(boundary)+64), boundary, ctype, nil, text)
	b = append(append(append(append(b, "--"...), boundary...), "--"...), '\r', '\n')
	b = c.Scratch.Keep(b)
	for h := c.Msg.First(sipparse.HdrContentType); h != nil; h = c.Msg.NextOf(h) {
		drop(c, h)
	}
	c.Edits.DropInserts(sipparse.HdrContentType)
	c.Edits.InsertAfter(c.Msg.HdrEnd, c.Scratch.Concat(contentType, []byte(`multipart/mixed;boundary="`), boundary, []byte("\"\r\nMime-Version: 1.0\r\n")), sipparse.HdrContentType)
	c.Edits.SetBody(b)
	return 1
}

func appendPart(dst, boundary, ctype, disposition, content []byte) []byte {
	dst = append(append(append(append(dst, "--"...), boundary...), '\r', '\n'), contentType...)
	dst = append(append(dst, ctype...), '\r', '\n')
	if len(disposition) > 0 {
		dst = append(append(append(dst, "Content-Disposition: "...), disposition...), '\r', '\n')
	}
	return append(append(append(dst, '\r', '\n'), content...), '\r', '\n')
}

// addBodyPart is append_body_part; decode reads the content.
func addBodyPart(decode func(c *route.Ctx, b []byte) ([]byte, bool)) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		content, ok1 := a.Str(c, 0)
		ctype, ok2 := a.Str(c, 1)
		var disposition []byte
		ok3 := true
		if a.N > 2 {
			disposition, ok3 = a.Str(c, 2)
		}
		if ok1 {
			content, ok1 = decode(c, content)
		}
		if !ok1 || !ok2 || !ok3 || len(content) == 0 || len(ctype) == 0 {
			c.Logf(log.Err, "textops", "append_body_part: content or content type is empty or broken")
			return -1
		}
		body, boundary, made := multiparts(c)
		if boundary == nil {
			c.Logf(log.Err, "textops", "append_body_part: the body is not multipart, or has no boundary")
			return -1
		}
		at := eachPart(body, boundary, func(part) bool { return true })
		if at < 0 {
			c.Logf(log.Err, "textops", "append_body_part: the body has no end")
			return -1
		}
		text := c.Scratch.Keep(appendPart(c.Scratch.Tail(len(content)+len(ctype)+len(disposition)+len(boundary)+64), boundary, ctype, disposition, content))
		if made {
			c.Edits.SetBody(c.Scratch.Concat(body[:at], text, body[at:]))
			return 1
		}
		c.Edits.InsertBefore(c.Msg.BodyOff+uint32(at), text, sipparse.HdrOther)
		return 1
	}
}

func asIs(_ *route.Ctx, b []byte) ([]byte, bool) { return b, true }

func fromHex(c *route.Ctx, b []byte) ([]byte, bool) {
	out := c.Scratch.Alloc(len(b) / 2)
	if out == nil {
		return nil, false
	}
	_, err := hex.Decode(out, b)
	return out, err == nil
}
