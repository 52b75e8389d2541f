package main

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/reactor/resolve"
	"kahea/sipparse"
)

// wire joins a reactor worker to the engine: it is the reactor's Handler and the engine's Host.
type wire struct {
	s     *server
	w     *reactor.Worker
	pkt   *reactor.Packet // in hand
	held  reactor.Packet  // of a script that goes on
	keep  func() func()   // bound once, so that a message costs no closure
	slow  bool            // this process runs the periodic functions
	names *resolve.Resolver
	procs *procmgr.Procs
	gen   *generations // nil in main
}

func newWire(s *server) (*wire, error) {
	h := &wire{s: s}
	var err error
	if h.names, err = resolve.New(resolve.Options{}); err != nil {
		return nil, err
	}
	h.names.Set(s.resolveSettings())
	if h.procs, err = procmgr.OpenTable(s.arena); err != nil {
		return nil, err
	}
	h.keep = func() func() {
		k := h.pkt.Keep()
		return k.Release
	}
	return h, nil
}

// serve makes it the host of a generation; its worker is set.
func (h *wire) serve(s *server) {
	s.proc.Host, s.proc.Net.Source = h, h.w.Source
}

// Receive hands a message to the engine.
func (h *wire) Receive(p *reactor.Packet) reactor.Verdict {
	h.pkt = p
	r := route.Recv{Src: p.Src, Dst: p.Dst, Sock: h.s.proc.Net.At(p.Sock), Proto: p.Proto, Conn: p.Conn, Time: p.Time}
	if h.s.proc.Receive(p.Buf, r, h.keep) && h.s.par.TCPScriptMode == 0 {
		return reactor.Close
	}
	return reactor.Done
}

// Resumed and Rested are route.Resumer: the message of a script that goes on is in hand again.
func (h *wire) Resumed(r *route.Recv, msg []byte) {
	h.held = reactor.Packet{Buf: msg, Src: r.Src, Dst: r.Dst, Sock: r.Sock.Index, Proto: r.Proto, Conn: r.Conn}
	h.w.Hold(&h.held)
}

func (h *wire) Rested() { h.w.LetGo() }

// Tick advances the process's timing wheel and says that the process lives.
func (h *wire) Tick(now uint64) {
	h.procs.Beat()
	if h.s.runtime.read() {
		h.s.follow()
		h.w.SetOptions(h.s.reactorOptions())
		h.names.Set(h.s.resolveSettings())
		h.s.arena.SetReserve(h.s.par.ShmReserve) // every process sets the same
	}
	h.s.proc.Advance(now)
	if h.gen != nil {
		h.gen.sweep()
	}
	if h.slow {
		h.s.tickPeriodic(now)
	}
}

// Buffer, Send, Await, AddAlias, CloseConn, Resolve, Now and Ticks are route.Host.
func (h *wire) Buffer() []byte { return h.w.Buffer() }

func (h *wire) Send(d route.Dest, b []byte) error {
	if see := h.s.proc.Outgoing; see != nil {
		if changed := see(d, b); changed != nil {
			b = changed
		}
	}
	if d.Proto == sipparse.UDP {
		return h.w.SendUDP(d.Sock.Index, d.Addr, b)
	}
	var fl reactor.SendFlags
	if d.Flags&route.SendClose != 0 {
		fl |= reactor.ForceClose
	}
	if d.Flags&route.SendNoConnect != 0 {
		fl |= reactor.NoConnect
	}
	return h.w.SendTCP(d.Conn, d.Sock.Index, d.Addr, b, fl)
}

func (h *wire) Await(wait, done func())                 { h.w.Await(wait, done) }
func (h *wire) AddAlias(conn uint32, port uint16) error { return h.w.AddAlias(conn, port) }
func (h *wire) CloseConn(conn uint32) error             { return h.w.CloseConn(conn) }
func (h *wire) HasConn(conn uint32) bool                { return h.w.HasConn(conn) }
func (h *wire) Now() int64                              { return h.w.Now() }
func (h *wire) Ticks() uint64                           { return h.w.Ticks() }

func (h *wire) Resolve(n route.Name) (route.Place, bool, func() (route.Place, error)) {
	name := resolve.Name{Host: string(n.Host), Port: n.Port, Proto: n.Proto, Any: n.Any, V4: n.V4, V6: n.V6}
	if l, known := h.names.Located(name); known {
		return firstPlace(n, l), true, nil
	}
	return route.Place{}, false, func() (route.Place, error) {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		defer cancel()
		l, err := h.names.Locate(ctx, name)
		return firstPlace(n, l), err
	}
}

func firstPlace(n route.Name, l []resolve.Place) route.Place {
	for _, p := range l {
		if !slices.Contains(n.Tried, route.Place(p)) {
			return route.Place(p)
		}
	}
	return route.Place{}
}

func (h *wire) HasName(addr netip.Addr, host string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	return h.names.HasName(ctx, addr, host)
}

// lookupTimeout bounds a name's lookup, over all servers.
const lookupTimeout = 10 * time.Second

// Failed logs what could not be sent after Send had taken it: a connect that failed, a queue that overflowed.
func (h *wire) Failed(p sipparse.Proto, conn uint32, _ int, dst netip.AddrPort, b []byte, err error) {
	if h.s.proc.Log.On(log.Err) {
		line, _, _ := bytes.Cut(b, []byte("\r\n"))
		h.s.proc.Log.Printf(log.Err, "<core>: ", "send over %s to %s (connection %d) failed: %v: %q", p, dst, conn, err, line)
	}
	if len(b) > 0 {
		for _, f := range h.s.proc.SendFailed {
			f(b)
		}
	}
}

// NextTick is when the process has something to do without traffic: its next timer, its next periodic function.
func (h *wire) NextTick(now uint64) uint64 {
	next := now + 16
	if due, ok := h.s.proc.Wheel.NextDue(h.s.arena); ok {
		next = min(next, due)
	}
	if h.slow {
		for i := range h.s.beat {
			next = min(next, h.s.beat[i].next)
		}
	}
	return next
}

var _ reactor.Handler = (*wire)(nil)
var _ reactor.Rester = (*wire)(nil)
var _ route.Resumer = (*wire)(nil)
var _ reactor.Failer = (*wire)(nil)
var _ route.Host = (*wire)(nil)
