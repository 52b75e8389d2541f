package usrloc_test

import (
	"bytes"
	"io"
	"reflect"
	"testing"

	"kahea/modules"
	"kahea/modules/usrloc"
)

// TestCarried takes contacts the way of an upgrade: all of each, in their order, and nothing else.
func TestCarried(t *testing.T) {
	for _, par := range []string{"", `modparam("usrloc", "desc_time_order", 1)`} {
		s, d := start(t, par)
		empty := s.Arena.Usage().Used
		whole := usrloc.Contact{URI: []byte("sip:a@h"), CallID: []byte("cid"), UserAgent: []byte("ua"), Received: []byte("sip:1.2.3.4"), Path: []byte("<sip:p>"),
			Instance: []byte("<urn:x>"), Attrs: []byte("a"), RUID: []byte("uloc-1"), Expires: now + 1, Modified: now, CSeq: 7, Flags: 1, CFlags: 2, Methods: 3, Conn: 4, RegID: 5, Q: 600, Sock: 0}
		insert(t, d, "bob", &whole)
		insert(t, d, "bob", contact("sip:b@h", 900, now+60))
		insert(t, d, "bob", contact("sip:c@h", usrloc.QUnset, now+60))
		insert(t, d, "carol", contact("sip:d@h", 500, 0))
		order, used := list(d, "bob"), s.Arena.Usage().Used
		s.Carry()
		if got := list(d, "bob"); got != order {
			t.Errorf("%s: contacts %q, before %q", par, got, order)
		}
		if got := list(d, "carol"); got != "sip:d@h" {
			t.Errorf("carol has %q", got)
		}
		l := d.Lock([]byte("bob"))
		var out usrloc.Contact
		l.Get(l.Find([]byte("sip:a@h")), &out)
		if !reflect.DeepEqual(out, whole) {
			t.Errorf("got  %+v\nwant %+v", out, whole)
		}
		l.Unlock()
		if got := s.Arena.Usage().Used; got != used {
			t.Errorf("%d bytes in use, %d before", got, used)
		}
		c := s.Host.Find("usrloc").(modules.Carrier)
		if err := c.Drop(); err != nil {
			t.Fatal(err)
		}
		if got, table := s.Arena.Usage().Used, empty-s.Arena.Usage().Used; got >= empty || table < 1024*32 {
			t.Errorf("%d bytes in use without tables, %d with empty ones", got, empty)
		}
		if err := s.Host.Find("usrloc").(modules.Initer).Init(s.Host); err != nil {
			t.Fatal(err)
		}
		if got := s.Arena.Usage().Used; got != empty {
			t.Errorf("%d bytes in use, %d at first", got, empty)
		}
		if err := c.Import(bytes.NewReader(nil)); err == nil || list(d, "bob") != "" {
			t.Errorf("import of nothing: %v, want %v", err, io.EOF)
		}
		if errs := s.Arena.Verify(); len(errs) > 0 {
			t.Error(errs)
		}
	}
}
