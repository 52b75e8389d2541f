package reactor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"kahea/shm"
	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

// ConnState is the state of a connection (names of Kamailio's tcp_list).
type ConnState uint32

const (
	ConnInit    ConnState = iota // free row
	ConnConnect                  // being opened by TCP main, which owns it meanwhile
	ConnPending                  // on its way to its owner
	ConnOK
	ConnBad // being closed
)

func (s ConnState) String() string {
	return [...]string{"CONN_INIT", "CONN_CONNECT", "CONN_PENDING", "CONN_OK", "CONN_BAD"}[min(s, ConnBad)]
}

const maxAliases = 4 // ports per connection, as Kamailio

// conn is a row of the connection table. Rows are linked and unlinked under the table's lock; Expires and Dirty are the owner's, read by anyone.
type conn struct {
	ID       uint32 // 0: free
	State    ConnState
	Proto    uint32
	Owner    uint32 // process slot
	Sock     int32
	Lifetime int32 // seconds
	Expires  int64 // CLOCK_MONOTONIC ns
	Remote   rawAddr
	Local    rawAddr
	// Dirty: part of a message is in the owner's memory; if it dies now the stream cannot be continued.
	Dirty   uint32
	NextID  int32 // chain of the id bucket, or of free rows; -1 ends
	NAlias  uint32
	Flags   uint32 // connFlags, the owner's once it has the connection
	Aliases [maxAliases]alias
}

// Flags of a connection.
const (
	connAccepted uint32 = 1 << iota // not opened by us
	connSpoke                       // more than pings has come
	connKnown                       // its PROXY header has been read, or there is none
)

type alias struct {
	Port uint32
	Next int32 // row*maxAliases+i of the next alias in the bucket, -1 ends
}

// connsRoot begins the table.
type connsRoot struct {
	Mu       shm.Mutex
	Next     uint32 // last id given
	Count    uint32
	Max      uint32
	Mask     uint32
	Free     int32
	MainSlot uint32 // of TCP main; 0: none yet
	Queued   int64  // bytes in all write queues
	Opened   uint64
	Lifetime int32
	_        uint32
	Rows     shm.Off
	IDs      shm.Off // [Mask+1]int32
	Alias    shm.Off // [Mask+1]int32
	Inbox    [maxSlots]shm.Off
}

const maxSlots = 512

// conns is the table as one process sees it.
type conns struct {
	a     *shm.Arena
	r     *connsRoot
	rows  []conn
	ids   []int32
	alias []int32
}

func makeConns(a *shm.Arena, o Options, procs int, tag shm.Tag) (shm.Off, error) {
	if procs > maxSlots {
		return 0, fmt.Errorf("%d processes, at most %d: %w", procs, maxSlots, unix.EINVAL)
	}
	ref, err := shm.New[connsRoot](a, tag)
	if err != nil {
		return 0, fmt.Errorf("connection table: %w", err)
	}
	size := 64
	for size < 2*o.TCPMaxConns {
		size *= 2
	}
	r := ref.Get(a)
	r.Max, r.Mask, r.Lifetime = uint32(o.TCPMaxConns), uint32(size-1), int32(o.TCPLifetime)
	for _, x := range []struct {
		off *shm.Off
		n   int
	}{{&r.Rows, o.TCPMaxConns * int(unsafe.Sizeof(conn{}))}, {&r.IDs, 4 * size}, {&r.Alias, 4 * size}} {
		if *x.off, err = a.Alloc(x.n, tag); err != nil {
			return 0, fmt.Errorf("connection table for %d connections: %w", o.TCPMaxConns, err)
		}
		clear(a.Bytes(*x.off))
	}
	c := openConns(a, ref.Off)
	for i := range c.ids {
		c.ids[i], c.alias[i] = -1, -1
	}
	for i := range c.rows {
		c.rows[i].NextID = int32(i) + 1
	}
	c.rows[len(c.rows)-1].NextID = -1
	return ref.Off, nil
}

func openConns(a *shm.Arena, off shm.Off) *conns {
	r := shm.Ref[connsRoot]{Off: off}.Get(a)
	return &conns{
		a: a, r: r,
		rows:  unsafe.Slice((*conn)(unsafe.Pointer(&a.Bytes(r.Rows)[0])), r.Max),
		ids:   unsafe.Slice((*int32)(unsafe.Pointer(&a.Bytes(r.IDs)[0])), r.Mask+1),
		alias: unsafe.Slice((*int32)(unsafe.Pointer(&a.Bytes(r.Alias)[0])), r.Mask+1),
	}
}

func (t *conns) lock() {
	if t.a.Lock(&t.r.Mu) {
		t.repair()
	}
}
func (t *conns) unlock() { t.a.Unlock(&t.r.Mu) }

