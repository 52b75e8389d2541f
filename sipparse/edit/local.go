package edit

import "kahea/sipparse"

// AppendLocalACK and AppendLocalCANCEL build from the request as it was sent on a branch (its buffer out, parsed as m): hop-by-hop ACK for a negative
// final reply (To taken from the reply), and CANCEL (first Via of ours, From, To, Call-ID, CSeq number, Route set, Max-Forwards as tm builds them).
// to is the whole To line of the reply, with its CRLF, or only its body.
func AppendLocalACK(dst []byte, out *sipparse.Msg, to []byte) []byte {
	return appendLocal(dst, out, "ACK", to, nil)
}

// AppendLocalCANCEL is described at AppendLocalACK; to nil: the request's own; extra: whole lines (Reason).
func AppendLocalCANCEL(dst []byte, out *sipparse.Msg, to []byte, extra []byte) []byte {
	return appendLocal(dst, out, "CANCEL", to, extra)
}

func appendLocal(dst []byte, m *sipparse.Msg, method string, to, extra []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, m.Bytes(m.Line.URI)...)
	dst = append(dst, " SIP/2.0\r\n"...)
	if via, e := m.Via1(); e == sipparse.OK {
		dst = append(dst, "Via: "...)
		dst = append(dst, m.Bytes(via.Whole)...)
		dst = append(dst, '\r', '\n')
	}
	line := func(t sipparse.HdrType) {
		for h := m.First(t); h != nil; h = m.NextOf(h) {
			dst = append(dst, m.Buf[h.Off:h.End]...)
		}
	}
	line(sipparse.HdrFrom)
	if to == nil {
		line(sipparse.HdrTo)
	} else {
		dst = append(dst, "To: "...)
		dst = append(dst, to...)
		dst = append(dst, '\r', '\n')
	}
	line(sipparse.HdrCallID)
	if c, e := m.CSeq(); e == sipparse.OK {
		dst = append(dst, "CSeq: "...)
		dst = append(dst, m.Bytes(c.NumText)...)
		dst = append(dst, ' ')
		dst = append(dst, method...)
		dst = append(dst, '\r', '\n')
	}
	line(sipparse.HdrRoute)
	line(sipparse.HdrMaxForwards)
	dst = append(dst, extra...)
	return append(dst, "Content-Length: 0\r\n\r\n"...)
}
