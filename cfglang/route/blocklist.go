package route

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"kahea/cfglang/log"
	"kahea/shm"
	"kahea/sipparse"
)

// Why a destination is blocked (Kamailio's err_flags); dst_blocklist_*_imask has those that are not noted.
const (
	BlockSend      = 1 << 2 // sending has failed
	BlockConnect   = 1 << 3 // a connection could not be made
	BlockTimeout   = 1 << 4 // no answer at all
	BlockPermanent = 1 << 7 // until the server ends
)

// BlockParams are the dst_blocklist parameters.
type BlockParams struct {
	Use    bool
	Expire uint64   // ticks
	Bytes  int      // of the list; 0: nothing is kept
	Ignore [8]uint8 // by protocol: reasons that are not noted
}

// Blocked is a destination to which no request is sent until then. They lie in shared memory, in one block that is made with the first: an entry's place is near its hash, and where
// there is no room the one that runs out first gives way.
type Blocked struct {
	Until uint64 // tick, 0: no entry; written last
	ip    [16]byte
	Port  uint16
	proto uint8
	Why   uint8
	_     [4]byte
}

// Addr is the address.
func (b *Blocked) Addr() netip.Addr { return netip.AddrFrom16(b.ip).Unmap() }

// Proto is the protocol; ProtoNone stands for any.
func (b *Blocked) Proto() sipparse.Proto { return sipparse.Proto(b.proto) }

// blockRoot is the root "blocklist".
type blockRoot struct {
	mu   shm.Mutex
	any  uint32 // entries that were ever made, while there is one
	n    uint32 // places
	list shm.Off
}

// blockProbe is how many places of an entry are looked at.
const blockProbe = 16

var errNoBlocklist = errors.New("dst_blocklist_mem is used up")

// Blocklist is the list as this process sees it. It belongs to the loop; other processes use theirs at the same time.
type Blocklist struct {
	a    *shm.Arena
	root *blockRoot
}

// OpenBlocklist finds or makes the list of an arena.
func OpenBlocklist(a *shm.Arena) (*Blocklist, error) {
	r, _, err := shm.Root[blockRoot](a, "blocklist", shm.LayoutOf[Blocked]())
	if err != nil {
		return nil, err
	}
	return &Blocklist{a: a, root: r.Get(a)}, nil
}

func (b *Blocklist) entries() []Blocked {
	if b.root.list == 0 {
		return nil
	}
	return unsafe.Slice((*Blocked)(unsafe.Pointer(&b.a.Bytes(b.root.list)[0])), b.root.n)
}

// Add notes a destination until a tick; bytes is how large the list becomes if there is none yet.
func (b *Blocklist) Add(at Place, why uint8, now, until uint64, bytes int) error {
	b.a.Lock(&b.root.mu)
	defer b.a.Unlock(&b.root.mu)
	if b.root.list == 0 {
		n := bytes / int(unsafe.Sizeof(Blocked{}))
		if n == 0 {
			return errNoBlocklist
		}
		o, err := b.a.AllocUnreserved(n*int(unsafe.Sizeof(Blocked{})), b.a.TagFor("core", "blocklist"))
		if err != nil {
			return err
		}
		clear(b.a.Bytes(o))
		b.root.n = uint32(n)
		b.root.list = o
	}
	l := b.entries()
	var into *Blocked
	for i := range min(blockProbe, len(l)) {
		e := &l[(b.hash(at.Addr)+uint64(i))%uint64(len(l))]
		if e.is(at.Addr, at.Proto) {
			into = e
			break
		}
		if into == nil || e.Why&BlockPermanent == 0 && (e.Until < into.Until || into.Why&BlockPermanent != 0) {
			into = e
		}
	}
	if into.Why&BlockPermanent != 0 && into.Until != 0 && !into.is(at.Addr, at.Proto) {
		return errNoBlocklist
	}
	into.Until = 0
	into.ip, into.Port, into.proto, into.Why = at.Addr.Addr().As16(), at.Addr.Port(), uint8(at.Proto), why
	atomic.StoreUint64(&into.Until, max(until, 1))
	atomic.StoreUint32(&b.root.any, 1)
	return nil
}

