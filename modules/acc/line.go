package acc

import (
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// write prints the line of a transaction. A local reply (nil) has the usual text of its code, and our tag if it answers an INVITE.
func (m *mod) write(c *route.Ctx, what string, code int, reply *sipparse.Msg) {
	var num [3]byte
	if reply != nil {
		text := reply.Bytes(reply.Line.Reason)
		if h := reply.Find(reasonName); m.reasonHF != 0 && h != nil {
			text = reply.Bytes(h.Body)
		}
		m.print(c, what, strconv.AppendInt(num[:0], int64(code), 10), text, toTag(reply))
		return
	}
	tag := toTag(&c.Msg)
	if len(tag) == 0 && c.Msg.Line.Method == sipparse.INVITE {
		tag = c.ToTag(&m.tag)
	}
	m.print(c, what, strconv.AppendInt(num[:0], int64(code), 10), c.Scratch.CopyString(reason(code)), tag)
}

var reasonName = []byte("Reason")

func toTag(msg *sipparse.Msg) []byte {
	to, e := msg.To()
	if e != sipparse.OK {
		return nil
	}
	return msg.Bytes(to.Tag)
}

// print writes a line as Kamailio prints it; the extra fields are those of the request as it is now.
func (m *mod) print(c *route.Ctx, what string, code, reason, tag []byte) {
	level := log.Level(m.level)
	if !c.P.Log.On(level) {
		return
	}
	var from []byte
	if f, e := c.Msg.From(); e == sipparse.OK {
		from = c.Msg.Bytes(f.Tag)
	}
	if m.rr != nil && m.rr.Upstream(c) {
		from, tag = tag, from
	}
	b := append(m.line[:0], what...)
	b = append(b, "timestamp="...)
	b = strconv.AppendInt(b, c.P.Host.Now()/1e9, 10)
	b = m.appendTime(b, c.P.Host.Now())
	b = field(b, ";method=", c.Msg.Bytes(c.Msg.Line.MethodText))
	b = field(b, ";from_tag=", from)
	b = field(b, ";to_tag=", tag)
	b = field(b, ";call_id=", c.Msg.CallID())
	b = field(b, ";code=", code)
	b = field(b, ";reason=", reason)
	for i := range m.extra {
		x := &m.extra[i]
		b = append(append(b, ';'), x.name...)
		b = append(b, '=')
		b = append(b, x.pv.Get(c).Text(c)...)
	}
	b = m.appendLegs(c, b)
	b = append(b, '\n')
	m.line = b
	c.P.Log.Write(&log.Line{Level: level, Facility: m.facility, Prefix: c.LogPrefix(), Where: "acc: ", CallID: c.Msg.CallID(), Raw: true}, b)
}

func field(b []byte, name string, val []byte) []byte { return append(append(b, name...), val...) }

// reason is the usual text of a status (RFC 3261 section 21 and what came after it).
func reason(code int) string {
	if t, ok := reasons[code]; ok {
		return t
	}
	switch code / 100 {
	case 2:
		return "OK"
	case 3:
		return "Redirect"
	case 4:
		return "Request Failure"
	case 5:
		return "Server Failure"
	}
	return "Global Failure"
}

var reasons = map[int]string{
	200: "OK", 202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
	407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
	415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 423: "Interval Too Brief",
	480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
	485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending", 493: "Undecipherable",
	500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
	505: "Version Not Supported", 513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}
