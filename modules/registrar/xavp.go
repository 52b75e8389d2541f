package registrar

import (
	"bytes"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules/usrloc"
)

// Fields of the root that xavp_cfg names: what the script says for one message.
var (
	cfgMaxContacts = []byte("max_contacts")
	cfgExpires     = []byte("expires")
	cfgQ           = []byte("q")
	cfgSocket      = []byte("socket")
	cfgBFlags      = []byte("rlf_bflags")
	cfgCallID      = []byte("match_callid")
	cfgReceived    = []byte("match_received")
	cfgContact     = []byte("match_contact")
)

// cfg is a field of $xavp(xavp_cfg); Null if there is none.
func (m *mod) cfg(c *route.Ctx, field []byte) route.Value {
	if m.xavpCfg == "" {
		return route.Null
	}
	return c.AVPs.XGet(c, &route.XRef{Kind: route.XAVP, Root: m.cfgRoot, Field: field})
}

// cfgInt is a field that is a number and not negative.
func (m *mod) cfgInt(c *route.Ctx, field []byte) (int64, bool) {
	v := m.cfg(c, field)
	return v.Int, v.IsInt() && v.Int >= 0
}

// cfgText is a field that is a text and not empty.
func (m *mod) cfgText(c *route.Ctx, field []byte) []byte {
	v := m.cfg(c, field)
	if v.IsNull() || v.IsInt() {
		return nil
	}
	return v.Str
}

// Bits of xavp_rcd_mask: what is left out.
const (
	skipRUID = 1 << iota
	skipContact
	skipExpires
	skipReceived
	skipPath
)

// record makes a root of xavp_rcd behind those that are there: what lookup tells of the contact in the R-URI, and registered of the one that it has found.
func (m *mod) record(c *route.Ctx, x *usrloc.Contact) {
	if m.xavpRcd == "" {
		return
	}
	f := make([]route.XField, 0, 5)
	add := func(bit int, name string, v route.Value) {
		if m.rcdMask&bit == 0 {
			f = append(f, route.XField{Name: name, Value: v})
		}
	}
	add(skipRUID, "ruid", route.Str(x.RUID))
	add(skipContact, "contact", route.Str(x.URI))
	add(skipExpires, "expires", route.Int(x.Expires))
	if len(x.Received) > 0 {
		add(skipReceived, "received", route.Str(x.Received))
	}
	if len(x.Path) > 0 {
		add(skipPath, "path", route.Str(x.Path))
	}
	m.addRoot(c, m.rcdRoot, f)
}

func (m *mod) addRoot(c *route.Ctx, root []byte, f []route.XField) {
	if err := c.AVPs.XAppend(c, route.XAVP, root, f); err != nil {
		c.Logf(log.Err, "registrar", "$xavp(%s) can not be made: %v", root, err)
	}
}

// keepAttrs is $xavp(xavp_contact) as save() keeps it with a contact, nil if there is none or usrloc has no xavp_contact.
func (m *mod) keepAttrs(c *route.Ctx) []byte {
	name := m.ul.XAVPContact()
	if name == nil {
		return nil
	}
	return c.AVPs.XEncode(c, route.XAVP, name)
}

// giveAttrs gives the script what keepAttrs has kept, as root number n: 0 is the R-URI's contact, from 1 on those of the branches. Roots without fields stand for contacts
// that have none.
func (m *mod) giveAttrs(c *route.Ctx, x *usrloc.Contact, n int) {
	name := m.ul.XAVPContact()
	if name == nil || len(x.Attrs) == 0 {
		return
	}
	for c.AVPs.XCount(&route.XRef{Kind: route.XAVP, Root: name}) < n {
		m.addRoot(c, name, nil)
	}
	if !c.AVPs.XDecode(c, route.XAVP, name, x.Attrs) {
		c.Logf(log.Err, "registrar", "attributes of contact %s can not be restored", x.URI)
	}
}

// compileLookupXAVP makes lookup_xavp(table, uri, record, contact): $xavp(record) has the address and the number of contacts, and each $xavp(contact[n]), best first,
// what xavp_push_dst and the script need to send there.
func (m *mod) compileLookupXAVP(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	d, err := m.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		uri, ok1 := a.Str(c, 1)
		rname, ok2 := a.Str(c, 2)
		cname, ok3 := a.Str(c, 3)
		if !ok1 || !ok2 || !ok3 || len(rname) == 0 || len(cname) == 0 || bytes.Equal(rname, cname) {
			return lookupInternal
		}
		aor, ok := m.aor(c, uri)
		if !ok {
			return lookupInternal
		}
		flt := m.filter(c)
		l := d.Lock(aor)
		defer l.Unlock()
		n, rc := 0, lookupNone
		var x usrloc.Contact
		for r := l.First(); r != 0; r = l.Next(r) {
			l.Get(r, &x)
			if !flt.passes(c, &x) {
				continue
			}
			if !flt.allows(&x) {
				rc = min(rc, lookupMethod)
				continue
			}
			m.addRoot(c, cname, m.fields(c, &x))
			n++
		}
		if n == 0 {
			return rc
		}
		m.addRoot(c, rname, []route.XField{{Name: "aor", Value: route.Str(aor)}, {Name: "count", Value: route.Int(int64(n))}})
		return lookupFound
	}, nil
}

// fields are those of a contact in lookup_xavp.
func (m *mod) fields(c *route.Ctx, x *usrloc.Contact) []route.XField {
	f := []route.XField{{Name: "uri", Value: route.Str(x.URI)}}
	text := func(name string, b []byte) {
		if len(b) > 0 {
			f = append(f, route.XField{Name: name, Value: route.Str(b)})
		}
	}
	_, dst := m.dst(c, x)
	text("dsturi", dst)
	text("path", x.Path)
	if s := c.P.Net.At(x.Sock); s != nil {
		text("socket", s.Text)
	}
	text("received", x.Received)
	text("ruid", x.RUID)
	text("instance", x.Instance)
	text("user_agent", x.UserAgent)
	return append(f, route.XField{Name: "flags", Value: route.Int(int64(x.Flags))}, route.XField{Name: "cflags", Value: route.Int(int64(x.CFlags))},
		route.XField{Name: "expires", Value: route.Int(x.Expires)}, route.XField{Name: "q", Value: route.Int(int64(x.Q))}, route.XField{Name: "conid", Value: route.Int(int64(x.Conn))})
}
