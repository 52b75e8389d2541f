package tm

import (
	"bytes"
	"fmt"
	"strconv"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
)

// stuckAfter is how long a transaction's life may be over, in ms, before tm.clean and t_clean take it for stuck.
const stuckAfter = 180000

// list is tm.list: a struct for each transaction. Bucket by bucket, so that nobody waits for long.
func (m *mod) list(r *modules.Request) error {
	now := m.h.Host.Ticks()
	return m.eachCell(func(o shm.Off, t *cell) error {
		req := m.request(o, t)
		line := func(h sipparse.HdrType, msg *sipparse.Msg) string {
			x := msg.First(h)
			if x == nil {
				return ""
			}
			return string(bytes.TrimRight(msg.Buf[x.Off:x.End], "\r\n"))
		}
		var msg sipparse.Msg
		msg.Grammar = m.h.Proc.Par.Grammar
		if msg.Parse(req) != sipparse.OK {
			return nil
		}
		n := r.AddStruct()
		n.AddStr("cell", fmt.Sprintf("%#x", uint64(o)))
		n.AddInt("tindex", int64(t.hash))
		n.AddInt("tlabel", int64(t.label))
		n.AddStr("method", string(msg.Bytes(msg.Line.MethodText)))
		n.AddStr("from", line(sipparse.HdrFrom, &msg))
		n.AddStr("to", line(sipparse.HdrTo, &msg))
		n.AddStr("callid", line(sipparse.HdrCallID, &msg))
		n.AddStr("cseq", "CSeq: "+string(t.cseq.in(req)))
		uas := "yes"
		if t.flags&flagLocal != 0 {
			uas = "no"
		}
		n.AddStr("uas_request", uas)
		n.AddInt("tflags", int64(t.flags))
		n.AddInt("outgoings", int64(t.n))
		n.AddInt("ref_count", int64(t.ref))
		left := int64(0)
		if t.endOfLife > now {
			left = int64(t.endOfLife - now)
		}
		n.AddInt("lifetime", left)
		return nil
	})
}

// clean puts transactions on the wait timer whose life has been over for stuckAfter and that nothing has ended. It says how many.
func (m *mod) clean() (n int) {
	now := m.h.Host.Ticks()
	_ = m.eachCell(func(o shm.Off, t *cell) error { // there is no error
		m.a.Lock(&t.mu)
		if t.endOfLife != 0 && now > t.endOfLife+ticks(stuckAfter) && t.flags&flagWait == 0 {
			t.flags |= flagDone
			m.putOnWait(o, t)
			n++
		}
		m.a.Unlock(&t.mu)
		return nil
	})
	return n
}

// hashStats is tm.hash_stats.
func (m *mod) hashStats(r *modules.Request) error {
	used, longest, all := 0, 0, 0
	for i := range m.table.Size() {
		m.table.Lock(m.a, i)
		n := 0
		for o := m.table.First(m.a, i); o != 0; o = m.table.Next(m.a, o) {
			n++
		}
		m.table.Unlock(m.a, i)
		if n > 0 {
			used++
		}
		longest, all = max(longest, n), all+n
	}
	s := r.AddStruct()
	s.AddInt("buckets", int64(m.table.Size()))
	s.AddInt("used", int64(used))
	s.AddInt("longest", int64(longest))
	s.AddInt("transactions", int64(all))
	return nil
}

// reply is tm.reply: code, reason, INDEX:LABEL, To tag, header lines, body; "" is none of the last three.
func (m *mod) reply(r *modules.Request) error {
	code, err := r.Integer()
	if err != nil {
		return err
	}
	var text [5]string
	for i := range text {
		if i > 2 && !r.More() {
			break
		}
		if text[i], err = r.Str(); err != nil {
			return err
		}
	}
	if code < 100 || code > 699 {
		return modules.NewFault(400, "code %d is not in 100 to 699", code)
	}
	index, label, ok := transactionID(text[1])
	if !ok {
		return modules.NewFault(400, "%q is no INDEX:LABEL", text[1])
	}
	o := m.byID(index, label)
	if o == 0 {
		return modules.NewFault(481, "No such transaction")
	}
	t := m.cell(o)
	defer m.unref(o, t)
	sent := -1
	m.withRequest(m.h.Proc, o, t, route.InFailure, func(c *route.Ctx) {
		if text[3] != "" {
			c.Edits.AddReplyHeader([]byte(string(bytes.TrimRight([]byte(text[3]), "\r\n")) + "\r\n"))
		}
		if text[4] != "" {
			c.Edits.SetReplyBody([]byte(text[4]), nil)
		}
		sent = m.replyTagged(c, o, t, int(code), []byte(text[0]), []byte(text[2]))
	})
	if sent < 0 {
		return modules.NewFault(500, "the reply was not sent: the transaction has its final reply")
	}
	return nil
}

func transactionID(s string) (index, label uint32, ok bool) {
	a, b, ok := bytes.Cut([]byte(s), []byte(":"))
	i, err1 := strconv.ParseUint(string(a), 10, 32)
	j, err2 := strconv.ParseUint(string(b), 10, 32)
	return uint32(i), uint32(j), ok && err1 == nil && err2 == nil
}

// again sends the last reply of a transaction once more.
func (m *mod) again(o shm.Off) error {
	if o == 0 {
		return modules.NewFault(404, "Transaction not found")
	}
	t := m.cell(o)
	defer m.unref(o, t)
	if t.reply == 0 || t.flags&flagLocal != 0 {
		return modules.NewFault(500, "there is no reply yet")
	}
	m.retransmit(t)
	return nil
}

func (m *mod) listCommands() []modules.RPC {
	return []modules.RPC{
		{Name: "tm.list", Array: true, Doc: "transactions in memory", Run: m.list},
		{Name: "tm.clean", Doc: "end transactions that are stuck: their life has been over for three minutes", Run: func(*modules.Request) error {
			m.clean()
			return nil
		}},
		{Name: "tm.hash_stats", Doc: "how transactions are spread over the table", Run: m.hashStats},
		{Name: "tm.reply", Doc: "answer a transaction: code, reason, INDEX:LABEL ($T(id_index), $T(id_label)), To tag, header lines, body", Run: m.reply},
		{Name: "tm.retransmit_reply", Doc: "send the last reply of a transaction once more: index, label", Run: func(r *modules.Request) error {
			index, err := r.Integer()
			if err != nil {
				return err
			}
			label, err := r.Integer()
			if err != nil {
				return err
			}
			if index < 0 || label < 0 || index > 1<<32-1 || label > 1<<32-1 {
				return modules.NewFault(400, "index or label is out of range")
			}
			return m.again(m.byID(uint32(index), uint32(label)))
		}},
		{Name: "tm.retransmit_reply_callid", Doc: "the same: Call-ID, CSeq number", Run: func(r *modules.Request) error {
			callID, cseq, err := callOf(r)
			if err != nil {
				return err
			}
			return m.again(m.byCallID(callID, cseq))
		}},
	}
}
