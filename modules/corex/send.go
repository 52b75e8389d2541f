package corex

import (
	"bytes"
	"net/netip"

	"kahea/cfglang/core"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// hostPort is the target that "host:port" or "host" names.
func hostPort(b []byte, proto sipparse.Proto) (t route.Target, ok bool) {
	_, host, port, err := core.SplitSocket(string(b))
	if err != nil || len(host) == 0 || bytes.IndexByte(b, '@') >= 0 {
		return t, false
	}
	return route.Target{Host: host, Port: port, Proto: proto}, true
}

// sendAsIs is send_udp and send_tcp: the message as it was received, edits and all that is done on the way out left aside, to a host or to where the request goes.
func sendAsIs(name string, proto sipparse.Proto) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		var t route.Target
		if a.N == 0 {
			var err error
			if t, err = c.NextHop(); err != nil {
				c.Logf(log.Err, "corex", "%s: %v", name, err)
				return -1
			}
			t.Proto = proto
		} else {
			b, ok := a.Str(c, 0)
			if ok {
				t, ok = hostPort(b, proto)
			}
			if !ok {
				c.Logf(log.Err, "corex", "%s: %q is no host[:port]", name, b)
				return -1
			}
		}
		return send(c, name, t, nil, c.Msg.Buf)
	}
}

func send(c *route.Ctx, name string, t route.Target, from *route.Socket, b []byte) int {
	d, err := c.Resolve(t, from)
	if err == nil {
		err = c.P.Host.Send(d, b)
	}
	if err != nil {
		c.Logf(log.Err, "corex", "%s: to %s: %v", name, t.Host, err)
		return -1
	}
	return 1
}

// sendData is send_data(uri, data) and sendx(uri, socket, data). A socket that is not there is none, as in Kamailio.
func sendData(name string) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		uri, ok1 := a.Str(c, 0)
		data, ok2 := a.Str(c, a.N-1)
		var from *route.Socket
		if a.N == 3 && ok1 && ok2 {
			var b []byte
			if b, ok1 = a.Str(c, 1); ok1 {
				if from = byAddress(c, b); from == nil {
					from = byName(c, b)
				}
			}
		}
		if !ok1 || !ok2 || len(data) == 0 {
			return -1
		}
		t, err := c.P.URITarget(uri)
		if err != nil {
			c.Logf(log.Err, "corex", "%s: %q: %v", name, uri, err)
			return -1
		}
		return send(c, name, t, from, data)
	}
}

// setSource is set_source_address: the message is taken as sent from there. The protocol stays, as in Kamailio.
func setSource(c *route.Ctx, a *route.Args) int {
	b, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	_, host, port, err := core.SplitSocket(string(b))
	ip, good := route.ParseAddr(host)
	if err != nil || !good {
		c.Logf(log.Err, "corex", "set_source_address: %q is no [proto:]address[:port]", b)
		return -1
	}
	if port == 0 {
		port = 5060
	}
	c.Recv.Src = netip.AddrPortFrom(ip, port)
	return 1
}

// forwardReply sends the reply on by its second Via at once; the reply is still passed on when the route ends, unless it drops it.
func forwardReply(c *route.Ctx, _ *route.Args) int { return truth(c.ForwardReply(0, nil)) }
