package edit

import (
	"strconv"

	"kahea/sipparse"
)

// AppendForwardReply appends the reply with its top via-parm removed, edits applied. code/reason replace the status line's if code != 0.
func AppendForwardReply(dst []byte, m *sipparse.Msg, l *List, rule CLen, code int, reason []byte) ([]byte, sipparse.Err) {
	via, e := m.Via1()
	if e != sipparse.OK {
		return dst, e
	}
	c := cursor{dst: dst, src: m.Buf, l: l}
	if code != 0 {
		c.to(m.Line.StatusText.Off)
		c.dst = strconv.AppendInt(c.dst, int64(code), 10)
		c.dst = append(c.dst, ' ')
		c.dst = append(c.dst, reason...)
		c.skip(m.Line.Reason.End())
	}
	h := &m.Hdrs[via.Hdr]
	if via.Rest.Empty() {
		c.to(h.Off)
		c.skip(h.End)
	} else {
		c.to(via.Whole.Off)
		c.skip(via.Rest.Off)
	}
	return c.tail(m, l, rule, len(dst))
}
