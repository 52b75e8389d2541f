package core

import (
	"fmt"
	"os/exec"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Funcs is the table of core commands. route() and forward() have a grammar of their own and are compiled by package compile.
func Funcs() []route.Func {
	const uriRoutes = route.InRequest | route.InFailure | route.InBranch | route.InOnReply | route.InReply | route.InEvent | route.InLocal | route.InError | route.InBranchFailure
	part := func(name string, aliases []string, p route.URIPart, doc string) route.Func {
		return route.Func{Name: name, Aliases: aliases, Args: "S", From: uriRoutes, Core: true, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			return done(c, name, c.SetRURIPart(p, a.At(0).Text))
		}}
	}
	flag := func(name, doc string, f func(c *route.Ctx, bit uint32) int) route.Func {
		return route.Func{Name: name, Args: "f", From: route.AnyRoute, Core: true, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			return f(c, 1<<uint(a.At(0).Num))
		}}
	}
	avpFlag := func(name, doc string, f func(c *route.Ctx, a *route.Attr, bit uint32) bool) route.Func {
		return route.Func{Name: name, Args: "aA", From: route.AnyRoute, Core: true, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int {
			if f(c, a.Attr(0), 1<<uint(a.At(1).Num)) {
				return 1
			}
			return -1
		}}
	}
	act := func(name string, aliases []string, from route.Mask, doc string, f func(c *route.Ctx)) route.Func {
		return route.Func{Name: name, Aliases: aliases, From: from, Core: true, Doc: doc, Run: func(c *route.Ctx, _ *route.Args) int { f(c); return 1 }}
	}
	return []route.Func{
		flag("setflag", "set a message flag", func(c *route.Ctx, b uint32) int { c.Flags |= b; return 1 }),
		flag("resetflag", "clear a message flag", func(c *route.Ctx, b uint32) int { c.Flags &^= b; return 1 }),
		flag("isflagset", "1 if the message flag is set, else -1", func(c *route.Ctx, b uint32) int {
			if c.Flags&b != 0 {
				return 1
			}
			return -1
		}),
		avpFlag("setavpflag", "set a flag of an attribute's value", func(c *route.Ctx, a *route.Attr, b uint32) bool { return a.Flag(c, b, 0) }),
		avpFlag("resetavpflag", "clear a flag of an attribute's value", func(c *route.Ctx, a *route.Attr, b uint32) bool { return a.Flag(c, 0, b) }),
		avpFlag("isavpflagset", "1 if the attribute's value has the flag, else -1", func(c *route.Ctx, a *route.Attr, b uint32) bool { return a.HasFlag(c, b) }),
		part("rewritehost", []string{"sethost", "seth"}, route.PartHost, "replace the R-URI's host; port and parameters stay"),
		part("rewritehostport", []string{"sethostport", "sethp"}, route.PartHostPort, "replace host and port"),
		part("rewritehostporttrans", []string{"sethostporttrans", "sethpt"}, route.PartHostPortTrans, "replace host, port and transport"),
		part("rewriteuser", []string{"setuser", "setu"}, route.PartUser, "replace the user, keep the password"),
		part("rewriteuserpass", []string{"setuserpass", "setup"}, route.PartUserPass, "replace the user, drop the password"),
		part("rewriteport", []string{"setport", "setp"}, route.PartPort, "replace the port; empty removes it"),
		part("prefix", nil, route.PartPrefix, "put text before the user"),
		{Name: "rewriteuri", Aliases: []string{"seturi"}, Args: "S", From: uriRoutes, Core: true, Doc: "replace the whole R-URI", Run: func(c *route.Ctx, a *route.Args) int {
			return done(c, "rewriteuri", c.SetRURI(a.At(0).Text))
		}},
		{Name: "userphone", From: uriRoutes, Core: true, Doc: "add ;user=phone to the R-URI", Run: func(c *route.Ctx, _ *route.Args) int {
			return done(c, "userphone", c.SetRURIPart(route.PartUserPhone, nil))
		}},
		{Name: "strip", Args: "I", From: uriRoutes, Core: true, Doc: "drop characters from the front of the user", Run: func(c *route.Ctx, a *route.Args) int {
			return done(c, "strip", c.Strip(int(a.At(0).Num), false))
		}},
		{Name: "strip_tail", Args: "I", From: uriRoutes, Core: true, Doc: "drop characters from the end of the user", Run: func(c *route.Ctx, a *route.Args) int {
			return done(c, "strip_tail", c.Strip(int(a.At(0).Num), true))
		}},
		act("revert_uri", nil, uriRoutes, "back to the R-URI as received", (*route.Ctx).RevertURI),
		act("clear_branches", nil, uriRoutes, "drop all additional branches", func(c *route.Ctx) { c.Branches = c.Branches[:0] }),
		{Name: "remove_branch", Args: "|I", From: uriRoutes, Core: true, Doc: "drop one additional branch; negative counts from the end", Run: func(c *route.Ctx, a *route.Args) int {
			i := 0
			if a.N > 0 {
				i = int(a.At(0).Num)
			}
			if i < 0 {
				i += len(c.Branches)
			}
			if i < 0 || i >= len(c.Branches) {
				return -1
			}
			c.Branches = append(c.Branches[:i], c.Branches[i+1:]...)
			return 1
		}},
		act("force_rport", []string{"add_rport"}, route.AnyRoute, "answer to the source port, and say so in Via", func(c *route.Ctx) { c.ForceRPort = true }),
		act("add_local_rport", nil, route.AnyRoute, ";rport in our own Via", func(c *route.Ctx) { c.AddLocalRPort = true }),
		act("set_reply_no_connect", nil, route.AnyRoute, "do not open a connection for the reply", func(c *route.Ctx) { c.RplFlags |= route.SendNoConnect }),
		act("set_forward_no_connect", nil, route.AnyRoute, "do not open a connection to forward", func(c *route.Ctx) { c.FwdFlags |= route.SendNoConnect }),
		act("set_reply_close", nil, route.AnyRoute, "close the connection after the reply", func(c *route.Ctx) { c.RplFlags |= route.SendClose }),
		act("set_forward_close", nil, route.AnyRoute, "close the connection after forwarding", func(c *route.Ctx) { c.FwdFlags |= route.SendClose }),
		{Name: "set_advertised_address", Args: "S", From: route.AnyRoute, Core: true, Doc: "host of our Via for this message", Run: func(c *route.Ctx, a *route.Args) int {
			c.AdvHost = a.At(0).Text
			return 1
		}},
		{Name: "set_advertised_port", Args: "I", From: route.AnyRoute, Core: true, Doc: "port of our Via for this message", Run: func(c *route.Ctx, a *route.Args) int {
			n := a.At(0).Num
			if n < 0 || n > 65535 {
				return -1
			}
			c.AdvPort = uint16(n)
			return 1
		}},
		{Name: "add_tcp_alias", Aliases: []string{"force_tcp_alias"}, Args: "|I", From: route.AnyRoute, Core: true,
			Doc: "make the sender's connection reachable at another port, the top Via's by default", Run: addTCPAlias},
		{Name: "udp_mtu_try_proto", Args: "S", From: route.AnyRoute, Core: true, Doc: "protocol of this request if it is longer than udp_mtu: UDP (stay with UDP), TCP, TLS, SCTP",
			Compile: compileMTUProto},
		{Name: "cfg_select", Args: "Si", From: route.AnyRoute, Core: true, Doc: "read the variables of an instance of a configuration group (group[id]) for the rest of the message", Compile: compileSelectGroup},
		{Name: "cfg_reset", Args: "S", From: route.AnyRoute, Core: true, Doc: "read the group's own variables again", Compile: compileResetGroup},
		{Name: "force_send_socket", Args: "S", From: route.AnyRoute, Core: true, Doc: "send from this listening socket ([proto:]host[:port])", Compile: compileForceSocket},
		{Name: "log", Args: "S|S", From: route.AnyRoute, Core: true, Doc: "log (level,) text", Compile: compileLog},
		{Name: "error", Args: "SS", From: route.AnyRoute, Core: true, Doc: "log an error", Run: func(c *route.Ctx, a *route.Args) int {
			if c.P.Log.On(log.Notice) { // all that Kamailio's error() does
				c.P.Log.Printf(log.Notice, "<core>: ", "error(%q, %q) not implemented", a.At(0).Text, a.At(1).Text)
			}
			return 1
		}},
		{Name: "exec", Args: "S", From: route.AnyRoute, Core: true, Doc: "run a shell command and wait for it, without blocking the worker", Run: func(c *route.Ctx, a *route.Args) int {
			var err error
			cmd := string(a.At(0).Text)
			if !c.Await(func() { err = exec.Command("/bin/sh", "-c", cmd).Run() }) {
				return -1 // Flow ends the script if it was refused
			}
			if err != nil {
				c.Logf(log.Notice, "<core>", "exec(%q): %v", cmd, err)
			}
			return 1
		}},
	}
}

