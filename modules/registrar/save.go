package registrar

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules/usrloc"
	"kahea/shm"
	"kahea/sipparse"
)

// Flags of save().
const (
	saveMemory   = 1 // memory only: there is nothing else yet
	saveNoReply  = 2
	saveReplace  = 4  // one contact per address
	saveNoRange  = 8  // no expires_range
	savePrepared = 16 // with saveNoReply: the lines of the reply are made, for reg_send_reply or the script's own
	saveFlags    = saveMemory | saveNoReply | saveReplace | saveNoRange | savePrepared
)

// Results of save().
const (
	savedInserted = 1
	savedUpdated  = 2
	savedDeleted  = 3
	savedListed   = 4
	saveFailed    = -1
	saveTooMany   = -2
)

// refusal is why a REGISTER is not accepted: status, reason, and the P-Registrar-Error line (Kamailio's texts).
type refusal struct {
	code   int
	reason string
	info   string
}

var (
	badRequest      = "Bad Request"
	refuseCSeq      = &refusal{400, badRequest, "Invalid CSeq number"}
	refuseExpires   = &refusal{400, badRequest, "Expires parse error"}
	refuseContact   = &refusal{400, badRequest, "Contact parse error"}
	refuseStarExp   = &refusal{400, badRequest, "* used in contact and expires is not zero"}
	refuseStar      = &refusal{400, badRequest, "* used in contact and more than 1 contact"}
	refuseLong      = &refusal{400, badRequest, "Contact/received too long"}
	refuseQ         = &refusal{400, badRequest, "Invalid q param in contact"}
	refuseTo        = &refusal{400, badRequest, "To HF not found"}
	refuseAOR       = &refusal{400, badRequest, "Failed to extract Address Of Record"}
	refuseMany      = &refusal{503, "Service Unavailable", "Too many registered contacts"}
	refuseMemory    = &refusal{500, "Server Internal Error", "Internal error"}
	refusePathParse = &refusal{400, badRequest, "Path parse error"}
	refusePath      = &refusal{420, "Bad Extension", "No support for found Path indicated"}
	refuseBrief     = &refusal{423, "Interval Too Brief", "Interval too brief"}
	refuseNoOB      = &refusal{421, "Extension Required", "No support for Outbound indicated"}
	refuseOB        = &refusal{420, "Bad Extension", "No support for Outbound on server"}
	refuseEdge      = &refusal{439, "First Hop Lacks Outbound Support", "No support for Outbound on edge proxy"}
)

// refusals in the order of their numbers for reg_send_reply.
var refusals = [...]*refusal{refuseCSeq, refuseExpires, refuseContact, refuseStarExp, refuseStar, refuseLong, refuseQ, refuseTo, refuseAOR, refuseMany, refuseMemory, refusePathParse,
	refusePath, refuseBrief, refuseNoOB, refuseOB, refuseEdge}

func (m *mod) compileSave(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	d, err := m.table(a)
	if err != nil {
		return nil, err
	}
	if text, ok := a.ConstStr(1); ok {
		if n, isNum := route.ParseInt([]byte(text)); !isNum || n&^saveFlags != 0 {
			return nil, fmt.Errorf("flags %s: there are 1, 2, 4, 8 and 16", text)
		}
	}
	return func(c *route.Ctx) int {
		flags := int64(0)
		if a.N > 1 {
			flags, _ = a.Int(c, 1)
		}
		var uri []byte
		if a.N > 2 {
			uri, _ = a.Str(c, 2)
		}
		return m.save(c, d, int(flags), uri)
	}, nil
}

// binding is one Contact value of the REGISTER.
type binding struct {
	uri, params []byte
	expires     int64 // absolute, 0: remove
	q           int
	received    []byte
	instance    []byte
	regID       uint32
	methods     uint32
	field       uint32 // where the Contact field begins
}

