package tm

import (
	"net/netip"
	"sync/atomic"
	"unsafe"

	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
)

// tableSize is Kamailio's TABLE_ENTRIES: the hash in our Via branch has 16 bits.
const tableSize = 1 << 16

// Flags of a cell. Their numbers, and those of a branch's, belong to the form in which an upgrade carries transactions over (carry.go).
const (
	flagInvite    = 1 << iota
	flagLocal     // started by us, no UAS side
	flagCanceled  // a CANCEL came, or the script gave up
	flagFailure   // a failure route runs, or is about to
	flagDone      // final reply sent upstream; only 2xx of an INVITE still pass
	flagWait      // wait timer runs
	flag6xx       // a 6xx ended forking
	flagAuto100   // answer 100 by ourselves
	flagNoFail6xx // t_set_disable_6xx
	flagNoReply   // t_set_disable_internal_reply
	flagReplied   // a reply of any kind was sent
	flagRelayed   // at least one branch was sent
	flagStream    // the request came over a stream: its final reply is not repeated
	flagInDialog  // it belongs to a call that exists: it may use the reserve of shared memory
	flagAckSeen
	flagReplicate   // replies go to nobody (t_replicate)
	flagSuspended   // waits for t_continue (suspend.go)
	flagNoAutoACK   // local: the ACK to its 2xx is not tm's (t_set_no_auto_ack)
	flagProvisional // local: provisional replies are told, too
	flagNoFailover  // t_set_disable_failover
	flagNoE2EReason // t_set_no_e2e_cancel_reason
)

// unhooked and the seven bits above it are flags of a cell, too: the first eight hooks that did not want it when it began.
const unhooked = 1 << 24

// span is a range of the request's bytes.
type span struct{ off, n uint32 }

// addr is a transport address as it may lie in shared memory.
type addr struct {
	ip   [16]byte
	port uint16
	v4   uint16
}

func toAddr(a netip.AddrPort) (s addr) {
	ip := a.Addr()
	s.port = a.Port()
	if ip.Is4() {
		s.v4 = 1
		b := ip.As4()
		copy(s.ip[:], b[:])
		return s
	}
	s.ip = ip.As16()
	return s
}

func (s *addr) get() netip.AddrPort {
	if s.v4 != 0 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s.ip[:4])), s.port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(s.ip), s.port)
}

// dest is a destination.
type dest struct {
	addr  addr
	conn  uint32
	sock  int16
	proto uint8
	flags uint8
}

func toDest(d *route.Dest) dest {
	return dest{addr: toAddr(d.Addr), conn: d.Conn, sock: int16(d.Sock.Index), proto: uint8(d.Proto), flags: uint8(d.Flags)}
}

func (d *dest) get(n *route.Net) route.Dest {
	return route.Dest{Proto: sipparse.Proto(d.proto), Addr: d.addr.get(), Sock: n.At(int(d.sock)), Conn: d.conn, Flags: route.SendFlags(d.flags)}
}

// cell is a transaction. The request's bytes follow it in its block.
type cell struct {
	link      shm.Link
	_         layoutProbe
	timer     shm.Timer // repetition of the final reply, then the wait time
	mu        shm.Mutex
	ref       int32
	flags     uint32
	hash      uint32
	label     uint32
	method    uint32
	viaSum    uint32 // of the request's top Via branch: most cells of a bucket differ in it
	reqLen    uint32
	status    uint16 // last status sent upstream
	n         uint8  // branches
	picked    int8   // branch whose reply the failure route is about, -1: none
	legFrom   uint8  // first branch of the present leg (failure_reply_mode)
	replyFrom int8   // branch whose reply was sent upstream last, -1: local

	viaBranch, viaHost, viaPort, callID, cseq, fromTag, ruri span

	md5      [32]byte // of our branch
	first    shm.Off  // branches, a list
	last     shm.Off
	state    shm.Off // script state (route.AppendState) for failure and branch routes
	avps     shm.Off // attributes, as the last route left them
	reply    shm.Off // the reply sent upstream last, for repetition
	replyLen uint32
	stateLen uint32
	avpsLen  uint32
	msgFlags uint32 // $mf as the request route left it

	src, dst addr // of the request
	sock     int16
	proto    uint8
	_        uint8
	conn     uint32
	up       dest // where replies go

	onFailure, onReply, onBranch, onBranchFailure uint64

	fr, frInv    uint32 // ms
	retr1, retr2 uint32 // ms
	uasRetr      uint32 // ms, present interval of the final reply's repetition
	uasUntil     uint64 // tick at which it ends
	endOfLife    uint64 // tick
	born         uint64 // tick
	script       uint32 // process whose request route works on it, slot + 1 (orphan.go)
	failing      uint32 // the same of the failure route
	faker        uint32 // the same of what runs on the stored request (withRequest)
	fakes        uint32 // how many references that holds
	vbflags      uint32 // t_vbflag_set of tmx
	_            uint32
}

const (
	cellSize  = unsafe.Sizeof(cell{})
	timerOff  = unsafe.Offsetof(cell{}.timer)
	branchOff = unsafe.Offsetof(branch{}.timer)
	cancelOff = unsafe.Offsetof(branch{}.cancelTimer)
)

// Flags of a branch.
const (
	brCanceling = 1 << iota // our CANCEL was sent, or will be when a provisional reply comes
	brCancelSent
	brFaked   // its final reply is our own (timeout, send error)
	brStream  // sent over a stream: no retransmission
	brT2      // retransmit at T2 (a non-INVITE that got a provisional reply)
	brDropped // of an earlier leg: does not count any more
	brTimeout // ended by timer
	brReplied // got a reply
	brUnsent  // made, not sent (its branch route dropped it, or it is being made)
	brForced  // where it goes was said by the script: its name has no further addresses
)

