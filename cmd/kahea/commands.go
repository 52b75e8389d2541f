package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"kahea/modules"
)

// coreCommands are the RPC commands of the core.
func coreCommands(s *server) []modules.RPC {
	l := []modules.RPC{
		{Name: "system.listMethods", Array: true, Doc: "Lists all RPC methods supported by the server.", Run: s.listMethods},
		{Name: "system.methodHelp", Doc: "Print the help string for given method.", Run: s.methodHelp},
		{Name: "system.methodSignature", Doc: "Returns signature of given method.", Run: func(*modules.Request) error {
			return modules.NewFault(500, "Not Implemented Yet")
		}},
		{Name: "core.echo", Array: true, Doc: "Returns back its parameters.", Run: rpcEcho},
		{Name: "core.prints", Array: true, Doc: "Returns back its string parameters.", Run: rpcPrints},
		{Name: "core.printi", Array: true, Doc: "Returns back its integer parameters.", Run: rpcPrinti},
		{Name: "core.version", Doc: "Returns the version string of the server.", Run: func(r *modules.Request) error {
			i := s.host.Info
			r.AddStr(i.Name + " " + i.Version + " " + i.ID)
			return nil
		}},
		{Name: "core.flags", Doc: "Returns the compile flags.", Run: func(r *modules.Request) error {
			r.AddStr(s.host.Info.Flags)
			return nil
		}},
		{Name: "core.info", Doc: "Verbose info, including version number, compiler, compile flags.", Run: s.rpcInfo},
		{Name: "core.runinfo", Doc: "Runtime info, including version, compiler, start time and uptime.", Run: s.rpcRunInfo},
		{Name: "core.uptime", Doc: "Returns uptime of the server.", Run: s.rpcUptime},
		{Name: "core.ps", Array: true, Doc: "Returns the description of running processes.", Run: s.rpcPs},
		{Name: "core.psx", Array: true, Doc: "Returns the detailed description of running processes.", Run: s.rpcPsx},
		{Name: "core.psa", Array: true, Doc: "Returns the detailed status of running processes.", Run: s.rpcPsa},
		{Name: "core.pwd", Array: true, Doc: "Returns the working directory of the server.", Run: rpcPwd},
		{Name: "core.arg", Array: true, Doc: "Returns the list of command line arguments used on startup.", Run: s.rpcArg},
		{Name: "core.kill", Doc: "Sends the given signal to the server's process group, SIGTERM without one.", Run: rpcKill},
		{Name: "core.shmmem", Doc: "Returns shared memory info. It takes an unit letter as parameter: b, k, m or g.", Run: s.rpcShmMem},
		{Name: "core.modules", Array: true, Doc: "Returns the list of loaded modules.", Run: s.rpcModules},
		{Name: "core.ppdefines", Array: true, Doc: "List preprocessor defines.", Run: s.rpcDefines},
		{Name: "core.ppdefines_full", Array: true, Doc: "List preprocessor defines with their values.", Run: s.rpcDefinesFull},
	}
	l = append(l, s.liveCommands()...)
	l = append(l, s.memory()...)
	l = append(l, s.quarantineCommands()...)
	l = append(l, s.blocklistCommands()...)
	return append(l, s.netCommands()...)
}

func (s *server) listMethods(r *modules.Request) error {
	for _, n := range s.host.Commands.Names() {
		r.AddStr(n)
	}
	return nil
}

func (s *server) methodHelp(r *modules.Request) error {
	name, err := r.Str()
	if err != nil {
		return modules.NewFault(400, "Method Name Expected")
	}
	c := s.host.Commands.Find(name)
	if c == nil {
		return modules.NewFault(400, "command not found")
	}
	if c.Doc == "" {
		r.AddStr("undocumented")
		return nil
	}
	r.AddStr(c.Doc)
	return nil
}

// rpcEcho, rpcPrints and rpcPrinti stop at the first parameter that they can not take.
func rpcEcho(r *modules.Request) error {
	for _, p := range r.Params {
		switch {
		case p.Kind == modules.KindStr:
			r.AddStr(p.Str)
		case p.Kind == modules.KindInt && r.Strict:
			r.AddInt(p.Int)
		case p.Kind == modules.KindInt:
			r.AddStr(fmt.Sprint(p.Int))
		case p.Kind == modules.KindDouble && !r.Strict:
			r.AddStr(fmt.Sprint(int64(p.Double)))
		default:
			return nil
		}
	}
	return nil
}

func rpcPrints(r *modules.Request) error {
	for _, p := range r.Params {
		if p.Kind != modules.KindStr {
			if r.Strict && len(r.Out) == 0 {
				_, err := r.Str()
				return err
			}
			return nil
		}
		r.AddStr(p.Str)
	}
	return nil
}

func rpcPrinti(r *modules.Request) error {
	for r.More() {
		n, err := r.Integer()
		switch {
		case err != nil && !r.Strict:
			n = 0
		case err != nil && len(r.Out) > 0:
			return nil
		case err != nil:
			return err
		}
		r.AddInt(n)
	}
	return nil
}

