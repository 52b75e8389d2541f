package tm

import (
	"fmt"
	"kahea/cfglang/syntax"
	"strings"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Places in Ctx.Armed.
const (
	armFailure = iota
	armReply
	armBranch
	armBranchFailure
)

func (m *mod) funcs() []route.Func {
	const (
		req  = route.InRequest
		rf   = route.InRequest | route.InFailure
		rof  = route.InRequest | route.InFailure | route.AnyReply
		rtfb = route.InRequest | route.InOnReply | route.InFailure | route.InBranch
	)
	relay := func(name string, proto sipparse.Proto) route.Func {
		args := "|ss"
		return route.Func{Name: name, Args: args, From: rf, Compile: m.compileRelay(proto), Doc: "forward statefully to $du, the R-URI and all branches, or to a host and port"}
	}
	to := func(name, doc string, send func(*route.Ctx, *route.Target) int) route.Func {
		return route.Func{Name: name, Args: "ss", From: req, Compile: m.compileProtoRelay(send), Doc: doc}
	}
	return []route.Func{
		{Name: "t_relay_to", Args: "|ss", From: rf, Compile: m.compileRelayTo, Doc: "t_relay to proto:host:port, with flags: 1 no 100, 2 no answer when it fails, 4 no DNS failover"},
		{Name: "t_relay_to_proxy", Args: "s", From: rf, Compile: m.compileRelayTo, Doc: "t_relay to proto:host:port"},
		{Name: "t_forward_nonack", Args: "ss", From: req, Compile: m.compileForward(sipparse.ProtoNone), Doc: "add branches to a transaction that is there, to a host and port; no 100"},
		{Name: "t_forward_nonack_udp", Args: "ss", From: req, Compile: m.compileForward(sipparse.UDP), Doc: "the same over UDP"},
		{Name: "t_forward_nonack_tcp", Args: "ss", From: req, Compile: m.compileForward(sipparse.TCP), Doc: "the same over TCP"},
		to("t_forward_nonack_to", "t_forward_nonack with a protocol and host:port", m.forwardNonAck),
		to("t_replicate_to", "t_replicate with a protocol and host:port", m.replicate),
		{Name: "t_replicate_udp", Args: "ss", From: req, Run: m.tReplicateProto(sipparse.UDP), Doc: "t_replicate to a host and port over UDP"},
		{Name: "t_replicate_tcp", Args: "ss", From: req, Run: m.tReplicateProto(sipparse.TCP), Doc: "the same over TCP"},
		{Name: "t_replicate_tls", Args: "ss", From: req, Run: m.tReplicateProto(sipparse.TLS), Doc: "the same over TLS"},
		{Name: "t_replicate_sctp", Args: "ss", From: req, Run: m.tReplicateProto(sipparse.SCTP), Doc: "the same over SCTP"},
		{Name: "t_forward_nonack_tls", Args: "ss", From: req, Compile: m.compileForward(sipparse.TLS), Doc: "t_forward_nonack over TLS"},
		{Name: "t_forward_nonack_sctp", Args: "ss", From: req, Compile: m.compileForward(sipparse.SCTP), Doc: "the same over SCTP"},
		relay("t_relay", sipparse.ProtoNone), relay("t_relay_to_udp", sipparse.UDP), relay("t_relay_to_tcp", sipparse.TCP), relay("t_relay_to_tls", sipparse.TLS), relay("t_relay_to_sctp", sipparse.SCTP),
		{Name: "t_save_lumps", From: req, Run: m.tSaveLumps, Doc: "keep the changes so far for failure and branch routes; later ones are for this relay only"},
		{Name: "t_use_uac_headers", From: route.AnyRoute, Run: func(*route.Ctx, *route.Args) int { return 1 }, Doc: "changes nothing: ACK and CANCEL of ours always have From and To as they were sent"},
		{Name: "t_forward_nonack_uri", From: req, Run: func(c *route.Ctx, _ *route.Args) int { return m.relay(c, nil) }, Doc: "as t_relay"},
		{Name: "t_uac_send", Args: "ssssss", From: route.AnyRoute, Run: m.tUACSend, Doc: "send a request of our own: method, URI, next hop, socket, header lines, body"},
		{Name: "t_newtran", From: req, Run: m.tNewtran, Doc: "make the transaction; a retransmission is answered and ends the script"},
		{Name: "t_check_trans", From: route.InRequest | route.AnyReply | route.InBranch, Run: m.tCheckTrans, Doc: "true if the message belongs to a transaction; retransmissions end here"},
		{Name: "t_lookup_request", From: req, Run: func(c *route.Ctx, _ *route.Args) int {
			if t := m.lookup(c); t != nil {
				return 1
			}
			return -1
		}, Doc: "true if the request's transaction exists"},
		{Name: "t_exists", From: route.AnyRoute, Run: func(c *route.Ctx, _ *route.Args) int { return boolRC(m.exists(c)) }, Doc: "true if a transaction exists, without using it"},
		{Name: "t_lookup_cancel", Args: "|i", From: req, Run: m.tLookupCancel, Doc: "true if the INVITE of this CANCEL exists"},
		{Name: "t_relay_cancel", From: req, Run: m.tRelayCancel, Doc: "cancel the INVITE of this CANCEL and end the script; true if it is unknown"},
		{Name: "t_reply", Args: "ss", From: rof, Run: func(c *route.Ctx, a *route.Args) int {
			if t := m.lookup(c); t == nil {
				c.Logf(log.Err, "tm", "t_reply: there is no transaction")
				return -1
			}
			return m.tReply(c, a)
		}, Doc: "stateful reply; the transaction has to be there"},
		{Name: "t_send_reply", Args: "ss", From: rof, Run: m.tReply, Doc: "stateful reply; makes the transaction when it is missing"},
		{Name: "t_reply_error", From: rof, Run: func(c *route.Ctx, _ *route.Args) int {
			code, reason := c.ErrorReply("TM")
			return m.scriptReply(c, code, reason)
		}, Doc: "stateful reply with the last internal error"},
		{Name: "t_retransmit_reply", From: req, Run: func(c *route.Ctx, _ *route.Args) int {
			t := m.lookup(c)
			if t == nil || t.reply == 0 {
				return -1
			}
			m.retransmit(t)
			return 1
		}, Doc: "send the last reply again"},
		{Name: "t_release", From: req, Run: func(c *route.Ctx, _ *route.Args) int {
			t := m.lookup(c)
			if t == nil {
				return -1
			}
			m.release(c.Trans, t)
			return 1
		}, Doc: "put the transaction on the wait timer"},
		m.armFunc("t_on_failure", armFailure, route.InFailure, rtfb, "arm a failure_route; \"0\" disarms"),
		m.armFunc("t_on_reply", armReply, route.InOnReply, rtfb, "arm an onreply_route; \"0\" disarms"),
		m.armFunc("t_on_branch", armBranch, route.InBranch, rf, "arm a branch_route; \"0\" disarms"),
		m.armFunc("t_on_branch_failure", armBranchFailure, route.InEvent, rtfb, "arm event_route[tm:branch-failure:NAME] for the branches to come; \"0\" disarms"),
		{Name: "t_is_set", Args: "S", From: route.AnyRoute, Compile: m.compileIsSet, Doc: "true if branch_route, failure_route or onreply_route is armed"},
		{Name: "t_check_status", Args: "r", From: rof | route.InBranch, Run: m.tCheckStatus, Doc: "match the status of the current or winning reply"},
		{Name: "t_grep_status", Args: "i", From: rtfb, Run: m.tGrepStatus, Doc: "true if a branch ended with that code"},
		{Name: "t_is_canceled", From: rtfb, Run: func(c *route.Ctx, _ *route.Args) int {
			t := m.lookup(c)
			return boolRC(t != nil && t.flags&flagCanceled != 0)
		}, Doc: "true if the transaction was cancelled"},
		{Name: "t_branch_timeout", From: route.InFailure | route.InEvent, Run: m.branchFlag(brTimeout), Doc: "the chosen branch ended by timer"},
		{Name: "t_branch_replied", From: route.InFailure | route.InEvent, Run: m.branchFlag(brReplied), Doc: "the chosen branch got a reply before this one"},
		{Name: "t_any_timeout", From: rtfb, Run: m.anyFlag(brTimeout), Doc: "a branch ended by timer"},
		{Name: "t_any_replied", From: rtfb, Run: m.anyFlag(brReplied), Doc: "a branch got a reply"},
		{Name: "t_is_expired", From: rtfb, Run: func(c *route.Ctx, _ *route.Args) int {
			t := m.lookup(c)
			return boolRC(t != nil && t.endOfLife != 0 && c.P.Host.Ticks() >= t.endOfLife)
		}, Doc: "the max lifetime has passed"},
		{Name: "t_set_fr", Args: "i|i", From: rtfb, Run: m.tSetFR, Doc: "final response timers of this transaction: INVITE, others (ms; 0 = leave)"},
		{Name: "t_reset_fr", From: rtfb, Run: func(c *route.Ctx, _ *route.Args) int {
			return m.setFR(c, uint32(m.par.frInvTimer), uint32(m.par.frTimer))
		}, Doc: "back to the default timers"},
		{Name: "t_set_retr", Args: "ii", From: rtfb, Run: func(c *route.Ctx, a *route.Args) int {
			t1, ok1 := a.Int(c, 0)
			t2, ok2 := a.Int(c, 1)
			if !ok1 || !ok2 || t1 < 0 || t2 < 0 {
				return -1
			}
			return m.setTimes(c, route.Times{Retr1: uint32(t1), Retr2: uint32(t2)})
		}, Doc: "retransmission timers of this transaction (ms; 0 = leave)"},
		{Name: "t_reset_retr", From: rtfb, Run: func(c *route.Ctx, _ *route.Args) int {
			return m.setTimes(c, route.Times{Retr1: uint32(m.par.retr1), Retr2: uint32(m.par.retr2)})
		}, Doc: "back to the default retransmission timers"},
		{Name: "t_set_max_lifetime", Args: "ii", From: rtfb, Run: func(c *route.Ctx, a *route.Args) int {
			inv, ok1 := a.Int(c, 0)
			other, ok2 := a.Int(c, 1)
			if !ok1 || !ok2 || inv < 0 || other < 0 {
				return -1
			}
			return m.setTimes(c, route.Times{LifeInv: uint32(inv), Life: uint32(other)})
		}, Doc: "longest life of this transaction: INVITE, others (ms; 0 = leave)"},
		{Name: "t_reset_max_lifetime", From: rtfb, Run: func(c *route.Ctx, _ *route.Args) int {
			return m.setTimes(c, route.Times{LifeInv: uint32(m.par.maxInv), Life: uint32(m.par.maxNonInv)})
		}, Doc: "back to the default lives"},
		{Name: "t_drop_replies", Args: "|S", From: route.InFailure, Run: m.tDropReplies, Doc: "forget the replies so far: a all (default), l those of the last leg, n none"},
		{Name: "t_load_contacts", Args: "|i", From: rf, Compile: m.compileLoadContacts, Doc: "move the destination set into contacts_avp: 0 best q first, unless all have the same q, 1 at random with q as weight"},
		{Name: "t_next_contacts", From: rf, Compile: m.compileNextContacts, Doc: "the next contacts of equal q become R-URI and branches; -2: there are none left"},
		{Name: "t_next_contact_flow", From: req | route.InEvent, Compile: m.compileNextFlow, Doc: "a further contact of the failed branch's +sip.instance becomes the R-URI; -2: there is none left"},
		{Name: "t_replicate", Args: "|ss", From: req, Run: m.tReplicate, Doc: "send a copy elsewhere and discard its replies: to $du or the R-URI, to a URI, or to a host and port"},
		{Name: "t_set_auto_inv_100", Args: "i", From: req, Run: m.flagFunc(flagAuto100), Doc: "automatic 100 on or off"},
		{Name: "t_set_disable_failover", Args: "i", From: rtfb, Run: m.flagFunc(flagNoFailover), Doc: "on: no further address of a name is tried for this transaction (use_dns_failover)"},
		{Name: "t_set_disable_6xx", Args: "i", From: rtfb, Run: m.flagFunc(flagNoFail6xx), Doc: "on: a 6xx does not end forking"},
		{Name: "t_set_no_auto_ack", Args: "i", From: rtfb, Run: m.flagFunc(flagNoAutoACK), Doc: "on: no ACK of ours to a 2xx of a local INVITE"},
		{Name: "t_set_no_e2e_cancel_reason", Args: "i", From: rtfb, Run: m.flagFunc(flagNoE2EReason), Doc: "on: Reason of a received CANCEL does not go into ours"},
		{Name: "t_disable_e2e_cancel_reason", Args: "i", From: rtfb, Run: m.flagFunc(flagNoE2EReason), Doc: "the same"},
		{Name: "t_clean", From: route.AnyRoute, Run: func(*route.Ctx, *route.Args) int { m.clean(); return 1 }, Doc: "end transactions that are stuck"},
		{Name: "t_is_retr_async_reply", From: route.InOnReply, Run: func(c *route.Ctx, _ *route.Args) int {
			t := m.lookup(c)
			return boolRC(t != nil && t.flags&flagSuspended != 0)
		}, Doc: "true while the transaction of the reply is suspended"},
		{Name: "t_set_disable_internal_reply", Args: "i", From: rtfb, Run: m.flagFunc(flagNoReply), Doc: "on: a relay error is not answered by tm"},
		{Name: "t_get_status_code", From: rof | route.InBranch, Run: func(c *route.Ctx, _ *route.Args) int {
			t := m.lookup(c)
			if t == nil || t.status == 0 {
				return -1
			}
			return int(t.status)
		}, Doc: "last status sent upstream"},
	}
}

func boolRC(v bool) int {
	if v {
		return 1
	}
	return -1
}

func (m *mod) compileRelay(proto sipparse.Proto) func(route.Env, *route.Args) (func(*route.Ctx) int, error) {
	return func(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
		if a.N == 1 {
			return nil, fmt.Errorf("got 1 parameter, want none or host and port")
		}
		if a.N == 0 && proto == sipparse.ProtoNone {
			return func(c *route.Ctx) int { return m.relay(c, nil) }, nil
		}
		return func(c *route.Ctx) int {
			t, err := c.NextHop()
			if a.N == 2 {
				host, _ := a.Str(c, 0)
				port, ok := a.Int(c, 1)
				if !ok || port < 0 || port > 65535 {
					c.Logf(log.Err, "tm", "t_relay: bad port")
					return -1
				}
				t = route.Target{Host: host, Port: uint16(port), Proto: sipparse.UDP}
			} else if err != nil {
				c.Failed(err)
				return -1
			}
			if proto != sipparse.ProtoNone {
				t.Proto = proto
			}
			return m.relay(c, &t)
		}, nil
	}
}

func (m *mod) tNewtran(c *route.Ctx, _ *route.Args) int {
	if t := m.lookup(c); t != nil && c.TransState == stateFound {
		if c.Msg.Line.Method == sipparse.ACK {
			m.acked(c.Trans, t)
		} else {
			m.retransmit(t)
		}
		return 0
	} else if t != nil {
		c.Logf(log.Err, "tm", "t_newtran: the transaction exists already")
		return -1
	}
	if c.Msg.Line.Method == sipparse.ACK {
		return 1
	}
	t, found, err := m.newTransaction(c)
	if err != nil {
		refused(c, "t_newtran", err)
		return -1
	}
	if found {
		m.retransmit(t)
		return 0
	}
	m.requestIn(c)
	return 1
}

func (m *mod) tCheckTrans(c *route.Ctx, _ *route.Args) int {
	if c.Msg.Line.IsReply {
		o, _, ok := m.findReply(&c.Msg)
		if ok {
			m.unref(o, m.cell(o))
		}
		return boolRC(ok)
	}
	if c.Msg.Line.Method == sipparse.CANCEL {
		return m.tLookupCancel(c, nil)
	}
	t := m.lookup(c)
	if t == nil {
		return -1
	}
	if c.TransState == stateNew {
		return 1
	}
	if c.Msg.Line.Method == sipparse.ACK {
		m.acked(c.Trans, t)
	} else {
		m.retransmit(t)
	}
	return 0
}

func (m *mod) exists(c *route.Ctx) bool {
	if c.Trans != 0 {
		return true
	}
	o := m.find(&c.Msg, false)
	if o != 0 {
		m.unref(o, m.cell(o))
	}
	return o != 0
}

func (m *mod) tLookupCancel(c *route.Ctx, _ *route.Args) int {
	o := m.find(&c.Msg, true)
	if o == 0 {
		return -1
	}
	m.unref(o, m.cell(o))
	return 1
}

func (m *mod) tRelayCancel(c *route.Ctx, _ *route.Args) int {
	if m.tLookupCancel(c, nil) < 0 {
		return 1
	}
	m.relayCancel(c, nil)
	return 0
}

func (m *mod) tReply(c *route.Ctx, a *route.Args) int {
	code, ok := a.Int(c, 0)
	if !ok {
		code = int64(m.par.defaultCode)
	}
	reason, ok := a.Str(c, 1)
	if !ok {
		reason = []byte(m.par.defaultReason)
	}
	return m.scriptReply(c, int(code), reason)
}

// scriptReply answers for a function of the script. A branch-failure route may add branches, and answers nothing itself, as in Kamailio.
func (m *mod) scriptReply(c *route.Ctx, code int, reason []byte) int {
	if c.Kind&route.InBranchFailure != 0 {
		c.Logf(log.Err, "tm", "a branch-failure route can not answer: %d dropped", code)
		return -1
	}
	return m.Reply(c, code, reason)
}

// armFunc is t_on_X: constant names are resolved when the script is compiled, others when it runs.
func (m *mod) armFunc(name string, place int, kind, from route.Mask, doc string) route.Func {
	prefix := ""
	if kind == route.InEvent {
		prefix = branchFailurePrefix
	}
	return route.Func{Name: name, Args: "s", From: from, Doc: doc, Compile: func(e route.Env, a *route.Args) (func(*route.Ctx) int, error) {
		if text, isConst := a.ConstStr(0); isConst {
			if text == "0" || text == "" {
				return func(c *route.Ctx) int { return m.arming(c, place, 0) }, nil
			}
			ref := e.Route(kind, prefix+text)
			return func(c *route.Ctx) int { return m.arming(c, place, ref.Route.ID) }, nil
		}
		return func(c *route.Ctx) int {
			b, _ := a.Str(c, 0)
			for _, r := range c.P.Prog.Named {
				if r.Kind == kind && len(r.Name) == len(prefix)+len(b) && r.Name[:len(prefix)] == prefix && r.Name[len(prefix):] == string(b) {
					return m.arming(c, place, r.ID)
				}
			}
			c.Logf(log.Err, "tm", "%s: there is no block %q", name, b)
			return -1
		}, nil
	}}
}

func (m *mod) arming(c *route.Ctx, place int, id uint64) int {
	c.Armed[place] = id
	if c.TransState == stateFound || c.TransState == stateNew {
		*m.cell(c.Trans).armed(place) = id
	}
	return 1
}

func (t *cell) armed(place int) *uint64 {
	switch place {
	case armFailure:
		return &t.onFailure
	case armReply:
		return &t.onReply
	case armBranch:
		return &t.onBranch
	}
	return &t.onBranchFailure
}

func (m *mod) compileIsSet(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	text, _ := a.ConstStr(0)
	place, ok := map[string]int{"f": armFailure, "failure_route": armFailure, "b": armBranch, "branch_route": armBranch, "o": armReply, "onreply_route": armReply}[strings.ToLower(text)]
	if !ok {
		return nil, fmt.Errorf("%q: want branch_route, failure_route or onreply_route", text)
	}
	return func(c *route.Ctx) int {
		if c.TransState == stateFound || c.TransState == stateNew {
			return boolRC(*m.cell(c.Trans).armed(place) != 0)
		}
		return boolRC(c.Armed[place] != 0)
	}, nil
}

func (m *mod) tCheckStatus(c *route.Ctx, a *route.Args) int {
	return boolRC(m.matchStatus(c, a.RE(0)))
}

func (m *mod) matchStatus(c *route.Ctx, re *syntax.Regexp) bool {
	if c.Msg.Line.IsReply {
		return re.Match(c.Msg.Bytes(c.Msg.Line.StatusText))
	}
	code := c.ReplyCode
	if c.Kind&(route.InFailure|route.InBranchFailure) == 0 {
		t := m.lookup(c)
		if t == nil {
			return false
		}
		code = int(t.status)
	}
	return re.Match(c.Scratch.Int(int64(code)))
}

func (m *mod) tGrepStatus(c *route.Ctx, a *route.Args) int {
	code, ok := a.Int(c, 0)
	t := m.lookup(c)
	if !ok || t == nil {
		return -1
	}
	for bo := t.first; bo != 0; bo = m.branch(bo).next {
		if int64(m.branch(bo).status) == code {
			return 1
		}
	}
	return -1
}

func (m *mod) branchFlag(bit uint32) func(*route.Ctx, *route.Args) int {
	return func(c *route.Ctx, _ *route.Args) int {
		t := m.lookup(c)
		if t == nil {
			return -1
		}
		_, b := m.branchAt(t, c.TransBranch)
		return boolRC(b != nil && b.flags&bit != 0)
	}
}

func (m *mod) anyFlag(bit uint32) func(*route.Ctx, *route.Args) int {
	return func(c *route.Ctx, _ *route.Args) int {
		t := m.lookup(c)
		if t == nil {
			return -1
		}
		for bo := t.first; bo != 0; bo = m.branch(bo).next {
			if m.branch(bo).flags&bit != 0 {
				return 1
			}
		}
		return -1
	}
}

func (m *mod) flagFunc(bit uint32) func(*route.Ctx, *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		n, ok := a.Int(c, 0)
		if c.Kind&route.InLocal != 0 { // event_route[tm:local-request]
			if ok && n != 0 {
				c.Ext[extLocal] |= uint64(bit)
			}
			return boolRC(ok)
		}
		t, err := m.ensure(c)
		if !ok || err != nil || t == nil {
			return -1
		}
		if n != 0 {
			t.flags |= bit
		} else {
			t.flags &^= bit
		}
		return 1
	}
}

