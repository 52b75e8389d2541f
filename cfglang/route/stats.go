package route

import (
	"math/bits"
	"strconv"
	"strings"

	"kahea/shm"
	"kahea/sipparse"
)

// StatNames lists the counters of group core in order with the place of each; main registers them, children look them up.
func (s *CoreStats) StatNames() []struct {
	Name string
	At   *shm.Counter
} {
	type row = struct {
		Name string
		At   *shm.Counter
	}
	l := []row{
		{"rcv_requests", &s.RcvRequests}, {"rcv_replies", &s.RcvReplies}, {"fwd_requests", &s.FwdRequests}, {"fwd_replies", &s.FwdReplies},
		{"drop_requests", &s.DropRequests}, {"drop_replies", &s.DropReplies}, {"err_requests", &s.ErrRequests}, {"err_replies", &s.ErrReplies},
		{"bad_URIs_rcvd", &s.BadURIs}, {"unsupported_methods", &s.UnsupportedMethods}, {"bad_msg_hdr", &s.BadMsgHdr},
		{"rcv_replies_18x", &s.Reply18x},
		{"suspended", &s.Suspended}, {"suspend_refused", &s.SuspendRefused}, {"suspend_absorbed", &s.SuspendAbsorbed}, {"suspended_lost", &s.SuspendedLost},
		{"script_panics", &s.Panics}, {"timer_panics", &s.TimerPanics}, {"timers_resumed", &s.TimersResumed}, {"timers_quarantined", &s.TimersQuarantined},
	}
	for i := range 15 {
		l = append(l, row{"rcv_requests_" + strings.ToLower(sipparse.Method(1<<i).String()), &s.Methods[i]})
	}
	for i := 1; i <= 6; i++ {
		l = append(l, row{"rcv_replies_" + string(rune('0'+i)) + "xx", &s.ReplyClass[i]})
	}
	for i := range statCodes {
		l = append(l, row{"rcv_replies_" + strconv.Itoa(int(statCodes[i])), &s.ReplyCodes[i]})
	}
	for class := 1; class <= 6; class++ {
		for i, m := range statMethods {
			l = append(l, row{"rcv_replies_" + string(rune('0'+class)) + "xx_" + m.name, &s.ReplyMethods[class][i]})
		}
	}
	return l
}

// statCodes have a counter of their own among the received replies, statMethods one for each class.
var (
	statCodes   = [...]uint16{401, 404, 407, 480, 486}
	statMethods = [...]struct {
		m    sipparse.Method
		name string
	}{
		{sipparse.INVITE, "invite"}, {sipparse.CANCEL, "cancel"}, {sipparse.BYE, "bye"}, {sipparse.REGISTER, "reg"},
		{sipparse.MESSAGE, "message"}, {sipparse.PRACK, "prack"}, {sipparse.UPDATE, "update"}, {sipparse.REFER, "refer"},
	}
)

func (p *Proc) countRequest(m sipparse.Method) {
	p.Count(p.Stat.RcvRequests)
	i := bits.TrailingZeros32(uint32(m))
	if i < 15 {
		p.Count(p.Stat.Methods[i])
		return
	}
	p.Count(p.Stat.UnsupportedMethods)
}

func (p *Proc) countReply(c *Ctx) {
	p.Count(p.Stat.RcvReplies)
	status := c.Msg.Line.Status
	class := status / 100
	if class < 1 || class > 6 {
		return
	}
	p.Count(p.Stat.ReplyClass[class])
	if status/10 == 18 {
		p.Count(p.Stat.Reply18x)
	}
	for i, code := range statCodes {
		if code == status {
			p.Count(p.Stat.ReplyCodes[i])
		}
	}
	cs, e := c.Msg.CSeq()
	if e != sipparse.OK {
		return
	}
	for i := range statMethods {
		if statMethods[i].m == cs.Method {
			p.Count(p.Stat.ReplyMethods[class][i])
		}
	}
}