// save is save(): it works the Contacts in and answers.
func (m *mod) save(c *route.Ctx, d *usrloc.Domain, flags int, uri []byte) int {
	if c.Msg.Line.IsReply || c.Msg.Line.Method != sipparse.REGISTER && uri == nil {
		c.Logf(log.Err, "registrar", "save: the message is no REGISTER")
		return saveFailed
	}
	if uri == nil {
		_, text, e := c.Msg.ToURI()
		if e != sipparse.OK {
			return m.refuse(c, flags, refuseTo)
		}
		uri = text
	}
	aor, ok := m.aor(c, uri)
	if !ok {
		return m.refuse(c, flags, refuseAOR)
	}
	now := c.P.Host.Now() / 1e9
	var list [32]binding
	n, star, bad := m.contacts(c, now, flags, &list)
	if bad != nil && bad != refuseQ && bad != refuseBrief {
		return m.refuse(c, flags, bad)
	}
	regID, ob := m.outbound(c, list[:min(n, len(list))])
	if ob != nil {
		return m.refuse(c, flags, ob)
	}
	for i := range list[:min(n, len(list))] {
		if b := &list[i]; !regID || len(b.instance) == 0 {
			b.regID = 0
		}
	}
	if bad == nil && n > len(list) {
		bad = refuseMany
	}
	if bad == nil && n > 0 && !star && !m.pathParses(c) {
		return m.refuse(c, flags, refusePathParse)
	}
	l := d.Lock(aor)
	rc := savedListed
	switch {
	case bad != nil:
	case star:
		rc, bad = m.removeAll(c, &l)
	case n > 0:
		rc, bad = m.apply(c, d, &l, list[:n], flags, now)
	}
	var lines []byte
	if flags&saveNoReply == 0 || flags&savePrepared != 0 {
		lines = m.contactLines(c, &l, uri, now)
	}
	l.Unlock()
	if len(lines) > 0 {
		c.Edits.AddReplyHeader(lines)
	}
	if bad == refusePath {
		c.Edits.AddReplyHeader([]byte("Unsupported: path\r\n"))
	}
	if path := m.pathLine(c, bad); path != nil {
		c.Edits.AddReplyHeader(path)
	}
	if bad != nil {
		return m.refuse(c, flags, bad)
	}
	m.h.Count(m.accepted)
	c.Ext[extReply] = withheldOK
	if flags&saveNoReply == 0 || flags&savePrepared != 0 {
		m.outboundLines(c)
	}
	if flags&saveNoReply == 0 && m.sl.SendReply(c, 200, okReason) < 0 {
		return saveFailed
	}
	return rc
}

var okReason = []byte("OK")

// refuse answers with an error, which stays in the reply's headers for what the script may send behind it.
func (m *mod) refuse(c *route.Ctx, flags int, r *refusal) int {
	m.h.Count(m.rejected)
	for i, x := range refusals {
		if x == r {
			c.Ext[extReply] = withheldBad + uint64(i)
		}
	}
	switch r {
	case refuseBrief:
		c.Edits.AddReplyHeader(c.Scratch.Concat([]byte("Min-Expires: "), c.Scratch.Int(int64(m.minExpires)), []byte("\r\n")))
	case refuseNoOB:
		c.Edits.AddReplyHeader([]byte("Require: outbound\r\nSupported: outbound\r\n"))
	case refuseOB:
		c.Edits.AddReplyHeader([]byte("Unsupported: outbound\r\n"))
	}
	c.Edits.AddReplyHeader(c.Scratch.Concat([]byte("P-Registrar-Error: "), []byte(r.info), []byte("\r\n")))
	if r.code == 503 && m.retryAfter > 0 {
		c.Edits.AddReplyHeader(c.Scratch.Concat([]byte("Retry-After: "), c.Scratch.Int(int64(m.retryAfter)), []byte("\r\n")))
	}
	if flags&saveNoReply == 0 {
		m.sl.SendReply(c, r.code, []byte(r.reason))
	}
	if r == refuseMany {
		return saveTooMany
	}
	return saveFailed
}

// maxExpires is the first number of seconds that is none (32 bits, all set).
const maxExpires = 1<<32 - 1

