package reactor

import (
	"net/netip"

	"kahea/sipparse"
)

// Packet is one received message. Buf is borrowed: it is valid until Receive returns, unless Keep was called: then until Release.
type Packet struct {
	Buf   []byte
	Src   netip.AddrPort
	Dst   netip.AddrPort // local address that received it
	Sock  int            // index of the listener
	Proto sipparse.Proto
	Conn  uint32 // TCP connection id, 0 for UDP
	Time  int64  // kernel's receive time, unix ns

	w    *Worker
	slot int32 // receive slot of a UDP datagram, -1 otherwise
	mem  int32 // buffer of the receive area that a kept packet owns, -1: Buf is on the heap
	kept bool
}

// Keep swaps the receive slot's buffer for a spare one, so that p.Buf outlives Receive; nothing is copied (bytes of a TCP connection are, since they lie in
// the loop's read buffer). It returns a Packet of the pool that carries the buffer; Release gives it back. Only on the loop, and only inside Receive.
func (p *Packet) Keep() *Packet {
	w := p.w
	var k *Packet
	if n := len(w.kept); n > 0 {
		k = w.kept[n-1]
		w.kept = w.kept[:n-1]
	} else {
		k = new(Packet)
	}
	heap := k.Buf
	*k = *p
	k.kept, k.mem = true, -1
	if p.slot >= 0 && w.rx.swap(int(p.slot), k) {
		return k
	}
	k.Buf = append(heap[:0], p.Buf...)
	return k
}

// Release gives a kept packet back. Only on the loop.
func (p *Packet) Release() {
	if !p.kept {
		return
	}
	p.kept = false
	if p.mem >= 0 {
		p.w.rx.free = append(p.w.rx.free, uint32(p.mem))
		p.Buf = nil
	}
	p.w.kept = append(p.w.kept, p)
}

// Verdict is what a Handler says of a message.
type Verdict uint8

const (
	Done  Verdict = iota
	Close         // TCP: close the connection (unparsable, negative script result)
)

// Handler is the only thing that the reactor knows of what is above it. All methods run on the worker's loop.
type Handler interface {
	Receive(p *Packet) Verdict
	Tick(now uint64) // every 1/16 s of monotonic time while the worker lives; now counts ticks of 1/16 s since the epoch chosen by main
}

// Rester is implemented by a Handler that does not need every tick while there is no traffic: NextTick says which one it needs next. It runs on the loop. A tick
// that is told late is told once.
type Rester interface {
	NextTick(now uint64) uint64
}

// Failer is implemented by a Handler that wants to know what could not be sent. It runs on the loop; b is valid during the call. For UDP sock and dst are
// those of SendUDP; for TCP conn is the connection, or 0 when none was made.
type Failer interface {
	Failed(proto sipparse.Proto, conn uint32, sock int, dst netip.AddrPort, b []byte, err error)
}
