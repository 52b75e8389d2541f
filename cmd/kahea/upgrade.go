package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"kahea/cfglang/diag"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/shm"
)

// An upgrade executes another binary in main's place: same pid, same shared memory, same sockets, and for a moment the old children, which go on serving. The new
// main then replaces one child after the other. Before, the new binary is asked whether it can adopt what lies in shared memory (--upgrade-check). When it
// cannot go on after all, it executes the old one again.

const (
	upgradeEnv = "KAHEA_UPGRADE"       // number of the descriptor with the paper
	checkEnv   = "KAHEA_UPGRADE_CHECK" // slot to attach as
	checkOK    = "kahea can go on as slot "
	checkConf  = 3 // descriptors of a check
	checkArena = 4
	rollWait   = 30 * time.Second // until a successor is ready
)

// paper is what the new main must know.
type paper struct {
	Manager  procmgr.Handover
	Held     []reactor.Held
	Read     []int
	Write    []int
	Senders  []int
	TCP      []int
	Ends     [2][]int
	Kept     []keptPaper
	Arena    int
	Gen      int
	Old      []shm.Off
	PidFiles []string
	Exe      int    // the binary before, to go back to; -1: this is the way back
	Version  string // its version
	Path     string // the binary to be
	Slot     int    // who asked
	ID       uint64
	Failed   string // why the new binary went back
	Carried  []carriedPaper
	Paused   int64 // unix ns since when nobody serves; 0: the old processes do

	undo func() error // frees what this binary has made of Carried
}

type keptPaper struct {
	Name string
	FD   int
}

// fds are all descriptors that stay open over the exec.
func (p *paper) fds() []int {
	l := slices.Concat(p.Read, p.Write, p.Senders, p.TCP, p.Ends[0], p.Ends[1], []int{p.Arena, p.Exe, p.Manager.Conf})
	for _, h := range p.Held {
		l = append(append(l, h.Socks...), h.Areas...)
	}
	for _, k := range p.Kept {
		l = append(l, k.FD)
	}
	for _, x := range p.Carried {
		l = append(l, x.FD)
	}
	for _, x := range p.Manager.Procs {
		l = append(append(l, x.Fds...), x.Ctl)
	}
	return l
}

// upgradeCheck is the verb behind kahea.upgrade BINARY check.
func (s *server) upgradeCheck(args []string) ([]*modules.Node, error) {
	p, err := s.checkUpgrade(s.binary(args))
	if err != nil {
		return nil, modules.NewFault(500, "%v", err)
	}
	n := &modules.Node{Kind: modules.KindStruct}
	n.AddStr("binary", s.binary(args))
	n.AddStr("adopts", strings.Join(p.adopts, " "))
	n.AddStr("converts", strings.Join(p.converts, " "))
	return []*modules.Node{n}, nil
}

func (s *server) binary(args []string) string {
	if len(args) > 0 && args[0] != "" {
		return args[0]
	}
	return s.exe
}

// upgrade is the verb behind kahea.upgrade. It returns only when it has failed: then nothing has changed.
func (s *server) upgrade(slot int, q question) (err error) {
	v := s.live
	v.mu.Lock()
	defer v.mu.Unlock()
	defer func() { s.proc.Log.Printf(log.Err, "<core>: ", "upgrade: %v", err) }()
	if !s.par.Fork {
		return fmt.Errorf("main itself serves (-D, fork=no): %w", errRefused)
	}
	path := s.binary(q.Args)
	does, err := s.checkUpgrade(path)
	if err != nil {
		return err
	}
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer exe.Close()
	return s.handOver(path, does, paper{Exe: int(exe.Fd()), Version: fullVersion(), Path: path, Slot: slot, ID: q.ID})
}

// handOver executes path in main's place; p says who has asked and what the new main must know of that. It returns only when it has failed: then nothing has changed.
func (s *server) handOver(path string, does plan, p paper) (err error) {
	v := s.live
	written := -1
	defer func() { closeFds([]int{written}) }()
	if len(does.converts) > 0 {
		var since time.Time
		if p.Carried, since, err = s.setAside(p.Slot, does.converts); err != nil {
			return err
		}
		p.Paused = since.UnixNano()
		defer func() {
			err = errors.Join(err, v.now.Load().takeIn(p.Carried), s.unpark(p.Slot))
			closeCarried(p.Carried)
		}()
	}
	return v.m.Exec(path, func(h procmgr.Handover) (argv, env []string, fds []int, err error) {
		p.Manager, p.Held, p.Read, p.Write, p.Senders, p.TCP, p.Ends = h, v.steer.Paper(), v.read, v.write, v.senders, v.tcp, v.ends
		p.Arena, p.Gen, p.Old, p.PidFiles = s.arena.FD(), v.gen, v.old, s.daemon.Files()
		for _, k := range v.now.Load().kept {
			p.Kept = append(p.Kept, keptPaper{k.name, k.fd})
		}
		fd, err := p.write()
		if err != nil {
			return nil, nil, nil, err
		}
		written = fd
		s.proc.Log.Printf(log.Notice, "<core>: ", "upgrade: %s takes over", path)
		return os.Args, append(os.Environ(), upgradeEnv+"="+strconv.Itoa(fd)), append(p.fds(), fd), nil
	})
}

