// Package kex has small helpers around the core: script and branch flags, the destination URI, the log level of a process, and the
// RPC commands about statistics and memory.
package kex

import (
	"fmt"
	"os"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
)

func init() { modules.Register("kex", func() modules.Module { return &mod{} }) }

var (
	_ modules.Module       = (*mod)(nil)
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
)

type mod struct {
	h     *modules.Host
	ruid  string // constant part of $sruid
	ruids uint64
	pkg   *pkgTable
	next  int64 // unix ns, when this process's row is written again
}

func (m *mod) Exports() modules.Exports {
	flag := func(name, doc string, f func(c *route.Ctx, bit uint32) int) route.Func {
		return route.Func{Name: name, Args: "i", From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			bit, ok := flagArg(c, a)
			if !ok {
				return -1
			}
			return f(c, bit)
		}}
	}
	branchFlag := func(name, doc string, f func(flags *uint32, bit uint32) int) route.Func {
		return route.Func{Name: name, Args: "i|i", From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			bit, ok := flagArg(c, a)
			if !ok {
				return -1
			}
			flags := branchFlags(c, a)
			if flags == nil {
				return -1
			}
			return f(flags, bit)
		}}
	}
	printf := func(name string) route.Func {
		return route.Func{Name: name, Args: "Ps", From: route.AnyRoute, Doc: "store a format's text in a variable", Run: func(c *route.Ctx, a *route.Args) int {
			b, ok := a.Str(c, 1)
			if !ok {
				return -1
			}
			if err := a.PV(0).Set(c, route.Str(b)); err != nil {
				c.Logf(log.Err, "kex", "%s: %v", name, err)
				return -1
			}
			return 1
		}}
	}
	return modules.Exports{
		Funcs: []route.Func{
			flag("setsflag", "set a script flag", func(c *route.Ctx, b uint32) int { c.SFlags |= b; return 1 }),
			flag("resetsflag", "clear a script flag", func(c *route.Ctx, b uint32) int { c.SFlags &^= b; return 1 }),
			flag("issflagset", "1 if the script flag is set, else -1", func(c *route.Ctx, b uint32) int { return truth(c.SFlags&b != 0) }),
			branchFlag("setbflag", "set a branch flag; second parameter: branch, 0 = that of the R-URI", func(f *uint32, b uint32) int { *f |= b; return 1 }),
			branchFlag("resetbflag", "clear a branch flag", func(f *uint32, b uint32) int { *f &^= b; return 1 }),
			branchFlag("isbflagset", "1 if the branch flag is set, else -1", func(f *uint32, b uint32) int { return truth(*f&b != 0) }),
			{Name: "setdsturi", Args: "s", From: route.AnyRoute, Doc: "set the destination URI ($du)", Run: setDstURI},
			{Name: "resetdsturi", From: route.AnyRoute, Doc: "no destination URI", Run: func(c *route.Ctx, _ *route.Args) int { c.DstURI = nil; return 1 }},
			{Name: "isdsturiset", From: route.AnyRoute, Doc: "1 if there is a destination URI, else -1", Run: func(c *route.Ctx, _ *route.Args) int {
				return truth(len(c.DstURI) > 0)
			}},
			printf("pv_printf"), printf("avp_printf"),
			{Name: "is_myself", Args: "s", From: route.AnyRoute, Doc: "1 if host, port and transport of a SIP URI, or a bare host, belong to this server", Run: isMyself(true)},
			{Name: "is_myhost", Args: "s", From: route.AnyRoute, Doc: "as is_myself, whatever the port", Run: isMyself(false)},
			{Name: "setdebug", Args: "i", From: route.AnyRoute, Doc: "log level of this process", Run: func(c *route.Ctx, a *route.Args) int {
				n, ok := a.Int(c, 0)
				if !ok {
					return -1
				}
				c.P.Log.SetLocal(log.Level(n))
				return 1
			}},
			{Name: "resetdebug", From: route.AnyRoute, Doc: "log level of the server again", Run: func(c *route.Ctx, _ *route.Args) int { c.P.Log.ClearLocal(); return 1 }},
		},
		Vars: []route.Var{{Name: "sruid", Get: m.sruid, Doc: "a unique id, another one each time"}},
		RPC: append(m.statCommands(),
			modules.RPC{Name: "mod.stats", Array: true, Doc: "Per module memory usage: module or all; shm, pkg or all.", Run: m.modStats},
			modules.RPC{Name: "mod.mem_stats", Array: true, Doc: "As mod.stats.", Run: m.modStats},
			modules.RPC{Name: "mod.mem_statsx", Array: true, Doc: "As mod.stats, each with its number of blocks.", Run: m.modStatsX},
			modules.RPC{Name: "pkg.info", Doc: "Allocator and size of the private memory of a process; pid, rank or index and a number select one.", Run: m.pkgInfo},
			modules.RPC{Name: "pkg.stats", Array: true, Doc: "Private memory of the processes; pid, rank or index and a number select one.", Run: m.pkgStats}),
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

// flagArg is the bit of a flag number, 0 to 31.
func flagArg(c *route.Ctx, a *route.Args) (uint32, bool) {
	n, ok := a.Int(c, 0)
	if !ok || n < 0 || n > 31 {
		c.Logf(log.Err, "kex", "flag %d is not in 0 to 31", n)
		return 0, false
	}
	return 1 << uint(n), true
}

// branchFlags finds the flags of the branch that the second argument names; nil if there is none.
func branchFlags(c *route.Ctx, a *route.Args) *uint32 {
	if a.N < 2 {
		return &c.Main.Flags
	}
	n, ok := a.Int(c, 1)
	switch {
	case !ok || n < 0 || n > int64(len(c.Branches)):
		return nil
	case n == 0:
		return &c.Main.Flags
	}
	return &c.Branches[n-1].Flags
}

func setDstURI(c *route.Ctx, a *route.Args) int {
	b, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	if b = c.Scratch.Copy(b); b == nil {
		return -1
	}
	c.DstURI = b // as it is: Kamailio does not look at it before it is used
	c.URIFresh = true
	return 1
}

// isMyself compares as Kamailio does: a text that is no SIP URI is a host as a whole.
func isMyself(withPort bool) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		b, ok := a.Str(c, 0)
		if !ok || len(b) == 0 {
			return -1
		}
		var u sipparse.URI
		if !hasScheme(b) {
			return truth(c.P.Net.IsMyself(b, 0, sipparse.ProtoNone))
		}
		if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK {
			return -1
		}
		port, proto := u.Port, u.Proto
		if !withPort {
			port, proto = 0, sipparse.ProtoNone
		}
		return truth(c.P.Net.IsMyself(u.Host.In(b), port, proto))
	}
}

