package edit

import (
	"net/netip"
	"strconv"

	"kahea/sipparse"
)

// Received describes what goes into the sender's Via when a request is forwarded, or into the reply's top Via.
type Received struct {
	Src        netip.AddrPort
	ForceRPort bool // force_rport()
}

// appendIP appends an address as it stands in ;received=. Kamailio writes IPv6 without brackets and without shortening.
func appendIP(dst []byte, a netip.Addr) []byte { return a.Unmap().AppendTo(dst) }

func (r *Received) appendReceived(dst []byte) []byte {
	dst = append(dst, ";received="...)
	return appendIP(dst, r.Src.Addr())
}

func (r *Received) appendRPort(dst []byte) []byte {
	dst = append(dst, ";rport="...)
	return strconv.AppendUint(dst, uint64(r.Src.Port()), 10)
}

// needReceived says whether the sender's Via gets a received parameter.
func (r *Received) needReceived(m *sipparse.Msg, v *sipparse.Via) bool {
	if !r.Src.IsValid() {
		return false
	}
	if r.ForceRPort || v.HasRPort || !v.RecvAt.Empty() {
		return true
	}
	return !sameHost(m.Bytes(v.Host), r.Src.Addr())
}

// sameHost compares the text of a host with an address; a name is never equal.
func sameHost(host []byte, a netip.Addr) bool {
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	var room [64]byte
	if string(host) == string(appendIP(room[:0], a)) {
		return true
	}
	if !a.Is6() || len(host) > 45 {
		return false
	}
	b, err := netip.ParseAddr(string(host))
	return err == nil && b == a
}
