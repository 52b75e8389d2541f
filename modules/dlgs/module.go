package dlgs

import (
	"fmt"
	"sync/atomic"
	"time"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/tm"
	"kahea/shm"
	"kahea/sipparse"
)

func init() {
	modules.Register("dlgs", func() modules.Module {
		return &mod{active: 10800, initial: 180, finish: 10, interval: 30, hashSize: 9}
	})
}

var (
	_ modules.Module       = (*mod)(nil)
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
)

type mod struct {
	active, initial, finish int // seconds
	interval, hashSize      int

	h       *modules.Host
	a       *shm.Arena
	root    *root
	table   shm.Table
	tag     shm.Tag
	tmTells bool // tm tells of final replies
}

// root is the entry to the module's shared memory.
type root struct {
	Table shm.Off
	Calls int64
}

const rootName = "dlgs"

func rootIn(a *shm.Arena) (shm.Ref[root], error) {
	r, _, err := shm.Root[root](a, rootName, shm.LayoutOf[call]())
	return r, err
}

func (m *mod) Exports() modules.Exports {
	const most = 1 << 30
	in := route.InRequest | route.InBranch | route.InOnSend
	return modules.Exports{
		Params: []modules.Param{
			{Name: "active_lifetime", Int: &m.active, Min: 1, Max: most, Doc: "seconds after which an answered call is forgotten, 10800"},
			{Name: "init_lifetime", Int: &m.initial, Min: 1, Max: most, Doc: "seconds after which a call that was not answered is forgotten, 180"},
			{Name: "finish_lifetime", Int: &m.finish, Max: most, Doc: "seconds that a call that has ended is kept, 10"},
			{Name: "timer_interval", Int: &m.interval, Min: 1, Max: most, Doc: "seconds between two looks for what is to be forgotten, 30"},
			{Name: "hash_size", Int: &m.hashSize, Min: 1, Max: 20, Fixed: true, Doc: "the table has 2 to the power of this buckets, 9"},
		},
		Funcs: []route.Func{
			{Name: "dlgs_init", Args: "sss", From: in | route.AnyReply, Run: m.begin, Doc: "follow the call that this INVITE begins: source, destination, data; also when it is followed already"},
			{Name: "dlgs_update", From: in, Run: m.update, Doc: "move the call on by a request inside it (ACK, BYE) or its CANCEL; false if it is not followed"},
			{Name: "dlgs_count", Args: "SSs", From: route.AnyRoute, Compile: m.compileCount, Doc: "how many calls have not ended whose field (src, dst, data, any) is eq, ne, re, sw or fm the value; -1: none"},
			{Name: "dlgs_tags_add", Args: "s", From: route.AnyRoute, Run: m.addTag, Doc: "give the call of the message a tag"},
			{Name: "dlgs_tags_rm", Args: "s", From: route.AnyRoute, Run: m.removeTag, Doc: "take a tag from it"},
			{Name: "dlgs_tags_count", Args: "s", From: route.AnyRoute, Run: m.countTag, Doc: "how many calls that have not ended have the tag; -1: none"},
		},
		RPC: m.commands(),
	}
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	h.Every(time.Duration(m.interval)*time.Second, m.sweep)
	h.OnReply = append(h.OnReply, m.reply)
	if t, ok := h.Find("tm").(tm.API); ok {
		m.tmTells = true
		t.AddHook(tm.Hook{
			Want: func(uint32) bool { return atomic.LoadInt64(&m.root.Calls) > 0 },
			ResponseOut: func(c *route.Ctx, code int, _ *sipparse.Msg) {
				if c.Msg.Line.Method == sipparse.INVITE {
					m.finalReply(c, code)
				}
			},
		})
	}
	return nil
}

func (m *mod) Init(h *modules.Host) error {
	r, err := rootIn(h.Arena)
	if err != nil {
		return err
	}
	if p := r.Get(h.Arena); p.Table == 0 {
		t, err := shm.NewTable(h.Arena, 1<<m.hashSize, h.Arena.TagFor("dlgs", "table"))
		if err != nil {
			return fmt.Errorf("table of calls: %w", err)
		}
		p.Table = t.Off()
	}
	return m.attach(h)
}

func (m *mod) InitWorker(h *modules.Host, _ int) error {
	if h.Main {
		return nil
	}
	return m.attach(h)
}

func (m *mod) attach(h *modules.Host) (err error) {
	m.a = h.Arena
	r, err := rootIn(m.a)
	if err != nil {
		return err
	}
	m.root, m.tag = r.Get(m.a), m.a.TagFor("dlgs", "call")
	m.table, err = shm.OpenTable(m.a, m.root.Table)
	return err
}
