package route

import (
	"math/bits"
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
	}
	for i := range 15 {
		l = append(l, row{"rcv_requests_" + strings.ToLower(sipparse.Method(1<<i).String()), &s.Methods[i]})
	}
	for i := 1; i <= 6; i++ {
		l = append(l, row{"rcv_replies_" + string(rune('0'+i)) + "xx", &s.ReplyClass[i]})
	}
	return l
}

func (p *Proc) countRequest(m sipparse.Method) {
	p.Count(p.Stat.RcvRequests)
	i := bits.TrailingZeros32(uint32(m))
	if i < 15 {
		p.Count(p.Stat.Methods[i])
		return
	}
	p.Count(p.Stat.UnsupportedMethods)
}

func (p *Proc) countReply(status uint16) {
	p.Count(p.Stat.RcvReplies)
	if class := status / 100; class >= 1 && class <= 6 {
		p.Count(p.Stat.ReplyClass[class])
	}
	if status/10 == 18 {
		p.Count(p.Stat.Reply18x)
	}
}
