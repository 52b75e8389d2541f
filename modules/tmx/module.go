// Package tmx adds to tm: a look at who else works on a request before there is a transaction, and variables about transactions.
package tmx

import (
	"errors"
	"fmt"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/tm"
)

func init() { modules.Register("tmx", func() modules.Module { return &mod{precheck: 1} }) }

var (
	_ modules.Module       = (*mod)(nil)
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
)

type mod struct {
	precheck int
	h        *modules.Host
	tm       tm.API
	table    *pretrans
}

func (m *mod) Exports() modules.Exports {
	in := func(name string, k route.Mask, doc string) route.Func {
		return route.Func{Name: name, From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, _ *route.Args) int { return truth(c.Kind&k != 0) }}
	}
	return modules.Exports{
		Params: []modules.Param{{Name: "precheck_trans", Int: &m.precheck, Max: 1, Doc: "1: t_precheck_trans may be used; 0: it is always false"}},
		Funcs: []route.Func{
			{Name: "t_precheck_trans", From: route.InRequest, Doc: "1 if another script works on this request now, else -1, and others are told from now on", Run: m.tPrecheck},
			in("t_is_failure_route", route.InFailure, "1 in a failure_route, else -1"),
			in("t_is_branch_route", route.InBranch, "1 in a branch_route, else -1"),
			in("t_is_reply_route", route.AnyReply, "1 in a reply route, else -1"),
			in("t_is_request_route", route.InRequest, "1 in the request route, else -1"),
			{Name: "t_suspend", From: route.InRequest | route.InFailure, Doc: "keep the transaction for t_continue; $T(id_index) and $T(id_label) name it", Run: m.tSuspend},
			{Name: "t_continue", Args: "iis", From: route.AnyRoute, Compile: m.compileContinue, Doc: "run a route on a suspended request, as a failure route: index, label, name of the route"},
			{Name: "t_cancel_branches", Args: "S", From: route.InOnReply, Compile: m.compileCancelBranches, Doc: "cancel all branches, the others, or this one"},
			{Name: "t_cancel_callid", Args: "ssi", From: route.AnyRoute, Run: m.tCancelCallID, Doc: "cancel an INVITE by Call-ID and CSeq number; a message flag is set in its transaction"},
			{Name: "t_reply_callid", Args: "ssis", From: route.AnyRoute, Run: m.tReplyCallID, Doc: "answer a transaction found by Call-ID and CSeq number: code, reason"},
			{Name: "t_uac_ack_local", Args: "ss|ss", From: route.AnyRoute, Run: m.tACKLocal, Doc: "send the ACK to the 2xx of a local INVITE that has none: Call-ID, CSeq number, header lines, body"},
			{Name: "t_cancel_branch_idx", Args: "iii", From: route.AnyRoute, Run: m.tCancelBranch, Doc: "cancel one branch: index and label of the transaction, number of the branch"},
			{Name: "t_flush_xflags", From: route.AnyRoute, Run: func(c *route.Ctx, _ *route.Args) int { return truth(m.tm.FlushXFlags(c)) }, Doc: "store the extended flags in the transaction"},
			m.vbflag("t_vbflag_set", "set a bit, 0 to 31, that goes with the transaction", func(p *uint32, bit uint32) bool { *p |= bit; return true }),
			m.vbflag("t_vbflag_reset", "clear that bit", func(p *uint32, bit uint32) bool { *p &^= bit; return true }),
			m.vbflag("t_vbflag_is_set", "true if it is set", func(p *uint32, bit uint32) bool { return *p&bit != 0 }),
			{Name: "t_reuse_branch", From: route.InEvent, Run: func(c *route.Ctx, _ *route.Args) int { return truth(m.tm.ReuseBranch(c)) }, Doc: "in a branch-failure route: the destination is the failed branch's once more"},
			{Name: "t_drop", Args: "|i", From: route.InRequest | route.InFailure, Run: m.tDrop, Doc: "end the transaction without an answer; it counts as the code, 500"},
			{Name: "t_flush_flags", From: route.AnyRoute, Doc: "store the message flags in the transaction", Run: func(c *route.Ctx, _ *route.Args) int {
				if m.tm.FlushFlags(c) {
					return 1
				}
				c.Logf(log.Err, "tmx", "failed to flush flags - no transaction found")
				return -1
			}},
		},
		Vars: []route.Var{
			m.other("T_req", "in a reply route: variable of the transaction's request as it was received, $T_req($hdr(X))", m.requestOf), m.other("T_rpl", "in a failure route: variable of the reply that it is about; null if that is our own", replyOf),
			m.other("T_inv", "variable of the INVITE that the CANCEL in hand is about", m.inviteOf),
			{Name: "T_branch_idx", Get: m.branchIndex, Doc: "index of the branch; in a request or failure route the number of branches"},
			{Name: "T_reply_code", Get: m.replyCode, Doc: "status of the reply in hand, or last sent"},
			{Name: "T_reply_reason", Get: m.replyReason, Doc: "its reason; empty where there is no reply"},
			{Name: "T_reply_last", Get: m.replyLast, Doc: "in a reply route: status of the reply; else empty"},
			{Name: "T_reply_ruid", Get: m.replyRUID, Doc: "record id of the branch in hand"},
			{Name: "T", Bind: m.bindT, Doc: "$T(id_index), id_label, reply_code, reply_reason, reply_type, branch_index"},
			{Name: "T_branch", Bind: m.bindBranch, Doc: "$T_branch(uri) and ruid in a reply route, flags in a reply or failure route"},
		},
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

func (m *mod) Setup(h *modules.Host) error {
	var ok bool
	if m.tm, ok = h.Find("tm").(tm.API); !ok {
		return errors.New("module tm is needed")
	}
	m.h = h
	h.AfterScript = append(h.AfterScript, m.afterScript)
	return nil
}

func (m *mod) branchIndex(c *route.Ctx) route.Value { return route.Int(int64(m.index(c))) }

func (m *mod) index(c *route.Ctx) int {
	switch {
	case c.Kind&(route.InBranch|route.InOnReply|route.InBranchFailure) != 0:
		return c.TransBranch
	case c.Kind&route.InFailure != 0:
		v, _ := m.tm.View(c)
		return v.Branches
	}
	return len(c.Branches)
}

func (m *mod) code(c *route.Ctx) int {
	switch {
	case c.Kind&route.AnyReply != 0:
		return int(c.Msg.Line.Status)
	case c.Kind&(route.InFailure|route.InBranchFailure) != 0:
		return c.ReplyCode
	}
	v, _ := m.tm.View(c)
	return v.Status
}

func (m *mod) replyCode(c *route.Ctx) route.Value { return route.Int(int64(m.code(c))) }

func (m *mod) replyReason(c *route.Ctx) route.Value {
	switch {
	case c.Kind&route.AnyReply != 0:
		return route.Str(c.Msg.Bytes(c.Msg.Line.Reason))
	case c.Kind&route.InFailure != 0 && c.Reply != nil:
		return route.Str(c.Reply.Bytes(c.Reply.Line.Reason))
	case c.Kind&route.InFailure != 0 && c.ReplyCode == 408:
		return route.Str([]byte("Request Timeout"))
	}
	return route.Str([]byte{})
}

func (m *mod) replyLast(c *route.Ctx) route.Value {
	if c.Kind&route.AnyReply != 0 {
		return route.Int(int64(c.Msg.Line.Status))
	}
	return route.Str([]byte{})
}

func (m *mod) replyRUID(c *route.Ctx) route.Value {
	b, ok := m.branch(c)
	if !ok {
		return route.Str([]byte{})
	}
	return route.Str(b.RUID)
}

// branch is the one that the route is about.
func (m *mod) branch(c *route.Ctx) (tm.BranchView, bool) {
	if c.Kind&(route.InOnReply|route.InFailure|route.InBranchFailure) == 0 {
		return tm.BranchView{}, false
	}
	return m.tm.Branch(c, c.TransBranch)
}

func (m *mod) bindT(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	id := func(f func(v *tm.View) uint32) route.Getter {
		return func(c *route.Ctx) route.Value {
			v, ok := m.tm.View(c)
			if !ok {
				return route.Null
			}
			return route.Int(int64(f(&v)))
		}
	}
	switch r.Inner {
	case "id_index":
		return id(func(v *tm.View) uint32 { return v.Index }), nil, nil
	case "id_index_n", "id_label_n": // the transaction is made for it
		f := id(func(v *tm.View) uint32 { return v.Index })
		if r.Inner == "id_label_n" {
			f = id(func(v *tm.View) uint32 { return v.Label })
		}
		return func(c *route.Ctx) route.Value {
			if !m.tm.Create(c) {
				return route.Null
			}
			return f(c)
		}, nil, nil
	case "id_label":
		return id(func(v *tm.View) uint32 { return v.Label }), nil, nil
	case "reply_code":
		return m.replyCode, nil, nil
	case "reply_reason":
		return m.replyReason, nil, nil
	case "branch_index":
		return m.branchIndex, nil, nil
	case "reply_type":
		return func(c *route.Ctx) route.Value {
			if c.Kind&route.InFailure != 0 && c.Reply == nil {
				return route.Int(1) // our own
			}
			return route.Int(0)
		}, nil, nil
	}
	return nil, nil, fmt.Errorf("$T(%s) is not there", r.Inner)
}

func (m *mod) bindBranch(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	get := func(in route.Mask, f func(b *tm.BranchView) route.Value) route.Getter {
		return func(c *route.Ctx) route.Value {
			if c.Kind&in == 0 {
				c.Logf(log.Err, "tmx", "$T_branch(%s) - unsupported route_type %d", r.Inner, c.Kind)
				return route.Null
			}
			b, ok := m.tm.Branch(c, c.TransBranch)
			if !ok {
				return route.Null
			}
			return f(&b)
		}
	}
	switch r.Inner {
	case "uri":
		return get(route.InOnReply, func(b *tm.BranchView) route.Value { return route.Str(b.URI) }), nil, nil
	case "ruid":
		return get(route.InOnReply|route.InBranchFailure, func(b *tm.BranchView) route.Value { return route.Str(b.RUID) }), nil, nil
	case "flags":
		return get(route.InOnReply|route.InFailure|route.InBranchFailure, func(b *tm.BranchView) route.Value { return route.Int(int64(b.Flags)) }), nil, nil
	}
	return nil, nil, fmt.Errorf("$T_branch(%s) is not there", r.Inner)
}
