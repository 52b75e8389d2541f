package reactor

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"kahea/shm"

	"golang.org/x/sys/unix"
)

const maxMembers = 128

// group mirrors, in shared memory, the kernel's array of the sockets of one reuseport group: a socket that is bound goes to the end, and when one is closed
// the last takes its place. Sockets are bound and closed under its lock, so that the two agree.
type group struct {
	Mu      shm.Mutex
	N       uint32
	Buckets uint32
	Seq     uint32
	Socks   [maxMembers]member
}

type member struct {
	Slot   uint32
	Bucket uint32
	Seq    uint32 // the highest of a bucket serves it
}

// join opens a socket and makes it the one that serves bucket; once every bucket has one the group is steered. opened is called before the first datagram is steered
// there: from then on main holds a duplicate, and nothing that comes is lost with this process.
func (s *shared) join(a *shm.Arena, sock, bucket, buckets, slot int, open func() (int, error), opened func(fd int)) (int, error) {
	if s.groups == nil { // no shared memory: a lone worker
		fd, err := open()
		if err == nil {
			opened(fd)
		}
		return fd, err
	}
	if buckets < 1 {
		buckets = 1
	}
	g := &s.groups[sock]
	a.Lock(&g.Mu)
	defer a.Unlock(&g.Mu)
	if g.N >= maxMembers || bucket >= buckets {
		return -1, fmt.Errorf("worker %d of %d, %d sockets are open: %w", bucket, buckets, g.N, unix.EINVAL)
	}
	fd, err := open()
	if err != nil {
		return -1, err
	}
	g.Buckets = uint32(buckets)
	g.Seq++
	g.Socks[g.N] = member{Slot: uint32(slot), Bucket: uint32(bucket), Seq: g.Seq}
	g.N++
	opened(fd)
	return fd, g.steer(fd) // an error ends the process; main's duplicate stays in the group, as a dead worker's
}

// remove forgets the socket at index i as the kernel does.
func (g *group) remove(i int) {
	g.N--
	g.Socks[i] = g.Socks[g.N]
	g.Socks[g.N] = member{}
}

// places is the socket index that serves each bucket; false while one has none.
func (g *group) places() (at []uint32, whole bool) {
	at = make([]uint32, g.Buckets)
	seq := make([]uint32, g.Buckets)
	for i, m := range g.Socks[:g.N] {
		if m.Bucket < g.Buckets && m.Seq > seq[m.Bucket] {
			at[m.Bucket], seq[m.Bucket] = uint32(i), m.Seq
		}
	}
	for _, s := range seq {
		if s == 0 {
			return nil, false
		}
	}
	return at, len(at) > 0
}

// steer attaches the program for the group as it is now; fd is any member.
func (g *group) steer(fd int) error {
	at, whole := g.places()
	if !whole {
		return nil
	}
	return attach(fd, at)
}

// leaving attaches a program under which the member at index i may be closed. The kernel then puts the last member in its place, so until steer is called again the bucket of
// that one is served by another: by its old index it would be given to any socket of the group, and that may be one which nobody reads any more.
func (g *group) leaving(fd, i int) error {
	at, whole := g.places()
	if !whole {
		return nil
	}
	last := g.N - 1
	for _, other := range at {
		if other == last || int(other) == i {
			continue
		}
		for b := range at {
			if at[b] == last || int(at[b]) == i {
				at[b] = other
			}
		}
		return attach(fd, at)
	}
	return nil // there is no other
}

func attach(fd int, at []uint32) error {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("steering: %w", err)
	}
	_, v4 := sa.(*unix.SockaddrInet4)
	prog := program(at, v4)
	f := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &f); err != nil {
		return fmt.Errorf("attach a steering program of %d steps: %w", len(prog), err)
	}
	return nil
}

