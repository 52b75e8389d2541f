package reactor

import (
	"net/netip"

	"kahea/shm"
	"kahea/sipparse"
)

// This file fixes the interface of the package before its bodies exist. Bodies move to one file a noun (worker.go, udp.go, batch.go,
// wait.go, steer.go, listen.go, tcpmain.go, tcpworker.go, conn.go, timer/, resolve/).

// Listener is one socket of the configuration, already resolved. Its index in the list is its identity everywhere.
type Listener struct {
	Proto   sipparse.Proto
	Addr    netip.AddrPort
	Workers int // UDP workers of this socket
}

// Options are the core parameters that concern sockets.
type Options struct {
	RcvBuf                                   int // maxbuffer: ceiling probed for SO_RCVBUF
	TOS                                      int
	FreeBind                                 bool
	Batch                                    int   // datagrams a recvmmsg/sendmmsg (tuning key), default 32
	MaxMessage                               int   // msg_recv_max_size 32767
	IdleAfter                                int64 // ns without traffic before the worker goes back to gnet, default 20 ms
	TCPLifetime                              int   // seconds
	TCPMaxConns                              int
	TCPConnectTimeout, TCPSendTimeout        int // seconds
	TCPRdBuf                                 int // 16384
	TCPConnWQMax, TCPWQMax                   int // bytes
	TCPAcceptNoCL, TCPCRLFPing, TCPNoConnect bool
	TCPKeepalive                             bool
}

// Packet is one received message. Buf is borrowed: it is valid until Receive returns, unless Keep was called: then until Release.
type Packet struct {
	Buf   []byte
	Src   netip.AddrPort
	Dst   netip.AddrPort // local address that received it
	Sock  int            // index of the listener
	Proto sipparse.Proto
	Conn  uint32 // TCP connection id, 0 for UDP
	Time  int64  // kernel's receive time, unix ns
}

// Keep swaps the receive slot's buffer for a spare one, so that p.Buf outlives Receive; nothing is copied. It returns a
// Packet of the pool that carries the buffer; Release gives it back. Only on the loop.
func (p *Packet) Keep() *Packet { panic("todo") }
func (p *Packet) Release()      { panic("todo") }

// Verdict is what a Handler says of a message.
type Verdict uint8

const (
	Done  Verdict = iota
	Close         // TCP: close the connection (unparsable, negative script result)
)

// Handler is the only thing that the reactor knows of what is above it. All methods run on the worker's loop.
type Handler interface {
	Receive(p *Packet) Verdict
	Tick(now uint64) // every 1/16 s of monotonic time while the worker lives; now counts ticks of 1/16 s since the epoch chosen by main
}

// Worker is one process's event loop: a gnet engine (UDP) or a gnet client engine (TCP worker, timers, any other role).
type Worker struct{}

// Config is what a worker needs; it is filled by the process's boot code.
type Config struct {
	Role      Role
	Index     int // index among the workers of its group
	Group     int // workers in the group (n of steering)
	Sock      int // RoleUDP: listener index
	Listeners []Listener
	Options   Options
	Arena     *shm.Arena
	Shared    shm.Off // what Prepare returned
	Fds       []int   // RoleUDP successor: descriptors of the dead predecessor's sockets to drain; RoleTCPMain: listening sockets, then one unix socket per TCP worker; RoleTCPWorker: its unix socket to TCP main
	Doorbells []int   // eventfds, one per process slot: a process that puts something in another's ring rings it
	Slot      int
	// Opened is called on the loop once the sockets are open, with descriptors for main to keep duplicates of.
	Opened func(fds []int)
}

type Role uint8

const (
	RoleUDP Role = iota
	RoleTCPMain
	RoleTCPWorker
	RolePlain // no sockets of its own, but it may send and await (timers, ctl, main's no-fork mode excepted)
)

// Prepare runs in main before children start: it makes the connection table, send rings and whatever else lies in shared memory.
func Prepare(a *shm.Arena, l []Listener, o Options, procs int) (shm.Off, error) { panic("todo") }

// Probe binds each address once without SO_REUSEPORT and closes it again, so that a second server on the same address is an error at start.
func Probe(l []Listener, o Options) error { panic("todo") }

// ListenTCP opens the listening TCP sockets (main, before privileges are dropped).
func ListenTCP(l []Listener, o Options) (fds []int, err error) { panic("todo") }

func NewWorker(c Config, h Handler) (*Worker, error) { panic("todo") }

// Run runs the loop until Stop; it returns when everything is closed.
func (w *Worker) Run() error    { panic("todo") }
func (w *Worker) Stop()         { panic("todo") } // any goroutine
func (w *Worker) Post(f func()) { panic("todo") } // any goroutine: run f on the loop
func (w *Worker) Now() int64    { panic("todo") } // unix ns, as of the last wake-up or message

// Buffer returns an empty send slot (cap 65535) of the current batch to build a message in. Send* of a slice that begins there does not copy; other bytes are copied.
func (w *Worker) Buffer() []byte { panic("todo") }

// SendUDP queues b for dst from the UDP listener sock; the batch leaves when the drain ends, or at Flush. A worker that has no socket of its own on that listener
// sends through a duplicate that it was given, or through a shared send socket bound to the same address.
func (w *Worker) SendUDP(sock int, dst netip.AddrPort, b []byte) error { panic("todo") }
func (w *Worker) Flush()                                               { panic("todo") }

// SendFlags are Kamailio's snd_flags.
type SendFlags uint8

const (
	ForceClose SendFlags = 1 << iota
	NoConnect
)

// SendTCP sends b on connection conn, or, when conn is 0 or gone, on one to dst (found by alias or opened by TCP main from the listener sock's address). Bytes are copied.
// It never blocks; what cannot be sent is reported to Failed.
func (w *Worker) SendTCP(conn uint32, sock int, dst netip.AddrPort, b []byte, fl SendFlags) error {
	panic("todo")
}

// Await runs f on another goroutine and then done on the loop.
func (w *Worker) Await(f func(), done func()) { panic("todo") }

// Conns is core.tcp_list; Info is core.tcp_info.
type ConnInfo struct {
	ID                uint32
	Proto             sipparse.Proto
	State             string
	Timeout, Lifetime int // seconds
	Src, Dst          netip.AddrPort
}

func Conns(a *shm.Arena, shared shm.Off) []ConnInfo { panic("todo") }
