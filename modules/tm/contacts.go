package tm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

// Serial forking by q: t_load_contacts moves the destination set into an attribute, the best contact in front, and t_next_contacts takes the next ones of equal q out of
// it. The attribute goes with the transaction, so failure routes go on where the request route has stopped.

// contact is one of the set.
type contact struct {
	uri, dst, path []byte
	q              int
	group          int // contacts of one group ring together
	attrs          route.BranchAttrs
	xavp           []byte // what xavp_contact keeps, as XEncode writes it
}

var (
	errNoContactsAVP = errors.New("parameter contacts_avp has to be set")
	errNoFlowsAVP    = errors.New("parameter contact_flows_avp has to be set")
	errContactsMode  = errors.New("mode: want 0 (by q) or 1 (q is a weight)")
)

// Modes of t_load_contacts.
const (
	byQ      = 0 // the best q first, those of the same q together
	byWeight = 1 // one after the other; q is the weight with which a contact comes first
)

func (m *mod) compileLoadContacts(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	if !m.par.contacts.set {
		return nil, errNoContactsAVP
	}
	if a.N == 0 {
		return func(c *route.Ctx) int { return m.loadContacts(c, byQ) }, nil
	}
	return func(c *route.Ctx) int {
		mode, ok := a.Int(c, 0)
		if !ok || mode != byQ && mode != byWeight {
			c.Logf(log.Err, "tm", "t_load_contacts: %v", errContactsMode)
			return -1
		}
		return m.loadContacts(c, int(mode))
	}, nil
}

func (m *mod) compileNextContacts(route.Env, *route.Args) (func(*route.Ctx) int, error) {
	if !m.par.contacts.set {
		return nil, errNoContactsAVP
	}
	return m.nextContacts, nil
}

func (m *mod) compileNextFlow(route.Env, *route.Args) (func(*route.Ctx) int, error) {
	if !m.par.contactFlows.set {
		return nil, errNoFlowsAVP
	}
	return m.nextFlow, nil
}

// loadContacts is t_load_contacts. A set of one stays where it is, and by q one whose contacts all have the same q.
func (m *mod) loadContacts(c *route.Ctx, mode int) int {
	if len(c.Branches) == 0 {
		return 1
	}
	list := []contact{{uri: c.RURI(), dst: c.DstURI, path: c.Path, q: c.Q, attrs: c.Main}}
	same := true
	for i := range c.Branches {
		b := &c.Branches[i]
		same = same && b.Q == list[0].q
		list = append(list, contact{uri: b.URI, dst: b.DstURI, path: b.Path, q: b.Q, attrs: b.BranchAttrs})
	}
	if same && mode == byQ {
		return 1
	}
	m.takeXAVPs(c, list)
	if mode == byQ {
		slices.SortStableFunc(list, func(a, b contact) int { return a.q - b.q })
		for i := range list {
			list[i].group = list[i].q
		}
	} else {
		drawContacts(list)
	}
	m.par.contacts.drop(c, true)
	for i := range list {
		if err := m.keepContact(c, &m.par.contacts, &list[i]); err != nil {
			c.Logf(log.Err, "tm", "t_load_contacts: %v", err)
			m.par.contacts.drop(c, true)
			return -1
		}
	}
	c.Branches = c.Branches[:0]
	return 1
}

// drawContacts puts the contacts into a random order, the last one to be tried first: what has a q comes first with a probability that is its part of the sum, what has
// none comes behind all others.
func drawContacts(list []contact) {
	backups := slices.Clone(list)
	backups = slices.DeleteFunc(backups, func(x contact) bool { return x.q > 0 })
	weighted := slices.DeleteFunc(slices.Clone(list), func(x contact) bool { return x.q <= 0 })
	out := list[:0]
	for len(weighted) > 0 {
		sum := 0
		for i := range weighted {
			sum += weighted[i].q
		}
		n, i := rand.IntN(sum), 0
		for ; n >= weighted[i].q; i++ {
			n -= weighted[i].q
		}
		out = append(out, weighted[i])
		weighted = slices.Delete(weighted, i, i+1)
	}
	out = append(out, backups...)
	slices.Reverse(out)
	for i := range out {
		out[i].group = i
	}
}

// takeXAVPs takes the roots of xavp_contact from the script, one for each contact, and keeps them with the contacts.
func (m *mod) takeXAVPs(c *route.Ctx, list []contact) {
	if m.par.xavpContact == "" {
		return
	}
	name := []byte(m.par.xavpContact)
	for i := range list {
		list[i].xavp = c.AVPs.XEncode(c, route.XAVP, name)
		if err := c.AVPs.XSet(c, &route.XRef{Kind: route.XAVP, Root: name}, route.Null); err != nil {
			return // there are no more
		}
	}
}

// giveXAVP gives the script what is kept with a contact, as root n of xavp_contact: 0 is that of the R-URI.
func (m *mod) giveXAVP(c *route.Ctx, x *contact, n int) {
	if m.par.xavpContact == "" {
		return
	}
	name := []byte(m.par.xavpContact)
	if n == 0 {
		c.AVPs.XRemoveAll(route.XAVP, name)
	}
	if len(x.xavp) == 0 {
		return
	}
	for c.AVPs.XCount(&route.XRef{Kind: route.XAVP, Root: name}) < n {
		if err := c.AVPs.XAppend(c, route.XAVP, name, nil); err != nil {
			c.Logf(log.Err, "tm", "xavp_contact: %v", err)
			return
		}
	}
	if !c.AVPs.XDecode(c, route.XAVP, name, x.xavp) {
		c.Logf(log.Err, "tm", "xavp_contact: attributes of %s can not be restored", x.uri)
	}
}

