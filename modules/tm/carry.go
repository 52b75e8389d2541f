package tm

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
)

// An upgrade to a binary that lays transactions out differently carries them over in a neutral form: a gob stream of one carriedHead and then one
// carriedTransaction each. Gob names fields, so one that is added or dropped does no harm; a flag or a state that changes its number, or another encoding of
// State and AVPs (route.Ctx.AppendState), is a new form. Ticks are those of the reactor's clock, which an upgrade keeps, as it keeps connections, listeners, slots and wheels.

var _ modules.Carrier = (*mod)(nil)

type carriedHead struct {
	Label uint32 // of the next transaction
	Count int    // of the transactions that follow
}

type carriedTransaction struct {
	Request                                                  []byte
	Flags, Hash, Label, Method, ViaSum                       uint32
	Status                                                   uint16
	Picked, ReplyFrom                                        int8
	LegFrom                                                  uint8
	ViaBranch, ViaHost, ViaPort, CallID, CSeq, FromTag, RURI carriedSpan // in Request
	MD5                                                      []byte
	State, AVPs, Reply                                       []byte
	MsgFlags                                                 uint32
	Src, Dst                                                 netip.AddrPort
	Sock                                                     int16
	Proto                                                    uint8
	Conn                                                     uint32
	Up                                                       carriedDest
	OnFailure, OnReply, OnBranch, OnBranchFailure            string // names of blocks
	FR, FRInv, Retr1, Retr2, UASRetr                         uint32 // ms
	UASUntil, EndOfLife, Born                                uint64 // ticks
	VBFlags                                                  uint32 // of tmx
	Script, Failing, Faker, Fakes                            uint32 // marks of scripts: slot + 1, and a count
	Timer                                                    carriedTimer
	Branches                                                 []carriedBranch
}

type carriedBranch struct {
	Sent                      []byte // the request as it left
	To                        carriedDest
	Status                    uint16
	Flags, Retr, CancelRetr   uint32
	FR, NextRetr, CancelUntil uint64
	URI                       carriedSpan // in Sent
	Reply, Cancel             []byte
	BFlags, OTCP              uint32
	RUID, UserAgent, Instance []byte
	DstURI, Path              []byte
	Replier, Replies, Failing uint32
	OnFailure                 string // name of its branch-failure route
	Timer, CancelTimer        carriedTimer
}

type carriedSpan struct{ Off, Len uint32 }

type carriedDest struct {
	Addr         netip.AddrPort
	Conn         uint32
	Sock         int16
	Proto, Flags uint8
}

// carriedTimer is an armed timer, one whose handler a process has died in, both, or nothing.
type carriedTimer struct {
	Wheel   uint64 // offset of the wheel that it stands on
	Expires uint64 // tick
	Firing  uint64 // offset of the wheel whose process died in its handler
	Deaths  int    // of processes before that one
}

// leaver is what Export must know of the wheels.
type leaver struct {
	m      *mod
	firing map[shm.Off]carriedTimer // by timer
}

func (m *mod) newLeaver() leaver {
	l := leaver{m, map[shm.Off]carriedTimer{}}
	for _, w := range m.a.Wheels() {
		if o, _, deaths, ok := w.Interrupted(m.a); ok {
			l.firing[o] = carriedTimer{Firing: uint64(w.Off()), Deaths: deaths}
		}
	}
	return l
}

func (l *leaver) timer(o shm.Off) carriedTimer {
	x := l.firing[o]
	t := shm.Ref[shm.Timer]{Off: o}.Get(l.m.a)
	if on := t.On(); on != 0 {
		x.Wheel, x.Expires = uint64(on), t.Expires()
	}
	return x
}

var errCarried = errors.New("carried transaction is broken")

// Form, Reads, Roots, Export, Import and Drop are modules.Carrier.
func (m *mod) Form() string { return carryForm }

func (m *mod) Reads(form string) bool { return form == carryForm }

func (m *mod) Roots() []string { return []string{rootName} }

func (m *mod) Export(w io.Writer) error {
	l := m.newLeaver() // first, as it repairs the wheels
	b := bufio.NewWriter(w)
	e := gob.NewEncoder(b)
	if err := e.Encode(carriedHead{Label: m.root.Label, Count: m.table.Count(m.a)}); err != nil {
		return err
	}
	err := m.eachCell(func(o shm.Off, t *cell) error { return e.Encode(l.transaction(o, t)) })
	return errors.Join(err, b.Flush())
}

