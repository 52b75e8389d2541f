package sipparse

// Values walks all comma-separated values of all fields of one type as name-addrs (Contact, Route, Record-Route, Path, ...).
type Values struct {
	NameAddr
	Hdr  *Hdr
	m    *Msg
	next *Hdr // field to go on with when rest is used up
	rest Span
	more bool // rest holds something
}

// Values starts a walk. The walk is valid until the next Parse.
func (m *Msg) Values(t HdrType) Values { return Values{m: m, next: m.First(t)} }

// Next goes to the next value; ok is false at the end and at an error, which ends the walk.
func (v *Values) Next() (ok bool, e Err) {
	if !v.more {
		if v.next == nil {
			return false, OK
		}
		v.Hdr = v.next
		v.next = v.m.NextOf(v.Hdr)
		v.rest = v.Hdr.Body
	}
	if e = ParseNameAddr(v.m.Buf, v.rest, &v.NameAddr); e != OK {
		v.next, v.more = nil, false
		return false, e
	}
	v.rest = v.Rest
	v.more = v.Rest.Len > 0
	return true, OK
}
