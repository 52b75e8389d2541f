package tm

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// response is tm's reply function: false when the reply belonged to a transaction of ours.
func (m *mod) response(c *route.Ctx) bool {
	o, i, ok := m.findReply(&c.Msg)
	if !ok {
		return m.stray(c)
	}
	t := m.cell(o)
	bo, b := m.branchAt(t, i)
	if b == nil {
		m.unref(o, t)
		return true
	}
	c.Trans, c.TransState, c.TransBranch = o, stateFound, i // afterScript drops the reference
	m.h.Count(m.stats.rplReceived)
	code := c.Msg.Line.Status
	if cs, e := c.Msg.CSeq(); e == sipparse.OK && cs.Method == sipparse.CANCEL && t.method != uint32(sipparse.CANCEL) {
		if code >= 200 {
			m.a.Lock(&t.mu)
			m.disarm(o, t, bo+shm.Off(cancelOff))
			m.a.Unlock(&t.mu)
		}
		return false
	}
	invite := t.flags&flagInvite != 0
	if invite && code >= 300 {
		m.sendAck(bo, b, &c.Msg)
	}
	m.a.Lock(&t.mu)
	if b.status >= 200 && !(invite && code >= 200 && code < 300) {
		// a repeated final reply, or a late one
		m.h.Count(m.stats.rplAbsorbed)
		m.a.Unlock(&t.mu)
		return false
	}
	marked := m.replying(b)
	m.timersFor(o, t, bo, b, code)
	if code < 200 && b.flags&(brCanceling|brCancelSent) == brCanceling {
		m.sendCancel(o, t, bo, b, nil)
	}
	m.a.Unlock(&t.mu)
	ended := false
	defer func() { m.replied(o, t, b, marked, ended) }()
	if !m.onReply(c, t, b) && code < 200 {
		m.a.Lock(&t.mu)
		if b.status < 200 {
			b.status = code
		}
		b.flags |= brReplied
		m.a.Unlock(&t.mu)
		ended = true
		return false
	}
	m.decide(c, o, t, bo, b, code)
	b.flags |= brReplied // what decide has run was not to count this reply
	ended = true
	return false
}

// stray runs on_sl_reply on a reply that belongs to no transaction; false: it goes no further.
func (m *mod) stray(c *route.Ctx) bool {
	if m.onSLReply == nil {
		return true
	}
	_, flow := c.RunTop(m.onSLReply.Route, route.InOnReply)
	return flow&route.FlowDrop == 0
}

// timersFor adjusts a branch's timers to a reply. mu is held.
func (m *mod) timersFor(o shm.Off, t *cell, bo shm.Off, b *branch, code uint16) {
	now := m.h.Host.Ticks()
	switch {
	case code >= 200:
		m.disarm(o, t, bo+shm.Off(branchOff))
		if b.flags&brCancelSent != 0 {
			m.disarm(o, t, bo+shm.Off(cancelOff))
		}
	case t.flags&flagInvite != 0:
		if b.flags&brCancelSent != 0 {
			return
		}
		if b.status < 100 || m.par.restartFR != 0 {
			b.fr = now + ticks(t.frInv)
			if t.endOfLife != 0 {
				b.fr = min(b.fr, max(t.endOfLife, now+1))
			}
		}
		b.nextRetr = b.fr // no retransmission any more
		m.arm(o, t, bo+shm.Off(branchOff), b.fr, kindBranch)
	default:
		b.flags |= brT2
		b.retr = t.retr2
		b.nextRetr = now + ticks(b.retr)
		if b.flags&brStream == 0 {
			m.arm(o, t, bo+shm.Off(branchOff), min(b.fr, b.nextRetr), kindBranch)
		}
	}
}

