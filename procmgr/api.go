package procmgr

import (
	"kahea/shm"
)

// This file fixes the interface of the package before its bodies exist.

// Ranks of Kamailio (core.md 11.1).
const (
	RankMain          = 0
	RankTimer         = -1
	RankRPC           = -2
	RankTCPMain       = -4
	RankUnixSock      = -5
	RankAttendant     = -10
	RankPostChildInit = -126
	RankInit          = -127
	RankNoChildInit   = -128
	RankSIPInit       = 1
	RankSIPRPC        = 127
)

// Proc describes one process to be started. Order in the manager's list is the order of core.psx.
type Proc struct {
	Desc string // "udp receiver child=0 sock=127.0.0.1:5060"
	Rank int
	Kind string // names the entry point in cmd/kahea: "udp", "slow timer", "timer", "secondary timer", "ctl", "tcp", "tcpmain", ...
	Arg  int    // meaning by Kind (listener index, worker index)
	Arg2 int
	Fds  []int // further descriptors to inherit; owned by the manager
}

// Child is a process's view of itself.
type Child struct {
	Proc
	Slot       int // index in the process table, 1..
	Generation int
	ArenaFD    int
	Config     []byte // the sealed configuration blob, exactly what main sealed
	Fds        []int  // Proc.Fds as inherited
	Restarted  bool   // a successor of one that died
	Control    *Control
}

// IsChild says whether this process was started by a Manager (marker in the environment, removed by Inherit).
func IsChild() bool            { panic("todo") }
func Inherit() (*Child, error) { panic("todo") }

// Control is the channel between main and a child: packets with descriptors over a unix seqpacket socketpair.
type Control struct{}

// Kinds of control messages below 32 are the package's own.
func (c *Control) Send(kind uint8, payload []byte, fds ...int) error { panic("todo") }

// Handle registers f for kind; f runs on the control goroutine. Call before Serve.
func (c *Control) Handle(kind uint8, f func(payload []byte, fds []int)) { panic("todo") }
func (c *Control) Serve()                                               { panic("todo") } // starts the goroutine
func (c *Control) Ready() error                                         { panic("todo") } // tells main that child_init is done
func (c *Control) Failed(err error)                                     { panic("todo") } // child_init failed: the server stops

// Options of the manager.
type Options struct {
	Arena       *shm.Arena
	Config      []byte // sealed for the children
	Env         []string
	Restart     bool // restart_children
	ExitTimeout int  // seconds
	Log         func(level int, text string)
	// Died is called in main after a child was reaped and its locks were released, before its successor starts. It returns the descriptors for the successor.
	Died func(p Proc, slot int, status string) (fds []int)
}

// Manager is main's half: it starts, watches and ends the children, and handles signals (core.md 11.3).
type Manager struct{}

func New(o Options) (*Manager, error) { panic("todo") }

// Add appends a process before Start and returns its slot.
func (m *Manager) Add(p Proc) int { panic("todo") }

// Start starts all in order and waits until each has said Ready (or one Failed).
func (m *Manager) Start() error { panic("todo") }

// Run waits for signals and children; it returns the exit code of core.md 11.4.
func (m *Manager) Run() int { panic("todo") }

// Control of the child in slot, to send to it or to register handlers for all children.
func (m *Manager) Send(slot int, kind uint8, payload []byte, fds ...int) error    { panic("todo") }
func (m *Manager) Handle(kind uint8, f func(slot int, payload []byte, fds []int)) { panic("todo") }

// Table is the process table in shared memory, read by core.psx and its like from any process.
type Entry struct {
	Slot, PID, Rank, Generation int
	Desc                        string
	Status                      int // 1 running
}

func Table(a *shm.Arena) []Entry { panic("todo") }

// Beat is called by a child's loop at every tick (heartbeat); InHand/Handled mark the message in hand in its slot.
func Beat(a *shm.Arena) { panic("todo") }

// Daemon is section 11.5.
type DaemonOptions struct {
	Foreground, NoFork                                      bool // -DD, -D
	Chroot, Workdir, PidFile, PgidFile, User, Group, RunDir string
	DisableCoreDump                                         bool
	OpenFilesLimit                                          int
	LogStderr                                               bool
	Name                                                    string
}