// write puts the paper on a descriptor.
func (p *paper) write() (fd int, err error) {
	b, err := json.Marshal(p)
	if err != nil {
		return -1, err
	}
	return procmgr.SealConfig(b)
}

// checkUpgrade asks the binary what it can do with what lies in shared memory.
func (s *server) checkUpgrade(path string) (does plan, err error) {
	v := s.live
	slot := s.Slots - 1
	used := map[int]bool{}
	for _, e := range procmgr.Table(s.arena) {
		used[e.Slot] = true
	}
	for ; used[slot]; slot-- {
	}
	b, err := v.now.Load().seal()
	if err != nil {
		return does, err
	}
	fd, err := procmgr.SealConfig(b)
	if err != nil {
		return does, err
	}
	conf := os.NewFile(uintptr(fd), "configuration")
	defer conf.Close()
	own, err := procmgr.Dup(s.arena.FD())
	if err != nil {
		return does, err
	}
	arena := os.NewFile(uintptr(own), "arena")
	defer arena.Close()
	cmd := exec.Command(path, "--upgrade-check")
	cmd.Env = append(os.Environ(), checkEnv+"="+strconv.Itoa(slot), formsEnv+"="+v.now.Load().forms())
	cmd.ExtraFiles = []*os.File{conf, arena} // checkConf, checkArena
	var said, out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &out
	err = v.run(cmd)
	first, rest, _ := strings.Cut(said.String(), "\n")
	if want := checkOK + strconv.Itoa(slot); err == nil && strings.TrimSpace(first) != want {
		err = fmt.Errorf("it says %q, not %q: %w", said.String(), want, errNoKahea) // any program may end with 0
	}
	s.arena.ReleaseLocksOf(slot)
	if err != nil {
		return does, fmt.Errorf("%s: %w: %w\n%s", path, errRefused, err, strings.TrimSpace(out.String()))
	}
	return parsePlan(rest), nil
}

var errNoKahea = errors.New("this is no kahea")

var errNoServer = errors.New("--upgrade-check is asked by a running server (kahea.upgrade BINARY check)")

