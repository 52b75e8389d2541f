package edit

import "kahea/sipparse"

// AppendLocalACK builds the hop-by-hop ACK for a negative final reply from the request as it was sent on a branch (its buffer out,
// parsed as m), as tm does: the fields that belong into it stay as they are and in their order, one Via, To from the reply,
// Content-Length set to 0 where it stands and not added where it does not. to is the reply's To: the whole line, or its body.
func AppendLocalACK(dst []byte, out *sipparse.Msg, to []byte) []byte {
	return appendLocal(dst, out, "ACK", to, nil)
}

// AppendLocalCANCEL builds the CANCEL of a request in the same way; to nil: the request's own; extra: whole lines (Reason), put at
// the end.
func AppendLocalCANCEL(dst []byte, out *sipparse.Msg, to []byte, extra []byte) []byte {
	return appendLocal(dst, out, "CANCEL", to, extra)
}

func appendLocal(dst []byte, m *sipparse.Msg, method string, to, extra []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, m.Buf[m.Line.MethodText.End():m.Line.End]...)
	via := false
	for i := range m.Hdrs {
		h := &m.Hdrs[i]
		line := m.Buf[h.Off:h.End]
		switch h.Type {
		case sipparse.HdrVia:
			if via {
				continue
			}
			via = true
		case sipparse.HdrTo:
			if to != nil {
				dst = appendTo(dst, to)
				continue
			}
		case sipparse.HdrCSeq:
			if c, e := m.CSeq(); e == sipparse.OK && h == m.First(sipparse.HdrCSeq) {
				dst = append(dst, m.Buf[h.Off:c.MethodText.Off]...)
				dst = append(dst, method...)
				dst = append(dst, '\r', '\n')
			}
			continue
		case sipparse.HdrContentLength:
			dst = append(dst, m.Bytes(h.Name)...)
			dst = append(dst, ": 0\r\n"...)
			continue
		case sipparse.HdrFrom, sipparse.HdrCallID, sipparse.HdrMaxForwards, sipparse.HdrRoute:
		default:
			continue
		}
		dst = append(dst, line...)
	}
	dst = append(dst, extra...)
	return append(dst, '\r', '\n')
}

// appendTo appends a To line; to is one already if it begins with the field's name.
func appendTo(dst, to []byte) []byte {
	i := 0
	for i < len(to) && to[i]|0x20 >= 'a' && to[i]|0x20 <= 'z' {
		i++
	}
	name := to[:i]
	for i < len(to) && (to[i] == ' ' || to[i] == '\t') {
		i++
	}
	if i == len(to) || to[i] != ':' || sipparse.LookupHdr(name) != sipparse.HdrTo {
		dst = append(dst, "To: "...)
	}
	dst = append(dst, to...)
	if n := len(to); n > 0 && to[n-1] == '\n' {
		return dst
	}
	return append(dst, '\r', '\n')
}
