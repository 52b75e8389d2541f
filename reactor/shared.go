package reactor

import (
	"fmt"
	"unsafe"

	"kahea/shm"

	"golang.org/x/sys/unix"
)

// sharedRoot is what Prepare makes: everything of this package that lies in shared memory.
type sharedRoot struct {
	Epoch  int64 // CLOCK_MONOTONIC ns at which ticks begin to count
	Groups shm.Off
	NGroup uint32
	Procs  uint32
	Conns  shm.Off

	Hands   [maxSlots]shm.Off // of TCP workers: tcpHand
	Killers killers
	Peers   shm.Off // proxyPeers, 0: udp_accept_proxy is off
}

type shared struct {
	root   *sharedRoot
	groups []group
	conns  *conns
	peers  *proxyPeers // nil: none
}

// Prepare runs in main before children start: it makes the steering groups, the connection table, send rings and whatever else lies in shared memory.
// procs is the number of process slots, main's included.
func Prepare(a *shm.Arena, l []Listener, o Options, procs int) (shm.Off, error) {
	o = o.withDefaults()
	tag := a.TagFor("core", "reactor")
	if err := SameLayout(a); err != nil {
		return 0, err
	}
	r, err := shm.New[sharedRoot](a, tag)
	if err != nil {
		return 0, fmt.Errorf("reactor's root: %w", err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fmt.Errorf("monotonic clock: %w", err)
	}
	root := r.Get(a)
	groups := len(l) + SpareListeners
	root.Epoch, root.NGroup, root.Procs = ts.Nano(), uint32(groups), uint32(procs)
	if root.Groups, err = a.Alloc(groups*int(unsafe.Sizeof(group{})), tag); err != nil {
		return 0, fmt.Errorf("steering groups: %w", err)
	}
	clear(a.Bytes(root.Groups))
	stream := false
	for _, x := range l {
		stream = stream || x.stream()
	}
	if stream {
		if root.Conns, err = makeConns(a, o, procs, tag); err != nil {
			return 0, err
		}
	}
	if o.UDPProxy != 0 {
		if root.Peers, err = makePeers(a, tag); err != nil {
			return 0, err
		}
	}
	return r.Off, nil
}

// SameLayout says whether what this package has put into shared memory is laid out as this binary has it (shm.ErrLayout); another binary asks before it goes on.
func SameLayout(a *shm.Arena) error {
	_, _, err := shm.Root[uint64](a, "reactor", shm.LayoutOf[sharedRoot](), shm.LayoutOf[group](), shm.LayoutOf[connsRoot](), shm.LayoutOf[conn](),
		shm.LayoutOf[record](), shm.LayoutOf[tcpHand](), shm.LayoutOf[rxHead](), shm.LayoutOf[proxyPeers]())
	return err
}

// MaxListeners is how many listeners there is room for, those of the start included.
func MaxListeners(a *shm.Arena, o shm.Off) int { return int(shm.Ref[sharedRoot]{Off: o}.Get(a).NGroup) }

func openShared(a *shm.Arena, o shm.Off) *shared {
	s := &shared{root: shm.Ref[sharedRoot]{Off: o}.Get(a)}
	if s.root.NGroup > 0 {
		s.groups = unsafe.Slice((*group)(unsafe.Pointer(&a.Bytes(s.root.Groups)[0])), s.root.NGroup)
	}
	if s.root.Conns != 0 {
		s.conns = openConns(a, s.root.Conns)
	}
	if s.root.Peers != 0 {
		s.peers = (*proxyPeers)(unsafe.Pointer(&a.Bytes(s.root.Peers)[0]))
	}
	return s
}