// eachCell calls f for every transaction; f may unlink it.
func (m *mod) eachCell(f func(o shm.Off, t *cell) error) error {
	for i := range m.table.Size() {
		m.table.Lock(m.a, i) // repairs what a process left that died in it
		for o := m.table.First(m.a, i); o != 0; {
			next := m.table.Next(m.a, o)
			if err := f(o, m.cell(o)); err != nil {
				m.table.Unlock(m.a, i)
				return err
			}
			o = next
		}
		m.table.Unlock(m.a, i)
	}
	return nil
}

// transaction describes one; its slices lie in shared memory.
func (l *leaver) transaction(o shm.Off, t *cell) *carriedTransaction {
	m := l.m
	x := &carriedTransaction{
		Request: m.received(o, t), Flags: t.flags, Hash: t.hash, Label: t.label, Method: t.method, ViaSum: t.viaSum, Status: t.status, Picked: t.picked,
		ReplyFrom: t.replyFrom, LegFrom: t.legFrom, ViaBranch: t.viaBranch.carry(), ViaHost: t.viaHost.carry(), ViaPort: t.viaPort.carry(),
		CallID: t.callID.carry(), CSeq: t.cseq.carry(), FromTag: t.fromTag.carry(), RURI: t.ruri.carry(), MD5: t.md5[:],
		State: m.bytes(t.state, t.stateLen), AVPs: m.bytes(t.avps, t.avpsLen), Reply: m.bytes(t.reply, t.replyLen), MsgFlags: t.msgFlags,
		Src: t.src.get(), Dst: t.dst.get(), Sock: t.sock, Proto: t.proto, Conn: t.conn, Up: t.up.carry(),
		OnFailure: m.blockName(t.onFailure), OnReply: m.blockName(t.onReply), OnBranch: m.blockName(t.onBranch), OnBranchFailure: m.blockName(t.onBranchFailure),
		FR: t.fr, FRInv: t.frInv, Retr1: t.retr1, Retr2: t.retr2, UASRetr: t.uasRetr, UASUntil: t.uasUntil, EndOfLife: t.endOfLife, Born: t.born,
		Script: t.script, Failing: t.failing, Faker: t.faker, Fakes: t.fakes, VBFlags: t.vbflags, Timer: l.timer(o + shm.Off(timerOff)),
	}
	for bo := t.first; bo != 0; bo = m.branch(bo).next {
		b := m.branch(bo)
		y := carriedBranch{
			Sent: m.buffer(bo, b), To: b.to.carry(), Status: b.status, Flags: b.flags, Retr: b.retr, CancelRetr: b.cancelRetr, FR: b.fr, NextRetr: b.nextRetr,
			CancelUntil: b.cancelUntil, URI: b.uri.carry(), Reply: m.bytes(b.reply, b.replyLen), Cancel: m.bytes(b.cancel, b.cancelLen), BFlags: b.bflags,
			OTCP: b.otcp, Replier: b.replier, Replies: b.replies, Failing: b.failing, OnFailure: m.blockName(b.onFailure), Timer: l.timer(bo + shm.Off(branchOff)), CancelTimer: l.timer(bo + shm.Off(cancelOff)),
		}
		y.RUID, y.UserAgent, y.Instance, y.DstURI, y.Path = m.texts(b)
		x.Branches = append(x.Branches, y)
	}
	return x
}

func (m *mod) bytes(o shm.Off, n uint32) []byte {
	if o == 0 {
		return nil
	}
	return m.a.Bytes(o)[:n]
}

func (s span) carry() carriedSpan { return carriedSpan{s.off, s.n} }

func (d *dest) carry() carriedDest {
	return carriedDest{Addr: d.addr.get(), Conn: d.conn, Sock: d.sock, Proto: d.proto, Flags: d.flags}
}

func (d *carriedDest) dest() dest {
	return dest{addr: toAddr(d.Addr), conn: d.Conn, sock: d.Sock, proto: d.Proto, flags: d.Flags}
}

// blockName is the name of an armed block, "" if none is, or if the configuration has none of that ID any more.
func (m *mod) blockName(id uint64) string {
	r := m.h.Prog.ByID(id)
	switch {
	case r == nil:
		return ""
	case route.RouteID(r.Kind, r.Name) != id: // the block without a name
		return "0"
	}
	return r.Name
}

func blockID(kind route.Mask, name string) uint64 {
	if name == "" {
		return 0
	}
	return route.RouteID(kind, name)
}

func (m *mod) Import(r io.Reader) error {
	d := gob.NewDecoder(bufio.NewReader(r))
	var head carriedHead
	if err := d.Decode(&head); err != nil {
		return fmt.Errorf("carried transactions: %w", err)
	}
	for i := range head.Count {
		var x carriedTransaction // gob leaves out what is zero
		err := d.Decode(&x)
		if err == nil {
			err = m.carryIn(&x)
		}
		if err != nil {
			return fmt.Errorf("carried transaction %d of %d: %w", i+1, head.Count, err)
		}
	}
	m.root.Label = head.Label
	return nil
}