// contacts reads the Contact values. n may be larger than the list: there are too many.
func (m *mod) contacts(c *route.Ctx, now int64, flags int, list *[32]binding) (n int, star bool, bad *refusal) {
	header, has, e := c.Msg.Expires()
	if has && c.Msg.First(sipparse.HdrExpires).Body.Len == 0 {
		return 0, false, refuseExpires
	}
	if e != sipparse.OK || int64(header) >= maxExpires {
		header, has = 0, false // what is no time counts as if it were not there
	}
	methods := m.allowed(c)
	v := c.Msg.Values(sipparse.HdrContact)
	for {
		ok, e := v.Next()
		if e != sipparse.OK {
			return n, star, refuseContact
		}
		if !ok {
			break
		}
		if !wellFormed(&c.Msg, &v) {
			return n, star, refuseContact
		}
		if v.Star {
			star = true
			n++
			continue
		}
		n++
		if n > len(list) {
			continue
		}
		b := &list[n-1]
		*b = binding{uri: c.Msg.Bytes(v.URI), params: c.Msg.Bytes(v.Params), q: m.defaultQ, methods: methods, field: v.Hdr.Off}
		if len(b.uri) > m.contactMax {
			return n, star, refuseLong
		}
		expires, given := int64(m.defaultExpires), has
		if has {
			expires = int64(header)
		}
		for it := sipparse.Params(b.params); it.Next(); {
			val := unquote(it.Value)
			switch {
			case is(it.Name, "expires"):
				if t, ok := digits(val); ok && t < maxExpires {
					expires, given = t, true
				} else {
					expires, given = int64(m.defaultExpires), false
				}
			case is(it.Name, "q"):
				if len(val) == 0 {
					continue // as if it were not there
				}
				q, ok := parseQ(val)
				if !ok {
					bad = refuseQ
				}
				b.q = q
			case is(it.Name, m.receivedParam):
				b.received = val
			case is(it.Name, "+sip.instance"):
				b.instance = val
			case is(it.Name, "reg-id"):
				t, _ := digits(val)
				b.regID = uint32(t)
			case is(it.Name, "methods"):
				b.methods = methodBits(val)
			}
		}
		expires, brief := m.expires(c, expires, given, flags)
		if brief {
			bad = refuseBrief
		}
		if expires != 0 {
			b.expires = now + expires
		}
		if q, ok := m.cfgInt(c, cfgQ); ok && q <= 1000 {
			b.q = int(q)
		}
	}
	reverseFields(list[:min(n, len(list))])
	if star {
		switch {
		case !has || header != 0:
			return n, star, refuseStarExp
		case n > 1:
			return n, star, refuseStar
		}
	}
	return n, star, bad
}

// reverseFields turns the order of the values of each field, not of the fields: that is the order in which Kamailio stores them, and what decides
// among contacts of equal q.
func reverseFields(list []binding) {
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j].field == list[i].field {
			j++
		}
		slices.Reverse(list[i:j])
		i = j
	}
}

// allowed are the methods of the Allow fields; all if there is none.
func (m *mod) allowed(c *route.Ctx) uint32 {
	h := c.Msg.First(sipparse.HdrAllow)
	if h == nil {
		return usrloc.AllMethods
	}
	var bits uint32
	for ; h != nil; h = c.Msg.NextOf(h) {
		bits |= methodBits(c.Msg.Bytes(h.Body))
	}
	return bits
}

func methodBits(b []byte) (bits uint32) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, ',')
		word := b
		if i >= 0 {
			word, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		if word = bytes.TrimSpace(word); len(word) > 0 {
			bits |= uint32(sipparse.LookupMethod(word))
		}
	}
	return bits
}

// removeAll serves "Contact: *".
func (m *mod) removeAll(c *route.Ctx, l *usrloc.Locked) (int, *refusal) {
	for r := l.First(); r != 0; r = l.First() {
		l.Delete(r)
	}
	return savedDeleted, nil
}