func (m *mod) keepContact(c *route.Ctx, in *attrName, x *contact) error {
	b := c.Scratch.Keep(x.append(c.Scratch.Tail(1024)))
	return c.AVPs.Add(c, in.name, in.id, route.Str(b))
}

// What t_next_contacts and t_next_contact_flow return when there is none left.
const noMoreContacts = -2

// nextContacts is t_next_contacts: the best contact becomes the R-URI, others of its group become branches. With contact_flows_avp only one of each +sip.instance does:
// the others wait there until it fails.
func (m *mod) nextContacts(c *route.Ctx) int {
	if m.par.contactFlows.set {
		m.par.contactFlows.drop(c, true)
	}
	var instances [][]byte
	for n, group := 0, 0; ; {
		v := m.par.contacts.get(c)
		var x contact
		switch {
		case v.IsNull() && n == 0:
			return noMoreContacts
		case v.IsNull():
			return 1
		case !x.read(c, v.Text(c)):
			c.Logf(log.Err, "tm", "t_next_contacts: the attribute of contacts_avp holds something else")
			return -1
		case n > 0 && x.group != group:
			return 1
		}
		m.par.contacts.drop(c, false)
		if id := x.attrs.Instance; m.par.contactFlows.set && len(id) > 0 {
			if slices.ContainsFunc(instances, func(b []byte) bool { return bytes.Equal(b, id) }) {
				if err := m.keepContact(c, &m.par.contactFlows, &x); err != nil {
					c.Logf(log.Err, "tm", "t_next_contacts: %v", err)
					return -1
				}
				continue
			}
			instances = append(instances, id)
		}
		m.giveXAVP(c, &x, n)
		n++
		if n > 1 {
			if !c.AddBranch(route.Branch{URI: x.uri, DstURI: x.dst, Path: x.path, Q: x.q, BranchAttrs: x.attrs}) {
				return -1
			}
			continue
		}
		group = x.group
		if !x.toRURI(c) {
			return -1
		}
	}
}

// toRURI makes the contact the destination of the request.
func (x *contact) toRURI(c *route.Ctx) bool {
	if c.SetRURI(x.uri) != nil || c.SetDstURI(x.dst) != nil || c.SetPath(x.path) != nil {
		return false
	}
	c.Main, c.Q = x.attrs, x.q
	return true
}

// nextFlow is t_next_contact_flow: a contact of the +sip.instance of the branch that has failed becomes the R-URI.
func (m *mod) nextFlow(c *route.Ctx) int {
	t := m.transactionOf(c)
	if t == nil || c.Kind&route.InBranchFailure == 0 {
		return -1
	}
	_, b := m.branchAt(t, c.TransBranch)
	if b == nil {
		return -1
	}
	_, _, failed, _, _ := m.texts(b)
	flows := &m.par.contactFlows
	n := c.AVPs.Count(flows.name, flows.id)
	var found *contact
	rest := make([]route.Value, 0, n)
	for i := n - 1; i >= 0; i-- { // what was kept first, first
		v := c.AVPs.Get(flows.name, flows.id, i)
		var x contact
		if !x.read(c, v.Text(c)) {
			c.Logf(log.Err, "tm", "t_next_contact_flow: the attribute of contact_flows_avp holds something else")
			return -1
		}
		if found == nil && bytes.Equal(x.attrs.Instance, failed) {
			found = &x
			continue
		}
		rest = append(rest, v)
	}
	if found == nil {
		return noMoreContacts
	}
	flows.drop(c, true)
	for _, v := range rest {
		if err := c.AVPs.Add(c, flows.name, flows.id, v); err != nil {
			c.Logf(log.Err, "tm", "t_next_contact_flow: %v", err)
			return -1
		}
	}
	m.giveXAVP(c, found, 0)
	if !found.toRURI(c) {
		return -1
	}
	return 1
}

// texts are what is stored of a contact as text.
func (x *contact) texts() [7]*[]byte {
	return [...]*[]byte{&x.uri, &x.dst, &x.path, &x.attrs.RUID, &x.attrs.LocationUA, &x.attrs.Instance, &x.xavp}
}

// append writes a contact for the attribute.
func (x *contact) append(dst []byte) []byte {
	sock := -1
	if x.attrs.ForceSock != nil {
		sock = x.attrs.ForceSock.Index
	}
	for _, n := range [...]int64{int64(x.q), int64(x.group), int64(sock), int64(x.attrs.Flags), int64(x.attrs.OTCPID), int64(x.attrs.RegID)} {
		dst = binary.AppendVarint(dst, n)
	}
	for _, b := range x.texts() {
		dst = append(binary.AppendUvarint(dst, uint64(len(*b))), *b...)
	}
	return dst
}

// read reads what append wrote; texts are copied into c's scratch memory.
func (x *contact) read(c *route.Ctx, b []byte) bool {
	var n [6]int64
	for i := range n {
		v, size := binary.Varint(b)
		if size <= 0 {
			return false
		}
		n[i], b = v, b[size:]
	}
	x.q, x.group, x.attrs.Flags, x.attrs.OTCPID, x.attrs.RegID = int(n[0]), int(n[1]), uint32(n[3]), uint32(n[4]), uint32(n[5])
	x.attrs.ForceSock = c.P.Net.At(int(n[2]))
	for _, p := range x.texts() {
		size, k := binary.Uvarint(b)
		if k <= 0 || size > uint64(len(b)-k) {
			return false
		}
		if b = b[k:]; size > 0 {
			*p = c.Scratch.Copy(b[:size])
		}
		b = b[size:]
	}
	return len(b) == 0 && len(x.uri) > 0
}
