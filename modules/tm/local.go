package tm

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync/atomic"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// A local transaction (flagLocal) is one of a request of this server's own: it has one branch, whose buffer is its request, and no side towards a client. Its state is
// not a script's but the name of what is told of the reply, with its parameter (carriedTo). event_route[tm:local-request] sees the request before there is a
// transaction; what it arms with t_on_reply, and its attributes, go along.

var _ modules.UAC = (*mod)(nil)

var (
	errMethod   = errors.New("method is no token")
	errLongWord = errors.New("name or parameter of the reply's function is too long")
	errNoReply  = errors.New("no function of that name")
)

const (
	localResponse = "tm:local-response"
	localRequest  = "tm:local-request"
	localAckSent  = "tm:local-ack-sent"
)

// extLocal is a word of tm's in Ctx.Ext: flags that event_route[tm:local-request] gives the transaction to come.
const extLocal = 1

// defaultCSeq is Kamailio's number of a request that says none.
const defaultCSeq = 10

// OnReply is modules.UAC.
func (m *mod) OnReply(name string, f func(r *modules.UACReply)) {
	if m.replies == nil {
		m.replies = map[string]func(r *modules.UACReply){}
	}
	m.replies[name] = f
}

// ids makes the Call-IDs and tags of this process's requests.
type ids struct {
	next uint64
	rest string // "-PID@HOST"
}

func (i *ids) init(s *route.Socket) {
	var b [8]byte
	route.RandomID(b[:])
	i.next = binary.LittleEndian.Uint64(b[:])
	i.rest = fmt.Sprintf("-%d@%s", os.Getpid(), s.Host)
}

// callID appends a new one.
func (i *ids) callID(dst []byte) []byte {
	i.next++
	dst = hex.AppendEncode(dst, binary.BigEndian.AppendUint64(nil, i.next))
	return append(dst, i.rest...)
}

// tag appends a new From tag: the prefix by which our tags are known, and eight digits.
func (i *ids) tag(dst []byte, p *route.TagPrefix) []byte {
	var b [4]byte
	route.RandomID(b[:])
	return hex.AppendEncode(append(dst, p[:]...), b[:])
}

// SendRequest is modules.UAC.
func (m *mod) SendRequest(r *modules.UACRequest) (modules.TransactionID, error) {
	return m.sendRequest(r, func(q *modules.UACRequest, id modules.TransactionID, err error) {
		m.h.Logf(severity(err), "tm", "local %s to %s: %v", q.Method, q.NextHop, err)
		status, _ := route.Status(err)
		if f := m.replies[q.Reply]; f != nil {
			f(&modules.UACReply{ID: id, Status: status, Param: q.Param})
		}
	})
}

// sendRequest is SendRequest; late is told of an error that shows when it has returned.
func (m *mod) sendRequest(r *modules.UACRequest, late func(q *modules.UACRequest, id modules.TransactionID, err error)) (id modules.TransactionID, err error) {
	if !isToken(r.Method) {
		return id, errMethod
	}
	if r.Reply != "" && m.replies[r.Reply] == nil {
		return id, errNoReply
	}
	if len(r.Reply) > math.MaxUint8 || len(r.Param) > math.MaxUint16 {
		return id, errLongWord
	}
	q := *r
	if q.NextHop == nil {
		q.NextHop = q.URI
	}
	if _, err = m.h.Proc.URITarget(q.NextHop); err != nil {
		return id, fmt.Errorf("next hop %q: %w", q.NextHop, err)
	}
	if q.CSeq == 0 {
		q.CSeq = defaultCSeq
	}
	id.Label = atomic.AddUint32(&m.root.Label, 1)
	returned := false
	m.h.RunFaked(func(c *route.Ctx) {
		c.Faked = true
		s := &c.Scratch
		for _, p := range [...]*[]byte{&q.Method, &q.URI, &q.NextHop, &q.From, &q.To, &q.FromTag, &q.CallID, &q.Headers, &q.Body, &q.Param} {
			if *p != nil {
				*p = s.Copy(*p)
			}
		}
		if q.CallID == nil {
			q.CallID = s.Copy(m.ids.callID(m.scratch[:0]))
		}
		if q.FromTag == nil {
			q.FromTag = s.Copy(m.ids.tag(m.scratch[:0], &m.tag))
		}
		id.Index = edit.CoreHash(q.CallID, strconv.AppendUint(m.scratch[:0], uint64(q.CSeq), 10), tableSize)
	}, func(c *route.Ctx) {
		err = m.sendLocal(c, &q, id)
		if returned && err != nil { // the caller has gone on
			late(&q, id, err)
		}
	})
	returned = true
	return id, err
}

func isToken(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == ':' || c == '/' || c == ',' || c == ';' {
			return false
		}
	}
	return len(b) > 0
}

