package main

import (
	"net/netip"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/sipparse"
)

// blocklistCommands are the core commands about destinations that do not work.
func (s *server) blocklistCommands() []modules.RPC {
	with := func(f func(*modules.Request, *route.Blocklist) error) func(*modules.Request) error {
		return func(r *modules.Request) error {
			b := s.proc.Blocklist()
			if b == nil {
				return modules.NewFault(500, "dst blocklist support disabled")
			}
			return f(r, b)
		}
	}
	return []modules.RPC{
		{Name: "dst_blocklist.mem_info", Doc: "dst blocklist memory usage info.", Run: with(func(r *modules.Request, b *route.Blocklist) error {
			_, bytes := b.All(s.proc.Host.Ticks())
			r.AddInt(int64(bytes))
			r.AddInt(int64(s.proc.Par.Block.Bytes))
			return nil
		})},
		{Name: "dst_blocklist.debug", Doc: "dst blocklist debug info.", Run: with(func(r *modules.Request, b *route.Blocklist) error {
			l, now := s.blocked(b)
			for i := range l {
				e := &l[i]
				r.AddStr(blockedProto(e))
				r.AddStr(e.Addr().String())
				r.AddInt(int64(e.Port))
				r.AddInt(e.Left(now))
				r.AddInt(int64(e.Why))
			}
			return nil
		})},
		{Name: "dst_blocklist.view", Array: true, Doc: "dst blocklist dump in human-readable format.", Run: with(func(r *modules.Request, b *route.Blocklist) error {
			l, now := s.blocked(b)
			for i := range l {
				e, n := &l[i], r.AddStruct()
				n.AddStr("protocol", blockedProto(e))
				n.AddStr("ip", e.Addr().String())
				n.AddInt("port", int64(e.Port))
				n.AddInt("expires in (s)", e.Left(now))
				n.AddInt("flags", int64(e.Why))
			}
			return nil
		})},
		{Name: "dst_blocklist.delete_all", Doc: "Deletes all the entries from the dst blocklist except the permanent ones.", Run: with(func(_ *modules.Request, b *route.Blocklist) error {
			b.Clear()
			return nil
		})},
		{Name: "dst_blocklist.add", Doc: "Adds a new entry to the dst blocklist: address, port, protocol (0 any, 1 UDP, 2 TCP, 3 TLS, 4 SCTP), flags.", Run: with(s.blockAdd)},
	}
}

func (s *server) blocked(b *route.Blocklist) (l []route.Blocked, now uint64) {
	now = s.proc.Host.Ticks()
	l, _ = b.All(now)
	return l, now
}

func blockedProto(b *route.Blocked) string {
	if b.Proto() == sipparse.ProtoNone {
		return "*"
	}
	return b.Proto().String()
}

func (s *server) blockAdd(r *modules.Request, b *route.Blocklist) error {
	text, err := r.Str()
	if err != nil {
		return err
	}
	var n [3]int64 // port, protocol, flags
	for i := range n {
		if n[i], err = r.Integer(); err != nil {
			return err
		}
	}
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return modules.NewFault(400, "Malformed ip address")
	case n[0] < 0 || n[0] > 65535:
		return modules.NewFault(400, "Port %d: want 0 to 65535", n[0])
	case n[1] < 0 || n[1] > int64(sipparse.SCTP):
		return modules.NewFault(400, "Unknown protocol")
	case n[2] < 0 || n[2] > 255:
		return modules.NewFault(400, "Flags %d: want 0 to 255", n[2])
	}
	par, now := &s.proc.Par.Block, s.proc.Host.Ticks()
	at := route.Place{Addr: netip.AddrPortFrom(ip.Unmap(), uint16(n[0])), Proto: sipparse.Proto(n[1])}
	if err := b.Add(at, uint8(n[2]), now, now+par.Expire, par.Bytes); err != nil {
		return modules.NewFault(400, "Failed to add the entry to the blocklist: %v", err)
	}
	return nil
}
