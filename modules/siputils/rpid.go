package siputils

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// rpid is the value of the variable that rpid_avp names (draft-ietf-sip-privacy-04: Remote-Party-ID); nil: it is not set.
func (m *mod) rpid(c *route.Ctx) []byte {
	v := m.rpidPV.Get(c)
	if v.IsNull() {
		return nil
	}
	return v.Text(c)
}

// rpidUserE164 takes a name-addr or a URI.
func (m *mod) rpidUserE164(c *route.Ctx, _ *route.Args) bool {
	b := m.rpid(c)
	var n sipparse.NameAddr
	var u sipparse.URI
	if len(b) == 0 || sipparse.ParseNameAddr(b, sipparse.Span{Len: uint32(len(b))}, &n) != sipparse.OK {
		return false
	}
	b = n.URI.In(b)
	if sipparse.ParseURI(b, &u) != sipparse.OK {
		c.Logf(log.Err, "siputils", "is_rpid_user_e164: %q is no URI", b)
		return false
	}
	return m.isE164(u.User.In(b))
}

// appendRPID is append_rpid_hf; prefix and suffix are the parameters' unless the call has its own.
func (m *mod) appendRPID(c *route.Ctx, a *route.Args) int {
	b := m.rpid(c)
	if len(b) == 0 {
		return -1
	}
	prefix, suffix := []byte(m.rpidPrefix), []byte(m.rpidSuffix)
	if a.N == 2 {
		prefix, suffix = a.At(0).Text, a.At(1).Text
	}
	c.Edits.InsertAfter(c.Msg.HdrEnd, c.Scratch.Concat([]byte("Remote-Party-ID: "), prefix, b, suffix, []byte("\r\n")), sipparse.HdrRPID)
	return 1
}
