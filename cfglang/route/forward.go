package route

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"

	"kahea/cfglang/log"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// Errors of sending; their SIP status is what sl_reply_error tells (Kamailio's err2reason_phrase).
var (
	ErrBadURI     = errors.New("bad uri")
	ErrResolve    = errors.New("unresolvable destination")
	ErrNoSocket   = errors.New("no listening socket of that protocol and address family")
	ErrBuild      = errors.New("message can not be built")
	ErrSendFailed = errors.New("send failed")
	ErrBlocked    = fmt.Errorf("%w: the destination is blocked", ErrSendFailed)
	ErrDropped    = errors.New("dropped by onsend_route")
)

// Status is the SIP status and reason for an error of sending, with Kamailio's texts.
func Status(err error) (int, string) {
	switch {
	case errors.Is(err, ErrBadURI):
		return 479, "Regretfully, we were not able to process the URI"
	case errors.Is(err, ErrResolve):
		return 478, "Unresolvable destination"
	case errors.Is(err, ErrSendFailed):
		return 477, "Unfortunately error on sending to next hop occurred"
	case errors.Is(err, shm.ErrNoMemory):
		return 503, "Service Unavailable" // not the 500 of Kamailio: another server may have room
	}
	return 500, DefaultError
}

// DefaultError is the reason of an error that nobody has named; its number in the reason's parentheses is 1.
const DefaultError = "I'm terribly sorry, server error occurred"

// Target is the host, port and transport that a request goes to before names are resolved.
type Target struct {
	Host  []byte
	Port  uint16 // 0: SRV records, or the default of the protocol
	Proto sipparse.Proto
	Any   bool // the transport was not said: UDP, unless NAPTR records choose another
}

// URITarget reads where a SIP URI points: host, port, transport parameter, sips means TLS. A maddr parameter is not followed, as in Kamailio.
func (p *Proc) URITarget(text []byte) (t Target, err error) {
	var u sipparse.URI
	if p.Par.Grammar.ParseURI(text, &u) != sipparse.OK {
		return t, ErrBadURI
	}
	t.Host, t.Port, t.Proto = u.Host.In(text), u.Port, u.Proto
	if len(t.Host) == 0 {
		return t, ErrBadURI
	}
	if u.HasTransport && t.Proto == sipparse.ProtoNone {
		return t, ErrBadURI
	}
	if t.Proto == sipparse.ProtoNone {
		t.Proto, t.Any = sipparse.UDP, true
	}
	if u.Scheme == sipparse.SchemeSIPS && t.Proto != sipparse.WS && t.Proto != sipparse.WSS {
		t.Proto, t.Any = sipparse.TLS, false
	}
	return t, nil
}

// NextHop is the target of the request: $du if it is set, else the R-URI.
func (c *Ctx) NextHop() (Target, error) {
	if c.DstURI != nil {
		return c.P.URITarget(c.DstURI)
	}
	return c.P.URITarget(c.RURI())
}

// Resolve turns a target into a destination: literal addresses at once, names through the host, which may suspend the script.
// forced is the send socket that was asked for, nil if none.
func (c *Ctx) Resolve(t Target, forced *Socket) (d Dest, err error) {
	return c.resolve(t, forced, nil)
}

func (c *Ctx) resolve(t Target, forced *Socket, tried []Place) (d Dest, err error) {
	d.Proto = t.Proto
	if ip, ok := ParseAddr(t.Host); ok {
		port := t.Port
		if port == 0 {
			port = 5060
			if t.Proto == sipparse.TLS || t.Proto == sipparse.WSS {
				port = 5061
			}
		}
		d.Addr = netip.AddrPortFrom(ip, port)
	} else {
		p, err := c.locate(Name{Host: t.Host, Port: t.Port, Proto: t.Proto, Any: t.Any, V4: c.P.Net.has(t.Proto, false), V6: c.P.Net.has(t.Proto, true), Tried: tried})
		if err != nil {
			return d, err
		}
		d.Addr, d.Proto = p.Addr, p.Proto
	}
	if d.Sock = c.P.Net.SendSocket(d.Proto, d.Addr.Addr(), forced, c.Recv.Sock); d.Sock == nil {
		return d, ErrNoSocket
	}
	return d, nil
}

// locate looks a name up.
func (c *Ctx) locate(n Name) (Place, error) {
	p, ok, lookup := c.P.Host.Resolve(n)
	if !ok && lookup != nil {
		var err error
		ok = c.Await(func() { p, err = lookup() }) && err == nil
	}
	if !ok || !p.Addr.IsValid() {
		return Place{}, ErrResolve
	}
	return p, nil
}

