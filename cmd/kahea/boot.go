package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"kahea/cfglang/diag"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/modules"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/shm"
	"kahea/sipparse"
)

// runMain is main's way from the command line to the end of the server.
func runMain(o *options) (code int, err error) {
	started := time.Now()
	d := &diag.List{}
	s, err := loadMain(o, d)
	if err != nil {
		d.Write(os.Stderr, colourTerminal())
		if errors.Is(err, errConfig) {
			err = nil
		}
		return exitError, err
	}
	d.Write(os.Stderr, colourTerminal())
	if !procmgr.IsDetached() { // the process that was called has printed them
		printSockets(s.Endpoints, s.Aliases, s.proc.Par.Grammar)
	}
	if o.Check {
		fmt.Fprintln(os.Stderr, "config file ok, exiting...")
		return 0, nil
	}
	s.Started = started.UnixNano()
	s.proc.Started = s.Started
	return s.start()
}

// loadMain reads and checks everything without touching the system: what -c does.
func loadMain(o *options, d *diag.List) (*server, error) {
	sl := sealed{Options: o, Args: os.Args, UID: -1, GID: -1}
	if err := sl.readConfig(d); err != nil {
		return nil, err
	}
	if err := sl.readTune(); err != nil {
		return nil, err
	}
	c, err := load(&sl, d)
	if err != nil {
		return nil, err
	}
	sl.Endpoints, sl.Aliases = c.endpoints()
	if len(sl.Endpoints) == 0 { // an error that was reported; modules may count on a socket while the rest is checked
		sl.Endpoints = []endpoint{{Proto: sipparse.UDP, Addr: netip.MustParseAddrPort("127.0.0.1:5060")}}
	}
	s, err := newServer(sl, c, 0)
	if err != nil {
		return nil, err
	}
	if _, err := allocators(o.ShmAlloc); err != nil {
		return nil, err
	}
	if err := s.openPrivate(); err != nil {
		return nil, err
	}
	return s, s.setup() // even if there are errors: so that all come in one run
}

// readConfig reads the configuration and preprocesses it. Mistakes in it are errConfig.
func (s *sealed) readConfig(d *diag.List) error {
	o := s.Options
	if o.Builtin {
		s.Name, s.Text = "default-cfg", defaultConfig
		return nil
	}
	so, err := o.parseOptions()
	if err != nil {
		return err
	}
	s.Name = o.File
	if s.Name == "" {
		s.Name = defaultFile
		if _, err := os.Stat(s.Name); err != nil {
			return fmt.Errorf("no -f FILE and %w; --default-cfg runs kahea's own default configuration", err)
		}
	}
	s.Name = absolute(s.Name)
	pre := &diag.List{}
	s.Text = syntax.Preprocess(s.Name, so, pre)
	s.broken = pre.HasErrors()
	for _, x := range pre.All() {
		d.Add(x)
	}
	return nil
}

