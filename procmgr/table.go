package procmgr

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"kahea/shm"
)

// The process table lies behind the root "procs": the root says how many rows there are and where.
type tableRoot struct {
	Rows shm.Off
	N    uint32
	_    uint32
}

const maxDesc = 127

type row struct {
	Beat       uint64
	Started    int64 // unix ns
	PID        int32
	Rank       int32
	Generation int32
	Status     int32
	DescLen    uint32
	_          uint32
	Desc       [maxDesc + 1]byte
	_          [24]byte
}

const rootName = "procs"

// makeTable is main's.
func makeTable(a *shm.Arena, n int) (*Procs, error) {
	r, _, err := shm.Root[tableRoot](a, rootName)
	if err != nil {
		return nil, fmt.Errorf("process table root: %w", err)
	}
	o, err := a.Alloc(n*int(unsafe.Sizeof(row{})), a.TagFor("core", "procs"))
	if err != nil {
		return nil, fmt.Errorf("process table of %d rows: %w", n, err)
	}
	clear(a.Bytes(o))
	t := r.Get(a)
	t.Rows, t.N = o, uint32(n)
	return OpenTable(a)
}

// Procs is the process table in shared memory, seen from one process.
type Procs struct {
	rows []row
	own  int
}

// OpenTable finds the table, which exists from Manager.Start on. The Procs is good as long as the arena is mapped.
func OpenTable(a *shm.Arena) (*Procs, error) {
	r, created, err := shm.Root[tableRoot](a, rootName)
	if err != nil {
		return nil, fmt.Errorf("process table root: %w", err)
	}
	t := r.Get(a)
	if created || t.N == 0 {
		return &Procs{}, nil
	}
	b := a.Bytes(t.Rows)
	return &Procs{rows: unsafe.Slice((*row)(unsafe.Pointer(&b[0])), t.N), own: a.Slot()}, nil
}

// Entry is one row as core.psx prints it.
type Entry struct {
	Slot, PID, Rank, Generation int
	Desc                        string
	Status                      int // 1 running
}

// Entries copies the rows that are in use.
func (p *Procs) Entries() []Entry {
	es := make([]Entry, 0, len(p.rows))
	for i := range p.rows {
		r := &p.rows[i]
		n := atomic.LoadUint32(&r.DescLen)
		if n == 0 {
			continue
		}
		es = append(es, Entry{
			Slot: i, PID: int(atomic.LoadInt32(&r.PID)), Rank: int(r.Rank), Generation: int(atomic.LoadInt32(&r.Generation)),
			Desc: string(r.Desc[:min(n, maxDesc)]), Status: int(atomic.LoadInt32(&r.Status)),
		})
	}
	return es
}

// Beat says that this process's loop still turns; a loop calls it at every tick. It costs one atomic add.
func (p *Procs) Beat() {
	if p.own < len(p.rows) {
		atomic.AddUint64(&p.rows[p.own].Beat, 1)
	}
}

func (p *Procs) beats(slot int) uint64 { return atomic.LoadUint64(&p.rows[slot].Beat) }

func (p *Procs) describe(slot int, desc string, rank int) {
	r := &p.rows[slot]
	r.Rank = int32(rank)
	atomic.StoreUint32(&r.DescLen, uint32(copy(r.Desc[:maxDesc], desc)))
}

// free makes a row unused.
func (p *Procs) free(slot int) {
	r := &p.rows[slot]
	atomic.StoreUint32(&r.DescLen, 0)
	atomic.StoreInt32(&r.PID, 0)
}

func (p *Procs) started(slot, pid, generation int, now int64) {
	r := &p.rows[slot]
	r.Started = now
	atomic.StoreUint64(&r.Beat, 0)
	atomic.StoreInt32(&r.Generation, int32(generation))
	atomic.StoreInt32(&r.PID, int32(pid))
}

func (p *Procs) status(slot, s int) { atomic.StoreInt32(&p.rows[slot].Status, int32(s)) }

// Table copies the process table (core.psx and its like, from any process); nil before Start.
func Table(a *shm.Arena) []Entry {
	p, err := OpenTable(a)
	if err != nil {
		return nil
	}
	return p.Entries()
}

// Beat is Procs.Beat for callers that beat rarely: it looks the table up each time.
func Beat(a *shm.Arena) {
	if p, err := OpenTable(a); err == nil {
		p.Beat()
	}
}