// decide is what a reply (code) on branch b does to the transaction (RFC 3261 16.7). c holds the reply, or, for a reply of our own (timeout,
// cancel), the request: then c.Msg is no reply and brFaked is set.
func (m *mod) decide(c *route.Ctx, o shm.Off, t *cell, bo shm.Off, b *branch, code uint16) {
	m.a.Lock(&t.mu)
	invite := t.flags&flagInvite != 0
	if b.status >= 200 && !(invite && code >= 200 && code < 300) {
		m.a.Unlock(&t.mu)
		return
	}
	if invite && code < 300 && b.status >= 200 && b.index < t.legFrom {
		// an answer of an earlier leg, which had failed: its replies count no more (failure_reply_mode 3)
		m.a.Unlock(&t.mu)
		return
	}
	if t.flags&flagLocal != 0 {
		m.localReplied(c, o, t, b, code)
		return
	}
	if t.flags&flagDone != 0 {
		if invite && code >= 200 && code < 300 {
			// a 2xx after the final reply still passes: the caller has to end that dialog
			b.status = code
			m.relayUp(c, o, t, b, code)
		}
		b.status = max(b.status, code)
		m.a.Unlock(&t.mu)
		return
	}
	next := m.mayFailOver(c.P, t, bo, b, code)
	b.status = code
	switch {
	case code < 200:
		// what rings after the caller has given up, or after a 6xx, is no news for him
		if (code > 100 || m.par.relay100 != 0) && t.flags&(flagCanceled|flag6xx|flagReplicate) == 0 {
			m.relayUp(c, o, t, b, code)
			m.a.Unlock(&t.mu)
			if m.earlyHook {
				m.responseOut(c, o, t, int(code), &c.Msg)
			}
			return
		}
		m.a.Unlock(&t.mu)
		return
	case code < 300:
		m.relayUp(c, o, t, b, code)
		m.a.Unlock(&t.mu)
		m.cancelFor(c.P, o, t, code)
		m.responseOut(c, o, t, int(code), &c.Msg)
		return
	}
	if code >= 600 && t.flags&flagNoFail6xx == 0 {
		t.flags |= flag6xx
	}
	if next {
		m.failOver(c, o, t, bo, b)
		return
	}
	m.ended(c, o, t, b)
}

// ended is what becomes of the transaction when a branch has ended with a negative reply. mu is held, and let go.
func (m *mod) ended(c *route.Ctx, o shm.Off, t *cell, b *branch) {
	if b.onFailure != 0 {
		m.branchFailed(c, o, t, b)
		return
	}
	m.settle(c, o, t, b)
}

// settle sends the final reply, or runs the failure route, when the branch that has just ended was the last one. mu is held, and let go.
func (m *mod) settle(c *route.Ctx, o shm.Off, t *cell, b *branch) {
	code := b.status
	if t.flags&flagFailure != 0 {
		m.keepReply(c, b)
		m.a.Unlock(&t.mu)
		return
	}
	pick := m.pick(t)
	if pick < 0 {
		m.keepReply(c, b)
		six := t.flags&flag6xx != 0
		m.a.Unlock(&t.mu)
		if six {
			m.cancelFor(c.P, o, t, code)
		}
		return
	}
	if t.onFailure == 0 && !m.wanted(t, t.msgFlags) {
		m.final(c, o, t, pick, b)
		m.a.Unlock(&t.mu)
		return
	}
	m.keepReply(c, b)
	t.flags |= flagFailure
	t.picked = int8(pick)
	m.a.Unlock(&t.mu)
	m.failure(c.P, o, t)
}

// pick is the branch whose reply goes back when all branches of the leg have ended; -1 while one has not. mu is held.
func (m *mod) pick(t *cell) int {
	best, prio := -1, 1<<30
	for bo := t.first; bo != 0; {
		b := m.branch(bo)
		bo = b.next
		if b.index < t.legFrom || b.flags&brDropped != 0 {
			continue
		}
		if b.status < 200 || b.failing != 0 {
			return -1
		}
		p := priority(int(b.status))
		if b.flags&brFaked != 0 {
			p += m.par.fakedPrio
		}
		if p < prio {
			best, prio = int(b.index), p
		}
	}
	return best
}

// pending says whether a branch of the leg may still answer. mu is held.
func (m *mod) pending(t *cell) bool {
	for bo := t.first; bo != 0; {
		b := m.branch(bo)
		bo = b.next
		if b.index >= t.legFrom && b.flags&brDropped == 0 && (b.status < 200 || b.failing != 0) {
			return true
		}
	}
	return false
}

