package textops

import (
	"bytes"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

var (
	contentType = []byte("Content-Type: ")
	crlf        = []byte("\r\n")
)

// hasBody: there is a body, and its type is the one given.
func hasBody(c *route.Ctx, a *route.Args) int {
	if n, has, e := c.Msg.ContentLength(); e == sipparse.OK && has && n == 0 || !has && len(c.Msg.Body()) == 0 {
		return -1 // what Content-Length says counts, as in Kamailio
	}
	if a.N == 0 {
		return 1
	}
	h := c.Msg.First(sipparse.HdrContentType)
	if h == nil {
		// RFC 3261 7.4.1 has no default but Kamailio takes SDP
		return truth(bytes.EqualFold(a.At(0).Text, sdp))
	}
	b := c.Msg.Bytes(h.Body)
	if i := bytes.IndexByte(b, ';'); i >= 0 {
		b = b[:i]
	}
	return truth(bytes.EqualFold(bytes.TrimSpace(b), a.At(0).Text))
}

var sdp = []byte("application/sdp")

func setBodyHex(c *route.Ctx, a *route.Args) int {
	body, ctype, ok := bodyArgs(c, a)
	if !ok {
		return -1
	}
	if body, ok = fromHex(c, body); !ok {
		c.Logf(log.Err, "textops", "set_body_hex: the body is not written in hexadecimal digits")
		return -1
	}
	return replaceBody(c, body, ctype)
}

func setReplyBodyHex(c *route.Ctx, a *route.Args) int {
	body, ctype, ok := bodyArgs(c, a)
	if !ok {
		return -1
	}
	if body, ok = fromHex(c, body); !ok {
		c.Logf(log.Err, "textops", "set_reply_body_hex: the body is not written in hexadecimal digits")
		return -1
	}
	return replaceReplyBody(c, body, ctype)
}

func bodyArgs(c *route.Ctx, a *route.Args) (body, ctype []byte, ok bool) {
	body, ok1 := a.Str(c, 0)
	ctype, ok2 := a.Str(c, 1)
	if !ok1 || !ok2 || len(body) == 0 || len(ctype) == 0 {
		c.Logf(log.Err, "textops", "body or content type is empty")
		return nil, nil, false
	}
	return body, ctype, true
}

func setBody(c *route.Ctx, a *route.Args) int {
	body, ctype, ok := bodyArgs(c, a)
	if !ok {
		return -1
	}
	return replaceBody(c, body, ctype)
}

func replaceBody(c *route.Ctx, body, ctype []byte) int {
	c.Edits.DropInserts(sipparse.HdrContentType) // of an earlier set_body
	first := c.Msg.First(sipparse.HdrContentType)
	if first != nil && c.Msg.NextOf(first) == nil && bytes.Equal(c.Msg.Bytes(first.Body), ctype) && !c.Edits.Removed(first.Off) {
		c.Edits.SetBody(body)
		return 1 // the field stays where it is
	}
	for h := first; h != nil; h = c.Msg.NextOf(h) {
		drop(c, h)
	}
	c.Edits.InsertAfter(c.Msg.HdrEnd, c.Scratch.Concat(contentType, ctype, crlf), sipparse.HdrContentType)
	c.Edits.SetBody(body)
	return 1
}

func setReplyBody(c *route.Ctx, a *route.Args) int {
	body, ctype, ok := bodyArgs(c, a)
	if !ok {
		return -1
	}
	return replaceReplyBody(c, body, ctype)
}

func replaceReplyBody(c *route.Ctx, body, ctype []byte) int {
	c.Edits.AddReplyHeader(c.Scratch.Concat(contentType, ctype, crlf))
	c.Edits.SetReplyBody(body, nil)
	return 1
}

func appendToReply(c *route.Ctx, a *route.Args) int {
	b, ok := a.Str(c, 0)
	if !ok || len(b) == 0 {
		return -1
	}
	c.Edits.AddReplyHeader(b)
	return 1
}

// date is a Date line of now.
func date(c *route.Ctx) []byte {
	b := append(c.Scratch.Tail(64), "Date: "...)
	b = time.Unix(0, c.P.Host.Now()).UTC().AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 GMT")
	return c.Scratch.Keep(append(b, "\r\n"...))
}

func appendTime(c *route.Ctx, _ *route.Args) int {
	c.Edits.AddReplyHeader(date(c))
	return 1
}

// appendTimeToRequest puts Date behind the first Via.
func appendTimeToRequest(c *route.Ctx, _ *route.Args) int {
	h := c.Msg.First(sipparse.HdrVia)
	if h == nil || c.Msg.Line.IsReply {
		return -1
	}
	c.Edits.InsertAfter(h.End, date(c), sipparse.HdrDate)
	return 1
}
