package edit

import (
	"strconv"

	"kahea/sipparse"
)

// ReplyOpts describe a locally generated reply.
type ReplyOpts struct {
	Code    int
	Reason  []byte
	ToTag   []byte // appended to To when it has none; nil: none
	Recv    Received
	Server  []byte // whole line without CRLF; nil: none
	Warning []byte // whole line without CRLF; nil: none
}

// AppendReply appends the reply to request m: copied fields in the order of the request, reply lumps of l, Server, Content-Length and body.
func AppendReply(dst []byte, m *sipparse.Msg, l *List, o *ReplyOpts) ([]byte, sipparse.Err) {
	via, e := m.Via1()
	if e != sipparse.OK {
		return dst, e
	}
	if e = m.Complete(); e != sipparse.OK {
		return dst, e
	}
	start := len(dst)
	dst = append(dst, m.Bytes(m.Line.Version)...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(o.Code), 10)
	dst = append(dst, ' ')
	dst = append(dst, o.Reason...)
	dst = append(dst, '\r', '\n')
	for i := range m.Hdrs {
		h := &m.Hdrs[i]
		switch h.Type {
		case sipparse.HdrVia:
			if int32(i) != via.Hdr {
				dst = append(dst, m.Buf[h.Off:rawEnd(m, h)]...)
				dst = append(dst, '\r', '\n')
				continue
			}
			line := len(dst)
			dst = appendTopVia(dst, m, h, via, &o.Recv)
			if !m.Line.IsSIP {
				dst[line] = 'S' // "Sia": HTTP has a Via of its own
			}
		case sipparse.HdrRecordRoute:
			if o.Code >= 180 && o.Code < 300 {
				dst = append(dst, m.Buf[h.Off:h.End]...)
			}
		case sipparse.HdrTo:
			to, e := m.To()
			if e != sipparse.OK {
				return dst[:start], e
			}
			if o.ToTag != nil && to.Tag.Empty() {
				end := rawEnd(m, h)
				dst = append(dst, m.Buf[h.Off:end]...)
				dst = append(dst, ";tag="...)
				dst = append(dst, o.ToTag...)
				dst = append(dst, m.Buf[end:h.End]...)
				continue
			}
			dst = append(dst, m.Buf[h.Off:h.End]...)
		case sipparse.HdrFrom, sipparse.HdrCallID, sipparse.HdrCSeq:
			dst = append(dst, m.Buf[h.Off:h.End]...)
		}
	}
	var body []byte
	if l != nil {
		dst = append(dst, l.reply...)
		body, _ = l.ReplyBody()
	}
	if o.Server != nil {
		dst = append(dst, o.Server...)
		dst = append(dst, '\r', '\n')
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, '\r', '\n')
	if o.Warning != nil {
		dst = append(dst, o.Warning...)
		dst = append(dst, '\r', '\n')
	}
	dst = append(dst, '\r', '\n')
	return append(dst, body...), sipparse.OK
}

// appendTopVia appends the first Via field. What is new goes behind the last via-parm of the field, even if that is not the first:
// so does Kamailio. The line ends with CRLF however it came in.
func appendTopVia(dst []byte, m *sipparse.Msg, h *sipparse.Hdr, v *sipparse.Via, r *Received) []byte {
	received, rport := r.wants(m, v)
	c := cursor{dst: dst, src: m.Buf}
	c.skip(h.Off)
	if rport && v.HasRPort {
		c.to(v.RPortAt.Off)
		c.dst = r.appendRPort(c.dst)
		c.skip(paramEnd(m, v, v.RPortAt, v.RPort))
	}
	c.to(rawEnd(m, h))
	if rport && !v.HasRPort {
		c.dst = r.appendRPort(c.dst)
	}
	if received {
		c.dst = r.appendReceived(c.dst)
	}
	return append(c.dst, '\r', '\n')
}
