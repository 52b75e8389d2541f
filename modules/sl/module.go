// Package sl sends stateless replies, and the replies that are stateful when a transaction is there (send_reply).
package sl

import (
	"errors"
	"fmt"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
)

func init() {
	modules.Register("sl", func() modules.Module {
		return &mod{defaultCode: 500, defaultReason: "Internal Server Error", bindTM: 1}
	})
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
)

type mod struct {
	defaultCode   int
	defaultReason string
	bindTM        int
	richRedirect  int
	h             *modules.Host
	tagPrefix     route.TagPrefix
	tm            stateful
	filteredAck   *route.Route
	localResponse *route.Route
	stats         stats
}

// stateful is what send_reply needs of tm.
type stateful interface {
	// HasTransaction says whether the message belongs to a transaction, or one can be found for it.
	HasTransaction(c *route.Ctx) bool
	// Reply sends a stateful reply.
	Reply(c *route.Ctx, code int, reason []byte) int
	// LocalTag is the To tag that a reply of the transaction gets.
	LocalTag(c *route.Ctx) []byte
}

// API is what other modules ask of sl (bind_sl).
type API interface {
	// SendReply answers statefully when there is a transaction and bind_tm is set, else statelessly; > 0 on success.
	SendReply(c *route.Ctx, code int, reason []byte) int
	// Reply answers statelessly.
	Reply(c *route.Ctx, code int, reason []byte) int
	// ReplyError answers with the last internal error.
	ReplyError(c *route.Ctx) int
}

var _ API = (*mod)(nil)

func (m *mod) Exports() modules.Exports {
	return modules.Exports{
		Params: []modules.Param{
			{Name: "default_code", Int: &m.defaultCode, Min: 100, Max: 699, Doc: "status used when a reply's code is no status, 500"},
			{Name: "default_reason", Str: &m.defaultReason, Doc: `reason used when a reply has none, "Internal Server Error"`},
			{Name: "rich_redirect", Int: &m.richRedirect, Max: route.ContactFlags | route.ContactPath, Doc: "what a 3xx tells of branches, a sum: 1 branch flags as parameter of the Contact, 2 Path as Route header of its URI; 0"},
			{Name: "event_callback_fl_ack", Type: modules.StrParam, Doc: "there are no KEMI engines: an error", Func: noKEMI},
			{Name: "event_callback_lres_sent", Type: modules.StrParam, Doc: "there are no KEMI engines: an error", Func: noKEMI},
			{Name: "bind_tm", Int: &m.bindTM, Max: 1, Doc: "1: send_reply is stateful when there is a transaction; 0: always stateless"},
		},
		Funcs: []route.Func{
			{Name: "sl_send_reply", Aliases: []string{"sl_reply"}, Args: "ss", From: route.InRequest | route.InError, Run: m.slReply, Doc: "stateless reply with a code and a reason"},
			{Name: "send_reply", Args: "ss", From: route.InRequest | route.AnyReply | route.InFailure | route.InBranchFailure, Run: m.sendReply, Doc: "reply, stateful if a transaction exists"},
			{Name: "send_reply_mode", Args: "ssi", From: route.InRequest | route.AnyReply | route.InFailure, Run: m.sendReplyMode, Doc: "send_reply with a mode: 1 do not open a connection, 2 close it afterwards"},
			{Name: "sl_forward_reply", Args: "|ss", From: route.AnyReply, Run: m.forwardReply, Doc: "pass the reply on now, without a transaction, with another code of its class and a reason"},
			{Name: "send_reply_error", From: route.InRequest | route.AnyReply | route.InFailure, Run: m.sendReplyError, Doc: "send_reply with the last internal error"},
			{Name: "sl_reply_error", From: route.InRequest | route.InError, Run: func(c *route.Ctx, _ *route.Args) int { return m.ReplyError(c) }, Doc: "stateless reply with the last internal error"},
		},
		Vars:   []route.Var{{Name: "ltt", Bind: m.bindTag, Doc: "To tag that a reply made here gets: $ltt(s) stateless, $ltt(t) of the transaction, $ltt(x) of the transaction if there is one"}},
		Stats:  m.stats.table(),
		RPC:    []modules.RPC{{Name: "sl.stats", Doc: "counts of the replies sent", Run: m.rpcStats}},
		Events: []string{"sl:filtered-ack", "sl:local-response"},
	}
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	m.tagPrefix = route.NewTagPrefix(route.SLSignature, h.Net.Sockets[0], '.')
	if m.bindTM != 0 {
		m.tm, _ = h.Find("tm").(stateful)
	}
	h.OnRequest = append(h.OnRequest, m.filterACK)
	return nil
}

