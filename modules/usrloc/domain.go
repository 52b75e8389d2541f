package usrloc

import (
	"bytes"
	"sync/atomic"
	"unsafe"

	"kahea/shm"
	"kahea/sipparse/edit"
)

// QUnset is a contact without q; q is in thousandths otherwise.
const QUnset = -1

// AllMethods is what a contact without Allow takes.
const AllMethods = 0xffffffff

// Domain is one table.
type Domain struct {
	m     *mod
	name  string
	table shm.Table
	root  *root
	mask  uint32
}

// Name is the table's name.
func (d *Domain) Name() string { return d.name }

// record is an address of record in shared memory; its text follows.
type record struct {
	_      shm.Link // in its bucket
	first  shm.Off  // contacts, best first
	hash   uint32
	aorLen uint32
}

const recordSize = unsafe.Sizeof(record{})

// contact is a binding in shared memory; its texts follow in the order of texts().
type contact struct {
	next     shm.Off
	_        layoutProbe
	expires  int64 // unix s
	modified int64
	alive    int64  // unix s: when it registered or answered a keepalive last
	rtt      uint32 // us, of the last keepalive that was answered
	cseq     uint32
	flags    uint32
	cflags   uint32
	methods  uint32
	conn     uint32
	regID    uint32
	q        int16
	sock     int16
	lens     [8]uint16
	state    uint8
	_        uint8
}

const contactSize = unsafe.Sizeof(contact{})

// States, as ul.dump names them.
const (
	stateNew = iota
	stateSynced
	stateDirty
)

// Contact is a binding as the caller sees or gives it. Slices of one that the API returned point into shared memory and are valid while the
// bucket is locked.
type Contact struct {
	URI, CallID, UserAgent, Received, Path, Instance, RUID []byte
	Attrs                                                  []byte // $xavp(xavp_contact), as AVPs.XEncode writes it
	Expires, Modified                                      int64  // unix s
	CSeq, Flags, CFlags, Methods                           uint32
	Conn                                                   uint32 // TCP connection, 0: none
	RegID                                                  uint32
	Q                                                      int // thousandths, QUnset
	Sock                                                   int // index of the socket it registered on, -1: unknown
}

// Ref names a stored contact while its bucket is locked; 0 is none.
type Ref shm.Off

// Locked is a locked bucket with the record of one address, which may not exist.
type Locked struct {
	d      *Domain
	bucket int
	hash   uint32
	aor    []byte
	off    shm.Off
}

func load(p *int64) int64 { return atomic.LoadInt64(p) }

// Lock finds aor's record and locks its bucket. The caller unlocks it, sends nothing and does not suspend before.
func (d *Domain) Lock(aor []byte) Locked {
	h := edit.CoreHash(aor, nil, 0)
	l := Locked{d: d, bucket: int(h & d.mask), hash: h, aor: aor}
	a := d.m.a
	d.table.Lock(a, l.bucket)
	for o := d.table.First(a, l.bucket); o != 0; o = d.table.Next(a, o) {
		if r := d.record(o); r.hash == h && bytes.Equal(d.aor(o, r), aor) {
			l.off = o
			break
		}
	}
	return l
}

// Unlock removes the record if it has no contacts left, and unlocks.
func (l *Locked) Unlock() {
	d := l.d
	if l.off != 0 && d.record(l.off).first == 0 {
		d.table.Remove(d.m.a, l.off)
		d.m.a.Free(l.off)
		atomic.AddInt64(&d.root.Records, -1)
	}
	d.table.Unlock(d.m.a, l.bucket)
}

// Exists says whether there is a record.
func (l *Locked) Exists() bool { return l.off != 0 }

func (d *Domain) record(o shm.Off) *record   { return shm.Ref[record]{Off: o}.Get(d.m.a) }
func (d *Domain) contact(o shm.Off) *contact { return shm.Ref[contact]{Off: o}.Get(d.m.a) }

func (d *Domain) aor(o shm.Off, r *record) []byte {
	return d.m.a.Bytes(o)[recordSize : recordSize+uintptr(r.aorLen)]
}