// start makes shared memory, runs the modules' Init, opens what must be opened as root, starts the children and waits.
func (s *server) start() (code int, err error) {
	o := s.Options
	kind, err := allocators(o.ShmAlloc)
	if err != nil {
		return exitError, err
	}
	dm := s.daemonOptions()
	if !dm.Foreground && !dm.NoFork && s.Options.File == "-" {
		return exitError, errStdin
	}
	if parent, code, err := procmgr.Detach(dm); parent || err != nil {
		return code, err
	}
	daemon, err := procmgr.Enter(dm)
	if err != nil {
		return exitError, err
	}
	s.daemon = daemon
	if s.exe, err = os.Executable(); err != nil { // before the file is replaced
		return exitError, err
	}
	defer daemon.Close()
	defer startProfile(s.Options.Profile, "main")()
	if s.arena, err = shm.Create(int64(s.par.ShmSize)<<20, kind); err != nil {
		return exitError, fmt.Errorf("shared memory of %d MB: %w", s.par.ShmSize, err)
	}
	defer s.arena.Close()
	if s.par.ShmForce {
		if err := s.arena.Populate(); err != nil {
			return exitError, err
		}
	}
	s.privileges("")
	s.proc.Arena = s.arena
	s.arena.SetReserve(s.par.ShmReserve)
	if err := s.counters(); err != nil {
		return exitError, err
	}
	if err := s.openRuntime(nil); err != nil {
		return exitError, err
	}
	if _, _, err := shm.Root[wheels](s.arena, "wheels"); err != nil {
		return exitError, err
	}
	if _, err := route.OpenBlocklist(s.arena); err != nil {
		return exitError, err
	}
	s.host.KeepFile = s.keepFile
	id, err := procmgr.LookupIdentity(s.par.User, s.par.Group)
	if err != nil {
		return exitError, err
	}
	if id.SetUID {
		s.UID = id.UID
	}
	if id.SetGID {
		s.GID = id.GID
	}
	s.host.User, s.host.Group = s.UID, s.GID
	s.proc.Host = noHost{}
	s.eventInMain("core:modinit-before")
	for i, l := range s.loaded {
		if i > 0 {
			time.Sleep(usec(s.par.ModInitDelay))
		}
		if m, ok := l.Module.(modules.Initer); ok {
			if err := m.Init(s.host); err != nil {
				return exitError, fmt.Errorf("init of module %s: %w", l.Name, err)
			}
		}
	}
	defer s.closeMain()
	if s.keepErr != nil {
		return exitError, s.keepErr
	}
	if dm.NoFork {
		if err := s.onlyFirstUDP(); err != nil {
			return exitError, err
		}
	}
	ls, ro := listeners(s.Endpoints), s.reactorOptions()
	if err := reactor.Probe(ls, ro); err != nil {
		return exitError, err
	}
	tcp, err := reactor.ListenTCP(ls, ro)
	if err != nil {
		return exitError, err
	}
	senders, err := reactor.OpenSenders(ls, ro)
	if err != nil {
		return exitError, err
	}
	v := &live{senders: senders}
	for _, l := range ls {
		fd := -1
		if l.Proto != sipparse.UDP {
			fd, tcp = tcp[0], tcp[1:]
		}
		v.tcp = append(v.tcp, fd)
	}
	procs := s.procs0(s.hasTCP())
	s.Slots = len(procs) + 1 + spareSlots
	shared, err := reactor.Prepare(s.arena, ls, ro, s.Slots)
	if err != nil {
		return exitError, err
	}
	s.Shared = uint64(shared)
	if err := s.proc.Counts.Seal(s.Slots); err != nil {
		return exitError, err
	}
	for _, fd := range senders {
		s.Senders = append(s.Senders, fd >= 0)
	}
	for _, k := range s.kept {
		s.Kept = append(s.Kept, k.name)
	}
	blob, err := s.seal()
	if err != nil {
		return exitError, err
	}
	s.live = v
	steer := reactor.NewSteering(s.arena, shared)
	defer steer.Close()
	mo := s.managerOptions(steer, dm, id)
	mo.Config = blob
	m, err := procmgr.New(mo)
	if err != nil {
		return exitError, err
	}
	s.manage(m, steer)
	if v.read, v.write, err = reactor.MakeBells(s.Slots); err != nil {
		return exitError, err
	}
	if v.ends[0], v.ends[1], err = reactor.TCPPairs(s.tcpWorkers(procs)); err != nil {
		return exitError, err
	}
	for i, p := range procs {
		p.Fds = s.fdsFor(p, i+1)
		m.Add(p)
	}
	if id.SetUID || id.SetGID {
		if err := m.DropPrivileges(id, s.lowPort(), !dm.DisableCoreDump); err != nil {
			return exitError, err
		}
	}
	if err := s.initWorker(procmgr.RankInit); err != nil {
		return exitError, err
	}
	if err := m.Start(); err != nil {
		return exitError, err
	}
	s.proc.Log.Printf(log.Info, "<core>: ", "kahea %s: %d processes, %d MB shared memory (%s), ready after %d ms", fullVersion(), len(procs)+1,
		s.par.ShmSize, kind, time.Since(time.Unix(0, s.Started)).Milliseconds())
	if err := s.initWorker(procmgr.RankMain); err != nil {
		m.Stop()
		m.Run()
		return exitError, err
	}
	if err := daemon.Silence(); err != nil {
		m.Stop()
		m.Run()
		return exitError, err
	}
	daemon.Report(0)
	if dm.NoFork {
		stop, err := s.workInMain(ls, ro, v.read[0], v.write)
		if err != nil {
			m.Stop()
			m.Run()
			return exitError, err
		}
		defer stop()
	}
	code = m.Run()
	v.now.Load().memorySummary()
	return code, nil
}

