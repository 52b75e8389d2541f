package sl

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

// Bits of send_reply_mode.
const (
	modeNoConnect = 1
	modeClose     = 2
)

func (m *mod) sendReplyMode(c *route.Ctx, a *route.Args) int {
	code, reason, err := m.args(c, a)
	if err != nil {
		c.Logf(log.Err, "sl", "send_reply_mode: %v", err)
		return -1
	}
	mode, ok := a.Int(c, 2)
	if !ok || mode < 0 || mode > modeNoConnect|modeClose {
		c.Logf(log.Err, "sl", "send_reply_mode: mode %d is not 0 to 3", mode)
		return -1
	}
	if mode&modeNoConnect != 0 {
		c.RplFlags |= route.SendNoConnect
	}
	if mode&modeClose != 0 {
		c.RplFlags |= route.SendClose
	}
	return m.SendReply(c, code, reason)
}

// forwardReply is sl_forward_reply. A reply with a reason and no code of its own keeps its code.
func (m *mod) forwardReply(c *route.Ctx, a *route.Args) int {
	l := &c.Msg.Line
	if !l.IsReply {
		return -1
	}
	code, reason := int(l.Status), c.Msg.Bytes(l.Reason)
	if a.N > 0 {
		n, ok := a.Int(c, 0)
		if !ok || n/100 != int64(code/100) {
			c.Logf(log.Err, "sl", "sl_forward_reply: a %d can not become a %d: the class stays", code, n)
			return -1
		}
		code = int(n)
	}
	if a.N > 1 {
		b, ok := a.Str(c, 1)
		if !ok {
			return -1
		}
		if len(b) > 0 {
			reason = b
		}
	}
	if !c.ForwardReply(code, reason) {
		return -1
	}
	return 1
}
