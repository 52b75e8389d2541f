package sipparse

import (
	"net/netip"
	"testing"
)

// TestConfigure changes tables that all tests read: it is not parallel, and sets them back.
func TestConfigure(t *testing.T) {
	defer Configure(Grammar{})
	uri := func() Err { var u URI; return ParseURI([]byte("sip:u@a_b"), &u) }
	field := func() Err {
		var m Msg
		if e := m.Parse([]byte("OPTIONS sip:a SIP/2.0\r\nX@Y: 1\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:a>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n")); e != OK {
			return e
		}
		return m.Mandatory()
	}
	for _, c := range []struct {
		g          Grammar
		uri, field bool
		ip         string
	}{
		{Grammar{}, false, false, "2001:db8::f"},
		{Grammar{HostChars: "_", IPv6Style: 'a'}, true, false, "2001:db8:0:0:0:0:0:f"},
		{Grammar{NameChars: "@", IPv6Style: 'A'}, false, true, "2001:DB8:0:0:0:0:0:F"},
		{Grammar{NameChars: "a-", HostChars: "."}, false, false, "2001:db8::f"}, // taken anyway, and so they stay
		{Grammar{}, false, false, "2001:db8::f"},
	} {
		Configure(c.g)
		if (uri() == OK) != c.uri || (field() == OK) != c.field {
			t.Errorf("%+v: the URI gives %v, the field %v", c.g, uri(), field())
		}
		if got := string(AppendIP(nil, netip.MustParseAddr("2001:db8::f"))); got != c.ip {
			t.Errorf("%+v: address %s, want %s", c.g, got, c.ip)
		}
	}
	for in, want := range map[string]string{"1.2.3.4": "1.2.3.4", "::ffff:1.2.3.4": "1.2.3.4", "fe80::1%eth0": "[fe80::1]"} {
		if got := string(AppendIPRef(nil, netip.MustParseAddr(in))); got != want {
			t.Errorf("%s is written %s, want %s", in, got, want)
		}
	}
}
