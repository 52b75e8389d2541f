package modules

import (
	"fmt"
	"sort"
	"sync"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
)

// Module is a loadable module. What else it does it says by the optional interfaces below.
type Module interface {
	Exports() Exports
}

// Setuper derives private state; it runs in every process after the parameters are known and before the script is compiled.
type Setuper interface {
	Setup(h *Host) error
}

// Initer runs in main only, before children are started and while the user is still root; and again, on a new instance, for each configuration that is loaded
// later: what lies in shared memory then is found and adopted, as in a child.
type Initer interface {
	Init(h *Host) error
}

// WorkerIniter is child_init: it runs in every child, and in main with its ranks.
type WorkerIniter interface {
	InitWorker(h *Host, rank int) error
}

// Drainer is a Runner whose process can be replaced without a loss: from the first call on it takes no new requests; true: none is under way. It is called on the
// process's loop, each tick until it says true.
type Drainer interface {
	Drain() bool
}

// Closer gives back what was opened.
type Closer interface {
	Close() error
}

// Exports is a module's table.
type Exports struct {
	Params []Param
	Funcs  []route.Func
	Vars   []route.Var
	Trans  []route.Trans
	RPC    []RPC
	Stats  []Stat
	Events []string // event routes that the module runs, e.g. "tm:local-request"; one that ends in :NAME stands for all names
}

// Param is a module parameter. Exactly one of Int, Str and Func is set.
type Param struct {
	Name     string
	Int      *int
	Min, Max int // both 0: any
	Str      *string
	// Func takes each value of a repeatable parameter, or one that needs a check; isInt tells how it was written.
	Func func(v Value) error
	Type ParamType // of Func
	// Fixed: a reload does not change it, because it belongs to what Init has made.
	Fixed bool
	// Runtime is the name of the variable in the module's group of the run-time configuration (cfg.set), "": it does not change while the server runs. Only Int
	// and Str can have one; they are written on the process's loop.
	Runtime string
	// Changed runs behind that: what was derived of the value is made again. It may be nil.
	Changed func()
	Doc     string // unit, range, default, whether it changes at run time
}

// ParamType says what a Func parameter takes.
type ParamType uint8

const (
	StrParam ParamType = iota
	IntParam
	AnyParam
)

// Value is a parameter's value as written.
type Value struct {
	Str   string
	Int   int
	IsInt bool
}

// Stat is a statistic: a counter in shared memory (Counter) or a value computed when somebody asks (Get).
type Stat struct {
	Group, Name string
	Counter     *shm.Counter // set before Setup is called
	Get         func() int64
	Doc         string
}

// Stater is a module with statistics whose names are known only when the script is compiled; they are computed when asked for.
type Stater interface {
	Stats() []Stat
}

// Proc is a process that a module asks for in Init.
type Proc struct {
	Desc string
	Rank int
	// Kind names the entry in Main, so that the child finds it again.
	Kind string
}

// Runner is a module that has processes of its own: Run is called in the child on the process's loop once it stands, with what Init asked for.
type Runner interface {
	Procs() []Proc
	Run(h *Host, kind string) error
}

// Host is what a process offers to its modules.
type Host struct {
	*route.Proc
	// Main is true in the main process.
	Main bool
	// Core gives the values of core parameters by name (package core's table); ok is false for an unknown one.
	Core func(name string) (v Value, ok bool)
	// RunDir is the directory of control sockets (-Y).
	RunDir string
	// Resumed: main is a new binary that goes on in the place of another one; what Files has is this instance's to give back at the end.
	Resumed bool
	// User and Group own files made for the process's user; -1 = unchanged.
	User, Group int
	// Env compiles formats and variables that parameters hold; valid from Setup on.
	Env route.Env
	// Loop runs f on the process's loop; any goroutine.
	Loop func(f func())
	// Commands is the RPC table of all modules and the core.
	Commands *Commands
	// Procs is the process table (core.psx).
	Procs func() []ProcInfo
	// Cfg is the run-time configuration (cfg.get).
	Cfg Cfg
	// Files are descriptors that Init opened in main for a child of this module, by name; -1: there is none. In main, those that Init kept before (a reload runs
	// Init of a new instance).
	Files func(name string) int
	// KeepFile (in Init) hands a descriptor to the processes that modules asked for.
	KeepFile func(name string, fd int)
	// Every runs f each interval: called in Setup, in the slow timer process (Kamailio's register_timer); called in Run, in that process.
	Every  func(interval time.Duration, f func())
	Info   Info
	loaded []Loaded
}

// Info is what the server says of itself.
type Info struct{ Name, Version, ID, Flags string }

// ProcInfo is one row of the process table.
type ProcInfo struct {
	Index, PID, Rank, Status int
	Desc                     string
}

// CfgGroup names a group of the run-time configuration, or an instance of it: group[id].
type CfgGroup struct {
	Name     string
	ID       uint32
	Instance bool
}

// Cfg reads and writes run-time configuration variables. An instance of a group has the group's values, but for those that it has its own of; only groups that the
// configuration declares have instances. Errors say what is wrong with the value, or that something does not exist.
type Cfg interface {
	// Get is false when there is no such variable, or no such instance.
	Get(g CfgGroup, name string) (v Value, ok bool)
	// Check is v as the variable would keep it: numbers and texts are converted. It does not ask whether the instance exists.
	Check(g CfgGroup, name string, v Value) (Value, error)
	// Set changes a variable at once, in all processes.
	Set(g CfgGroup, name string, v Value) error
	// Unset gives a variable of an instance the group's value again.
	Unset(g CfgGroup, name string) error
	// Reset gives all variables of a group or instance what the configuration says of them. It does nothing when there is no such group.
	Reset(g CfgGroup) error
	AddInstance(g CfgGroup) error // no error if it is there already
	DelInstance(g CfgGroup) error
	// Each walks all variables, with the groups' values.
	Each(f func(group, name string, v Value, desc string))
}

// Loaded is an instance with its name.
type Loaded struct {
	Name   string
	Module Module
	Table  Exports
}

// SetLoaded is for the boot code.
func (h *Host) SetLoaded(l []Loaded) { h.loaded = l }

// Loaded lists the instances in load order.
func (h *Host) Loaded() []Loaded { return h.loaded }

// Find is a loaded module by name, for its API; nil if it is not loaded. The caller asserts the interface that it needs.
func (h *Host) Find(name string) Module {
	for _, l := range h.loaded {
		if l.Name == name {
			return l.Module
		}
	}
	return nil
}

// Logf logs for a module.
func (h *Host) Logf(v log.Level, module, format string, a ...any) {
	if h.Log.On(v) {
		h.Log.Printf(v, module+": ", format, a...)
	}
}

// registry holds the constructors; it is written by init functions only and read afterwards.
var registry = struct {
	sync.RWMutex
	make map[string]func() Module
}{make: map[string]func() Module{}}

// Register makes a module known; it is called from an init function.
func Register(name string, f func() Module) {
	registry.Lock()
	defer registry.Unlock()
	if registry.make[name] != nil {
		panic(fmt.Sprintf("modules: %q registered twice", name))
	}
	registry.make[name] = f
}

// New makes an instance; nil if there is no such module.
func New(name string) Module {
	registry.RLock()
	defer registry.RUnlock()
	if f := registry.make[name]; f != nil {
		return f()
	}
	return nil
}

// Names lists the registered modules in order.
func Names() []string {
	registry.RLock()
	defer registry.RUnlock()
	var n []string
	for k := range registry.make {
		n = append(n, k)
	}
	sort.Strings(n)
	return n
}
