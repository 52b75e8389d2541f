package reactor

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"kahea/shm"
	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

// handRoom is how much of a message is kept for the time after a death; no datagram is longer.
const handRoom = 1 << 16

// Hand is the message that a process was handling when it died.
type Hand struct {
	Msg     []byte // a copy; of a TCP message longer than 65536 bytes its beginning
	Len     int    // bytes it had
	Digest  Digest
	Proto   sipparse.Proto
	Src     netip.AddrPort
	Dst     netip.AddrPort // local address that received it
	Sock    int            // index of the listener
	Deaths  int            // deaths with this message in hand, this one included
	Dropped bool           // from now on workers drop it
}

// handInArea is the message that the dead owner of a UDP worker's receive area was handling, nil if there was none. fd is main's duplicate and stays so.
func handInArea(fd int) *Hand {
	r, err := openRX(fd)
	if err != nil {
		return nil
	}
	defer r.close()
	i := int(r.h.Hand) - 1
	if i < 0 && r.h.Held > 0 && r.h.Bufs > 0 {
		b := r.buffer(r.h.Bufs - 1)
		b = append([]byte(nil), b[:min(int(r.h.Held), len(b))]...)
		return &Hand{Msg: b, Len: len(b), Digest: digest(b), Proto: sipparse.UDP, Src: get(&r.h.HeldSrc)}
	}
	if i < 0 || i >= len(r.msgs) || r.h.BufOf[i] >= r.h.Bufs {
		return nil
	}
	b := r.buffer(r.h.BufOf[i])
	b = b[:min(int(r.msgs[i].n), len(b))]
	return &Hand{Msg: append([]byte(nil), b...), Len: len(b), Digest: digest(b), Proto: sipparse.UDP, Src: get(&r.addrs[i])}
}

// tcpHand is where a TCP worker keeps a copy of the message in hand, in shared memory: what gnet has read is in the process's own. Its worker writes it; main reads it when
// the worker is dead.
type tcpHand struct {
	Len   uint32 // of the message, 0: none is in hand
	Proto uint32
	Sock  int32
	Src   rawAddr
	Dst   rawAddr
	Msg   [handRoom]byte
}

// openHand finds or makes the one of slot; a successor goes on with its predecessor's.
func (s *shared) openHand(a *shm.Arena, slot int) (*tcpHand, error) {
	if slot < 0 || slot >= len(s.root.Hands) {
		return nil, fmt.Errorf("message in hand of slot %d: %w", slot, unix.EINVAL)
	}
	if s.root.Hands[slot] == 0 {
		r, err := shm.New[tcpHand](a, a.TagFor("core", "reactor"))
		if err != nil {
			return nil, fmt.Errorf("message in hand of slot %d: %w", slot, err)
		}
		s.root.Hands[slot] = r.Off
	}
	h := s.hand(a, slot)
	h.drop()
	return h, nil
}

// hand is the one of slot, nil if it has none.
func (s *shared) hand(a *shm.Arena, slot int) *tcpHand {
	if slot < 0 || slot >= len(s.root.Hands) || s.root.Hands[slot] == 0 {
		return nil
	}
	return shm.Ref[tcpHand]{Off: s.root.Hands[slot]}.Get(a)
}

// take notes that p is in hand; it costs one copy.
func (t *tcpHand) take(p *Packet) {
	copy(t.Msg[:], p.Buf)
	t.Proto, t.Sock = uint32(p.Proto), int32(p.Sock)
	put(&t.Src, p.Src)
	put(&t.Dst, p.Dst)
	atomic.StoreUint32(&t.Len, uint32(len(p.Buf)))
}

func (t *tcpHand) drop() { atomic.StoreUint32(&t.Len, 0) }

// dead is what the dead worker was handling, nil if nothing; it is told once.
func (t *tcpHand) dead() *Hand {
	n := int(atomic.LoadUint32(&t.Len))
	if n == 0 {
		return nil
	}
	t.drop()
	b := append([]byte(nil), t.Msg[:min(n, len(t.Msg))]...)
	return &Hand{Msg: b, Len: n, Digest: digest(b), Proto: sipparse.Proto(t.Proto), Src: get(&t.Src), Dst: get(&t.Dst), Sock: int(t.Sock)}
}

// Hold notes that p is worked on although Receive has returned long since: a script that was suspended goes on. Without it main would not know who was to blame for a
// death then. It costs one copy. On the loop, and never inside Receive; LetGo ends it.
func (w *Worker) Hold(p *Packet) {
	switch {
	case w.tcp != nil:
		w.tcp.hand.take(p)
	case w.rx != nil:
		h := w.rx.h
		put(&h.HeldSrc, p.Src)
		h.Held = uint32(copy(w.rx.buffer(h.Bufs-1), p.Buf))
	}
}

// LetGo ends what Hold began.
func (w *Worker) LetGo() {
	switch {
	case w.tcp != nil:
		w.tcp.hand.drop()
	case w.rx != nil:
		w.rx.h.Held = 0
	}
}
