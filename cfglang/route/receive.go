package route

import (
	"net/netip"

	"kahea/cfglang/log"
	"kahea/sipparse"
)

// Receive takes one message from the wire through the script. keep is called if the script suspends itself: the caller
// then keeps buf valid until the release that it returns is called. closeConn says that the connection that brought the message is to be
// closed (unparsable, negative script result).
func (p *Proc) Receive(buf []byte, r Recv, keep func() (release func())) (closeConn bool) {
	var key uint64
	own := r.Proto != sipparse.UDP
	if p.Runner.Suspended|p.waiting.n != 0 {
		if r.Proto == sipparse.UDP && p.waiting.n > 0 {
			if key = p.waiting.key(buf, &r); p.absorb(key, buf, &r) {
				return false
			}
		}
		own = true
	}
	c := p.Get()
	c.Recv, c.wire, c.key = r, true, key
	c.ID = p.NextID()
	if own {
		// The script may be in the middle of something that points into the message when it suspends itself, so the message can not be moved then. A datagram's buffer can
		// be kept, but there are few; a stream's can not. So the copy is made before, as soon as one script waits.
		if b := c.Scratch.Copy(buf); b != nil {
			buf, keep = b, nil
		} else {
			c.short = true
		}
	}
	c.keep = keep
	if p.events.received != nil || p.Incoming != nil {
		c.Msg.Buf = buf
		return p.Runner.Run(c, p.rawBody, p.done) && p.lastCode < 0
	}
	if e := c.parse(buf); e != sipparse.OK {
		p.unparsable(c, e)
		return true
	}
	return p.Runner.Run(c, p.body, p.done) && p.lastCode < 0
}

// parse parses the message as far as every message of the wire must be.
func (c *Ctx) parse(buf []byte) sipparse.Err {
	e := c.Msg.Parse(buf)
	if e == sipparse.OK && !c.Msg.Line.IsSIP && !c.Msg.Line.IsReply {
		e = sipparse.ErrFirstLine // there are no hooks for other protocols yet
	}
	if e == sipparse.OK {
		e = c.Msg.Mandatory()
	}
	return e
}

// unparsable logs and counts what can not be parsed and runs its event route.
func (p *Proc) unparsable(c *Ctx, e sipparse.Err) {
	p.logUnparsable(c, e)
	if p.events.parseError == nil {
		p.Put(c)
		return
	}
	p.Runner.Run(c, p.broken, p.done)
}

func (p *Proc) logUnparsable(c *Ctx, e sipparse.Err) {
	if c.Msg.Line.IsReply {
		p.Count(p.Stat.ErrReplies)
	} else {
		p.Count(p.Stat.ErrRequests)
		p.Count(p.Stat.BadMsgHdr)
	}
	if p.Log.On(p.Par.ParserLog) {
		b := c.Msg.Buf
		form := "message from %s:%s can not be parsed: %v: <%s>"
		if p.Par.ParserOneLine {
			form = "message from %s:%s can not be parsed: %v: %q"
		}
		p.Log.Printf(p.Par.ParserLog, "<core>: ", form, c.Recv.Proto, c.Recv.Src, e, b[:min(len(b), 200)])
	}
	if p.Log.On(p.Par.CoreLog) {
		p.Log.Printf(p.Par.CoreLog, "<core>: ", "core parsing of SIP message failed (%s:%d/%s)", c.Recv.Src.Addr(), c.Recv.Src.Port(), c.Recv.Proto)
	}
}

// run is the body of a message's coroutine.
func (p *Proc) run(c *Ctx) {
	c.code = 0
	c.keepPrefix()
	if ev := p.events.preRouting; ev != nil {
		if _, flow := c.RunTop(ev, InEvent); flow&FlowDrop != 0 {
			p.after(c)
			return
		}
	}
	if c.Msg.Line.IsReply {
		p.reply(c)
	} else {
		p.request(c)
	}
	p.after(c)
}

func (p *Proc) request(c *Ctx) {
	p.countRequest(c.Msg.Line.Method)
	if p.Par.RevDNS && c.wire {
		c.nameVia()
		if c.Flow != 0 || c.refused {
			return
		}
	}
	for _, f := range p.OnRequest {
		if !f(c) {
			p.Count(p.Stat.DropRequests)
			return
		}
	}
	if p.Prog.Request == nil {
		c.Error("there is no request_route: request dropped")
		p.Count(p.Stat.DropRequests)
		return
	}
	if p.Par.AcceptAliases && c.Recv.Conn != 0 {
		p.acceptAlias(c)
	}
	began := p.blockBegins()
	code, _ := c.RunTop(p.Prog.Request, InRequest)
	p.blockEnds(began, "request-route")
	if code < 0 {
		c.Logf(log.Warn, "<core>", "error while running the request route (code %d)", code)
		p.Count(p.Stat.ErrRequests)
	}
	c.code = code
}

