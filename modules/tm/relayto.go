package tm

import (
	"fmt"

	"kahea/cfglang/core"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Flags of t_relay_to.
const (
	relayNo100      = 1
	relayNoReply    = 2
	relayNoFailover = 4
)

// target reads [proto:]host[:port]; UDP is what is not said.
func target(text []byte) (t route.Target, err error) {
	proto, host, port, err := core.SplitSocket(string(text))
	if err != nil || len(host) == 0 {
		return t, fmt.Errorf("%q: want [proto:]host[:port]", text)
	}
	if proto == sipparse.ProtoNone {
		proto = sipparse.UDP
	}
	return route.Target{Host: host, Port: port, Proto: proto}, nil
}

// compileRelayTo makes t_relay_to(), (flags), (proxy), (proxy, flags), and t_relay_to_proxy(proxy).
func (m *mod) compileRelayTo(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	flags, proxy := -1, -1
	switch {
	case a.N == 2:
		proxy, flags = 0, 1
	case a.N == 1 && a.At(0).Const && isNumber(a.At(0).Text):
		flags = 0
	case a.N == 1:
		proxy = 0
	}
	return func(c *route.Ctx) int {
		var forced *route.Target
		if proxy >= 0 {
			b, ok := a.Str(c, proxy)
			t, err := target(b)
			if !ok || err != nil {
				c.Logf(log.Err, "tm", "t_relay_to: %v", err)
				return -1
			}
			forced = &t
		}
		if flags >= 0 {
			n, ok := a.Int(c, flags)
			if !ok || n < 0 || n > relayNo100|relayNoReply|relayNoFailover {
				c.Logf(log.Err, "tm", "t_relay_to: flags %d", n)
				return -1
			}
			if n&(relayNo100|relayNoReply|relayNoFailover) != 0 && c.Kind&route.InRequest != 0 && c.Msg.Line.Method != sipparse.ACK && c.Msg.Line.Method != sipparse.CANCEL {
				t, err := m.ensure(c)
				if err != nil {
					refused(c, "t_relay_to", err)
					return -1
				}
				if t == nil {
					return 0 // a retransmission
				}
				if n&relayNoFailover != 0 {
					t.flags |= flagNoFailover
				}
				if n&relayNo100 != 0 {
					t.flags &^= flagAuto100
				}
				if n&relayNoReply != 0 {
					t.flags |= flagNoReply
				}
			}
		}
		return m.relay(c, forced)
	}, nil
}

func isNumber(b []byte) bool {
	n, ok := route.ParseInt(b)
	return ok && len(b) > 0 && n >= 0
}

// compileProtoRelay makes t_forward_nonack_to and t_replicate_to: protocol and host:port.
func (m *mod) compileProtoRelay(send func(*route.Ctx, *route.Target) int) func(route.Env, *route.Args) (func(*route.Ctx) int, error) {
	return func(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
		return func(c *route.Ctx) int {
			name, ok1 := a.Str(c, 0)
			b, ok2 := a.Str(c, 1)
			proto, known := sipparse.ParseProto(name)
			t, err := target(b)
			if !ok1 || !ok2 || !known || err != nil {
				c.Logf(log.Err, "tm", "protocol %q or destination %q: want udp or tcp, and host:port", name, b)
				return -1
			}
			t.Proto = proto
			return send(c, &t)
		}, nil
	}
}

func (m *mod) tReplicateProto(proto sipparse.Proto) func(*route.Ctx, *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		host, ok1 := a.Str(c, 0)
		port, ok2 := a.Int(c, 1)
		if !ok1 || !ok2 || port < 0 || port > 65535 {
			return -1
		}
		return m.replicate(c, &route.Target{Host: host, Port: uint16(port), Proto: proto})
	}
}

// compileForward makes t_forward_nonack(host, port) and its kin.
func (m *mod) compileForward(proto sipparse.Proto) func(route.Env, *route.Args) (func(*route.Ctx) int, error) {
	return func(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
		return func(c *route.Ctx) int {
			host, ok1 := a.Str(c, 0)
			port, ok2 := a.Int(c, 1)
			if !ok1 || !ok2 || port < 0 || port > 65535 {
				c.Logf(log.Err, "tm", "t_forward_nonack: bad host or port")
				return -1
			}
			t := route.Target{Host: host, Port: uint16(port), Proto: proto}
			if proto == sipparse.ProtoNone {
				t.Proto = sipparse.UDP
			}
			return m.forwardNonAck(c, &t)
		}, nil
	}
}

// forwardNonAck adds branches to a transaction that the script has made.
func (m *mod) forwardNonAck(c *route.Ctx, forced *route.Target) int {
	t := m.transaction(c)
	if t == nil {
		c.Logf(log.Err, "tm", "t_forward_nonack: there is no transaction")
		return -1
	}
	return m.forward(c, t, forced)
}
