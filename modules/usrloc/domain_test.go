package usrloc_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"kahea/modules"
	"kahea/modules/lib/modtest"
	"kahea/modules/usrloc"
	"kahea/shm"
)

// now is the time at which a test's clock begins, unix s.
const now = 1767225600

func start(t *testing.T, par string) (*modtest.Server, *usrloc.Domain) {
	t.Helper()
	// a table must be named before Init: a module of this test does it
	s := modtest.Start(t, "loadmodule \"usrloc.so\"\nloadmodule \"tabler.so\"\n"+par+"\nrequest_route { exit; }")
	return s, s.Host.Find("tabler").(*tabler).d
}

// tabler is a module that has a table and nothing else.
type tabler struct{ d *usrloc.Domain }

func init() { modules.Register("tabler", func() modules.Module { return &tabler{} }) }

func (*tabler) Exports() modules.Exports { return modules.Exports{} }

func (m *tabler) Setup(h *modules.Host) (err error) {
	m.d, err = h.Find("usrloc").(usrloc.API).Register("users")
	return err
}

func contact(uri string, q int, expires int64) *usrloc.Contact {
	return &usrloc.Contact{URI: []byte(uri), CallID: []byte("c1"), Expires: expires, Q: q, Sock: -1, Methods: usrloc.AllMethods}
}

func list(d *usrloc.Domain, aor string) string {
	l := d.Lock([]byte(aor))
	defer l.Unlock()
	var s []string
	var x usrloc.Contact
	for r := l.First(); r != 0; r = l.Next(r) {
		l.Get(r, &x)
		s = append(s, string(x.URI))
	}
	return strings.Join(s, " ")
}

func insert(t *testing.T, d *usrloc.Domain, aor string, c *usrloc.Contact) {
	t.Helper()
	l := d.Lock([]byte(aor))
	defer l.Unlock()
	if err := l.Insert(c); err != nil {
		t.Fatal(err)
	}
}

// TestTexts stores and gives back every member of a contact.
func TestTexts(t *testing.T) {
	_, d := start(t, "")
	in := usrloc.Contact{URI: []byte("sip:a@h"), CallID: []byte("cid"), UserAgent: []byte("ua"), Received: []byte("sip:1.2.3.4"), Path: []byte("<sip:p>"),
		Instance: []byte("<urn:x>"), RUID: []byte("uloc-1"), Attrs: []byte("a"), Expires: now + 1, Modified: now, CSeq: 7, Flags: 1, CFlags: 2, Methods: 3, Conn: 4, RegID: 5, Q: 600, Sock: 0}
	insert(t, d, "bob", &in)
	l := d.Lock([]byte("bob"))
	defer l.Unlock()
	var out usrloc.Contact
	l.Get(l.First(), &out)
	if !reflect.DeepEqual(out, in) {
		t.Errorf("got  %+v\nwant %+v", out, in)
	}
}

// TestMatch says which contact a registration is about.
func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		name, par             string
		uri, callID, instance string // the Path is "<sip:p>"
		regID                 uint32
		found                 bool
	}{
		{"uri", "", "sip:a@h", "other", "", 0, true},
		{"another uri", "", "sip:A@h", "c1", "", 0, false},
		{"uri and Call-ID", `modparam("usrloc", "matching_mode", 1)`, "sip:a@h", "c1", "", 0, true},
		{"uri and another Call-ID", `modparam("usrloc", "matching_mode", 1)`, "sip:a@h", "other", "", 0, false},
		{"uri and Path", `modparam("usrloc", "matching_mode", 2)`, "sip:a@h", "other", "", 0, true},
		{"uri and another Path", `modparam("usrloc", "matching_mode", 2)`, "sip:p@h", "other", "", 0, false},
		{"uri without Path", `modparam("usrloc", "matching_mode", 2)`, "sip:n@h", "other", "", 0, false},
		{"Call-ID", `modparam("usrloc", "matching_mode", 3)`, "sip:new@h", "c1", "", 0, true},
		{"another Call-ID", `modparam("usrloc", "matching_mode", 3)`, "sip:a@h", "other", "", 0, false},
		{"the same flow", "", "sip:new@h", "other", "<urn:x>", 1, true},
		{"another flow", "", "sip:new@h", "other", "<urn:x>", 2, false},
		{"another instance", "", "sip:new@h", "other", "<urn:y>", 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, d := start(t, tc.par)
			c := contact("sip:a@h", usrloc.QUnset, now+60)
			c.Instance, c.RegID, c.Path = []byte("<urn:x>"), 1, []byte("<sip:p>")
			insert(t, d, "bob", c)
			if strings.Contains(tc.par, "2") {
				p := contact("sip:p@h", usrloc.QUnset, now+60)
				p.Path, p.CallID = []byte("<sip:q>"), []byte("c2")
				insert(t, d, "bob", p)
				insert(t, d, "bob", contact("sip:n@h", usrloc.QUnset, now+60))
			}
			l := d.Lock([]byte("bob"))
			defer l.Unlock()
			if got := l.Match([]byte(tc.uri), []byte(tc.callID), []byte("<sip:p>"), []byte(tc.instance), tc.regID) != 0; got != tc.found {
				t.Errorf("found: %v, want %v", got, tc.found)
			}
		})
	}
}