// procs0 lists the processes in Kamailio's order.
func (s *server) procs0(tcp bool) []procmgr.Proc {
	var l []procmgr.Proc
	rank := procmgr.RankSIPInit
	for i, e := range s.Endpoints {
		if e.Proto != sipparse.UDP || e.Gone {
			continue
		}
		for n := range e.Workers {
			if !s.par.Fork {
				break // main does it
			}
			desc := fmt.Sprintf("udp receiver child=%d sock=%s", n, e.Addr)
			if e.AdvHost != "" {
				desc += fmt.Sprintf(" (%s:%d)", e.AdvHost, e.AdvPort)
			}
			l = append(l, procmgr.Proc{Desc: desc, Rank: rank, Kind: kindUDP, Arg: i, Arg2: n})
			rank++
		}
	}
	l = append(l,
		procmgr.Proc{Desc: "slow timer", Rank: procmgr.RankTimer, Kind: kindSlowTimer},
		procmgr.Proc{Desc: "timer", Rank: procmgr.RankTimer, Kind: kindTimer},
		procmgr.Proc{Desc: "secondary timer", Rank: procmgr.RankTimer, Kind: kindSecondary})
	for _, x := range s.loaded {
		if r, ok := x.Module.(modules.Runner); ok {
			for _, p := range r.Procs() {
				l = append(l, procmgr.Proc{Desc: p.Desc, Rank: p.Rank, Kind: kindModule + x.Name + ":" + p.Kind})
			}
		}
	}
	if tcp {
		for n, sock := range s.tcpOwners() {
			name := "generic"
			if sock >= 0 {
				name = fmt.Sprintf("%s:%s", s.Endpoints[sock].Proto, s.Endpoints[sock].Addr)
			}
			l = append(l, procmgr.Proc{Desc: fmt.Sprintf("tcp receiver (%s) child=%d", name, n), Rank: rank, Kind: kindTCP, Arg: n})
			rank++
		}
		l = append(l, procmgr.Proc{Desc: "tcp main process", Rank: procmgr.RankTCPMain, Kind: kindTCPMain})
	}
	return l
}

// tcpOwners says of each TCP worker whose connections it has: -1, those of all listeners, or those of the listener of that index alone (socket_workers). One that is gone
// keeps its workers, because they are known by number.
func (s *server) tcpOwners() (l []int) {
	for range s.par.TCPChildren {
		l = append(l, -1)
	}
	for i, e := range s.Endpoints {
		if e.Proto == sipparse.TCP {
			for range e.Workers {
				l = append(l, i)
			}
		}
	}
	return l
}

func (s *server) tcpWorkers(procs []procmgr.Proc) (n int) {
	for _, p := range procs {
		if p.Kind == kindTCP {
			n++
		}
	}
	return n
}

