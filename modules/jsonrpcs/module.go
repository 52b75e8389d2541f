// Package jsonrpcs serves RPC commands in JSON-RPC 2.0 over a fifo and over datagram sockets.
//
// Main makes fifo and socket in Init and keeps the descriptors for the processes "JSONRPCS FIFO" and "JSONRPCS DATAGRAM". Each has a goroutine that
// reads; the commands run on the loop, one at a time.
package jsonrpcs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/lib/rpc"
)

func init() {
	modules.Register("jsonrpcs", func() modules.Module {
		return &mod{
			pretty: 1, transport: fifoBit | dgramBit, replyDir: "/tmp/", fifo: place{name: "kamailio_rpc.fifo", mode: 0o660, user: -1, group: -1},
			dgram: place{name: "kamailio_rpc.sock", mode: 0o660, user: -1, group: -1}, workers: 1, timeout: 2000,
		}
	})
}

// Bits of the parameter transport.
const (
	httpBit = 1 << iota
	fifoBit
	dgramBit
	tcpBit
)

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
	_ modules.Initer  = (*mod)(nil)
	_ modules.Runner  = (*mod)(nil)
	_ modules.Closer  = (*mod)(nil)
)

// place is where a fifo or socket is made, for whom.
type place struct {
	name        string
	mode        int
	user, group int
}

type mod struct {
	pretty, transport int
	fifo, dgram       place
	replyDir          string
	workers           int
	timeout           int // ms
	h                 *modules.Host
	files             []*os.File // main: what the children inherit
	made              []string   // main: what to remove at the end
	stop              []func()   // child
	reading           []deadliner
	readers           atomic.Int32 // goroutines that read
	draining          bool
	last              struct { // of jsonrpc_exec
		code int
		body []byte
	}
}

func (m *mod) Exports() modules.Exports {
	owner := func(at *int, find func(modules.Value) (int, error)) func(modules.Value) error {
		return func(v modules.Value) (err error) {
			*at, err = find(v)
			return err
		}
	}
	return modules.Exports{
		Params: []modules.Param{
			{Name: "pretty_format", Int: &m.pretty, Max: 1, Doc: "1: responses have a member a line; 0: on one line"},
			{Name: "transport", Fixed: true, Type: modules.IntParam, Func: m.setTransport, Doc: "bits: 2 fifo, 4 datagram (1 http and 8 tcp are not there yet); 0: all that are there; default 6"},
			{Name: "fifo_name", Fixed: true, Str: &m.fifo.name, Doc: "path of the fifo, relative to the run directory; empty: none"},
			{Name: "fifo_mode", Fixed: true, Int: &m.fifo.mode, Max: 0o777, Doc: "its permissions, 0660"},
			{Name: "fifo_user", Fixed: true, Type: modules.AnyParam, Func: owner(&m.fifo.user, modules.Value.UserID), Doc: "its owner, the process's user by default"},
			{Name: "fifo_group", Fixed: true, Type: modules.AnyParam, Func: owner(&m.fifo.group, modules.Value.GroupID), Doc: "its group"},
			{Name: "fifo_reply_dir", Str: &m.replyDir, Doc: "directory of the reply fifos, with the slash at its end; /tmp/"},
			{Name: "dgram_socket", Fixed: true, Str: &m.dgram.name, Doc: "path of the datagram socket, relative to the run directory, or udp:host:port; empty: none"},
			{Name: "dgram_mode", Fixed: true, Int: &m.dgram.mode, Max: 0o777, Doc: "its permissions, 0660"},
			{Name: "dgram_user", Fixed: true, Type: modules.AnyParam, Func: owner(&m.dgram.user, modules.Value.UserID), Doc: "its owner, the process's user by default"},
			{Name: "dgram_group", Fixed: true, Type: modules.AnyParam, Func: owner(&m.dgram.group, modules.Value.GroupID), Doc: "its group"},
			{Name: "dgram_workers", Int: &m.workers, Min: 1, Max: 64, Doc: "processes that serve the datagram socket, 1"},
			{Name: "dgram_timeout", Int: &m.timeout, Min: 1, Max: 1 << 20, Doc: "ms that a response may take to be sent, 2000"},
		},
		Funcs: []route.Func{
			{Name: "jsonrpc_exec", Args: "s", From: route.AnyRoute, Doc: "run a request in this process; $jsonrpl(body) is the response", Run: m.exec},
		},
		RPC:  []modules.RPC{{Name: "jsonrpc.echo", Array: true, Doc: "Returns its first parameter, and the second if that is a number", Run: echo}},
		Vars: []route.Var{{Name: "jsonrpl", Bind: m.bindReply, Doc: "$jsonrpl(code|text|body) of the last jsonrpc_exec"}},
	}
}

