package corex

import (
	"errors"
	"strings"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
)

// networkMsg sees the bytes of each message, received or about to be sent (nio_intercept).
const networkMsg = "network:msg"

// network is the state of the parameters nio_*.
type network struct {
	on, minLen int
	avpName    string
	avp        *route.PV // nil: what the route does is lost
	route      *route.Route
	sent       *route.Ctx // the event's, while it runs for what is about to be sent
}

var (
	errNoNetworkRoute = errors.New("nio_intercept needs event_route[network:msg]")
	errNoAVP          = errors.New("no avp")
)

func (n *network) setup(h *modules.Host) error {
	if n.on == 0 || n.avpName == "" {
		return nil
	}
	if !strings.HasPrefix(n.avpName, "$avp(") {
		return errNoAVP
	}
	var err error
	n.avp, err = h.Env.ParsePV(n.avpName)
	return err
}

// start is called when the script is compiled.
func (n *network) start(h *modules.Host) error {
	if n.on == 0 {
		return nil
	}
	if n.route = h.Prog.Find(route.InEvent, networkMsg); n.route == nil {
		return errNoNetworkRoute
	}
	h.Incoming = n.received
	h.Outgoing = func(d route.Dest, b []byte) []byte { return n.leaves(h.Proc, d, b) }
	return nil
}

// changed is the text of the avp, of at least one byte, else b.
func (n *network) changed(c *route.Ctx, b []byte) []byte {
	if n.avp == nil {
		return b
	}
	if v := n.avp.Get(c); !v.IsNull() {
		if text := v.Text(c); len(text) > 0 {
			return text
		}
	}
	return b
}

func (n *network) received(c *route.Ctx, b []byte) []byte {
	if len(b) < n.minLen {
		return b
	}
	c.RunTop(n.route, route.InEvent)
	return n.changed(c, b)
}

// leaves runs the event with a Ctx of its own and outside of a coroutine: who sends may hold locks, so nothing waits there. What it returns lies in the host's buffer.
func (n *network) leaves(p *route.Proc, d route.Dest, b []byte) []byte {
	if len(b) < n.minLen || n.sent != nil {
		return b
	}
	c := p.Get()
	defer p.Put(c)
	b = c.Scratch.Copy(b)
	if b == nil {
		p.Log.Printf(log.Err, "corex: ", "event_route[network:msg]: no memory for a message that is sent: it stays as it is")
		return nil
	}
	n.sent = c
	defer func() { n.sent = nil }()
	c.Faked, c.ID = true, p.NextID()
	c.Recv = route.Recv{Src: d.Sock.Addr, Dst: d.Addr, Sock: d.Sock, Proto: d.Proto, Conn: d.Conn, Time: p.Host.Now()}
	c.Msg.Lenient, c.Msg.HTTPReplies = p.Par.ParserLenient, p.Par.HTTPReplies
	c.Msg.Parse(b) // as far as it goes
	c.RunTop(n.route, route.InEvent)
	return append(p.Host.Buffer(), n.changed(c, b)...)
}

// isIncoming is is_incoming().
func (m *mod) isIncoming(c *route.Ctx, _ *route.Args) int { return truth(c != m.net.sent) }
