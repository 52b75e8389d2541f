package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// record is what one server sent in one case.
type record struct {
	err    error // what kept the case from its end
	start  time.Time
	events []event // by time; an event without a peer is a checkpoint: quiet, or the end
	fold   bool
	timing time.Duration // 0: times are not compared
}

// runner runs a group's cases against one server.
type runner struct {
	g      *group
	p      *process
	peers  map[string]*peer
	events chan event
	probes int

	// of the case that runs
	c     *testCase
	rec   *record
	state map[string]*peerState
}

// peerState is what a peer knows in a case.
type peerState struct {
	unread   []message          // not waited for yet
	last     message            // what was waited for last
	requests map[string]message // the last request of each method that was waited for
	lastReq  message
	sent     []byte // what was sent last
	invite   message
	inviteTo string
	replies  map[string][]byte // what was answered last, by method
	dialog   dialog
	cseq     int
	branches int
}

// runGroup starts the server and runs all cases; the records are by case. An error is for the whole group.
func (g *group) runGroup(s server, dir string) (recs []*record, err error) {
	r := &runner{g: g, peers: map[string]*peer{}, events: make(chan event, 65536)}
	for _, n := range g.peers() {
		p, err := openPeer(n, g.addr(n), r.events)
		if err != nil {
			return nil, fmt.Errorf("peer %s: %w", n, err)
		}
		r.peers[n] = p
		defer func() { err = errors.Join(err, p.close()) }()
	}
	config := g.expand(strings.ReplaceAll(g.Config, "{PROBE}", probe))
	if r.p, err = s.start(config, dir, g.Args); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.p.stop()) }()
	if err := r.probe(startTimeout); err != nil {
		return nil, err
	}
	for _, c := range g.Cases {
		recs = append(recs, r.run(c))
		if err := r.p.ended(); err != nil {
			return recs, err
		}
	}
	return recs, nil
}

// probe asks every socket of the server.
func (r *runner) probe(timeout time.Duration) error {
	for _, s := range r.g.serverSockets() {
		r.probes++
		if err := r.p.ask(r.g.addr(s), fmt.Sprintf("probe-%d", r.probes), timeout); err != nil {
			return err
		}
	}
	return nil
}

// run runs one case.
func (r *runner) run(c *testCase) *record {
	r.c, r.rec, r.state = c, &record{start: time.Now()}, map[string]*peerState{}
	for n := range r.peers {
		r.state[n] = &peerState{requests: map[string]message{}, replies: map[string][]byte{}}
	}
	for i := range c.Steps {
		if err := r.step(&c.Steps[i]); err != nil {
			r.rec.err = fmt.Errorf("line %d: %w", c.Steps[i].Line, err)
			break
		}
	}
	if err := r.settle(); err != nil && r.rec.err == nil {
		r.rec.err = err
	}
	for n, p := range r.peers {
		if n[0] != 'T' {
			continue // the server may keep its connection to a peer that listens, and use it in the next case
		}
		if err := p.disconnect(); err != nil && r.rec.err == nil {
			r.rec.err = err
		}
	}
	slices.SortStableFunc(r.rec.events, func(a, b event) int { return a.at.Compare(b.at) })
	return r.rec
}

// settle waits until the server has handled everything that was sent, and everything that it sent has been read.
func (r *runner) settle() error {
	if err := r.probe(waitTimeout); err != nil {
		return err
	}
	c, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return err
	}
	defer c.Close()
	r.probes++
	mark, waiting := fmt.Sprint(marker, r.probes), map[string]bool{}
	for n, p := range r.peers {
		if p.udp == nil {
			continue
		}
		a, err := net.ResolveUDPAddr("udp4", r.g.addr(n))
		if err != nil {
			return err
		}
		if _, err := c.WriteToUDP([]byte(mark), a); err != nil {
			return err
		}
		waiting[n] = true
	}
	for deadline := time.After(waitTimeout); len(waiting) > 0; {
		select {
		case e := <-r.events:
			if string(e.data) == mark {
				delete(waiting, e.peer)
				continue
			}
			r.arrived(e)
		case <-deadline:
			return fmt.Errorf("marker did not come back from %v", waiting)
		}
	}
	r.rec.events = append(r.rec.events, event{at: time.Now()})
	return nil
}

// arrived records what belongs to this case.
func (r *runner) arrived(e event) {
	if strings.HasPrefix(string(e.data), marker) {
		return
	}
	m, ok := parseMessage(e.data)
	if ok && !r.mine(m.get("Call-ID")) {
		return // of an earlier case whose transaction still lives
	}
	r.rec.events = append(r.rec.events, e)
	if ok {
		s := r.state[e.peer]
		s.unread = append(s.unread, m)
	}
}