// branch is one outgoing request. The request as it was sent follows it in its block.
type branch struct {
	timer       shm.Timer // retransmission and final response
	cancelTimer shm.Timer
	cell        shm.Off
	next        shm.Off
	to          dest
	index       uint8
	_           uint8
	status      uint16 // last received
	flags       uint32
	retr        uint32 // ms, present interval
	cancelRetr  uint32
	fr          uint64 // tick at which the branch has failed
	nextRetr    uint64 // tick
	cancelUntil uint64
	bufLen      uint32
	uri         span    // R-URI in the buffer
	reply       shm.Off // stored final reply, not built yet
	replyLen    uint32
	bflags      uint32  // branch flags
	cancel      shm.Off // our CANCEL
	cancelLen   uint32
	ruidLen     uint8
	uaLen       uint8
	instLen     uint8
	_           uint8
	dstLen      uint16
	pathLen     uint16
	otcp        uint32
	failing     uint32  // process whose branch-failure route works on this branch, slot + 1 (orphan.go): it has not ended yet
	replier     uint32  // process that works on replies of this branch, slot + 1
	replies     uint32  // how many
	onFailure   uint64  // its branch-failure route
	attrs       shm.Off // ruid, user agent, instance, dst uri, path, one behind the other
}

const branchSize = unsafe.Sizeof(branch{})

func (m *mod) cell(o shm.Off) *cell { return shm.Ref[cell]{Off: o}.Get(m.a) }

func (m *mod) branch(o shm.Off) *branch { return shm.Ref[branch]{Off: o}.Get(m.a) }

// request is the request as it was received; that of a local transaction is what its branch sent.
func (m *mod) request(o shm.Off, t *cell) []byte {
	if t.flags&flagLocal != 0 && t.first != 0 {
		return m.buffer(t.first, m.branch(t.first))
	}
	return m.received(o, t)
}

// received is the request behind the cell; a local transaction has none there.
func (m *mod) received(o shm.Off, t *cell) []byte {
	return m.a.Bytes(o)[cellSize : cellSize+uintptr(t.reqLen)]
}

// buffer is the request as the branch sent it.
func (m *mod) buffer(o shm.Off, b *branch) []byte {
	return m.a.Bytes(o)[branchSize : branchSize+uintptr(b.bufLen)]
}

func (s span) in(b []byte) []byte { return b[s.off : s.off+s.n] }

func toSpan(s sipparse.Span) span { return span{s.Off, s.Len} }

// branchAt is branch i of t.
func (m *mod) branchAt(t *cell, i int) (shm.Off, *branch) {
	for o := t.first; o != 0; {
		b := m.branch(o)
		if int(b.index) == i {
			return o, b
		}
		o = b.next
	}
	return 0, nil
}

// addRef and unref count who may touch a cell.
func (m *mod) addRef(t *cell) { atomic.AddInt32(&t.ref, 1) }

func (m *mod) unref(o shm.Off, t *cell) {
	if atomic.AddInt32(&t.ref, -1) == 0 {
		m.root.Dying[m.h.Slot] = o
		m.finishFree()
	}
}

// finishFree gives the cell that is noted in this process's slot back, and all that hangs on it. It can be stopped anywhere and begun again: a block is noted in the
// arena until the instant in which it is free, so a process's successor goes on where a death has stopped it.
func (m *mod) finishFree() {
	if at := &m.root.Dying[m.h.Slot]; *at != 0 {
		m.freeAt(at)
		m.h.Count(m.stats.freed)
	}
}

// freeAt does so for the cell noted at at.
func (m *mod) freeAt(at *shm.Off) {
	t := m.cell(*at)
	for t.first != 0 || t.last != 0 {
		if t.first == 0 {
			t.first = t.last // stopped between two branches
		}
		b := m.branch(t.first)
		for _, p := range [...]*shm.Off{&b.reply, &b.cancel, &b.attrs} {
			if *p != 0 {
				m.a.FreeAt(p)
			}
		}
		t.last = b.next // the rest of the list
		m.a.FreeAt(&t.first)
		t.first = t.last
	}
	for _, p := range [...]*shm.Off{&t.state, &t.avps, &t.reply} {
		if *p != 0 {
			m.a.FreeAt(p)
		}
	}
	m.a.FreeAt(at)
}

// store puts b into the block at *at, which is reused when it is large enough. false when memory is out: the block is then gone.
func (m *mod) store(at *shm.Off, n *uint32, b []byte, tag shm.Tag) bool {
	return m.storeOf(flagInDialog, at, n, b, tag) == nil
}

// storeOf is store with the flags that alloc looks at.
func (m *mod) storeOf(flags uint32, at *shm.Off, n *uint32, b []byte, tag shm.Tag) error {
	if *at != 0 {
		if old := m.a.Bytes(*at); len(old) >= len(b) && len(old) <= len(b)*2+256 {
			copy(old, b)
			*n = uint32(len(b))
			return nil
		}
		m.a.Free(*at)
		*at, *n = 0, 0
	}
	if len(b) == 0 {
		return nil
	}
	o, err := m.alloc(flags, len(b), tag)
	if err != nil {
		return err
	}
	copy(m.a.Bytes(o), b)
	*at, *n = o, uint32(len(b))
	return nil
}

// alloc takes n bytes for what a request needs; the reserve is for requests inside dialogs, and for what transactions that exist still need (mayDip).
func (m *mod) alloc(flags uint32, n int, tag shm.Tag) (shm.Off, error) {
	if flags&flagInDialog != 0 {
		return m.a.Alloc(n, tag)
	}
	return m.a.AllocUnreserved(n, tag)
}
