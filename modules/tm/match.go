package tm

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// States of Ctx.TransState.
const (
	stateUnknown uint8 = iota // not looked up yet
	stateNone                 // looked up, there is none
	stateFound                // Ctx.Trans is the transaction
	stateNew                  // Ctx.Trans was made by this message
)

// hashOf is the bucket of a message: Call-ID and CSeq number, as in Kamailio.
func hashOf(msg *sipparse.Msg) (uint32, bool) {
	h, e := edit.BranchHash(msg)
	return h, e == sipparse.OK
}

// sum is a cheap hash that tells cells of one bucket apart.
func sum(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

var cookie = []byte("z9hG4bK")

// find looks a request's transaction up (RFC 3261 17.2.3); it comes with a reference. An ACK finds the INVITE it acknowledges when that
// was answered negatively, or with a 2xx of our own; one to a 2xx that was relayed belongs to no transaction, whatever its branch. A CANCEL finds the CANCEL's
// own transaction, asInvite the INVITE that it cancels.
func (m *mod) find(msg *sipparse.Msg, asInvite bool) shm.Off {
	hash, ok := hashOf(msg)
	if !ok {
		return 0
	}
	m.table.Lock(m.a, int(hash))
	o := m.findLocked(msg, hash, asInvite)
	m.table.Unlock(m.a, int(hash))
	return o
}

// findLocked is find with the bucket's lock held.
func (m *mod) findLocked(msg *sipparse.Msg, hash uint32, asInvite bool) shm.Off {
	v, e := msg.Via1()
	if e != sipparse.OK {
		return 0
	}
	method := msg.Line.Method
	want := method
	if method == sipparse.ACK || asInvite {
		want = sipparse.INVITE
	}
	branch := msg.Bytes(v.Branch)
	rfc3261 := bytes.HasPrefix(branch, cookie)
	s := sum(branch)
	a := m.a
	for o := m.table.First(a, int(hash)); o != 0; o = m.table.Next(a, o) {
		t := m.cell(o)
		if t.flags&flagLocal != 0 || t.method != uint32(want) {
			continue
		}
		req := m.request(o, t)
		if method == sipparse.ACK && t.status < 300 {
			if m.ackOfOurs(t, req, msg) {
				m.addRef(t)
				return o
			}
			continue
		}
		if rfc3261 {
			if t.viaSum == s && bytes.Equal(t.viaBranch.in(req), branch) &&
				(m.par.via1Matching == 0 || bytes.EqualFold(t.viaHost.in(req), msg.Bytes(v.Host)) && bytes.Equal(t.viaPort.in(req), msg.Bytes(v.PortText))) &&
				(m.par.callIDMatching == 0 || bytes.Equal(t.callID.in(req), msg.CallID())) &&
				(want != sipparse.OtherMethod || bytes.Equal(methodOf(req, t), msg.Bytes(msg.Line.MethodText))) {
				m.addRef(t)
				return o
			}
		} else if m.matchOld(t, req, msg, v) {
			m.addRef(t)
			return o
		}
	}
	return 0
}

// methodOf is the method text of a stored request.
func methodOf(req []byte, t *cell) []byte {
	i := bytes.IndexByte(req, ' ')
	return bytes.TrimLeft(req[:max(i, 0)], "\r\n\x00\t ")
}

// matchOld is the matching of RFC 2543: R-URI, From tag, Call-ID, CSeq, top Via.
func (m *mod) matchOld(t *cell, req []byte, msg *sipparse.Msg, v *sipparse.Via) bool {
	if !m.sameDialog(t, req, msg) || !bytes.Equal(t.viaHost.in(req), msg.Bytes(v.Host)) || !bytes.Equal(t.viaPort.in(req), msg.Bytes(v.PortText)) ||
		!bytes.Equal(t.viaBranch.in(req), msg.Bytes(v.Branch)) {
		return false
	}
	return m.par.ruriMatching == 0 || bytes.Equal(t.ruri.in(req), msg.Bytes(msg.Line.URI))
}

// ackOfOurs says whether an ACK belongs to the 2xx that we have answered t's INVITE with ourselves: by dialog (RFC 3261 13.2.2.4), its branch is another one as
// a rule. The bucket is locked.
func (m *mod) ackOfOurs(t *cell, req []byte, msg *sipparse.Msg) bool {
	if t.status < 200 || t.replyFrom >= 0 || !m.sameDialog(t, req, msg) {
		return false
	}
	to, e := msg.To()
	if e != sipparse.OK {
		return false
	}
	m.a.Lock(&t.mu)
	defer m.a.Unlock(&t.mu)
	if t.reply == 0 {
		return false // it could not be kept
	}
	if m.parsed.Parse(m.a.Bytes(t.reply)[:t.replyLen]) != sipparse.OK {
		return false
	}
	ours, e := m.parsed.To()
	return e == sipparse.OK && bytes.Equal(m.parsed.Bytes(ours.Tag), msg.Bytes(to.Tag))
}

// sameDialog compares what an ACK to a 2xx shares with its INVITE.
func (m *mod) sameDialog(t *cell, req []byte, msg *sipparse.Msg) bool {
	from, e := msg.From()
	if e != sipparse.OK {
		return false
	}
	cs, e := msg.CSeq()
	if e != sipparse.OK {
		return false
	}
	return bytes.Equal(t.callID.in(req), msg.CallID()) && bytes.Equal(t.cseq.in(req), msg.Bytes(cs.NumText)) &&
		bytes.Equal(t.fromTag.in(req), msg.Bytes(from.Tag))
}

// findReply looks the branch up that a reply belongs to, by the branch value of our own Via; it comes with a reference to the cell.
func (m *mod) findReply(msg *sipparse.Msg) (o shm.Off, index int, ok bool) {
	v, e := msg.Via1()
	if e != sipparse.OK {
		return 0, 0, false
	}
	b := msg.Bytes(v.Branch)
	if !bytes.HasPrefix(b, cookie) {
		return 0, 0, false
	}
	b = b[len(cookie):]
	hash, b, ok := takeRHex(b)
	if !ok || len(b) < 34 || b[32] != '.' || hash >= tableSize {
		return 0, 0, false
	}
	md5 := b[:32]
	i, _, ok := takeRHex(b[33:])
	if !ok {
		return 0, 0, false
	}
	cs, e := msg.CSeq()
	if e != sipparse.OK {
		return 0, 0, false
	}
	a := m.a
	m.table.Lock(a, int(hash))
	defer m.table.Unlock(a, int(hash))
	for o = m.table.First(a, int(hash)); o != 0; o = m.table.Next(a, o) {
		t := m.cell(o)
		if i >= uint32(t.n) || !m.sameRequest(o, t, md5, msg, cs) {
			continue
		}
		if t.method != uint32(cs.Method) && !(cs.Method == sipparse.CANCEL && t.method == uint32(sipparse.INVITE)) {
			continue
		}
		m.addRef(t)
		return o, int(i), true
	}
	return 0, 0, false
}

// sameRequest says whether a reply with md5 in its Via branch answers a request of t's.
func (m *mod) sameRequest(o shm.Off, t *cell, md5 []byte, msg *sipparse.Msg, cs *sipparse.CSeq) bool {
	if m.par.callIDCSeqMatching != 0 {
		req := m.request(o, t)
		return bytes.Equal(t.callID.in(req), msg.CallID()) && bytes.Equal(t.cseq.in(req), msg.Bytes(cs.NumText))
	}
	return string(t.md5[:]) == string(md5) && (m.par.callIDMatching == 0 || bytes.Equal(t.callID.in(m.request(o, t)), msg.CallID()))
}

// takeRHex reads hex digits, least significant first, up to a '.' (dropped) or the end.
func takeRHex(b []byte) (n uint32, rest []byte, ok bool) {
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '.':
			return n, b[i+1:], i > 0
		case c-'0' <= 9:
			c -= '0'
		case c-'a' < 6:
			c -= 'a' - 10
		default:
			return 0, nil, false
		}
		if i > 7 {
			return 0, nil, false
		}
		n |= uint32(c) << (4 * i)
	}
	return n, nil, len(b) > 0
}

