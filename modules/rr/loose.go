package rr

import (
	"errors"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

var errDirection = errors.New(`want "downstream" or "upstream"`)

// extRouted is the word in Ctx.Ext that says where the parameters of the followed own Route entry stand in the message: offset+1 in the high
// half, length in the low.
const extRouted = 0

// extMore is set in the same word when a further Route entry was left.
const moreRoutes = 1 << 63

// Results of loose_route (core of Kamailio's rr): what the script sees.
const (
	driven    = 1
	notDriven = -3 // a preloaded route that ends here
	routeErr  = -1
)

// entry is one Route value: its URI, its field, and whether another value follows in the field.
type entry struct {
	uri  sipparse.Span
	hdr  *sipparse.Hdr
	at   uint32 // where the value begins
	next uint32 // where the next value of the field begins, 0: none
}

// entries walks the Route values of the message.
type entries struct {
	v    sipparse.Values
	c    *route.Ctx
	cur  entry
	have bool
	bad  bool // next has ended at a value that can not be read
}

// broken says whether one of the values of the present field can not be read; then none of the field counts, as in Kamailio.
func (w entries) broken() bool {
	for field := w.cur.hdr; w.have && w.cur.hdr == field; w.next() {
	}
	return w.bad
}

func (w *entries) next() bool {
	ok, e := w.v.Next()
	if !ok || e != sipparse.OK {
		w.have, w.bad = false, e != sipparse.OK
		return false
	}
	w.cur = entry{uri: w.v.NameAddr.URI, hdr: w.v.Hdr, at: w.v.Whole.Off}
	if !w.v.Rest.Empty() {
		w.cur.next = w.v.Rest.Off
	}
	w.have = true
	return true
}

// preloaded says whether the request is an initial one: To has no tag.
func preloaded(c *route.Ctx) bool {
	to, e := c.Msg.To()
	return e == sipparse.OK && to.Tag.Empty()
}

func (m *mod) looseRoute(c *route.Ctx, _ *route.Args) int {
	r, _ := m.loose(c, m.looseMode)
	return r
}

// Bits of loose_route_mode. There are no flow tokens (RFC 5626) here, so the second one changes nothing: it asks for what is so anyway.
const (
	looseNoStrict = 1
	looseNoFlow   = 2
)

func (m *mod) looseRouteMode(c *route.Ctx, a *route.Args) int {
	n, ok := a.Int(c, 0)
	if !ok || n < 0 || n > looseNoStrict|looseNoFlow {
		c.Logf(log.Err, "rr", "loose_route_mode: got %d, want 0 to 3", n)
		return routeErr
	}
	r, _ := m.loose(c, int(n))
	return r
}

func (m *mod) loosePreloaded(c *route.Ctx, _ *route.Args) int {
	if !preloaded(c) {
		return -1
	}
	_, followed := m.loose(c, m.looseMode)
	return boolRC(followed)
}

// loose follows the route set (RFC 3261 16.4, 16.12). followed says that a next hop was taken from it.
func (m *mod) loose(c *route.Ctx, mode int) (rc int, followed bool) {
	c.Ext[extRouted] = 0
	w := entries{v: c.Msg.Values(sipparse.HdrRoute), c: c}
	if !w.next() || w.broken() {
		if w.bad || w.have {
			c.Logf(log.Err, "rr", "bad Route: a value can not be read")
		}
		return routeErr, false
	}
	first := preloaded(c)
	if !first && mode&looseNoStrict == 0 {
		if u, b, ok := c.ParsedRURI(); ok && !u.HasGR && c.P.MyselfURI(u, b) {
			return m.afterStrict(c, &w)
		}
	}
	return m.afterLoose(c, &w, first)
}

func (m *mod) afterLoose(c *route.Ctx, w *entries, first bool) (int, bool) {
	var u sipparse.URI
	text := c.Msg.Bytes(w.cur.uri)
	if c.P.Par.Grammar.ParseURI(text, &u) != sipparse.OK {
		c.Logf(log.Err, "rr", "bad uri in Route: %q", text)
		return routeErr, false
	}
	start := w.cur.at
	field := w.cur.hdr
	removed := false
	end := func() (int, bool) {
		if w.bad {
			return routeErr, false
		}
		if first {
			return notDriven, false
		}
		return driven, false
	}
	// drop removes the present own value: the whole field when it is the last of it. false: no further value.
	drop := func() bool {
		removed = true
		if w.cur.next == 0 {
			c.Edits.Remove(field.Off, field.End-field.Off, sipparse.HdrRoute)
			if !w.next() {
				return false
			}
			field, start = w.cur.hdr, w.cur.at
			removed = false
			return true
		}
		return w.next()
	}
	if c.P.MyselfURI(&u, text) {
		note(c, w.cur.uri, &u)
		m.forceOne(c, &u, text)
		if !drop() {
			return end()
		}
		double := m.enableDoubleRR != 0 && u.HasR2
		text = c.Msg.Bytes(w.cur.uri)
		if c.P.Par.Grammar.ParseURI(text, &u) != sipparse.OK {
			return routeErr, false
		}
		if double {
			m.forceSecond(c, &u, text)
			if !drop() {
				return end()
			}
			text = c.Msg.Bytes(w.cur.uri)
			if c.P.Par.Grammar.ParseURI(text, &u) != sipparse.OK {
				return routeErr, false
			}
		}
	}
	if !u.LR {
		return m.toStrict(c, w, text)
	}
	if err := c.SetDstURI(text); err != nil {
		return routeErr, false
	}
	if removed {
		c.Edits.Remove(start, w.cur.at-start, sipparse.HdrRoute)
	}
	c.Ext[extRouted] |= moreRoutes
	return driven, true
}

// toStrict serves a strict router as next hop: its URI becomes the R-URI, which goes to the end of the route set.
func (m *mod) toStrict(c *route.Ctx, w *entries, text []byte) (int, bool) {
	old := c.RURI()
	hdr := w.cur.hdr
	if w.cur.next != 0 {
		c.Edits.Remove(hdr.Body.Off, w.cur.next-hdr.Body.Off, sipparse.HdrRoute)
	} else {
		c.Edits.Remove(hdr.Off, hdr.End-hdr.Off, sipparse.HdrRoute)
	}
	line := c.Scratch.Concat([]byte("Route: <"), old, []byte(">\r\n"))
	c.Edits.InsertAfter(c.Msg.HdrEnd, line, sipparse.HdrRoute)
	if err := c.SetRURI(text); err != nil {
		return routeErr, false
	}
	return driven, true
}

// afterStrict serves a request that a strict router sent: the R-URI is ours, the real one is the last Route value.
func (m *mod) afterStrict(c *route.Ctx, w *entries) (int, bool) {
	text := c.Msg.Bytes(w.cur.uri)
	var u sipparse.URI
	if c.P.Par.Grammar.ParseURI(text, &u) != sipparse.OK {
		return routeErr, false
	}
	ru, rb, _ := c.ParsedRURI()
	noteURI(c, rb)
	start, field := w.cur.at, w.cur.hdr
	whole := false
	if m.enableDoubleRR != 0 && ru.HasR2 && c.P.MyselfURI(&u, text) {
		m.forceSecond(c, &u, text)
		if w.cur.next == 0 {
			c.Edits.Remove(field.Off, field.End-field.Off, sipparse.HdrRoute)
			whole = true
		}
		if !w.next() {
			return driven, false
		}
		if whole {
			start, field = w.cur.at, w.cur.hdr
		}
		text = c.Msg.Bytes(w.cur.uri)
		if c.P.Par.Grammar.ParseURI(text, &u) != sipparse.OK {
			return routeErr, false
		}
	}
	if !u.LR {
		if err := c.SetRURI(text); err != nil {
			return routeErr, false
		}
		if w.cur.next != 0 {
			c.Edits.Remove(start, w.cur.next-start, sipparse.HdrRoute)
		} else {
			c.Edits.Remove(field.Off, field.End-field.Off, sipparse.HdrRoute)
		}
		return driven, true
	}
	if err := c.SetDstURI(text); err != nil {
		return routeErr, false
	}
	if w.cur.at > start {
		c.Edits.Remove(start, w.cur.at-start, sipparse.HdrRoute)
	}
	// the last value is the remote target
	last, prevEnd := w.cur, uint32(0)
	for {
		end := w.v.Whole.End()
		if !w.next() {
			break
		}
		if w.cur.hdr == last.hdr {
			prevEnd = end
		} else {
			prevEnd = 0
		}
		last = w.cur
	}
	target := c.Msg.Bytes(last.uri)
	if prevEnd != 0 {
		c.Edits.Remove(prevEnd, last.hdr.Body.End()-prevEnd, sipparse.HdrRoute)
	} else {
		c.Edits.Remove(last.hdr.Off, last.hdr.End-last.hdr.Off, sipparse.HdrRoute)
	}
	if err := c.SetRURI(target); err != nil {
		return routeErr, false
	}
	return driven, true
}

// note remembers where the parameters of the own Route entry stand.
func note(c *route.Ctx, uri sipparse.Span, u *sipparse.URI) {
	c.Ext[extRouted] = uint64(uri.Off+u.Params.Off+1)<<32 | uint64(u.Params.Len)
}

// noteURI does the same for the R-URI, when it stands in the message as it was received.
func noteURI(c *route.Ctx, _ []byte) {
	var u sipparse.URI
	at := c.Msg.Line.URI
	if c.P.Par.Grammar.ParseURI(c.Msg.Bytes(at), &u) == sipparse.OK {
		note(c, at, &u)
	}
}

// routed are the parameters of the followed own entry; ok is false when there is none.
func routed(c *route.Ctx) (params []byte, ok bool) {
	v := c.Ext[extRouted] &^ moreRoutes
	if v == 0 {
		return nil, false
	}
	off, n := uint32(v>>32)-1, uint32(v)
	return c.Msg.Buf[off : off+n], true
}

func (m *mod) checkParam(c *route.Ctx, a *route.Args) int {
	params, ok := routed(c)
	if !ok {
		return -1
	}
	if off := uint32(c.Ext[extRouted]&^moreRoutes>>32) - 1; len(params) > 0 && off > 0 {
		params = c.Msg.Buf[off-1 : int(off)+len(params)] // with the first ';', which patterns may name
	}
	return boolRC(a.RE(0).Match(params))
}

func (m *mod) nextHopRoute(c *route.Ctx, _ *route.Args) int {
	return boolRC(c.Ext[extRouted]&moreRoutes != 0)
}

// forceSecond makes the socket that the second of two own entries names the one to send from: the request leaves by it.
func (m *mod) forceSecond(c *route.Ctx, u *sipparse.URI, text []byte) {
	proto := u.Proto
	if proto == sipparse.ProtoNone {
		proto = sipparse.UDP
	}
	port := u.Port
	if port == 0 {
		port = route.DefaultPort(u)
	}
	if s := m.named(c, u, text); s != nil {
		c.Main.ForceSock = s
	} else if s := c.P.Net.Lookup(proto, u.Host.In(text), port); s != nil {
		c.Main.ForceSock = s
	} else if m.socketWarning != 0 {
		c.Logf(log.Warn, "rr", "no socket found to match second RR (%s)", text)
	}
}

// forceOne does the same for a single own entry when force_send_socket is set.
func (m *mod) forceOne(c *route.Ctx, u *sipparse.URI, text []byte) {
	if m.forceSocket != 0 && !u.HasR2 {
		m.forceSecond(c, u, text)
	}
}

// named is the socket that the parameter sn names, with sockname_mode.
func (m *mod) named(c *route.Ctx, u *sipparse.URI, text []byte) *route.Socket {
	if m.socketNames == 0 {
		return nil
	}
	name, ok := sipparse.Param(u.Params.In(text), "sn")
	if !ok || len(name) == 0 {
		return nil
	}
	for _, s := range c.P.Net.Sockets {
		if string(s.Name) == string(name) {
			return s
		}
	}
	return nil
}
