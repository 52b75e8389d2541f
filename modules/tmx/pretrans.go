package tmx

import (
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse"
)

// extSlot is the module's word of route.Ctx.Ext: 1 + the place of the request's entry in the table.
const extSlot = 6

const (
	buckets = 1024
	places  = 6
)

// pretrans is the root "tmx": the requests that scripts work on, before there is a transaction.
type pretrans struct {
	Buckets [buckets]bucket
}

// bucket has a lock of its own; an entry whose Key is 0 is free.
type bucket struct {
	Mu      shm.Mutex
	Entries [places]entry
}

// entry names a request by a hash of what makes it this request, 128 bits, so that two never meet.
type entry struct {
	Key   uint64
	Check uint64
	Slot  uint32 // of the process
	_     uint32
}

// classPretrans orders the buckets' locks below tm's; only one is held at a time and nothing else with it.
const classPretrans shm.Class = 90

func (m *mod) Init(h *modules.Host) error {
	r, created, err := shm.Root[pretrans](h.Arena, "tmx")
	if err != nil {
		return err
	}
	m.table = r.Get(h.Arena)
	if created {
		for i := range m.table.Buckets {
			m.table.Buckets[i].Mu.SetClass(classPretrans)
		}
	}
	return nil
}

// InitWorker finds the table and drops what this slot's predecessor left when it died.
func (m *mod) InitWorker(h *modules.Host, _ int) error {
	r, _, err := shm.Root[pretrans](h.Arena, "tmx")
	if err != nil {
		return err
	}
	m.table = r.Get(h.Arena)
	if h.Reloaded {
		return nil
	}
	for i := range m.table.Buckets {
		b := &m.table.Buckets[i]
		for j := range b.Entries {
			if e := &b.Entries[j]; e.Key != 0 && e.Slot == uint32(h.Slot) {
				h.Arena.Lock(&b.Mu)
				*e = entry{}
				h.Arena.Unlock(&b.Mu)
			}
		}
	}
	return nil
}

// hash is FNV-1a over a text with its length, from a start value.
func hash(h uint64, b []byte) uint64 {
	h = (h ^ uint64(len(b))) * 1099511628211
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// keys are the two halves of a request's name: Call-ID, CSeq, From tag and the top Via's branch.
func keys(msg *sipparse.Msg) (key, check uint64, ok bool) {
	cs, e1 := msg.CSeq()
	from, e2 := msg.From()
	via, e3 := msg.Via1()
	if e1 != sipparse.OK || e2 != sipparse.OK || e3 != sipparse.OK {
		return 0, 0, false
	}
	key, check = 14695981039346656037, 0x9e3779b97f4a7c15
	for _, b := range [...][]byte{msg.CallID(), msg.Bytes(cs.NumText), msg.Bytes(cs.MethodText), msg.Bytes(from.Tag), msg.Bytes(via.Branch)} {
		key, check = hash(key, b), hash(check, b)
	}
	return max(key, 1), check, true
}

// tPrecheck is t_precheck_trans.
func (m *mod) tPrecheck(c *route.Ctx, _ *route.Args) int {
	if m.precheck == 0 || c.Ext[extSlot] != 0 {
		return -1 // this script is the one that works on it
	}
	key, check, ok := keys(&c.Msg)
	if !ok {
		return -1
	}
	i := int(key>>32) % buckets
	b := &m.table.Buckets[i]
	free := -1
	m.h.Arena.Lock(&b.Mu)
	defer m.h.Arena.Unlock(&b.Mu)
	for j := range b.Entries {
		switch e := &b.Entries[j]; {
		case e.Key == 0:
			free = j
		case e.Key == key && e.Check == check:
			return 1
		}
	}
	if free >= 0 { // a full bucket means a check less, no more
		e := &b.Entries[free]
		e.Check, e.Slot = check, uint32(m.h.Slot)
		e.Key = key
		c.Ext[extSlot] = uint64(i*places+free) + 1
	}
	return -1
}

// afterScript takes the request out of the table.
func (m *mod) afterScript(c *route.Ctx) {
	n := c.Ext[extSlot]
	if n == 0 {
		return
	}
	c.Ext[extSlot] = 0
	b := &m.table.Buckets[(n-1)/places]
	m.h.Arena.Lock(&b.Mu)
	b.Entries[(n-1)%places] = entry{}
	m.h.Arena.Unlock(&b.Mu)
}
