package tm

import (
	"kahea/modules"
	"kahea/shm"
)

// stats are the module's counters; group tmx names most of them, as in Kamailio.
type stats struct {
	uas, uac, created, freed                                    shm.Counter
	class                                                       [7]shm.Counter
	rplReceived, rplAbsorbed, rplGenerated, rplRelayed, rplSent shm.Counter
	retransmissions, waiting, orphans                           shm.Counter
}

func (s *stats) table(m *mod) []modules.Stat {
	l := []modules.Stat{
		{Group: "tmx", Name: "UAS_transactions", Counter: &s.uas, Doc: "transactions made by received requests"},
		{Group: "tmx", Name: "UAC_transactions", Counter: &s.uac, Doc: "transactions made by requests of this server's own"},
		{Group: "tmx", Name: "rpl_received", Counter: &s.rplReceived, Doc: "replies that belonged to a transaction"},
		{Group: "tmx", Name: "rpl_absorbed", Counter: &s.rplAbsorbed, Doc: "repeated final replies"},
		{Group: "tmx", Name: "rpl_generated", Counter: &s.rplGenerated, Doc: "local replies"},
		{Group: "tmx", Name: "rpl_relayed", Counter: &s.rplRelayed, Doc: "relayed replies"},
		{Group: "tmx", Name: "rpl_sent", Counter: &s.rplSent, Doc: "all replies sent"},
		{Group: "tm", Name: "created", Counter: &s.created, Doc: "transactions made"},
		{Group: "tm", Name: "freed", Counter: &s.freed, Doc: "transactions freed"},
		{Group: "tm", Name: "waiting", Counter: &s.waiting, Doc: "transactions on the wait timer"},
		{Group: "tm", Name: "retransmissions", Counter: &s.retransmissions, Doc: "requests sent again"},
		{Group: "tm", Name: "orphans", Counter: &s.orphans, Doc: "transactions whose script died with its process and that were ended by its successor"},
		{Group: "tmx", Name: "inuse_transactions", Get: func() int64 { return m.sum(s.created) - m.sum(s.freed) }, Doc: "transactions in memory"},
		{Group: "tmx", Name: "active_transactions", Get: func() int64 { return int64(m.table.Count(m.a)) }, Doc: "transactions in the table"},
	}
	for i := 2; i <= 6; i++ {
		l = append(l, modules.Stat{Group: "tmx", Name: string(rune('0'+i)) + "xx_transactions", Counter: &s.class[i], Doc: "transactions by final reply"})
	}
	return l
}

func (m *mod) sum(k shm.Counter) int64 { return m.h.Counts.Sum(k) }

// final counts a transaction's final reply.
func (s *stats) final(h *modules.Host, code uint16) {
	if class := code / 100; class <= 6 {
		h.Count(s.class[class])
	}
}

func (m *mod) commands() []modules.RPC {
	return []modules.RPC{
		{Name: "tm.cancel", Doc: "cancel a pending INVITE: Call-ID, CSeq number", Run: func(r *modules.Request) error {
			callID, cseq, err := callOf(r)
			if err != nil {
				return err
			}
			if !m.CancelCallID(m.h.Proc, callID, cseq, 0) {
				return modules.NewFault(404, "no such transaction")
			}
			return nil
		}},
		{Name: "tm.reply_callid", Doc: "answer a transaction: Call-ID, CSeq number, code, reason", Run: func(r *modules.Request) error {
			callID, cseq, err := callOf(r)
			if err != nil {
				return err
			}
			code, err := r.Integer()
			if err != nil {
				return err
			}
			reason, err := r.Str()
			if err != nil {
				return err
			}
			if code < 100 || code > 699 {
				return modules.NewFault(400, "code %d is not in 100 to 699", code)
			}
			if !m.ReplyCallID(m.h.Proc, callID, cseq, int(code), []byte(reason)) {
				return modules.NewFault(404, "no such transaction, or it has its final reply")
			}
			return nil
		}},
		{Name: "tm.stats", Doc: "counts of transactions", Run: func(r *modules.Request) error {
			s := &m.stats
			n := r.AddStruct()
			created, freed := m.sum(s.created), m.sum(s.freed)
			n.AddInt("current", created-freed)
			n.AddInt("waiting", m.sum(s.waiting))
			n.AddInt("total", created)
			n.AddInt("total_local", m.sum(s.uac))
			n.AddInt("rpl_received", m.sum(s.rplReceived))
			n.AddInt("rpl_generated", m.sum(s.rplGenerated))
			n.AddInt("rpl_sent", m.sum(s.rplSent))
			for i := 6; i >= 2; i-- {
				n.AddInt(string(rune('0'+i))+"xx", m.sum(s.class[i]))
			}
			n.AddInt("created", created)
			n.AddInt("freed", freed)
			n.AddInt("delayed_free", 0)
			return nil
		}},
	}
}

// callOf reads the parameters that name a transaction.
func callOf(r *modules.Request) (callID, cseq []byte, err error) {
	a, err := r.Str()
	if err != nil {
		return nil, nil, err
	}
	b, err := r.Str()
	return []byte(a), []byte(b), err
}
