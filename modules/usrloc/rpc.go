package usrloc

import (
	"kahea/modules"
	"kahea/shm"
)

func (m *mod) commands() []modules.RPC {
	return []modules.RPC{
		{Name: "ul.dump", Doc: "all tables, or with brief only their addresses and contacts", Run: m.dump},
		{Name: "ul.lookup", Doc: "contacts of an address: table, address", Run: m.lookup},
		{Name: "ul.rm", Doc: "remove an address: table, address", Run: m.rm},
		{Name: "ul.rm_contact", Doc: "remove a contact: table, address, contact", Run: m.rmContact},
		{Name: "ul.add", Doc: "add a contact: table, address, contact, expires, q, path, flags, cflags, methods", Run: m.add},
		{Name: "ul.flush", Doc: "remove what has expired now", Run: func(*modules.Request) error { m.sweep(0, 1); return nil }},
	}
}

func (m *mod) find(name string) *Domain {
	for _, d := range m.domains {
		if d.name == name {
			return d
		}
	}
	return nil
}

func (m *mod) dump(r *modules.Request) error {
	brief := false
	if s, ok := r.NextStr(); ok {
		brief = s == "brief"
	}
	ds := r.AddStruct().AddArray("Domains")
	for _, d := range m.domains {
		n := ds.AddStruct("").AddStruct("Domain")
		n.AddStr("Domain", d.name)
		n.AddInt("Size", int64(d.mask)+1)
		aors := n.AddArray("AoRs")
		records, most := 0, 0
		for b := 0; b <= int(d.mask); b++ {
			d.table.Lock(m.a, b)
			slots := 0
			for o := d.table.First(m.a, b); o != 0; o = d.table.Next(m.a, o) {
				rec := d.record(o)
				info := aors.AddStruct("").AddStruct("Info")
				info.AddStr("AoR", string(d.aor(o, rec)))
				info.AddInt("HashID", int64(int32(rec.hash)))
				cs := info.AddArray("Contacts")
				for c := rec.first; c != 0; c = d.contact(c).next {
					m.describe(d, cs.AddStruct("").AddStruct("Contact"), Ref(c), brief)
				}
				slots++
			}
			d.table.Unlock(m.a, b)
			records += slots
			most = max(most, slots)
		}
		st := n.AddStruct("Stats")
		st.AddInt("Records", int64(records))
		st.AddInt("Max-Slots", int64(most))
	}
	return nil
}

func (m *mod) lookup(r *modules.Request) error {
	d, l, err := m.args(r)
	if err != nil {
		return err
	}
	defer l.Unlock()
	n := r.AddStruct()
	n.AddStr("AoR", string(l.aor))
	cs := n.AddArray("Contacts")
	for c := l.First(); c != 0; c = l.Next(c) {
		m.describe(d, cs.AddStruct("").AddStruct("Contact"), c, false)
	}
	return nil
}

// args reads table and address; the address's bucket is locked and its record exists.
func (m *mod) args(r *modules.Request) (*Domain, Locked, error) {
	table, ok1 := r.NextStr()
	aor, ok2 := r.NextStr()
	if !ok1 || !ok2 {
		return nil, Locked{}, modules.NewFault(500, "Not enough parameters (table and address of record)")
	}
	d := m.find(table)
	if d == nil {
		return nil, Locked{}, modules.NewFault(500, "Domain not found")
	}
	l := d.Lock([]byte(aor))
	if !l.Exists() {
		l.Unlock()
		return nil, Locked{}, modules.NewFault(500, "AOR not found in location table")
	}
	return d, l, nil
}

func (m *mod) rm(r *modules.Request) error {
	_, l, err := m.args(r)
	if err != nil {
		return err
	}
	defer l.Unlock()
	for c := l.First(); c != 0; c = l.First() {
		l.Delete(c)
	}
	return nil
}

func (m *mod) rmContact(r *modules.Request) error {
	_, l, err := m.args(r)
	if err != nil {
		return err
	}
	defer l.Unlock()
	uri, ok := r.NextStr()
	if !ok {
		return modules.NewFault(500, "Not enough parameters (contact)")
	}
	c := l.Find([]byte(uri))
	if c == 0 {
		return modules.NewFault(404, "Contact not found")
	}
	l.Delete(c)
	return nil
}

var stateNames = [...]string{"CS_NEW", "CS_SYNC", "CS_DIRTY"}

func (m *mod) describe(d *Domain, n *modules.Node, r Ref, brief bool) {
	var c Contact
	d.get(shm.Off(r), &c)
	now := d.m.h.Host.Now() / 1e9
	n.AddStr("Address", string(c.URI))
	switch {
	case brief:
		return
	case c.Expires == 0:
		n.AddStr("Expires", "permanent")
	case c.Expires <= now:
		n.AddStr("Expires", "expired")
	default:
		n.AddInt("Expires", c.Expires-now)
	}
	if c.Q == QUnset {
		n.AddDouble("Q", -1)
	} else {
		n.AddDouble("Q", float64(c.Q)/1000)
	}
	n.AddStr("Call-ID", string(c.CallID))
	n.AddInt("CSeq", int64(c.CSeq))
	n.AddStr("User-Agent", orNotSet(c.UserAgent))
	n.AddStr("Received", orNotSet(c.Received))
	n.AddStr("Path", orNotSet(c.Path))
	n.AddStr("State", stateNames[d.contact(shm.Off(r)).state])
	n.AddInt("Flags", int64(c.Flags))
	n.AddInt("CFlags", int64(c.CFlags))
	if s := m.h.Net.At(c.Sock); s != nil {
		n.AddStr("Socket", string(s.Text))
	} else {
		n.AddStr("Socket", "[not set]")
	}
	n.AddInt("Methods", int64(int32(c.Methods)))
	n.AddStr("Ruid", orNotSet(c.RUID))
	n.AddStr("Instance", orNotSet(c.Instance))
	n.AddInt("Reg-Id", int64(c.RegID))
	n.AddInt("Server-Id", serverID(m))
	conn := int64(-1)
	if c.Conn != 0 {
		conn = int64(c.Conn)
	}
	n.AddInt("Tcpconn-Id", conn)
	n.AddInt("Keepalive", m.wantsPing(&c))
	n.AddInt("Last-Keepalive", d.contact(shm.Off(r)).alive)
	n.AddInt("KA-Roundtrip", int64(d.contact(shm.Off(r)).rtt))
	n.AddInt("Last-Modified", c.Modified)
}

func serverID(m *mod) int64 {
	v, _ := m.h.Core("server_id")
	return int64(v.Int)
}

func orNotSet(b []byte) string {
	if len(b) == 0 {
		return "[not set]"
	}
	return string(b)
}