func done(c *route.Ctx, what string, err error) int {
	if err == nil {
		return 1
	}
	c.Error("%s: %v", what, err)
	return -1
}

// addTCPAlias does nothing for a message that did not come over a connection.
func addTCPAlias(c *route.Ctx, a *route.Args) int {
	if c.Recv.Proto != sipparse.TCP && c.Recv.Proto != sipparse.TLS {
		return 1
	}
	port := uint16(0)
	if a.N > 0 {
		n := a.At(0).Num
		if n < 1 || n > 65535 {
			c.Error("add_tcp_alias: %d is no port", n)
			return -1
		}
		port = uint16(n)
	} else if v, e := c.Msg.Via1(); e == sipparse.OK {
		port = v.Port
	}
	if port == 0 {
		port = 5060
	}
	return done(c, "add_tcp_alias", c.P.Host.AddAlias(c.Recv.Conn, port))
}

func compileMTUProto(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	p, ok := sipparse.ParseProto(a.At(0).Text)
	if !ok || p > sipparse.SCTP {
		return nil, fmt.Errorf("udp_mtu_try_proto: got %q, want UDP, TCP, TLS or SCTP", a.At(0).Text)
	}
	return func(c *route.Ctx) int {
		c.MTUProto = p
		return 1
	}, nil
}

