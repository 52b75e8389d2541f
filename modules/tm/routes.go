package tm

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
)

// withRequest runs f in a coroutine on a Ctx that holds t's request with the state that the script left: for failure routes and local
// replies. The cell is kept meanwhile. f must not hold mu when it suspends.
func (m *mod) withRequest(p *route.Proc, o shm.Off, t *cell, kind route.Mask, f func(c *route.Ctx)) {
	m.addRef(t)
	marked := m.faking(t)
	p.RunFaked(func(c *route.Ctx) {
		if e := c.Msg.Parse(m.request(o, t)); e != sipparse.OK {
			m.h.Logf(log.Crit, "tm", "stored request can not be parsed: %v", e)
		}
		c.Recv = route.Recv{Src: t.src.get(), Dst: t.dst.get(), Sock: p.Net.At(int(t.sock)), Proto: sipparse.Proto(t.proto), Conn: t.conn, Time: p.Host.Now()}
		m.loadState(c, t)
		c.Kind = kind
		c.Trans, c.TransState = o, stateFound
	}, func(c *route.Ctx) {
		ended := false
		defer func() {
			c.Trans, c.TransState = 0, stateUnknown
			if marked {
				m.faked(t)
			}
			if ended {
				m.unref(o, t)
			} else { // a panic, which ends the script; or the process, if it holds a lock
				m.h.Loop(func() { m.broken(o, t) })
			}
		}()
		f(c)
		ended = true
	})
}

// broken ends a transaction whose failure route, or whatever else ran on its request, has panicked, and drops the reference that this held.
func (m *mod) broken(o shm.Off, t *cell) {
	m.a.Lock(&t.mu)
	if t.failing == m.worker() {
		t.failing = 0
	}
	m.a.Unlock(&t.mu)
	m.finish(o, t)
	m.unref(o, t)
}

// loadState gives c the flags, edits, URIs and attributes of the transaction.
func (m *mod) loadState(c *route.Ctx, t *cell) {
	if t.state != 0 && t.flags&flagLocal == 0 {
		if err := c.LoadState(m.a.Bytes(t.state)[:t.stateLen]); err != nil {
			m.h.Logf(log.Err, "tm", "stored state: %v", err)
		}
	}
	c.Flags = t.msgFlags
	m.loadAVPs(c, t)
}

func (m *mod) loadAVPs(c *route.Ctx, t *cell) {
	if t.avps == 0 {
		return
	}
	if _, err := c.AVPs.Load(c, m.a.Bytes(t.avps)[:t.avpsLen]); err != nil {
		m.h.Logf(log.Err, "tm", "stored attributes: %v", err)
	}
}

// keepAVPs is saveAVPs behind a route of a transaction that goes on whatever becomes of them.
func (m *mod) keepAVPs(c *route.Ctx, t *cell) {
	if err := m.saveAVPs(c, t); err != nil {
		c.Logf(log.Err, "tm", "attributes are lost to later routes: %v", err)
	}
}

// onReply runs the transaction's onreply_route on the reply in c. false: drop.
func (m *mod) onReply(c *route.Ctx, t *cell, b *branch) bool {
	if t.onReply == 0 {
		return true
	}
	r := c.P.Prog.ByID(t.onReply)
	if r == nil {
		return true
	}
	c.Flags = t.msgFlags
	c.Main.Flags = b.bflags
	m.loadAVPs(c, t)
	_, flow := c.RunTop(r, route.InOnReply)
	if c.Flags != t.msgFlags {
		t.msgFlags = c.Flags
	}
	b.bflags = c.Main.Flags
	m.keepAVPs(c, t)
	return flow&route.FlowDrop == 0
}

// failure runs the failure route for the picked branch, then sends what is to be sent. flagFailure is set.
func (m *mod) failure(p *route.Proc, o shm.Off, t *cell) {
	m.withRequest(p, o, t, route.InFailure, func(c *route.Ctx) {
		_, b := m.branchAt(t, int(t.picked))
		var reply sipparse.Msg
		reply.Grammar = m.h.Proc.Par.Grammar
		c.ReplyCode, c.TransBranch = int(b.status), int(t.picked)
		if b.flags&brFaked == 0 && b.reply != 0 && reply.Parse(m.a.Bytes(b.reply)[:b.replyLen]) == sipparse.OK {
			c.Reply = &reply
		}
		if err := c.SetRURI(b.uri.in(m.buffer(m.offOf(t, b), b))); err != nil {
			m.h.Logf(log.Err, "tm", "r-uri of the failed branch: %v", err)
		}
		c.URIFresh = false
		before := int(t.n)
		t.failing = m.worker()
		m.onFailure(c, o, t, int(b.status), c.Reply)
		id := t.onFailure
		t.onFailure = 0 // armed for this leg only; the route may arm it again
		if r := p.Prog.ByID(id); r != nil {
			c.RunTop(r, route.InFailure)
		}
		t.msgFlags = c.Flags
		m.keepAVPs(c, t)
		m.afterFailure(c, o, t, before)
	})
}

func (m *mod) offOf(t *cell, b *branch) shm.Off {
	o, _ := m.branchAt(t, int(b.index))
	return o
}

// afterFailure looks at what the failure route did: a reply sent, branches added, or nothing.
func (m *mod) afterFailure(c *route.Ctx, o shm.Off, t *cell, before int) {
	m.a.Lock(&t.mu)
	t.flags &^= flagFailure
	t.failing = 0
	if t.flags&flagDone != 0 {
		m.a.Unlock(&t.mu)
		return
	}
	pick := m.pick(t)
	if pick < 0 {
		canceled, pending := t.flags&flagCanceled != 0, m.pending(t)
		m.a.Unlock(&t.mu)
		if !pending { // the script has dropped all replies and added nothing
			m.localFinal(c.P, o, t, m.par.defaultCode, m.par.defaultReason)
			return
		}
		if canceled {
			m.cancelBranches(c.P, o, t, nil)
		}
		return
	}
	if int(t.n) > before && t.onFailure != 0 {
		// the new branches have already ended
		t.flags |= flagFailure
		t.picked = int8(pick)
		m.a.Unlock(&t.mu)
		m.failure(c.P, o, t)
		return
	}
	_, b := m.branchAt(t, pick)
	code := int(b.status)
	relayed := m.final(c, o, t, pick, nil)
	m.a.Unlock(&t.mu)
	if relayed {
		m.responseOut(c, o, t, code, c.Reply)
	}
}
