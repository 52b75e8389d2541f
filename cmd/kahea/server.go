package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/syslog"
	"os"
	"path/filepath"
	"strings"

	"kahea/cfglang/diag"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/modules"
	"kahea/procmgr"
	"kahea/shm"
	"kahea/sipparse"
)

// sealed is what main hands to every child: the command line, the text, and what was resolved once.
type sealed struct {
	Options   *options
	Set       map[string]bool
	Args      []string // of the command line, for core.arg
	Name      string
	Text      []byte
	broken    bool   // the preprocessor found mistakes: Text is not to be used
	TuneName  string // path of the overlay, "": there is none
	TuneText  []byte
	Endpoints []endpoint
	Aliases   []aliasSpec
	Shared    uint64 // reactor's shared state
	UID, GID  int
	Started   int64
	Kept      []string // names of descriptors that modules keep
	Slots     int      // processes, main included
	Senders   []bool   // by endpoint: a child inherits a socket to send from
	RuntimeAt uint64   // where the run-time configuration lies
	Fixed     *fixed   // what a reload has kept; nil: this is the configuration of the start
}

// server is one process with its configuration, whether main or child.
type server struct {
	sealed
	*config
	proc    *route.Proc
	host    *modules.Host
	arena   *shm.Arena
	private *shm.Arena
	beat    []periodic
	mark    *beatMark      // of this process; nil: deaths are not counted
	loop    func(f func()) // set once the process's loop stands
	fds     map[string]int
	kept    []keptFD // main: in the order in which modules kept them
	asking  *asking
	keepErr error
	verbs   map[string]verb // main: set before the children start
	live    *live           // main
	daemon  *procmgr.Daemon // main
	exe     string          // main: path of the binary
	before  *server         // main: the first generation; nil in that one itself
	extra   []*server       // main, first generation: later ones whose modules hold something
}

type keptFD struct {
	name string
	fd   int
}

// newServer joins a loaded configuration to the engine; slot is the process's index.
func newServer(s sealed, c *config, slot int) (*server, error) {
	v := &server{sealed: s, config: c, fds: map[string]int{}}
	fac, ok := log.ParseFacility(c.par.LogFacility)
	if !ok {
		c.diag.Add(diag.Diagnostic{Pos: c.origins["core.log_facility"].pos, Summary: fmt.Sprintf("log_facility: there is no %q", c.par.LogFacility),
			Detail: "LOG_DAEMON, LOG_USER, LOG_LOCAL0 to LOG_LOCAL7 and the others of syslog"})
	}
	ident := c.par.LogName
	if ident == "" {
		ident = "kahea"
	}
	engine := s.Options.LogEngine // wins over the configuration
	if engine == "" && c.par.LogEngine != "" {
		engine = c.par.LogEngine + ":" + c.par.LogEngineData
	}
	var structured *log.JSON
	if engine != "" {
		var err error
		if structured, err = log.ParseEngine(engine, ident); err != nil {
			return nil, err
		}
	}
	lg := log.New(log.Options{JSON: structured, Stderr: c.par.LogStderr || s.Options.Check, Colour: c.par.LogColor, Ident: ident, Facility: syslog.Priority(fac), Slot: slot}, log.Level(c.par.Debug))
	p := &route.Proc{Slot: slot, Net: makeNet(s.Endpoints, s.Aliases, c.par.Grammar()), Log: lg, Started: s.Started}
	v.proc = p
	par := c.par
	p.Par = route.Params{
		ServerSignature: par.ServerSignature, ServerHeader: []byte(par.ServerHeader), UserAgentHeader: []byte(par.UserAgentHeader),
		SIPWarning: par.SIPWarning, ParserLenient: par.ParserMode == 0, HTTPReplies: par.HTTPReplies, LocalRPort: par.LocalRPort,
		CheckVia: par.CheckVia, ReplyToVia: par.ReplyToVia, MaxWhileLoops: par.MaxWhileLoops, MaxRecursive: par.MaxRecursive,
		MaxBranches: par.MaxBranches, AdvPort: uint16(par.AdvPort), OnSendReply: par.OnSendReply,
		ServerID: par.ServerID, LogPrefixMode: par.LogPrefixMode, Phone2Tel: par.Phone2Tel, ReceivedRoute: par.ReceivedMode == 1, RevDNS: par.RevDNS,
	}
	p.Par.Grammar = par.Grammar()
	p.Par.AcceptAliases = par.TCPAcceptAliases
	p.Net.MHomed = par.MHomed
	if par.IUID != "" {
		p.Par.IUID = []byte(par.IUID)
	}
	v.follow()
	p.Runner.Max, p.Par.Refusal = par.SuspendMax, par.Refusal()
	if par.AdvAddress != "" {
		p.Par.AdvHost = []byte(par.AdvAddress)
	}
	v.host = &modules.Host{
		Proc: p, Main: slot == 0, RunDir: par.RunDir, User: s.UID, Group: s.GID,
		Commands: &modules.Commands{}, Core: v.coreParam, Procs: v.procs, Cfg: c.runtime,
		Loop:  func(f func()) { v.loop(f) },
		Files: func(name string) int { return v.file(name) },
		Every: v.every,
		Info:  modules.Info{Name: "kahea", Version: fullVersion(), ID: knownRevision(), Flags: compileFlags()},
	}
	v.host.SetLoaded(c.loaded)
	return v, nil
}

