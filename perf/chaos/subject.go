package main

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"kahea/modules"
	"kahea/modules/lib/rpc"
	"kahea/perf/load"
	"kahea/perf/proctree"
	"kahea/perf/serve"
)

// subject is the server that suffers.
type subject struct {
	server serve.Server
	o      serve.Options
	p      *serve.Process
	dir    string
	file   string
	text   []byte // of the configuration
	first  variant
	hits   int // of killInTurn
	gen    int
	rand   *rand.Rand

	rare     time.Time // of the last fault that is Rare
	squeezed bool      // requests may have been refused for want of memory
}

// begin starts the server.
func (s *subject) begin() (err error) {
	if err := s.configure(s.first); err != nil {
		return err
	}
	s.p, err = s.o.Start(s.server, s.file, s.dir, []string{"WITH_CTL"})
	return err
}

// warm has it do everything once, so that what is made when it is first used is there.
func (s *subject) warm() error {
	for _, tcp := range []bool{false, true} {
		if _, err := load.Run(load.Config{Server: s.p.Addr, Scenario: load.Call, Rate: 200, Count: 200, TCP: tcp}, nil); err != nil {
			return err
		}
	}
	return nil
}

// variant is what a configuration has that others do not.
type variant struct {
	Workers  int              // of a second socket, at spare(0); 0: none
	More     []netip.AddrPort // further sockets, with a worker each
	Children int              // children, tcp_children; 0: not in the file
	Broken   bool
}

// spare is an address that nobody else here uses: the server's port at another address of the host.
func (s *subject) spare(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)}), s.p.Addr.Port())
}

// configure writes the configuration anew.
func (s *subject) configure(v variant) error {
	s.gen++
	text := strings.ReplaceAll(string(s.text), "Keepalive", fmt.Sprint("Generation ", s.gen))
	text = strings.Replace(text, `"fr_inv_timer", 120000`, fmt.Sprintf(`"fr_inv_timer", %d`, ringTime.Milliseconds()), 1)
	text = strings.Replace(text, `"wt_timer", 1000`, `"wt_timer", 5000`, 1) // a worker that is stopped answers late, and what was sent again meanwhile has to find its transaction
	// what comes between a worker's death and its successor waits in the socket's buffer
	head := "#!KAMAILIO\nmaxbuffer=4194304\n"
	if v.Children > 0 {
		head += fmt.Sprintf("children=%d\ntcp_children=4\n", v.Children)
	}
	if v.Workers > 0 {
		head += fmt.Sprintf("socket_workers=%d\nlisten=udp:%s\n", v.Workers, s.spare(0))
	}
	for _, a := range v.More {
		head += fmt.Sprintf("socket_workers=1\nlisten=udp:%s\n", a)
	}
	text = head + text
	if v.Broken {
		text += "\nroute[BROKEN] {\n\tno_such_function();\n}\n"
	}
	return os.WriteFile(s.file, []byte(text), 0o644)
}

// processes are the children by pid, with their titles.
func (s *subject) processes() (map[int]string, error) {
	pids, err := proctree.Tree(s.p.Cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	m := map[int]string{}
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || pid == s.p.Cmd.Process.Pid {
			continue // it has just ended
		}
		m[pid] = strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
	}
	return m, nil
}

var errBack = errors.New("is not back")

// signal hits one of the processes with that title and waits for its successor.
func (s *subject) signal(title string, sig syscall.Signal, within time.Duration) (string, error) {
	all, err := s.processes()
	if err != nil {
		return "", err
	}
	var pids []int
	for _, pid := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(all[pid], title) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return "", fmt.Errorf("no process %q", title)
	}
	pid := pids[s.rand.IntN(len(pids))]
	what := fmt.Sprintf("%d %s", pid, all[pid])
	if err := syscall.Kill(pid, sig); err != nil {
		return what, err
	}
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		now, err := s.processes()
		if err != nil {
			return what, err
		}
		for p, t := range now {
			if t == all[pid] && p != pid && !slices.Contains(pids, p) {
				return what, nil
			}
		}
		if time.Now().After(end) {
			return what, fmt.Errorf("%s %w after %v", all[pid], errBack, within)
		}
	}
}

// roomy waits until three quarters of shared memory are free.
func (s *subject) roomy(within time.Duration) error {
	for end := time.Now().Add(within); ; time.Sleep(200 * time.Millisecond) {
		out, err := s.call("core.shmmem")
		if err != nil {
			return err
		}
		var free, total int64
		for _, n := range out {
			if i := slices.Index(n.Names, "free"); i >= 0 {
				free = n.Members[i].Int
			}
			if i := slices.Index(n.Names, "total"); i >= 0 {
				total = n.Members[i].Int
			}
		}
		if total > 0 && free > total/4*3 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d bytes are free after %v: %w", free, total, within, errBack)
		}
	}
}