// program is the classic BPF program that picks a socket: at[hash(source address, source port) mod len(at)]. All datagrams of one source go to one
// worker. IP options and IPv6 extension headers move the port: such sources are still steered steadily.
func program(at []uint32, v4 bool) []unix.SockFilter {
	const netOff = 0xfff00000 // SKF_NET_OFF: loads relative to the network header
	const (
		ldw  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		ldh  = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		mul  = unix.BPF_ALU | unix.BPF_MUL | unix.BPF_K
		xorx = unix.BPF_ALU | unix.BPF_XOR | unix.BPF_X
		rsh  = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
		mod  = unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K
		tax  = unix.BPF_MISC | unix.BPF_TAX
		jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		retk = unix.BPF_RET | unix.BPF_K
		reta = unix.BPF_RET | unix.BPF_A
	)
	port, words := uint32(20), []uint32{12}
	if !v4 {
		port, words = 40, []uint32{8, 12, 16, 20}
	}
	p := []unix.SockFilter{{Code: ldh, K: netOff + port}, {Code: mul, K: 2654435761}}
	for _, w := range words {
		p = append(p, unix.SockFilter{Code: tax}, unix.SockFilter{Code: ldw, K: netOff + w}, unix.SockFilter{Code: xorx}, unix.SockFilter{Code: mul, K: 2246822519})
	}
	p = append(p, unix.SockFilter{Code: rsh, K: 12}, unix.SockFilter{Code: mod, K: uint32(len(at))})
	for b, i := range at {
		if uint32(b) != i {
			p = append(p, unix.SockFilter{Code: jeq, Jf: 1, K: uint32(b)}, unix.SockFilter{Code: retk, K: i})
		}
	}
	return append(p, unix.SockFilter{Code: reta})
}

// Steering is main's half of the hand-over: it keeps duplicates of every UDP worker's socket and receive area, so that neither vanishes with its
// process. Any goroutine.
type Steering struct {
	// Forks is held while main makes a process (procmgr's Manager.Forks): such a process has copies of the sockets for a moment, and until the last copy is closed a socket
	// keeps its place in the kernel's group, while the mirror has given it to another. Set before the first process starts; nil: no process is ever made.
	Forks sync.Locker

	a  *shm.Arena
	sh *shared

	mu     sync.Mutex
	held   map[int]*holding // by slot
	deaths map[Digest]death // with this message in hand
}

type holding struct {
	sock  int
	socks []int // oldest first; the last is the living worker's
	areas []int
	live  bool // they include the living worker's
}

// NewSteering is called in main after Prepare.
func NewSteering(a *shm.Arena, off shm.Off) *Steering {
	return &Steering{a: a, sh: openShared(a, off), held: map[int]*holding{}, deaths: map[Digest]death{}}
}