// TestUpdate keeps the place unless q has changed, and the memory of the old contact comes back.
func TestUpdate(t *testing.T) {
	s, d := start(t, "")
	used := s.Arena.Usage().Used
	for _, u := range []string{"sip:a@h", "sip:b@h", "sip:c@h"} {
		insert(t, d, "bob", contact(u, 500, now+60))
	}
	update := func(uri string, q int, want string) {
		t.Helper()
		l := d.Lock([]byte("bob"))
		if err := l.Update(l.Find([]byte(uri)), contact(uri, q, now+90)); err != nil {
			t.Error(err)
		}
		l.Unlock()
		if got := list(d, "bob"); got != want {
			t.Errorf("%s with q %d: %q, want %q", uri, q, got, want)
		}
	}
	update("sip:a@h", 500, "sip:a@h sip:b@h sip:c@h")
	update("sip:a@h", 400, "sip:b@h sip:c@h sip:a@h")
	update("sip:c@h", 900, "sip:c@h sip:b@h sip:a@h")
	l := d.Lock([]byte("bob"))
	for r := l.First(); r != 0; r = l.First() {
		l.Delete(r)
	}
	l.Unlock()
	if got := s.Arena.Usage().Used; got != used {
		t.Errorf("%d bytes in use, want %d", got, used)
	}
}

// TestSweep removes what has expired, and nothing else; the statistics say so.
func TestSweep(t *testing.T) {
	s, d := start(t, "")
	insert(t, d, "bob", contact("sip:gone@h", 0, now))
	insert(t, d, "bob", contact("sip:stays@h", 0, now+1))
	insert(t, d, "bob", contact("sip:ever@h", 0, 0))
	insert(t, d, "carol", contact("sip:gone@h", 0, now-5))
	s.Tick()
	if got := list(d, "bob"); got != "sip:stays@h sip:ever@h" {
		t.Errorf("bob has %q", got)
	}
	l := d.Lock([]byte("carol"))
	if l.Exists() {
		t.Error("carol's record is left")
	}
	l.Unlock()
	want := map[string]int64{"users_contacts": 2, "users_expires": 2, "users_users": 1, "registered_users": 1}
	for _, x := range s.Host.Find("usrloc").(modules.Stater).Stats() {
		if n, ok := want[x.Name]; !ok || x.Get() != n {
			t.Errorf("%s is %d, want %d", x.Name, x.Get(), n)
		}
		delete(want, x.Name)
	}
	if len(want) > 0 {
		t.Errorf("statistics lack %v", want)
	}
}

// TestNoMemory leaves everything as it was.
func TestNoMemory(t *testing.T) {
	s, d := start(t, "")
	o, err := s.Arena.Alloc(int(s.Arena.Usage().LargestFree), s.Arena.TagFor("test", "fill"))
	if err != nil {
		t.Fatal(err)
	}
	l := d.Lock([]byte("bob"))
	if err := l.Insert(contact("sip:a@h", 0, now+60)); !errors.Is(err, shm.ErrNoMemory) {
		t.Errorf("insert: %v, want ErrNoMemory", err)
	}
	if l.Exists() {
		t.Error("a record was made")
	}
	l.Unlock()
	s.Arena.Free(o)
	if errs := s.Arena.Verify(); len(errs) > 0 {
		t.Errorf("the heap is damaged: %v", errs)
	}
}

// TestParameters refuses what is not there yet.
func TestParameters(t *testing.T) {
	for _, tc := range []struct{ name, par, want string }{
		{"db_mode", `modparam("usrloc", "db_mode", 1)`, "1 is not there yet, only 0"},
		{"hash_size", `modparam("usrloc", "hash_size", 30)`, "got 30, want 1 to 20"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := modtest.Load(t, "loadmodule \"usrloc.so\"\n"+tc.par+"\nrequest_route { exit; }"); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// TestLostConnections: contacts go with their connections, and connections with their contacts. No connection is there.
func TestLostConnections(t *testing.T) {
	for _, tc := range []struct{ name, par, left, closed string }{
		{"neither", "", "sip:tcp@h sip:udp@h", "[]"},
		{"handle_lost_tcp", `modparam("usrloc", "handle_lost_tcp", 1)`, "sip:udp@h", "[]"},
		{"close_expired_tcp", `modparam("usrloc", "close_expired_tcp", 1)`, "sip:tcp@h sip:udp@h", "[9]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, d := start(t, tc.par)
			for uri, conn := range map[string]uint32{"sip:tcp@h": 4, "sip:udp@h": 0, "sip:old@h": 9} {
				c := contact(uri, map[string]int{"sip:tcp@h": 900, "sip:udp@h": 800, "sip:old@h": 700}[uri], now+60)
				if c.Conn = conn; conn == 9 {
					c.Expires = now
				}
				insert(t, d, "bob", c)
			}
			s.Tick()
			if got := list(d, "bob"); got != tc.left {
				t.Errorf("left: %q, want %q", got, tc.left)
			}
			if got := fmt.Sprint(s.Closed()); got != tc.closed {
				t.Errorf("closed %s, want %s", got, tc.closed)
			}
		})
	}
}