// upgrade executes the same binary in main's place and waits until every process is a new one.
func (s *subject) upgrade(within time.Duration) (string, error) {
	before, err := s.processes()
	if err != nil {
		return "", err
	}
	if err := s.rpc("kahea.upgrade"); err != nil {
		return "", err
	}
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		now, err := s.processes()
		if err != nil {
			return "", err
		}
		left := 0
		for pid := range now {
			if _, old := before[pid]; old {
				left++
			}
		}
		if left == 0 && len(now) == len(before) {
			return fmt.Sprintf("%d processes", len(now)), nil
		}
		if time.Now().After(end) {
			return "", fmt.Errorf("%d old processes of %d after %v: %w", left, len(now), within, errBack)
		}
	}
}

func (s *subject) gone() bool { return syscall.Kill(s.p.Cmd.Process.Pid, 0) != nil }

// call asks over the control socket; again and again for a while, because the process that answers may just have been killed.
func (s *subject) call(method string) (out []*modules.Node, err error) {
	for range 20 {
		if out, err = rpc.Ask("unix", s.control(), time.Minute, method, nil); err == nil || errors.As(err, new(*modules.Fault)) {
			return out, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, err
}

// control is the path of the control socket.
func (s *subject) control() string { return filepath.Join(s.dir, "kamailio_ctl") }

func (s *subject) rpc(method string) error {
	_, err := s.call(method)
	return err
}

// state is what has to be the same at the end.
type state struct {
	used   int64
	blocks int64 // of shared memory
	procs  int
	fds    int // of all processes
}

var errNoBlocks = errors.New("kahea.mem tells of no blocks")

// blocksIn sums up the members called blocks, at whatever depth the protocol has put them.
func blocksIn(n *modules.Node) (sum int64) {
	for i, m := range n.Members {
		if i < len(n.Names) && n.Names[i] == "blocks" {
			sum += m.Int
		}
		sum += blocksIn(m)
	}
	return sum
}

// slack is how much the same blocks may take more: the allocators do not split off what is too small for a block.
const slack = 1024

// same says that nothing has been left and nothing is missing.
func (st state) same(base state) bool {
	return st.blocks == base.blocks && max(st.used-base.used, base.used-st.used) <= slack && st.procs == base.procs && st.fds == base.fds
}

func (s *subject) look() (st state, err error) {
	// descriptors first: the connection of a command is closed a moment after its answer
	procs, err := s.processes()
	if err != nil {
		return st, err
	}
	st.procs = len(procs)
	for pid := range procs {
		if l, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
			st.fds += len(l)
		}
	}
	out, err := s.call("core.shmmem")
	if err != nil {
		return st, err
	}
	for _, n := range out {
		if i := slices.Index(n.Names, "used"); i >= 0 {
			st.used = n.Members[i].Int
		}
	}
	if out, err = s.call("kahea.mem"); err != nil {
		return st, err
	}
	for _, n := range out {
		if i := slices.Index(n.Names, "sizes"); i >= 0 {
			st.blocks += blocksIn(n.Members[i])
		}
	}
	if st.blocks == 0 {
		return st, errNoBlocks
	}
	return st, nil
}

// quiet waits until nothing has changed for seven seconds: transactions stay for wt_timer.
func (s *subject) quiet(within time.Duration) (last state, err error) {
	same := 0
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		now, err := s.look()
		if err != nil {
			return now, err
		}
		if now == last {
			if same++; same == 14 {
				return now, nil
			}
			continue
		}
		last, same = now, 0
	}
	return last, fmt.Errorf("the server does not come to rest within %v", within)
}

// back reloads the configuration of the start, often enough that what a server keeps of its last generations is of equal ones.
func (s *subject) back() error {
	if err := s.configure(s.first); err != nil {
		return err
	}
	for range 6 {
		if err := s.rpc("kahea.reload"); err != nil {
			return err
		}
	}
	return nil
}

// same waits until the server is as it was.
func (s *subject) same(base state, within time.Duration) error {
	if err := s.back(); err != nil {
		return err
	}
	var now state
	var err error
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if now, err = s.look(); err != nil {
			return err
		}
		if now.same(base) {
			fmt.Printf("at the end as at the start: %d bytes of shared memory in %d blocks, %d processes, %d descriptors\n", now.used, now.blocks, now.procs, now.fds)
			return nil
		}
	}
	return fmt.Errorf("not as it was: at the start %+v, at the end %+v", base, now)
}

func (s *subject) verify() error { return s.rpc("kahea.verify") }

func (s *subject) end() error { return s.p.Stop() }