// echo is jsonrpc.echo.
func echo(r *modules.Request) error {
	if s, ok := r.NextStr(); ok {
		r.AddStr(s)
	}
	if r.NextIsInt() {
		n, _, err := r.NextInt()
		if err != nil {
			return err
		}
		r.AddInt(n)
	}
	return nil
}

func (m *mod) setTransport(v modules.Value) error {
	switch {
	case v.Int < 0 || v.Int > 15:
		return fmt.Errorf("got %d, want 0 to 15", v.Int)
	case v.Int&httpBit != 0:
		return errors.New("bit 1 (http) is not there yet: it needs module xhttp")
	case v.Int&tcpBit != 0:
		return errors.New("bit 8 (tcp) is not there yet")
	}
	m.transport = v.Int
	if v.Int == 0 {
		m.transport = fifoBit | dgramBit
	}
	return nil
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	for _, p := range []*place{&m.fifo, &m.dgram} {
		if p.user < 0 {
			p.user = h.User
		}
		if p.group < 0 {
			p.group = h.Group
		}
		if p.name != "" && !filepath.IsAbs(p.name) && !strings.HasPrefix(p.name, "udp:") {
			p.name = filepath.Join(h.RunDir, p.name)
		}
	}
	return nil
}

func (m *mod) hasFifo() bool  { return m.transport&fifoBit != 0 && m.fifo.name != "" }
func (m *mod) hasDgram() bool { return m.transport&dgramBit != 0 && m.dgram.name != "" }

