package modtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
)

// Server is a process made of a configuration.
type Server struct {
	Proc  *route.Proc
	Host  *modules.Host
	Arena *shm.Arena
	// Resolve answers for names; nil: every name is unknown.
	Resolve func(host string, v6 bool) (netip.Addr, bool)
	// Places are all places of a name, instead of Resolve.
	Places map[string][]route.Place
	// Unreachable are addresses to which sending fails.
	Unreachable map[string]bool

	// Aliases are the ports that the script gave to TCP connections, in order.
	Aliases []uint16

	t     testing.TB
	out   bytes.Buffer
	sent  []Sent
	wire  *wire
	every []func()
}

// Sent is a message that left.
type Sent struct {
	Proto sipparse.Proto
	To    netip.AddrPort
	From  *route.Socket
	Text  string
}

// Start makes a server; the test fails when the configuration has an error. It is closed with the test.
func Start(t testing.TB, cfg string) *Server {
	t.Helper()
	s, err := Load(t, cfg)
	if err != nil {
		t.Fatalf("configuration: %v", err)
	}
	return s
}

// Load is Start for configurations that may be wrong: the error has all diagnostics as a user would see them.
func Load(t testing.TB, cfg string) (*Server, error) {
	t.Helper()
	l, err := load(cfg)
	if err != nil {
		return nil, err
	}
	if l.diag.HasErrors() {
		l.compiler().Compile(l.file)
		return nil, l.err()
	}
	s := &Server{t: t}
	par := l.par
	p := &route.Proc{Slot: 0, Net: l.net, Started: start, Log: log.New(log.Options{Stderr: true, Out: &s.out}, log.Level(par.Debug))}
	p.Par = route.Params{
		ServerSignature: par.ServerSignature, ServerHeader: []byte(par.ServerHeader), UserAgentHeader: []byte(par.UserAgentHeader),
		SIPWarning: par.SIPWarning, DNSFailover: par.DNSFailover, Block: route.BlockParams{Use: par.BlockUse, Expire: uint64(par.BlockExpire) * 16, Bytes: par.BlockMem << 10}, ParserLenient: par.ParserMode == 0, Grammar: par.Grammar(), ForceRPort: par.ForceRPort, LocalRPort: par.LocalRPort,
		CheckVia: par.CheckVia, ReplyToVia: par.ReplyToVia, MaxWhileLoops: par.MaxWhileLoops, MaxRecursive: par.MaxRecursive,
		MaxBranches: par.MaxBranches, AdvHost: []byte(par.AdvAddress), AdvPort: uint16(par.AdvPort), ParserLog: log.Level(par.ParserLog),
		OnSendReply: par.OnSendReply, ServerID: par.ServerID, Phone2Tel: par.Phone2Tel, ReceivedRoute: par.ReceivedMode == 1, LatencyCfgLog: 99,
	}
	if par.AdvAddress == "" {
		p.Par.AdvHost = nil
	}
	s.Proc, s.wire = p, &wire{s: s, now: start}
	p.Host, p.Mem = s.wire, heap{}
	if s.Arena, err = shm.Create(16<<20, shm.QM); err != nil {
		return nil, err
	}
	t.Cleanup(s.close)
	p.Arena = s.Arena
	s.Arena.SetReserve(par.ShmReserve)
	s.Host = &modules.Host{
		Proc: p, Main: true, RunDir: t.TempDir(), User: -1, Group: -1, Commands: &modules.Commands{}, Cfg: noCfg{},
		Loop: func(f func()) { s.wire.waiting = append(s.wire.waiting, f) },
		Core: func(name string) (modules.Value, bool) { return l.coreParam(name) },
		Procs: func() []modules.ProcInfo {
			return []modules.ProcInfo{{Index: 0, PID: 1, Desc: "test"}}
		},
		Files:    func(string) int { return -1 },
		KeepFile: func(string, int) {},
		Every:    func(_ time.Duration, f func()) { s.every = append(s.every, f) },
		Info:     modules.Info{Name: "kahea", Version: "0.0.0", ID: "test"},
	}
	s.Host.SetLoaded(l.loaded)
	if err := s.counters(l.loaded); err != nil {
		return nil, err
	}
	if p.Wheel, err = shm.NewWheel(s.Arena, 0, s.Arena.TagFor("test", "wheel")); err != nil {
		return nil, err
	}
	k := l.compiler()
	s.Host.Env = k
	if par.LogPrefix != "" {
		if p.Par.LogPrefix, err = k.ParseFormat(par.LogPrefix); err != nil {
			return nil, fmt.Errorf("log_prefix: %w", err)
		}
	}
	for _, d := range l.loaded {
		if m, ok := d.Module.(modules.Setuper); ok {
			if err := m.Setup(s.Host); err != nil {
				return nil, fmt.Errorf("module %s: %w", d.Name, err)
			}
		}
	}
	for i, j := 0, len(p.Responses)-1; i < j; i, j = i+1, j-1 {
		p.Responses[i], p.Responses[j] = p.Responses[j], p.Responses[i]
	}
	p.Prog = k.Compile(l.file)
	for _, d := range l.loaded {
		if err := s.Host.Commands.Add(d.Table.RPC...); err != nil {
			return nil, fmt.Errorf("module %s: %w", d.Name, err)
		}
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	p.Start()
	for _, d := range l.loaded {
		if m, ok := d.Module.(modules.Initer); ok {
			if err := m.Init(s.Host); err != nil {
				return nil, fmt.Errorf("init of module %s: %w", d.Name, err)
			}
		}
	}
	if err := p.Counts.Seal(1); err != nil {
		return nil, err
	}
	p.Rank = 1
	for _, d := range l.loaded {
		if m, ok := d.Module.(modules.WorkerIniter); ok {
			if err := m.InitWorker(s.Host, 1); err != nil {
				return nil, fmt.Errorf("module %s: %w", d.Name, err)
			}
		}
	}
	return s, nil
}

func (s *Server) counters(loaded []modules.Loaded) error {
	s.Proc.Counts = shm.NewCounters(s.Arena)
	var errs []error
	reg := func(group, name string, at *shm.Counter) {
		k, err := s.Proc.Counts.Register(group, name)
		*at = k
		errs = append(errs, err)
	}
	for _, x := range s.Proc.Stat.StatNames() {
		reg("core", x.Name, x.At)
	}
	for _, d := range loaded {
		for _, x := range d.Table.Stats {
			if x.Counter != nil {
				reg(x.Group, x.Name, x.Counter)
			}
		}
	}
	return errors.Join(errs...)
}

// close ends the modules in reverse order and gives the memory back; a module's error fails the test.
func (s *Server) close() {
	l := s.Host.Loaded()
	for i := len(l) - 1; i >= 0; i-- {
		if m, ok := l[i].Module.(modules.Closer); ok {
			if err := m.Close(); err != nil {
				s.t.Errorf("module %s: close: %v", l[i].Name, err)
			}
		}
	}
	s.Proc.Runner.Close()
	if err := s.Arena.Close(); err != nil {
		s.t.Errorf("close arena: %v", err)
	}
}

// Peer is where messages come from unless a test says otherwise.
var Peer = netip.MustParseAddrPort("127.0.0.1:5070")

// Receive takes a message from Peer over the first socket through the script. Line ends may be written as \n alone. What the script waits for
// is done before Receive returns. It reports whether the connection would be closed (unparsable, negative script result).
func (s *Server) Receive(msg string) (closeConn bool) {
	return s.ReceiveFrom(msg, Peer, s.Proc.Net.Sockets[0])
}

// ReceiveFrom is Receive from anywhere.
func (s *Server) ReceiveFrom(msg string, from netip.AddrPort, sock *route.Socket) (closeConn bool) {
	return s.ReceiveRaw([]byte(CRLF(msg)), from, sock)
}

// ReceiveRaw is ReceiveFrom with the bytes as they are.
func (s *Server) ReceiveRaw(msg []byte, from netip.AddrPort, sock *route.Socket) (closeConn bool) {
	buf := bytes.Clone(msg)
	closeConn = s.Proc.Receive(buf, route.Recv{Src: from, Dst: sock.Addr, Sock: sock, Proto: sock.Proto, Time: s.wire.now},
		func() func() { return func() {} })
	s.Drain()
	return closeConn
}

// Drain runs what scripts wait for, and what modules put on the loop, until nothing is left.
func (s *Server) Drain() {
	for len(s.wire.waiting) > 0 {
		f := s.wire.waiting[0]
		s.wire.waiting = s.wire.waiting[1:]
		f()
	}
}

// Sent returns what left since the last call.
func (s *Server) Sent() []Sent {
	l := s.sent
	s.sent = nil
	return l
}

// Closed lists the connections that were to be closed since the last call.
func (s *Server) Closed() []uint32 {
	l := s.wire.closed
	s.wire.closed = nil
	return l
}

// Log returns what was logged since the last call, without process numbers: "LEVEL: where: text\n".
func (s *Server) Log() string {
	b := s.out.String()
	s.out.Reset()
	return idx.ReplaceAllString(b, "")
}

var idx = regexp.MustCompile(`(?m)^ ?\d+\(\d+\) `)

// Advance moves the clock and fires the timers of the process's wheel on the way, tick by tick.
func (s *Server) Advance(d time.Duration) {
	end := s.wire.now + int64(d)
	for s.wire.now < end {
		s.wire.now = min(end, s.wire.now+int64(time.Second/16))
		s.Proc.Advance(s.wire.Ticks())
		s.Drain()
	}
}

// Carry does what an upgrade does to the memory of a module that lays it out anew (modules.Carrier): export, drop, init, import, for every such module. No
// script may be suspended.
func (s *Server) Carry() {
	s.t.Helper()
	for _, l := range s.Host.Loaded() {
		c, ok := l.Module.(modules.Carrier)
		if !ok {
			continue
		}
		var b bytes.Buffer
		err := c.Export(&b)
		if err == nil {
			err = c.Drop()
		}
		if err == nil {
			err = l.Module.(modules.Initer).Init(s.Host) //nolint:forcetypeassert // a Carrier has roots, which Init makes
		}
		if err == nil {
			err = c.Import(&b)
		}
		if err != nil {
			s.t.Fatalf("carry module %s over: %v", l.Name, err)
		}
	}
}

// Tick runs every periodic function of the modules once.
func (s *Server) Tick() {
	for _, f := range s.every {
		f()
	}
	s.Drain()
}

// RPC calls a command with parameters that are string or int and returns the reply as text, a member a line: "name: value".
func (s *Server) RPC(name string, params ...any) (string, error) {
	c := s.Host.Commands.Find(name)
	if c == nil {
		return "", fmt.Errorf("there is no command %q", name)
	}
	r := &modules.Request{}
	for _, p := range params {
		switch p := p.(type) {
		case string:
			r.Params = append(r.Params, &modules.Node{Kind: modules.KindStr, Str: p})
		case int:
			r.Params = append(r.Params, &modules.Node{Kind: modules.KindInt, Int: int64(p)})
		default:
			return "", fmt.Errorf("parameter of type %T", p)
		}
	}
	done := false
	r.Reply = func() { done = true }
	if err := c.Run(r); err != nil {
		return "", err
	}
	if r.Delayed {
		s.Drain()
		if !done {
			return "", fmt.Errorf("%s: no reply yet", name)
		}
	}
	var b strings.Builder
	for _, n := range r.Out {
		print(&b, "", "", n)
	}
	return b.String(), nil
}

func print(b *strings.Builder, indent, name string, n *modules.Node) {
	b.WriteString(indent)
	if name != "" {
		b.WriteString(name + ": ")
	}
	switch n.Kind {
	case modules.KindInt:
		fmt.Fprintf(b, "%d\n", n.Int)
	case modules.KindDouble:
		fmt.Fprintf(b, "%f\n", n.Double)
	case modules.KindStr:
		b.WriteString(n.Str + "\n")
	case modules.KindStruct, modules.KindArray:
		b.WriteString("\n")
		for i, m := range n.Members {
			name := ""
			if n.Kind == modules.KindStruct {
				name = n.Names[i]
			}
			print(b, indent+"\t", name, m)
		}
	}
}