// sendLocal resolves, builds, runs the event route, and sends. It may wait for a name.
func (m *mod) sendLocal(c *route.Ctx, q *modules.UACRequest, id modules.TransactionID) error {
	target, err := m.h.Proc.URITarget(q.NextHop)
	if err != nil {
		return err
	}
	d, err := c.Resolve(target, q.Socket)
	if err != nil {
		return err
	}
	if err := c.SetDstURI(q.NextHop); err != nil {
		return err
	}
	var md5 [32]byte
	copy(md5[:], "00000000000000000000000000000000")
	hex.Encode(md5[:8], binary.BigEndian.AppendUint32(nil, sum(q.FromTag)^id.Label*2654435761))
	branch := c.Scratch.Keep(edit.AppendBranch(c.Scratch.Tail(64), id.Index, md5[:], 0))
	c.Recv = route.Recv{Src: d.Sock.Addr, Dst: d.Sock.Addr, Sock: d.Sock, Proto: d.Proto, Time: c.P.Host.Now()}
	via := c.Via(&d, branch)
	b := m.appendLocal(c.P.Host.Buffer(), q, &via)
	if b = c.Scratch.Copy(b); b == nil {
		return route.ErrNoMemory
	}
	if c.Msg.Parse(b) != sipparse.OK || c.Msg.Complete() != sipparse.OK {
		return route.ErrBuild
	}
	if m.onLocalRequest != nil {
		if b, err = m.localRequest(c, &d, branch); err != nil {
			return err
		}
	}
	return m.startLocal(c, q, id, md5, &d, b)
}

// appendLocal builds the request in Kamailio's order.
func (m *mod) appendLocal(dst []byte, q *modules.UACRequest, via *edit.ViaOpts) []byte {
	dst = append(append(append(append(dst, q.Method...), ' '), q.URI...), " SIP/2.0\r\n"...)
	dst = edit.AppendVia(dst, via)
	dst = append(append(append(dst, "To: "...), q.To...), "\r\nFrom: "...)
	dst = append(append(append(dst, q.From...), ";tag="...), q.FromTag...)
	dst = append(strconv.AppendUint(append(dst, "\r\nCSeq: "...), uint64(q.CSeq), 10), ' ')
	dst = append(append(append(append(dst, q.Method...), "\r\nCall-ID: "...), q.CallID...), "\r\n"...)
	if !hasLine(q.Headers, "max-forwards:") {
		dst = append(dst, "Max-Forwards: 70\r\n"...)
	}
	dst = append(strconv.AppendInt(append(dst, "Content-Length: "...), int64(len(q.Body)), 10), "\r\n"...)
	dst = m.appendUserAgent(dst)
	dst = append(append(dst, q.Headers...), "\r\n"...)
	return append(dst, q.Body...)
}

func (m *mod) appendUserAgent(dst []byte) []byte {
	if p := &m.h.Par; p.ServerSignature && len(p.UserAgentHeader) > 0 {
		dst = append(append(dst, p.UserAgentHeader...), "\r\n"...)
	}
	return dst
}

// hasLine says whether one of the lines begins with the name, which is in small letters and has its colon.
func hasLine(lines []byte, name string) bool {
	for len(lines) > 0 {
		n := 0
		for n < len(name) && n < len(lines) && lines[n]|0x20 == name[n]|0x20 {
			n++
		}
		if n == len(name) {
			return true
		}
		for len(lines) > 0 && lines[0] != '\n' {
			lines = lines[1:]
		}
		if len(lines) > 0 {
			lines = lines[1:]
		}
	}
	return false
}

// localRequest runs event_route[tm:local-request] and builds the request anew when the route has changed something; d changes with $du and $fs.
func (m *mod) localRequest(c *route.Ctx, d *route.Dest, branch []byte) ([]byte, error) {
	c.Main.ForceSock = d.Sock
	c.URIFresh = false
	oldDst := string(c.DstURI)
	c.Send = d
	c.SendBuf = c.Msg.Buf
	_, flow := c.RunTop(m.onLocalRequest, route.InLocal)
	c.Send, c.SendBuf = nil, nil
	if flow&route.FlowDrop != 0 {
		return nil, route.ErrDropped
	}
	if string(c.DstURI) != oldDst || c.Main.ForceSock != d.Sock {
		target, err := c.NextHop()
		if err != nil {
			return nil, err
		}
		to, err := c.Resolve(target, c.Main.ForceSock)
		if err != nil {
			return nil, err
		}
		*d = to
		v, _ := c.Msg.Via1()
		h := &c.Msg.Hdrs[v.Hdr]
		via := c.Via(d, branch)
		c.Edits.Replace(h.Off, h.End-h.Off, c.Scratch.Copy(edit.AppendVia(m.scratch[:0], &via)), sipparse.HdrVia)
	}
	if c.Edits.Empty() && c.NewURI == nil {
		return c.Msg.Buf, nil
	}
	b, e := edit.AppendChanged(c.P.Host.Buffer(), &c.Msg, &c.Edits, c.NewURI)
	if e != sipparse.OK {
		return nil, route.ErrBuild
	}
	if b = c.Scratch.Copy(b); b == nil {
		return nil, route.ErrNoMemory
	}
	return b, nil
}

