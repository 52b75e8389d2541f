package registrar

import (
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/usrloc"
)

// InitWorker finds event_route[usrloc:contact-expired], which runs in the process that removes contacts.
func (m *mod) InitWorker(h *modules.Host, _ int) error {
	if r := h.Prog.Find(route.InEvent, "usrloc:contact-expired"); r != nil {
		m.ul.OnExpired(func(d *usrloc.Domain, aor []byte, x *usrloc.Contact) { m.contactExpired(r, d, aor, x) })
	}
	return nil
}

// contactExpired runs the route with the contact in $ulc(exp=>...). The profile is the process's: the next contact takes its place, also when the route waits.
func (m *mod) contactExpired(r *route.Route, d *usrloc.Domain, aor []byte, x *usrloc.Contact) {
	m.exp.free()
	m.exp.domain, m.exp.aor = d.Name(), string(aor)
	m.exp.contacts = append(m.exp.contacts, *x)
	m.h.RunEvent(r, nil)
}