// acceptAlias makes the request's connection reachable at the port of its Via when that says ;alias (tcp_accept_aliases).
func (p *Proc) acceptAlias(c *Ctx) {
	v, e := c.Msg.Via1()
	if e != sipparse.OK || !v.HasAlias {
		return
	}
	port := v.Port
	if port == 0 {
		port = 5060
	}
	if err := p.Host.AddAlias(c.Recv.Conn, port); err != nil {
		c.Logf(log.Warn, "<core>", "%v", err)
	}
}

func (p *Proc) reply(c *Ctx) {
	p.countReply(c)
	for _, f := range p.OnReply {
		if !f(c) {
			p.Count(p.Stat.DropReplies)
			return
		}
	}
	if r := p.Prog.Reply; r != nil {
		began := p.blockBegins()
		code, flow := c.RunTop(r, InReply)
		p.blockEnds(began, "reply-route")
		if code < 0 {
			c.Logf(log.Warn, "<core>", "error while running the reply route (code %d)", code)
		}
		if flow&FlowDrop != 0 || code <= 0 {
			p.Count(p.Stat.DropReplies)
			return
		}
	}
	for _, f := range p.Responses {
		if !f(c) {
			return
		}
	}
	c.ForwardReply(0, nil)
}

func (p *Proc) after(c *Ctx) {
	c.after = true
	for _, f := range p.AfterScript {
		f(c)
	}
}

// end runs on the loop when the coroutine has ended, suspended or not.
func (p *Proc) end(c *Ctx) {
	p.lastCode = c.code
	if c.listed {
		p.waiting.remove(c)
	}
	if c.waited && c.code < 0 && c.Recv.Proto != sipparse.UDP { // Receive has returned long ago
		if err := p.Host.CloseConn(c.Recv.Conn); err != nil {
			c.Logf(log.Debug, "<core>", "after a negative result of the script: %v", err)
		}
	}
	if c.release != nil {
		c.release()
	}
	p.Put(c)
}

// Start finishes a Proc that is otherwise filled: it finds the core's event routes, and what a dead predecessor has left.
func (p *Proc) Start() {
	p.body, p.rawBody, p.done = p.run, p.runRaw, p.end
	p.waiting = newWaiting()
	p.broken = func(c *Ctx) { c.RunTop(p.events.parseError, InEvent) }
	if len(p.Net.Sockets) > 0 {
		p.tag = NewTagPrefix(SLSignature, p.Net.Sockets[0], '.')
	}
	if p.Arena != nil { // main compiles the script before there is shared memory
		p.inherit()
	}
	if p.Par.ReceivedRoute {
		p.events.received = p.Prog.Find(InEvent, "core:msg-received")
	}
	p.events.preRouting = p.Prog.Find(InEvent, "core:pre-routing")
	p.events.parseError = p.Prog.Find(InEvent, "core:receive-parse-error")
}

// RunFaked runs a block on a Ctx that holds no message of the wire (timers, failure routes, event routes): body is called in a
// coroutine of its own, and the Ctx is given back when it has ended. prepare fills it first.
func (p *Proc) RunFaked(prepare func(c *Ctx), body func(c *Ctx)) {
	c := p.Get()
	prepare(c)
	p.Runner.Run(c, body, p.done)
}

// faked is the message that event routes see when there is none of the wire: Kamailio's.
const faked = "OPTIONS sip:you@kamailio.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nFrom: <sip:you@kamailio.org>;tag=123\r\nTo: <sip:you@kamailio.org>\r\nCall-ID: 123\r\n" +
	"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

// RunEvent runs an event route that no message of the wire has brought about; done, if it is not nil, is told how it ended, on the loop.
func (p *Proc) RunEvent(r *Route, done func(flow Flow)) {
	p.RunFaked(func(c *Ctx) {
		c.Faked = true
		c.ID = p.NextID()
		c.Msg.Parse(c.Scratch.CopyString(faked)) // it can be parsed; without memory it is no message, and tests of it fail
		c.Recv = Recv{Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 5060), Proto: sipparse.UDP, Time: p.Host.Now()}
	}, func(c *Ctx) {
		_, flow := c.RunTop(r, InEvent)
		if done != nil {
			done(flow)
		}
	})
}

// nameVia looks up whether the host of the topmost Via is a name that the sender's address has, and then no received parameter is added (rev_dns). It is done
// before the script, because what needs the answer later may hold locks.
func (c *Ctx) nameVia() {
	v, e := c.Msg.Via1()
	if e != sipparse.OK || v.HasRPort || !v.RecvAt.Empty() {
		return // it gets one anyway
	}
	host := c.Msg.Bytes(v.Host)
	if _, isAddr := ParseAddr(host); isAddr {
		return
	}
	name, src := string(host), c.Recv.Src.Addr()
	var same bool
	if c.Await(func() { same = c.P.Host.HasName(src, name) }) {
		c.viaNamed = same
	}
}
