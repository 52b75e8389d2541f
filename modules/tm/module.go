package tm

import (
	"errors"
	"fmt"
	"slices"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

func init() {
	modules.Register("tm", func() modules.Module {
		return &mod{par: params{
			frTimer: 30000, frInvTimer: 120000, wtTimer: 5000, retr1: 500, retr2: 4000, maxInv: 180000, maxNonInv: 32000,
			auto100: 1, auto100Reason: "trying -- your call is important to us", restartFR: 1, defaultCode: 500,
			defaultReason: "Server Internal Error", cancelMethod: 1, failureMode: 3, remap503: 1, reply408: 408, reply408Reason: "Request Timeout",
			aggregate: 1, e2eCancelReason: 1, localCancelReason: 1, noisyCtimer: 1, via1Matching: 1, ruriMatching: 1, delayedReply: 1,
		}}
	})
}

var (
	_ modules.Module       = (*mod)(nil)
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
)

// params are the module's parameters; times in milliseconds.
type params struct {
	contacts, contactFlows attrName // contacts_avp, contact_flows_avp
	frAVP, frInvAVP        attrName // fr_timer_avp, fr_inv_timer_avp
	xavpContact            string

	frTimer, frInvTimer, wtTimer, retr1, retr2, maxInv, maxNonInv    int
	auto100                                                          int
	auto100Reason                                                    string
	restartFR                                                        int
	defaultCode                                                      int
	defaultReason                                                    string
	cancelMethod                                                     int
	no6xx                                                            int
	failureMode                                                      int
	remap503                                                         int
	reply408                                                         int
	reply408Reason                                                   string
	relay100                                                         int
	aggregate                                                        int
	via1Matching, ruriMatching                                       int
	callIDMatching, callIDCSeqMatching                               int
	delayedReply, failureExecMode, fakedPrio, richRedirect           int
	unmatchedCancel                                                  int
	localAckMode, localAckBranchMode                                 int
	e2eCancelReason, localCancelReason, noisyCtimer, passProvisional int
	onSLReply                                                        string
	ackHeaders                                                       string // ac_extra_hdrs
}

type mod struct {
	par             params
	h               *modules.Host
	a               *shm.Arena
	table           shm.Table
	root            *root
	tag             route.TagPrefix
	tagCell         shm.Tag
	tagBranch       shm.Tag
	tagReply        shm.Tag
	tagState        shm.Tag
	stats           stats
	hooks           []Hook
	earlyHook       bool                                 // one of them wants provisional replies
	replies         map[string]func(r *modules.UACReply) // OnReply
	ids             ids
	onLocalRequest  *route.Route    // event routes
	onSLReply       *route.RouteRef // on_sl_reply, nil: none
	onLocalResponse *route.Route
	onAckSent       *route.Route
	auto100         []byte
	scratch         []byte // for state that is carried to shared memory
	reason          []byte // line of a CANCEL that is being built
	spare           []*edit.List
	parsed          sipparse.Msg // of ours: what is built on or looked at for a moment
	noEdits         edit.List
	upstream        sipparse.Msg // for relaying a stored reply
	lost            sipparse.Msg // a request that could not be sent
	void            []string     // what is to be said of parameters that change nothing
}

// root is the entry to the module's shared memory.
type root struct {
	Table shm.Off
	Label uint32 // of the next cell
	_     uint32
	Dying [512]shm.Off // the cell that the process of the slot is freeing, 0: none
}

const rootName = "tm"

func rootIn(a *shm.Arena) (shm.Ref[root], error) {
	r, _, err := shm.Root[root](a, rootName, shm.LayoutOf[cell](), shm.LayoutOf[branch]())
	return r, err
}

// Timer kinds.
const (
	kindCell   shm.Kind = 1
	kindBranch shm.Kind = 2
	kindCancel shm.Kind = 3
)

func (m *mod) Exports() modules.Exports {
	p := &m.par
	notYet := func(name string, def int) modules.Param {
		return modules.Param{Name: name, Type: modules.AnyParam, Doc: "only the default is there yet", Func: func(v modules.Value) error {
			if v.IsInt && v.Int == def {
				return nil
			}
			return errNotYet
		}}
	}
	return modules.Exports{
		Params: append([]modules.Param{
			{Name: "fr_timer", Runtime: "fr_timer", Int: &p.frTimer, Min: 1, Max: 1 << 30, Doc: "ms until a branch without any final reply has failed, 30000"},
			{Name: "fr_inv_timer", Runtime: "fr_inv_timer", Int: &p.frInvTimer, Min: 1, Max: 1 << 30, Doc: "the same for an INVITE that got a provisional reply, 120000"},
			{Name: "wt_timer", Runtime: "wt_timer", Int: &p.wtTimer, Min: 1, Max: 1 << 30, Doc: "ms that a finished transaction is kept, 5000"},
			{Name: "retr_timer1", Runtime: "retr_timer1", Int: &p.retr1, Min: 1, Max: 1 << 20, Doc: "ms until the first retransmission, 500"},
			{Name: "retr_timer2", Runtime: "retr_timer2", Int: &p.retr2, Min: 1, Max: 1 << 20, Doc: "longest ms between retransmissions, 4000"},
			{Name: "max_inv_lifetime", Runtime: "max_inv_lifetime", Int: &p.maxInv, Doc: "ms that an INVITE transaction may live before it has a final reply, 180000; 0 = any time"},
			{Name: "max_noninv_lifetime", Runtime: "max_noninv_lifetime", Int: &p.maxNonInv, Doc: "the same for others, 32000"},
			{Name: "auto_inv_100", Runtime: "auto_inv_100", Int: &p.auto100, Max: 1, Doc: "answer an INVITE with 100 at once, 1"},
			{Name: "auto_inv_100_reason", Runtime: "auto_inv_100_reason", Str: &p.auto100Reason, Changed: m.setAuto100, Doc: "its reason"},
			{Name: "restart_fr_on_each_reply", Runtime: "restart_fr_on_each_reply", Int: &p.restartFR, Max: 1, Doc: "each provisional reply restarts fr_inv_timer, 1"},
			{Name: "default_code", Runtime: "default_code", Int: &p.defaultCode, Min: 300, Max: 699, Doc: "code of t_reply without a valid one, 500"},
			{Name: "default_reason", Runtime: "default_reason", Str: &p.defaultReason, Doc: "its reason"},
			{Name: "cancel_b_method", Runtime: "cancel_b_method", Int: &p.cancelMethod, Max: 2, Doc: "what a CANCEL does to a branch without a reply: 0 ends it with a 487 of our own, 1 repeats the INVITE and cancels at the first provisional reply, 2 cancels at once"},
			{Name: "disable_6xx_block", Runtime: "disable_6xx_block", Int: &p.no6xx, Max: 1, Doc: "1: a 6xx does not end forking, 0"},
			{Name: "failure_reply_mode", Int: &p.failureMode, Max: 3, Doc: "3: replies of earlier legs are forgotten when the failure route adds branches; 0: they count"},
			{Name: "remap_503_500", Int: &p.remap503, Max: 1, Doc: "1: a 503 goes back as 500"},
			{Name: "reply_408_code", Int: &p.reply408, Min: 300, Max: 699, Doc: "code of a timeout, 408"},
			{Name: "reply_408_reason", Str: &p.reply408Reason, Doc: "its reason"},
			{Name: "relay_100", Runtime: "relay_100", Int: &p.relay100, Max: 1, Doc: "1: a received 100 is relayed, 0"},
			{Name: "via1_matching", Runtime: "via1_matching", Int: &p.via1Matching, Max: 1, Doc: "compare sent-by of the top Via when matching requests, 1"},
			{Name: "ruri_matching", Runtime: "ruri_matching", Int: &p.ruriMatching, Max: 1, Doc: "compare the R-URI of an ACK or old-style request, 1"},
			{Name: "unmatched_cancel", Runtime: "unmatched_cancel", Int: &p.unmatchedCancel, Max: 2, Doc: "a CANCEL without its INVITE: 0 is relayed with a transaction, 1 without, 2 is dropped"},
			{Name: "aggregate_challenges", Runtime: "aggregate_challenges", Int: &p.aggregate, Max: 1, Doc: "1: a 401 or 407 takes the challenges of the other branches along"},
			{Name: "contacts_avp", Type: modules.StrParam, Func: p.contacts.read, Doc: "attribute in which t_load_contacts keeps contacts: name, s:name, i:number"},
			{Name: "contact_flows_avp", Type: modules.StrParam, Func: p.contactFlows.read, Doc: "attribute in which t_next_contacts keeps further contacts of one +sip.instance, for t_next_contact_flow; not set: they are contacts like others"},
			{Name: "xavp_contact", Str: &p.xavpContact, Doc: "$xavp with what is kept with each contact, as usrloc's parameter of that name: t_load_contacts and t_next_contacts take it along"},
			{Name: "fr_timer_avp", Type: modules.StrParam, Func: p.frAVP.read, Doc: "attribute with fr_timer of the transaction that is being made, in seconds"},
			{Name: "fr_inv_timer_avp", Type: modules.StrParam, Func: p.frInvAVP.read, Doc: "the same for fr_inv_timer"},
			{Name: "local_ack_mode", Runtime: "local_ack_mode", Int: &p.localAckMode, Max: 2, Doc: "where the ACK to a 2xx of a local INVITE goes: 0 to the target of the dialog by its route set, 1 where the INVITE went, 2 where the 2xx came from"},
			{Name: "local_ack_branch_mode", Int: &p.localAckBranchMode, Max: 1, Doc: "Via branch of that ACK: 0 the INVITE's, 1 its own"},
			{Name: "ac_extra_hdrs", Runtime: "ac_extra_hdrs", Str: &p.ackHeaders, Doc: "header lines for the ACK to a 2xx of a local INVITE, each with its line end"},
			{Name: "callid_matching", Int: &p.callIDMatching, Max: 1, Doc: "1: compare the Call-ID too when matching requests and replies, 0"},
			{Name: "callid_cseq_matching", Int: &p.callIDCSeqMatching, Max: 1, Doc: "1: match replies by Call-ID and CSeq number instead of what our Via branch has of the request, 0"},
			{Name: "delayed_reply", Int: &p.delayedReply, Max: 1, Doc: "0: a t_relay that fails answers at once and not when the script has ended, 1"},
			{Name: "failure_exec_mode", Int: &p.failureExecMode, Max: 1, Doc: "1: a branch that can not be sent is one that fails when fr_timer has run out, and t_relay succeeds, 0"},
			{Name: "faked_reply_prio", Int: &p.fakedPrio, Min: -32000, Max: 32000, Doc: "what is added to the priority of a final reply of our own (timeout) when the best is picked; above 0 received ones win, 0"},
			{Name: "rich_redirect", Int: &p.richRedirect, Max: route.ContactFlags | route.ContactPath, Doc: "what a 3xx tells of branches, a sum: 1 branch flags as parameter of the Contact, 2 Path as Route header of its URI; 0"},
			notYet("reply_matching", 1), notYet("dns_reuse_rcv_socket", 0), notYet("headers_mode", 0), notYet("blst_503", 0),
			{Name: "e2e_cancel_reason", Runtime: "e2e_cancel_reason", Int: &p.e2eCancelReason, Max: 1, Doc: "1: Reason of a received CANCEL goes into ours"},
			{Name: "local_cancel_reason", Runtime: "local_cancel_reason", Int: &p.localCancelReason, Max: 1, Doc: "1: a CANCEL because of another branch's final reply says so in a Reason (RFC 3326)"},
			{Name: "noisy_ctimer", Runtime: "noisy_ctimer", Int: &p.noisyCtimer, Max: 1, Doc: "0: an INVITE of one branch that times out without any reply to it is not answered"},
			{Name: "pass_provisional_replies", Runtime: "pass_provisional_replies", Int: &p.passProvisional, Max: 1, Doc: "1: who sends requests of our own is told of provisional replies too"},
			{Name: "on_sl_reply", Str: &p.onSLReply, Doc: "onreply_route for replies that belong to no transaction; drop ends them"},
			notYet("enable_uac_fr", 0), notYet("e2e_cancel_hop_by_hop", 1),
		}, m.voidParams()...),
		Funcs:  m.funcs(),
		Stats:  m.stats.table(m),
		RPC:    slices.Concat(m.commands(), m.uacCommands(), m.listCommands()),
		Events: []string{localRequest, localResponse, localAckSent, branchFailurePrefix + "NAME"},
	}
}

var errNotYet = errors.New("not there yet: only the default value is supported")

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	m.parsed.Grammar, m.upstream.Grammar, m.lost.Grammar = h.Proc.Par.Grammar, h.Proc.Par.Grammar, h.Proc.Par.Grammar
	if h.Main {
		for _, what := range m.void {
			h.Logf(log.Warn, "tm", "parameter %s", what)
		}
	}
	if m.par.failureMode != 0 && m.par.failureMode != 3 {
		return fmt.Errorf("failure_reply_mode %d: %w (0 and 3 are there)", m.par.failureMode, errNotYet)
	}
	m.tag = route.NewTagPrefix(route.TMSignature, h.Net.Sockets[0], '-')
	m.ids.init(h.Net.Sockets[0])
	if m.par.onSLReply != "" {
		m.onSLReply = h.Env.Route(route.InOnReply, m.par.onSLReply)
	}
	m.setAuto100()
	m.scratch = make([]byte, 0, 2048)
	h.Timer(kindCell, route.TimerHandler{Name: "tm: transaction", Run: m.onCellTimer, Drop: func(at shm.Off) { m.dropTimer(at - shm.Off(timerOff)) }})
	h.Timer(kindBranch, route.TimerHandler{Name: "tm: branch", Run: m.onBranchTimer, Drop: func(at shm.Off) { m.dropTimer(m.branch(at - shm.Off(branchOff)).cell) }})
	h.Timer(kindCancel, route.TimerHandler{Name: "tm: cancel", Run: m.onCancelTimer, Drop: func(at shm.Off) { m.dropTimer(m.branch(at - shm.Off(cancelOff)).cell) }})
	h.Responses = append(h.Responses, m.response)
	h.AfterScript = append(h.AfterScript, m.afterScript)
	h.SendFailed = append(h.SendFailed, m.sendFailed)
	h.Suspending, h.Woken = append(h.Suspending, m.suspending), append(h.Woken, m.woken)
	h.Absorbed = append(h.Absorbed, m.absorbed)
	h.Unavailable = append(h.Unavailable, m.unavailable)
	return nil
}

