package main

import (
	"cmp"
	"slices"
	"time"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/shm"
)

// memory is what the core tells of shared memory: the RPC commands, and a look every minute in the slow timer process.
func (s *server) memory() []modules.RPC {
	w := &memWatch{}
	var refused uint64
	if s.arena != nil { // a successor: what was refused before has been told
		refused = s.arena.Usage().Refused
	}
	s.every(time.Minute, func() {
		s.arena.Sweep()
		if u := s.arena.Usage(); u.Refused != refused {
			s.proc.Log.Printf(log.Warn, "<core>: ", "shared memory is short: %d requests outside dialogs were refused since the last look, %d bytes are free, %d of them are the reserve",
				u.Refused-refused, u.Free, min(u.Free, u.Reserve))
			refused = u.Refused
		}
		w.look(s.arena.Ledger(), s.proc.Counts.Sum(s.proc.Stat.RcvRequests), func(g growth) {
			s.proc.Log.Printf(log.Warn, "<core>: ", "shared memory of %s/%s grows without end: %d blocks of %d bytes %d minutes ago, %d of %d now; requests in %d minutes: %d then, %d now",
				g.now.Module, g.now.Kind, g.before.Blocks, g.before.Bytes, watchLooks*watchWindows, g.now.Blocks, g.now.Bytes, watchLooks, g.requestsBefore, g.requests)
		})
	})
	return []modules.RPC{
		{Name: "kahea.mem", Doc: "Shared memory by owner (module and kind; mean is bytes a block) and by block size, and the reserve for requests inside dialogs.", Run: s.rpcMem},
	}
}

// rpcMem lists the owners with the most bytes first. All sizes are bytes, headers of blocks included.
func (s *server) rpcMem(r *modules.Request) error {
	u, ledger, sizes := s.arena.Usage(), s.arena.Ledger(), s.arena.Sizes()
	slices.SortStableFunc(ledger, func(a, b shm.TagUsage) int { return cmp.Compare(b.Bytes, a.Bytes) })
	n := r.AddStruct()
	owners := n.AddArray("owners")
	for _, t := range ledger {
		if t.Blocks == 0 {
			continue
		}
		o := owners.AddStruct("")
		o.AddStr("module", t.Module)
		o.AddStr("kind", t.Kind)
		o.AddInt("blocks", int64(t.Blocks))
		o.AddInt("bytes", int64(t.Bytes))
		o.AddInt("mean", int64(t.Bytes/t.Blocks))
	}
	classes := n.AddArray("sizes")
	for _, c := range sizes {
		o := classes.AddStruct("")
		o.AddInt("up_to", int64(c.Max))
		o.AddInt("blocks", int64(c.Blocks))
		o.AddInt("bytes", int64(c.Bytes))
	}
	for _, x := range []struct {
		name string
		val  uint64
	}{{"total", u.Total}, {"real_used", u.RealUsed}, {"max_used", u.MaxUsed}, {"free", u.Free}, {"fragments", u.Fragments}, {"largest_free", u.LargestFree},
		{"reserve", u.Reserve}, {"refused", u.Refused}} {
		n.AddInt(x.name, int64(x.val))
	}
	return nil
}

const (
	watchLooks   = 10 // looks, one a minute, that make a window
	watchWindows = 12 // windows in all of which a tag must have grown
)

// memWatch finds owners that only ever grow. What is in use goes up and down with every call, so an owner's level is the least that it had in a window of 10
// minutes. It grows without end when its level rose in each of the last 12 windows (two hours: longer than calls and registrations live) although the
// newest window had no more requests (10 % are allowed) than the one 12 windows before. So nobody is accused while traffic rises: a leak is still there
// when it has stopped rising. A leak that is slower than the noise of the levels is not seen. What lives longer than two hours by right (registrations for a day) can be reported once while it fills up.
type memWatch struct {
	windows  int   // that have ended
	looks    int   // in this window
	start    int64 // requests when it began
	requests past[int64]
	owners   []memOwner // by tag
}

// past is of the last windows, the newest last.
type past[T any] [watchWindows + 1]T

func (p *past[T]) push(v T) {
	copy(p[:], p[1:])
	p[watchWindows] = v
}

type memOwner struct {
	low    shm.TagUsage // of this window
	levels past[shm.TagUsage]
	grew   int // newest windows in which the level rose
	told   bool
}

// growth is an owner that grows without end: 12 windows ago and now.
type growth struct {
	before, now              shm.TagUsage
	requestsBefore, requests int64 // in a window
}

// look takes one look; requests is how many the server has received so far. warn is called once for an owner until its level stops rising.
func (w *memWatch) look(ledger []shm.TagUsage, requests int64, warn func(growth)) {
	for len(w.owners) < len(ledger) {
		w.owners = append(w.owners, memOwner{})
	}
	for i, t := range ledger {
		if o := &w.owners[i]; w.looks == 0 || t.Bytes < o.low.Bytes {
			o.low = t
		}
	}
	if w.looks++; w.looks < watchLooks {
		return
	}
	w.requests.push(max(0, requests-w.start)) // less than before: the statistic was reset
	w.looks, w.start = 0, requests
	first, last := w.requests[0], w.requests[watchWindows]
	for i := range w.owners {
		o := &w.owners[i]
		rose := w.windows > 0 && o.low.Bytes > o.levels[watchWindows].Bytes
		o.levels.push(o.low)
		if !rose {
			o.grew, o.told = 0, false
			continue
		}
		if o.grew++; o.grew >= watchWindows && !o.told && last <= first+first/10 {
			o.told = true
			warn(growth{o.levels[0], o.low, first, last})
		}
	}
	w.windows++
}