// lookup finds the request's transaction once and remembers it in c; nil: there is none.
func (m *mod) lookup(c *route.Ctx) *cell {
	switch c.TransState {
	case stateFound, stateNew:
		return m.cell(c.Trans)
	case stateNone:
		return nil
	}
	o := m.find(&c.Msg, false)
	if o == 0 {
		c.TransState = stateNone
		return nil
	}
	c.Trans, c.TransState = o, stateFound
	return m.cell(o)
}

// newTransaction makes a cell of the request in hand and links it. found is true when another process was faster (or it is a
// retransmission): c.Trans is then that one. A request with a line that is no header field gets none, as no reply could be made of it. One outside
// dialogs gets none when only the reserve of shared memory is left (shm.ErrReserve).
func (m *mod) newTransaction(c *route.Ctx) (t *cell, found bool, err error) {
	if c.Kind&route.InLocal != 0 {
		return nil, false, errOwnRequest
	}
	if c.Msg.Complete() != sipparse.OK {
		return nil, false, errBadRequest
	}
	hash, ok := hashOf(&c.Msg)
	v, e := c.Msg.Via1()
	if !ok || e != sipparse.OK {
		return nil, false, route.ErrBuild
	}
	if _, _, ok := c.ParsedRURI(); !ok { // also when it goes to $du
		return nil, false, route.ErrBadURI
	}
	up, ok := c.ReplyDest() // the script may wait for a name: nothing is held yet
	if !ok {
		return nil, false, route.ErrBadURI
	}
	msg := &c.Msg
	var flags uint32
	if to, e := msg.To(); msg.Line.Method == sipparse.CANCEL || e == sipparse.OK && to.Tag.Len > 0 {
		flags = flagInDialog // and may be what ends the call
	}
	o, err := m.alloc(flags, int(cellSize)+len(msg.Buf), m.tagCell)
	if err != nil {
		return nil, false, err
	}
	block := m.a.Bytes(o)
	clear(block[:cellSize])
	copy(block[cellSize:], msg.Buf)
	t = m.cell(o)
	t.reqLen, t.flags = uint32(len(msg.Buf)), flags
	t.hash, t.method = hash, uint32(msg.Line.Method)
	t.label = atomic.AddUint32(&m.root.Label, 1)
	t.viaBranch, t.viaHost, t.viaPort = toSpan(v.Branch), toSpan(v.Host), toSpan(v.PortText)
	t.viaSum = sum(msg.Bytes(v.Branch))
	if h := msg.First(sipparse.HdrCallID); h != nil {
		t.callID = toSpan(h.Body)
	}
	if cs, e := msg.CSeq(); e == sipparse.OK {
		t.cseq = toSpan(cs.NumText)
	}
	if f, e := msg.From(); e == sipparse.OK {
		t.fromTag = toSpan(f.Tag)
	}
	t.ruri = toSpan(msg.Line.URI)
	if t.md5, e = edit.BranchMD5(msg, m.scratch); e != sipparse.OK {
		// From or another part of it can not be read: tm relays such a request all the same, unlike forward()
		fill := fmt.Appendf(nil, "%032x", uint64(hash)<<32|uint64(t.label))
		copy(t.md5[:], fill)
	}
	if msg.Line.Method == sipparse.INVITE {
		t.flags |= flagInvite
	}
	if m.par.auto100 != 0 {
		t.flags |= flagAuto100
	}
	if m.par.no6xx != 0 {
		t.flags |= flagNoFail6xx
	}
	t.src, t.dst = toAddr(c.Recv.Src), toAddr(c.Recv.Dst)
	t.sock, t.proto, t.conn = int16(c.Recv.Sock.Index), uint8(c.Recv.Proto), c.Recv.Conn
	if c.Recv.Proto != sipparse.UDP {
		t.flags |= flagStream
	}
	t.up = toDest(&up)
	m.times(t, c)
	t.picked, t.replyFrom = -1, -1
	t.onFailure, t.onReply, t.onBranch, t.onBranchFailure = c.Armed[armFailure], c.Armed[armReply], c.Armed[armBranch], c.Armed[armBranchFailure]
	t.msgFlags = c.Flags
	t.script = m.worker()
	t.ref = 2 // the table's and ours

	m.table.Lock(m.a, int(hash))
	other := m.findLocked(msg, hash, false) // another worker may have made it since we looked
	if other == 0 {
		m.table.Insert(m.a, int(hash), o)
	}
	m.table.Unlock(m.a, int(hash))
	if other != 0 {
		m.a.Free(o)
		c.Trans, c.TransState = other, stateFound
		return m.cell(other), true, nil
	}
	c.Trans, c.TransState = o, stateNew
	m.h.Count(m.stats.uas)
	m.h.Count(m.stats.created)
	return t, false, nil
}

