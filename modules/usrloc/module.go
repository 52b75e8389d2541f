package usrloc

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"time"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/shm"
)

func init() {
	modules.Register("usrloc", func() modules.Module {
		m := &mod{timerInterval: 60, hashSize: 10, cseqDelay: 20, natBFlag: -1}
		m.ka = keepalive{interval: 40, randomize: 20, level: kaNoLog, from: "sip:server@kamailio.org", domain: "kamailio.org", method: "OPTIONS",
			logText: " to-uri: [$tu] remote-addr: [$sas]", codes: "0"}
		return m
	})
}

var (
	_ modules.Module       = (*mod)(nil)
	_ modules.Setuper      = (*mod)(nil)
	_ modules.Initer       = (*mod)(nil)
	_ modules.WorkerIniter = (*mod)(nil)
	_ modules.Runner       = (*mod)(nil)
	_ modules.Stater       = (*mod)(nil)
)

type mod struct {
	timerInterval int // s
	timerProcs    int
	useDomain     int
	hashSize      int // power of two
	descTimeOrder int
	matchingMode  int
	cseqDelay     int // s
	natBFlag      int
	handleLost    int
	closeExpired  int
	xavpContact   string
	xavpName      []byte // xavpContact, nil if there is none
	preload       []string
	database      []string // parameters that were set and mean something with a database only
	ka            keepalive
	onExpired     []func(d *Domain, aor []byte, c *Contact)
	h             *modules.Host
	a             *shm.Arena
	tagRecord     shm.Tag
	tagContact    shm.Tag
	domains       []*Domain
	ruidPrefix    []byte
	ruidSeq       uint64
	sep           string // stats_name_separator
}

func (m *mod) Exports() modules.Exports {
	only := func(name string, def int) modules.Param {
		return modules.Param{Name: name, Type: modules.IntParam, Doc: "only the default is there yet", Func: func(v modules.Value) error {
			if v.Int != def {
				return fmt.Errorf("%d is not there yet, only %d", v.Int, def)
			}
			return nil
		}}
	}
	params := []modules.Param{
		{Name: "timer_interval", Int: &m.timerInterval, Min: 1, Max: 1 << 20, Doc: "seconds between removals of expired contacts, 60"},
		{Name: "timer_procs", Int: &m.timerProcs, Max: 64, Doc: "processes of its own that do it, each for a part of the table, and send keepalives; 0: the slow timer does"},
		{Name: "use_domain", Int: &m.useDomain, Max: 1, Doc: "1: the address of record is user@domain; 0: the user only"},
		{Name: "hash_size", Fixed: true, Int: &m.hashSize, Min: 1, Max: 20, Doc: "buckets of a table as a power of two, 10"},
		{Name: "desc_time_order", Int: &m.descTimeOrder, Max: 1, Doc: "1: newest contact first; 0: by q"},
		{Name: "matching_mode", Int: &m.matchingMode, Max: matchCallIDOnly, Doc: "what makes two contacts the same: 0 the URI, 1 URI and Call-ID, 2 URI and Path, 3 Call-ID"},
		{Name: "cseq_delay", Int: &m.cseqDelay, Max: 1 << 20, Doc: "seconds in which an equal CSeq is a retransmission, 20"},
		{Name: "nat_bflag", Int: &m.natBFlag, Min: -1, Max: 31, Doc: "branch flag that marks contacts behind NAT; -1: none"},
		{Name: "handle_lost_tcp", Int: &m.handleLost, Max: 1, Doc: "1: a contact whose connection is gone is removed like one that has expired"},
		{Name: "close_expired_tcp", Int: &m.closeExpired, Max: 1, Doc: "1: the connection of a contact that has expired is closed"},
		{Name: "xavp_contact", Str: &m.xavpContact, Doc: "$xavp whose fields are kept with a contact, and given back when it is looked up; none"},
		{Name: "preload", Type: modules.StrParam, Doc: "table that the script does not name; may be repeated", Func: func(v modules.Value) error { m.preload = append(m.preload, v.Str); return nil }},
		only("db_mode", 0),
	}
	params = append(params, m.ka.params()...)
	return modules.Exports{
		Params: append(params, m.databaseParams()...),
		RPC:    m.commands(),
	}
}

var errTooMany = errors.New("too many tables")

// API is what other modules ask of usrloc (bind_usrloc).
type API interface {
	// Register names a table; while the script is compiled.
	Register(name string) (*Domain, error)
	// UseDomain says whether an address of record has a domain.
	UseDomain() bool
	// NatFlag is the branch flag that marks contacts behind NAT; -1: none.
	NatFlag() int
	// XAVPContact is the name of the $xavp whose fields are kept with a contact, nil if there is none.
	XAVPContact() []byte
	// OnExpired names who is told of contacts that have run out: in the processes that remove them, on the loop, with nothing locked. c is valid during the call.
	OnExpired(f func(d *Domain, aor []byte, c *Contact))
	// NewRUID appends a new unique id of a contact.
	NewRUID(dst []byte) []byte
}

var _ API = (*mod)(nil)

func (m *mod) UseDomain() bool { return m.useDomain != 0 }
func (m *mod) NatFlag() int    { return m.natBFlag }

func (m *mod) XAVPContact() []byte { return m.xavpName }

func (m *mod) OnExpired(f func(d *Domain, aor []byte, c *Contact)) {
	m.onExpired = append(m.onExpired, f)
}

// NewRUID is uloc-TIME-PID-N, as in Kamailio: unique over restarts and processes.
func (m *mod) NewRUID(dst []byte) []byte {
	m.ruidSeq++
	dst = append(dst, m.ruidPrefix...)
	return strconv.AppendUint(dst, m.ruidSeq, 16)
}

