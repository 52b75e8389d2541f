package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"kahea/modules"
	"kahea/reactor"
	"kahea/shm"
	"kahea/sipparse"
)

// netCommands are the core commands about sockets and connections.
func (s *server) netCommands() []modules.RPC {
	return []modules.RPC{
		{Name: "core.sockets_list", Doc: "List listen sockets", Run: s.rpcSockets},
		{Name: "core.aliases_list", Doc: "List local SIP server host aliases", Run: s.rpcAliases},
		{Name: "core.tcp_info", Doc: "Returns TCP related info.", Run: s.rpcTCPInfo},
		{Name: "core.tcp_options", Doc: "Returns active TCP options.", Run: s.rpcTCPOptions},
		{Name: "udp.proxy.dump", Array: true, Doc: "List the clients behind UDP proxies", Run: s.rpcProxyDump},
		{Name: "udp.proxy.stats", Doc: "Number of clients behind UDP proxies", Run: s.rpcProxyStats},
		{Name: "udp.proxy.clean", Doc: "Forget clients behind UDP proxies that are not seen any more", Run: func(r *modules.Request) error {
			return s.rpcProxyForget(r, time.Now().UnixNano()-reactor.ProxyPeerLifetime)
		}},
		{Name: "udp.proxy.flush", Doc: "Forget all clients behind UDP proxies", Run: func(r *modules.Request) error { return s.rpcProxyForget(r, math.MaxInt64) }},
		{Name: "core.tcp_list", Array: true, Doc: "Returns list of TCP connections.", Run: s.rpcTCPList},
	}
}

func (s *server) rpcSockets(r *modules.Request) error {
	a := r.AddArray()
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if e.Gone {
			continue
		}
		n := a.AddStruct("").AddStruct("socket")
		n.AddStr("proto", e.Proto.String())
		if e.Name != "" {
			n.AddStr("name", e.Name)
		}
		n.AddStr("address", e.text(s.proc.Par.Grammar))
		n.AddStr("ipaddress", e.ip(s.proc.Par.Grammar))
		n.AddStr("port", strconv.Itoa(int(e.Addr.Port())))
		if e.AdvHost != "" {
			proto := e.Proto
			if e.AdvProto != sipparse.ProtoNone {
				proto = e.AdvProto
			}
			adv := fmt.Sprintf("%s:%s", proto, e.AdvHost)
			if e.AdvPort != 0 {
				adv += ":" + strconv.Itoa(int(e.AdvPort))
			}
			n.AddStr("advertise", adv)
		}
		if e.Group != "" {
			n.AddStr("agname", e.Group)
		}
		n.AddStr("mcast", yesNo(e.Addr.Addr().IsMulticast()))
		n.AddStr("mhomed", "no")
		n.AddStr("virtual", yesNo(e.Virtual))
	}
	return nil
}