// mine tells if a Call-ID is the present case's: its name, then the end or something that is not part of a name.
func (r *runner) mine(callID string) bool {
	rest, ok := strings.CutPrefix(callID, r.c.Name)
	return ok && (rest == "" || rest[0] == '@' || rest[0] == '.')
}

var received = regexp.MustCompile(`\{([A-Z]+)\?([A-Za-z-]+)\}`)

// expand fills in addresses, {case}, and {A?Name}: the value of a header of the message that A waited for last.
func (r *runner) expand(s string) string {
	s = strings.ReplaceAll(r.g.expand(s), "{case}", r.c.Name)
	return received.ReplaceAllStringFunc(s, func(m string) string {
		sub := received.FindStringSubmatch(m)
		if st, ok := r.state[sub[1]]; ok {
			return strings.Join(st.last.all(sub[2]), ", ")
		}
		return m
	})
}

func (r *runner) step(s *step) error {
	st := r.state[s.Peer]
	switch s.Verb {
	case sendRequest:
		return r.request(s, st)
	case sendReply:
		return r.reply(s, st)
	case sendRaw:
		lines := make([]string, len(s.Raw))
		for i, l := range s.Raw {
			lines[i] = r.expand(l)
		}
		return r.send(s, st, []byte(strings.Join(lines, "\r\n")+"\r\n"))
	case sendAck:
		return r.ack(s, st)
	case sendCancel:
		m := message{First: strings.Replace(st.invite.First, "INVITE", "CANCEL", 1)}
		for _, h := range st.invite.Headers {
			switch h.Name {
			case "Via":
				if len(m.all("Via")) == 0 {
					m.add(h.Name, h.Value)
				}
			case "From", "To", "Call-ID", "Max-Forwards", "Route":
				m.add(h.Name, h.Value)
			case "CSeq":
				m.add(h.Name, strings.Replace(h.Value, "INVITE", "CANCEL", 1))
			}
		}
		m.add("Content-Length", "0")
		m.apply(s.Edits, r.expand)
		s.To = st.inviteTo
		return r.send(s, st, m.bytes())
	case sendAgain:
		b := st.sent
		if s.Method != "" {
			b = st.replies[s.Method]
		}
		if b == nil {
			return fmt.Errorf("%s has sent nothing that could be sent again", s.Peer)
		}
		return r.send(s, st, b)
	case wait:
		return r.wait(s, st)
	case quiet:
		return r.settle()
	case pause:
		for end := time.After(s.For); ; {
			select {
			case e := <-r.events:
				r.arrived(e)
			case <-end:
				return nil
			}
		}
	case fold:
		r.rec.fold = true
	case timing:
		r.rec.timing = s.For
	}
	return nil
}

func (r *runner) send(s *step, st *peerState, b []byte) error {
	st.sent = b
	to := s.To
	if s.Peer[0] == 'T' {
		to = "ST"
	}
	return r.peers[s.Peer].send(b, r.g.addr(s.Peer), r.g.addr(to), r.events)
}

// request sends a request with what every request has, as changed by the step.
func (r *runner) request(s *step, st *peerState) error {
	name := strings.ToLower(s.Peer)
	d := &st.dialog
	if s.Dialog && d.callID == "" {
		return fmt.Errorf("%s has no dialog", s.Peer)
	}
	if s.Method != "ACK" {
		st.cseq++
	}
	st.branches++
	uri := r.expand(s.URI)
	m := message{}
	proto := "UDP"
	if r.peers[s.Peer].udp == nil {
		proto = "TCP"
	}
	m.add("Via", fmt.Sprintf("SIP/2.0/%s %s;branch=z9hG4bK.%s.%s.%d", proto, r.g.addr(s.Peer), r.c.Name, name, st.branches))
	if s.Dialog {
		uri = d.target
		for _, x := range d.routes {
			m.add("Route", x)
		}
	}
	m.First = s.Method + " " + uri + " SIP/2.0"
	m.add("Max-Forwards", "70")
	if s.Dialog {
		m.add("From", d.from)
		m.add("To", d.to)
		m.add("Call-ID", d.callID)
	} else {
		m.add("From", fmt.Sprintf("<sip:%s@parity.test>;tag=f-%s", name, r.c.Name))
		m.add("To", "<"+uri+">")
		m.add("Call-ID", r.c.Name+"@parity")
	}
	m.add("CSeq", fmt.Sprintf("%d %s", max(st.cseq, 1), s.Method))
	switch s.Method {
	case "INVITE", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE":
		m.add("Contact", fmt.Sprintf("<sip:%s@%s%s>", name, r.g.addr(s.Peer), transportParam(proto)))
	}
	m.add("Content-Length", "0")
	m.apply(s.Edits, r.expand)
	if s.Method == "INVITE" {
		st.invite, st.inviteTo = m, s.To
	}
	return r.send(s, st, m.bytes())
}

