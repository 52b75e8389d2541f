// Package corex offers features of the core as functions: branches, sockets, flags, and sending as it is.
package corex

import (
	"bytes"
	"fmt"
	"path/filepath"

	"kahea/cfglang/core"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/sipparse"
)

func init() { modules.Register("corex", func() modules.Module { return &mod{} }) }

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)

	_ modules.WorkerIniter = (*mod)(nil)
)

type mod struct {
	h       *modules.Host
	domains []subdomain // alias_subdomains
	net     network
}

func (m *mod) Exports() modules.Exports {
	xflag := func(name, doc string, f func(c *route.Ctx, bit uint64) int) route.Func {
		return route.Func{Name: name, Args: "i", From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			n, ok := a.Int(c, 0)
			if !ok || n < 0 || n > 63 {
				c.Logf(log.Err, "corex", "%s: flag %d is not in 0 to 63", name, n)
				return -1
			}
			return f(c, 1<<uint(n))
		}}
	}
	return modules.Exports{
		Trans: []route.Trans{sockTrans()},
		Params: []modules.Param{
			{Name: "alias_subdomains", Type: modules.StrParam, Func: m.addSubdomain, Doc: "[proto:]domain[:port]: the domain and all below it are this server; may be repeated"},
			{Name: "nio_intercept", Int: &m.net.on, Max: 1, Doc: "1: event_route[network:msg] sees the bytes of each message, before it is parsed or when it leaves; 0"},
			{Name: "nio_min_msg_len", Int: &m.net.minLen, Max: 1 << 16, Doc: "messages shorter than this many bytes are not shown to it, 0"},
			{Name: "nio_msg_avp", Str: &m.net.avpName, Doc: "$avp(name) with what the message is to be after it; none: what it does is lost"},
		},
		Events: []string{networkMsg},
		Funcs: []route.Func{
			{Name: "append_branch", Args: "|ss", From: route.InRequest | route.InFailure, Doc: "add a branch: the R-URI, or a URI with its q value", Run: appendBranch},
			xflag("setxflag", "set an extended flag", func(c *route.Ctx, b uint64) int { c.XFlags |= b; return 1 }),
			xflag("resetxflag", "clear an extended flag", func(c *route.Ctx, b uint64) int { c.XFlags &^= b; return 1 }),
			xflag("isxflagset", "1 if the extended flag is set, else -1", func(c *route.Ctx, b uint64) int { return truth(c.XFlags&b != 0) }),
			{Name: "set_send_socket", Args: "s", From: route.AnyRoute, Doc: "send from this socket ([proto:]address[:port])", Run: setSocket(false, byAddress)},
			{Name: "set_send_socket_name", Args: "s", From: route.AnyRoute, Doc: "send from the socket of this name", Run: setSocket(false, byName)},
			{Name: "set_recv_socket", Args: "s", From: route.AnyRoute, Doc: "take the message as received on this socket", Run: setSocket(true, byAddress)},
			{Name: "set_recv_socket_name", Args: "s", From: route.AnyRoute, Doc: "take the message as received on the socket of this name", Run: setSocket(true, byName)},
			{Name: "is_socket_name", Args: "s", From: route.AnyRoute, Doc: "1 if a socket has this name, else -1", Run: func(c *route.Ctx, a *route.Args) int {
				b, ok := a.Str(c, 0)
				return truth(ok && byName(c, b) != nil)
			}},
			{Name: "send_udp", Args: "|s", From: route.InRequest | route.InFailure, Doc: "send the message as received over UDP, to host[:port] or to where the request goes", Run: sendAsIs("send_udp", sipparse.UDP)},
			{Name: "send_tcp", Args: "|s", From: route.InRequest | route.InFailure, Doc: "the same over TCP", Run: sendAsIs("send_tcp", sipparse.TCP)},
			{Name: "send_data", Args: "ss", From: route.AnyRoute, Doc: "send bytes to where a SIP URI points", Run: sendData("send_data")},
			{Name: "sendx", Args: "sss", From: route.AnyRoute, Doc: "the same from a socket, by address or name", Run: sendData("sendx")},
			{Name: "set_source_address", Args: "s", From: route.AnyRoute, Doc: "take the message as sent from [proto:]address[:port]", Run: setSource},
			{Name: "forward_reply", From: route.InReply, Doc: "send the reply on now", Run: forwardReply},
			{Name: "forward_uac", Args: "|i", From: route.InRequest, Doc: "forward the request with our Via alone, so that no reply goes back; number of the branch", Run: forwardUAC(false)},
			{Name: "forward_uac_uri", Args: "s|i", From: route.InRequest, Doc: "the same to a SIP URI", Run: forwardUAC(true)},
			{Name: "via_add_srvid", Args: "i", From: route.AnyRoute, Doc: "1: our Via gets the parameter srvid with server_id, if that is not 0", Run: addSrvID},
			{Name: "file_read", Args: "sP", From: route.AnyRoute, Doc: "store the text of a file in a variable; only this script waits for it", Run: readFile},
			{Name: "file_write", Args: "ss", From: route.AnyRoute, Doc: "write text to a file, which is emptied before; only this script waits for it", Run: writeFile},
			{Name: "is_incoming", From: route.AnyRoute, Doc: "in event_route[network:msg]: 1 for what was received, -1 for what is about to leave", Run: m.isIncoming},
			{Name: "is_faked_msg", From: route.AnyRoute, Doc: "1 if the message was made up, else -1", Run: func(c *route.Ctx, _ *route.Args) int { return truth(c.Faked) }},
		},
		Vars: []route.Var{{Name: "cfg", Bind: bindCfg, Doc: "$cfg(line), $cfg(name), $cfg(file), $cfg(route): where the configuration stands"}},
		RPC: append(m.memoryCommands(), []modules.RPC{
			{Name: "corex.debug", Doc: "Set or get the log level", Run: m.debug},
			{Name: "corex.list_sockets", Array: true, Doc: "List listen sockets", Run: m.listSockets},
			{Name: "corex.list_aliases", Array: true, Doc: "List socket aliases", Run: m.listAliases},
		}...),
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	if len(m.domains) > 0 {
		h.Net.Callbacks = append(h.Net.Callbacks, m.isOurs)
	}
	if err := m.net.setup(h); err != nil {
		return fmt.Errorf("nio_msg_avp %q: %w", m.net.avpName, err)
	}
	return nil
}

