package procmgr

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// marker is the environment variable that says "you are a child"; Inherit removes it.
const marker = "KAHEA_CHILD"

// Descriptors of a child at its start.
const (
	fdControl = 3 + iota
	fdArena
	fdConfig
	fdFirst
)

// Child is a process's view of itself.
type Child struct {
	Proc
	Slot       int // index in the process table, 1..
	Generation int // counts the processes of this slot from 0
	ArenaFD    int
	Config     []byte // the sealed configuration blob, exactly what main sealed
	Fds        []int  // Proc.Fds as inherited
	Handover   []int  // what Options.Died returned for this successor, as inherited
	Restarted  bool   // a successor of one that died
	Control    *Control
}

// hello is the first packet on the control socket.
type hello struct {
	Name                string
	Desc, Kind          string
	Rank, Arg, Arg2     int
	Slot, Generation    int
	Fds, Handover       int
	Restarted, Dumpable bool
}

// IsChild says whether this process was started by a Manager (marker in the environment, removed by Inherit).
func IsChild() bool { return os.Getenv(marker) != "" }

var errNoChild = errors.New("this process was not started by a manager")

// Inherit takes over what main handed down. It is called once, before anything else opens or closes descriptors.
func Inherit() (*Child, error) {
	if !IsChild() {
		return nil, errNoChild
	}
	os.Unsetenv(marker)
	buf := make([]byte, MaxPayload)
	n, err := unix.Read(fdControl, buf)
	if err != nil {
		return nil, fmt.Errorf("read hello: %w", err)
	}
	var h hello
	if n < 1 || buf[0] != kindHello {
		return nil, fmt.Errorf("first control packet of %d bytes is no hello", n)
	}
	if err := json.Unmarshal(buf[1:n], &h); err != nil {
		return nil, fmt.Errorf("hello %q: %w", buf[1:n], err)
	}
	c := &Child{
		Proc: Proc{Desc: h.Desc, Rank: h.Rank, Kind: h.Kind, Arg: h.Arg, Arg2: h.Arg2},
		Slot: h.Slot, Generation: h.Generation, ArenaFD: fdArena, Restarted: h.Restarted,
	}
	for fd := fdControl; fd < fdFirst+h.Fds+h.Handover; fd++ {
		unix.CloseOnExec(fd)
		switch {
		case fd >= fdFirst+h.Fds:
			c.Handover = append(c.Handover, fd)
		case fd >= fdFirst:
			c.Fds = append(c.Fds, fd)
		}
	}
	if h.Dumpable {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("set dumpable: %w", err)
		}
	}
	if h.Name != "" {
		// Executed through /proc/self/exe a process would be called "exe". The name is only for people: a jail without a writable /proc keeps "exe".
		_ = os.WriteFile("/proc/self/comm", []byte(h.Name), 0)
	}
	if c.Config, err = readSealed(fdConfig); err != nil {
		return nil, err
	}
	unix.Close(fdConfig)
	if c.Control, err = newControl(fdControl); err != nil {
		return nil, err
	}
	return c, nil
}

// Signals installs a child's signal rules: at INT and TERM terminate is called once (nil: exit with 0), at USR1 status; HUP, USR2 and PIPE
// are ignored. Both functions run on a goroutine of their own. The returned function undoes it (tests).
func (c *Child) Signals(terminate, status func()) (stop func()) {
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, unix.SIGINT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP, unix.SIGPIPE)
	quit := make(chan struct{})
	go func() {
		for {
			select {
			case <-quit:
				return
			case s := <-ch:
				switch s {
				case unix.SIGINT, unix.SIGTERM:
					if terminate == nil {
						os.Exit(0)
					}
					terminate()
					terminate = func() {}
				case unix.SIGUSR1:
					if status != nil {
						status()
					}
				}
			}
		}
	}()
	return func() { signal.Stop(ch); close(quit) }
}

// Retire registers f, called on the control goroutine when main wants this process to finish what it has begun, and end; payload is what Remove was given. Call
// before Control.Serve.
func (c *Child) Retire(f func(payload []byte)) {
	c.Control.Handle(kindRetire, func(b []byte, fds []int) {
		closeAll(fds)
		f(append([]byte(nil), b...))
	})
}

// seal puts b on a memfd that nobody can change any more.
func seal(b []byte) (int, error) {
	fd, err := unix.MemfdCreate("kahea-config", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, fmt.Errorf("configuration memfd: %w", err)
	}
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(len(b)))
	for off, part := int64(0), append(head[:], b...); len(part) > 0; {
		n, err := unix.Pwrite(fd, part, off)
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("write %d bytes of configuration: %w", len(b), err)
		}
		part, off = part[n:], off+int64(n)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("seal configuration: %w", err)
	}
	return fd, nil
}

func readSealed(fd int) ([]byte, error) {
	var head [8]byte
	if n, err := unix.Pread(fd, head[:], 0); err != nil || n != len(head) {
		return nil, fmt.Errorf("configuration memfd %d: %d bytes: %w", fd, n, err)
	}
	b := make([]byte, binary.LittleEndian.Uint64(head[:]))
	for off := 0; off < len(b); {
		n, err := unix.Pread(fd, b[off:], int64(len(head)+off))
		if err != nil {
			return nil, fmt.Errorf("configuration memfd %d: %w", fd, err)
		}
		if n == 0 {
			return nil, fmt.Errorf("configuration memfd %d ends at %d of %d bytes", fd, off, len(b))
		}
		off += n
	}
	return b, nil
}
