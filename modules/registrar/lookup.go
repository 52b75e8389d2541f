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
		if c.P.Par.Grammar.ParseURI(uri, &u) == sipparse.OK && u.HasGR {
			gr = u.GR.In(uri)
		}
	}
	flt := m.filter(c)
	l := d.Lock(aor)
	defer l.Unlock()
	rc := lookupNone
	var x usrloc.Contact
	first := !dset
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		if !flt.passes(c, &x) {
			continue
		}
		if len(gr) > 0 && !bytes.Equal(bytes.Trim(x.Instance, "<>"), gr) {
			continue
		}
		if !flt.allows(&x) {
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
			m.record(c, &x)
			m.giveAttrs(c, &x, 0)
			if m.appendBranches == 0 {
				break
			}
			continue
		}
		path, dst := m.dst(c, &x)
		if !c.AddBranch(route.Branch{URI: x.URI, DstURI: dst, Path: path, Q: x.Q, BranchAttrs: m.attrs(c, &x)}) {
			c.Logf(log.Err, "registrar", "lookup: branch for %s can not be added", x.URI)
			break
		}
		m.giveAttrs(c, &x, len(c.Branches))
		rc = lookupFound
	}
	return rc
}

// useMain makes a contact the R-URI branch.
func (m *mod) useMain(c *route.Ctx, x *usrloc.Contact) bool {
	path, dst := m.dst(c, x)
	if c.SetRURI(x.URI) != nil || c.SetDstURI(dst) != nil || c.SetPath(path) != nil {
		return false
	}
	a := m.attrs(c, x)
	a.Flags |= c.Main.Flags
	a.RUID, a.LocationUA, a.Instance = c.Scratch.Copy(a.RUID), c.Scratch.Copy(a.LocationUA), c.Scratch.Copy(a.Instance)
	c.Main, c.Q = a, x.Q
	return true
}

func (m *mod) attrs(c *route.Ctx, x *usrloc.Contact) route.BranchAttrs {
	return route.BranchAttrs{Flags: x.CFlags, RUID: x.RUID, LocationUA: x.UserAgent, Instance: x.Instance, RegID: x.RegID, OTCPID: x.Conn,
		ForceSock: c.P.Net.At(x.Sock)}
}

// dst is what of a contact's Path is followed, and where its requests go instead of its URI: the first Path entry, or the address it was received from. With
// path_check_local a first entry that is this server is left out.
func (m *mod) dst(c *route.Ctx, x *usrloc.Contact) (path, dst []byte) {
	path = x.Path
	if len(path) == 0 {
		return nil, x.Received
	}
	uri, rest := firstPath(path)
	if uri != nil && m.pathCheckLocal != 0 {
		var u sipparse.URI
		if c.P.Par.Grammar.ParseURI(uri, &u) == sipparse.OK && c.P.Net.IsMyself(u.Host.In(uri), 0, sipparse.ProtoNone) {
			if path = rest; len(path) == 0 {
				return nil, x.Received
			}
			uri, _ = firstPath(path)
		}
	}
	if uri == nil {
		return path, x.Received
	}
	return path, uri
}

// firstPath is the URI of the first entry of a Path, nil if it can not be read, and the entries behind it.
func firstPath(path []byte) (uri, rest []byte) {
	var n sipparse.NameAddr
	if sipparse.ParseNameAddr(path, sipparse.Span{Len: uint32(len(path))}, &n) != sipparse.OK {
		return nil, nil
	}
	if i := bytes.IndexByte(path[n.URI.End():], ','); i >= 0 {
		rest = bytes.TrimSpace(path[int(n.URI.End())+i+1:])
	}
	return n.URI.In(path), rest
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
