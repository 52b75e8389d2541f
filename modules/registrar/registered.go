package registrar

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/modules/usrloc"
	"kahea/sipparse"
)

// Bits of registered()'s third argument: what of a contact has to be as $xavp(xavp_cfg) says; and of its fourth.
const (
	matchCallID   = 1
	matchReceived = 2
	matchContact  = 4

	actRestore  = 1 // give the attributes that save() has kept
	actNoRecord = 2 // no root of xavp_rcd
)

// compileRegistered makes registered(table, uri, match, action).
func (m *mod) compileRegistered(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	d, err := m.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		uri := m.subject(c)
		if a.N > 1 {
			if b, ok := a.Str(c, 1); ok && len(b) > 0 {
				uri = b
			}
		}
		var match, action int64
		if a.N > 2 {
			match, _ = a.Int(c, 2)
		}
		if a.N > 3 {
			action, _ = a.Int(c, 3)
		}
		aor, ok := m.aor(c, uri)
		if !ok {
			return -1
		}
		now := m.now(c)
		l := d.Lock(aor)
		defer l.Unlock()
		var x usrloc.Contact
		for r := l.First(); r != 0; r = l.Next(r) {
			l.Get(r, &x)
			if x.Expires != 0 && x.Expires <= now || !m.matches(c, &x, match) {
				continue
			}
			if action&actRestore != 0 {
				m.giveAttrs(c, &x, 0)
			}
			if action&actNoRecord == 0 {
				m.record(c, &x)
			}
			return 1
		}
		return -1
	}, nil
}

// subject is the URI that registered() asks about without an argument: of a reply To's.
func (m *mod) subject(c *route.Ctx) []byte {
	if !c.Msg.Line.IsReply {
		return c.RURI()
	}
	_, text, e := c.Msg.ToURI()
	if e != sipparse.OK {
		return nil
	}
	return text
}

// matches compares what the bits of match name; what the script has not set is not compared.
func (m *mod) matches(c *route.Ctx, x *usrloc.Contact, match int64) bool {
	for _, t := range [...]struct {
		bit   int64
		field []byte
		have  []byte
	}{{matchCallID, cfgCallID, x.CallID}, {matchReceived, cfgReceived, x.Received}, {matchContact, cfgContact, x.URI}} {
		if match&t.bit == 0 {
			continue
		}
		if want := m.cfgText(c, t.field); len(want) > 0 && !bytes.Equal(want, t.have) {
			return false
		}
	}
	return true
}