// InitWorker finds the event route.
func (m *mod) InitWorker(h *modules.Host, _ int) error { return m.net.start(h) }

// appendBranch adds a branch, of the R-URI or of another URI, with the destination, path, flags and socket of the R-URI's branch. What identifies a contact (ruid,
// instance) stays with the R-URI.
func appendBranch(c *route.Ctx, a *route.Args) int {
	b := route.Branch{URI: c.RURI(), DstURI: c.DstURI, Path: c.Path, Q: route.QUnset, BranchAttrs: route.BranchAttrs{Flags: c.Main.Flags, ForceSock: c.Main.ForceSock}}
	if a.N == 0 {
		return truth(c.AddBranch(b))
	}
	uri, ok := a.Str(c, 0)
	if !ok || len(uri) == 0 {
		return -1
	}
	b.URI = uri
	if a.N > 1 {
		text, ok := a.Str(c, 1)
		if !ok {
			return -1
		}
		if len(text) > 0 {
			if b.Q, ok = parseQ(text); !ok {
				c.Logf(log.Err, "corex", "append_branch: q value %q", text)
				return -1
			}
		}
	}
	return truth(c.AddBranch(b))
}

// parseQ reads a q value (RFC 3261 section 25.1), in thousandths.
func parseQ(b []byte) (int, bool) {
	whole, frac, _ := bytes.Cut(b, []byte{'.'})
	n, ok := route.ParseInt(whole)
	if !ok || n < 0 || n > 1 || len(frac) > 3 || len(whole)+len(frac) == 0 {
		return 0, false
	}
	q := int(n)
	for i := range 3 {
		q *= 10
		if i >= len(frac) {
			continue
		}
		if frac[i] < '0' || frac[i] > '9' {
			return 0, false
		}
		q += int(frac[i] - '0')
	}
	return q, q <= 1000
}

func byAddress(c *route.Ctx, b []byte) *route.Socket {
	proto, host, port, err := core.SplitSocket(string(b))
	if err != nil {
		return nil
	}
	return c.P.Net.Lookup(proto, host, port)
}

func byName(c *route.Ctx, b []byte) *route.Socket {
	for _, s := range c.P.Net.Sockets {
		if len(s.Name) > 0 && string(s.Name) == string(b) {
			return s
		}
	}
	return nil
}

// setSocket answers 1 even when there is no such socket, as Kamailio does.
func setSocket(recv bool, find func(c *route.Ctx, b []byte) *route.Socket) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		b, ok := a.Str(c, 0)
		if !ok || len(b) == 0 {
			return -1
		}
		s := find(c, b)
		switch {
		case s == nil:
			c.Logf(log.Warn, "corex", "no socket found to match [%s]", b)
		case recv:
			c.Recv.Sock = s
		default:
			c.Main.ForceSock = s
		}
		return 1
	}
}

// bindCfg resolves $cfg(x) where it is compiled.
func bindCfg(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	file, line := e.Pos()
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	var v route.Value
	switch r.Inner {
	case "line":
		v = route.Int(int64(line))
	case "name", "file":
		v = route.Str([]byte(file))
	case "route":
		v = route.Str([]byte(e.Block()))
	default:
		return nil, nil, errInner
	}
	return func(*route.Ctx) route.Value { return v }, nil, nil
}
