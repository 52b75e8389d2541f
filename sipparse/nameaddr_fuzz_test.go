package sipparse

import "testing"

// FuzzNameAddr: whatever stands in a field, all that is found in it lies within it.
func FuzzNameAddr(f *testing.F) {
	for _, s := range []string{"<sip:a@b>;", "<sip:a@b>;;tag=1", `"a;b" <sip:a@b>;tag="x";y`, "sip:a@b;tag=1 , <sip:c>", "*", "<>", "a <b", `"`, "<sip:a>,;", " ; ", "<sip:a>;tag=\" "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		at := Span{Off: 1, Len: uint32(len(b))}
		buf := append(append([]byte{'x'}, b...), 'y')
		var n NameAddr
		for _, parse := range []func() Err{func() Err { return ParseNameAddr(buf, at, &n) }, func() Err { return n.ParseTo(buf, at) }} {
			if parse() != OK {
				continue
			}
			for _, s := range []Span{n.Name, n.URI, n.Params, n.Tag, n.Whole, n.Rest} {
				if s.Len > 0 && (s.Off < at.Off || s.End() > at.End() || s.End() < s.Off) {
					t.Fatalf("%q: a part is %d to %d", b, s.Off, s.End())
				}
			}
		}
	})
}
