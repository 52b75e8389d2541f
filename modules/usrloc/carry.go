package usrloc

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"

	"kahea/modules"
	"kahea/shm"
	"kahea/sipparse/edit"
)

// An upgrade to a binary that lays contacts out differently carries them over in a neutral form: a gob stream that has, for each table, one carriedTable and then one
// carriedRecord for each address of record. Gob names fields, so one that is added or dropped does no harm; a flag or a state that changes its number is a new form.

const carryForm = "usrloc/1"

var _ modules.Carrier = (*mod)(nil)

type carriedHead struct{ Tables int }

type carriedTable struct {
	Name    string
	Expired int64 // contacts so far, for the statistics
	Count   int   // of the records that follow
}

type carriedRecord struct {
	AOR      []byte
	Contacts []carriedContact // in their order
}

type carriedContact struct {
	URI, CallID, UserAgent, Received, Path, Instance, RUID []byte
	Attrs                                                  []byte
	Expires, Modified, Alive                               int64 // unix s
	CSeq, Flags, CFlags, Methods, Conn, RegID              uint32
	Q, Sock                                                int16
	State                                                  uint8
}

var errCarried = errors.New("carried contact is broken")

// Form, Reads, Roots, Export, Import and Drop are modules.Carrier.
func (m *mod) Form() string { return carryForm }

func (m *mod) Reads(form string) bool { return form == carryForm }

func (m *mod) Roots() (l []string) {
	for _, d := range m.domains {
		l = append(l, d.rootName())
	}
	return l
}

func (m *mod) Export(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := gob.NewEncoder(b)
	err := e.Encode(carriedHead{len(m.domains)})
	for _, d := range m.domains {
		if err == nil {
			err = e.Encode(carriedTable{Name: d.name, Expired: load(&d.root.Expired), Count: d.table.Count(m.a)})
		}
		if err == nil {
			err = d.eachRecord(func(o shm.Off, r *record) error { return e.Encode(d.carryOut(o, r)) })
		}
	}
	return errors.Join(err, b.Flush())
}

// eachRecord calls f for every record; f may remove it.
func (d *Domain) eachRecord(f func(o shm.Off, r *record) error) error {
	a := d.m.a
	for i := range d.table.Size() {
		d.table.Lock(a, i) // repairs what a process left that died in it
		for o := d.table.First(a, i); o != 0; {
			next := d.table.Next(a, o)
			if err := f(o, d.record(o)); err != nil {
				d.table.Unlock(a, i)
				return err
			}
			o = next
		}
		d.table.Unlock(a, i)
	}
	return nil
}

// carryOut describes a record; its slices lie in shared memory.
func (d *Domain) carryOut(o shm.Off, r *record) *carriedRecord {
	x := &carriedRecord{AOR: d.aor(o, r)}
	var c Contact
	for at := r.first; at != 0; {
		s := d.contact(at)
		d.get(at, &c)
		x.Contacts = append(x.Contacts, carriedContact{
			URI: c.URI, CallID: c.CallID, UserAgent: c.UserAgent, Received: c.Received, Path: c.Path, Instance: c.Instance, RUID: c.RUID,
			Attrs: c.Attrs, Alive: s.alive, Expires: c.Expires, Modified: c.Modified, CSeq: c.CSeq, Flags: c.Flags, CFlags: c.CFlags, Methods: c.Methods, Conn: c.Conn, RegID: c.RegID,
			Q: s.q, Sock: s.sock, State: s.state,
		})
		at = s.next
	}
	return x
}

func (m *mod) Import(r io.Reader) error {
	in := gob.NewDecoder(bufio.NewReader(r))
	var head carriedHead
	if err := in.Decode(&head); err != nil {
		return fmt.Errorf("carried contacts: %w", err)
	}
	for range head.Tables {
		var t carriedTable
		if err := in.Decode(&t); err != nil {
			return fmt.Errorf("carried table: %w", err)
		}
		d, err := m.Register(t.Name)
		if err != nil || d.root == nil {
			return fmt.Errorf("carried table %q: %w", t.Name, errors.Join(err, errCarried))
		}
		for i := range t.Count {
			var x carriedRecord // gob leaves out what is zero
			err := in.Decode(&x)
			if err == nil {
				err = d.carryIn(&x)
			}
			if err != nil {
				return fmt.Errorf("carried record %d of %d of table %q: %w", i+1, t.Count, t.Name, err)
			}
		}
		d.root.Expired = t.Expired
	}
	return nil
}

// carryIn makes a record of its description.
func (d *Domain) carryIn(x *carriedRecord) error {
	a := d.m.a
	o, err := a.Alloc(int(recordSize)+len(x.AOR), d.m.tagRecord)
	if err != nil {
		return err
	}
	b := a.Bytes(o)
	clear(b[:recordSize])
	copy(b[recordSize:], x.AOR)
	r := d.record(o)
	r.hash, r.aorLen = edit.CoreHash(x.AOR, nil, 0), uint32(len(x.AOR))
	bucket := int(r.hash & d.mask)
	d.table.Lock(a, bucket)
	defer d.table.Unlock(a, bucket)
	d.table.Append(a, bucket, o) // Drop finds it from here on
	atomic.AddInt64(&d.root.Records, 1)
	last := &r.first
	for i := range x.Contacts {
		y := &x.Contacts[i]
		c := Contact{
			URI: y.URI, CallID: y.CallID, UserAgent: y.UserAgent, Received: y.Received, Path: y.Path, Instance: y.Instance, RUID: y.RUID,
			Attrs: y.Attrs, Expires: y.Expires, Modified: y.Modified, CSeq: y.CSeq, Flags: y.Flags, CFlags: y.CFlags, Methods: y.Methods, Conn: y.Conn, RegID: y.RegID,
			Q: int(y.Q), Sock: int(y.Sock),
		}
		for _, t := range c.texts() {
			if len(*t) > math.MaxUint16 {
				return errCarried
			}
		}
		n, err := d.make(&c, a.Alloc)
		if err != nil {
			return err
		}
		s := d.contact(n)
		s.state = y.State
		if s.alive = y.Alive; s.alive == 0 {
			s.alive = y.Modified // of a binary without keepalives
		}
		*last, last = n, &s.next
		atomic.AddInt64(&d.root.Contacts, 1)
	}
	return nil
}

func (m *mod) Drop() error {
	m.a = m.h.Arena
	var errs []error
	for _, d := range m.domains {
		errs = append(errs, d.drop())
	}
	return errors.Join(errs...)
}

func (d *Domain) drop() error {
	a := d.m.a
	if !a.HasRoot(d.rootName()) {
		return nil
	}
	r, _, err := d.rootIn(a)
	if err != nil {
		return err
	}
	if off := r.Get(a).Table; off != 0 {
		if d.table, err = shm.OpenTable(a, off); err != nil {
			return err
		}
		err = d.eachRecord(func(o shm.Off, r *record) error {
			for c := r.first; c != 0; {
				next := d.contact(c).next
				a.Free(c)
				c = next
			}
			d.table.Remove(a, o)
			a.Free(o)
			return nil
		})
		if err != nil {
			return err
		}
		d.table.Free(a)
	}
	d.root = nil
	a.DropRoot(d.rootName())
	return nil
}