// First and Next walk the contacts, best first.
func (l *Locked) First() Ref {
	if l.off == 0 {
		return 0
	}
	return Ref(l.d.record(l.off).first)
}

func (l *Locked) Next(r Ref) Ref { return Ref(l.d.contact(shm.Off(r)).next) }

// Get is a view of a contact.
func (l *Locked) Get(r Ref, c *Contact) { l.d.get(shm.Off(r), c) }

func (d *Domain) get(o shm.Off, c *Contact) {
	s := d.contact(o)
	b := d.m.a.Bytes(o)[contactSize:]
	*c = Contact{Expires: s.expires, Modified: s.modified, CSeq: s.cseq, Flags: s.flags, CFlags: s.cflags, Methods: s.methods, Conn: s.conn,
		RegID: s.regID, Q: int(s.q), Sock: int(s.sock)}
	for i, p := range c.texts() {
		n := int(s.lens[i])
		*p = b[:n:n]
		b = b[n:]
	}
}

func (c *Contact) texts() [8]*[]byte {
	return [8]*[]byte{&c.URI, &c.CallID, &c.UserAgent, &c.Received, &c.Path, &c.Instance, &c.RUID, &c.Attrs}
}

// Insert adds a contact, and the record if there is none. It leaves the reserve of shared memory alone: only what is registered already is refreshed from it
// (Update). shm.ErrReserve or shm.ErrNoMemory leaves everything as it was.
func (l *Locked) Insert(c *Contact) error {
	d := l.d
	o, err := d.make(c, d.m.a.AllocUnreserved)
	if err != nil {
		return err
	}
	if l.off == 0 {
		r, err := d.m.a.AllocUnreserved(int(recordSize)+len(l.aor), d.m.tagRecord)
		if err != nil {
			d.m.a.Free(o)
			return err
		}
		b := d.m.a.Bytes(r)
		clear(b[:recordSize])
		copy(b[recordSize:], l.aor)
		rec := d.record(r)
		rec.hash, rec.aorLen = l.hash, uint32(len(l.aor))
		d.table.Append(d.m.a, l.bucket, r)
		l.off = r
		atomic.AddInt64(&d.root.Records, 1)
	}
	l.place(o)
	atomic.AddInt64(&d.root.Contacts, 1)
	return nil
}

// make allocates and fills a contact.
func (d *Domain) make(c *Contact, alloc func(int, shm.Tag) (shm.Off, error)) (shm.Off, error) {
	n := int(contactSize)
	for _, p := range c.texts() {
		n += len(*p)
	}
	o, err := alloc(n, d.m.tagContact)
	if err != nil {
		return 0, err
	}
	b := d.m.a.Bytes(o)
	clear(b[:contactSize])
	s := d.contact(o)
	s.expires, s.modified, s.cseq, s.flags, s.cflags, s.methods = c.Expires, c.Modified, c.CSeq, c.Flags, c.CFlags, c.Methods
	s.alive = c.Modified
	s.conn, s.regID, s.q, s.sock = c.Conn, c.RegID, int16(c.Q), int16(c.Sock)
	b = b[contactSize:]
	for i, p := range c.texts() {
		s.lens[i] = uint16(copy(b, *p))
		b = b[len(*p):]
	}
	return o, nil
}

// place links a contact by q (older ones of equal q first), or in front when desc_time_order is set.
func (l *Locked) place(o shm.Off) {
	d := l.d
	c := d.contact(o)
	at := &d.record(l.off).first
	if d.m.descTimeOrder == 0 {
		for *at != 0 {
			x := d.contact(*at)
			if x.q < c.q {
				break
			}
			at = &x.next
		}
	}
	c.next = *at
	*at = o
}

// unlink takes a contact out of its record's list.
func (l *Locked) unlink(o shm.Off) {
	for at := &l.d.record(l.off).first; *at != 0; at = &l.d.contact(*at).next {
		if *at == o {
			*at = l.d.contact(o).next
			return
		}
	}
}