// cseqOf reads CSeq; ok is false if it is no number of 32 bits: the parser takes any text for one.
func cseqOf(c *route.Ctx) (n uint32, ok bool) {
	cs, e := c.Msg.CSeq()
	if e != sipparse.OK || cs.NumBad {
		return 0, false
	}
	return cs.Num, true
}

// apply works the bindings into the record. It changes nothing when it refuses.
func (m *mod) apply(c *route.Ctx, d *usrloc.Domain, l *usrloc.Locked, list []binding, flags int, now int64) (rc int, bad *refusal) {
	callID := c.Msg.CallID()
	cseq, ok := cseqOf(c)
	if !ok {
		return 0, refuseCSeq
	}
	path, unsupported := m.path(c)
	var x usrloc.Contact
	// what there would be: contacts that stay or come
	count := 0
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		if x.Expires == 0 || x.Expires > now {
			count++
		}
	}
	for i := range list {
		b := &list[i]
		r := l.Match(b.uri, callID, path, b.instance, b.regID)
		switch {
		case r == 0 && b.expires != 0:
			count++
		case r != 0:
			l.Get(r, &x)
			if bytes.Equal(x.CallID, callID) && cseq < x.CSeq {
				return 0, refuseCSeq
			}
			live := x.Expires == 0 || x.Expires > now
			if b.expires == 0 && live {
				count--
			} else if b.expires != 0 && !live {
				count++
			}
		}
	}
	most := m.maxContacts
	if n, ok := m.cfgInt(c, cfgMaxContacts); ok {
		most = int(n)
	}
	if most > 0 && count > most && flags&saveReplace == 0 {
		return 0, refuseMany
	}
	sock := m.socket(c)
	attrs := m.keepAttrs(c)
	pathReceived := m.pathReceived(path)
	if unsupported {
		bad = refusePath
	}
	if flags&saveReplace != 0 {
		for r := l.First(); r != 0; {
			next := l.Next(r)
			keep := false
			l.Get(r, &x)
			for i := range list {
				keep = keep || bytes.Equal(x.URI, list[i].uri)
			}
			if !keep {
				l.Delete(r)
			}
			r = next
		}
	}
	for i := range list {
		b := &list[i]
		r := l.Match(b.uri, callID, path, b.instance, b.regID)
		if b.expires == 0 {
			if r != 0 {
				l.Delete(r)
				rc = max(rc, savedDeleted)
			} else {
				rc = max(rc, savedDeleted)
			}
			continue
		}
		if r != 0 {
			l.Get(r, &x)
			if bytes.Equal(x.CallID, callID) && cseq == x.CSeq && x.Modified+d.CSeqDelay() > now {
				rc = max(rc, savedUpdated) // a retransmission
				continue
			}
		}
		x = usrloc.Contact{URI: b.uri, CallID: callID, Received: b.received, Path: path, Instance: b.instance, Expires: b.expires, Modified: now,
			CSeq: cseq, Flags: 0, CFlags: c.Main.Flags, Methods: b.methods, RegID: b.regID, Q: b.q, Sock: sock, Attrs: attrs}
		if ua := c.Msg.First(sipparse.HdrUserAgent); ua != nil {
			x.UserAgent = c.Msg.Bytes(ua.Body)
		}
		if m.received != nil && len(x.Received) == 0 {
			if v := m.received.Get(c); !v.IsNull() {
				x.Received = v.Text(c)
			}
		}
		if pathReceived != nil {
			x.Received = pathReceived
			if n := m.ul.NatFlag(); n >= 0 {
				x.CFlags |= 1 << n
			}
		}
		if c.Recv.Proto != sipparse.UDP {
			x.Conn = c.Recv.Conn
		}
		var err error
		if r != 0 {
			x.RUID = c.Scratch.Copy(ruidOf(l, r))
			err = l.Update(r, &x)
			rc = max(rc, savedUpdated)
		} else {
			x.RUID = c.Scratch.Keep(m.ul.NewRUID(c.Scratch.Tail(64)))
			err = l.Insert(&x)
			if rc == 0 {
				rc = savedInserted
			}
		}
		if err != nil {
			level := log.Err
			if errors.Is(err, shm.ErrReserve) {
				level = log.Debug // there may be thousands a second: the core logs their number
			}
			c.Logf(level, "registrar", "contact can not be stored: %v", err)
			return 0, refuseMemory
		}
	}
	return rc, bad
}