// fdsFor is what the process p in slot inherits (see splitFds). All of them stay main's.
func (s *server) fdsFor(p procmgr.Proc, slot int) (fds []int) {
	v := s.live
	fds = append(append(fds, v.read[slot]), v.write...)
	for _, fd := range v.senders {
		if fd >= 0 {
			fds = append(fds, fd)
		}
	}
	switch {
	case strings.HasPrefix(p.Kind, kindModule):
		for _, k := range s.kept {
			fds = append(fds, k.fd)
		}
	case p.Kind == kindTCP:
		fds = append(fds, v.ends[1][p.Arg])
	case p.Kind == kindTCPMain:
		for i, e := range s.Endpoints {
			if fd := v.tcp[i]; fd >= 0 && !e.Gone {
				fds = append(fds, fd)
			}
		}
		fds = append(fds, v.ends[0]...)
	}
	return fds
}

func listeners(l []endpoint) []reactor.Listener {
	out := make([]reactor.Listener, len(l))
	for i, e := range l {
		out[i] = reactor.Listener{Proto: e.Proto, Addr: e.Addr, Workers: e.Workers, Device: e.Device, Mcast: e.Mcast, Gone: e.Gone}
	}
	return out
}

func (c *config) reactorOptions() reactor.Options {
	p := c.par
	var source [2]netip.Addr
	source[0], _ = route.ParseAddr([]byte(p.TCPSourceIPv4)) // checkSockets has read them
	source[1], _ = route.ParseAddr([]byte(p.TCPSourceIPv6))
	return reactor.Options{
		UDPProxy: p.UDPAcceptProxy, PMTU: p.PMTUDiscovery, McastLoop: p.McastLoopback, McastTTL: p.McastTTL,
		TCPKeepIdle: p.TCPKeepIdle, TCPKeepIntvl: p.TCPKeepIntvl, TCPKeepCnt: p.TCPKeepCnt, TCPSynCnt: p.TCPSynCnt, TCPLinger2: p.TCPLinger2,
		TCPDeferAccept: p.TCPDeferAccept, TCPDelayedAck: p.TCPDelayedAck, TCPBacklog: p.TCPBacklog, TCPReusePort: p.TCPReusePort, TCPSource: source,
		TCPConnMatch: p.TCPConnMatch == 1, TCPUnique: p.TCPAcceptUnique, TCPIPLimit: p.TCPAcceptIPLimit, TCPCloseRST: p.TCPCloseRST,
		TCPHAProxy: p.HAProxy(), TCPWaitData: p.TCPWaitData, TCPReadTimeout: p.TCPMsgReadTimeout, TCPDataTimeout: p.TCPMsgDataTimeout, TCPCheck: p.TCPCheck(),
		RcvBuf: p.MaxBuffer, SndBuf: p.MaxSndBuf, Batch: p.UDPBatch, TOS: p.TOS, FreeBind: p.FreeBind != 0, MaxMessage: p.MsgMaxSize,
		TCPLifetime: p.TCPLifetime, TCPMaxConns: p.TCPMaxConns, TCPConnectTimeout: p.TCPConnTimeout, TCPSendTimeout: p.TCPSendTimeout,
		TCPRdBuf: p.TCPRdBuf, TCPConnWQMax: p.TCPConnWQMax, TCPWQMax: p.TCPWQMax, TCPAcceptNoCL: p.TCPAcceptNoCL, TCPCRLFPing: p.TCPCRLFPing,
		TCPNoConnect: p.TCPNoConnect, TCPKeepalive: p.TCPKeepalive,
	}
}

func colourTerminal() bool {
	fi, err := os.Stderr.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0
}

// lowPort says whether a port below 1024 has to be opened.
func (s *server) lowPort() bool {
	for _, e := range s.Endpoints {
		if e.Addr.Port() < 1024 {
			return true
		}
	}
	return false
}

// keepFile is Host.KeepFile in main.
func (v *server) keepFile(name string, fd int) {
	own, err := procmgr.Dup(fd) // the module closes its own
	v.keepErr = errors.Join(v.keepErr, err)
	v.kept = append(v.kept, keptFD{name, own})
}

// hasTCP says whether there are TCP processes.
func (s *server) hasTCP() bool {
	return slices.ContainsFunc(s.Endpoints, func(e endpoint) bool { return e.Proto != sipparse.UDP })
}
