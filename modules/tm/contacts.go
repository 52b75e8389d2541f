package tm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
)

// Serial forking by q: t_load_contacts moves the destination set into an attribute, the best contact in front, and t_next_contacts takes the next ones of equal q out of
// it. The attribute goes with the transaction, so failure routes go on where the request route has stopped.

// contact is one of the set.
type contact struct {
	uri, dst, path []byte
	q              int
	attrs          route.BranchAttrs
}

var errAVP = errors.New("want name, s:name, i:number or $avp(...) of these")

// contactsAVP reads contacts_avp.
func (m *mod) contactsAVP(v modules.Value) error {
	text := v.Str
	if in, ok := strings.CutPrefix(text, "$avp("); ok {
		if text, ok = strings.CutSuffix(in, ")"); !ok {
			return errAVP
		}
	}
	if n, ok := strings.CutPrefix(text, "i:"); ok {
		id, err := strconv.ParseInt(n, 10, 32)
		if err != nil {
			return fmt.Errorf("%q: %w", v.Str, errAVP)
		}
		m.par.contactsName, m.par.contactsID, m.par.contacts = nil, id, true
		return nil
	}
	if text = strings.TrimPrefix(text, "s:"); text == "" || strings.ContainsAny(text, "$():") {
		return fmt.Errorf("%q: %w", v.Str, errAVP)
	}
	m.par.contactsName, m.par.contactsID, m.par.contacts = []byte(text), 0, true
	return nil
}

var errNoContactsAVP = errors.New("parameter contacts_avp has to be set")

// withContacts makes a function that needs contacts_avp.
func (m *mod) withContacts(f func(c *route.Ctx) int) func(route.Env, *route.Args) (func(*route.Ctx) int, error) {
	return func(route.Env, *route.Args) (func(*route.Ctx) int, error) {
		if !m.par.contacts {
			return nil, errNoContactsAVP
		}
		return f, nil
	}
}

// loadContacts is t_load_contacts. A set of one, or whose contacts all have the same q, stays where it is.
func (m *mod) loadContacts(c *route.Ctx) int {
	if len(c.Branches) == 0 {
		return 1
	}
	list := []contact{{uri: c.RURI(), dst: c.DstURI, path: c.Path, q: route.QUnset, attrs: c.Main}}
	same := true
	for i := range c.Branches {
		b := &c.Branches[i]
		same = same && b.Q == list[0].q
		list = append(list, contact{uri: b.URI, dst: b.DstURI, path: b.Path, q: b.Q, attrs: b.BranchAttrs})
	}
	if same {
		return 1
	}
	slices.SortStableFunc(list, func(a, b contact) int { return a.q - b.q })
	m.forgetContacts(c)
	for i := range list {
		b := c.Scratch.Keep(list[i].append(c.Scratch.Tail(1024)))
		if err := c.AVPs.Add(c, m.par.contactsName, m.par.contactsID, route.Str(b)); err != nil {
			c.Logf(log.Err, "tm", "t_load_contacts: %v", err)
			m.forgetContacts(c)
			return -1
		}
	}
	c.Branches = c.Branches[:0]
	return 1
}

func (m *mod) forgetContacts(c *route.Ctx) { c.AVPs.Delete(m.par.contactsName, m.par.contactsID, true) }

// What t_next_contacts returns when there is none left.
const noMoreContacts = -2

// nextContacts is t_next_contacts: the best contact becomes the R-URI, those of the same q become branches.
func (m *mod) nextContacts(c *route.Ctx) int {
	var best contact
	for n := 0; ; n++ {
		v := c.AVPs.Get(m.par.contactsName, m.par.contactsID, 0)
		var x contact
		switch {
		case v.IsNull() && n == 0:
			return noMoreContacts
		case v.IsNull():
			return 1
		case !x.read(c, v.Text(c)):
			c.Logf(log.Err, "tm", "t_next_contacts: the attribute of contacts_avp holds something else")
			return -1
		case n > 0 && x.q != best.q:
			return 1
		}
		c.AVPs.Delete(m.par.contactsName, m.par.contactsID, false)
		if n > 0 {
			if !c.AddBranch(route.Branch{URI: x.uri, DstURI: x.dst, Path: x.path, Q: x.q, BranchAttrs: x.attrs}) {
				return -1
			}
			continue
		}
		best = x
		if c.SetRURI(x.uri) != nil || c.SetDstURI(x.dst) != nil || c.SetPath(x.path) != nil {
			return -1
		}
		c.Main = x.attrs
	}
}

// texts are what is stored of a contact as text.
func (x *contact) texts() [6]*[]byte {
	return [...]*[]byte{&x.uri, &x.dst, &x.path, &x.attrs.RUID, &x.attrs.LocationUA, &x.attrs.Instance}
}

// append writes a contact for the attribute.
func (x *contact) append(dst []byte) []byte {
	sock := -1
	if x.attrs.ForceSock != nil {
		sock = x.attrs.ForceSock.Index
	}
	for _, n := range [...]int64{int64(x.q), int64(sock), int64(x.attrs.Flags), int64(x.attrs.OTCPID), int64(x.attrs.RegID)} {
		dst = binary.AppendVarint(dst, n)
	}
	for _, b := range x.texts() {
		dst = append(binary.AppendUvarint(dst, uint64(len(*b))), *b...)
	}
	return dst
}

// read reads what append wrote; texts are copied into c's scratch memory.
func (x *contact) read(c *route.Ctx, b []byte) bool {
	var n [5]int64
	for i := range n {
		v, size := binary.Varint(b)
		if size <= 0 {
			return false
		}
		n[i], b = v, b[size:]
	}
	x.q, x.attrs.Flags, x.attrs.OTCPID, x.attrs.RegID = int(n[0]), uint32(n[2]), uint32(n[3]), uint32(n[4])
	x.attrs.ForceSock = c.P.Net.At(int(n[1]))
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