// runUpgradeCheck says whether this binary can go on with the shared memory of a running server: it does what a child does until it would begin to serve.
func runUpgradeCheck() (err error) {
	slot, err := strconv.Atoi(os.Getenv(checkEnv))
	if err != nil {
		return errNoServer
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	b, err := procmgr.ReadConfig(checkConf)
	if err != nil {
		return err
	}
	s, d, err := loadSealed(b, slot)
	if err != nil {
		return err
	}
	if s.arena, err = shm.Attach(checkArena, slot); err != nil {
		return err
	}
	s.proc.Arena, s.proc.Reloaded = s.arena, true // nothing of this slot is to be cleaned up
	s.proc.Counts = shm.NewCounters(s.arena)
	s.proc.Host = noHost{}
	errs := []error{reactor.SameLayout(s.arena)}
	_, _, err = shm.Root[wheels](s.arena, "wheels")
	errs = append(errs, err)
	_, err = route.OpenBlocklist(s.arena)
	errs = append(errs, err)
	_, err = procmgr.OpenTable(s.arena)
	if errs = append(errs, err); errors.Join(errs...) != nil {
		return errors.Join(errs...)
	}
	if err := s.runtime.open(s.arena, shm.Off(s.RuntimeAt), s.proc.Log.Follow); err != nil {
		return err
	}
	if err := s.setup(); err != nil {
		d.Write(os.Stderr, false)
		return err
	}
	var converts []string
	for _, l := range s.loaded { // all of them, so that all reasons are told at once
		m, ok := l.Module.(modules.WorkerIniter)
		if !ok {
			continue
		}
		switch err := m.InitWorker(s.host, procmgr.RankNoChildInit); {
		case err == nil:
		case errors.Is(err, shm.ErrLayout):
			form, ok := readsForm(l, os.Getenv(formsEnv))
			if ok {
				converts = append(converts, l.Name)
			} else {
				errs = append(errs, fmt.Errorf("module %s: %w, and form %q can not be read", l.Name, err, form))
			}
		default:
			errs = append(errs, fmt.Errorf("module %s: %w", l.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	does := s.planned(converts)
	fmt.Println(checkOK + strconv.Itoa(slot))
	fmt.Print(&does)
	return nil
}

// loadSealed is the common beginning of everything that goes on with a sealed configuration.
func loadSealed(b []byte, slot int) (*server, *diag.List, error) {
	sl, err := unseal(b)
	if err != nil {
		return nil, nil, fmt.Errorf("sealed configuration: %w", err)
	}
	d := &diag.List{}
	c, err := load(&sl, d)
	if err != nil {
		return nil, d, err
	}
	s, err := newServer(sl, c, slot)
	if err != nil {
		return nil, d, err
	}
	return s, d, s.openPrivate()
}

// A main that took the place of another binary stays on the process's first thread: children hang on it (procmgr, handover.go).
func init() {
	if os.Getenv(upgradeEnv) != "" {
		runtime.LockOSThread()
	}
}

// runUpgraded is the life of a main that took the place of another binary.
func runUpgraded(fd int) int {
	os.Unsetenv(upgradeEnv)
	b, err := procmgr.ReadConfig(fd)
	var p paper
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "ERROR: kahea: upgrade: %v\n", err) // there is nothing to go back to
		return exitError
	}
	closeFds([]int{fd})
	s, err := p.resume()
	if err != nil {
		return p.back(err)
	}
	defer s.daemon.Close()
	defer s.closeMain()
	defer s.live.steer.Close()
	if err := s.live.m.Continue(); err != nil {
		s.proc.Log.Printf(log.Crit, "<core>: ", "upgrade: %v", err)
		return exitError
	}
	go s.afterUpgrade(&p)
	code := s.live.m.Run()
	s.live.now.Load().memorySummary()
	return code
}

// back executes the old binary again, which goes on as if it had not been asked.
func (p *paper) back(why error) int {
	fmt.Fprintf(os.Stderr, "ERROR: kahea: upgrade to %s: %v\n", p.Path, why)
	if p.Exe < 0 {
		return exitError
	}
	if p.undo != nil {
		if err := p.undo(); err != nil {
			fmt.Fprintf(os.Stderr, "ERROR: kahea: upgrade: forget what was imported: %v\n", err)
		}
	}
	exe := p.Exe
	p.Exe, p.Failed = -1, why.Error()
	fd, err := p.write()
	if err == nil {
		err = procmgr.ExecHere("/proc/self/fd/"+strconv.Itoa(exe), os.Args, append(os.Environ(), upgradeEnv+"="+strconv.Itoa(fd)), append(p.fds(), fd))
	}
	fmt.Fprintf(os.Stderr, "ERROR: kahea: upgrade: back to the binary before: %v\n", err)
	return exitError
}

// resume makes main's server out of the paper.
func (p *paper) resume() (s *server, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if err := procmgr.CloseOnExec(p.fds()); err != nil {
		return nil, err
	}
	b, err := procmgr.ReadConfig(p.Manager.Conf)
	if err != nil {
		return nil, err
	}
	s, d, err := loadSealed(b, 0)
	if err != nil {
		return nil, err
	}
	arena, err := procmgr.Dup(p.Arena) // Attach owns it, and the way back needs the first
	if err != nil {
		return nil, err
	}
	if s.arena, err = shm.Attach(arena, 0); err != nil {
		return nil, err
	}
	s.privileges("") // locks of memory do not survive an exec
	s.proc.Arena, s.proc.Host = s.arena, noHost{}
	if err := reactor.SameLayout(s.arena); err != nil {
		return nil, err
	}
	if err := s.counters(); err != nil {
		return nil, err
	}
	if err := s.runtime.open(s.arena, shm.Off(s.RuntimeAt), s.proc.Log.Follow); err != nil {
		return nil, err
	}
	if err := s.setup(); err != nil {
		d.Write(os.Stderr, false)
		return nil, err
	}
	for _, k := range p.Kept {
		s.kept = append(s.kept, keptFD{k.Name, k.FD})
		s.fds[k.Name] = k.FD
	}
	s.host.Resumed, s.host.KeepFile = true, s.keepFile
	s.clean(p.Carried)
	made := s
	p.undo = func() error { return made.forget(p.Carried) }
	for _, l := range s.loaded {
		if m, ok := l.Module.(modules.Initer); ok {
			if err := m.Init(s.host); err != nil {
				return nil, fmt.Errorf("init of module %s: %w", l.Name, err)
			}
		}
	}
	if err := s.takeIn(p.Carried); err != nil {
		if p.Exe >= 0 {
			return nil, err
		}
		// there is no other binary to go back to: better a server that has forgotten than none
		s.proc.Log.Printf(log.Crit, "<core>: ", "upgrade: %v", err)
		for _, x := range p.Carried {
			if err := errors.Join(s.forget([]carriedPaper{x}), initCarrier(s, s.host.Find(x.Module).(modules.Carrier))); err != nil { //nolint:forcetypeassert // it was one in this binary
				return nil, err
			}
		}
	}
	if err := errors.Join(s.keepErr, failResume(s)); err != nil {
		return nil, err
	}
	s.exe = p.Path
	s.live = &live{read: p.Read, write: p.Write, senders: p.Senders, tcp: p.TCP, ends: p.Ends, gen: p.Gen, old: p.Old}
	dm := s.daemonOptions()
	s.daemon = procmgr.ResumeDaemon(dm, p.PidFiles)
	id, err := procmgr.LookupIdentity(s.par.User, s.par.Group)
	if err != nil {
		return nil, err
	}
	steer := reactor.ResumeSteering(s.arena, shm.Off(s.Shared), p.Held)
	m, err := procmgr.Resume(s.managerOptions(steer, dm, id), p.Manager)
	if err != nil {
		return nil, err
	}
	s.manage(m, steer)
	return s, nil
}

// afterUpgrade waits for the processes that were parked, answers who asked, and replaces the others one after the other. When one that was parked does not start, the old
// binary goes on: nothing of it is left that could.
func (s *server) afterUpgrade(p *paper) {
	v := s.live
	v.mu.Lock()
	defer v.mu.Unlock()
	began := time.Now()
	fresh, err := s.waitParked(p)
	if err != nil && p.Exe >= 0 {
		s.proc.Log.Printf(log.Err, "<core>: ", "upgrade: %v: back to %s", err, p.Version)
		err = errors.Join(err, s.goBack(p, err))
	}
	a := reply{ID: p.ID}
	switch {
	case p.Failed != "":
		a.Fault = &modules.Fault{Code: 500, Text: fmt.Sprintf("%s: %s; %s goes on", p.Path, p.Failed, fullVersion())}
	case err != nil:
		a.Fault = &modules.Fault{Code: 500, Text: err.Error()}
	default:
		n := &modules.Node{Kind: modules.KindStruct}
		n.AddStr("from", p.Version)
		n.AddStr("to", fullVersion())
		if len(p.Carried) > 0 {
			n.AddStr("converted", carriedNames(p.Carried))
		}
		a.Out = []*modules.Node{n}
	}
	if a.Fault != nil {
		s.proc.Log.Printf(log.Err, "<core>: ", "upgrade: %s", a.Fault.Text)
	}
	if b, err := json.Marshal(a); err == nil {
		_ = v.m.Send(p.Slot, msgAnswer, b) // who asked may be gone
	}
	if p.Exe >= 0 {
		closeFds([]int{p.Exe})
	}
	closeFds([]int{p.Arena})
	closeCarried(p.Carried)
	procs, err := v.m.Running()
	errs := []error{err}
	for _, slot := range slices.Sorted(maps.Keys(procs)) {
		// behind a failure only the one that asked, if it serves no commands any more
		if !fresh[slot] && (p.Failed == "" || p.Paused != 0 && slot == p.Slot) {
			errs = append(errs, v.m.ReplaceAndWait(slot, rollWait)) // one that hangs does not keep the others old
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.proc.Log.Printf(log.Err, "<core>: ", "upgrade: %v", err)
	} else if p.Failed == "" {
		s.proc.Log.Printf(log.Notice, "<core>: ", "upgrade: %d processes replaced after %d ms", len(procs), time.Since(began).Milliseconds())
	}
}

// waitParked waits until the processes that were parked serve again, and says which they are.
func (s *server) waitParked(p *paper) (fresh map[int]bool, err error) {
	fresh = map[int]bool{}
	if p.Paused == 0 {
		return fresh, nil
	}
	for _, x := range p.Manager.Procs {
		if x.Ctl < 0 && x.Desc != "" {
			fresh[x.Slot] = true
			if err := s.live.m.WaitReady(x.Slot, rollWait); err != nil {
				return fresh, err // at once: too many restarts would stop the server
			}
		}
	}
	s.proc.Log.Printf(log.Notice, "<core>: ", "upgrade: %s carried over, nobody served for %d ms", carriedNames(p.Carried), time.Since(time.Unix(0, p.Paused)).Milliseconds())
	return fresh, nil
}

// goBack executes the binary before, because the processes of this one do not start. It returns only when that has failed, too.
func (s *server) goBack(p *paper, why error) error {
	path := "/proc/self/fd/" + strconv.Itoa(p.Exe)
	does, err := s.checkUpgrade(path)
	if err != nil {
		return err
	}
	return s.handOver(path, does, paper{Exe: -1, Version: fullVersion(), Path: p.Path, Slot: p.Slot, ID: p.ID, Failed: why.Error()})
}
