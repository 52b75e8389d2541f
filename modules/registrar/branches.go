package registrar

import (
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules/usrloc"
	"kahea/sipparse"
)

// compileLookupBranches makes lookup_branches(table): lookup for the R-URI, and for each branch that is no more than a URI of this server. A branch that is not
// registered stays.
func (m *mod) compileLookupBranches(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	d, err := m.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		given := len(c.Branches)
		rc := m.lookup(c, d, c.RURI(), false)
		if rc == lookupInternal {
			return rc
		}
		for i := range given {
			b := &c.Branches[i]
			var u sipparse.URI
			if b.DstURI != nil || b.Path != nil || c.P.Par.Grammar.ParseURI(b.URI, &u) != sipparse.OK || !c.P.MyselfURI(&u, b.URI) {
				continue
			}
			if m.lookupBranch(c, d, i) {
				rc = lookupFound
			}
		}
		return rc
	}, nil
}

// lookupBranch puts the best contact of branch i's address in its place, and the others behind all branches.
func (m *mod) lookupBranch(c *route.Ctx, d *usrloc.Domain, i int) bool {
	aor, ok := m.aor(c, c.Branches[i].URI)
	if !ok {
		return false
	}
	flt := m.filter(c)
	l := d.Lock(aor)
	defer l.Unlock()
	found := false
	var x usrloc.Contact
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		if !flt.passes(c, &x) || !flt.allows(&x) {
			continue
		}
		path, dst := m.dst(c, &x)
		if !c.AddBranch(route.Branch{URI: x.URI, DstURI: dst, Path: path, Q: x.Q, BranchAttrs: m.attrs(c, &x)}) {
			c.Logf(log.Err, "registrar", "lookup_branches: branch for %s can not be added", x.URI)
			return found
		}
		if found {
			m.giveAttrs(c, &x, len(c.Branches))
		} else {
			found = true
			m.record(c, &x)
			m.giveAttrs(c, &x, 0)
			last := len(c.Branches) - 1
			c.Branches[i] = c.Branches[last]
			c.Branches = c.Branches[:last]
			if m.appendBranches == 0 {
				break
			}
		}
	}
	return found
}

// Bits of reg_from_user's mode.
const (
	fromPort  = 1
	fromProto = 2
)

// compileFromUser makes reg_from_user(table, uri, mode): the message came from where a contact of the address was registered from, or, without that, points to.
func (m *mod) compileFromUser(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	d, err := m.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx) int {
		uri, ok1 := a.Str(c, 1)
		mode, ok2 := a.Int(c, 2)
		if !ok1 || !ok2 {
			return -1
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
			if x.Expires != 0 && x.Expires <= now {
				continue
			}
			at := x.URI
			if len(x.Received) > 0 {
				at = x.Received
			}
			if isFrom(c, at, mode) {
				return 1
			}
		}
		return -1
	}, nil
}

func isFrom(c *route.Ctx, uri []byte, mode int64) bool {
	t, err := c.P.URITarget(uri)
	if err != nil {
		return false
	}
	ip, ok := route.ParseAddr(t.Host)
	port := t.Port
	if port == 0 {
		port = 5060
	}
	return ok && ip == c.Recv.Src.Addr() && (mode&fromPort == 0 || port == c.Recv.Src.Port()) && (mode&fromProto == 0 || t.Proto == c.Recv.Proto)
}