// times gives a transaction that is born now its times: the parameters', and what the script has set.
func (m *mod) times(t *cell, c *route.Ctx) {
	t.fr, t.frInv, t.retr1, t.retr2 = uint32(m.par.frTimer), uint32(m.par.frInvTimer), uint32(m.par.retr1), uint32(m.par.retr2)
	t.born = c.P.Host.Ticks()
	life := m.par.maxNonInv
	if t.flags&flagInvite != 0 {
		life = m.par.maxInv
	}
	if life > 0 {
		t.endOfLife = t.born + ticks(uint32(life))
	}
	if t.flags&flagLocal == 0 {
		t.setTimes(route.Times{FR: m.par.frAVP.seconds(c), FRInv: m.par.frInvAVP.seconds(c)})
	}
	t.setTimes(c.Times)
}

// refused keeps and logs an error of newTransaction.
func refused(c *route.Ctx, function string, err error) {
	c.Failed(err)
	c.Logf(severity(err), "tm", "%s: %v", function, err)
}

// severity is the level to log an error at. When memory is short there may be thousands a second: those are counted, and the core logs their number once a minute.
func severity(err error) log.Level {
	if errors.Is(err, shm.ErrReserve) {
		return log.Debug
	}
	return log.Err
}

// unlink takes a cell out of the table and drops the table's reference.
func (m *mod) unlink(o shm.Off, t *cell) {
	m.table.Lock(m.a, int(t.hash))
	linked := t.link.Table != 0
	if linked {
		m.table.Remove(m.a, o)
	}
	m.table.Unlock(m.a, int(t.hash))
	if linked {
		m.unref(o, t)
	}
}
