package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"kahea/cfglang/core"
	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/sipparse"
)

// endpoint is a listening socket after names were resolved; it is sealed for the children, so that a changed DNS can not make
// two processes differ.
type endpoint struct {
	Proto    sipparse.Proto
	Addr     netip.AddrPort // with the scope of a link-local address
	DNSName  string         // host name that it was given by, "": an address or an interface
	AdvProto sipparse.Proto // of advertise PROTO:HOST:PORT
	AdvHost  string
	AdvPort  uint16
	Name     string
	Workers  int    // UDP: its processes; TCP: readers of its connections alone, 0: those of all
	Virtual  bool   // ours only while the host has the address
	Mcast    string // of a multicast address: the interface that joins the group, "": the kernel's choice
	Device   string // vrf
	Group    string // agname
	Gone     bool   // a reload has taken it away; its index stays, because transactions, contacts and connections name it
}

// text is what an operator reads: 127.0.0.1, localhost.
func (e *endpoint) text(g *sipparse.Grammar) string {
	if e.DNSName != "" {
		return e.DNSName
	}
	return e.ip(g)
}

func (e *endpoint) ip(g *sipparse.Grammar) string { return string(g.AppendIP(nil, e.Addr.Addr())) }

// aliasSpec is a further name of the server.
type aliasSpec struct {
	Proto sipparse.Proto
	Host  string
	Port  uint16
}

// endpoints resolves the listen and socket entries: interface names, host names, defaults, port ranges, duplicates.
func (c *config) endpoints() ([]endpoint, []aliasSpec) {
	r := resolving{c: c, protos: []sipparse.Proto{sipparse.UDP, sipparse.TCP}}
	if c.par.DisableTCP {
		r.protos = r.protos[:1]
	}
	if len(c.listen) == 0 {
		for _, a := range localAddrs("", c.par) {
			for _, p := range r.protos {
				r.add(endpoint{Proto: p, Addr: netip.AddrPortFrom(a, uint16(c.par.Port)), Workers: c.workers(p, 0)}, "")
			}
		}
	}
	for i := range c.listen {
		r.listen(&c.listen[i])
	}
	for _, id := range c.aliases {
		p, _ := sipparse.ParseProto([]byte(id.Proto))
		for _, h := range id.Hosts {
			r.aliases = append(r.aliases, aliasSpec{Proto: p, Host: h, Port: uint16(id.Port)})
		}
	}
	if c.par.AutoAliases {
		r.aliases = append(r.aliases, reverseNames(r.out)...)
	}
	if len(r.out) == 0 && !c.diag.HasErrors() {
		c.diag.Errorf(diag.Pos{}, "there is no address to listen on")
	}
	return r.out, r.aliases
}

// resolving is the list as it grows.
type resolving struct {
	c       *config
	protos  []sipparse.Proto // of an entry without one
	out     []endpoint
	aliases []aliasSpec
}

// add appends e; one that is there already leaves its name as an alias.
func (r *resolving) add(e endpoint, host string) {
	for i := range r.out {
		if x := &r.out[i]; x.Proto == e.Proto && x.Addr == e.Addr && x.Device == e.Device {
			if host != "" {
				r.aliases = append(r.aliases, aliasSpec{Proto: e.Proto, Host: host, Port: e.Addr.Port()})
			}
			return
		}
	}
	r.out = append(r.out, e)
}