func compileForceSocket(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	proto, host, port, err := SplitSocket(string(a.At(0).Text))
	if err != nil {
		return nil, err
	}
	if _, isIP := route.ParseAddr(host); !isIP && host[0] == '[' {
		return nil, fmt.Errorf("%s is no [proto:]host[:port]", a.At(0).Text)
	}
	return func(c *route.Ctx) int {
		s := c.P.Net.Lookup(proto, host, port)
		if s == nil {
			c.Error("force_send_socket: %s is no listening socket", a.At(0).Text)
			return -1
		}
		c.Main.ForceSock = s
		return 1
	}, nil
}

// SplitSocket reads [proto:]host[:port].
func SplitSocket(s string) (proto sipparse.Proto, host []byte, port uint16, err error) {
	b := []byte(s)
	if i := indexByte(b, ':'); i > 0 {
		if p, ok := sipparse.ParseProto(b[:i]); ok {
			proto, b = p, b[i+1:]
		}
	}
	end := len(b)
	if len(b) > 0 && b[0] == '[' {
		end = indexByte(b, ']') + 1
		if end == 0 {
			return 0, nil, 0, fmt.Errorf("socket %q: missing ]", s)
		}
	} else if i := indexByte(b, ':'); i >= 0 && indexByte(b[i+1:], ':') < 0 {
		end = i
	}
	host = b[:end]
	if end < len(b) {
		n, ok := route.ParseInt(b[end+1:])
		if b[end] != ':' || !ok || n < 1 || n > 65535 {
			return 0, nil, 0, fmt.Errorf("socket %q: bad port", s)
		}
		port = uint16(n)
	}
	if len(host) == 0 {
		return 0, nil, 0, fmt.Errorf("socket %q: no host", s)
	}
	return proto, host, port, nil
}

func indexByte(b []byte, c byte) int {
	for i := range b {
		if b[i] == c {
			return i
		}
	}
	return -1
}

func compileLog(e route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	level, text := log.Err, a.At(0).Text
	if a.N > 1 {
		if n, ok := route.ParseInt(text); ok {
			level = log.Level(n)
		}
		text = a.At(1).Text
	}
	file, line := e.Pos()
	return func(c *route.Ctx) int {
		if c.P.Log.On(level) {
			c.P.Log.Write(&log.Line{Level: level, Prefix: c.LogPrefix(), Where: "<script>: ", File: file, Number: line, CallID: c.Msg.CallID(), Raw: true}, text)
		}
		return 1
	}, nil
}
