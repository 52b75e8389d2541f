package reactor

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

const (
	rxMagic  = 0x6b61686561727831 // "kaheaRX1"
	ctlRoom  = 64                 // one SCM_TIMESTAMPNS takes 32
	pageSize = 4096
)

// rxHead begins the receive area.
type rxHead struct {
	Magic     uint64
	Batch     uint32
	Size      uint32 // of one buffer
	Bufs      uint32
	Hand      uint32 // slot+1 of the message in hand
	Delivered uint32 // messages of this batch are answered as of here
	Held      uint32 // bytes of the message that is worked on outside of its batch (Worker.Hold), 0: none; it stands in the last buffer
	HeldSrc   rawAddr
	_         uint32
	BufOf     [maxBatch]uint32 // buffer of each slot
}

// rx is a UDP worker's receive area: the arrays that recvmmsg fills, and the buffers. It lies on a memfd of which main keeps a duplicate, because what
// recvmmsg has taken out of the socket exists nowhere else: when the worker dies in the middle of a batch, its successor finds the rest here.
type rx struct {
	fd    int // the memfd
	mem   []byte
	h     *rxHead
	msgs  []mmsghdr
	iov   []unix.Iovec
	addrs []rawAddr
	ctl   []byte
	bufs  []byte
	free  []uint32 // spare buffers
	used  int      // slots that the last recvmmsg may have touched
}

func rxOffsets(batch, size, bufs int) (msgs, iov, addrs, ctl, mem, total int) {
	msgs = int(unsafe.Sizeof(rxHead{})+15) &^ 15
	iov = msgs + batch*int(unsafe.Sizeof(mmsghdr{}))
	addrs = iov + batch*int(unsafe.Sizeof(unix.Iovec{}))
	ctl = (addrs + batch*int(unsafe.Sizeof(rawAddr{})) + 15) &^ 15
	mem = (ctl + batch*ctlRoom + pageSize - 1) &^ (pageSize - 1)
	return msgs, iov, addrs, ctl, mem, mem + bufs*size
}

// newRX makes a fresh area; bufs beyond batch are spares for Keep.
func newRX(batch, maxMessage, spare int) (*rx, error) {
	size := (maxMessage + 1 + 63) &^ 63
	bufs := batch + spare + 1
	fd, err := unix.MemfdCreate("kahea-rx", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("receive area: %w", err)
	}
	_, _, _, _, _, total := rxOffsets(batch, size, bufs)
	if err := unix.Ftruncate(fd, int64(total)); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("receive area of %d bytes: %w", total, err)
	}
	mem, err := unix.Mmap(fd, 0, total, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("map receive area of %d bytes: %w", total, err)
	}
	h := (*rxHead)(unsafe.Pointer(&mem[0]))
	*h = rxHead{Magic: rxMagic, Batch: uint32(batch), Size: uint32(size), Bufs: uint32(bufs)}
	for i := range batch {
		h.BufOf[i] = uint32(i)
	}
	r := layRX(fd, mem)
	for i := bufs - 2; i >= batch; i-- {
		r.free = append(r.free, uint32(i))
	}
	for i := range r.msgs {
		m := &r.msgs[i].hdr
		r.iov[i].Base = &r.buffer(r.h.BufOf[i])[0]
		r.iov[i].SetLen(size)
		m.Iov, m.Name, m.Control = &r.iov[i], (*byte)(unsafe.Pointer(&r.addrs[i])), &r.ctl[i*ctlRoom]
		m.SetIovlen(1)
	}
	r.used = batch
	return r, nil
}