func (m *mod) Register(name string) (*Domain, error) {
	for _, d := range m.domains {
		if d.name == name {
			return d, nil
		}
	}
	if len(m.domains) == 16 {
		return nil, errTooMany
	}
	d := &Domain{m: m, name: name}
	m.domains = append(m.domains, d)
	return d, nil
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	m.sep = "_"
	if v, ok := h.Core("stats_name_separator"); ok && v.Str != "" {
		m.sep = v.Str
	}
	if m.xavpContact != "" {
		m.xavpName = []byte(m.xavpContact)
	}
	for _, name := range m.preload {
		if _, err := m.Register(name); err != nil {
			return fmt.Errorf("preload %s: %w", name, err)
		}
	}
	if h.Main {
		for _, name := range m.database {
			h.Logf(log.Warn, "usrloc", "parameter %s changes nothing: there is no database mode", name)
		}
	}
	if err := m.setupKeepalive(h); err != nil {
		return err
	}
	if m.timerProcs == 0 {
		m.periodic(h, 0, 1)
	}
	m.ruidPrefix = fmt.Appendf(nil, "uloc-%x-%x-", time.Now().Unix(), os.Getpid())
	return nil
}

// root of a table.
type root struct {
	Table    shm.Off
	Records  int64
	Contacts int64
	Expired  int64
}

func (d *Domain) rootName() string { return "usrloc:" + d.name }

func (d *Domain) rootIn(a *shm.Arena) (shm.Ref[root], bool, error) {
	return shm.Root[root](a, d.rootName(), shm.LayoutOf[record](), shm.LayoutOf[contact]())
}

func (m *mod) Init(h *modules.Host) error {
	for _, d := range m.domains {
		r, _, err := d.rootIn(h.Arena)
		if err != nil {
			return fmt.Errorf("table %s: %w", d.name, err)
		}
		if p := r.Get(h.Arena); p.Table == 0 {
			t, err := shm.NewTable(h.Arena, 1<<m.hashSize, h.Arena.TagFor("usrloc", "table"))
			if err != nil {
				return fmt.Errorf("table %s: %w", d.name, err)
			}
			p.Table = t.Off()
		}
	}
	return m.attach(h)
}

func (m *mod) InitWorker(h *modules.Host, _ int) error {
	if h.Main {
		return nil
	}
	return m.attach(h)
}

func (m *mod) attach(h *modules.Host) error {
	m.a = h.Arena
	m.tagRecord, m.tagContact = m.a.TagFor("usrloc", "record"), m.a.TagFor("usrloc", "contact")
	for _, d := range m.domains {
		r, _, err := d.rootIn(m.a)
		if err != nil {
			return err
		}
		d.root = r.Get(m.a)
		if d.table, err = shm.OpenTable(m.a, d.root.Table); err != nil {
			return err
		}
		d.mask = uint32(d.table.Size() - 1)
		if bits.OnesCount32(d.mask+1) != 1 {
			return fmt.Errorf("table %s has %d buckets", d.name, d.table.Size())
		}
	}
	return nil
}

// Procs and Run are the processes of timer_procs.
func (m *mod) Procs() (l []modules.Proc) {
	for i := range m.timerProcs {
		l = append(l, modules.Proc{Desc: "USRLOC Timer", Rank: -1, Kind: fmt.Sprint("timer", i)})
	}
	return l
}

func (m *mod) Run(h *modules.Host, kind string) error {
	i, err := strconv.Atoi(kind[len("timer"):])
	if err != nil {
		return err
	}
	m.periodic(h, i, m.timerProcs)
	return nil
}

// periodic does what is done from time to time for every parts-th bucket, from the one that part says.
func (m *mod) periodic(h *modules.Host, part, parts int) {
	h.Every(time.Duration(m.timerInterval)*time.Second, func() { m.sweep(part, parts) })
	if m.ka.mode != 0 {
		h.Every(time.Duration(m.ka.interval)*time.Second, func() { m.pingAll(part, parts) })
	}
}

// sweep removes what has expired, and with handle_lost_tcp what has lost its connection.
func (m *mod) sweep(part, parts int) {
	now := m.h.Host.Now() / 1e9
	for _, d := range m.domains {
		n := 0
		for b := part; b <= int(d.mask); b += parts {
			n += d.sweepBucket(b, now)
		}
		if n > 0 {
			m.h.Logf(log.Debug, "usrloc", "%s: %d expired contacts removed", d.name, n)
		}
	}
}

// gone is called for each contact that has been removed, with copies and nothing locked.
func (m *mod) gone(d *Domain, aor []byte, c *Contact) {
	if m.closeExpired != 0 && c.Conn != 0 {
		if err := m.h.Host.CloseConn(c.Conn); err != nil {
			m.h.Logf(log.Debug, "usrloc", "connection of contact %s: %v", c.URI, err)
		}
	}
	for _, f := range m.onExpired {
		f(d, aor, c)
	}
}

// Stats are the statistics of all tables.
func (m *mod) Stats() []modules.Stat {
	var l []modules.Stat
	var users int64
	for _, d := range m.domains {
		r := d.root
		users += load(&r.Records)
		l = append(l,
			modules.Stat{Group: "usrloc", Name: d.name + m.sep + "contacts", Get: func() int64 { return load(&r.Contacts) }, Doc: "contacts of the table"},
			modules.Stat{Group: "usrloc", Name: d.name + m.sep + "expires", Get: func() int64 { return load(&r.Expired) }, Doc: "contacts that expired"},
			modules.Stat{Group: "usrloc", Name: d.name + m.sep + "users", Get: func() int64 { return load(&r.Records) }, Doc: "addresses of record of the table"})
	}
	return append(l, modules.Stat{Group: "usrloc", Name: "registered_users", Get: func() int64 { return users }, Doc: "addresses of record of all tables"})
}
