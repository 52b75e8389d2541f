package siputils

import (
	"errors"
	"fmt"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// compileRPID makes a function of what rpid_avp names (draft-ietf-sip-privacy-04: Remote-Party-ID); the variable is compiled with the call, so that siputils serves
// without module pv those who do not use it. b is nil when the variable is not set.
func (m *mod) compileRPID(f func(c *route.Ctx, a *route.Args, b []byte) int) func(route.Env, *route.Args) (func(*route.Ctx) int, error) {
	return func(e route.Env, a *route.Args) (func(*route.Ctx) int, error) {
		if a.N == 1 {
			return nil, errPrefixOnly
		}
		pv, err := e.ParsePV(m.rpidAVP)
		if err != nil {
			return nil, fmt.Errorf("rpid_avp %q: %w", m.rpidAVP, err)
		}
		return func(c *route.Ctx) int {
			var b []byte
			if v := pv.Get(c); !v.IsNull() {
				b = v.Text(c)
			}
			return f(c, a, b)
		}, nil
	}
}

var errPrefixOnly = errors.New("want a prefix and a suffix, or none")

// rpidUserE164 takes a name-addr or a URI.
func (m *mod) rpidUserE164(c *route.Ctx, _ *route.Args, b []byte) int {
	var n sipparse.NameAddr
	var u sipparse.URI
	if len(b) == 0 || sipparse.ParseNameAddr(b, sipparse.Span{Len: uint32(len(b))}, &n) != sipparse.OK {
		return -1
	}
	b = n.URI.In(b)
	if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
		c.Logf(log.Err, "siputils", "is_rpid_user_e164: %q is no URI", b)
		return -1
	}
	return truth(m.isE164(u.User.In(b)))
}

// appendRPID is append_rpid_hf; prefix and suffix are the parameters' unless the call has its own.
func (m *mod) appendRPID(c *route.Ctx, a *route.Args, b []byte) int {
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
