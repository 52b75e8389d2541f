package registrar

import (
	"kahea/cfglang/route"
	"kahea/modules/usrloc"
)

// Bits of lookup_filter_mode.
const (
	filterBFlags = 1 // a branch flag of $xavp(xavp_cfg=>rlf_bflags) is set
	filterConn   = 2 // the connection that it was registered over is there
)

// filter says which contacts count for a message.
type filter struct {
	now     int64  // unix s; contacts that expire until then do not count
	bflags  uint32 // one of these branch flags; 0: any
	conn    bool
	methods uint32 // one of these
}

func (m *mod) filter(c *route.Ctx) filter {
	f := filter{now: m.now(c), methods: usrloc.AllMethods}
	if m.lookupFilter&filterBFlags != 0 {
		n, _ := m.cfgInt(c, cfgBFlags)
		f.bflags = uint32(n)
	}
	f.conn = m.lookupFilter&filterConn != 0
	if m.methodFiltering != 0 {
		f.methods = uint32(c.Msg.Method())
	}
	return f
}

// now is the time that contacts are compared to: with use_expired_contacts none has expired.
func (m *mod) now(c *route.Ctx) int64 {
	if m.useExpired != 0 {
		return -1
	}
	return c.P.Host.Now() / 1e9
}

func (f *filter) passes(c *route.Ctx, x *usrloc.Contact) bool {
	return (x.Expires == 0 || x.Expires > f.now) && (f.bflags == 0 || x.CFlags&f.bflags != 0) && (!f.conn || x.Conn == 0 || c.P.Host.HasConn(x.Conn))
}

func (f *filter) allows(x *usrloc.Contact) bool { return x.Methods&f.methods != 0 }
