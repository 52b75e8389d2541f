package registrar

import (
	"bytes"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules/usrloc"
	"kahea/sipparse"
)

// Results of lookup().
const (
	lookupFound    = 1
	lookupNone     = -1
	lookupMethod   = -2
	lookupInternal = -3
)

func (m *mod) compileLookup(dset bool) func(route.Env, *route.Args) (func(*route.Ctx) int, error) {
	return func(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
		d, err := m.table(a)
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx) int {
			uri := c.RURI()
			if a.N > 1 {
				uri, _ = a.Str(c, 1)
			}
			return m.lookup(c, d, uri, dset)
		}, nil
	}
}

// lookup puts the valid contacts of uri's address into the R-URI (unless dset) and branches, best first.
func (m *mod) lookup(c *route.Ctx, d *usrloc.Domain, uri []byte, dset bool) int {
	aor, ok := m.aor(c, uri)
	if !ok {
		return lookupInternal
	}
	var gr []byte
	if bytes.Contains(uri, []byte(";gr")) {
		var u sipparse.URI
		if sipparse.ParseURI(uri, &u) == sipparse.OK && u.HasGR {
			gr = u.GR.In(uri)
		}
	}
	now := c.P.Host.Now() / 1e9
	l := d.Lock(aor)
	defer l.Unlock()
	rc := lookupNone
	var x usrloc.Contact
	first := !dset
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		if x.Expires != 0 && x.Expires <= now {
			continue
		}
		if len(gr) > 0 && !bytes.Equal(bytes.Trim(x.Instance, "<>"), gr) {
			continue
		}
		if m.methodFiltering != 0 && x.Methods&uint32(c.Msg.Method()) == 0 {
			if rc == lookupNone {
				rc = lookupMethod
			}
			continue
		}
		if first {
			if !m.useMain(c, &x) {
				return lookupInternal
			}
			first = false
			rc = lookupFound
			if m.appendBranches == 0 {
				break
			}
			continue
		}
		b := route.Branch{URI: x.URI, DstURI: m.dst(&x), Path: x.Path, Q: x.Q, BranchAttrs: m.attrs(c, &x)}
		if !c.AddBranch(b) {
			c.Logf(log.Err, "registrar", "lookup: branch for %s can not be added", x.URI)
			break
		}
		rc = lookupFound
	}
	return rc
}

// useMain makes a contact the R-URI branch.
func (m *mod) useMain(c *route.Ctx, x *usrloc.Contact) bool {
	if c.SetRURI(x.URI) != nil || c.SetDstURI(m.dst(x)) != nil || c.SetPath(x.Path) != nil {
		return false
	}
	a := m.attrs(c, x)
	a.Flags |= c.Main.Flags
	a.RUID, a.LocationUA, a.Instance = c.Scratch.Copy(a.RUID), c.Scratch.Copy(a.LocationUA), c.Scratch.Copy(a.Instance)
	c.Main = a
	return true
}

func (m *mod) attrs(c *route.Ctx, x *usrloc.Contact) route.BranchAttrs {
	return route.BranchAttrs{Flags: x.CFlags, RUID: x.RUID, LocationUA: x.UserAgent, Instance: x.Instance, RegID: x.RegID, OTCPID: x.Conn,
		ForceSock: c.P.Net.At(x.Sock)}
}

// dst is where a contact's requests go instead of its URI: the first Path entry, or the address it was received from.
func (m *mod) dst(x *usrloc.Contact) []byte {
	if len(x.Path) > 0 {
		var n sipparse.NameAddr
		if sipparse.ParseNameAddr(x.Path, sipparse.Span{Len: uint32(len(x.Path))}, &n) == sipparse.OK {
			return n.URI.In(x.Path)
		}
	}
	return x.Received
}

func (m *mod) compileRegistered(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	d, err := m.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		uri := c.RURI()
		if a.N > 1 {
			uri, _ = a.Str(c, 1)
		}
		aor, ok := m.aor(c, uri)
		if !ok {
			return -1
		}
		now := c.P.Host.Now() / 1e9
		l := d.Lock(aor)
		defer l.Unlock()
		var x usrloc.Contact
		for r := l.First(); r != 0; r = l.Next(r) {
			if l.Get(r, &x); x.Expires == 0 || x.Expires > now {
				return 1
			}
		}
		return -1
	}, nil
}

func (m *mod) compileUnregister(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	d, err := m.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		uri, ok := a.Str(c, 1)
		if !ok {
			return -1
		}
		var ruid []byte
		if a.N > 2 {
			ruid, _ = a.Str(c, 2)
		}
		aor, ok := m.aor(c, uri)
		if !ok {
			return -1
		}
		l := d.Lock(aor)
		defer l.Unlock()
		for r := l.First(); r != 0; {
			next := l.Next(r)
			if len(ruid) == 0 || bytes.Equal(ruidOf(&l, r), ruid) {
				l.Delete(r)
			}
			r = next
		}
		return 1 // also when there was nothing, as in Kamailio
	}, nil
}