// has says whether there is a socket of a protocol and family.
func (n *Net) has(p sipparse.Proto, v6 bool) bool {
	for _, s := range n.Sockets {
		if s.Proto == p && s.Addr.Addr().Is6() == v6 {
			return true
		}
	}
	return false
}

// Via fills our own Via for a destination: the address of set_advertised_* goes before the global one, and that before the socket's.
func (c *Ctx) Via(d *Dest, branch []byte) edit.ViaOpts {
	v := edit.ViaOpts{Proto: d.Proto, Branch: branch}
	if d.Sock.AdvProto != sipparse.ProtoNone {
		v.Proto = d.Sock.AdvProto
	}
	v.Host, v.Port, v.PortAlways = d.Sock.ViaHost()
	if p := &c.P.Par; p.AdvHost != nil || p.AdvPort != 0 {
		if p.AdvHost != nil {
			v.Host = p.AdvHost
		}
		if p.AdvPort != 0 {
			v.Port, v.PortAlways = p.AdvPort, true
		}
	}
	if c.AdvHost != nil {
		v.Host = c.AdvHost
	}
	if c.AdvPort != 0 {
		v.Port, v.PortAlways = c.AdvPort, true
	}
	if c.Recv.Proto != sipparse.UDP {
		v.ConnID = c.Recv.Conn
	}
	v.RPort = c.AddLocalRPort || c.P.Par.LocalRPort
	if c.SrvID && c.P.Par.ServerID != 0 {
		v.Extra = c.Scratch.Concat([]byte(";srvid="), c.Scratch.Int(int64(c.P.Par.ServerID)))
	}
	return v
}

// Received is what goes into the sender's Via.
func (c *Ctx) Received() edit.Received {
	return edit.Received{Src: c.Recv.Src, ForceRPort: c.ForceRPort || c.P.Par.ForceRPort, Named: c.viaNamed, Grammar: c.P.Par.Grammar}
}

// CLenOf is the Content-Length rule of a protocol.
func CLenOf(p sipparse.Proto) edit.CLen {
	if p == sipparse.UDP {
		return edit.CLenDatagram
	}
	return edit.CLenStream
}

// AppendRequest builds the request as it leaves to d, with ruri (nil: as received), path and branch value. One that is longer than udp_mtu moves d to the protocol of
// udp_mtu_try_proto if there is a socket for it (RFC 3261 18.1.1); its Record-Route stays that of UDP, as in Kamailio.
func (c *Ctx) AppendRequest(dst []byte, d *Dest, ruri, path, branch []byte) ([]byte, error) {
	out := d.Sock
	b, err := c.appendRequest(dst, d, out, ruri, path, branch)
	if mtu := c.P.Par.UDPMTU; err != nil || mtu == 0 || d.Proto != sipparse.UDP || len(b)-len(dst) <= mtu {
		return b, err
	}
	// what the message and the parameter ask for are both good, the one with the lower number first; UDP asks for nothing
	proto := c.MTUProto
	if p := c.P.Par.UDPMTUProto; proto <= sipparse.UDP || p > sipparse.UDP && p < proto {
		proto = p
	}
	if proto <= sipparse.UDP {
		return b, nil
	}
	s := c.P.Net.SendSocket(proto, d.Addr.Addr(), c.Main.ForceSock, c.Recv.Sock)
	if s == nil {
		c.Logf(log.Warn, "<core>", "request of %d bytes goes over UDP: there is no socket for %s", len(b)-len(dst), proto)
		return b, nil
	}
	d.Proto, d.Sock = proto, s
	return c.appendRequest(dst, d, out, ruri, path, branch)
}

// appendRequest is AppendRequest to d as it is; the lines of Record-Route name the socket out.
func (c *Ctx) appendRequest(dst []byte, d *Dest, out *Socket, ruri, path, branch []byte) ([]byte, error) {
	via := c.Via(d, branch)
	o := edit.RequestOpts{RURI: ruri, Via: &via, Recv: c.Received(), CLen: CLenOf(d.Proto)}
	if len(path) > 0 {
		o.Path = c.Scratch.Concat([]byte("Route: "), path, []byte("\r\n"))
	}
	if c.RR.On && c.P.RecordRoute != nil {
		o.Front = c.P.RecordRoute(c, out)
	}
	b, e := edit.AppendRequest(dst, &c.Msg, &c.Edits, &o)
	if e != sipparse.OK {
		return b, ErrBuild
	}
	return b, nil
}

