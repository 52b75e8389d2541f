package reactor

import (
	"fmt"
	"net/netip"

	"kahea/sipparse"

	"golang.org/x/sys/unix"
)

// bootUDP opens the socket, hands duplicates to main, and has the loop begin with what a predecessor has left behind.
func (w *Worker) bootUDP() error {
	if w.c.Sock < 0 || w.c.Sock >= len(w.c.Listeners) {
		return fmt.Errorf("listener %d of %d: %w", w.c.Sock, len(w.c.Listeners), unix.EINVAL)
	}
	var err error
	if w.rx, err = newRX(w.o.Batch, w.o.MaxMessage, w.o.Batch); err != nil {
		return err
	}
	l := w.c.Listeners[w.c.Sock]
	_, err = w.sh.join(w.c.Arena, w.c.Sock, w.c.Index, w.c.Group, w.c.Slot, func() (int, error) { return openUDP(l, w.o) }, func(fd int) {
		w.sock = fd
		w.owned = append(w.owned, fd)
		if w.c.Opened != nil {
			w.c.Opened([]int{fd, w.rx.fd})
		}
	})
	if err != nil {
		return err
	}
	w.senders[w.c.Sock], w.anySource[w.c.Sock] = w.sock, false
	w.pkt = Packet{Dst: localAddr(w.sock), Sock: w.c.Sock, Proto: sipparse.UDP, w: w, mem: -1}
	if len(w.c.Fds) > 0 {
		// Behind what says that the process is ready: main watches no other, and the message that the predecessor hung on is among what it has left.
		w.Post(w.inherit)
	}
	return nil
}

// Local is the address of the worker's own socket (tests bind port 0); the zero value before Opened was called.
func (w *Worker) Local() netip.AddrPort { return localAddr(w.sock) }

// inherit replays what the predecessor had in memory, then empties its sockets: oldest first, before the own socket is read. It runs on the loop, in its first round.
func (w *Worker) inherit() {
	w.clock()
	for _, fd := range w.c.Fds {
		if r, err := openRX(fd); err == nil {
			w.replay(r)
			r.close()
			unix.Close(fd)
			continue
		}
		w.old = append(w.old, fd)
	}
	w.drainOld()
	// Whoever chose one of the old sockets before the steering changed is a softirq at work right now: two ticks are plenty.
	w.oldUntil = w.mono + 2*tickTime
}

func (w *Worker) drainOld() {
	for _, fd := range w.old {
		for n := w.drain(fd); n > 0; n = w.drain(fd) {
			w.stats.Drained += uint64(n)
			w.Flush()
		}
	}
}

// settleOld closes the predecessor's sockets when nothing can come to them any more.
func (w *Worker) settleOld() {
	if len(w.old) == 0 || w.mono < w.oldUntil {
		return
	}
	w.drainOld()
	closeAll(w.old)
	w.old = nil
	if w.c.Drained != nil {
		w.c.Drained()
	}
}

// replay handles what a dead worker had received and not yet answered. The message that it had in hand gets a second chance, not a third: main has put it on the
// list of killers then, before it started this process.
func (w *Worker) replay(r *rx) {
	for i := int(r.h.Delivered); i < len(r.msgs); i++ {
		m := &r.msgs[i]
		if m.n == 0 || m.n > r.h.Size || r.h.BufOf[i] >= r.h.Bufs {
			continue
		}
		w.stats.Replayed++
		w.put(r.buffer(r.h.BufOf[i])[:m.n], get(&r.addrs[i]))
		r.h.Delivered = uint32(i) + 1 // it stands in the own area now
		w.one(0, r.time(i))
		w.Flush()
	}
	r.h.Delivered = uint32(len(r.msgs))
}

// put copies a message into slot 0, as if recvmmsg had.
func (w *Worker) put(b []byte, src netip.AddrPort) {
	r := w.rx
	r.h.Delivered = uint32(len(r.msgs))
	for i := range r.used {
		r.msgs[i].n = 0
	}
	r.used = max(r.used, 1)
	put(&r.addrs[0], netip.AddrPortFrom(src.Addr().Unmap(), src.Port()))
	r.msgs[0].hdr.Flags, r.msgs[0].hdr.Controllen = 0, 0
	r.msgs[0].n = uint32(copy(r.buffer(r.h.BufOf[0]), b))
	r.h.Delivered = 0
}

// drain handles one batch of fd and returns how many datagrams it took.
func (w *Worker) drain(fd int) int {
	r := w.rx
	wait := w.waitIn && fd == w.sock
	w.waitIn = false
	n := r.receive(fd, wait)
	if wait {
		w.state.Store(running)
		w.clock()
	}
	for i := range n {
		w.one(i, r.time(i))
	}
	return n
}

// one hands slot i to the Handler.
func (w *Worker) one(i int, t int64) {
	r := w.rx
	m := &r.msgs[i]
	if m.n > uint32(w.o.MaxMessage) || m.hdr.Flags&unix.MSG_TRUNC != 0 {
		w.stats.TooLong++
		return
	}
	if m.n == 0 {
		return
	}
	src := get(&r.addrs[i])
	if w.sh.peers != nil && !w.unproxy(i, &src) {
		return
	}
	if w.sh.root.Killers.drops(r.buffer(r.h.BufOf[i])[:m.n], w.now) {
		w.stats.Killers++
		return
	}
	p := &w.pkt
	p.Buf = r.buffer(r.h.BufOf[i])[:m.n:m.n]
	p.Src = src
	if p.Time = t; t == 0 {
		p.Time = w.now
	}
	p.slot = int32(i)
	w.stats.Received++
	r.h.Hand = uint32(i) + 1
	w.h.Receive(p)
	r.h.Hand = 0
}