func (m *mod) setAuto100() { m.auto100 = []byte(m.par.auto100Reason) }

func (m *mod) Init(h *modules.Host) error {
	r, err := rootIn(h.Arena)
	if err != nil {
		return err
	}
	m.root = r.Get(h.Arena)
	if m.root.Table != 0 {
		return m.attach(h)
	}
	t, err := shm.NewTable(h.Arena, tableSize, h.Arena.TagFor("tm", "table"))
	if err != nil {
		return fmt.Errorf("transaction table: %w", err)
	}
	m.root.Table = t.Off()
	return m.attach(h)
}

func (m *mod) InitWorker(h *modules.Host, rank int) error {
	for _, x := range [...]struct {
		at   **route.Route
		name string
	}{{&m.onLocalRequest, localRequest}, {&m.onLocalResponse, localResponse}, {&m.onAckSent, localAckSent}} {
		*x.at = h.Prog.Find(route.InEvent, x.name)
	}
	if h.Main {
		return nil
	}
	r, err := rootIn(h.Arena)
	if err != nil {
		return err
	}
	m.root = r.Get(h.Arena)
	if err := m.attach(h); err != nil {
		return err
	}
	if !h.Reloaded {
		m.finishFree()
		m.adopt()
	}
	return nil
}

func (m *mod) attach(h *modules.Host) (err error) {
	m.a = h.Arena
	m.table, err = shm.OpenTable(m.a, m.root.Table)
	m.tagCell, m.tagBranch = m.a.TagFor("tm", "cell"), m.a.TagFor("tm", "branch")
	m.tagReply, m.tagState = m.a.TagFor("tm", "reply"), m.a.TagFor("tm", "state")
	return err
}

// ticks turns milliseconds into timer ticks of 1/16 s, at least one.
func ticks(ms uint32) uint64 { return max(1, (uint64(ms)*16+999)/1000) }
