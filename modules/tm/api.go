package tm

import (
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
)

// API is what other modules ask of tm (load_tm).
type API interface {
	// HasTransaction says whether the message belongs to a transaction that it made or was found for.
	HasTransaction(c *route.Ctx) bool
	// Reply sends a stateful reply and makes the transaction if there is none; > 0 on success.
	Reply(c *route.Ctx, code int, reason []byte) int
	// Create makes the transaction of a request if there is none; false if there can be none.
	Create(c *route.Ctx) bool
	// Relay is t_relay().
	Relay(c *route.Ctx) int
	// View describes the transaction of the message; ok is false if there is none.
	View(c *route.Ctx) (View, bool)
	// Branch describes branch i of it.
	Branch(c *route.Ctx, i int) (BranchView, bool)
	// WithRequest calls f with the transaction's request as it was received, parsed; valid during the call.
	WithRequest(c *route.Ctx, f func(msg *sipparse.Msg)) bool
	// WithInvite is WithRequest for the INVITE that a CANCEL is about.
	WithInvite(c *route.Ctx, f func(msg *sipparse.Msg)) bool
	// FlushFlags stores the message's flags in its transaction; false if there is none.
	FlushFlags(c *route.Ctx) bool
	// FlushXFlags stores the extended flags in the transaction; false if there is none, or no memory.
	FlushXFlags(c *route.Ctx) bool
	// VBFlags are the bits of t_vbflag_set; nil if there is no transaction.
	VBFlags(c *route.Ctx) *uint32
	// CancelBranch cancels one branch of an INVITE by its transaction's index and label; false if it is not there or has ended.
	CancelBranch(p *route.Proc, index, label uint32, branch int) bool
	// AckLocal sends the ACK to the 2xx of a local INVITE that has none yet.
	AckLocal(c *route.Ctx, callID, cseq, headers, body []byte) error
	// Suspend keeps the transaction of a request until Continue or fr_timer; 0: a retransmission, which ends the script.
	Suspend(c *route.Ctx) (rc int, err error)
	// Continue runs a route on the request of a suspended transaction, as a failure route.
	Continue(p *route.Proc, index, label uint32, r *route.Route) error
	// CancelCallID cancels the branches of an INVITE found by Call-ID and CSeq number; false if there is none.
	CancelCallID(p *route.Proc, callID, cseq []byte, set uint32) bool
	// ReplyCallID answers a request found by Call-ID and CSeq number.
	ReplyCallID(p *route.Proc, callID, cseq []byte, code int, reason []byte) bool
	// CancelBranches cancels branches of the transaction of the reply in hand.
	CancelBranches(c *route.Ctx, pick func(index int) bool) bool
	// ReuseBranch makes the branch that a branch-failure route is about the destination of the request once more.
	ReuseBranch(c *route.Ctx) bool
	// DropTransaction ends the transaction of a request without an answer.
	DropTransaction(c *route.Ctx, code int) bool
	// AddHook registers what is told of transactions; in Setup.
	AddHook(h Hook)
}

var _ API = (*mod)(nil)

// View of a transaction.
type View struct {
	Index, Label uint32 // $T(id_index), $T(id_label)
	Status       int    // last sent upstream
	Branches     int
	Canceled     bool
	Invite       bool
	ReplyLocal   bool // the last reply was our own
	Picked       int  // branch that a failure route is about, -1
	Flags        uint32
}

// BranchView of a branch; slices are borrowed.
type BranchView struct {
	Status           int
	URI, RUID        []byte
	Flags            uint32
	Timeout, Replied bool
}

// Hook is told of what happens to transactions (Kamailio's TMCB callbacks). Functions may be nil.
type Hook struct {
	// Want says by the request's flags whether the transaction is of interest; asked before anything is restored for a call.
	Want func(flags uint32) bool
	// Begin says by the request's flags, when it makes a transaction, whether Want is to be asked later, when flags may have changed; nil: it is.
	Begin func(flags uint32) bool
	// RequestIn runs when the request made a transaction.
	RequestIn func(c *route.Ctx)
	// ProvisionalOut runs when a provisional reply of a branch was sent upstream, with a Ctx as ResponseOut's.
	ProvisionalOut func(c *route.Ctx, code int, reply *sipparse.Msg)
	// ResponseOut runs when a final reply was sent upstream: c holds the request with its state, reply is what the branch sent, nil for a local one.
	ResponseOut func(c *route.Ctx, code int, reply *sipparse.Msg)
	// Failure runs before the failure route.
	Failure func(c *route.Ctx, code int, reply *sipparse.Msg)
}

func (m *mod) AddHook(h Hook) {
	m.hooks = append(m.hooks, h)
	m.earlyHook = m.earlyHook || h.ProvisionalOut != nil
}

func (m *mod) wanted(t *cell, flags uint32) bool {
	for i := range m.hooks {
		if m.asks(i, t, flags) {
			return true
		}
	}
	return false
}

func (m *mod) requestIn(c *route.Ctx) {
	var not uint32
	for i := range m.hooks {
		if begin := m.hooks[i].Begin; begin != nil && !begin(c.Flags) {
			not |= unhooked << i // nothing from the ninth hook on, which is asked again later
		}
	}
	if not != 0 {
		t := m.cell(c.Trans)
		m.a.Lock(&t.mu)
		t.flags |= not
		m.a.Unlock(&t.mu)
	}
	for i := range m.hooks {
		if f := m.hooks[i].RequestIn; f != nil && m.hooks[i].Want(c.Flags) {
			f(c)
		}
	}
}