// carryIn makes a transaction of its description.
func (m *mod) carryIn(x *carriedTransaction) (err error) {
	if x.Hash >= uint32(m.table.Size()) || len(x.MD5) != len(cell{}.md5) || len(x.Branches) > 255 {
		return errCarried
	}
	o, err := m.a.Alloc(int(cellSize)+len(x.Request), m.tagCell)
	if err != nil {
		return err
	}
	block := m.a.Bytes(o)
	clear(block[:cellSize])
	copy(block[cellSize:], x.Request)
	t := m.cell(o)
	request := x.Request
	if x.Flags&flagLocal != 0 && len(x.Branches) > 0 {
		request = x.Branches[0].Sent
	}
	defer func() {
		if err != nil {
			m.discard(o, t)
		}
	}()
	t.reqLen, t.flags, t.hash, t.label, t.method, t.viaSum = uint32(len(x.Request)), x.Flags, x.Hash, x.Label, x.Method, x.ViaSum
	t.status, t.picked, t.replyFrom, t.legFrom, t.msgFlags = x.Status, x.Picked, x.ReplyFrom, x.LegFrom, x.MsgFlags
	for _, s := range [...]struct {
		to   *span
		from carriedSpan
	}{{&t.viaBranch, x.ViaBranch}, {&t.viaHost, x.ViaHost}, {&t.viaPort, x.ViaPort}, {&t.callID, x.CallID}, {&t.cseq, x.CSeq}, {&t.fromTag, x.FromTag}, {&t.ruri, x.RURI}} {
		if *s.to, err = s.from.in(request); err != nil {
			return err
		}
	}
	copy(t.md5[:], x.MD5)
	t.src, t.dst, t.sock, t.proto, t.conn, t.up = toAddr(x.Src), toAddr(x.Dst), x.Sock, x.Proto, x.Conn, x.Up.dest()
	t.onFailure, t.onReply = blockID(route.InFailure, x.OnFailure), blockID(route.InOnReply, x.OnReply)
	t.onBranch, t.onBranchFailure = blockID(route.InBranch, x.OnBranch), blockID(route.InEvent, x.OnBranchFailure)
	t.fr, t.frInv, t.retr1, t.retr2, t.uasRetr = x.FR, x.FRInv, x.Retr1, x.Retr2, x.UASRetr
	t.uasUntil, t.endOfLife, t.born, t.script, t.failing = x.UASUntil, x.EndOfLife, x.Born, x.Script, x.Failing
	t.faker, t.fakes, t.vbflags = x.Faker, x.Fakes, x.VBFlags
	for _, s := range [...]struct {
		at  *shm.Off
		n   *uint32
		b   []byte
		tag shm.Tag
	}{{&t.state, &t.stateLen, x.State, m.tagState}, {&t.avps, &t.avpsLen, x.AVPs, m.tagState}, {&t.reply, &t.replyLen, x.Reply, m.tagReply}} {
		if !m.store(s.at, s.n, s.b, s.tag) {
			return shm.ErrNoMemory
		}
	}
	for i := range x.Branches {
		if err := m.carryBranch(o, t, &x.Branches[i]); err != nil {
			return err
		}
	}
	t.ref = 1 // the table's; those of scripts that their successors end (orphan.go) and of timers follow
	if t.script != 0 {
		t.ref++
	}
	if t.failing != 0 && t.failing != t.faker {
		t.ref++
	}
	t.ref += int32(t.fakes)
	if err := m.carryTimers(o, t, x); err != nil {
		return err
	}
	m.table.Lock(m.a, int(t.hash))
	m.table.Append(m.a, int(t.hash), o)
	m.table.Unlock(m.a, int(t.hash))
	return nil
}