// repair rebuilds the chains from the rows: a process died while it held the lock. A row is in use when its ID is set, which is done last and undone first.
func (t *conns) repair() {
	for i := range t.ids {
		t.ids[i], t.alias[i] = -1, -1
	}
	t.r.Free, t.r.Count = -1, 0
	for i := len(t.rows) - 1; i >= 0; i-- {
		c := &t.rows[i]
		if c.ID == 0 {
			c.NextID, t.r.Free = t.r.Free, int32(i)
			continue
		}
		t.r.Count++
		b := &t.ids[c.ID&t.r.Mask]
		c.NextID, *b = *b, int32(i)
		for k := range c.NAlias {
			t.link(i, int(k))
		}
	}
}

func (t *conns) aliasBucket(ip [16]byte, port, proto uint32) *int32 {
	h := port*2654435761 ^ proto
	for i := 0; i < 16; i += 4 {
		h = (h ^ binary.NativeEndian.Uint32(ip[i:])) * 2246822519
	}
	return &t.alias[h>>7&t.r.Mask]
}

func ip16(a netip.AddrPort) [16]byte { return a.Addr().As16() }

func (t *conns) link(row, k int) {
	c := &t.rows[row]
	b := t.aliasBucket(ip16(get(&c.Remote)), c.Aliases[k].Port, c.Proto)
	c.Aliases[k].Next, *b = *b, int32(row*maxAliases+k)
}

// add takes a row for a new connection; -1 when the table is full. Locked by the caller.
func (t *conns) add(c conn) (row int, id uint32) {
	i := t.r.Free
	if i < 0 {
		return -1, 0
	}
	r := &t.rows[i]
	t.r.Free = r.NextID
	t.r.Next++
	if t.r.Next == 0 {
		t.r.Next = 1
	}
	id = t.r.Next
	c.ID = 0
	*r = c
	r.NAlias = 1
	r.Aliases[0].Port = uint32(get(&r.Remote).Port())
	b := &t.ids[id&t.r.Mask]
	r.NextID, *b = *b, i
	t.link(int(i), 0)
	t.r.Count++
	t.r.Opened++
	atomic.StoreUint32(&r.ID, id)
	return int(i), id
}

// unlink takes all aliases of a row out of their buckets.
func (t *conns) unlink(row int) {
	r := &t.rows[row]
	for k := range r.NAlias {
		at := int32(row*maxAliases + int(k))
		for p := t.aliasBucket(ip16(get(&r.Remote)), r.Aliases[k].Port, r.Proto); *p >= 0; p = &t.rows[*p/maxAliases].Aliases[*p%maxAliases].Next {
			if *p == at {
				*p = r.Aliases[k].Next
				break
			}
		}
	}
}

// readdress gives a connection the addresses that its PROXY header names, so that it is found by them. Locked by the caller.
func (t *conns) readdress(row int, p proxied) {
	r := &t.rows[row]
	t.unlink(row)
	put(&r.Remote, p.src)
	put(&r.Local, p.dst)
	r.NAlias = 1
	r.Aliases[0].Port = uint32(p.src.Port())
	t.link(row, 0)
}

// remove frees the row of id. Locked by the caller.
func (t *conns) remove(row int) {
	r := &t.rows[row]
	id := r.ID
	t.unlink(row)
	for p := &t.ids[id&t.r.Mask]; *p >= 0; p = &t.rows[*p].NextID {
		if *p == int32(row) {
			*p = r.NextID
			break
		}
	}
	atomic.StoreUint32(&r.ID, 0)
	r.State, r.NAlias = ConnInit, 0
	r.NextID, t.r.Free = t.r.Free, int32(row)
	t.r.Count--
}

// byID finds a row, -1 if there is none. Locked by the caller.
func (t *conns) byID(id uint32) int {
	for i := t.ids[id&t.r.Mask]; i >= 0; i = t.rows[i].NextID {
		if t.rows[i].ID == id {
			return int(i)
		}
	}
	return -1
}

// byAddr finds a usable connection to dst by alias, the newest first. Locked by the caller.
func (t *conns) byAddr(dst netip.AddrPort, proto sipparse.Proto) int {
	return t.find(dst, proto, func(*conn) bool { return true })
}

// bySock is byAddr that passes over connections of other listeners than sock, unless there is none of it (tcp_connection_match).
func (t *conns) bySock(dst netip.AddrPort, proto sipparse.Proto, sock int) int {
	if row := t.find(dst, proto, func(c *conn) bool { return int(c.Sock) == sock }); row >= 0 {
		return row
	}
	return t.byAddr(dst, proto)
}

// twin says whether there is a connection between the same two addresses. Locked by the caller.
func (t *conns) twin(remote, local netip.AddrPort, proto sipparse.Proto) bool {
	return t.find(remote, proto, func(c *conn) bool { return get(&c.Remote) == remote && get(&c.Local) == local }) >= 0
}