func (m *mod) tSetFR(c *route.Ctx, a *route.Args) int {
	inv, ok := a.Int(c, 0)
	other, ok2 := int64(0), true
	if a.N > 1 {
		other, ok2 = a.Int(c, 1)
	}
	if !ok || !ok2 || inv < 0 || other < 0 {
		return -1
	}
	return m.setFR(c, uint32(inv), uint32(other))
}

func (m *mod) setFR(c *route.Ctx, inv, other uint32) int {
	return m.setTimes(c, route.Times{FRInv: inv, FR: other})
}

// setTimes changes the times of the transaction, or of the one that the message will make; 0 leaves one as it is.
func (m *mod) setTimes(c *route.Ctx, x route.Times) int {
	c.Times.Merge(x)
	if c.TransState == stateFound || c.TransState == stateNew {
		m.cell(c.Trans).setTimes(x)
	}
	return 1
}

func (t *cell) setTimes(x route.Times) {
	set := func(p *uint32, v uint32) {
		if v != 0 {
			*p = v
		}
	}
	set(&t.frInv, x.FRInv)
	set(&t.fr, x.FR)
	set(&t.retr1, x.Retr1)
	set(&t.retr2, x.Retr2)
	life := x.Life
	if t.flags&flagInvite != 0 {
		life = x.LifeInv
	}
	if life != 0 {
		t.endOfLife = t.born + ticks(life)
	}
}