func (r *resolving) listen(l *listenSpec) {
	c := r.c
	named := func(name string, line diag.Pos) {
		for i := range r.out {
			if name != "" && r.out[i].Name == name {
				c.diag.Warnf(line, "the name %q belongs to %s:%s already, which is the one that it finds", name, r.out[i].Proto, r.out[i].Addr)
				return
			}
		}
	}
	if l.PortEnd() == 0 {
		named(l.SockName, l.Pos)
	}
	for _, id := range l.Sockets {
		ps, ok := c.protosOf(id, r.protos)
		if !ok {
			continue
		}
		if len(id.Hosts) > 1 {
			c.diag.Errorf(id.Pos, "listen %s: several addresses make sense for SCTP only, which is not there", id)
			continue
		}
		addrs, dns, err := resolveHost(id.Hosts[0], c.par)
		if err != nil {
			c.diag.Errorf(id.Pos, "listen %s: %v", id, err)
			continue
		}
		first := id.Port
		if first == 0 {
			first = c.par.Port
		}
		last := max(first, id.PortEnd)
		if id.PortEnd != 0 && id.PortEnd < first {
			c.diag.Errorf(id.Pos, "listen %s: the range of ports ends before it begins", id)
			continue
		}
		adv := 0
		if l.Adv != nil {
			adv = l.Adv.Port
		}
		if adv != 0 && adv+last-first > 65535 {
			c.diag.Errorf(id.Pos, "listen %s: the advertised ports go beyond 65535", id)
			continue
		}
		for port := first; port <= last; port++ {
			name := l.SockName
			if name != "" && id.PortEnd != 0 {
				name += strconv.Itoa(port)
				named(name, l.Pos)
			}
			for _, a := range addrs {
				for _, p := range ps {
					e := endpoint{Proto: p, Addr: netip.AddrPortFrom(a, uint16(port)), DNSName: dns, Name: name, Workers: c.workers(p, l.workers), Virtual: l.Virtual,
						Device: l.device, Group: l.group}
					if l.Adv != nil {
						if e.AdvHost = l.Adv.Hosts[0]; strings.Contains(e.AdvHost, ":") {
							e.AdvHost = "[" + e.AdvHost + "]"
						}
						if adv != 0 {
							e.AdvPort = uint16(adv + port - first)
						}
						e.AdvProto, _ = sipparse.ParseProto([]byte(l.Adv.Proto)) // the grammar has read it
					}
					if a.IsMulticast() {
						if p != sipparse.UDP {
							c.diag.Warnf(id.Pos, "listen %s: there is no multicast over %s: only UDP listens there", id, strings.ToUpper(p.String()))
							continue
						}
						e.Mcast, e.Workers = l.mcast, 1 // every socket gets a copy of what comes to a group
						if a.Is6() && l.mcast != "" && a.IsLinkLocalMulticast() {
							e.Addr = netip.AddrPortFrom(a.WithZone(l.mcast), uint16(port))
						}
					}
					r.add(e, id.Hosts[0])
				}
			}
		}
	}
}

// workers is how many processes a socket has: n (socket_workers) if it is set.
func (c *config) workers(p sipparse.Proto, n int) int {
	if n == 0 && p == sipparse.UDP {
		return c.par.Children
	}
	return n
}

func (c *config) protosOf(id syntax.SocketID, all []sipparse.Proto) ([]sipparse.Proto, bool) {
	switch id.Proto {
	case "", "*":
		return all, true
	}
	p, ok := sipparse.ParseProto([]byte(id.Proto))
	switch {
	case !ok:
		c.diag.Errorf(id.Pos, "listen %s: unknown protocol", id)
	case p == sipparse.UDP, p == sipparse.TCP && !c.par.DisableTCP:
		return []sipparse.Proto{p}, true
	case p == sipparse.TCP:
		c.diag.Errorf(id.Pos, "listen %s: TCP is disabled", id)
	default:
		c.diag.Errorf(id.Pos, "listen %s: %s is not there yet", id, strings.ToUpper(id.Proto))
	}
	return nil, false
}

// resolveHost turns an interface name, an address or a host name into addresses; name is set when it was a host name.
func resolveHost(host string, par *core.Config) (addrs []netip.Addr, name string, err error) {
	if a, ok := route.ParseAddr([]byte(host)); ok {
		if a.Is6() && a.IsLinkLocalUnicast() && par.IPv6LinkLocal == linkLocalScope {
			all := *par
			all.AutoBindIPv6 = true
			for _, x := range localAddrs("", &all) {
				if x.WithZone("") == a {
					return []netip.Addr{x}, "", nil
				}
			}
		}
		return []netip.Addr{a}, "", nil
	}
	if addrs = localAddrs(host, par); len(addrs) > 0 {
		return addrs, "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, "", fmt.Errorf("resolve: %w", err)
	}
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.Is4() {
			return []netip.Addr{ip}, host, nil
		}
	}
	return []netip.Addr{ips[0].Unmap()}, host, nil
}

// Values of bind_ipv6_link_local.
const (
	linkLocalScope = 1 // bound with the scope of the interface
	linkLocalSkip  = 2 // left out
)

