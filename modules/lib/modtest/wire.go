package modtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"kahea/cfglang/route"
	"kahea/modules"
)

// start is the time at which every test begins: 2026-01-01 00:00:00 UTC.
const start = int64(1767225600 * time.Second)

// wire is the engine's Host: it keeps what is sent and runs what is awaited when the test drains.
type wire struct {
	s       *Server
	now     int64
	buf     []byte
	waiting []func()
	closed  []uint32
}

var _ route.Host = (*wire)(nil)

func (w *wire) Buffer() []byte {
	if w.buf == nil {
		w.buf = make([]byte, 0, 1<<16)
	}
	return w.buf[:0]
}

func (w *wire) Send(d route.Dest, b []byte) error {
	if w.s.Unreachable[d.Addr.String()] {
		return errUnreachable
	}
	w.s.sent = append(w.s.sent, Sent{Proto: d.Proto, To: d.Addr, From: d.Sock, Text: string(bytes.Clone(b))})
	return nil
}

func (w *wire) Await(wait, done func()) {
	w.waiting = append(w.waiting, func() { wait(); done() })
}

func (w *wire) CloseConn(conn uint32) error {
	w.closed = append(w.closed, conn)
	return nil
}

func (w *wire) HasConn(uint32) bool { return false }

func (w *wire) AddAlias(_ uint32, port uint16) error {
	w.s.Aliases = append(w.s.Aliases, port)
	return nil
}

func (w *wire) Now() int64 { return w.now }

func (w *wire) Ticks() uint64 { return uint64((w.now - start) / int64(time.Second/16)) }

var errUnreachable = errors.New("network is unreachable")

var errName = errors.New("no such name")

func (w *wire) Resolve(n route.Name) (route.Place, bool, func() (route.Place, error)) {
	if l := w.s.Places[string(n.Host)]; l != nil {
		for _, p := range l {
			if !slices.Contains(n.Tried, p) {
				return p, true, nil
			}
		}
		return route.Place{}, true, nil
	}
	if f := w.s.Resolve; f != nil {
		port := n.Port
		if port == 0 {
			port = 5060
		}
		for _, v6 := range [2]bool{false, true} {
			if a, ok := f(string(n.Host), v6); ok && (v6 && n.V6 || !v6 && n.V4) {
				return route.Place{Addr: netip.AddrPortFrom(a, port), Proto: n.Proto}, true, nil
			}
		}
	}
	return route.Place{}, false, func() (route.Place, error) { return route.Place{}, errName }
}

func (w *wire) HasName(netip.Addr, string) bool { return false }

// heap gives scratch memory from Go's heap.
type heap struct{}

func (heap) Chunk(n int) []byte { return make([]byte, n) }
func (heap) Release([]byte)     {}

// noCfg is a run-time configuration without variables.
type noCfg struct{}

var errNoCfg = errors.New("there is no run-time configuration")

func (noCfg) Get(modules.CfgGroup, string) (modules.Value, bool)          { return modules.Value{}, false }
func (noCfg) Set(modules.CfgGroup, string, modules.Value) error           { return errNoCfg }
func (noCfg) Unset(modules.CfgGroup, string) error                        { return errNoCfg }
func (noCfg) Reset(modules.CfgGroup) error                                { return nil }
func (noCfg) AddInstance(modules.CfgGroup) error                          { return errNoCfg }
func (noCfg) DelInstance(modules.CfgGroup) error                          { return errNoCfg }
func (noCfg) Each(func(group, name string, v modules.Value, desc string)) {}
func (noCfg) Check(_ modules.CfgGroup, _ string, v modules.Value) (modules.Value, error) {
	return v, errNoCfg
}

func (l *loader) coreParam(name string) (modules.Value, bool) {
	for i := range l.table {
		t := &l.table[i]
		switch {
		case t.Name != name:
			continue
		case t.Bool != nil:
			n := 0
			if *t.Bool != t.Invert {
				n = 1
			}
			return modules.Value{Int: n, IsInt: true}, true
		case t.Int != nil:
			return modules.Value{Int: *t.Int, IsInt: true}, true
		}
		return modules.Value{Str: *t.Str}, true
	}
	return modules.Value{}, false
}

// CRLF turns line ends that are \n alone into \r\n.
func CRLF(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// Request is an ordinary request from alice to bob; lines are further header lines, without line ends.
func Request(method, uri string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-1\r\nFrom: <sip:alice@example.com>;tag=a1\r\n"+
		"To: <sip:bob@example.com>\r\nCall-ID: call-1@127.0.0.1\r\nCSeq: 1 %s\r\n", method, uri, method)
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String()
}

// Reply is an ordinary reply to a request that this server (127.0.0.1:5060) sent on behalf of 127.0.0.1:5070.
func Reply(code int, reason, method string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-1\r\n"+
		"From: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>;tag=b1\r\nCall-ID: call-1@127.0.0.1\r\nCSeq: 1 %s\r\n", code, reason, method)
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String()
}
