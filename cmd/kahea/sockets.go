package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"kahea/cfglang/diag"
	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/sipparse"
)

// endpoint is a listening socket after names were resolved; it is sealed for the children, so that a changed DNS can not make
// two processes differ.
type endpoint struct {
	Proto   sipparse.Proto
	Addr    netip.AddrPort
	AdvHost string
	AdvPort uint16
	Name    string
	Workers int
	Gone    bool // a reload has taken it away; its index stays, because transactions, contacts and connections name it
}

// aliasSpec is a further name of the server.
type aliasSpec struct {
	Proto sipparse.Proto
	Host  string
	Port  uint16
}

// endpoints resolves the listen lines (core.md 4.1): interface names, host names, defaults, duplicates.
func (c *config) endpoints() ([]endpoint, []aliasSpec) {
	var out []endpoint
	var aliases []aliasSpec
	add := func(e endpoint, pos diag.Pos) {
		for _, x := range out {
			if x.Proto == e.Proto && x.Addr == e.Addr {
				return
			}
		}
		out = append(out, e)
	}
	protos := []sipparse.Proto{sipparse.UDP, sipparse.TCP}
	if c.par.DisableTCP {
		protos = protos[:1]
	}
	if len(c.listen) == 0 {
		for _, a := range localAddrs("", c.par.AutoBindIPv6) {
			for _, p := range protos {
				add(endpoint{Proto: p, Addr: netip.AddrPortFrom(a, uint16(c.par.Port)), Workers: c.par.Children}, diag.Pos{})
			}
		}
	}
	for _, l := range c.listen {
		workers := l.workers
		if workers == 0 {
			workers = c.par.Children
		}
		for _, id := range l.Sockets {
			ps, ok := c.protosOf(id, protos)
			if !ok {
				continue
			}
			if l.Virtual {
				c.diag.Errorf(id.Pos, "listen %s: virtual is not there yet", id)
				continue
			}
			if len(id.Hosts) > 1 {
				c.diag.Errorf(id.Pos, "listen %s: several addresses make sense for SCTP only, which is not there", id)
				continue
			}
			addrs, name, err := resolveHost(id.Hosts[0], c.par.AutoBindIPv6)
			if err != nil {
				c.diag.Errorf(id.Pos, "listen %s: %v", id, err)
				continue
			}
			if name != "" {
				aliases = append(aliases, aliasSpec{Host: name})
			}
			port := id.Port
			if port == 0 {
				port = c.par.Port
			}
			for _, a := range addrs {
				for _, p := range ps {
					e := endpoint{Proto: p, Addr: netip.AddrPortFrom(a, uint16(port)), Name: l.SockName, Workers: workers}
					if l.Adv != nil {
						e.AdvHost, e.AdvPort = l.Adv.Hosts[0], uint16(l.Adv.Port)
					}
					add(e, id.Pos)
				}
			}
		}
	}
	for _, id := range c.aliases {
		p, _ := sipparse.ParseProto([]byte(id.Proto))
		for _, h := range id.Hosts {
			aliases = append(aliases, aliasSpec{Proto: p, Host: h, Port: uint16(id.Port)})
		}
	}
	if c.par.AutoAliases {
		aliases = append(aliases, reverseNames(out)...)
	}
	if len(out) == 0 && !c.diag.HasErrors() {
		c.diag.Errorf(diag.Pos{}, "there is no address to listen on")
	}
	return out, aliases
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
func resolveHost(host string, v6 bool) (addrs []netip.Addr, name string, err error) {
	if a, ok := route.ParseAddr([]byte(host)); ok {
		return []netip.Addr{a}, "", nil
	}
	if addrs = localAddrs(host, v6); len(addrs) > 0 {
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

// localAddrs lists the addresses of an interface ("": of all).
func localAddrs(ifname string, v6 bool) (out []netip.Addr) {
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
			if ip = ip.Unmap(); ip.Is4() || v6 && !ip.IsLinkLocalUnicast() {
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
func makeNet(l []endpoint, aliases []aliasSpec) *route.Net {
	n := &route.Net{}
	for i, e := range l {
		a := e.Addr.Addr()
		host := a.String()
		if a.Is6() {
			host = "[" + host + "]"
		}
		s := &route.Socket{Index: i, Proto: e.Proto, Addr: e.Addr, Host: []byte(host), AdvPort: e.AdvPort, Loop: a.IsLoopback(),
			Text: []byte(fmt.Sprintf("%s:%s:%d", e.Proto, host, e.Addr.Port()))}
		if e.AdvHost != "" {
			s.AdvHost = []byte(e.AdvHost)
		}
		if e.Name != "" {
			s.Name = []byte(e.Name)
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
func printSockets(l []endpoint, aliases []aliasSpec) {
	w := os.Stdout
	fmt.Fprintln(w, "Listening on ")
	for _, e := range l {
		fmt.Fprintf(w, "             %s: %s", e.Proto, e.Addr)
		if e.AdvHost != "" {
			fmt.Fprintf(w, " advertise %s", e.AdvHost)
			if e.AdvPort != 0 {
				fmt.Fprintf(w, ":%d", e.AdvPort)
			}
		}
		if e.Name != "" {
			fmt.Fprintf(w, " name %s", e.Name)
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
