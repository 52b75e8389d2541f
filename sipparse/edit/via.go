package edit

import (
	"crypto/md5"
	"strconv"

	"kahea/sipparse"
)

// ViaOpts is our own Via.
type ViaOpts struct {
	Proto      sipparse.Proto
	Host       []byte // as it is to stand there, IPv6 in brackets
	Port       uint16 // printed unless 5060 or PortAlways
	PortAlways bool
	Branch     []byte // full value, from z9hG4bK
	ConnID     uint32 // ;i= reverse hex, 0 = none
	RPort      bool
	Extra      []byte // further parameters with their ';'
}

// AppendVia appends "Via: ...CRLF".
func AppendVia(dst []byte, o *ViaOpts) []byte {
	dst = append(dst, "Via: SIP/2.0/"...)
	dst = append(dst, o.Proto.Via()...)
	dst = append(dst, ' ')
	dst = append(dst, o.Host...)
	if o.Port != 5060 || o.PortAlways {
		dst = append(dst, ':')
		dst = strconv.AppendUint(dst, uint64(o.Port), 10)
	}
	if len(o.Branch) > 0 {
		dst = append(dst, ";branch="...)
		dst = append(dst, o.Branch...)
	}
	if o.ConnID != 0 {
		dst = append(dst, ";i="...)
		dst = appendRHex(dst, o.ConnID)
	}
	if o.RPort {
		dst = append(dst, ";rport"...)
	}
	dst = append(dst, o.Extra...)
	return append(dst, '\r', '\n')
}

const hexDigits = "0123456789abcdef"

// appendRHex appends v in hexadecimal, the least significant digit first.
func appendRHex(dst []byte, v uint32) []byte {
	for {
		dst = append(dst, hexDigits[v&15])
		if v >>= 4; v == 0 {
			return dst
		}
	}
}

// AppendBranch appends z9hG4bK + rhex(hash) + "." + md5hex + "." + rhex(index).
func AppendBranch(dst []byte, hash uint32, md5hex []byte, index uint32) []byte {
	dst = append(dst, "z9hG4bK"...)
	dst = appendRHex(dst, hash)
	dst = append(dst, '.')
	dst = append(dst, md5hex...)
	dst = append(dst, '.')
	return appendRHex(dst, index)
}

// BranchHash is the first number of a branch parameter: the slot of the transaction table, over Call-ID (with the white space
// behind it, which Kamailio leaves on there) and CSeq number.
func BranchHash(m *sipparse.Msg) (uint32, sipparse.Err) {
	cseq, e := m.CSeq()
	if e != sipparse.OK {
		return 0, e
	}
	h := m.First(sipparse.HdrCallID)
	if h == nil {
		return 0, sipparse.ErrNoCallID
	}
	return CoreHash(m.Buf[h.Body.Off:rawEnd(m, h)], m.Bytes(cseq.NumText), branchSlots), sipparse.OK
}

// branchSlots is the size of Kamailio's transaction table.
const branchSlots = 1 << 16

// BranchMD5 is char_msg_val of Kamailio: md5 hex over From tag, To tag (not for INVITE/ACK/CANCEL), Call-ID, R-URI as received, CSeq number, top Via host, port text, branch.
// They are put together in the capacity of room; if that is too small, it allocates.
func BranchMD5(m *sipparse.Msg, room []byte) (hex [32]byte, e sipparse.Err) {
	from, e := m.From()
	if e != sipparse.OK {
		return hex, e
	}
	to, e := m.To()
	if e != sipparse.OK {
		return hex, e
	}
	cseq, e := m.CSeq()
	if e != sipparse.OK {
		return hex, e
	}
	via, e := m.Via1()
	if e != sipparse.OK {
		return hex, e
	}
	b := append(room[:0], m.Bytes(from.Tag)...)
	if m.Method()&(sipparse.INVITE|sipparse.ACK|sipparse.CANCEL) == 0 {
		b = append(b, m.Bytes(to.Tag)...)
	}
	b = append(b, m.CallID()...)
	b = append(b, m.Bytes(m.Line.URI)...)
	b = append(b, m.Bytes(cseq.NumText)...)
	b = append(b, m.Bytes(via.Host)...)
	b = append(b, m.Bytes(via.PortText)...)
	b = append(b, m.Bytes(via.Branch)...)
	sum := md5.Sum(b)
	for i, c := range sum {
		hex[2*i], hex[2*i+1] = hexDigits[c>>4], hexDigits[c&15]
	}
	return hex, sipparse.OK
}
