package registrar

import (
	"fmt"
	"strings"

	"kahea/cfglang/route"
	"kahea/modules/usrloc"
)

// profile is what reg_fetch_contacts has copied: the contacts of an address, under a name. As in Kamailio it belongs to the process, and stays until it is fetched
// anew or freed; the copies are the process's own.
type profile struct {
	name, domain, aor string
	contacts          []usrloc.Contact
	text              []byte // of the contacts
}

// profileOf is the profile of a name, which is made when it is first named.
func (m *mod) profileOf(name string) *profile {
	for _, p := range m.profiles {
		if p.name == name {
			return p
		}
	}
	p := &profile{name: name}
	m.profiles = append(m.profiles, p)
	return p
}

func (p *profile) free() {
	clear(p.contacts)
	p.contacts, p.text, p.aor = p.contacts[:0], p.text[:0], ""
}

// compileFetch makes reg_fetch_contacts(table, uri, profile).
func (m *mod) compileFetch(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	d, err := m.table(a)
	if err != nil {
		return nil, err
	}
	p := m.profileOf(string(a.At(2).Text))
	return func(c *route.Ctx) int {
		p.free()
		uri, ok := a.Str(c, 1)
		if !ok {
			return -1
		}
		aor, ok := m.aor(c, uri)
		if !ok {
			return -1
		}
		l := d.Lock(aor)
		defer l.Unlock()
		p.fetch(d, &l, aor)
		if len(p.contacts) == 0 {
			return -1
		}
		return 1
	}, nil
}

// fetch copies the contacts; the bucket is locked.
func (p *profile) fetch(d *usrloc.Domain, l *usrloc.Locked, aor []byte) {
	var x usrloc.Contact
	size := 0
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		for _, b := range texts(&x) {
			size += len(*b)
		}
	}
	if cap(p.text) < size {
		p.text = make([]byte, 0, size) // before any copy: they point into it
	}
	p.domain, p.aor = d.Name(), string(aor)
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		for _, b := range texts(&x) {
			at := len(p.text)
			p.text = append(p.text, *b...)
			*b = p.text[at:len(p.text):len(p.text)]
		}
		p.contacts = append(p.contacts, x)
	}
}

func texts(x *usrloc.Contact) [8]*[]byte {
	return [...]*[]byte{&x.URI, &x.CallID, &x.UserAgent, &x.Received, &x.Path, &x.Instance, &x.RUID, &x.Attrs}
}

// compileFree makes reg_free_contacts(profile).
func (m *mod) compileFree(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	p := m.profileOf(string(a.At(0).Text))
	return func(*route.Ctx) int { p.free(); return 1 }, nil
}

// bindContact makes $ulc(profile=>key).
func (m *mod) bindContact(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	name, key, ok := strings.Cut(r.Inner, "=>")
	if !ok || name == "" {
		return nil, nil, fmt.Errorf("$ulc(%s): want profile=>key", r.Inner)
	}
	p := m.profileOf(strings.TrimSpace(name))
	key = strings.TrimSpace(key)
	switch key {
	case "count":
		return p.whole(func() route.Value { return route.Int(int64(len(p.contacts))) }), nil, nil
	case "aor":
		return p.whole(func() route.Value { return route.Str([]byte(p.aor)) }), nil, nil
	case "domain":
		return p.whole(func() route.Value { return route.Str([]byte(p.domain)) }), nil, nil
	case "aorhash":
		return p.whole(func() route.Value { return route.Int(0) }), nil, nil // Kamailio fills it from a database only
	}
	get, ok := contactKeys[key]
	if !ok {
		return nil, nil, fmt.Errorf("$ulc(%s): there is no key %q", r.Inner, key)
	}
	return func(c *route.Ctx) route.Value {
		i, _ := r.Index.Eval(c)
		if i = max(i, 0); i >= len(p.contacts) {
			return route.Null
		}
		return get(c, &p.contacts[i])
	}, nil, nil
}

// whole is a getter for what the profile as a whole has; null when it is empty.
func (p *profile) whole(f func() route.Value) route.Getter {
	return func(*route.Ctx) route.Value {
		if len(p.contacts) == 0 {
			return route.Null
		}
		return f()
	}
}

// contactKeys are the keys of $ulc for one contact. The table is only read.
var contactKeys = map[string]func(c *route.Ctx, x *usrloc.Contact) route.Value{
	"addr":     func(_ *route.Ctx, x *usrloc.Contact) route.Value { return textOrNull(x.URI) },
	"path":     func(_ *route.Ctx, x *usrloc.Contact) route.Value { return textOrNull(x.Path) },
	"received": func(_ *route.Ctx, x *usrloc.Contact) route.Value { return textOrNull(x.Received) },
	"callid":   func(_ *route.Ctx, x *usrloc.Contact) route.Value { return textOrNull(x.CallID) },
	"user_agent": func(_ *route.Ctx, x *usrloc.Contact) route.Value {
		if len(x.UserAgent) == 0 {
			return route.Str([]byte("n/a"))
		}
		return route.Str(x.UserAgent)
	},
	"instance": func(_ *route.Ctx, x *usrloc.Contact) route.Value { return textOrNull(x.Instance) },
	"ruid":     func(_ *route.Ctx, x *usrloc.Contact) route.Value { return textOrNull(x.RUID) },
	"expires":  func(_ *route.Ctx, x *usrloc.Contact) route.Value { return route.Int(x.Expires) },
	"modified": func(_ *route.Ctx, x *usrloc.Contact) route.Value { return route.Int(x.Modified) },
	"q":        func(_ *route.Ctx, x *usrloc.Contact) route.Value { return route.Int(int64(x.Q)) },
	"cseq":     func(_ *route.Ctx, x *usrloc.Contact) route.Value { return route.Int(int64(x.CSeq)) },
	"flags":    func(_ *route.Ctx, x *usrloc.Contact) route.Value { return route.Int(int64(x.Flags)) },
	"cflags":   func(_ *route.Ctx, x *usrloc.Contact) route.Value { return route.Int(int64(x.CFlags)) },
	"methods":  func(_ *route.Ctx, x *usrloc.Contact) route.Value { return route.Int(int64(x.Methods)) },
	"regid":    func(_ *route.Ctx, x *usrloc.Contact) route.Value { return route.Int(int64(x.RegID)) },
	"conid": func(_ *route.Ctx, x *usrloc.Contact) route.Value {
		if x.Conn == 0 {
			return route.Null
		}
		return route.Int(int64(x.Conn))
	},
	"server_id": func(c *route.Ctx, _ *usrloc.Contact) route.Value { return route.Int(int64(c.P.Par.ServerID)) },
	"socket": func(c *route.Ctx, x *usrloc.Contact) route.Value {
		if s := c.P.Net.At(x.Sock); s != nil {
			return route.Str(s.Text)
		}
		return route.Null
	},
}

func textOrNull(b []byte) route.Value {
	if len(b) == 0 {
		return route.Null
	}
	return route.Str(b)
}