// InitWorker finds the event routes, which are known once the script is compiled.
func (m *mod) InitWorker(h *modules.Host, _ int) error {
	m.filteredAck = h.Prog.Find(route.InEvent, "sl:filtered-ack")
	m.localResponse = h.Prog.Find(route.InEvent, "sl:local-response")
	return nil
}

// filterACK drops an ACK to a reply of ours: its To tag begins with our prefix.
func (m *mod) filterACK(c *route.Ctx) bool {
	if c.Msg.Line.Method != sipparse.ACK {
		return true
	}
	to, e := c.Msg.To()
	if e != sipparse.OK {
		return true
	}
	if !m.tagPrefix.IsOurTag(c.Msg.Bytes(to.Tag)) {
		return true
	}
	c.P.Count(m.stats.receivedACKs)
	c.Logf(log.Debug, "sl", "ACK to a stateless reply absorbed")
	if m.filteredAck != nil {
		c.RunTop(m.filteredAck, route.InEvent)
	}
	return false
}

func (m *mod) slReply(c *route.Ctx, a *route.Args) int {
	code, reason, err := m.args(c, a)
	if err != nil {
		c.Logf(log.Err, "sl", "sl_send_reply: %v", err)
		return -1
	}
	return m.Reply(c, code, reason)
}

func (m *mod) sendReply(c *route.Ctx, a *route.Args) int {
	code, reason, err := m.args(c, a)
	if err != nil {
		c.Logf(log.Err, "sl", "send_reply: %v", err)
		return -1
	}
	return m.SendReply(c, code, reason)
}

var errKEMI = errors.New("there are no KEMI engines")

func noKEMI(modules.Value) error { return errKEMI }

var errCode = errors.New("code is no number")

func (m *mod) args(c *route.Ctx, a *route.Args) (int, []byte, error) {
	n, ok := a.Int(c, 0)
	if !ok {
		return 0, nil, errCode
	}
	reason, ok := a.Str(c, 1)
	if !ok || len(reason) == 0 {
		reason = []byte(m.defaultReason)
	}
	code := int(n)
	if code < 100 || code > 699 {
		code = m.defaultCode
	}
	return code, reason, nil
}

func (m *mod) sendReplyError(c *route.Ctx, _ *route.Args) int {
	code, reason := c.ErrorReply("SL")
	return m.SendReply(c, code, reason)
}

// ReplyError answers statelessly with the last internal error. As in Kamailio it does not say that the reply could not be sent (which is logged): as
// the last statement of a route it must not fail the route.
func (m *mod) ReplyError(c *route.Ctx) int {
	code, reason := c.ErrorReply("SL")
	m.Reply(c, code, reason)
	return 1
}

// SendReply is send_reply.
func (m *mod) SendReply(c *route.Ctx, code int, reason []byte) int {
	if m.tm != nil && m.tm.HasTransaction(c) {
		return m.tm.Reply(c, code, reason)
	}
	if c.Kind&(route.InRequest|route.InEvent|route.InError) == 0 {
		c.Logf(log.Err, "sl", "send_reply: no transaction in %s", c.Kind)
		return -1
	}
	return m.Reply(c, code, reason)
}

