//go:build shmdebug

package shm

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"unsafe"
)

// lockOrder knows what each goroutine of this process holds and panics when one takes a lock out of order (doc.go).
type lockOrder struct {
	mu   sync.Mutex
	held map[int64][]*Mutex
}

func (l *lockOrder) before(a *Arena, m *Mutex) {
	g := goid()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.held[g] {
		if x == m {
			panic(fmt.Sprintf("shm: lock of class %d at %#x is taken twice", m.class, a.OffOf(unsafe.Pointer(m))))
		}
		if x.class == 0 || m.class == 0 || x.class < m.class || x.class == m.class && uintptr(unsafe.Pointer(x)) < uintptr(unsafe.Pointer(m)) {
			continue
		}
		panic(fmt.Sprintf("shm: lock of class %d at %#x is taken under one of class %d at %#x",
			m.class, a.OffOf(unsafe.Pointer(m)), x.class, a.OffOf(unsafe.Pointer(x))))
	}
	l.add(g, m)
}

// took notes a lock that TryLock got: it cannot wait, so it cannot break the order.
func (l *lockOrder) took(_ *Arena, m *Mutex) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(goid(), m)
}

func (l *lockOrder) add(g int64, m *Mutex) {
	if l.held == nil {
		l.held = make(map[int64][]*Mutex)
	}
	l.held[g] = append(l.held[g], m)
}

func (l *lockOrder) after(_ *Arena, m *Mutex) {
	g := goid()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.drop(g, m) { // unlocked by another goroutine than locked it
		for g := range l.held {
			if l.drop(g, m) {
				return
			}
		}
	}
}

func (l *lockOrder) drop(g int64, m *Mutex) bool {
	s := l.held[g]
	for i, x := range s {
		if x == m {
			s = append(s[:i], s[i+1:]...)
			if len(s) == 0 {
				delete(l.held, g)
			} else {
				l.held[g] = s
			}
			return true
		}
	}
	return false
}

// goid reads the goroutine's number from its stack's first line, "goroutine 7 [running]:".
func goid() int64 {
	var buf [40]byte
	s := buf[:runtime.Stack(buf[:], false)]
	s = bytes.TrimPrefix(s, []byte("goroutine "))
	n, _ := strconv.ParseInt(string(s[:bytes.IndexByte(s, ' ')]), 10, 64)
	return n
}