// priority orders final replies: the smallest is the best answer.
func priority(code int) int {
	class, rest := code/100, code%100
	switch class {
	case 2:
		return rest
	case 6:
		return 1000 + rest
	case 3:
		return 3000 + rest
	case 4:
		switch rest {
		case 1, 7, 15, 20, 84:
			return 4000 + rest
		}
		return 4100 + rest
	case 5:
		if rest == 3 {
			return 5100 + rest
		}
		return 5000 + rest
	}
	return 10000 + class
}

// keepReply stores the reply in c with its pending edits, for the case that it is picked later. mu is held.
func (m *mod) keepReply(c *route.Ctx, b *branch) {
	if b.flags&brFaked != 0 || !c.Msg.Line.IsReply || b.reply != 0 {
		return
	}
	buf := c.Msg.Buf
	if !c.Edits.Empty() {
		m.scratch = c.Edits.Apply(m.scratch[:0], buf)
		buf = m.scratch
	}
	if !m.store(&b.reply, &b.replyLen, buf, m.tagReply) {
		m.h.Logf(log.Err, "tm", "shared memory exhausted: reply %d is answered by one of our own", b.status)
		b.flags |= brFaked
	}
}

// relayUp builds the reply in c for upstream, stores and sends it. mu is held.
func (m *mod) relayUp(c *route.Ctx, o shm.Off, t *cell, b *branch, code uint16) {
	buf, e := edit.AppendForwardReply(c.P.Host.Buffer(), &c.Msg, &c.Edits, route.CLenOf(sipparse.Proto(t.proto)), 0, nil)
	if e != sipparse.OK {
		m.h.Logf(log.Err, "tm", "reply %d can not be relayed: %v", code, e)
		if code >= 200 {
			m.giveUp(o, t, code)
		}
		return
	}
	c.P.Count(c.P.Stat.FwdReplies)
	m.h.Count(m.stats.rplRelayed)
	if t.flags&flagDone != 0 { // a second 2xx
		d := t.up.get(m.h.Net)
		if err := m.h.Host.Send(d, buf); err != nil {
			m.h.Logf(log.Err, "tm", "send reply to %s: %v", d.Addr, err)
		}
		return
	}
	m.pushReply(o, t, buf, code, int8(b.index))
}

// final sends the picked branch's final reply upstream: the one in c when it is cur's, else the stored one, else one of our own. mu is
// held, and let go for one of our own. relayed says that it was the branch's.
func (m *mod) final(c *route.Ctx, o shm.Off, t *cell, pick int, cur *branch) (relayed bool) {
	_, b := m.branchAt(t, pick)
	code := b.status
	if b.flags&brFaked == 0 && !(code == 503 && m.par.remap503 != 0) {
		if cur != nil && c.Msg.Line.IsReply {
			m.keepChallenge(c, t, cur)
		}
		if m.challenges(t, b) {
			m.a.Unlock(&t.mu)
			m.localChallenge(c.P, o, t, int(code))
			m.a.Lock(&t.mu)
			return false
		}
		if b == cur && c.Msg.Line.IsReply {
			m.relayUp(c, o, t, b, code)
			return true
		}
		if b.reply != 0 {
			m.relayStored(c, o, t, b)
			return true
		}
	}
	reason := ""
	if code == 503 && m.par.remap503 != 0 {
		code, reason = 500, "Service Unavailable"
	}
	m.a.Unlock(&t.mu)
	m.localFinal(c.P, o, t, int(code), reason)
	m.a.Lock(&t.mu)
	return false
}

// keepChallenge stores the challenge in c when another branch was challenged too: they go back together.
func (m *mod) keepChallenge(c *route.Ctx, t *cell, b *branch) {
	if m.par.aggregate != 0 && t.n > 1 && challenge(b.status) {
		m.keepReply(c, b)
	}
}