// Init makes fifo and socket in main.
func (m *mod) Init(h *modules.Host) error {
	keep := func(name string, p *place, open func(p *place) (*os.File, error)) error {
		if h.Files(name) >= 0 { // a reload: it is there
			if h.Resumed && !strings.HasPrefix(p.name, "udp:") {
				m.made = append(m.made, p.name)
			}
			return nil
		}
		f, err := open(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		m.files = append(m.files, f)
		if !strings.HasPrefix(p.name, "udp:") {
			m.made = append(m.made, p.name)
		}
		h.KeepFile(name, int(f.Fd()))
		return nil
	}
	var errs []error
	if m.hasFifo() {
		errs = append(errs, keep(fifoFile, &m.fifo, openFifo))
	}
	if m.hasDgram() {
		errs = append(errs, keep(dgramFile, &m.dgram, openDgram))
	}
	return errors.Join(errs...)
}

// Names of what main keeps for the children.
const (
	fifoFile  = "jsonrpcs:fifo"
	dgramFile = "jsonrpcs:dgram"
)

// Procs asks for the processes, in Kamailio's order.
func (m *mod) Procs() []modules.Proc {
	var l []modules.Proc
	if m.hasFifo() {
		l = append(l, modules.Proc{Desc: "JSONRPCS FIFO", Rank: -2, Kind: fifoFile})
	}
	if m.hasDgram() {
		for range m.workers {
			l = append(l, modules.Proc{Desc: "JSONRPCS DATAGRAM", Rank: -2, Kind: dgramFile})
		}
	}
	return l
}

// Run serves in a child.
func (m *mod) Run(h *modules.Host, kind string) error {
	fd := h.Files(kind)
	if kind == fifoFile {
		return m.serveFifo(fd)
	}
	return m.serveDgram(fd)
}

// deadliner is what a reader reads from.
type deadliner interface{ SetReadDeadline(t time.Time) error }

// drainWait is how long a request that has come in part may take to be whole when the process leaves.
const drainWait = time.Second

func (m *mod) reader(d deadliner) {
	m.reading = append(m.reading, d)
	m.readers.Add(1)
}

// Drain is modules.Drainer: readers end behind the request that they are at.
func (m *mod) Drain() bool {
	if !m.draining {
		m.draining = true
		for _, d := range m.reading {
			if err := d.SetReadDeadline(time.Now()); err != nil {
				m.h.Logf(log.Err, "jsonrpcs", "stop reading: %v", err)
			}
		}
	}
	return m.readers.Load() == 0
}

// Close ends the readers; main removes what it made.
func (m *mod) Close() error {
	for _, f := range m.stop {
		f()
	}
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	for _, p := range m.made {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	m.files, m.made, m.stop = nil, nil, nil
	return errors.Join(errs...)
}

// run runs one request on the loop and waits for the response; nil when there is none.
func (m *mod) run(b []byte, stopped <-chan struct{}) (r *rpc.JSONRequest, response []byte) {
	r, err := rpc.ParseJSON(b)
	if err != nil {
		m.h.Logf(log.Err, "jsonrpcs", "%v", err)
		code := rpc.CodeParse
		if errors.Is(err, rpc.ErrNotObject) {
			code = rpc.CodeRequest
		}
		return nil, rpc.JSONError(nil, nil, code, "", m.pretty != 0)
	}
	done := make(chan []byte, 1)
	m.h.Loop(func() {
		rpc.Answer(m.h.Commands, r, m.pretty != 0, func(_ int, b []byte) { done <- b })
	})
	select {
	case response = <-done:
	case <-stopped:
		return r, nil
	}
	if r.StorePath == "" {
		return r, response
	}
	if err := os.WriteFile(r.StorePath, response, 0o600); err != nil {
		return r, rpc.JSONError(nil, r, 500, "can not store the result", m.pretty != 0)
	}
	stored := []*modules.Node{{Kind: modules.KindStr, Str: "Stored"}}
	return r, rpc.JSONResult(nil, r, false, stored, m.pretty != 0)
}

// exec runs a request inside the script.
func (m *mod) exec(c *route.Ctx, a *route.Args) int {
	text, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	m.last.code, m.last.body = 0, nil
	r, err := rpc.ParseJSON(text)
	if err != nil {
		c.Logf(log.Err, "jsonrpcs", "jsonrpc_exec: %v", err)
		return -1
	}
	rpc.Answer(m.h.Commands, r, m.pretty != 0, func(code int, b []byte) { m.last.code, m.last.body = code, b })
	if m.last.body == nil {
		c.Logf(log.Err, "jsonrpcs", "jsonrpc_exec: %s does not answer at once", r.Method)
		return -1
	}
	return 1
}

func (m *mod) bindReply(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	switch r.Inner {
	case "code":
		return func(*route.Ctx) route.Value { return route.Int(int64(m.last.code)) }, nil, nil
	case "text":
		return func(c *route.Ctx) route.Value {
			if m.last.code == 200 {
				return route.Str([]byte("OK"))
			}
			return route.Str([]byte("Error"))
		}, nil, nil
	case "body":
		return func(c *route.Ctx) route.Value {
			if m.last.body == nil {
				return route.Null
			}
			return route.Str(c.Scratch.Copy(m.last.body))
		}, nil, nil
	}
	return nil, nil, fmt.Errorf("inner name %q: want code, text or body", r.Inner)
}
