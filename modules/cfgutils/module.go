// Package cfgutils has small helpers of the script: waiting, chance, named locks, global flags, routes by name, memory reports.
//
// What all processes share lies under the root "cfgutils": the probability, the global flags, the hash of hash_file as it was at the start, and the locks. The root is
// filled once, in main; a reload finds it and leaves it as it is.
package cfgutils

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse/edit"
)

func init() { modules.Register("cfgutils", func() modules.Module { return &mod{initialProb: 10} }) }

type mod struct {
	h    *modules.Host
	root *root

	initialProb   int
	initialGflags int
	hashFile      string
	lockSetSize   int
	locks         []uint64 // in shared memory (lock.go)
}

// root is what all processes share.
type root struct {
	Prob   uint32 // percent
	Gflags uint32
	Bits   uint32 // the locks are 1<<Bits, if there are any
	_      uint32
	Locks  shm.Off
	Hash   [32]byte // hexadecimal MD5 of hash_file; begins with 0: there is none
}

var (
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
)

var (
	errNumber  = errors.New("a constant number is needed")
	errRange   = errors.New("number out of range")
	errPercent = errors.New("invalid probability")
)

// maxLockBits is Kamailio's bound of lock_set_size.
const maxLockBits = 14

func (m *mod) Exports() modules.Exports {
	const scripts = route.InRequest | route.InFailure | route.AnyReply | route.InBranch | route.InLocal
	any := func(name, args, doc string, run func(c *route.Ctx, a *route.Args) int) route.Func {
		return route.Func{Name: name, Args: args, From: route.AnyRoute, Doc: doc, Run: run}
	}
	return modules.Exports{
		Params: []modules.Param{
			{Name: "initial_probability", Int: &m.initialProb, Doc: "percent of rand_event at the start and after rand_reset_prob, 0 to 100; 10"},
			{Name: "initial_gflags", Int: &m.initialGflags, Fixed: true, Doc: "global flags at the start, a bit mask; 0"},
			{Name: "hash_file", Str: &m.hashFile, Fixed: true, Doc: "file whose MD5 is taken at the start; none"},
			{Name: "lock_set_size", Int: &m.lockSetSize, Fixed: true, Doc: "there are two to the power of this many locks, 14 at most; 0: none"},
		},
		Funcs: []route.Func{
			m.sleep("sleep", time.Second, "wait a number of seconds; other messages are handled meanwhile"),
			m.sleep("usleep", time.Microsecond, "wait a number of microseconds; other messages are handled meanwhile"),
			{Name: "rand_set_prob", Args: "i", From: route.AnyRoute, Compile: m.setProb, Doc: "set the probability, a constant percentage"},
			any("rand_reset_prob", "", "set the probability to initial_probability", func(*route.Ctx, *route.Args) int {
				atomic.StoreUint32(&m.root.Prob, uint32(m.initialProb))
				return 1
			}),
			any("rand_get_prob", "", "the probability; 0 ends the script, as any function that returns 0", func(*route.Ctx, *route.Args) int {
				return int(atomic.LoadUint32(&m.root.Prob))
			}),
			any("rand_event", "", "1 with the probability, else -1", func(*route.Ctx, *route.Args) int {
				return truth(rand.Uint32N(100) < atomic.LoadUint32(&m.root.Prob))
			}),
			{Name: "abort", From: scripts | route.InEvent, Run: abort, Doc: "end this process with SIGABRT"},
			any("pkg_status", "", "log private memory: sums, owners, sizes", m.pkgStatus),
			any("shm_status", "", "log shared memory: sums, owners, sizes", m.shmStatus),
			any("pkg_summary", "", "log private memory: owners", m.pkgSummary),
			any("shm_summary", "", "log shared memory: owners", m.shmSummary),
			m.flag("set_gflag", scripts, "set a global flag, 0 to 31", func(bit uint32) int { atomic.OrUint32(&m.root.Gflags, bit); return 1 }),
			m.flag("reset_gflag", scripts, "clear a global flag", func(bit uint32) int { atomic.AndUint32(&m.root.Gflags, ^bit); return 1 }),
			m.flag("is_gflag", scripts, "1 if a global flag is set, else -1", func(bit uint32) int { return truth(atomic.LoadUint32(&m.root.Gflags)&bit != 0) }),
			{Name: "lock", Args: "s", From: scripts, Run: m.lock, Doc: "take the lock of a key; the message waits until it is free"},
			{Name: "trylock", Args: "s", From: scripts, Run: m.tryLock, Doc: "take the lock of a key if it is free, else -1"},
			{Name: "unlock", Args: "s", From: scripts, Run: m.unlock, Doc: "give the lock of a key back, whoever has it"},
			any("core_hash", "ssi", "Kamailio's hash of two texts + 1; the third parameter is the hash's number of bits", coreHash),
			any("check_route_exists", "s", "1 if there is a route[] of that name, else -1", func(c *route.Ctx, a *route.Args) int { return truth(find(c, a) != nil) }),
			any("route_if_exists", "s", "run the route[] of that name; -1 if there is none", func(c *route.Ctx, a *route.Args) int {
				r := find(c, a)
				if r == nil {
					return -1
				}
				return c.Call(r)
			}),
		},
		Vars: []route.Var{{Name: "RANDOM", Doc: "a random number from 0 to 2147483647", Get: func(*route.Ctx) route.Value { return route.Int(int64(rand.Int32())) }}},
		RPC:  m.commands(),
	}
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	if m.initialProb < 0 || m.initialProb > 100 {
		return fmt.Errorf("initial_probability %d: %w", m.initialProb, errPercent)
	}
	if m.lockSetSize > maxLockBits {
		h.Logf(log.Warn, "cfgutils", "lock_set_size %d is too large, it is %d", m.lockSetSize, maxLockBits)
		m.lockSetSize = maxLockBits
	}
	return nil
}

