package tm

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
)

// A branch that ends with a negative reply, received or of our own, runs its branch-failure route before the transaction looks whether it was the last one: the route may
// add branches, and the transaction then goes on with them. The route runs as a failure route does, with no lock held and free to wait; until it has ended the branch counts
// as one that may still answer (branch.failing).

// branchFailurePrefix is what the names of branch-failure routes begin with, as event routes.
const branchFailurePrefix = "tm:branch-failure:"

// branchFailed runs b's branch-failure route, then settles the transaction. c holds the reply, or the request for one of our own. mu is held, and let go.
func (m *mod) branchFailed(c *route.Ctx, o shm.Off, t *cell, b *branch) {
	r := c.P.Prog.ByID(b.onFailure)
	b.onFailure = 0
	if r == nil { // a reload has taken it away
		m.settle(c, o, t, b)
		return
	}
	m.keepReply(c, b)
	b.failing = m.worker()
	m.a.Unlock(&t.mu)
	m.withRequest(c.P, o, t, route.InBranchFailure, func(c *route.Ctx) {
		ended := false
		defer func() {
			if !ended && !m.a.HoldsLocks() { // a panic
				b.failing = 0
			}
		}()
		var reply sipparse.Msg
		reply.Grammar = m.h.Proc.Par.Grammar
		c.ReplyCode, c.TransBranch = int(b.status), int(b.index)
		if b.flags&brFaked == 0 && b.reply != 0 && reply.Parse(m.a.Bytes(b.reply)[:b.replyLen]) == sipparse.OK {
			c.Reply = &reply
		}
		c.URIFresh = false
		t.onBranchFailure = 0 // armed for the branches so far; the route may arm one for those that it adds
		c.RunTop(r, route.InBranchFailure)
		t.msgFlags = c.Flags
		m.keepAVPs(c, t)
		m.a.Lock(&t.mu)
		b.failing = 0
		ended = true
		if t.flags&flagDone != 0 {
			m.a.Unlock(&t.mu)
			return
		}
		m.settle(c, o, t, b)
	})
}

// ReuseBranch makes the branch that a branch-failure route is about the destination of the request once more: URI, destination, path, flags and what registrar knows of the
// contact (t_reuse_branch of tmx). False elsewhere.
func (m *mod) ReuseBranch(c *route.Ctx) bool {
	t := m.transactionOf(c)
	if t == nil || c.Kind&route.InBranchFailure == 0 {
		return false
	}
	bo, b := m.branchAt(t, c.TransBranch)
	if b == nil {
		return false
	}
	ruid, ua, instance, dst, path := m.texts(b)
	if c.SetRURI(b.uri.in(m.buffer(bo, b))) != nil || c.SetDstURI(dst) != nil || c.SetPath(path) != nil {
		c.Logf(log.Err, "tm", "t_reuse_branch: branch %d can not be taken again", b.index)
		return false
	}
	a := &c.Main
	a.RUID, a.LocationUA, a.Instance = c.Scratch.Copy(ruid), c.Scratch.Copy(ua), c.Scratch.Copy(instance)
	a.Flags, a.OTCPID = b.bflags, b.otcp
	return true
}
