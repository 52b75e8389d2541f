package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/procmgr"
	"kahea/reactor/resolve"
	"kahea/shm"
	"kahea/sipparse"
)

const replayUsage = `usage: kahea replay [OPTIONS] [--source ADDR:PORT] FILE

Handles one message in this process, with the configuration of the options (kahea -h; -f above all) and without a socket. FILE is a file of the quarantine, or the bytes of a
message. What would be sent is printed, logs go to standard error. What a script does besides sending it does.

      --source ADDR:PORT   where the message comes from (default: as the file says, or 127.0.0.1:5060)

The exit code is 0 when the message was handled. A crash is this process's own; what still runs after 10 s is ended, with the stacks of all goroutines.
`

// replayPatience is how long the loop may be busy with one thing; a worker's heartbeat has as long.
const replayPatience = 10 * time.Second

// runReplay is kahea replay; args are those behind the word. It returns the exit code.
func runReplay(args []string) int {
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "--help" }) {
		fmt.Print(replayUsage)
		return 0
	}
	r := &replay{out: os.Stdout, wake: make(chan struct{}, 1)}
	if err := r.run(args); err != nil {
		if !errors.Is(err, errUsage) && !errors.Is(err, errConfig) { // those were printed
			fmt.Fprintf(os.Stderr, "ERROR: kahea: replay: %v\n", err)
		}
		return exitError
	}
	return 0
}

// replay is the process of kahea replay: the loop, and the engine's Host.
type replay struct {
	names   *resolve.Resolver
	out     io.Writer
	started time.Time
	buf     [65535]byte
	waiting int // functions of Await that run; on the loop

	mu    sync.Mutex
	posts []func()
	wake  chan struct{}
}

func (r *replay) run(args []string) error {
	m, args, err := replayMessage(args)
	if err != nil {
		return err
	}
	o, err := parseArgs(args, os.Stderr)
	if err != nil {
		return err
	}
	o.Stderr, o.Fork = true, 1
	d := &diag.List{}
	s, err := loadMain(o, d)
	d.Write(os.Stderr, colourTerminal())
	if err != nil {
		return err
	}
	r.started = time.Now()
	s.Started = r.started.UnixNano()
	s.proc.Started = s.Started
	if err := r.prepare(s); err != nil {
		return err
	}
	defer s.arena.Close()
	defer s.closeModules()
	if len(m.Msg) < m.Length {
		fmt.Fprintf(os.Stderr, "replay: the message had %d bytes, of which %d were kept\n", m.Length, len(m.Msg))
	}
	recv, err := s.replayRecv(&m)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "replay: %d bytes over %s from %s to %s\n", len(m.Msg), recv.Proto, recv.Src, recv.Dst)
	r.post(func() {
		if s.proc.Receive(m.Msg, recv, func() func() { return func() {} }) && recv.Conn != 0 {
			fmt.Fprintf(r.out, "--- close %s connection from %s\n", recv.Proto, recv.Src)
		}
	})
	r.loop()
	fmt.Fprintln(os.Stderr, "replay: the message was handled")
	return nil
}