// follow takes over what cfg.set may have changed.
func (v *server) follow() {
	p, par := &v.proc.Par, v.par
	p.MaxWhileLoops, p.ParserLog, p.ParserOneLine, p.CoreLog = par.MaxWhileLoops, log.Level(par.ParserLog), par.ParserOneLine, log.Level(par.CoreLog)
	p.LatencyCfgLog, p.LatencyLog = log.Level(par.LatencyCfgLog), log.Level(par.LatencyLog)
	p.UDPMTU, p.UDPMTUProto = par.UDPMTU, sipparse.Proto(par.UDPMTUProto)
	p.ForceRPort, p.DNSFailover = par.ForceRPort, par.DNSFailover && par.DNSUseCache && par.DNSCacheInit
	p.Block = route.BlockParams{Use: par.BlockUse && par.BlockInit, Expire: uint64(par.BlockExpire) * 16, Bytes: par.BlockMem << 10}
	for proto, mask := range map[sipparse.Proto]int{sipparse.UDP: par.BlockUDP, sipparse.TCP: par.BlockTCP, sipparse.TLS: par.BlockTLS, sipparse.SCTP: par.BlockSCTP} {
		p.Block.Ignore[proto] = uint8(mask)
	}
	p.LatencyLimitCfg, p.LatencyLimitAction = par.LatencyLimitCfg, par.LatencyLimitAction
}

// setup runs the modules' Setup and compiles the script. What is wrong is in the diagnostics, or is the error.
func (v *server) setup() error {
	k := v.compiler()
	v.host.Env = k
	if f := v.par.LogPrefix; f != "" {
		format, err := k.ParseFormat(f)
		if err != nil {
			v.diag.Errorf(diag.Pos{}, "log_prefix: %v", err)
		}
		v.proc.Par.LogPrefix = format
	}
	for _, l := range v.loaded {
		if m, ok := l.Module.(modules.Setuper); ok {
			if err := m.Setup(v.host); err != nil {
				v.diag.Errorf(v.places[l.Name], "module %s: %v", l.Name, err)
			}
		}
	}
	// response functions are asked last loaded first
	for i, j := 0, len(v.proc.Responses)-1; i < j; i, j = i+1, j-1 {
		v.proc.Responses[i], v.proc.Responses[j] = v.proc.Responses[j], v.proc.Responses[i]
	}
	v.proc.Prog = k.Compile(v.config.file)
	for _, l := range v.loaded {
		if err := v.host.Commands.Add(l.Table.RPC...); err != nil {
			v.diag.Errorf(v.places[l.Name], "module %s: %v", l.Name, err)
		}
	}
	if err := v.host.Commands.Add(coreCommands(v)...); err != nil {
		return err
	}
	if v.diag.HasErrors() {
		return errConfig
	}
	v.checkEvents()
	v.proc.Start()
	return nil
}

// coreEvents are the event routes that the core runs.
var coreEvents = []string{"core:modinit-before", "core:worker-one-init", "core:pre-routing", "core:receive-parse-error"}

// checkEvents warns of event routes that nobody runs. An event that ends in :NAME stands for all names.
func (v *server) checkEvents() {
	known := map[string]bool{}
	for _, e := range coreEvents {
		known[e] = true
	}
	for _, l := range v.loaded {
		for _, e := range l.Table.Events {
			known[e] = true
		}
	}
	for _, it := range v.config.file.Items {
		if r, ok := it.(*syntax.Route); ok && r.Kind == syntax.EventRoute && !known[r.Name] && !known[r.Name[:strings.LastIndexByte(r.Name, ':')+1]+"NAME"] {
			v.diag.Warnf(r.Pos, "event_route[%s] is never run: no loaded module has this event", r.Name)
		}
	}
}

var errConfig = errors.New("configuration has errors")

// private memory (-M, -X): message scratch and script variables.
func (v *server) openPrivate() error {
	o := v.Options
	mb := o.Pkg
	if mb == 0 {
		mb = defaultPkgMB
	}
	kind, err := allocators(o.PkgAlloc, o.ShmAlloc)
	if err != nil {
		return err
	}
	if v.private, err = shm.NewPrivate(int64(mb)<<20, kind); err != nil {
		return fmt.Errorf("private memory of %d MB: %w", mb, err)
	}
	v.proc.Mem = &privateMemory{a: v.private, tag: v.private.TagFor("core", "scratch"), off: map[*byte]shm.Off{}}
	return nil
}