// tDropReplies makes replies of earlier branches count no more.
func (m *mod) tDropReplies(c *route.Ctx, a *route.Args) int {
	which := "a"
	if a.N > 0 {
		which, _ = a.ConstStr(0)
	}
	t := m.lookup(c)
	if t == nil {
		return -1
	}
	m.a.Lock(&t.mu)
	defer m.a.Unlock(&t.mu)
	for bo := t.first; bo != 0; {
		b := m.branch(bo)
		bo = b.next
		if which == "n" || which == "l" && b.index < t.legFrom {
			continue
		}
		b.flags |= brDropped
	}
	return 1
}

// tReplicate is t_relay to somewhere else whose replies nobody gets.
func (m *mod) tReplicate(c *route.Ctx, a *route.Args) int {
	var forced *route.Target
	if a.N > 0 {
		text, ok := a.Str(c, 0)
		if !ok {
			return -1
		}
		t := route.Target{Host: text, Proto: sipparse.UDP}
		if a.N == 2 {
			port, ok := a.Int(c, 1)
			if !ok || port < 0 || port > 65535 {
				return -1
			}
			t.Port = uint16(port)
		} else {
			var err error
			if t, err = m.h.Proc.URITarget(text); err != nil {
				c.Failed(err)
				return -1
			}
		}
		forced = &t
	}
	return m.replicate(c, forced)
}

func (m *mod) replicate(c *route.Ctx, forced *route.Target) int {
	if t := m.lookup(c); t != nil && c.TransState == stateFound {
		return 0 // a retransmission was replicated already
	}
	t, found, err := m.newTransaction(c)
	if err != nil {
		refused(c, "t_replicate", err)
		return -1
	}
	if found {
		return 0
	}
	t.flags = t.flags&^flagAuto100 | flagReplicate
	return m.forward(c, t, forced)
}