func (s *server) rpcAliases(r *modules.Request) error {
	n := r.AddStruct()
	n.AddStr("myself_callbacks", yesNo(len(s.proc.Net.Callbacks) > 0))
	l := n.AddArray("aliases")
	for i := len(s.Aliases) - 1; i >= 0; i-- { // the last one first, as Kamailio lists them
		a := s.Aliases[i]
		x := l.AddStruct("").AddStruct("alias")
		proto := "*"
		if a.Proto != sipparse.ProtoNone {
			proto = a.Proto.String()
		}
		x.AddStr("proto", proto)
		x.AddStr("address", a.Host)
		port := "*"
		if a.Port != 0 {
			port = strconv.Itoa(int(a.Port))
		}
		x.AddStr("port", port)
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (s *server) tcpOff(r *modules.Request) bool {
	if s.par.DisableTCP {
		r.AddStr("TCP support disabled")
		return true
	}
	return false
}

func (s *server) rpcTCPInfo(r *modules.Request) error {
	if s.tcpOff(r) {
		return nil
	}
	i, _ := reactor.Info(s.arena, shm.Off(s.Shared))
	n := r.AddStruct()
	n.AddInt("readers", int64(s.tcpReaders()))
	n.AddInt("max_connections", int64(s.par.TCPMaxConns))
	n.AddInt("max_tls_connections", 0)
	n.AddInt("opened_connections", int64(i.Opened))
	n.AddInt("opened_tls_connections", 0)
	n.AddInt("write_queued_bytes", int64(i.QueuedBytes))
	return nil
}

func (s *server) tcpReaders() int {
	if !s.hasTCP() {
		return 0
	}
	return len(s.tcpOwners())
}

// rpcTCPOptions lists the options that kahea has, under Kamailio's names.
func (s *server) rpcTCPOptions(r *modules.Request) error {
	if s.tcpOff(r) {
		return nil
	}
	p := s.par
	num := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	runtimeVar := func(name string, def int) int64 {
		if v, ok := s.host.Cfg.Get(modules.CfgGroup{Name: "tcp"}, name); ok {
			return int64(v.Int)
		}
		return int64(def)
	}
	n := r.AddStruct()
	n.AddInt("connect_timeout", runtimeVar("connect_timeout", p.TCPConnTimeout))
	n.AddInt("send_timeout", runtimeVar("send_timeout", p.TCPSendTimeout))
	n.AddInt("connection_lifetime", runtimeVar("connection_lifetime", p.TCPLifetime))
	n.AddInt("max_connections(soft)", runtimeVar("max_connections", p.TCPMaxConns))
	n.AddInt("no_connect", num(p.TCPNoConnect))
	n.AddInt("conn_wq_max", int64(p.TCPConnWQMax))
	n.AddInt("wq_max", int64(p.TCPWQMax))
	n.AddInt("defer_accept", int64(p.TCPDeferAccept))
	n.AddInt("delayed_ack", num(p.TCPDelayedAck))
	n.AddInt("syncnt", int64(p.TCPSynCnt))
	n.AddInt("linger2", int64(p.TCPLinger2))
	n.AddInt("keepalive", num(p.TCPKeepalive))
	n.AddInt("keepidle", runtimeVar("keepidle", p.TCPKeepIdle))
	n.AddInt("keepintvl", runtimeVar("keepintvl", p.TCPKeepIntvl))
	n.AddInt("keepcnt", runtimeVar("keepcnt", p.TCPKeepCnt))
	n.AddInt("crlf_ping", num(p.TCPCRLFPing))
	n.AddInt("accept_aliases", num(p.TCPAcceptAliases))
	n.AddInt("accept_no_cl", num(p.TCPAcceptNoCL))
	return nil
}

func (s *server) rpcTCPList(r *modules.Request) error {
	if s.tcpOff(r) {
		return nil
	}
	for _, c := range reactor.Conns(s.arena, shm.Off(s.Shared)) {
		n := r.AddStruct()
		n.AddInt("id", int64(c.ID))
		n.AddStr("type", c.Proto.String())
		n.AddStr("state", c.State)
		n.AddInt("timeout", int64(c.Timeout))
		n.AddInt("lifetime", int64(c.Lifetime))
		n.AddInt("ref_count", 1)
		n.AddStr("src_ip", c.Src.Addr().String())
		n.AddInt("src_port", int64(c.Src.Port()))
		n.AddStr("dst_ip", c.Dst.Addr().String())
		n.AddInt("dst_port", int64(c.Dst.Port()))
	}
	return nil
}

func (s *server) rpcProxyDump(r *modules.Request) error {
	for _, p := range reactor.ProxyPeers(s.arena, shm.Off(s.Shared)) {
		n := r.AddStruct()
		n.AddStr("real", p.Real.String())
		n.AddStr("proxy", p.Proxy.String())
		n.AddInt("unused", (time.Now().UnixNano()-p.Used)/int64(time.Second))
	}
	return nil
}

func (s *server) rpcProxyStats(r *modules.Request) error {
	r.AddStruct().AddInt("peers", int64(len(reactor.ProxyPeers(s.arena, shm.Off(s.Shared)))))
	return nil
}

func (s *server) rpcProxyForget(r *modules.Request, before int64) error {
	r.AddStruct().AddInt("removed", int64(reactor.ForgetProxyPeers(s.arena, shm.Off(s.Shared), before)))
	return nil
}
