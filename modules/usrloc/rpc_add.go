package usrloc

import (
	"strconv"

	"kahea/modules"
)

// What a contact that ul.add has made shows as its own, as Kamailio's.
const (
	rpcCallID    = "dfjrewr12386fd6-343@kahea.rpc"
	rpcUserAgent = "kahea SIP Router - RPC Server"
)

var errParams = modules.NewFault(500, "Not enough parameters or wrong format")

// add is ul.add: table, address, contact, seconds (0: permanent), q, path ("0" or "": none), flags, branch flags, methods. A contact that is there already is replaced.
func (m *mod) add(r *modules.Request) error {
	var text [3]string
	for i := range text {
		var err error
		if text[i], err = r.Str(); err != nil || text[i] == "" {
			return errParams
		}
	}
	expires, err := r.Integer()
	if err != nil || expires < 0 {
		return errParams
	}
	qText, ok := r.NextStr()
	q, qErr := strconv.ParseFloat(qText, 64)
	if !ok || qErr != nil || q < -1 || q > 1 {
		return errParams
	}
	path, err := r.Str()
	if err != nil {
		return errParams
	}
	var n [3]int64
	for i := range n {
		if n[i], err = r.Integer(); err != nil {
			return errParams
		}
	}
	d := m.find(text[0])
	if d == nil {
		return modules.NewFault(500, "Domain not found")
	}
	now := m.h.Host.Now() / 1e9
	c := Contact{URI: []byte(text[2]), CallID: []byte(rpcCallID), UserAgent: []byte(rpcUserAgent), RUID: m.NewRUID(nil), Modified: now, CSeq: 1, Q: QUnset, Sock: -1,
		Flags: uint32(n[0]), CFlags: uint32(n[1]), Methods: uint32(n[2])}
	if expires > 0 {
		c.Expires = now + expires
	}
	if q >= 0 {
		c.Q = int(q*1000 + 0.5)
	}
	if path != "0" {
		c.Path = []byte(path)
	}
	l := d.Lock([]byte(text[1]))
	defer l.Unlock()
	if old := l.Match(c.URI, c.CallID, c.Path, nil, 0); old != 0 {
		err = l.Update(old, &c)
	} else {
		err = l.Insert(&c)
	}
	if err != nil {
		return modules.NewFault(500, "%v", err)
	}
	return nil
}