// SendRequest runs onsend_route, if there is one, and sends.
func (c *Ctx) SendRequest(d Dest, b []byte) error {
	if l := c.P.Blocklist(); l != nil && l.Has(Place{d.Addr, d.Proto}, c.P.Host.Ticks()) {
		c.Logf(log.Info, "<core>", "nothing is sent to %s: it is blocked", d.Addr)
		return ErrBlocked
	}
	if !c.onSend(d, &b) {
		return ErrDropped
	}
	if err := c.P.Host.Send(d, b); err != nil {
		if c.P.Log.On(log.Err) {
			c.Error("send to %s failed: %v", d.Addr, err)
		}
		return ErrSendFailed
	}
	return nil
}

// onSend runs onsend_route on what is about to leave; false: it does not leave. The bytes move to scratch memory, because the route may suspend itself, and the
// host's buffer is then another message's.
func (c *Ctx) onSend(d Dest, out *[]byte) bool {
	r := c.P.Prog.OnSend
	if r == nil {
		return true
	}
	b := c.Scratch.Copy(*out)
	if b == nil {
		c.Error("send to %s: %v", d.Addr, ErrNoMemory)
		return false
	}
	*out = b
	oldD, oldB := c.Send, c.SendBuf
	old := c.dest
	c.dest = d
	c.Send, c.SendBuf = &c.dest, b
	code, flow := c.RunTop(r, InOnSend)
	c.dest = old
	c.Send, c.SendBuf = oldD, oldB
	if flow&FlowDrop != 0 || code == 0 {
		c.Logf(log.Info, "<core>", "send to %s dropped by onsend_route", d.Addr)
		return false
	}
	return true
}

// Forward sends the request statelessly to t (forward()). It returns 1, or a negative code.
func (c *Ctx) Forward(t Target) int { return c.forwarded(t, c.forward(t, 0)) }

// ForwardUAC is Forward with our Via alone, so that its reply stays here; branch is the number at the end of the Via's branch. The message and its edits stay as they are.
func (c *Ctx) ForwardUAC(t Target, branch uint32) int {
	var saved edit.List
	saved.CopyFrom(&c.Edits)
	for h := c.Msg.First(sipparse.HdrVia); h != nil; h = c.Msg.NextOf(h) {
		c.Edits.Remove(h.Off, h.End-h.Off, sipparse.HdrVia)
	}
	err := c.forward(t, branch)
	c.Edits.CopyFrom(&saved)
	return c.forwarded(t, err)
}

// forwarded counts and logs how forwarding ended, and makes it a result.
func (c *Ctx) forwarded(t Target, err error) int {
	if err == nil {
		c.P.Count(c.P.Stat.FwdRequests)
		return 1
	}
	c.Failed(err)
	if errors.Is(err, ErrDropped) {
		c.P.Count(c.P.Stat.DropRequests)
		return -10
	}
	c.P.Count(c.P.Stat.ErrRequests)
	if c.P.Log.On(log.Err) {
		c.Error("forward to %s: %v", t.Host, err)
	}
	return -1
}

func (c *Ctx) forward(t Target, index uint32) error {
	d, err := c.Resolve(t, c.Main.ForceSock)
	if err != nil {
		return err
	}
	d.Flags = c.FwdFlags
	d.Conn = c.Main.OTCPID
	at := Place{d.Addr, d.Proto}
	err = c.forwardTo(d, index)
	if errors.Is(err, ErrSendFailed) && !errors.Is(err, ErrBlocked) {
		c.P.Block(at, BlockSend)
	}
	if errors.Is(err, ErrSendFailed) && c.P.Par.DNSFailover {
		err = c.forwardOn(t, at, index)
	}
	return err
}

// forwardTo builds the request as it leaves to d, index at the end of the branch of its Via, and sends it.
func (c *Ctx) forwardTo(d Dest, index uint32) error {
	md5hex, e := edit.BranchMD5(&c.Msg, c.P.Host.Buffer())
	if e != sipparse.OK {
		return ErrBuild
	}
	hash, e := edit.BranchHash(&c.Msg)
	if e != sipparse.OK {
		return ErrBuild
	}
	branch := edit.AppendBranch(c.Scratch.Tail(64), hash, md5hex[:], index)
	branch = c.Scratch.Keep(branch)
	b, err := c.AppendRequest(c.P.Host.Buffer(), &d, c.NewURI, c.Path, branch)
	if err != nil {
		return err
	}
	return c.SendRequest(d, b)
}