func (t *conns) find(dst netip.AddrPort, proto sipparse.Proto, good func(*conn) bool) int {
	ip, port := ip16(dst), uint32(dst.Port())
	for at := *t.aliasBucket(ip, port, uint32(proto)); at >= 0; {
		c := &t.rows[at/maxAliases]
		a := &c.Aliases[at%maxAliases]
		if a.Port == port && c.Proto == uint32(proto) && c.State != ConnBad && c.State != ConnInit && ip16(get(&c.Remote)) == ip && good(c) {
			return int(at / maxAliases)
		}
		at = a.Next
	}
	return -1
}

// Errors of the connection table.
var (
	ErrNoConn       = errors.New("no such connection")
	ErrNoConnect    = errors.New("no connection, and none may be opened")
	ErrManyAliases  = errors.New("too many aliases")
	ErrAliasTaken   = errors.New("alias belongs to another connection")
	ErrConnClosed   = errors.New("connection closed")
	ErrQueueFull    = errors.New("write queue full")
	ErrSendTimeout  = errors.New("send timeout")
	ErrTooManyConns = errors.New("too many connections")
	ErrTwin         = errors.New("there is a connection between the same addresses")
	errNoTCP        = errors.New("no stream listener, so no TCP")
)

// AddAlias makes connection id reachable as its remote address with another port too (force_tcp_alias, Via ;alias). Refused when another connection has
// that alias, as Kamailio's default.
func (w *Worker) AddAlias(id uint32, port uint16) error {
	t := w.sh.conns
	if t == nil {
		return errNoTCP
	}
	t.lock()
	defer t.unlock()
	row := t.byID(id)
	if row < 0 {
		return fmt.Errorf("alias port %d of connection %d: %w", port, id, ErrNoConn)
	}
	c := &t.rows[row]
	r := get(&c.Remote)
	switch other := t.byAddr(netip.AddrPortFrom(r.Addr(), port), sipparse.Proto(c.Proto)); {
	case other == row:
		return nil
	case other >= 0:
		return fmt.Errorf("alias port %d of connection %d: %w", port, id, ErrAliasTaken)
	case c.NAlias == maxAliases:
		return fmt.Errorf("alias port %d of connection %d: %w", port, id, ErrManyAliases)
	}
	c.Aliases[c.NAlias].Port = uint32(port)
	t.link(row, int(c.NAlias))
	c.NAlias++
	return nil
}

// SetLifetime changes a connection's lifetime in seconds (tcp_set_connection_lifetime).
func (w *Worker) SetLifetime(id uint32, seconds int) error {
	t := w.sh.conns
	if t == nil {
		return errNoTCP
	}
	t.lock()
	defer t.unlock()
	row := t.byID(id)
	if row < 0 {
		return fmt.Errorf("lifetime of connection %d: %w", id, ErrNoConn)
	}
	t.rows[row].Lifetime = int32(seconds)
	atomic.StoreInt64(&t.rows[row].Expires, w.mono+int64(seconds)*1e9)
	return nil
}

// ConnInfo is one line of core.tcp_list.
type ConnInfo struct {
	ID                uint32
	Proto             sipparse.Proto
	State             string
	Timeout, Lifetime int // seconds
	Src, Dst          netip.AddrPort
	Owner             int // process slot
}

// Conns is core.tcp_list, from any process; nil without TCP.
func Conns(a *shm.Arena, off shm.Off) []ConnInfo {
	t := openShared(a, off).conns
	if t == nil {
		return nil
	}
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	t.lock()
	defer t.unlock()
	var cs []ConnInfo
	for i := range t.rows {
		c := &t.rows[i]
		if c.ID == 0 {
			continue
		}
		cs = append(cs, ConnInfo{
			ID: c.ID, Proto: sipparse.Proto(c.Proto), State: c.State.String(), Timeout: int((atomic.LoadInt64(&c.Expires) - ts.Nano()) / 1e9),
			Lifetime: int(c.Lifetime), Src: get(&c.Remote), Dst: get(&c.Local), Owner: int(c.Owner),
		})
	}
	return cs
}

// TCPInfo is core.tcp_info.
type TCPInfo struct {
	MaxConns, Opened, QueuedBytes int
}

// Info is core.tcp_info, from any process.
func Info(a *shm.Arena, off shm.Off) (TCPInfo, bool) {
	t := openShared(a, off).conns
	if t == nil {
		return TCPInfo{}, false
	}
	return TCPInfo{MaxConns: int(t.r.Max), Opened: int(atomic.LoadUint32(&t.r.Count)), QueuedBytes: int(atomic.LoadInt64(&t.r.Queued))}, true
}
