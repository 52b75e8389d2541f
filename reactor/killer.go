package reactor

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// Digest names a message across processes: the first 8 bytes of the SHA-256 of its first 65536 bytes. A cryptographic hash, because who can kill a worker must
// not be able to have another's message dropped in the place of his.
type Digest uint64

// String is 16 hexadecimal digits, as sha256sum's begin with.
func (d Digest) String() string { return fmt.Sprintf("%016x", uint64(d)) }

// ParseDigest is the other way round.
func ParseDigest(s string) (Digest, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("digest %q: want 16 hexadecimal digits", s)
	}
	return Digest(n), nil
}

func digest(b []byte) Digest {
	h := sha256.Sum256(b[:min(len(b), handRoom)])
	return Digest(binary.BigEndian.Uint64(h[:]))
}

// maxKillers is how many messages are dropped at a time; the oldest gives way to the next.
const maxKillers = 64

// killers are the messages that all workers drop before the parser sees them. It lies in shared memory. Main alone writes it, under Steering's lock; every worker reads
// it for each message, without a lock: a row counts when its Sum is set, which is done last, and N is above 0 while one is. Workers write what counts drops.
type killers struct {
	N     uint32 // rows in use; 0: nobody computes a digest
	_     uint32
	Sum   [maxKillers]uint64 // 0: free
	Since [maxKillers]int64  // unix ns
	Drops [maxKillers]uint64
	Last  [maxKillers]int64 // unix ns of the last drop
}

// drops says whether b is on the list, and counts it then. Any worker, at any message: it costs a load while the list is empty, and never allocates.
func (k *killers) drops(b []byte, now int64) bool {
	if atomic.LoadUint32(&k.N) == 0 {
		return false
	}
	sum := uint64(digest(b))
	for i := range k.Sum {
		if atomic.LoadUint64(&k.Sum[i]) == sum && sum != 0 {
			atomic.AddUint64(&k.Drops[i], 1)
			atomic.StoreInt64(&k.Last[i], now)
			return true
		}
	}
	return false
}

// add enters d, once. Main only.
func (k *killers) add(d Digest, now int64) {
	at := 0
	for i := range k.Sum {
		if k.Sum[i] == uint64(d) {
			return
		}
		if k.Sum[at] != 0 && (k.Sum[i] == 0 || k.Since[i] < k.Since[at]) {
			at = i
		}
	}
	k.remove(at)
	k.Since[at] = now
	atomic.StoreUint64(&k.Drops[at], 0)
	atomic.StoreInt64(&k.Last[at], 0)
	atomic.StoreUint64(&k.Sum[at], uint64(d))
	atomic.AddUint32(&k.N, 1)
}

// remove frees row i. Main only.
func (k *killers) remove(i int) {
	if k.Sum[i] != 0 {
		atomic.AddUint32(&k.N, ^uint32(0))
		atomic.StoreUint64(&k.Sum[i], 0)
	}
}

// Killer is a message that is dropped because it has killed twice.
type Killer struct {
	Digest Digest
	Since  time.Time
	Drops  uint64
	Last   time.Time // of the last drop; zero: none yet
}

// Killers lists what is dropped now. Any goroutine.
func (s *Steering) Killers() (l []Killer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &s.sh.root.Killers
	for i, sum := range k.Sum {
		if sum == 0 {
			continue
		}
		x := Killer{Digest: Digest(sum), Since: time.Unix(0, k.Since[i]), Drops: atomic.LoadUint64(&k.Drops[i])}
		if t := atomic.LoadInt64(&k.Last[i]); t != 0 {
			x.Last = time.Unix(0, t)
		}
		l = append(l, x)
	}
	return l
}

// Release takes d off the list, so that the same bytes are handled again; it takes two more deaths to enter them again. It says whether d was there.
func (s *Steering) Release(d Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &s.sh.root.Killers
	for i, sum := range k.Sum {
		if sum != 0 && sum == uint64(d) {
			k.remove(i)
			delete(s.deaths, d)
			return true
		}
	}
	return false
}

const (
	fatalDeaths = 2                // deaths of which a message is the killer: one may be anybody's fault
	deathWindow = 10 * time.Minute // deaths with more than this between them are not the same message's fault
)

// death counts how often a message was in hand at a death.
type death struct {
	n    int
	last time.Time
}

// blame counts a death for h and enters it in the list when it is the second. Under s.mu.
func (s *Steering) blame(h *Hand, now time.Time) {
	for d, x := range s.deaths {
		if now.Sub(x.last) > deathWindow {
			delete(s.deaths, d)
		}
	}
	x := s.deaths[h.Digest]
	x.n, x.last = x.n+1, now
	s.deaths[h.Digest] = x
	h.Deaths = x.n
	if x.n >= fatalDeaths {
		s.sh.root.Killers.add(h.Digest, now.UnixNano())
		h.Dropped = true
	}
}
