package tm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"kahea/cfglang/core"
	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/sipparse"
)

// uacPoll is how often a command looks whether the reply to its request is there: it may have come to another process.
const uacPoll = time.Second / 16

// uacText is what commands and t_uac_send give as text; "." and "" are none.
type uacText struct{ method, uri, hop, socket, headers, body []byte }

// request reads the header lines: From, To, Call-ID and CSeq are taken out of them. Its errors are faults in Kamailio's words.
func (x *uacText) request(m *mod) (*modules.UACRequest, error) {
	q := &modules.UACRequest{Method: x.method, URI: x.uri, Body: x.body}
	if !isToken(x.method) {
		return nil, modules.NewFault(400, "Invalid method %q", x.method)
	}
	if _, err := m.h.Proc.URITarget(x.uri); err != nil {
		return nil, modules.NewFault(400, "Invalid request uri %q", x.uri)
	}
	if given(x.hop) {
		if _, err := m.h.Proc.URITarget(x.hop); err != nil {
			return nil, modules.NewFault(400, "Invalid next-hop uri %q", x.hop)
		}
		q.NextHop = x.hop
	}
	if given(x.socket) {
		proto, host, port, err := core.SplitSocket(string(x.socket))
		if err == nil {
			if port == 0 {
				port = 5060
			}
			q.Socket = m.h.Net.Lookup(proto, host, port)
		}
		if q.Socket == nil {
			return nil, modules.NewFault(400, "No local socket for %q", x.socket)
		}
	}
	var msg sipparse.Msg
	msg.Grammar = m.h.Proc.Par.Grammar
	lines := bytes.TrimRight(x.headers, "\r\n")
	text := append(append([]byte("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n"), lines...), "\r\n\r\n"...)
	if msg.Parse(text) != sipparse.OK || msg.Complete() != sipparse.OK {
		return nil, modules.NewFault(400, "Invalid headers")
	}
	_, e1 := msg.From()
	_, e2 := msg.To()
	ctype := msg.First(sipparse.HdrContentType)
	switch {
	case msg.First(sipparse.HdrFrom) == nil:
		return nil, modules.NewFault(400, "From missing")
	case msg.First(sipparse.HdrTo) == nil:
		return nil, modules.NewFault(400, "To missing")
	case e1 != sipparse.OK || e2 != sipparse.OK:
		return nil, modules.NewFault(400, "Invalid headers")
	case len(x.body) > 0 && ctype == nil:
		return nil, modules.NewFault(400, "Content-Type missing")
	}
	q.From, q.To = lineOf(&msg, sipparse.HdrFrom), lineOf(&msg, sipparse.HdrTo)
	if h := msg.First(sipparse.HdrCallID); h != nil {
		q.CallID = msg.CallID()
	}
	if cs, e := msg.CSeq(); e == sipparse.OK {
		n, ok := route.ParseInt(msg.Bytes(cs.NumText))
		if !ok || n < 0 || n > 1<<31 {
			return nil, modules.NewFault(400, "Invalid headers")
		}
		q.CSeq = uint32(n)
	}
	for i := 1; i < len(msg.Hdrs); i++ { // behind the Via, without which there is no message
		switch h := &msg.Hdrs[i]; h.Type {
		case sipparse.HdrFrom, sipparse.HdrTo, sipparse.HdrCallID, sipparse.HdrCSeq, sipparse.HdrContentLength, sipparse.HdrVia:
		default:
			q.Headers = append(q.Headers, msg.Buf[h.Off:h.End]...)
		}
	}
	return q, nil
}

func given(b []byte) bool { return len(b) > 0 && string(b) != "." }

// tUACSend is t_uac_send: nobody is told of the reply.
func (m *mod) tUACSend(c *route.Ctx, a *route.Args) int {
	var x uacText
	for i, p := range [...]*[]byte{&x.method, &x.uri, &x.hop, &x.socket, &x.headers, &x.body} {
		b, ok := a.Str(c, i)
		if !ok {
			return -1
		}
		*p = bytes.Clone(b)
	}
	q, err := x.request(m)
	if err == nil {
		_, err = m.SendRequest(q)
	}
	if err != nil && !errors.Is(err, route.ErrDropped) {
		c.Logf(severity(err), "tm", "t_uac_send: %v", err)
		return -1
	}
	return 1
}

// Ways of the commands.
const (
	uacStart = iota
	uacWait
	uacBlock
	uacAttrs
)