func transportParam(proto string) string {
	if proto == "TCP" {
		return ";transport=tcp"
	}
	return ""
}

// reply answers a request that was waited for.
func (r *runner) reply(s *step, st *peerState) error {
	req := st.lastReq
	if s.Method != "" {
		req = st.requests[s.Method]
	}
	if req.First == "" {
		return fmt.Errorf("%s has no request to answer", s.Peer)
	}
	name := strings.ToLower(s.Peer)
	reason := s.Reason
	if reason == "" {
		reason = reasons[s.Code]
	}
	m := message{First: fmt.Sprintf("SIP/2.0 %d %s", s.Code, reason)}
	to := req.get("To")
	if s.Code > 100 && !strings.Contains(to, "tag=") {
		to += ";tag=t-" + name
	}
	for _, h := range req.Headers {
		switch h.Name {
		case "Via", "From", "Call-ID", "CSeq":
			m.add(h.Name, h.Value)
		case "To":
			m.add("To", to)
		case "Record-Route":
			if s.Code > 100 && s.Code < 300 {
				m.add(h.Name, h.Value)
			}
		}
	}
	if req.method() == "INVITE" && s.Code > 100 && s.Code < 300 {
		proto := "UDP"
		if r.peers[s.Peer].udp == nil {
			proto = "TCP"
		}
		m.add("Contact", fmt.Sprintf("<sip:%s@%s%s>", name, r.g.addr(s.Peer), transportParam(proto)))
		st.dialog = uasDialog(&req, to)
	}
	m.add("Content-Length", "0")
	m.apply(s.Edits, r.expand)
	b := m.bytes()
	st.replies[req.method()] = b
	return r.send(s, st, b)
}

// ack acknowledges the final reply that was waited for last: along the route set for 2xx, as part of the INVITE's transaction otherwise.
func (r *runner) ack(s *step, st *peerState) error {
	if st.last.code() < 200 || st.invite.First == "" {
		return fmt.Errorf("%s has no final reply to acknowledge", s.Peer)
	}
	if st.last.code() < 300 {
		seq, _, _ := strings.Cut(st.last.get("CSeq"), " ")
		return r.request(&step{Verb: sendRequest, Peer: s.Peer, To: s.To, Method: "ACK", Dialog: true,
			Edits: append([]edit{{op: '=', name: "CSeq", value: seq + " ACK"}}, s.Edits...)}, st)
	}
	m := message{First: strings.Replace(st.invite.First, "INVITE", "ACK", 1)}
	m.add("Via", st.invite.get("Via"))
	for _, x := range st.invite.all("Route") {
		m.add("Route", x)
	}
	m.add("Max-Forwards", "70")
	m.add("From", st.invite.get("From"))
	m.add("To", st.last.get("To"))
	m.add("Call-ID", st.invite.get("Call-ID"))
	m.add("CSeq", strings.Replace(st.invite.get("CSeq"), "INVITE", "ACK", 1))
	m.add("Content-Length", "0")
	m.apply(s.Edits, r.expand)
	s.To = st.inviteTo
	return r.send(s, st, m.bytes())
}

// wait takes the next message that is wanted; what comes before it is passed over (but recorded, as everything).
func (r *runner) wait(s *step, st *peerState) error {
	if st == nil {
		return fmt.Errorf("no peer %s", s.Peer)
	}
	for deadline := time.After(s.For); ; {
		for i, m := range st.unread {
			if !m.matches(s.Want) {
				continue
			}
			st.unread = slices.Delete(st.unread, 0, i+1)
			st.last = m
			switch {
			case m.code() == 0:
				st.lastReq = m
				st.requests[m.method()] = m
			case m.method() == "INVITE" && m.code() > 100 && m.code() < 300:
				st.dialog = uacDialog(&m, st.cseq)
			}
			return nil
		}
		select {
		case e := <-r.events:
			r.arrived(e)
		case <-deadline:
			return fmt.Errorf("wait %s %s: %w in %v", s.Peer, s.Want, errNothing, s.For)
		}
	}
}

// errNothing is that a server did not send what a case waits for.
var errNothing = errors.New("nothing like it came")

// matches tells if the message is METHOD, CODE or CODE/METHOD.
func (m *message) matches(want string) bool {
	code, method, both := strings.Cut(want, "/")
	if m.code() == 0 {
		return m.method() == want
	}
	return fmt.Sprint(m.code()) == code && (!both || m.method() == method)
}

// makeDir makes an empty directory.
func makeDir(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}
