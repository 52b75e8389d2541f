package route

import "testing"

// TestXAVPsAreCarried: structured attributes come back from shared memory as they were, with the plain ones.
func TestXAVPsAreCarried(t *testing.T) {
	c, d := &Ctx{}, &Ctx{}
	for _, x := range []*Ctx{c, d} {
		x.P = &Proc{Mem: heapMemory{}}
		x.Scratch.Mem = x.P.Mem
	}
	none := XIndex{None: true}
	set := func(kind XKind, root, field string, at XIndex, v Value) {
		t.Helper()
		r := XRef{Kind: kind, Root: []byte(root), RootAt: at, FieldAt: none}
		if field != "" {
			r.Field = []byte(field)
		}
		if err := c.AVPs.XSet(c, &r, v); err != nil {
			t.Fatal(err)
		}
	}
	set(XAVP, "r", "f", none, Str([]byte("text")))
	set(XAVP, "r", "g", XIndex{}, Int(-5))
	set(XAVP, "r", "f", none, Str([]byte("newer")))
	set(XAVI, "Ro", "Fi", none, Str([]byte("any case")))
	set(XAVU, "u", "", none, Int(7))
	if err := c.AVPs.Add(c, []byte("plain"), 0, Int(1)); err != nil {
		t.Fatal(err)
	}
	b := append(c.AVPs.AppendBinary(nil), "rest"...)
	rest, err := d.AVPs.Load(d, b)
	if err != nil || string(rest) != "rest" {
		t.Fatalf("Load: rest %q, %v", rest, err)
	}
	if d.AVPs.Len() != c.AVPs.Len() || d.AVPs.Get([]byte("plain"), 0, 0).Int != 1 {
		t.Errorf("loaded %d values of %d", d.AVPs.Len(), c.AVPs.Len())
	}
	for _, x := range []struct {
		name        string
		kind        XKind
		root, field string
		at          int
		want        string
	}{
		{"newest root", XAVP, "r", "f", 0, "newer"},
		{"older root", XAVP, "r", "f", 1, "text"},
		{"number", XAVP, "r", "g", 1, "-5"},
		{"any case", XAVI, "rO", "fI", 0, "any case"},
		{"value of a root", XAVU, "u", "", 0, "7"},
		{"other list", XAVU, "r", "f", 0, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := XRef{Kind: x.kind, Root: []byte(x.root), RootAt: XIndex{N: x.at}, FieldAt: none}
			if x.field != "" {
				r.Field = []byte(x.field)
			}
			if v := d.AVPs.XGet(d, &r); string(v.Text(d)) != x.want {
				t.Errorf("got %q, want %q", v.Text(d), x.want)
			}
		})
	}
	// a new root after loading is a root of its own
	r := XRef{Root: []byte("r"), Field: []byte("h"), RootAt: none, FieldAt: none}
	if err := d.AVPs.XSet(d, &r, Int(3)); err != nil {
		t.Fatal(err)
	}
	r.Field = []byte("f")
	if v := d.AVPs.XGet(d, &r); !v.IsNull() {
		t.Errorf("the new root has a field of another: %q", v.Text(d))
	}
	for n := range b[:len(b)-5] {
		if _, err := d.AVPs.Load(d, b[:n]); err == nil {
			t.Fatalf("Load took %d of %d bytes", n, len(b)-4)
		}
	}
}

type heapMemory struct{}

func (heapMemory) Chunk(n int) []byte { return make([]byte, n) }
func (heapMemory) Release([]byte)     {}