// allocators is the first name given, qm if none is.
func allocators(names ...string) (shm.Allocator, error) {
	for _, n := range names {
		if n != "" {
			return shm.ParseAllocator(n)
		}
	}
	return shm.QM, nil
}

// privateMemory gives chunks of the private arena to scratch memory; it is called when a message needs more than a Ctx keeps.
type privateMemory struct {
	a   *shm.Arena
	tag shm.Tag
	off map[*byte]shm.Off
}

func (m *privateMemory) Chunk(n int) []byte {
	o, err := m.a.Alloc(n, m.tag)
	if err != nil {
		return nil
	}
	b := m.a.Bytes(o)
	m.off[&b[0]] = o
	return b
}

// Usage and Ledger are for pkg.stats and mod.stats (module kex).
func (m *privateMemory) Usage() shm.Usage       { return m.a.Usage() }
func (m *privateMemory) Ledger() []shm.TagUsage { return m.a.Ledger() }
func (m *privateMemory) Sizes() []shm.SizeUsage { return m.a.Sizes() }

func (m *privateMemory) Release(b []byte) {
	m.a.Free(m.off[&b[0]])
	delete(m.off, &b[0])
}

// counters registers (main) or finds (child) every statistic.
func (v *server) counters() error {
	v.proc.Counts = shm.NewCounters(v.arena)
	bind := func(group, name string, at *shm.Counter) error {
		if v.host.Main {
			k, err := v.proc.Counts.Register(group, name)
			*at = k
			return err
		}
		k, ok := v.proc.Counts.Lookup(group, name)
		if !ok {
			return fmt.Errorf("counter %s.%s is missing in shared memory", group, name)
		}
		*at = k
		return nil
	}
	for _, s := range v.proc.Stat.StatNames() {
		if err := bind("core", s.Name, s.At); err != nil {
			return err
		}
	}
	for _, l := range v.loaded {
		for _, s := range l.Table.Stats {
			if s.Counter == nil {
				continue
			}
			if err := bind(s.Group, s.Name, s.Counter); err != nil {
				return err
			}
		}
	}
	return nil
}

// initWorker runs the modules' child_init.
func (v *server) initWorker(rank int) error {
	v.proc.Rank = rank
	for _, l := range v.loaded {
		if m, ok := l.Module.(modules.WorkerIniter); ok {
			if err := m.InitWorker(v.host, rank); err != nil {
				return fmt.Errorf("module %s: %w", l.Name, err)
			}
		}
	}
	return nil
}

// closeModules runs Close in reverse order.
func (v *server) closeModules() {
	for i := len(v.loaded) - 1; i >= 0; i-- {
		if m, ok := v.loaded[i].Module.(modules.Closer); ok {
			if err := m.Close(); err != nil {
				v.proc.Log.Printf(log.Err, v.loaded[i].Name+": ", "close: %v", err)
			}
		}
	}
}

// drained says that no module of this process has a request under way, and lets them take no more.
func (v *server) drained() bool {
	all := true
	for _, l := range v.loaded {
		if m, ok := l.Module.(modules.Drainer); ok {
			all = m.Drain() && all
		}
	}
	return all
}

func (v *server) procs() []modules.ProcInfo {
	var out []modules.ProcInfo
	for _, e := range procmgr.Table(v.arena) {
		out = append(out, modules.ProcInfo{Index: e.Slot, PID: e.PID, Rank: e.Rank, Status: e.Status, Desc: e.Desc})
	}
	return out
}

func (v *server) file(name string) int {
	if fd, ok := v.fds[name]; ok {
		return fd
	}
	return -1
}

func (v *server) coreParam(name string) (modules.Value, bool) {
	for i := range v.table {
		t := &v.table[i]
		if t.Name != name {
			continue
		}
		switch {
		case t.Bool != nil:
			n := 0
			if *t.Bool != t.Invert {
				n = 1
			}
			return modules.Value{Int: n, IsInt: true}, true
		case t.Int != nil:
			return modules.Value{Int: *t.Int, IsInt: true}, true
		default:
			return modules.Value{Str: *t.Str}, true
		}
	}
	return modules.Value{}, false
}

// seal and unseal carry the configuration to the children.
func (s *sealed) seal() ([]byte, error) {
	s.Set = s.Options.set
	return json.Marshal(s)
}

func unseal(b []byte) (sealed, error) {
	var s sealed
	err := json.Unmarshal(b, &s)
	if err == nil {
		s.Options.set, s.Options.fixed = s.Set, s.Fixed
	}
	return s, err
}

// absolute makes the configuration's path independent of the working directory.
func absolute(path string) string {
	if path == "-" || filepath.IsAbs(path) {
		return path
	}
	if wd, err := os.Getwd(); err == nil {
		return filepath.Join(wd, path)
	}
	return path
}