// carryBranch hangs a branch on t.
func (m *mod) carryBranch(o shm.Off, t *cell, y *carriedBranch) error {
	uri, err := y.URI.in(y.Sent)
	if err != nil {
		return err
	}
	if len(y.RUID) > 255 || len(y.UserAgent) > 255 || len(y.Instance) > 255 || len(y.DstURI) > 0xffff || len(y.Path) > 0xffff {
		return errCarried
	}
	bo, err := m.a.Alloc(int(branchSize)+len(y.Sent), m.tagBranch)
	if err != nil {
		return err
	}
	block := m.a.Bytes(bo)
	clear(block[:branchSize])
	copy(block[branchSize:], y.Sent)
	b := m.branch(bo)
	b.cell, b.to, b.bufLen, b.index, b.status, b.flags, b.uri = o, y.To.dest(), uint32(len(y.Sent)), t.n, y.Status, y.Flags, uri
	b.retr, b.cancelRetr, b.fr, b.nextRetr, b.cancelUntil, b.bflags, b.otcp = y.Retr, y.CancelRetr, y.FR, y.NextRetr, y.CancelUntil, y.BFlags, y.OTCP
	b.ruidLen, b.uaLen, b.instLen, b.dstLen, b.pathLen = uint8(len(y.RUID)), uint8(len(y.UserAgent)), uint8(len(y.Instance)), uint16(len(y.DstURI)), uint16(len(y.Path))
	b.replier, b.replies, b.failing, b.onFailure = y.Replier, y.Replies, y.Failing, blockID(route.InEvent, y.OnFailure)
	if t.last == 0 {
		t.first = bo
	} else {
		m.branch(t.last).next = bo
	}
	t.last = bo // discard finds it from here on
	t.n++
	m.scratch = append(append(append(append(append(m.scratch[:0], y.RUID...), y.UserAgent...), y.Instance...), y.DstURI...), y.Path...)
	var n uint32
	if !m.store(&b.reply, &b.replyLen, y.Reply, m.tagReply) || !m.store(&b.cancel, &b.cancelLen, y.Cancel, m.tagBranch) || !m.store(&b.attrs, &n, m.scratch, m.tagBranch) {
		return shm.ErrNoMemory
	}
	return nil
}

// carryTimers arms what was armed, with the time that is left, and counts the references of timers and of onreply_routes.
func (m *mod) carryTimers(o shm.Off, t *cell, x *carriedTransaction) error {
	if err := m.carryTimer(t, o+shm.Off(timerOff), kindCell, x.Timer); err != nil {
		return err
	}
	bo := t.first
	for i := range x.Branches {
		b := m.branch(bo)
		t.ref += int32(b.replies)
		if b.failing != 0 && b.failing != t.faker {
			t.ref++
		}
		err := m.carryTimer(t, bo+shm.Off(branchOff), kindBranch, x.Branches[i].Timer)
		if err == nil {
			err = m.carryTimer(t, bo+shm.Off(cancelOff), kindCancel, x.Branches[i].CancelTimer)
		}
		if err != nil {
			return err
		}
		bo = b.next
	}
	return nil
}

func (m *mod) carryTimer(t *cell, at shm.Off, k shm.Kind, x carriedTimer) error {
	if x.Firing != 0 {
		w, err := shm.OpenWheel(m.a, shm.Off(x.Firing))
		if err != nil {
			return fmt.Errorf("the timer that was fired: %w", err)
		}
		w.Interrupt(m.a, at, k, x.Deaths)
		m.addRef(t)
	}
	if x.Wheel == 0 {
		return nil
	}
	w, err := shm.OpenWheel(m.a, shm.Off(x.Wheel))
	if err != nil {
		return fmt.Errorf("its timer: %w", err)
	}
	if w.Arm(m.a, at, x.Expires, k) {
		m.addRef(t)
	}
	return nil
}

// discard frees a transaction that is in no table, whatever is armed and whoever refers to it.
func (m *mod) discard(o shm.Off, t *cell) {
	shm.Disarm(m.a, o+shm.Off(timerOff))
	for bo := t.first; bo != 0; bo = m.branch(bo).next {
		shm.Disarm(m.a, bo+shm.Off(branchOff))
		shm.Disarm(m.a, bo+shm.Off(cancelOff))
	}
	at := &m.root.Dying[m.h.Slot]
	*at = o
	m.freeAt(at)
}

func (s carriedSpan) in(b []byte) (span, error) {
	if uint64(s.Off)+uint64(s.Len) > uint64(len(b)) {
		return span{}, errCarried
	}
	return span{s.Off, s.Len}, nil
}

func (m *mod) Drop() error {
	if m.a = m.h.Arena; !m.a.HasRoot(rootName) {
		return nil
	}
	r, err := rootIn(m.a)
	if err != nil {
		return err
	}
	if m.root = r.Get(m.a); m.root.Table != 0 {
		if err := m.attach(m.h); err != nil {
			return err
		}
		err := m.eachCell(func(o shm.Off, t *cell) error {
			m.table.Remove(m.a, o)
			m.discard(o, t)
			return nil
		})
		if err != nil {
			return err
		}
		for i := range m.root.Dying {
			if at := &m.root.Dying[i]; *at != 0 {
				m.freeAt(at)
				m.h.Count(m.stats.freed)
			}
		}
		for _, w := range m.a.Wheels() {
			if _, k, _, ok := w.Interrupted(m.a); ok && k >= kindCell && k <= kindCancel {
				w.Fired(m.a)
			}
		}
		m.table.Free(m.a)
	}
	m.root = nil
	m.a.DropRoot(rootName)
	return nil
}
