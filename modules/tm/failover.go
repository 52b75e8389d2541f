package tm

import (
	"bytes"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// DNS failover (use_dns_failover, RFC 3263 section 4.3): a branch whose destination does not answer, is not reached, or answers 503, is sent once more to the next address of the
// same name, as a new branch of the same transaction. The request is the one that has left, with a Via of its own: what a branch route has done to it stays. Which addresses have
// been tried is seen from the branches; the name is looked up again, which may take a while, so the branch that has ended counts as pending meanwhile (branch.failing).

// mayFailOver says whether b, which is about to end with code, is to be tried at another address. mu is held, or the branch is the script's.
func (m *mod) mayFailOver(p *route.Proc, t *cell, bo shm.Off, b *branch, code uint16) bool {
	if !p.Par.DNSFailover || t.flags&(flagLocal|flagCanceled|flagDone|flag6xx|flagNoFailover) != 0 || b.flags&(brForced|brCanceling|brCancelSent|brDropped) != 0 || b.index < t.legFrom {
		return false
	}
	switch code {
	case 503:
		if b.flags&brFaked != 0 {
			return false
		}
	case 408, 477:
		if b.flags&brFaked == 0 || b.flags&brReplied != 0 {
			return false // the next hop has said so, or is alive
		}
	default:
		return false
	}
	target, err := m.targetOf(bo, b)
	if err != nil {
		return false
	}
	_, literal := route.ParseAddr(target.Host)
	return !literal
}

// targetOf is where the branch was to go before that was looked up.
func (m *mod) targetOf(bo shm.Off, b *branch) (route.Target, error) {
	if _, _, _, dst, _ := m.texts(b); len(dst) > 0 {
		return m.h.Proc.URITarget(dst)
	}
	return m.h.Proc.URITarget(b.uri.in(m.buffer(bo, b)))
}

// failOver looks for the next address and sends there; when there is none the branch has ended. c holds the reply, or the request for one of our own. mu is held, and let go.
func (m *mod) failOver(c *route.Ctx, o shm.Off, t *cell, bo shm.Off, b *branch) {
	m.keepReply(c, b)
	b.failing = m.worker()
	m.a.Unlock(&t.mu)
	m.withRequest(c.P, o, t, route.InFailure, func(c *route.Ctx) {
		ended := false
		defer func() {
			if !ended && !m.a.HoldsLocks() { // a panic
				b.failing = 0
			}
		}()
		added := m.sendNext(c, o, t, bo, b)
		m.a.Lock(&t.mu)
		b.failing = 0
		ended = true
		switch {
		case t.flags&flagDone != 0:
			m.a.Unlock(&t.mu)
		case added:
			m.settle(c, o, t, b)
		default:
			m.ended(c, o, t, b)
		}
	})
}

// sendNext sends the request of b to the addresses of its name that are left, until one takes it.
func (m *mod) sendNext(c *route.Ctx, o shm.Off, t *cell, bo shm.Off, b *branch) bool {
	for {
		no, n := m.nextBranch(c, o, t, bo, b)
		if n == nil || m.overtaken(t) != nil {
			return false
		}
		if m.sendBranch(c, o, t, no, n) {
			return true
		}
		bo, b = no, n
	}
}

// nextBranch hangs a branch on the transaction that goes to the next address of b's name; nil when there is none.
func (m *mod) nextBranch(c *route.Ctx, o shm.Off, t *cell, bo shm.Off, b *branch) (shm.Off, *branch) {
	target, err := m.targetOf(bo, b)
	if err != nil {
		return 0, nil
	}
	if int(t.n) >= c.P.Par.MaxBranches {
		c.Logf(log.Warn, "tm", "no further address of %s is tried: max_branches (%d) reached", target.Host, c.P.Par.MaxBranches)
		return 0, nil
	}
	target.Host = c.Scratch.Copy(target.Host)
	old := b.to.get(c.P.Net)
	d, err := c.ResolveNext(target, old.Sock, m.tried(t, bo, b))
	if err != nil {
		return 0, nil
	}
	d.Flags = old.Flags
	no, n := m.copyBranch(c, o, t, bo, b, &d)
	if n != nil {
		c.Logf(log.Info, "tm", "branch %d to %s has failed: branch %d goes to %s", b.index, old.Addr, n.index, d.Addr)
	}
	return no, n
}

// tried are the places to which branches with the R-URI and destination URI of b went.
func (m *mod) tried(t *cell, bo shm.Off, b *branch) (l []route.Place) {
	m.a.Lock(&t.mu)
	defer m.a.Unlock(&t.mu)
	uri := b.uri.in(m.buffer(bo, b))
	_, _, _, dst, _ := m.texts(b)
	for xo := t.first; xo != 0; xo = m.branch(xo).next {
		x := m.branch(xo)
		_, _, _, xdst, _ := m.texts(x)
		if bytes.Equal(dst, xdst) && bytes.Equal(uri, x.uri.in(m.buffer(xo, x))) {
			l = append(l, route.Place{Addr: x.to.addr.get(), Proto: sipparse.Proto(x.to.proto)})
		}
	}
	return l
}

// copyBranch makes a branch of b's request that goes to d, with a Via of its own, and hangs it on the transaction, unsent.
func (m *mod) copyBranch(c *route.Ctx, o shm.Off, t *cell, bo shm.Off, b *branch, d *route.Dest) (shm.Off, *branch) {
	var msg sipparse.Msg
	msg.Grammar = m.h.Proc.Par.Grammar
	sent := m.buffer(bo, b)
	if msg.Parse(sent) != sipparse.OK {
		return 0, nil
	}
	var via *sipparse.Hdr
	hasLength := false
	for i := range msg.Hdrs {
		h := &msg.Hdrs[i]
		if h.Type == sipparse.HdrVia && via == nil {
			via = h
		}
		hasLength = hasLength || h.Type == sipparse.HdrContentLength
	}
	if via == nil || d.Proto != sipparse.UDP && !hasLength {
		return 0, nil
	}
	id := c.Scratch.Keep(edit.AppendBranch(c.Scratch.Tail(64), t.hash, t.md5[:], uint32(t.n)))
	v := c.Via(d, id)
	buf := append(c.P.Host.Buffer(), sent[:via.Off]...)
	buf = append(edit.AppendVia(buf, &v), sent[via.End:]...)
	no, err := m.alloc(t.flags|flagInDialog, int(branchSize)+len(buf), m.tagBranch)
	if err != nil {
		c.Logf(log.Err, "tm", "no further address is tried: %v", err)
		return 0, nil
	}
	block := m.a.Bytes(no)
	clear(block[:branchSize])
	copy(block[branchSize:], buf)
	n := m.branch(no)
	n.cell, n.to, n.bufLen, n.uri = o, toDest(d), uint32(len(buf)), ruriSpan(buf)
	n.flags, n.bflags, n.otcp = brUnsent, b.bflags, b.otcp
	if d.Proto != sipparse.UDP {
		n.flags |= brStream
	}
	if b.attrs != 0 {
		var size uint32
		total := int(b.ruidLen) + int(b.uaLen) + int(b.instLen) + int(b.dstLen) + int(b.pathLen)
		if err := m.storeOf(t.flags|flagInDialog, &n.attrs, &size, m.a.Bytes(b.attrs)[:total], m.tagBranch); err != nil {
			m.a.Free(no)
			c.Logf(log.Err, "tm", "no further address is tried: %v", err)
			return 0, nil
		}
		n.ruidLen, n.uaLen, n.instLen, n.dstLen, n.pathLen = b.ruidLen, b.uaLen, b.instLen, b.dstLen, b.pathLen
	}
	n.onFailure, b.onFailure = b.onFailure, 0 // its branch-failure route is about the last address
	m.hang(t, no, n)
	return no, n
}
