package tm

import (
	"errors"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// relay is t_relay: it absorbs retransmissions, makes the transaction, answers 100, forwards; an ACK to a 2xx goes on without a
// transaction, a CANCEL goes where its INVITE went. 0 ends the script, as a retransmission does.
func (m *mod) relay(c *route.Ctx, forced *route.Target) int {
	if c.Msg.Line.IsReply {
		return -1
	}
	if c.Kind&(route.InFailure|route.InBranchFailure) != 0 {
		t := m.transaction(c)
		if t == nil {
			return -1
		}
		return m.forward(c, t, forced)
	}
	switch c.Msg.Line.Method {
	case sipparse.CANCEL:
		return m.relayCancel(c, forced)
	case sipparse.ACK:
		return m.relayAck(c, forced)
	}
	t := m.lookup(c)
	if t != nil && c.TransState == stateFound {
		m.retransmit(t)
		return 0
	}
	if t == nil {
		var found bool
		var err error
		if t, found, err = m.newTransaction(c); err != nil {
			refused(c, "t_relay", err)
			if errors.Is(err, errBadRequest) {
				return -400 // Kamailio's E_BAD_REQ
			}
			return -1
		}
		if found {
			m.retransmit(t)
			return 0
		}
		m.requestIn(c)
	}
	if t.flags&flagInvite != 0 && t.flags&flagAuto100 != 0 && t.status < 100 {
		m.replyLocal(c, c.Trans, t, 100, m.auto100)
	}
	rc := m.forward(c, t, forced)
	if rc <= 0 && t.flags&flagNoReply == 0 {
		if m.par.delayedReply != 0 {
			c.Ext[extDelayed] = 1
		} else {
			code, reason := c.ErrorReply("TM")
			m.replyLocal(c, c.Trans, t, code, reason)
		}
	}
	return rc
}

// relayAck sends an ACK to a 2xx on without a transaction; one that belongs to a negative reply ends here.
func (m *mod) relayAck(c *route.Ctx, forced *route.Target) int {
	if t := m.lookup(c); t != nil {
		m.acked(c.Trans, t)
		return 0
	}
	t := route.Target{}
	var err error
	if forced != nil {
		t = *forced
	} else if t, err = c.NextHop(); err != nil {
		c.Failed(err)
		return -1
	}
	return c.Forward(t)
}

// transaction is the one that the message belongs to, nil if none.
func (m *mod) transaction(c *route.Ctx) *cell {
	t := m.lookup(c)
	return t
}