// localAddrs lists the addresses of an interface ("": of all), IPv6 only with auto_bind_ipv6.
func localAddrs(ifname string, par *core.Config) (out []netip.Addr) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range ifs {
		if ifname != "" && i.Name != ifname || i.Flags&net.FlagUp == 0 {
			continue
		}
		as, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range as {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, ok := netip.AddrFromSlice(n.IP)
			if !ok {
				continue
			}
			ip = ip.Unmap()
			if ip.Is6() && ip.IsLinkLocalUnicast() {
				switch par.IPv6LinkLocal {
				case linkLocalScope:
					ip = ip.WithZone(i.Name)
				default: // without a scope it can not be bound
					continue
				}
			}
			if ip.Is4() || par.AutoBindIPv6 {
				out = append(out, ip)
			}
		}
	}
	return out
}

// reverseNames are the auto aliases: the names that the resolver knows for the listen addresses, from the hosts file or DNS. A resolver that
// does not answer within a second costs no more than that.
func reverseNames(l []endpoint) (out []aliasSpec) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	seen := map[netip.Addr][]string{}
	for _, e := range l {
		names, ok := seen[e.Addr.Addr()]
		if !ok {
			names, _ = net.DefaultResolver.LookupAddr(ctx, e.Addr.Addr().String()) // no name is no error
			seen[e.Addr.Addr()] = names
		}
		for _, n := range names {
			out = append(out, aliasSpec{Proto: e.Proto, Host: strings.TrimSuffix(n, "."), Port: e.Addr.Port()})
		}
	}
	return out
}

// makeNet builds what the engine knows of the sockets.
func makeNet(l []endpoint, aliases []aliasSpec, g *sipparse.Grammar) *route.Net {
	n := &route.Net{}
	for i := range l {
		e := &l[i]
		a := e.Addr.Addr().WithZone("")
		host := g.AppendIPRef(nil, a)
		s := &route.Socket{Index: i, Proto: e.Proto, Addr: netip.AddrPortFrom(a, e.Addr.Port()), Host: host, AdvPort: e.AdvPort, AdvProto: e.AdvProto,
			Loop: a.IsLoopback(), Mcast: a.IsMulticast(), Virtual: e.Virtual, Text: fmt.Appendf(nil, "%s:%s:%d", e.Proto, host, e.Addr.Port())}
		if e.AdvHost != "" {
			s.AdvHost = []byte(e.AdvHost)
		}
		if e.Name != "" {
			s.Name = []byte(e.Name)
		}
		if e.DNSName != "" {
			s.DNSName = []byte(e.DNSName)
		}
		n.Known = append(n.Known, s)
		if !e.Gone {
			n.Sockets = append(n.Sockets, s)
		}
	}
	for _, a := range aliases {
		n.Aliases = append(n.Aliases, route.Alias{Proto: a.Proto, Host: []byte(a.Host), Port: a.Port})
	}
	return n
}

// printSockets prints the lists that Kamailio prints on standard output.
func printSockets(l []endpoint, aliases []aliasSpec, g *sipparse.Grammar) {
	w := os.Stdout
	fmt.Fprintln(w, "Listening on ")
	for i := range l {
		e := &l[i]
		fmt.Fprintf(w, "             %s: %s [%s]:%d", e.Proto, e.text(g), e.ip(g), e.Addr.Port())
		if e.Addr.Addr().IsMulticast() {
			fmt.Fprint(w, " mcast")
		}
		if e.Virtual {
			fmt.Fprint(w, " virtual")
		}
		if e.Name != "" {
			fmt.Fprintf(w, " name %s", e.Name)
		}
		if e.AdvHost != "" {
			fmt.Fprintf(w, " advertise %s:%d", e.AdvHost, e.AdvPort)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "Aliases: ")
	for _, a := range aliases {
		p := "*"
		if a.Proto != sipparse.ProtoNone {
			p = a.Proto.String()
		}
		port := "*"
		if a.Port != 0 {
			port = fmt.Sprint(a.Port)
		}
		fmt.Fprintf(w, "             %s: %s:%s\n", p, a.Host, port)
	}
	fmt.Fprintln(w)
}