// Opened takes what a UDP worker's Config.Opened has sent: its slot, the listener's index and the two descriptors, which are Steering's now.
func (s *Steering) Opened(slot, sock int, fds []int) error {
	if len(fds) != 2 || sock < 0 || sock >= len(s.sh.groups) {
		closeAll(fds)
		return fmt.Errorf("slot %d opened %d descriptors on listener %d: %w", slot, len(fds), sock, unix.EINVAL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[slot]
	if h == nil {
		h = &holding{sock: sock}
		s.held[slot] = h
	}
	h.socks, h.areas, h.live = append(h.socks, fds[0]), append(h.areas, fds[1]), true
	return nil
}

// Sender duplicates some worker's socket of the listener for a process that has none to send from ([::] only, see OpenSenders).
func (s *Steering) Sender(sock int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if h.sock == sock {
			return unix.FcntlInt(uintptr(h.socks[len(h.socks)-1]), unix.F_DUPFD_CLOEXEC, 0)
		}
	}
	return -1, fmt.Errorf("listener %d: %w", sock, ErrNoSocket)
}

// Died says what the successor of the process in slot must have as Config.Fds (for procmgr's Options.Died); nil if it was no UDP worker. The descriptors
// stay Steering's. hand is the message that the dead process was handling, nil if none; one that was in hand at two deaths is on the list of killers when
// Died returns, so that the successor drops it.
func (s *Steering) Died(slot int) (fds []int, hand *Hand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[slot]
	if h == nil {
		h = &holding{sock: -1}
	}
	s.forgetLost(slot, h)
	if h.sock >= 0 {
		// An area of an earlier one says nothing of this death.
		if h.live {
			if hand = handInArea(h.areas[len(h.areas)-1]); hand != nil {
				hand.Dst, hand.Sock = localAddr(h.socks[len(h.socks)-1]), h.sock
			}
		}
		h.live = false
		fds = append(append(fds, h.areas...), h.socks...)
	} else if t := s.sh.hand(s.a, slot); t != nil {
		hand = t.dead()
	}
	if hand != nil {
		s.blame(hand, time.Now())
	}
	return fds, hand
}

// forgetLost removes sockets from the mirror that slot's process opened and had not handed over when it died: the kernel has closed them.
func (s *Steering) forgetLost(slot int, h *holding) {
	for gi := range s.sh.groups {
		g := &s.sh.groups[gi]
		s.a.Lock(&g.Mu)
		have := 0
		if gi == h.sock {
			have = len(h.socks)
		}
		for {
			n, last := 0, -1
			for i, m := range g.Socks[:g.N] {
				if int(m.Slot) == slot {
					if n++; last < 0 || m.Seq > g.Socks[last].Seq {
						last = i
					}
				}
			}
			if n <= have {
				break
			}
			g.remove(last)
			if have > 0 {
				_ = g.steer(h.socks[0])
			}
		}
		s.a.Unlock(&g.Mu)
	}
}

// Drained closes what is left of the predecessors of the process in slot: its successor has emptied and closed it.
func (s *Steering) Drained(slot int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[slot]
	if h == nil || len(h.socks) < 2 {
		return nil
	}
	n := len(h.socks) - 1
	g := &s.sh.groups[h.sock]
	s.a.Lock(&g.Mu)
	defer s.a.Unlock(&g.Mu)
	if s.Forks != nil {
		s.Forks.Lock()
		defer s.Forks.Unlock()
	}
	var errs []error
	for _, fd := range h.socks[:n] {
		errs = append(errs, g.close(fd, slot), g.steer(h.socks[n]))
	}
	closeAll(h.areas[:n])
	h.socks, h.areas = h.socks[n:], h.areas[n:]
	return errors.Join(errs...)
}

// close closes fd, the oldest member of slot; steer follows. Forks is held.
func (g *group) close(fd, slot int) (err error) {
	first := -1
	for i, m := range g.Socks[:g.N] {
		if int(m.Slot) == slot && (first < 0 || m.Seq < g.Socks[first].Seq) {
			first = i
		}
	}
	if first >= 0 {
		err = g.leaving(fd, first)
		defer g.remove(first)
	}
	unix.Close(fd)
	return err
}

// Resize makes n workers (buckets) serve the listener sock. Fewer than before: from now on the others get nothing new. More: they count as soon as each has
// joined.
func (s *Steering) Resize(sock, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sock < 0 || sock >= len(s.sh.groups) || n < 1 {
		return fmt.Errorf("%d workers of listener %d: %w", n, sock, unix.EINVAL)
	}
	g := &s.sh.groups[sock]
	s.a.Lock(&g.Mu)
	defer s.a.Unlock(&g.Mu)
	g.Buckets = uint32(n)
	return s.resteer(g, sock)
}

// resteer attaches the program of g through any of its sockets.
func (s *Steering) resteer(g *group, sock int) error {
	for _, h := range s.held {
		if h.sock == sock && len(h.socks) > 0 {
			return g.steer(h.socks[0])
		}
	}
	return nil
}

// Left closes what is held of the process in slot, which has drained its socket and ended for good.
func (s *Steering) Left(slot int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[slot]
	if h == nil {
		return nil
	}
	delete(s.held, slot)
	closeAll(h.areas)
	if h.sock < 0 {
		return nil
	}
	g := &s.sh.groups[h.sock]
	s.a.Lock(&g.Mu)
	defer s.a.Unlock(&g.Mu)
	if s.Forks != nil {
		s.Forks.Lock()
		defer s.Forks.Unlock()
	}
	var errs []error
	for _, fd := range h.socks {
		errs = append(errs, g.close(fd, slot), s.resteer(g, h.sock))
	}
	return errors.Join(errs...)
}

// Held is what is kept of one worker, for a new binary that goes on in main's place; descriptors by number.
type Held struct {
	Slot, Sock   int
	Socks, Areas []int
	Live         bool // they include the living worker's
}

// Paper lists everything that is held.
func (s *Steering) Paper() (l []Held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for slot, h := range s.held {
		l = append(l, Held{slot, h.sock, append([]int{}, h.socks...), append([]int{}, h.areas...), h.live})
	}
	return l
}

// ResumeSteering goes on with what another binary's Steering held.
func ResumeSteering(a *shm.Arena, off shm.Off, l []Held) *Steering {
	s := NewSteering(a, off)
	for _, h := range l {
		s.held[h.Slot] = &holding{sock: h.Sock, socks: h.Socks, areas: h.Areas, live: h.Live}
	}
	return s
}

// Spread says how a source would be steered: the bucket (worker index) of n.
func Spread(src netip.AddrPort, n int) int {
	h := uint32(src.Port()) * 2654435761
	word := func(b []byte) {
		h = (uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])) ^ h
		h *= 2246822519
	}
	if ip := src.Addr().Unmap(); ip.Is4() {
		b := ip.As4()
		word(b[:])
	} else {
		b := ip.As16()
		for i := 0; i < 16; i += 4 {
			word(b[i : i+4])
		}
	}
	return int(h >> 12 % uint32(n))
}

// Close gives the descriptors back (main's end).
func (s *Steering) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		closeAll(h.socks)
		closeAll(h.areas)
	}
	s.held = nil
}