// ctime is C's text of a time.
func ctime(t time.Time) string { return t.Format("Mon Jan _2 15:04:05 2006") }

func (s *server) started() time.Time { return time.Unix(0, s.Started) }

func (s *server) uptime(now time.Time) int64 { return now.Unix() - s.started().Unix() }

func (s *server) rpcInfo(r *modules.Request) error {
	i := s.host.Info
	n := r.AddStruct()
	n.AddStr("version", i.Name+" "+versionText())
	n.AddStr("id", i.ID+" ")
	n.AddStr("compiler", runtime.Version())
	n.AddStr("compiled", "")
	n.AddStr("flags", i.Flags)
	return nil
}

func (s *server) rpcRunInfo(r *modules.Request) error {
	i, now := s.host.Info, time.Now()
	up := s.uptime(now)
	n := r.AddStruct()
	n.AddStr("name", i.Name)
	n.AddStr("version", versionText())
	n.AddStr("sourceid", i.ID+" ")
	n.AddStr("compiler", runtime.Version())
	n.AddStr("compiled", "")
	n.AddStr("time_now", ctime(now))
	n.AddStr("time_started", ctime(s.started()))
	n.AddInt("uptime_secs", up)
	n.AddStr("utime_days", fmt.Sprintf("%dd %dh %dm %ds", up/86400, up/3600%24, up/60%60, up%60))
	return nil
}

func (s *server) rpcUptime(r *modules.Request) error {
	now := time.Now()
	n := r.AddStruct()
	n.AddStr("now", ctime(now))
	n.AddStr("up_since", ctime(s.started()))
	n.AddInt("uptime", s.uptime(now))
	return nil
}

func (s *server) rpcPs(r *modules.Request) error {
	for _, p := range s.procs() {
		r.AddInt(int64(p.PID))
		r.AddStr(p.Desc)
	}
	return nil
}

func (s *server) rpcPsx(r *modules.Request) error {
	for _, p := range s.procs() {
		n := r.AddStruct()
		n.AddInt("IDX", int64(p.Index))
		n.AddInt("PID", int64(p.PID))
		n.AddStr("DSC", p.Desc)
	}
	return nil
}

func (s *server) rpcPsa(r *modules.Request) error {
	for _, p := range s.procs() {
		n := r.AddStruct()
		n.AddInt("index", int64(p.Index))
		n.AddInt("pid", int64(p.PID))
		n.AddInt("status", int64(p.Status))
		n.AddInt("rank", int64(p.Rank))
		n.AddStr("description", p.Desc)
	}
	return nil
}

func rpcPwd(r *modules.Request) error {
	wd, err := os.Getwd()
	if err != nil {
		return modules.NewFault(500, "getcwd: %v", err)
	}
	r.AddStr(wd)
	return nil
}

func (s *server) rpcArg(r *modules.Request) error {
	for _, a := range s.Args {
		r.AddStr(a)
	}
	return nil
}

// rpcKill signals the process group once the answer is on its way.
func rpcKill(r *modules.Request) error {
	sig := int64(syscall.SIGTERM)
	if r.More() {
		var err error
		if sig, err = r.Integer(); err != nil {
			return err
		}
	}
	r.Delayed = true
	r.Reply()
	return syscall.Kill(0, syscall.Signal(sig))
}

func (s *server) rpcShmMem(r *modules.Request) error {
	shift := 0
	if r.More() {
		unit, err := r.Str()
		if err != nil {
			return err
		}
		switch unit {
		case "b", "B":
		case "k", "K":
			shift = 10
		case "m", "M":
			shift = 20
		case "g", "G":
			shift = 30
		default:
			return modules.NewFault(500, "bad param, (use b|k|m|g)")
		}
	}
	u := s.arena.Usage()
	n := r.AddStruct()
	for _, x := range []struct {
		name string
		val  uint64
	}{{"total", u.Total}, {"free", u.Free}, {"used", u.Used}, {"real_used", u.RealUsed}, {"max_used", u.MaxUsed}} {
		n.AddInt(x.name, int64(x.val>>shift))
	}
	n.AddInt("fragments", int64(u.Fragments))
	return nil
}

// rpcModules lists the modules as Kamailio does: the last loaded first.
func (s *server) rpcModules(r *modules.Request) error {
	for i := len(s.loaded) - 1; i >= 0; i-- {
		r.AddStr(s.loaded[i].Name)
	}
	return nil
}

func (s *server) rpcDefines(r *modules.Request) error {
	for _, d := range s.config.file.Defines {
		r.AddStr(d.Name)
	}
	return nil
}

func (s *server) rpcDefinesFull(r *modules.Request) error {
	for _, d := range s.config.file.Defines {
		n := r.AddStruct()
		n.AddStr("name", d.Name)
		n.AddInt("type", 0)
		if d.HasValue {
			n.AddStr("value", d.Value)
		} else {
			n.AddStr("value", "none")
		}
	}
	return nil
}
