package sipparse

import (
	"net/netip"
	"testing"
)

// TestGrammar reads and writes under several grammars, side by side.
func TestGrammar(t *testing.T) {
	for _, c := range []struct {
		name       string
		s          Settings
		uri, field bool
		ip         string
	}{
		{"plain", Settings{}, false, false, "2001:db8::f"},
		{"host", Settings{HostChars: "_", IPv6Style: 'a'}, true, false, "2001:db8:0:0:0:0:0:f"},
		{"name", Settings{NameChars: "@", IPv6Style: 'A'}, false, true, "2001:DB8:0:0:0:0:0:F"},
		{"taken anyway", Settings{NameChars: "a-", HostChars: "."}, false, false, "2001:db8::f"},
		{"plain again", Settings{}, false, false, "2001:db8::f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := NewGrammar(c.s)
			var u URI
			if e := g.ParseURI([]byte("sip:u@a_b"), &u); (e == OK) != c.uri {
				t.Errorf("the URI gives %v", e)
			}
			m := Msg{Grammar: g}
			e := m.Parse([]byte("OPTIONS sip:u@a_b SIP/2.0\r\nX@Y: 1\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:a>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n"))
			if e == OK {
				e = m.Mandatory()
			}
			if (e == OK) != c.field {
				t.Errorf("the field gives %v", e)
			}
			m = Msg{Grammar: g}
			if e := m.Parse([]byte("OPTIONS sip:u@a_b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n")); e != OK {
				t.Fatal(e)
			}
			if _, _, e := m.RURI(); (e == OK) != c.uri {
				t.Errorf("the R-URI of the message gives %v", e)
			}
			if got := string(g.AppendIP(nil, netip.MustParseAddr("2001:db8::f"))); got != c.ip {
				t.Errorf("address %s, want %s", got, c.ip)
			}
		})
	}
	for in, want := range map[string]string{"1.2.3.4": "1.2.3.4", "::ffff:1.2.3.4": "1.2.3.4", "fe80::1%eth0": "[fe80::1]"} {
		if got := string((*Grammar)(nil).AppendIPRef(nil, netip.MustParseAddr(in))); got != want {
			t.Errorf("%s is written %s, want %s", in, got, want)
		}
	}
}