// replayMessage reads the message that the command line names and returns what is left of it for the server.
func replayMessage(args []string) (m savedMessage, rest []string, err error) {
	usage := func() error {
		fmt.Fprint(os.Stderr, replayUsage)
		return errUsage
	}
	source := ""
	for i := 0; i < len(args); i++ {
		v, is := strings.CutPrefix(args[i], "--source=")
		if args[i] == "--source" && i+1 < len(args) {
			i++
			v, is = args[i], true
		}
		if is {
			source = v
		} else {
			rest = append(rest, args[i])
		}
	}
	if len(rest) == 0 {
		return m, nil, usage()
	}
	file := rest[len(rest)-1]
	rest = rest[:len(rest)-1]
	b, err := os.ReadFile(file)
	if err != nil {
		return m, nil, err
	}
	if m, err = parseSaved(b); errors.Is(err, errNotSaved) {
		m, err = savedMessage{Proto: sipparse.UDP, Src: netip.MustParseAddrPort("127.0.0.1:5060"), Length: len(b), Msg: b}, nil
	}
	if err == nil && source != "" {
		m.Src, err = netip.ParseAddrPort(source)
	}
	if err != nil {
		return m, nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, rest, nil
}

// controlModules open sockets for operators in Init, and nothing else: those are the running server's.
var controlModules = []string{"ctl", "jsonrpcs"}

// prepare brings the server to where a worker handles messages: what start and workInMain do, less what touches the system.
func (r *replay) prepare(s *server) (err error) {
	kind, err := allocators(s.Options.ShmAlloc)
	if err != nil {
		return err
	}
	if s.arena, err = shm.Create(int64(s.par.ShmSize)<<20, kind); err != nil {
		return fmt.Errorf("shared memory of %d MB: %w", s.par.ShmSize, err)
	}
	defer func() {
		if err != nil {
			s.arena.Close()
		}
	}()
	s.proc.Arena = s.arena
	if err := s.counters(); err != nil {
		return err
	}
	if err := s.openRuntime(nil); err != nil {
		return err
	}
	if err := s.wheel(); err != nil {
		return err
	}
	s.host.KeepFile = func(string, int) {}
	s.proc.Host = noHost{}
	s.eventInMain("core:modinit-before")
	for _, l := range s.loaded {
		if m, ok := l.Module.(modules.Initer); ok && !slices.Contains(controlModules, l.Name) {
			if err := m.Init(s.host); err != nil {
				return fmt.Errorf("init of module %s: %w", l.Name, err)
			}
		}
	}
	s.Slots = 1
	if err := s.proc.Counts.Seal(s.Slots); err != nil {
		return err
	}
	if r.names, err = resolve.New(resolve.Options{}); err != nil {
		return err
	}
	r.names.Set(s.resolveSettings())
	s.proc.Host, s.loop = r, r.post
	for _, rank := range []int{procmgr.RankInit, procmgr.RankMain, procmgr.RankSIPInit} {
		if err := s.initWorker(rank); err != nil {
			return err
		}
	}
	return s.workerOneInit()
}

// replayRecv says how m was received: by the listener that the file names, or by the first of its transport, or by the first.
func (s *server) replayRecv(m *savedMessage) (route.Recv, error) {
	var found *route.Socket
	for _, x := range s.proc.Net.Sockets {
		switch {
		case x.Proto == m.Proto && x.Addr == m.Dst:
			found = x
		case found == nil || found.Proto != m.Proto && x.Proto == m.Proto:
			found = x
		}
	}
	if found == nil {
		return route.Recv{}, errors.New("the configuration listens nowhere")
	}
	if m.Dst.IsValid() && (found.Addr != m.Dst || found.Proto != m.Proto) {
		fmt.Fprintf(os.Stderr, "replay: the configuration does not listen on %s:%s: the message comes in by %s\n", m.Proto, m.Dst, found.Text)
	}
	r := route.Recv{Src: m.Src, Dst: found.Addr, Sock: found, Proto: found.Proto, Time: time.Now().UnixNano()}
	if r.Proto != sipparse.UDP {
		r.Conn = 1
	}
	return r, nil
}

// post runs f on the loop. Any goroutine.
func (r *replay) post(f func()) {
	r.mu.Lock()
	r.posts = append(r.posts, f)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// loop runs what is posted until nothing is left and nothing is awaited.
func (r *replay) loop() {
	for {
		r.mu.Lock()
		fs := r.posts
		r.posts = nil
		r.mu.Unlock()
		for _, f := range fs {
			late := time.AfterFunc(replayPatience, stuck)
			f()
			late.Stop()
		}
		if len(fs) == 0 {
			if r.waiting == 0 {
				return
			}
			<-r.wake
		}
	}
}

// stuck ends a process whose loop does not come back.
func stuck() {
	b := make([]byte, 1<<20)
	b = b[:runtime.Stack(b, true)]
	fmt.Fprintf(os.Stderr, "ERROR: kahea: replay: the message is not handled after %v; where the process is:\n%s\n", replayPatience, b)
	os.Exit(exitError)
}

// Buffer, Send, Await, Resolve, AddAlias, Now and Ticks are route.Host.
func (r *replay) Buffer() []byte { return r.buf[:0] }

func (r *replay) Send(d route.Dest, b []byte) error {
	_, err := fmt.Fprintf(r.out, "--- %s %s -> %s, %d bytes\n%s\n", d.Proto, d.Sock.Addr, d.Addr, len(b), b)
	return err
}

func (r *replay) Await(wait, done func()) {
	r.waiting++
	go func() {
		wait()
		r.post(func() {
			r.waiting--
			done()
		})
	}()
}

func (r *replay) Resolve(n route.Name) (route.Place, bool, func() (route.Place, error)) {
	return (&wire{names: r.names}).Resolve(n)
}

func (r *replay) HasName(addr netip.Addr, host string) bool {
	return (&wire{names: r.names}).HasName(addr, host)
}

func (r *replay) CloseConn(uint32) error { return nil }

func (r *replay) HasConn(uint32) bool { return false }

func (r *replay) AddAlias(uint32, uint16) error { return nil }
func (r *replay) Now() int64                    { return time.Now().UnixNano() }
func (r *replay) Ticks() uint64                 { return uint64(time.Since(r.started) / (time.Second / 16)) }

var _ route.Host = (*replay)(nil)
