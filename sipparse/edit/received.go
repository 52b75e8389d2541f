package edit

import (
	"net/netip"
	"strconv"

	"kahea/sipparse"
)

// Received describes what goes into the sender's Via when a request is forwarded, or into the reply's top Via.
type Received struct {
	Src        netip.AddrPort
	ForceRPort bool              // force_rport()
	Grammar    *sipparse.Grammar // how addresses are written; nil: plain
	Named      bool              // the host of the Via is a name of Src (rev_dns)
}

func (r *Received) appendReceived(dst []byte) []byte {
	dst = append(dst, ";received="...)
	return r.Grammar.AppendIP(dst, r.Src.Addr()) // IPv6 has no brackets there
}

func (r *Received) appendRPort(dst []byte) []byte {
	dst = append(dst, ";rport="...)
	return strconv.AppendUint(dst, uint64(r.Src.Port()), 10)
}

// wants says which parameters the sender's Via gets. A forced rport alone brings no received, one that the sender asked for does.
func (r *Received) wants(m *sipparse.Msg, v *sipparse.Via) (received, rport bool) {
	if !r.Src.IsValid() {
		return false, false
	}
	received = v.HasRPort || !v.RecvAt.Empty() || !r.Named && !r.sameHost(m.Bytes(v.Host))
	return received, r.ForceRPort || v.HasRPort
}

// paramEnd is where the text of a Via parameter ends that Kamailio replaces: behind one without a value white space goes with it,
// also at the end of the field.
func paramEnd(m *sipparse.Msg, v *sipparse.Via, at, val sipparse.Span) uint32 {
	h := &m.Hdrs[v.Hdr]
	if at.End() < h.Body.End() || !val.Empty() {
		return at.End()
	}
	return rawEnd(m, h)
}

// rawEnd is the end of a field's body with the white space that follows it, before the line end.
func rawEnd(m *sipparse.Msg, h *sipparse.Hdr) uint32 {
	end := h.End - 1
	if end > h.Body.End() && m.Buf[end-1] == '\r' {
		end--
	}
	return end
}

// sameHost compares the text of a host with the sender's address as Kamailio prints it; another spelling of the same address is not equal.
func (r *Received) sameHost(host []byte) bool {
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	var room [64]byte
	return string(host) == string(r.Grammar.AppendIP(room[:0], r.Src.Addr()))
}
