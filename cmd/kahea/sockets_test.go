package main

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"kahea/cfglang/core"
)

// TestLocalAddrs wants of the loopback interface what this host says that it has.
func TestLocalAddrs(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	as, err := lo.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	v6 := slices.ContainsFunc(as, func(a net.Addr) bool { return a.String() == "::1/128" })
	for _, c := range []struct {
		name string
		par  core.Config
		six  bool
	}{{"IPv4", core.Config{}, false}, {"IPv6 too", core.Config{AutoBindIPv6: true}, v6}} {
		got, dns, err := resolveHost("lo", &c.par)
		if err != nil || dns != "" {
			t.Fatalf("%s: %v, name %q", c.name, err, dns)
		}
		if !slices.Contains(got, netip.MustParseAddr("127.0.0.1")) || slices.Contains(got, netip.IPv6Loopback()) != c.six {
			t.Errorf("%s: the addresses of lo are %v", c.name, got)
		}
	}
}

// TestLinkLocal looks at an interface that has a link-local address; where there is none, at none.
func TestLinkLocal(t *testing.T) {
	ifs, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range ifs {
		as, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 {
			continue
		}
		for _, a := range as {
			n, ok := a.(*net.IPNet)
			if !ok || n.IP.To4() != nil || !n.IP.IsLinkLocalUnicast() {
				continue
			}
			want, _ := netip.AddrFromSlice(n.IP)
			has := func(flag int, x netip.Addr) bool {
				return slices.Contains(localAddrs(i.Name, &core.Config{AutoBindIPv6: true, IPv6LinkLocal: flag}), x)
			}
			if !has(linkLocalScope, want.WithZone(i.Name)) || has(linkLocalSkip, want) || has(0, want) {
				t.Errorf("link-local address %s of %s is not treated as bind_ipv6_link_local says", want, i.Name)
			}
			got, _, err := resolveHost(want.String(), &core.Config{IPv6LinkLocal: linkLocalScope})
			if err != nil || len(got) != 1 || got[0].Zone() == "" {
				t.Errorf("%s as a listen address is %v, %v; want its scope", want, got, err)
			}
			return
		}
	}
	t.Skip("no interface here has a link-local IPv6 address")
}