// ForwardReply sends the reply on by its second Via. It reports whether it was sent.
func (c *Ctx) ForwardReply(code int, reason []byte) bool {
	v1, e := c.Msg.Via1()
	if e != sipparse.OK {
		return false
	}
	v2, e := c.Msg.Via2()
	if e != sipparse.OK {
		c.Logf(log.Debug, "<core>", "no second via: reply is not forwarded")
		return false
	}
	d := Dest{Proto: v2.Proto, Conn: parseConnID(c.Msg.Bytes(v1.I)), Flags: c.FwdFlags | c.RplFlags}
	host := v2.Host
	if !v2.Received.Empty() {
		host = v2.Received
	}
	port := v2.Port
	if p, ok := ParseInt(c.Msg.Bytes(v2.RPort)); ok && p > 0 && p < 65536 {
		port = uint16(p)
	}
	r, err := c.Resolve(Target{Host: c.Msg.Bytes(host), Port: port, Proto: v2.Proto}, c.Main.ForceSock)
	if err != nil {
		c.P.Count(c.P.Stat.ErrReplies)
		return false
	}
	d.Addr, d.Sock = r.Addr, r.Sock
	b, e := edit.AppendForwardReply(c.P.Host.Buffer(), &c.Msg, &c.Edits, CLenOf(d.Proto), code, reason)
	if e != sipparse.OK {
		c.P.Count(c.P.Stat.ErrReplies)
		return false
	}
	if c.P.Par.OnSendReply && !c.onSend(d, &b) {
		c.P.Count(c.P.Stat.DropReplies)
		return false
	}
	if err := c.P.Host.Send(d, b); err != nil {
		c.P.Count(c.P.Stat.ErrReplies)
		return false
	}
	c.P.Count(c.P.Stat.FwdReplies)
	return true
}

// parseConnID reads the i parameter of our own Via: hex digits, least significant first.
func parseConnID(b []byte) uint32 {
	var n uint32
	for i := len(b) - 1; i >= 0; i-- {
		d := b[i]
		switch {
		case isDigit(d):
			d -= '0'
		case d >= 'a' && d <= 'f':
			d -= 'a' - 10
		case d >= 'A' && d <= 'F':
			d -= 'A' - 10
		default:
			return 0
		}
		n = n<<4 | uint32(d)
	}
	return n
}

// ReplyDest is where a locally generated reply goes: the source address; the source port only if rport is there or
// forced, else the sent-by port; on streams the same connection.
func (c *Ctx) ReplyDest() (d Dest, ok bool) {
	d = Dest{Proto: c.Recv.Proto, Addr: c.Recv.Src, Sock: c.Recv.Sock, Conn: c.Recv.Conn, Flags: c.RplFlags}
	if d.Sock == nil {
		return d, false // nobody has sent it
	}
	if d.Proto != sipparse.UDP {
		return d, true
	}
	if d.Sock.Mcast {
		if d.Sock = c.P.Net.SendSocket(d.Proto, d.Addr.Addr(), nil, nil); d.Sock == nil {
			return d, false
		}
	}
	v, e := c.Msg.Via1()
	if e != sipparse.OK {
		return d, false
	}
	if c.P.Par.ReplyToVia {
		r, err := c.Resolve(Target{Host: c.Msg.Bytes(v.Host), Port: v.Port, Proto: d.Proto}, nil)
		if err != nil {
			return d, false
		}
		d.Addr = r.Addr
		return d, true
	}
	if v.HasRPort || c.ForceRPort || c.P.Par.ForceRPort {
		return d, true
	}
	port := v.Port
	if port == 0 {
		port = 5060
	}
	d.Addr = netip.AddrPortFrom(d.Addr.Addr(), port)
	return d, true
}

// AppendReply builds a local reply to the request; toTag is added when To has none (nil: none).
func (c *Ctx) AppendReply(dst []byte, code int, reason, toTag []byte) ([]byte, error) {
	o := edit.ReplyOpts{Code: code, Reason: reason, ToTag: toTag, Recv: c.Received()}
	if c.P.Par.ServerSignature {
		o.Server = c.P.Par.ServerHeader
	}
	if c.P.Par.SIPWarning {
		o.Warning = c.warning()
	}
	b, e := edit.AppendReply(dst, &c.Msg, &c.Edits, &o)
	if e != sipparse.OK {
		return b, ErrBuild
	}
	return b, nil
}

// RandomID fills b with random bytes (tags, unique ids at start-up).
func RandomID(b []byte) { rand.Read(b) } //nolint:errcheck // crypto/rand never fails
