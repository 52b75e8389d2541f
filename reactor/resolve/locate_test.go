package resolve

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kahea/sipparse"
)

var records = []string{
	"a.test. 60 IN A 192.0.2.1", "a.test. 60 IN A 192.0.2.2", "a.test. 60 IN AAAA 2001:db8::1", "b.test. 60 IN A 192.0.2.3", "six.test. 60 IN AAAA 2001:db8::6",
	"_sip._udp.s.test. 60 IN SRV 20 0 5070 b.test.", "_sip._udp.s.test. 60 IN SRV 10 1 5071 a.test.", "_sip._udp.s.test. 60 IN SRV 10 9 5072 b.test.",
	"_sip._tcp.s.test. 60 IN SRV 10 0 5080 a.test.", "s.test. 60 IN A 192.0.2.99",
	"_sip._udp.none.test. 60 IN SRV 0 0 0 .", "none.test. 60 IN A 192.0.2.98",
	"_sip._udp.dead.test. 60 IN SRV 0 0 5060 missing.test.", "dead.test. 60 IN A 192.0.2.97",
	`n.test. 60 IN NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.s.test.`, `n.test. 60 IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.s.test.`, `n.test. 60 IN NAPTR 5 10 "s" "SIPS+D2T" "" _sips._tcp.s.test.`,
	`n.test. 60 IN NAPTR 1 10 "u" "E2U+sip" "!x!y!" .`,
}

// TestLocate: where a request goes, and in which order (RFC 3263 section 4).
func TestLocate(t *testing.T) {
	both := Name{V4: true, V6: true, Proto: sipparse.UDP, Any: true}
	name := func(host string, f func(n *Name)) Name {
		n := both
		n.Host = host
		if f != nil {
			f(&n)
		}
		return n
	}
	tests := []struct {
		title string
		n     Name
		set   func(s *Settings)
		want  string
	}{
		{"a port means addresses", name("s.test", func(n *Name) { n.Port = 5090 }), nil, "udp:192.0.2.99:5090"},
		{"addresses of both families", name("a.test", nil), nil, "udp:192.0.2.1:5060 udp:192.0.2.2:5060 udp:[2001:db8::1]:5060"},
		{"no socket for IPv6", name("a.test", func(n *Name) { n.V6 = false }), nil, "udp:192.0.2.1:5060 udp:192.0.2.2:5060"},
		{"dns_try_ipv6=no", name("six.test", nil), func(s *Settings) { s.TryIPv6 = false }, ""},
		{"IPv6 is preferred", name("a.test", nil), func(s *Settings) { s.Flags = FlagPreferIPv6 }, "udp:[2001:db8::1]:5060 udp:192.0.2.1:5060 udp:192.0.2.2:5060"},
		{"only IPv6", name("a.test", nil), func(s *Settings) { s.Flags = FlagOnlyIPv6 }, "udp:[2001:db8::1]:5060"},
		{"only IPv4", name("a.test", nil), func(s *Settings) { s.Flags = FlagOnlyIPv4 }, "udp:192.0.2.1:5060 udp:192.0.2.2:5060"},
		{"SRV by priority and weight", name("s.test", func(n *Name) { n.V6 = false }), nil, "udp:192.0.2.3:5072 udp:192.0.2.1:5071 udp:192.0.2.2:5071 udp:192.0.2.3:5070"},
		{"SRV of another transport", name("s.test", func(n *Name) { n.Proto, n.V6 = sipparse.TCP, false }), nil, "tcp:192.0.2.1:5080 tcp:192.0.2.2:5080"},
		{"a service that is not offered", name("none.test", nil), nil, "udp:192.0.2.98:5060"},
		{"SRV without addresses", name("dead.test", nil), nil, "udp:192.0.2.97:5060"},
		{"NAPTR is not asked for", name("n.test", nil), nil, ""},
		{"NAPTR by our preference", name("n.test", func(n *Name) { n.V6 = false }), func(s *Settings) { s.TryNAPTR = true },
			"udp:192.0.2.3:5072 udp:192.0.2.1:5071 udp:192.0.2.2:5071 udp:192.0.2.3:5070 tcp:192.0.2.1:5080 tcp:192.0.2.2:5080"},
		{"NAPTR by the records' order", name("n.test", func(n *Name) { n.V6 = false }), func(s *Settings) { s.TryNAPTR, s.NAPTRIgnoreRFC = true, false },
			"tcp:192.0.2.1:5080 tcp:192.0.2.2:5080 udp:192.0.2.3:5072 udp:192.0.2.1:5071 udp:192.0.2.2:5071 udp:192.0.2.3:5070"},
		{"NAPTR when the transport was said", name("n.test", func(n *Name) { n.Any = false }), func(s *Settings) { s.TryNAPTR = true }, ""},
		{"nothing", name("nothing.test", nil), nil, ""},
		{"hosts file", name("h", nil), nil, "udp:192.0.2.9:5060 udp:[2001:db8::9]:5060"},
		{"TLS", name("a.test", func(n *Name) { n.Proto, n.V6 = sipparse.TLS, false }), nil, "tls:192.0.2.1:5061 tls:192.0.2.2:5061"},
	}
	for _, c := range tests {
		t.Run(c.title, func(t *testing.T) {
			r, z := start(t, Options{}, records...)
			set := DefaultSettings()
			if c.set != nil {
				c.set(&set)
			}
			r.Set(&set)
			text := func(l []Place) string {
				var out []string
				for _, p := range l {
					out = append(out, fmt.Sprintf("%s:%s", p.Proto, p.Addr))
				}
				return strings.Join(out, " ")
			}
			if l, known := r.Located(c.n); known && c.title != "hosts file" {
				t.Errorf("known before it was asked for: %v", l)
			}
			l, err := r.Locate(context.Background(), c.n)
			if got := text(l); got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
			asked := z.asked.Load()
			l, known := r.Located(c.n)
			if got := text(l); !known || got != c.want || z.asked.Load() != asked {
				t.Errorf("afterwards: %s, known %v, %d questions", got, known, z.asked.Load()-asked)
			}
		})
	}
}

