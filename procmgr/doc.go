// Package procmgr starts, watches and ends the processes of a server: main (the attendant) and its children.
//
// # Lifetimes
//
// Main makes a Manager (New), adds every process in the order of core.psx (Add), starts them (Start) and waits (Run). A Go process cannot
// fork and go on, so a child is the same binary again, executed through /proc/self/exe. It inherits three descriptors: its end of a control
// socketpair, the arena's memfd, and a sealed memfd with the configuration exactly as main preprocessed it; behind them stand Proc.Fds and what Died
// returned. Who it is (slot, generation, rank, kind) is the first packet on the control socket, written before the child exists. In the child
// IsChild is true, Inherit gives the Child, and the boot code attaches the arena, runs InitWorker and says Control.Ready.
//
// Children are started from one goroutine that is locked to its thread for the life of the Manager: a child's parent-death signal is bound to
// the thread that started it, so this thread must live as long as main does. The same thread alone keeps CAP_NET_BIND_SERVICE after
// DropPrivileges, to hand it to children as an ambient capability. After an Exec it is the process's first thread, on which Resume and Run are called.
//
// # Who may call what
//
//   - Add, Handle, DropPrivileges: main's goroutine, before Start. Start, Run: main's goroutine.
//   - Manager.Send, Manager.Stop, Control.Send, Ready, Failed: any goroutine.
//   - Functions given to Manager.Handle and Options.Died run one at a time (one lock), on a goroutine of the package; they may call Send.
//   - Functions given to Control.Handle run on the child's control goroutine, in the order of arrival.
//   - OpenTable, Table, Beat: any process that has the arena.
//
// Descriptors that arrive with a message belong to the function that gets them. Proc.Fds belong to the Manager once Add returned. What Died returns stays
// its own: the Manager passes it on and does not close it.
//
// # Death
//
// A dead child is reaped, the locks that it held in shared memory are released, Died is called, and a successor is started: at once after
// the first death, then 100 ms after the dead one's own start, 200 ms, ... up to MaxBackoff; ten seconds of life reset this. More than MaxRestarts in a minute, or Options.Restart
// false, means Kamailio's rule instead: the whole server stops, with exit code 1 if the last child died of a signal and 0 otherwise.
// A child whose heartbeat stands still for Options.Heartbeat seconds is killed and then treated likewise.
package procmgr
