package route

import "kahea/sipparse"

// runRaw is the body of a message's coroutine when somebody wants to see it before it counts as parsed: Incoming, and with received_route_mode
// event_route[core:msg-received]. They may change its bytes, the latter may drop it. Only attributes live on in the routes behind them.
func (p *Proc) runRaw(c *Ctx) {
	buf := c.Msg.Buf
	if p.Incoming != nil {
		c.Msg.Parse(buf) // as far as it goes: $rm and its kin work; what is wrong with it is told below
		buf = p.Incoming(c, buf)
		if c.refused {
			return
		}
		c.forget()
	}
	if r := p.events.received; r != nil {
		c.raw = buf
		c.Msg.Parse(buf)
		code, flow := c.RunTop(r, InEvent)
		buf = c.raw
		c.raw, c.code = nil, 0
		if flow&FlowDrop != 0 || code < 0 {
			return
		}
		c.forget()
	}
	if e := c.parse(buf); e != sipparse.OK {
		p.logUnparsable(c, e)
		if p.events.parseError != nil {
			c.RunTop(p.events.parseError, InEvent)
		}
		c.code = -1 // closes the connection
		return
	}
	p.run(c)
}

// Raw is the message as it was received; nil outside of event_route[core:msg-received].
func (c *Ctx) Raw() []byte { return c.raw }

// SetRaw puts other bytes in its place; they live as long as the message.
func (c *Ctx) SetRaw(b []byte) { c.raw = b }
