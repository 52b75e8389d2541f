package textopsx

import (
	"errors"
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// applyChanges writes the message anew into scratch memory, parses that, and forgets the edits; what is prepared for replies stays.
func applyChanges(c *route.Ctx, _ *route.Args) int {
	if c.Edits.Empty() && c.NewURI == nil {
		return 1
	}
	if c.Trans != 0 && !c.Msg.Line.IsReply {
		c.Logf(log.Err, "textopsx", "msg_apply_changes: the transaction exists already")
		return -1
	}
	b, e := edit.AppendChanged(c.P.Host.Buffer(), &c.Msg, &c.Edits, c.NewURI)
	if e != sipparse.OK {
		c.Logf(log.Err, "textopsx", "msg_apply_changes: %v", e)
		return -1
	}
	if !swap(c, "msg_apply_changes", b) {
		return -1
	}
	hdrs := c.Scratch.Copy(c.Edits.ReplyHeaders())
	body, ctype := c.Edits.ReplyBody()
	body, ctype = copyOrNil(c, body), c.Scratch.Copy(ctype)
	c.Edits.Reset()
	if len(hdrs) > 0 {
		c.Edits.AddReplyHeader(hdrs)
	}
	if body != nil {
		c.Edits.SetReplyBody(body, ctype)
	}
	fresh := c.URIFresh
	c.RevertURI() // the new one stands in the request line now
	c.URIFresh = fresh
	return 1
}

// swap makes a copy of b the message; when it can not be parsed, the message stays and false is returned.
func swap(c *route.Ctx, who string, b []byte) bool {
	buf, old := c.Scratch.Copy(b), c.Msg.Buf
	if buf == nil {
		return false
	}
	e := c.Msg.Parse(buf)
	if e == sipparse.OK {
		e = c.Msg.Mandatory()
	}
	if e != sipparse.OK {
		c.Logf(log.Err, "textopsx", "%s: the new message can not be parsed: %v", who, e)
		c.Msg.Parse(old) // it could be parsed before
		return false
	}
	return true
}

// setBuffer is msg_set_buffer.
func setBuffer(c *route.Ctx, a *route.Args) int {
	b, ok := a.Str(c, 0)
	if !ok || c.Trans != 0 && !c.Msg.Line.IsReply {
		return -1
	}
	reply := c.Msg.Line.IsReply
	old := c.Msg.Buf
	if !swap(c, "msg_set_buffer", b) {
		return -1
	}
	if c.Msg.Line.IsReply != reply {
		c.Logf(log.Err, "textopsx", "msg_set_buffer: a request can not become a reply, nor a reply a request")
		c.Msg.Parse(old)
		return -1
	}
	c.Edits.Reset()
	fresh := c.URIFresh
	c.RevertURI()
	c.URIFresh = fresh
	return 1
}

var errChanged = errors.New("want the name of a route")

// compileChanged makes msg_changed_route: the route runs on the message as it would leave; then message, edits and R-URI are what they were.
func compileChanged(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	name := string(a.At(0).Text)
	if name == "" {
		return nil, errChanged
	}
	ref := e.Route(route.InRequest, name)
	return func(c *route.Ctx) int {
		b, bad := edit.AppendChanged(c.P.Host.Buffer(), &c.Msg, &c.Edits, c.NewURI)
		if bad != sipparse.OK {
			c.Logf(log.Err, "textopsx", "msg_changed_route: %v", bad)
			return -1
		}
		old, uri, fresh, ext := c.Msg.Buf, c.NewURI, c.URIFresh, c.Ext
		if !swap(c, "msg_changed_route", b) {
			return -1
		}
		var edits edit.List
		edits.CopyFrom(&c.Edits)
		c.Edits.Reset()
		c.UseRURI(nil)
		c.Call(ref.Route)
		c.Msg.Parse(old)
		c.Edits.CopyFrom(&edits)
		c.UseRURI(uri)
		c.URIFresh, c.Ext = fresh, ext
		return 1
	}, nil
}

func copyOrNil(c *route.Ctx, b []byte) []byte {
	if b == nil {
		return nil
	}
	return c.Scratch.Copy(b)
}

// changeStatus writes the code into the reply in place, so that all that comes after sees it, and edits the reason.
func changeStatus(c *route.Ctx, a *route.Args) int {
	n, ok := a.Int(c, 0)
	if !ok || n < 100 || n > 699 {
		c.Logf(log.Err, "textopsx", "change_reply_status: got code %d, want 100 to 699", n)
		return -1
	}
	l := &c.Msg.Line
	if !l.IsReply {
		return -1
	}
	if old := int64(l.Status); (n < 300 || old < 300) && n/100 != old/100 {
		c.Logf(log.Err, "textopsx", "change_reply_status: a %d can not become a %d: the class of 1xx and 2xx stays", old, n)
		return -1
	}
	if a.N > 1 {
		reason, ok := a.Str(c, 1)
		if !ok {
			return -1
		}
		c.Edits.Replace(l.Reason.Off, l.Reason.Len, reason, sipparse.HdrOther)
	}
	strconv.AppendInt(c.Msg.Bytes(l.StatusText)[:0], n, 10)
	l.Status = uint16(n)
	return 1
}

func removeBody(c *route.Ctx, _ *route.Args) int {
	if n := len(c.Msg.Body()); n > 0 {
		c.Edits.Remove(c.Msg.BodyOff, uint32(n), sipparse.HdrOther)
	}
	return 1
}

// compileKeep makes keep_hf.
func compileKeep(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	keep := func([]byte) bool { return false }
	if a.N > 0 {
		re, err := syntax.ParsePOSIX(string(a.At(0).Text), true, false)
		if err != nil {
			return nil, err
		}
		keep = re.Match
	}
	return func(c *route.Ctx) int {
		for i := range c.Msg.Hdrs {
			h := &c.Msg.Hdrs[i]
			switch h.Type {
			case sipparse.HdrVia, sipparse.HdrFrom, sipparse.HdrTo, sipparse.HdrCallID, sipparse.HdrCSeq, sipparse.HdrMaxForwards, sipparse.HdrContact,
				sipparse.HdrRoute, sipparse.HdrRecordRoute, sipparse.HdrContentType, sipparse.HdrContentLength:
				continue
			}
			if !keep(c.Msg.Bytes(h.Name)) {
				drop(c, h)
			}
		}
		return -1
	}, nil
}

func drop(c *route.Ctx, h *sipparse.Hdr) {
	if !c.Edits.Removed(h.Off) {
		c.Edits.Remove(h.Off, h.End-h.Off, h.Type)
	}
}