func hasScheme(b []byte) bool {
	if len(b) < 5 || b[0]|0x20 != 's' || b[1]|0x20 != 'i' || b[2]|0x20 != 'p' {
		return false
	}
	return b[3] == ':' || b[3]|0x20 == 's' && b[4] == ':'
}

func (m *mod) sruid(c *route.Ctx) route.Value {
	m.ruids++
	return route.Str(c.Scratch.CopyString(fmt.Sprintf("%s%x", m.ruid, m.ruids)))
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	m.ruid = fmt.Sprintf("srid-%x-%x-", time.Now().Unix(), os.Getpid())
	h.AfterScript = append(h.AfterScript, m.afterScript)
	return nil
}

func (m *mod) Init(h *modules.Host) error {
	r, _, err := shm.Root[pkgTable](h.Arena, "kex")
	if err == nil {
		m.pkg = r.Get(h.Arena)
	}
	return err
}

// InitWorker finds the table and writes the process's row for the first time.
func (m *mod) InitWorker(h *modules.Host, _ int) error {
	if err := m.Init(h); err != nil {
		return err
	}
	m.writeRow()
	return nil
}

// afterScript writes the row at most once a second.
func (m *mod) afterScript(c *route.Ctx) {
	if now := c.P.Host.Now(); now >= m.next {
		m.next = now + int64(time.Second)
		m.writeRow()
	}
}