// Update replaces a contact; it keeps its place unless its q has changed.
func (l *Locked) Update(r Ref, c *Contact) error {
	d := l.d
	o, err := d.make(c, d.m.a.Alloc)
	if err != nil {
		return err
	}
	n, old := d.contact(o), d.contact(shm.Off(r))
	n.state = stateDirty
	if n.q == old.q && d.m.descTimeOrder == 0 {
		for at := &d.record(l.off).first; *at != 0; at = &d.contact(*at).next {
			if *at == shm.Off(r) {
				n.next = old.next
				*at = o
				break
			}
		}
	} else {
		l.unlink(shm.Off(r))
		l.place(o)
	}
	d.m.a.Free(shm.Off(r))
	return nil
}

// Delete removes a contact.
func (l *Locked) Delete(r Ref) {
	l.unlink(shm.Off(r))
	l.d.m.a.Free(shm.Off(r))
	atomic.AddInt64(&l.d.root.Contacts, -1)
}

// Values of matching_mode.
const (
	matchContact = iota
	matchCallID
	matchPath
	matchCallIDOnly
)

// Match finds the contact that a registration is about: by URI, and by matching_mode also by Call-ID or Path, or by Call-ID alone; a contact with the same instance and
// reg-id is the same flow (RFC 5626).
func (l *Locked) Match(uri, callID, path, instance []byte, regID uint32) Ref {
	var c Contact
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &c)
		if len(instance) > 0 && regID > 0 && regID == c.RegID && bytes.Equal(instance, c.Instance) {
			return r
		}
		same := bytes.Equal(c.URI, uri)
		switch l.d.m.matchingMode {
		case matchCallID:
			same = same && bytes.Equal(c.CallID, callID)
		case matchPath:
			same = same && (len(path) == 0 || bytes.Equal(c.Path, path))
		case matchCallIDOnly:
			same = bytes.Equal(c.CallID, callID)
		}
		if same {
			return r
		}
	}
	return 0
}

// Find is the contact with a URI, whatever matching_mode says.
func (l *Locked) Find(uri []byte) Ref {
	var c Contact
	for r := l.First(); r != 0; r = l.Next(r) {
		if l.Get(r, &c); bytes.Equal(c.URI, uri) {
			return r
		}
	}
	return 0
}

// CSeqDelay is the cseq_delay parameter, in seconds.
func (d *Domain) CSeqDelay() int64 { return int64(d.m.cseqDelay) }

// sweepBucket removes what has expired at now.
func (d *Domain) sweepBucket(b int, now int64) (n int) {
	type gone struct {
		aor []byte
		c   Contact
	}
	var l []gone
	a := d.m.a
	tell := len(d.m.onExpired) > 0 || d.m.closeExpired != 0
	d.table.Lock(a, b)
	for o := d.table.First(a, b); o != 0; {
		next := d.table.Next(a, o)
		r := d.record(o)
		for at := &r.first; *at != 0; {
			c := d.contact(*at)
			lost := d.m.handleLost != 0 && c.conn != 0 && !d.m.h.Host.HasConn(c.conn)
			if (c.expires == 0 || c.expires > now) && !lost {
				at = &c.next
				continue
			}
			x := *at
			if tell {
				g := gone{aor: bytes.Clone(d.aor(o, r))}
				d.get(x, &g.c)
				for _, t := range g.c.texts() {
					*t = bytes.Clone(*t)
				}
				l = append(l, g)
			}
			*at = c.next
			a.Free(x)
			n++
		}
		if r.first == 0 {
			d.table.Remove(a, o)
			a.Free(o)
			atomic.AddInt64(&d.root.Records, -1)
		}
		o = next
	}
	d.table.Unlock(a, b)
	atomic.AddInt64(&d.root.Contacts, int64(-n))
	atomic.AddInt64(&d.root.Expired, int64(n))
	for i := range l {
		d.m.gone(d, l[i].aor, &l[i].c)
	}
	return n
}