// TestBalance: with dns_srv_lb the heavier of equals comes first more often, and all of a priority come before the next.
func TestBalance(t *testing.T) {
	r, _ := start(t, Options{}, records...)
	set := DefaultSettings()
	set.SRVBalance = true
	r.Set(&set)
	heavy := 0
	for range 400 {
		l, err := r.Locate(context.Background(), Name{Host: "s.test", Proto: sipparse.UDP, V4: true})
		if err != nil || len(l) != 4 {
			t.Fatalf("%v %v", l, err)
		}
		if l[3].Addr.Port() != 5070 {
			t.Fatalf("another priority is last: %v", l)
		}
		if l[0].Addr.Port() == 5072 {
			heavy++
		}
	}
	if heavy < 250 || heavy > 390 { // 10 of 12: about 333
		t.Errorf("the heavy one was first %d times of 400", heavy)
	}
}

func TestHasName(t *testing.T) {
	r, _ := start(t, Options{}, "a.test. 60 IN A 192.0.2.1", "1.2.0.192.in-addr.arpa. 60 IN PTR back.test.")
	for _, c := range []struct {
		ip, host string
		want     bool
	}{{"192.0.2.1", "Back.test", true}, {"192.0.2.1", "a.test", false}, {"192.0.2.2", "back.test", false}, {"192.0.2.9", "host.local", true}, {"2001:db8::9", "h", true}, {"2001:db8::9", "host.local", false}} {
		if got := r.HasName(context.Background(), netip.MustParseAddr(c.ip), c.host); got != c.want {
			t.Errorf("%s has the name %s: %v", c.ip, c.host, got)
		}
	}
}

func TestSlow(t *testing.T) {
	now := time.Unix(1e9, 0)
	r, _ := start(t, Options{Now: func() time.Time { now = now.Add(time.Second); return now }}, records...)
	set := DefaultSettings()
	var told []string
	set.Slow, set.OnSlow = 500*time.Millisecond, func(name string, took time.Duration) { told = append(told, fmt.Sprintf("%s %v", name, took)) }
	r.Set(&set)
	_, _ = r.Lookup(context.Background(), "b.test.", true, false)
	if len(told) != 1 || !strings.HasPrefix(told[0], "b.test. ") {
		t.Errorf("told: %v", told)
	}
}