// challenges collects the challenge lines of all branches of the leg when the picked reply is a 401 or 407 and it is not the only one (RFC 3261 16.7
// step 7); they are in m.scratch then.
func (m *mod) challenges(t *cell, picked *branch) bool {
	if m.par.aggregate == 0 || t.n < 2 || !challenge(picked.status) {
		return false
	}
	m.scratch = m.scratch[:0]
	n := 0
	for bo := t.first; bo != 0; {
		b := m.branch(bo)
		bo = b.next
		if b.index < t.legFrom || b.flags&brDropped != 0 || !challenge(b.status) || b.reply == 0 {
			continue
		}
		msg := &m.upstream
		if msg.Parse(m.a.Bytes(b.reply)[:b.replyLen]) != sipparse.OK {
			continue
		}
		n++
		for i := range msg.Hdrs {
			if h := &msg.Hdrs[i]; h.Type == sipparse.HdrWWWAuthenticate || h.Type == sipparse.HdrProxyAuthenticate {
				m.scratch = append(m.scratch, msg.Buf[h.Off:h.End]...)
			}
		}
		msg.Buf = nil
	}
	return n > 1
}

// localChallenge answers with the challenges that challenges has collected.
func (m *mod) localChallenge(p *route.Proc, o shm.Off, t *cell, code int) {
	lines := append([]byte(nil), m.scratch...) // the script's state is loaded through scratch
	m.withRequest(p, o, t, route.InFailure, func(c *route.Ctx) {
		c.Edits.AddReplyHeader(lines)
		m.replyLocal(c, o, t, code, []byte(reasonOf(code)))
	})
}

func challenge(code uint16) bool { return code == 401 || code == 407 }

// relayStored relays a branch's stored reply. mu is held.
func (m *mod) relayStored(c *route.Ctx, o shm.Off, t *cell, b *branch) {
	msg := &m.upstream
	if msg.Parse(m.a.Bytes(b.reply)[:b.replyLen]) != sipparse.OK {
		m.giveUp(o, t, b.status)
		return
	}
	buf, e := edit.AppendForwardReply(c.P.Host.Buffer(), msg, &m.noEdits, route.CLenOf(sipparse.Proto(t.proto)), 0, nil)
	msg.Buf = nil
	if e != sipparse.OK {
		m.h.Logf(log.Err, "tm", "stored reply %d can not be relayed: %v", b.status, e)
		m.giveUp(o, t, b.status)
		return
	}
	c.P.Count(c.P.Stat.FwdReplies)
	m.h.Count(m.stats.rplRelayed)
	m.pushReply(o, t, buf, b.status, int8(b.index))
}

// localFinal answers the request with a code of our own, from a Ctx that holds the request; reason "" is the usual one.
func (m *mod) localFinal(p *route.Proc, o shm.Off, t *cell, code int, reason string) {
	if t.flags&flagLocal != 0 {
		m.endLocal(o, t, uint16(code))
		return
	}
	switch {
	case reason != "":
	case code == 408:
		code, reason = m.par.reply408, m.par.reply408Reason
	case code == 487:
		reason = "Request Terminated"
	case code == 477:
		reason = "Unfortunately error on sending to next hop occurred (477/TM)"
	case code == 500:
		reason = "Server Internal Error"
	default:
		reason = reasonOf(code)
	}
	m.withRequest(p, o, t, route.InFailure, func(c *route.Ctx) {
		m.replyLocal(c, o, t, code, []byte(reason))
	})
}

func reasonOf(code int) string {
	switch code {
	case 503:
		return "Service Unavailable"
	case 404:
		return "Not Found"
	case 401:
		return "Unauthorized"
	case 407:
		return "Proxy Authentication Required"
	}
	return "Error"
}

// fakeReply ends a branch with a code of our own (timeout, cancelled before it answered).
func (m *mod) fakeReply(p *route.Proc, o shm.Off, t *cell, bo shm.Off, b *branch, code uint16) {
	m.a.Lock(&t.mu)
	if b.status >= 200 {
		m.a.Unlock(&t.mu)
		return
	}
	b.flags |= brFaked
	m.disarm(o, t, bo+shm.Off(branchOff))
	m.a.Unlock(&t.mu)
	m.withRequest(p, o, t, route.InFailure, func(c *route.Ctx) { m.decide(c, o, t, bo, b, code) })
}
