package registrar

import (
	"strconv"

	"kahea/cfglang/core"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Values of outbound_mode (RFC 5626).
const (
	outboundNone     = 0 // not there
	outboundOffered  = 1
	outboundRequired = 2
)

// outbound says whether reg-id counts in this request, or why it is refused.
func (m *mod) outbound(c *route.Ctx, list []binding) (regID bool, bad *refusal) {
	client := supports(c, "outbound")
	switch {
	case m.outboundMode == outboundRequired && !client && c.Msg.First(sipparse.HdrSupported) != nil:
		return false, refuseNoOB // who has no Supported at all passes, as with Kamailio
	case m.outboundMode == outboundNone && lists(c, sipparse.HdrRequire, "outbound"):
		return false, refuseOB
	case m.regIDMode != 0 || m.outboundMode == outboundNone:
		return true, nil
	}
	if _, e := c.Msg.Via2(); e == sipparse.OK && !edgeSupports(c) {
		// it came by another proxy, which has not said that it keeps the flow
		if client && len(list) > 0 && list[0].regID != 0 {
			return false, refuseEdge
		}
		return false, nil
	}
	return true, nil
}

// edgeSupports says whether the URI of the first Path value has the parameter ob: the client's first hop does outbound.
func edgeSupports(c *route.Ctx) bool {
	v := c.Msg.Values(sipparse.HdrPath)
	if ok, e := v.Next(); !ok || e != sipparse.OK {
		return false
	}
	b := c.Msg.Bytes(v.URI)
	var u sipparse.URI
	if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
		return false
	}
	_, ok := sipparse.Param(u.Params.In(b), "ob")
	return ok
}

// outboundLines adds to the answer what RFC 5626 section 6 wants.
func (m *mod) outboundLines(c *route.Ctx) {
	const require, supported = "Require: outbound\r\n", "Supported: outbound\r\n"
	client := supports(c, "outbound") || lists(c, sipparse.HdrRequire, "outbound")
	switch {
	case m.outboundMode == outboundNone:
		return
	case m.outboundMode == outboundRequired:
		c.Edits.AddReplyHeader([]byte(require + supported))
	case client:
		c.Edits.AddReplyHeader([]byte(supported + require))
	default:
		c.Edits.AddReplyHeader([]byte(supported))
	}
	if client && m.flowTimer > 0 {
		c.Edits.AddReplyHeader(append(strconv.AppendInt([]byte("Flow-Timer: "), int64(m.flowTimer), 10), "\r\n"...))
	}
}

// socket is the index of the socket that a contact is registered on: the one that the request came by, or with sock_flag set on the message the one that the header
// sock_hdr_name or $xavp(xavp_cfg=>socket) names.
func (m *mod) socket(c *route.Ctx) int {
	if m.sockFlag >= 0 && c.Flags&(1<<m.sockFlag) != 0 {
		var text []byte
		if m.sockHdrName != "" {
			if h := c.Msg.Find([]byte(m.sockHdrName)); h != nil {
				text = c.Msg.Bytes(h.Body)
			}
		} else {
			text = m.cfgText(c, cfgSocket)
		}
		if len(text) > 0 {
			if proto, host, port, err := core.SplitSocket(string(text)); err == nil {
				if s := c.P.Net.Lookup(proto, host, port); s != nil {
					return s.Index
				}
			}
			c.Logf(log.Err, "registrar", "save: there is no socket %q", text)
		}
	}
	if c.Recv.Sock == nil {
		return -1
	}
	return c.Recv.Sock.Index
}

// addSockHdr is add_sock_hdr(name): a header field that says by which socket the request came, for the registrar behind.
func addSockHdr(c *route.Ctx, a *route.Args) int {
	name, ok := a.Str(c, 0)
	if !ok || len(name) == 0 || c.Recv.Sock == nil {
		return -1
	}
	line := c.Scratch.Concat(name, []byte(": "), c.Recv.Sock.Text, []byte("\r\n"))
	c.Edits.InsertBefore(c.Msg.HdrEnd, line, sipparse.HdrOther)
	return 1
}

// Numbers of Ctx.Ext[extReply]: what reg_send_reply is to send.
const (
	extReply    = 2
	withheldOK  = 1
	withheldBad = 2 // + index in refusals
)

// sendReply is reg_send_reply: the reply that save() with 2 has not sent.
func (m *mod) sendReply(c *route.Ctx, _ *route.Args) int {
	switch n := c.Ext[extReply]; {
	case n == 0:
		c.Logf(log.Err, "registrar", "reg_send_reply: nothing has been saved")
		return -1
	case n == withheldOK:
		return m.sl.SendReply(c, 200, okReason)
	default:
		r := refusals[n-withheldBad]
		return m.sl.SendReply(c, r.code, []byte(r.reason))
	}
}