func ruidOf(l *usrloc.Locked, r usrloc.Ref) []byte {
	var x usrloc.Contact
	l.Get(r, &x)
	return x.RUID
}

func supports(c *route.Ctx, tag string) bool { return lists(c, sipparse.HdrSupported, tag) }

// lists says whether an option tag is in the header fields of a type.
func lists(c *route.Ctx, t sipparse.HdrType, tag string) bool {
	for h := c.Msg.First(t); h != nil; h = c.Msg.NextOf(h) {
		b := c.Msg.Bytes(h.Body)
		for len(b) > 0 {
			word, rest, _ := bytes.Cut(b, []byte(","))
			if is(bytes.TrimSpace(word), tag) {
				return true
			}
			b = rest
		}
	}
	return false
}

// contactLines is the Contact line of the answer: all valid contacts with what is left of their time. It lies in scratch memory.
func (m *mod) contactLines(c *route.Ctx, l *usrloc.Locked, aorURI []byte, now int64) []byte {
	var x usrloc.Contact
	size := 32
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		size += len(x.URI) + len(x.Received) + 2*len(x.Instance) + 2*len(aorURI) + len(x.RUID) + 160
	}
	b := c.Scratch.Tail(size)
	if b == nil {
		return nil
	}
	first := true
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		if x.Expires != 0 && x.Expires <= now {
			continue
		}
		if first {
			b = append(b, "Contact: "...)
			first = false
		} else {
			b = append(b, ", "...)
		}
		b = append(b, '<')
		b = append(b, x.URI...)
		b = append(b, '>')
		if x.Q != usrloc.QUnset {
			b = append(b, ";q="...)
			b = appendQ(b, x.Q)
		}
		b = append(b, ";expires="...)
		b = strconv.AppendInt(b, max(0, x.Expires-now), 10)
		if len(x.Received) > 0 {
			b = append(b, ';')
			b = append(b, m.receivedParam...)
			b = append(b, `="`...)
			b = append(b, x.Received...)
			b = append(b, '"')
		}
		if len(x.Instance) > 0 {
			if m.gruu != 0 && supports(c, "gruu") {
				b = appendGRUU(c.P.Par.Grammar, b, aorURI, &x)
			}
			b = append(b, `;+sip.instance="`...)
			b = append(b, x.Instance...)
			b = append(b, '"')
		}
		if x.RegID > 0 {
			b = append(b, ";reg-id="...)
			b = strconv.AppendUint(b, uint64(x.RegID), 10)
		}
	}
	if first {
		return nil
	}
	return c.Scratch.Keep(append(b, "\r\n"...))
}

// appendGRUU appends the public and the temporary GRUU (RFC 5627) of a contact.
func appendGRUU(g *sipparse.Grammar, b, aorURI []byte, x *usrloc.Contact) []byte {
	var u sipparse.URI
	if g.ParseURI(aorURI, &u) != sipparse.OK {
		return b
	}
	id := bytes.TrimSuffix(bytes.TrimPrefix(x.Instance, []byte("<")), []byte(">"))
	b = append(b, `;pub-gruu="sip:`...)
	b = append(b, u.User.In(aorURI)...)
	b = append(b, '@')
	b = append(b, u.Host.In(aorURI)...)
	b = append(b, ";gr="...)
	b = append(b, id...)
	b = append(b, `";temp-gruu="sip:`...)
	b = append(b, x.RUID...)
	b = append(b, '@')
	b = append(b, u.Host.In(aorURI)...)
	return append(b, `;gr"`...)
}
