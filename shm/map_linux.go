package shm

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	futexWaitOp = 0 // FUTEX_WAIT and FUTEX_WAKE without FUTEX_PRIVATE_FLAG: waiters are in other processes
	futexWakeOp = 1
)

// memfd makes a memory file whose size can never change, so that no process can take pages from under another (SIGBUS).
func memfd(size int64) (int, error) {
	fd, err := unix.MemfdCreate("kahea-shm", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, fmt.Errorf("shm: memfd_create: %w", err)
	}
	if err = unix.Ftruncate(fd, size); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("shm: ftruncate to %d bytes: %w", size, err)
	}
	if _, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("shm: sealing the memfd: %w", err)
	}
	return fd, nil
}

func fdSize(fd int) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("shm: fstat of descriptor %d: %w", fd, err)
	}
	return st.Size, nil
}

func mapShared(fd int, size int64) ([]byte, error) {
	mem, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("shm: mmap of %d bytes: %w", size, err)
	}
	return mem, nil
}

func mapPrivate(size int64) ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("shm: mmap of %d bytes: %w", size, err)
	}
	return mem, nil
}

func unmap(mem []byte) error { return unix.Munmap(mem) }
func closeFD(fd int) error   { return unix.Close(fd) }

// futexPatience bounds a wait. A process may be killed between releasing a lock and waking, or between being woken and taking the
// lock; both lose the wake-up, so a waiter looks again by itself.
var futexPatience = unix.Timespec{Nsec: 10e6}

func futexWait(word *uint32, while uint32) {
	ts := futexPatience
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitOp, uintptr(while), uintptr(unsafe.Pointer(&ts)), 0, 0)
}

func futexWake(word *uint32, n int) {
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakeOp, uintptr(n), 0, 0, 0)
}

func populate(mem []byte) error { return unix.Madvise(mem, unix.MADV_POPULATE_WRITE) }