// uacCommands are tm.t_uac_*. The forms with _hex take headers and body as hexadecimal digits, those with noack leave the ACK of a 2xx to the caller. To wait and to
// block is the same here: a command that waits keeps nobody.
func (m *mod) uacCommands() (l []modules.RPC) {
	const what = "method, URI, next hop or ., socket or ., header lines, body"
	for _, x := range []struct {
		name  string
		way   int
		noACK bool
		doc   string
	}{
		{"start", uacStart, false, "send a request and do not wait: "}, {"start_noack", uacStart, true, "send a request without ACK to a 2xx, and do not wait: "},
		{"wait", uacWait, false, "send a request and wait for its final reply: "}, {"wait_noack", uacWait, true, "send a request without ACK to a 2xx, and wait for its final reply: "},
		{"wait_block", uacBlock, false, "send a request and wait for its final reply: "}, {"wait_block_noack", uacBlock, true, "send a request without ACK to a 2xx, and wait for its final reply: "},
	} {
		for _, inHex := range [...]bool{false, true} {
			name, doc := "tm.t_uac_"+x.name, x.doc+what
			if inHex {
				name += "_hex"
				doc += "; lines and body in hexadecimal digits"
			}
			l = append(l, modules.RPC{Name: name, Doc: doc, Array: x.way == uacWait, Run: func(r *modules.Request) error { return m.uacCommand(r, x.way, x.noACK, inHex) }})
		}
	}
	return append(l, modules.RPC{Name: "tm.t_uac_attrs", Array: true, Doc: "send a request and tell what it got as Call-ID, CSeq and tag: " + what,
		Run: func(r *modules.Request) error { return m.uacCommand(r, uacAttrs, false, false) }})
}

func (m *mod) uacCommand(r *modules.Request, way int, noACK, inHex bool) error {
	var x uacText
	n := 0
	for _, p := range [...]*[]byte{&x.method, &x.uri, &x.hop, &x.socket, &x.headers} {
		s, err := r.Str()
		if err != nil {
			return modules.NewFault(400, "too few parameters (%d/5)", n)
		}
		*p = []byte(s)
		n++
	}
	if r.More() {
		s, err := r.Str()
		if err != nil {
			return err
		}
		x.body = []byte(s)
	}
	if inHex {
		for _, p := range [...]*[]byte{&x.headers, &x.body} {
			b, err := hex.DecodeString(string(*p))
			if err != nil {
				return modules.NewFault(400, "hexadecimal digits: %v", err)
			}
			*p = b
		}
	}
	q, err := x.request(m)
	if err != nil {
		return err
	}
	q.NoACK = noACK
	var failed error // later, after a lookup
	id, err := m.sendRequest(q, func(_ *modules.UACRequest, _ modules.TransactionID, err error) { failed = err })
	if err != nil {
		return uacFault(err)
	}
	switch way {
	case uacStart:
		return nil
	case uacAttrs:
		if !m.Transaction(id, func(y *modules.UACReply) {
			s := r.AddStruct()
			s.AddStr("callid", string(y.Sent.CallID()))
			s.AddStr("cseq", string(m.cseqOf(y.Sent)))
			if from, e := y.Sent.From(); e == sipparse.OK {
				s.AddStr("ftag", string(y.Sent.Bytes(from.Tag)))
			}
			s.AddStr("ruri", string(y.Sent.Bytes(y.Sent.Line.URI)))
		}) {
			return modules.NewFault(500, "no transaction yet: a name has to be looked up")
		}
		return nil
	}
	r.Delayed = true
	m.uacAwait(r, id, &failed)
	return nil
}

// uacFault is what the client is told of a request that was not sent.
func uacFault(err error) *modules.Fault {
	code, reason := route.Status(err)
	if errors.Is(err, route.ErrDropped) {
		code, reason = 0, "No error"
	}
	return &modules.Fault{Code: 500, Text: fmt.Sprintf("%s (%d/RPC/UAC)", reason, code)}
}

// uacAwait answers the command when the request has its final reply, or could not be sent.
func (m *mod) uacAwait(r *modules.Request, id modules.TransactionID, failed *error) {
	m.h.RunFaked(func(c *route.Ctx) { c.Faked = true }, func(c *route.Ctx) {
		seen, until := false, m.h.Host.Ticks()+ticks(uint32(m.par.maxInv))
		for {
			done := false
			there := m.Transaction(id, func(y *modules.UACReply) {
				if done = y.Status >= 200; !done {
					return
				}
				s := r.AddStruct()
				s.AddInt("code", int64(y.Status))
				s.AddStr("text", string(y.Reason()))
			})
			seen = seen || there
			switch {
			case done:
			case *failed != nil:
				r.Fault = uacFault(*failed)
			case seen && !there, !seen && m.h.Host.Ticks() > until:
				r.Fault = &modules.Fault{Code: 500, Text: "the transaction has ended without a reply"}
			case c.Sleep(uacPoll):
				continue
			default:
				r.Fault = &modules.Fault{Code: 503, Text: "too many scripts wait"}
				m.h.Logf(log.Warn, "tm", "a command can not wait for its reply: too many scripts wait")
			}
			r.Reply()
			return
		}
	})
}