func (m *mod) Init(h *modules.Host) error {
	r, created, err := shm.Root[root](h.Arena, "cfgutils")
	if err != nil {
		return err
	}
	m.root = r.Get(h.Arena)
	if created {
		m.root.Prob, m.root.Gflags = uint32(m.initialProb), uint32(m.initialGflags)
		if m.hashFile != "" {
			if m.root.Hash, err = hash(m.hashFile); err != nil {
				return fmt.Errorf("hash_file: %w", err)
			}
		}
		if m.lockSetSize > 0 {
			if m.root.Locks, err = h.Arena.Alloc(8<<m.lockSetSize, h.Arena.TagFor("cfgutils", "locks")); err != nil {
				return fmt.Errorf("%d locks: %w", 1<<m.lockSetSize, err)
			}
			m.root.Bits = uint32(m.lockSetSize)
			clear(h.Arena.Bytes(m.root.Locks))
		}
	}
	m.openLocks()
	return nil
}

func (m *mod) InitWorker(h *modules.Host, _ int) error {
	if err := m.Init(h); err != nil {
		return err
	}
	if !h.Reloaded {
		m.releaseLocks()
	}
	return nil
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

// sleep is sleep and usleep: they take a number, a text that is one, or a variable, and what they take is an unsigned 32-bit number there and here. They return 1; 0,
// which ends the script, when too many scripts wait already (suspend_max); -1 when the parameter is no number.
func (m *mod) sleep(name string, unit time.Duration, doc string) route.Func {
	return route.Func{Name: name, Args: "i", From: route.AnyRoute, Doc: doc, Compile: func(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
		if x := a.At(0); x.Const && !x.IsNum {
			if _, ok := route.ParseInt(x.Text); !ok {
				return nil, errNumber
			}
		}
		args := *a
		return func(c *route.Ctx) int {
			n, ok := args.Int(c, 0)
			switch {
			case !ok:
				c.Logf(log.Err, "cfgutils", "%s: cannot get time interval value", name)
				return -1
			case !c.Sleep(time.Duration(uint32(n)) * unit):
				return 0
			}
			return 1
		}, nil
	}}
}

// constant is the argument of a function that takes a constant number from 0 to limit.
func constant(a *route.Args, limit int64) (uint32, error) {
	x := a.At(0)
	n, ok := x.Num, x.Const && x.IsNum
	if x.Const && !x.IsNum {
		n, ok = route.ParseInt(x.Text)
	}
	switch {
	case !ok:
		return 0, errNumber
	case n < 0 || n > limit:
		return 0, fmt.Errorf("%d: %w (0 to %d)", n, errRange, limit)
	}
	return uint32(n), nil
}

func (m *mod) setProb(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	n, err := constant(a, 100)
	return func(*route.Ctx) int {
		atomic.StoreUint32(&m.root.Prob, n)
		return 1
	}, err
}

func (m *mod) flag(name string, from route.Mask, doc string, f func(bit uint32) int) route.Func {
	return route.Func{Name: name, Args: "i", From: from, Doc: doc, Compile: func(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
		n, err := constant(a, 31)
		return func(*route.Ctx) int { return f(1 << n) }, err
	}}
}

// abort ends the process; a panic would end the script only.
func abort(c *route.Ctx, _ *route.Args) int {
	c.Logf(log.Alert, "cfgutils", "abort called")
	debug.SetTraceback("crash") // the signal is not only told of: the process dies of it, with a core dump if there is room for one
	if err := syscall.Kill(os.Getpid(), syscall.SIGABRT); err != nil {
		c.Logf(log.Err, "cfgutils", "abort: %v", err)
		return -1
	}
	select {} // the signal is on its way
}

func coreHash(c *route.Ctx, a *route.Args) int {
	x, ok1 := a.Str(c, 0)
	y, ok2 := a.Str(c, 1)
	bits, ok3 := a.Int(c, 2)
	if !ok1 || !ok2 || !ok3 {
		c.Logf(log.Err, "cfgutils", "core_hash: a parameter can not be evaluated")
		return -1
	}
	if bits <= 0 {
		bits = 1
	}
	h := edit.Hash2(x, y) & (1<<(uint(bits)&31) - 1)
	return int(h) + 1 // 0 would end the script
}

// find is the route[] block that the argument names, nil if there is none.
func find(c *route.Ctx, a *route.Args) *route.Route {
	name, ok := a.Str(c, 0)
	if !ok {
		return nil
	}
	return c.P.Prog.Find(route.InRequest, string(name))
}