// asks says whether hook i wants to know of a transaction whose message has these flags now.
func (m *mod) asks(i int, t *cell, flags uint32) bool {
	return t.flags&(unhooked<<i) == 0 && m.hooks[i].Want(flags)
}

func (m *mod) onFailure(c *route.Ctx, o shm.Off, t *cell, code int, reply *sipparse.Msg) {
	for i := range m.hooks {
		if f := m.hooks[i].Failure; f != nil && m.asks(i, t, t.msgFlags) {
			f(c, code, reply)
		}
	}
}

// responseOut tells the hooks of a reply that was sent upstream, a provisional one or a final one. c may hold the request or the reply; hooks get a Ctx with the request.
func (m *mod) responseOut(c *route.Ctx, o shm.Off, t *cell, code int, reply *sipparse.Msg) {
	flags := t.msgFlags
	if c.IsRequest() {
		flags |= c.Flags
	}
	if !m.wanted(t, flags) {
		return
	}
	call := func(c *route.Ctx) {
		for i := range m.hooks {
			f := m.hooks[i].ResponseOut
			if code < 200 {
				f = m.hooks[i].ProvisionalOut
			}
			if f != nil && m.asks(i, t, flags) {
				f(c, code, reply)
			}
		}
	}
	if c.IsRequest() {
		call(c)
		return
	}
	m.withRequest(c.P, o, t, route.InFailure, call)
}

// HasTransaction is true when there is one for the message.
func (m *mod) HasTransaction(c *route.Ctx) bool {
	if c.Msg.Line.IsReply {
		return false
	}
	t := m.lookup(c)
	return t != nil
}

func (m *mod) Create(c *route.Ctx) bool {
	t, err := m.ensure(c)
	if err != nil {
		refused(c, "create", err)
	}
	return t != nil
}

func (m *mod) Relay(c *route.Ctx) int { return m.relay(c, nil) }

func (m *mod) View(c *route.Ctx) (View, bool) {
	t := m.transactionOf(c)
	if t == nil {
		return View{}, false
	}
	return View{Index: t.hash, Label: t.label, Status: int(t.status), Branches: int(t.n), Canceled: t.flags&flagCanceled != 0,
		Invite: t.flags&flagInvite != 0, ReplyLocal: t.replyFrom < 0, Picked: int(t.picked), Flags: t.msgFlags}, true
}

func (m *mod) transactionOf(c *route.Ctx) *cell {
	if c.TransState == stateFound || c.TransState == stateNew {
		return m.cell(c.Trans)
	}
	return nil
}

func (m *mod) Branch(c *route.Ctx, i int) (BranchView, bool) {
	t := m.transactionOf(c)
	if t == nil {
		return BranchView{}, false
	}
	bo, b := m.branchAt(t, i)
	if b == nil {
		return BranchView{}, false
	}
	ruid, _, _, _, _ := m.texts(b)
	return BranchView{Status: int(b.status), URI: b.uri.in(m.buffer(bo, b)), RUID: ruid, Flags: b.bflags,
		Timeout: b.flags&brTimeout != 0, Replied: b.flags&brReplied != 0}, true
}

// FlushFlags is t_flush_flags.
func (m *mod) FlushFlags(c *route.Ctx) bool {
	t := m.transactionOf(c)
	if t == nil {
		return false
	}
	t.msgFlags = c.Flags
	return true
}

// FlushXFlags is t_flush_xflags.
func (m *mod) FlushXFlags(c *route.Ctx) bool {
	t := m.transactionOf(c)
	if t == nil || t.flags&flagLocal != 0 {
		return false
	}
	if t.state != 0 {
		route.SetStateXFlags(m.a.Bytes(t.state), c.XFlags)
		return true
	}
	m.scratch = c.AppendState(m.scratch[:0])
	return m.storeOf(mayDip(c, t), &t.state, &t.stateLen, m.scratch, m.tagState) == nil
}

// VBFlags are those of t_vbflag_set and its kin.
func (m *mod) VBFlags(c *route.Ctx) *uint32 {
	t := m.transactionOf(c)
	if t == nil {
		return nil
	}
	return &t.vbflags
}

// CancelBranch is t_cancel_branch_idx.
func (m *mod) CancelBranch(p *route.Proc, index, label uint32, branch int) bool {
	o := m.byID(index, label)
	if o == 0 {
		return false
	}
	t := m.cell(o)
	defer m.unref(o, t)
	bo, b := m.branchAt(t, branch)
	return b != nil && t.flags&flagInvite != 0 && m.cancelBranch(p, o, t, bo, b, nil)
}

func (m *mod) WithRequest(c *route.Ctx, f func(msg *sipparse.Msg)) bool {
	t := m.transactionOf(c)
	if t == nil {
		return false
	}
	var msg sipparse.Msg
	msg.Grammar = m.h.Proc.Par.Grammar
	if msg.Parse(m.request(c.Trans, t)) != sipparse.OK {
		return false
	}
	f(&msg)
	return true
}

func (m *mod) WithInvite(c *route.Ctx, f func(msg *sipparse.Msg)) bool {
	if c.Msg.Line.IsReply || c.Msg.Line.Method != sipparse.CANCEL {
		return false
	}
	o := m.find(&c.Msg, true)
	if o == 0 {
		return false
	}
	t := m.cell(o)
	defer m.unref(o, t)
	var msg sipparse.Msg
	msg.Grammar = m.h.Proc.Par.Grammar
	if msg.Parse(m.request(o, t)) != sipparse.OK {
		return false
	}
	f(&msg)
	return true
}

// LocalTag is the To tag that a reply of the message's transaction gets.
func (m *mod) LocalTag(c *route.Ctx) []byte { return c.ToTag(&m.tag) }