func layRX(fd int, mem []byte) *rx {
	h := (*rxHead)(unsafe.Pointer(&mem[0]))
	n := int(h.Batch)
	msgs, iov, addrs, ctl, bufs, _ := rxOffsets(n, int(h.Size), int(h.Bufs))
	return &rx{
		fd: fd, mem: mem, h: h,
		msgs:  unsafe.Slice((*mmsghdr)(unsafe.Pointer(&mem[msgs])), n),
		iov:   unsafe.Slice((*unix.Iovec)(unsafe.Pointer(&mem[iov])), n),
		addrs: unsafe.Slice((*rawAddr)(unsafe.Pointer(&mem[addrs])), n),
		ctl:   mem[ctl : ctl+n*ctlRoom],
		bufs:  mem[bufs:],
	}
}

// openRX maps a predecessor's area; fd stays the caller's. It trusts nothing in it but its own shape.
func openRX(fd int) (*rx, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("receive area %d: %w", fd, err)
	}
	if st.Size < pageSize || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("descriptor %d is no receive area (%d bytes): %w", fd, st.Size, unix.EINVAL)
	}
	mem, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map receive area %d: %w", fd, err)
	}
	h := (*rxHead)(unsafe.Pointer(&mem[0]))
	if h.Magic != rxMagic || h.Batch == 0 || h.Batch > maxBatch || h.Size > 1<<20 || h.Bufs > 1<<16 {
		_ = unix.Munmap(mem)
		return nil, fmt.Errorf("descriptor %d is no receive area: %w", fd, unix.EINVAL)
	}
	if _, _, _, _, _, total := rxOffsets(int(h.Batch), int(h.Size), int(h.Bufs)); total > len(mem) {
		_ = unix.Munmap(mem)
		return nil, fmt.Errorf("receive area %d has %d of %d bytes: %w", fd, len(mem), total, unix.EINVAL)
	}
	return layRX(-1, mem), nil
}

func (r *rx) close() {
	_ = unix.Munmap(r.mem)
	if r.fd >= 0 {
		unix.Close(r.fd)
	}
}

func (r *rx) buffer(i uint32) []byte {
	n := int(r.h.Size)
	return r.bufs[int(i)*n : int(i+1)*n : int(i+1)*n]
}

// swap gives k the slot's buffer and the slot a spare one.
func (r *rx) swap(slot int, k *Packet) bool {
	n := len(r.free)
	if n == 0 {
		return false
	}
	k.mem = int32(r.h.BufOf[slot])
	r.h.BufOf[slot] = r.free[n-1]
	r.free = r.free[:n-1]
	r.iov[slot].Base = &r.buffer(r.h.BufOf[slot])[0]
	return true
}

// receive fills up to all slots from fd without waiting; it returns how many. The batch before must be answered.
func (r *rx) receive(fd int, wait bool) int {
	r.h.Delivered = uint32(len(r.msgs))
	for i := range r.used {
		m := &r.msgs[i]
		m.n = 0
		m.hdr.Namelen = uint32(unsafe.Sizeof(rawAddr{}))
		m.hdr.Controllen = ctlRoom
	}
	r.used = 0
	r.h.Delivered = 0 // from here on what stands in a slot exists nowhere else
	// Raw: the call does not wait, or at most recvWait, and a system call that gives the P away costs more than this one does.
	flags := uintptr(unix.MSG_DONTWAIT)
	if wait {
		flags = unix.MSG_WAITFORONE
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.msgs[0])), uintptr(len(r.msgs)), flags, 0, 0)
	if e != 0 {
		return 0
	}
	r.used = int(n)
	return int(n)
}

// time is the kernel's receive time of slot i in unix ns, 0 if it gave none.
func (r *rx) time(i int) int64 {
	if r.msgs[i].hdr.Controllen < unix.SizeofCmsghdr+16 {
		return 0
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(&r.ctl[i*ctlRoom]))
	if c.Level != unix.SOL_SOCKET || c.Type != unix.SCM_TIMESTAMPNS {
		return 0
	}
	t := (*unix.Timespec)(unsafe.Pointer(&r.ctl[i*ctlRoom+unix.SizeofCmsghdr]))
	return t.Sec*1e9 + t.Nsec
}
