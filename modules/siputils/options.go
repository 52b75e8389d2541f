package siputils

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// optionsReply answers 200 with Accept and its kin; only OPTIONS to the server itself, without user, are answered.
func (m *mod) optionsReply(c *route.Ctx, _ *route.Args) int {
	if m.sl == nil {
		c.Logf(log.Err, "siputils", "options_reply needs module sl")
		return -1
	}
	u, _, ok := c.ParsedRURI()
	if !ok {
		return -1
	}
	if c.Msg.Line.Method != sipparse.OPTIONS {
		c.Logf(log.Err, "siputils", "options_reply: the request is no OPTIONS")
		return -1
	}
	if !u.User.Empty() {
		c.Logf(log.Err, "siputils", "options_reply: the request is for a user, not for the server")
		return -1
	}
	b := c.Scratch.Tail(128 + len(m.accept) + len(m.encoding) + len(m.language) + len(m.support))
	for _, h := range [...]struct{ name, val string }{{"Accept: ", m.accept}, {"Accept-Encoding: ", m.encoding},
		{"Accept-Language: ", m.language}, {"Supported: ", m.support}} {
		b = append(append(append(b, h.name...), h.val...), "\r\n"...)
	}
	c.Edits.AddReplyHeader(c.Scratch.Keep(b))
	return m.sl.SendReply(c, 200, []byte("OK"))
}