// Left is how many seconds it counts; of a permanent one that means nothing.
func (e *Blocked) Left(now uint64) int64 {
	if now > e.Until {
		return 0
	}
	return int64((e.Until - now) / 16)
}

func (e *Blocked) is(a netip.AddrPort, p sipparse.Proto) bool {
	return e.Until != 0 && e.Port == a.Port() && sipparse.Proto(e.proto) == p && e.ip == a.Addr().As16()
}

func (e *Blocked) lives(now uint64) bool {
	return e.Until != 0 && (e.Why&BlockPermanent != 0 || now < e.Until)
}

// hash is the same in all processes.
func (b *Blocklist) hash(a netip.AddrPort) (h uint64) {
	h = 14695981039346656037
	ip := a.Addr().As16()
	for _, c := range ip {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return (h ^ uint64(a.Port())) * 1099511628211
}

// Has says whether nothing is to be sent to a place: its port is compared as it is, and an entry without a protocol stands for all.
func (b *Blocklist) Has(at Place, now uint64) bool {
	if atomic.LoadUint32(&b.root.any) == 0 {
		return false
	}
	b.a.Lock(&b.root.mu)
	defer b.a.Unlock(&b.root.mu)
	l := b.entries()
	for i := range min(blockProbe, len(l)) {
		e := &l[(b.hash(at.Addr)+uint64(i))%uint64(len(l))]
		if e.lives(now) && (e.is(at.Addr, at.Proto) || e.is(at.Addr, sipparse.ProtoNone)) {
			return true
		}
	}
	return false
}

// All are the entries that count, and the bytes that they take.
func (b *Blocklist) All(now uint64) (l []Blocked, bytes int) {
	b.a.Lock(&b.root.mu)
	defer b.a.Unlock(&b.root.mu)
	for _, e := range b.entries() {
		if e.lives(now) {
			l = append(l, e)
		}
	}
	return l, len(l) * int(unsafe.Sizeof(Blocked{}))
}

// Clear removes all entries but the permanent ones; without one of those the memory goes, too.
func (b *Blocklist) Clear() {
	b.a.Lock(&b.root.mu)
	defer b.a.Unlock(&b.root.mu)
	l := b.entries()
	left := false
	for i := range l {
		if l[i].Why&BlockPermanent == 0 {
			l[i].Until = 0
		}
		left = left || l[i].Until != 0
	}
	if len(l) > 0 && !left {
		atomic.StoreUint32(&b.root.any, 0)
		b.a.FreeAt(&b.root.list)
	}
}

// Blocklist is this process's list, nil when use_dst_blocklist is off.
func (p *Proc) Blocklist() *Blocklist {
	if !p.Par.Block.Use {
		return nil
	}
	if p.blocks == nil {
		b, err := OpenBlocklist(p.Arena)
		if err != nil {
			p.Log.Printf(log.Err, "<core>: ", "destination blocklist: %v", err)
			p.Par.Block.Use = false
			return nil
		}
		p.blocks = b
	}
	return p.blocks
}

// Block notes that a destination does not work.
func (p *Proc) Block(at Place, why uint8) {
	b := p.Blocklist()
	if b == nil || int(at.Proto) < len(p.Par.Block.Ignore) && p.Par.Block.Ignore[at.Proto]&why != 0 {
		return
	}
	now := p.Host.Ticks()
	if err := b.Add(at, why, now, now+p.Par.Block.Expire, p.Par.Block.Bytes); err != nil {
		p.Log.Printf(log.Warn, "<core>: ", "destination %s is not blocked: %v", at.Addr, err)
	}
}
