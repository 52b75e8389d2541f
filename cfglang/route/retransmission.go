package route

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// waiting finds the requests whose scripts wait, so that a retransmission of one does not start a second script. Only UDP requests are in it: over a
// connection nothing is repeated. The generations of a process share it.
type waiting struct {
	seed maphash.Seed
	n    int
	at   map[uint64]*Ctx // first of the requests with a key; the others hang on it (Ctx.alike)
}

func newWaiting() *waiting { return &waiting{seed: maphash.MakeSeed(), at: make(map[uint64]*Ctx)} }

// key is the digest of a message's bytes and of where it came from. The bytes are compared too.
func (w *waiting) key(buf []byte, r *Recv) uint64 {
	ip := r.Src.Addr().As16()
	k := maphash.Bytes(w.seed, buf)
	for _, x := range [...]uint64{binary.LittleEndian.Uint64(ip[:]), binary.LittleEndian.Uint64(ip[8:]), uint64(r.Src.Port())} {
		k = (k ^ x) * 0x9e3779b97f4a7c15
	}
	return k
}

// find is the waiting script of an exact copy of buf that came from the same place to the same socket; nil if there is none.
func (w *waiting) find(key uint64, buf []byte, r *Recv) *Ctx {
	for c := w.at[key]; c != nil; c = c.alike {
		if c.Recv.Src == r.Src && c.Recv.Sock.Index == r.Sock.Index && bytes.Equal(c.Msg.Buf, buf) {
			return c
		}
	}
	return nil
}

// add enters the request of c, which must not move or change until remove.
func (w *waiting) add(c *Ctx) {
	if c.key == 0 {
		c.key = w.key(c.Msg.Buf, &c.Recv)
	}
	c.alike = w.at[c.key]
	w.at[c.key] = c
	c.listed = true
	w.n++
}

func (w *waiting) remove(c *Ctx) {
	if first := w.at[c.key]; first != c {
		for first.alike != c {
			first = first.alike
		}
		first.alike = c.alike
	} else if c.alike != nil {
		w.at[c.key] = c.alike
	} else {
		delete(w.at, c.key)
	}
	c.alike, c.listed = nil, false
	w.n--
}

// absorb takes a message that repeats one whose script waits out of the way. tm answers it with what it has answered so far.
func (p *Proc) absorb(key uint64, buf []byte, r *Recv) bool {
	c := p.waiting.find(key, buf, r)
	if c == nil {
		return false
	}
	p.Count(p.Stat.SuspendAbsorbed)
	for _, f := range c.P.Absorbed {
		f(c)
	}
	return true
}