// Reply sends a stateless reply.
func (m *mod) Reply(c *route.Ctx, code int, reason []byte) int {
	if c.Msg.Line.IsReply {
		c.Logf(log.Err, "sl", "a reply can not be answered")
		return -1
	}
	if c.Msg.Line.Method == sipparse.ACK {
		return 1 // an ACK is never answered
	}
	d, ok := c.ReplyDest()
	if !ok {
		c.P.Count(m.stats.failures)
		return -1
	}
	var tag []byte
	if code >= 180 {
		tag = c.ToTag(&m.tagPrefix)
	}
	if code/100 == 3 {
		c.AddContacts(m.richRedirect)
	}
	b, err := c.AppendReply(c.P.Host.Buffer(), code, reason, tag)
	if err == nil {
		err = c.P.Host.Send(d, b)
	}
	if err != nil {
		c.P.Count(m.stats.failures)
		c.Logf(log.Err, "sl", "reply %d: %v", code, err)
		return -1
	}
	m.stats.count(c.P, code)
	if m.localResponse != nil {
		c.RunTop(m.localResponse, route.InEvent)
	}
	return 1
}

// stats are the module's counters.
type stats struct {
	class                          [7]shm.Counter // 1xx ... 6xx
	single                         map[int]*shm.Counter
	sent, sentErr, failures, other shm.Counter
	receivedACKs                   shm.Counter
}

var singles = []int{200, 202, 300, 301, 302, 400, 401, 403, 404, 407, 408, 483, 500}

func (s *stats) table() []modules.Stat {
	s.single = map[int]*shm.Counter{}
	var l []modules.Stat
	add := func(name string, at *shm.Counter, doc string) {
		l = append(l, modules.Stat{Group: "sl", Name: name, Counter: at, Doc: doc})
	}
	for i := 1; i <= 6; i++ {
		add(fmt.Sprintf("%dxx_replies", i), &s.class[i], "replies of the class that have no counter of their own")
	}
	for _, n := range singles {
		s.single[n] = new(shm.Counter)
		add(fmt.Sprintf("%d_replies", n), s.single[n], "replies with the code")
	}
	add("xxx_replies", &s.other, "replies of no class")
	add("sent_replies", &s.sent, "all replies")
	add("sent_err_replies", &s.sentErr, "replies of sl_reply_error")
	add("failures", &s.failures, "replies that could not be sent")
	add("received_ACKs", &s.receivedACKs, "ACKs to stateless replies")
	return l
}

func (s *stats) count(p *route.Proc, code int) {
	p.Count(s.sent)
	if k := s.single[code]; k != nil {
		p.Count(*k)
	} else if class := code / 100; class >= 1 && class <= 6 {
		p.Count(s.class[class])
	} else {
		p.Count(s.other)
	}
}

func (m *mod) rpcStats(r *modules.Request) error {
	n := r.AddStruct()
	sum := func(k shm.Counter) int64 { return m.h.Counts.Sum(k) }
	for _, code := range singles[:2] {
		n.AddInt(fmt.Sprint(code), sum(*m.stats.single[code]))
	}
	n.AddInt("2xx", sum(m.stats.class[2]))
	for _, code := range []int{300, 301, 302} {
		n.AddInt(fmt.Sprint(code), sum(*m.stats.single[code]))
	}
	n.AddInt("3xx", sum(m.stats.class[3]))
	for _, code := range []int{400, 401, 403, 404, 407, 408, 483} {
		n.AddInt(fmt.Sprint(code), sum(*m.stats.single[code]))
	}
	n.AddInt("4xx", sum(m.stats.class[4]))
	n.AddInt("500", sum(*m.stats.single[500]))
	n.AddInt("5xx", sum(m.stats.class[5]))
	n.AddInt("6xx", sum(m.stats.class[6]))
	n.AddInt("xxx", sum(m.stats.other))
	return nil
}
