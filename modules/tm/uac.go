package tm

import (
	"errors"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

var (
	errNoTransaction = errors.New("there is no transaction")
	errOwnRequest    = errors.New("a request of our own gets its transaction behind event_route[tm:local-request]")
	errCanceled      = errors.New("the transaction is cancelled")
	errNoBranch      = errors.New("no branch to send to")
	errDropped       = errors.New("dropped by branch_route")
	errBadRequest    = errors.New("a line of the request is no header field")
	errLongAttrs     = errors.New("ruid, user agent or instance of over 255 bytes, or destination or path of over 64 kB")
)

// forward adds a branch for the R-URI, if it was not used yet, and for each additional branch, then sends them (t_forward_nonack).
// forced is a destination given by the caller, nil: $du or the R-URI. It returns > 0, or a negative code with the error recorded.
func (m *mod) forward(c *route.Ctx, t *cell, forced *route.Target) int {
	o := c.Trans
	if t.flags&flagCanceled != 0 {
		m.failed(c, errCanceled)
		return -6
	}
	if t.flags&flagDone != 0 {
		m.failed(c, errNoBranch)
		return -1
	}
	if t.state == 0 || c.Kind&route.InFailure != 0 {
		if err := m.saveState(c, t); err != nil {
			refused(c, "t_relay", err)
			return -1
		}
	} else if c.Kind&route.InRequest != 0 { // the state is t_save_lumps'
		t.msgFlags = c.Flags
		if err := m.saveAVPs(c, t); err != nil {
			refused(c, "t_relay", err)
			return -1
		}
	}
	first := int(t.n)
	var last error = errNoBranch
	added := 0
	if c.URIFresh {
		if err := m.addBranch(c, o, t, c.RURI(), c.DstURI, c.Path, &c.Main, forced); err != nil {
			last = err
		} else {
			added++
		}
		c.URIFresh = false
	}
	if len(c.Branches) > 0 {
		// the branch route may change c.Branches: the list that counts is this one
		list := c.Branches
		c.Branches = nil
		for i := range list {
			b := &list[i]
			if err := m.addBranch(c, o, t, b.URI, b.DstURI, b.Path, &b.BranchAttrs, forced); err != nil {
				last = err
				c.Logf(severity(err), "tm", "branch to %s can not be added: %v", b.URI, err)
			} else {
				added++
			}
		}
		c.Branches = list[:0]
	}
	if added == 0 {
		m.failed(c, last)
		c.Logf(severity(last), "tm", "no branch could be added: %v", last)
		return -1
	}
	if err := m.overtaken(t); err != nil {
		m.failed(c, err)
		return -6
	}
	if first > 0 && c.Kind&route.InFailure != 0 {
		m.a.Lock(&t.mu)
		t.flags &^= flag6xx // it ended the branches before these
		if m.par.failureMode == 3 {
			t.legFrom = uint8(first) // a new leg: the replies so far count no more
		}
		m.a.Unlock(&t.mu)
	}
	sent := 0
	for i := first; i < int(t.n); i++ {
		bo, b := m.branchAt(t, i)
		if b == nil || b.flags&brUnsent == 0 {
			continue
		}
		if m.sendBranch(c, o, t, bo, b) {
			sent++
		} else if m.mayFailOver(c.P, t, bo, b, 477) {
			m.nextBranch(c, o, t, bo, b) // this loop comes to it
		} else if m.par.failureExecMode != 0 {
			m.holdBranch(o, t, bo, b)
			sent++
		}
	}
	if sent == 0 {
		m.failed(c, route.ErrSendFailed)
		return -1
	}
	t.flags |= flagRelayed
	t.onBranch = 0 // armed for these branches only; a failure route arms its own
	c.Armed[armBranch] = 0
	return 1
}

// overtaken says whether the transaction has ended or was cancelled while its branches were added, which may take a while when names are resolved. The
// branches are not sent then, and do not count.
func (m *mod) overtaken(t *cell) (err error) {
	m.a.Lock(&t.mu)
	defer m.a.Unlock(&t.mu)
	switch {
	case t.flags&flagCanceled != 0:
		err = errCanceled
	case t.flags&flagDone != 0:
		err = errNoBranch
	default:
		return nil
	}
	for bo := t.first; bo != 0; bo = m.branch(bo).next {
		if b := m.branch(bo); b.flags&brUnsent != 0 {
			b.flags |= brDropped
		}
	}
	return err
}

// failed records what sl_reply_error and the delayed reply tell.
func (m *mod) failed(c *route.Ctx, err error) {
	c.Failed(err)
	switch {
	case errors.Is(err, errDropped):
		c.Err.Number = 6 // Kamailio's E_CFG
	case errors.Is(err, errCanceled):
		c.SetError(487, "Transaction canceled")
	}
}

// mayDip are the flags for alloc: a new request leaves the reserve alone, what its failure route sends on later does not.
func mayDip(c *route.Ctx, t *cell) uint32 {
	if c.Kind&(route.InFailure|route.InBranchFailure) != 0 {
		return t.flags | flagInDialog
	}
	return t.flags
}

// saveState keeps what later routes of the transaction need of the message: flags always; edits, URIs and attributes when a route or a
// hook may run. A new request for which there is no memory is not relayed: its failure route would run without what the script has set.
func (m *mod) saveState(c *route.Ctx, t *cell) error {
	t.msgFlags = c.Flags
	if t.onFailure|t.onReply|t.onBranch|t.onBranchFailure == 0 && !m.wanted(t, c.Flags) && c.AVPs.Len() == 0 && c.Edits.Empty() {
		return nil
	}
	m.scratch = c.AppendState(m.scratch[:0])
	if err := m.storeOf(mayDip(c, t), &t.state, &t.stateLen, m.scratch, m.tagState); err != nil {
		return err
	}
	return m.saveAVPs(c, t)
}

// tSaveLumps is t_save_lumps.
func (m *mod) tSaveLumps(c *route.Ctx, _ *route.Args) int {
	t := m.lookup(c)
	if t == nil || c.TransState != stateNew {
		c.Logf(log.Err, "tm", "t_save_lumps: there is no transaction")
		return -1
	}
	m.scratch = c.AppendState(m.scratch[:0])
	if err := m.storeOf(t.flags, &t.state, &t.stateLen, m.scratch, m.tagState); err != nil {
		refused(c, "t_save_lumps", err)
		return -1
	}
	return 1
}

// saveAVPs keeps the attributes when they changed.
func (m *mod) saveAVPs(c *route.Ctx, t *cell) error {
	if !c.AVPs.Modified {
		return nil
	}
	c.AVPs.Modified = false
	m.scratch = c.AVPs.AppendBinary(m.scratch[:0])
	return m.storeOf(mayDip(c, t), &t.avps, &t.avpsLen, m.scratch, m.tagState)
}

// view is what a branch's route and building see of the message in the place of what the script has set.
type view struct {
	newURI, dstURI, path []byte
	main                 route.BranchAttrs
	rr                   route.RecordRoute
}

// change puts the branch's in the place of the script's. Inlined, its copies would be part of the stack that waits.
//
//go:noinline
func (v *view) change(c *route.Ctx, uri, dstURI, path []byte, attrs *route.BranchAttrs) {
	v.newURI, v.dstURI, v.path = c.NewURI, c.DstURI, c.Path
	v.main = c.Main
	v.rr = c.RR
	c.Main = *attrs
	c.DstURI, c.Path = dstURI, path
	c.UseRURI(uri)
}

//go:noinline
func (v *view) restore(c *route.Ctx) {
	c.DstURI, c.Path = v.dstURI, v.path
	c.Main = v.main
	c.RR = v.rr
	c.UseRURI(v.newURI)
}

// addBranch resolves, runs the branch route, builds the request as it will leave, and hangs it on the transaction, unsent. A script may wait in the branch route and
// for a name, so what is built is built in functions of their own: their frames are not part of the stack that waits.
func (m *mod) addBranch(c *route.Ctx, o shm.Off, t *cell, uri, dstURI, path []byte, attrs *route.BranchAttrs, forced *route.Target) error {
	index := int(t.n)
	if index >= c.P.Par.MaxBranches {
		c.Logf(log.Err, "tm", "max_branches (%d) reached", c.P.Par.MaxBranches)
		return errNoBranch
	}
	var old view
	old.change(c, uri, dstURI, path, attrs)
	var saved *edit.List
	dropped := false
	if t.onBranch != 0 {
		if r := c.P.Prog.ByID(t.onBranch); r != nil {
			saved = m.edits(c)
			oldBranch := c.TransBranch
			c.TransBranch = index
			code, flow := c.RunTop(r, route.InBranch)
			c.TransBranch = oldBranch
			dropped = flow&route.FlowDrop != 0 && code == 0
		}
	}
	err := errDropped
	if !dropped {
		err = m.resolveBranch(c, o, t, index, forced)
	}
	if saved != nil {
		c.Edits.CopyFrom(saved)
		m.giveEdits(saved)
	}
	old.restore(c)
	return err
}

// resolveBranch finds where the branch goes, which may take a while, and builds it.
func (m *mod) resolveBranch(c *route.Ctx, o shm.Off, t *cell, index int, forced *route.Target) error {
	var target route.Target
	var err error
	if forced != nil {
		target = *forced
	} else if target, err = c.NextHop(); err != nil {
		return err
	}
	d, err := c.Resolve(target, c.Main.ForceSock)
	if err != nil {
		return err
	}
	d.Flags, d.Conn = c.FwdFlags, c.Main.OTCPID
	if err := m.hangBranch(c, o, t, index, &d); err != nil {
		return err
	}
	if forced != nil {
		_, b := m.branchAt(t, index)
		b.flags |= brForced
	}
	return nil
}

// hangBranch builds the request as it leaves to d and hangs it on the transaction.
//
//go:noinline
func (m *mod) hangBranch(c *route.Ctx, o shm.Off, t *cell, index int, d *route.Dest) error {
	id := edit.AppendBranch(c.Scratch.Tail(64), t.hash, t.md5[:], uint32(index))
	id = c.Scratch.Keep(id)
	buf, err := c.AppendRequest(c.P.Host.Buffer(), d, c.NewURI, c.Path, id)
	if err != nil {
		return err
	}
	bo, err := m.alloc(mayDip(c, t), int(branchSize)+len(buf), m.tagBranch)
	if err != nil {
		return err
	}
	block := m.a.Bytes(bo)
	clear(block[:branchSize])
	copy(block[branchSize:], buf)
	b := m.branch(bo)
	b.cell, b.to, b.bufLen = o, toDest(d), uint32(len(buf))
	b.flags, b.bflags, b.otcp = brUnsent, c.Main.Flags, c.Main.OTCPID
	b.uri, b.onFailure = ruriSpan(buf), t.onBranchFailure
	if d.Proto != sipparse.UDP {
		b.flags |= brStream
	}
	if err := m.saveAttrs(c, t, b); err != nil {
		m.a.Free(bo)
		return err
	}
	m.hang(t, bo, b)
	return nil
}

// hang puts a branch behind the others.
func (m *mod) hang(t *cell, bo shm.Off, b *branch) {
	m.a.Lock(&t.mu)
	b.index = t.n
	if t.last == 0 {
		t.first = bo
	} else {
		m.branch(t.last).next = bo
	}
	t.last = bo
	t.n++
	m.a.Unlock(&t.mu)
}

// edits and giveEdits keep a pool of lists for what a branch route may change.
func (m *mod) edits(c *route.Ctx) *edit.List {
	var l *edit.List
	if n := len(m.spare); n > 0 {
		l = m.spare[n-1]
		m.spare = m.spare[:n-1]
	} else {
		l = new(edit.List)
	}
	l.CopyFrom(&c.Edits)
	return l
}

func (m *mod) giveEdits(l *edit.List) { m.spare = append(m.spare, l) }

// ruriSpan is where the R-URI stands in a built request.
func ruriSpan(b []byte) span {
	i := 0
	for i < len(b) && b[i] != ' ' {
		i++
	}
	j := i + 1
	for j < len(b) && b[j] != ' ' {
		j++
	}
	return span{uint32(i + 1), uint32(max(0, j-i-1))}
}

// saveAttrs keeps the branch's texts that later routes may ask for.
func (m *mod) saveAttrs(c *route.Ctx, t *cell, b *branch) error {
	a := &c.Main
	if len(a.RUID)+len(a.LocationUA)+len(a.Instance)+len(c.DstURI)+len(c.Path) == 0 {
		return nil
	}
	if len(a.RUID) > 255 || len(a.LocationUA) > 255 || len(a.Instance) > 255 || len(c.DstURI) > 0xffff || len(c.Path) > 0xffff {
		return errLongAttrs
	}
	m.scratch = append(append(append(append(append(m.scratch[:0], a.RUID...), a.LocationUA...), a.Instance...), c.DstURI...), c.Path...)
	b.ruidLen, b.uaLen, b.instLen = uint8(len(a.RUID)), uint8(len(a.LocationUA)), uint8(len(a.Instance))
	b.dstLen, b.pathLen = uint16(len(c.DstURI)), uint16(len(c.Path))
	var n uint32
	return m.storeOf(mayDip(c, t), &b.attrs, &n, m.scratch, m.tagBranch)
}

// texts are what saveAttrs kept.
func (m *mod) texts(b *branch) (ruid, ua, instance, dst, path []byte) {
	if b.attrs == 0 {
		return
	}
	x := m.a.Bytes(b.attrs)
	take := func(n int) []byte { y := x[:n]; x = x[n:]; return y }
	return take(int(b.ruidLen)), take(int(b.uaLen)), take(int(b.instLen)), take(int(b.dstLen)), take(int(b.pathLen))
}

// sendBranch sends a new branch and starts its timers.
func (m *mod) sendBranch(c *route.Ctx, o shm.Off, t *cell, bo shm.Off, b *branch) bool {
	d := b.to.get(c.P.Net)
	m.startBranch(o, t, bo, b)
	err := c.SendRequest(d, m.buffer(bo, b))
	if err == nil {
		c.P.Count(c.P.Stat.FwdRequests)
		return true
	}
	c.Logf(severity(err), "tm", "branch %d to %s: %v", b.index, d.Addr, err)
	if t.flags&flagInvite != 0 && errors.Is(err, route.ErrSendFailed) && !errors.Is(err, route.ErrBlocked) {
		c.P.Block(route.Place{Addr: d.Addr, Proto: d.Proto}, route.BlockSend)
	}
	m.a.Lock(&t.mu)
	b.status = 503 // as if the next hop had said so
	b.flags |= brFaked
	m.disarm(o, t, bo+shm.Off(branchOff))
	m.a.Unlock(&t.mu)
	return false
}

// holdBranch makes a branch that could not be sent one that nobody answers (failure_exec_mode).
func (m *mod) holdBranch(o shm.Off, t *cell, bo shm.Off, b *branch) {
	m.a.Lock(&t.mu)
	b.status = 0
	b.flags = b.flags&^brFaked | brStream // it is not repeated
	m.a.Unlock(&t.mu)
	m.startBranch(o, t, bo, b)
}

// held leaves a branch whose request was lost behind Send to its timer, without repetition, with failure_exec_mode and when no other address is to be tried; false: it ends.
func (m *mod) held(t *cell, bo shm.Off, b *branch) bool {
	if m.par.failureExecMode == 0 || t.flags&flagLocal != 0 {
		return false
	}
	m.a.Lock(&t.mu)
	defer m.a.Unlock(&t.mu)
	b.flags |= brFaked // as it will be if it ends now
	next := m.mayFailOver(m.h.Proc, t, bo, b, 477)
	b.flags &^= brFaked
	if next || b.status != 0 {
		return false
	}
	b.flags |= brStream // it is not repeated
	return true
}

// startBranch starts the timers of a branch that is about to be sent.
func (m *mod) startBranch(o shm.Off, t *cell, bo shm.Off, b *branch) {
	now := m.h.Host.Ticks()
	m.a.Lock(&t.mu)
	b.flags &^= brUnsent
	b.retr = t.retr1
	b.fr = now + ticks(t.fr)
	if t.endOfLife != 0 {
		b.fr = min(b.fr, t.endOfLife)
	}
	b.nextRetr = now + ticks(b.retr)
	next := b.fr
	if b.flags&brStream == 0 {
		next = min(next, b.nextRetr)
	}
	m.arm(o, t, bo+shm.Off(branchOff), next, kindBranch)
	m.a.Unlock(&t.mu)
}

// resend sends a branch's request again.
func (m *mod) resend(bo shm.Off, b *branch) {
	d := b.to.get(m.h.Net)
	if err := m.h.Host.Send(d, m.buffer(bo, b)); err != nil {
		m.h.Logf(log.Err, "tm", "retransmission to %s: %v", d.Addr, err)
	}
}

// sendFailed ends the branch whose request could not be sent although Send had taken it: a connection that was refused.
func (m *mod) sendFailed(b []byte) {
	msg := &m.lost
	if msg.Parse(b) != sipparse.OK || msg.Line.IsReply {
		return
	}
	switch msg.Line.Method {
	case sipparse.CANCEL, sipparse.ACK:
		msg.Buf = nil
		return
	}
	o, i, ok := m.findReply(msg)
	msg.Buf = nil
	if !ok {
		return
	}
	t := m.cell(o)
	if bo, br := m.branchAt(t, i); br != nil {
		m.h.Proc.Block(route.Place{Addr: br.to.addr.get(), Proto: sipparse.Proto(br.to.proto)}, route.BlockConnect)
		if !m.held(t, bo, br) {
			m.fakeReply(m.h.Proc, o, t, bo, br, 477)
		}
	}
	m.unref(o, t)
}