// startLocal makes the transaction of a built request and sends it.
func (m *mod) startLocal(c *route.Ctx, q *modules.UACRequest, id modules.TransactionID, md5 [32]byte, d *route.Dest, buf []byte) error {
	msg := &m.parsed
	if msg.Parse(buf) != sipparse.OK {
		return route.ErrBuild
	}
	method, invite := msg.Line.Method, msg.Line.Method == sipparse.INVITE
	var flags uint32 = flagLocal
	if to, e := msg.To(); e == sipparse.OK && to.Tag.Len > 0 {
		flags |= flagInDialog
	}
	callID := toSpan(msg.First(sipparse.HdrCallID).Body)
	cs, _ := msg.CSeq()
	cseq := toSpan(cs.NumText)
	from, _ := msg.From()
	fromTag := toSpan(from.Tag)
	msg.Buf = nil
	o, err := m.alloc(flags, int(cellSize), m.tagCell)
	if err != nil {
		return err
	}
	clear(m.a.Bytes(o)[:cellSize])
	t := m.cell(o)
	bo, err := m.alloc(flags, int(branchSize)+len(buf), m.tagBranch)
	if err != nil {
		m.a.Free(o)
		return err
	}
	block := m.a.Bytes(bo)
	clear(block[:branchSize])
	copy(block[branchSize:], buf)
	b := m.branch(bo)
	b.cell, b.to, b.bufLen, b.uri, b.flags = o, toDest(d), uint32(len(buf)), ruriSpan(buf), brUnsent
	if d.Proto != sipparse.UDP {
		b.flags |= brStream
	}
	if invite {
		flags |= flagInvite
	}
	flags |= uint32(c.Ext[extLocal])
	if q.NoACK {
		flags |= flagNoAutoACK
	}
	if q.Provisional || m.par.passProvisional != 0 {
		flags |= flagProvisional
	}
	t.flags, t.hash, t.label, t.method, t.md5 = flags, id.Index, id.Label, uint32(method), md5
	t.first, t.last, t.n = bo, bo, 1
	t.callID, t.cseq, t.fromTag, t.ruri = callID, cseq, fromTag, b.uri
	t.src, t.dst = toAddr(c.Recv.Src), toAddr(c.Recv.Dst)
	t.sock, t.proto, t.up = int16(d.Sock.Index), uint8(d.Proto), toDest(d)
	m.times(t, c)
	if q.FR != 0 {
		t.fr, t.frInv = q.FR, q.FR
	}
	t.picked, t.replyFrom = -1, -1
	t.onReply, t.msgFlags = c.Armed[armReply], c.Flags
	if q.Reply != "" {
		m.scratch = append(append(append(m.scratch[:0], byte(len(q.Reply))), q.Reply...), q.Param...)
		err = m.storeOf(flags, &t.state, &t.stateLen, m.scratch, m.tagState)
	}
	if err == nil && c.AVPs.Len() > 0 {
		m.scratch = c.AVPs.AppendBinary(m.scratch[:0])
		err = m.storeOf(flags, &t.avps, &t.avpsLen, m.scratch, m.tagState)
	}
	if err != nil {
		m.discard(o, t)
		return err
	}
	t.script = m.worker()
	t.ref = 2 // the table's and ours
	m.table.Lock(m.a, int(t.hash))
	m.table.Insert(m.a, int(t.hash), o)
	m.table.Unlock(m.a, int(t.hash))
	m.h.Count(m.stats.created)
	m.h.Count(m.stats.uac)
	m.startBranch(o, t, bo, b)
	t.flags |= flagRelayed
	err = m.h.Host.Send(*d, m.buffer(bo, b))
	t.script = 0
	if err != nil {
		m.h.Logf(log.Err, "tm", "local %s to %s: %v", q.Method, d.Addr, err)
		err = route.ErrSendFailed
		m.a.Lock(&t.mu)
		m.disarm(o, t, bo+shm.Off(branchOff))
		b.status = 477
		b.flags |= brFaked
		t.flags |= flagDone
		m.a.Unlock(&t.mu)
		m.unlink(o, t)
	}
	m.unref(o, t)
	return err
}

// carriedTo is the name of what is told of a local transaction's reply, with its parameter.
func (m *mod) carriedTo(t *cell) (name, param []byte) {
	if t.state == 0 {
		return nil, nil
	}
	b := m.a.Bytes(t.state)[:t.stateLen]
	n := 1 + int(b[0])
	return b[1:n], b[n:]
}

// CancelRequest is modules.UAC.
func (m *mod) CancelRequest(id modules.TransactionID) bool {
	o := m.byID(id.Index, id.Label)
	if o == 0 {
		return false
	}
	t := m.cell(o)
	defer m.unref(o, t)
	if t.flags&flagLocal == 0 || t.flags&flagInvite == 0 || t.flags&flagDone != 0 {
		return false
	}
	m.a.Lock(&t.mu)
	t.flags |= flagCanceled
	m.a.Unlock(&t.mu)
	return m.cancelBranches(m.h.Proc, o, t, nil) > 0
}
