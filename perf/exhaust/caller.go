package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// caller is who calls, and who is called: the callee answers standing calls, lets the others ring, and ends both with BYE and CANCEL.
type caller struct {
	from, to *net.UDPConn
	mu       sync.Mutex
	calls    []*call
	sent     int // INVITEs that are to ring
	again    int // retransmissions
	rang     int
	final    map[int]int // of INVITEs that did not ring before
	late     map[int]int // of those that rang
	byes     map[int]int
	strays   int
	errs     []error
	wg       sync.WaitGroup
	quit     chan struct{}
}

type call struct {
	stands       bool
	up           bool // answered
	rings        bool
	code         int // final response of the INVITE
	invite       []byte
	routes       []string // of the BYE
	target, tag  string
	byeText      []byte
	byeCode      int
	next         time.Time // of a retransmission
	tries        int
	waits, given bool // for any response; no more
}

const (
	t1       = 500 * time.Millisecond
	patience = 64 * t1 // RFC 3261 timers B and F
)

func newCaller(server netip.AddrPort) (*caller, error) {
	c := &caller{final: map[int]int{}, late: map[int]int{}, byes: map[int]int{}, quit: make(chan struct{})}
	var err error
	if c.from, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server)); err != nil {
		return nil, err
	}
	if c.to, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	for _, x := range []*net.UDPConn{c.from, c.to} {
		if err := x.SetReadBuffer(4 << 20); err != nil {
			return nil, err
		}
	}
	c.wg.Go(func() { c.receive(c.from, func(b []byte, _ *net.UDPAddr) { c.response(b) }) })
	c.wg.Go(func() { c.receive(c.to, c.request) })
	c.wg.Go(c.retransmit)
	return c, nil
}

func (c *caller) close() {
	close(c.quit)
	c.from.Close()
	c.to.Close()
	c.wg.Wait()
}

func (c *caller) receive(s *net.UDPConn, f func([]byte, *net.UDPAddr)) {
	b := make([]byte, 65535)
	for {
		n, from, err := s.ReadFromUDP(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil { // others are refusals of what was sent before
			f(b[:n], from)
		}
	}
}

func (c *caller) send(b []byte) {
	if _, err := c.from.Write(b); err != nil {
		c.errs = append(c.errs, err)
	}
}

// start sends the INVITE of call n; n counts up from 0.
func (c *caller) start(n int, stands bool) {
	user := "ring"
	if stands {
		user = "stand"
	}
	x := &call{stands: stands, waits: true, next: time.Now().Add(t1)}
	x.invite = c.make("INVITE", n, fmt.Sprintf("sip:%s@%s", user, c.to.LocalAddr()), "", 1, "i", nil,
		fmt.Sprintf("Contact: <sip:caller@%s>\r\nSubject: %s\r\n", c.from.LocalAddr(), strings.Repeat("x", 200)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, x)
	if !stands {
		c.sent++
	}
	c.send(x.invite)
}

func (c *caller) make(method string, n int, uri, toTag string, cseq int, kind string, routes []string, more string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nMax-Forwards: 70\r\n", method, uri, c.from.LocalAddr(), kind, n)
	for _, r := range routes {
		fmt.Fprintf(&b, "Route: %s\r\n", r)
	}
	if toTag != "" {
		toTag = ";tag=" + toTag
	}
	fmt.Fprintf(&b, "From: <sip:caller@example.com>;tag=c%d\r\nTo: <sip:callee@example.com>%s\r\nCall-ID: call-%d\r\nCSeq: %d %s\r\n%sContent-Length: 0\r\n\r\n", n, toTag, n, cseq, method, more)
	return b.Bytes()
}

// bye ends a call that stands.
func (c *caller) bye(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.calls[n]
	x.byeText = c.make("BYE", n, x.target, x.tag, 2, "b", x.routes, "")
	x.waits, x.tries, x.next = true, 0, time.Now().Add(t1)
	c.send(x.byeText)
}

// retransmit sends again what got no response at all.
func (c *caller) retransmit() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	first := 0
	for {
		select {
		case <-c.quit:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		now := time.Now()
		standing := 0
		for first < len(c.calls) && !c.calls[first].stands && !c.calls[first].waits {
			first++
		}
		for standing < len(c.calls) && c.calls[standing].stands {
			c.repeat(c.calls[standing], now)
			standing++
		}
		first = max(first, standing)
		for _, x := range c.calls[first:] {
			c.repeat(x, now)
		}
		c.mu.Unlock()
	}
}

func (c *caller) repeat(x *call, now time.Time) {
	if !x.waits || now.Before(x.next) {
		return
	}
	b := x.invite
	if x.byeText != nil {
		b = x.byeText
	}
	if x.tries++; x.tries > 10 || x.byeText == nil && x.tries > 6 {
		x.waits, x.given = false, true
		return
	}
	c.again++
	d := t1 << x.tries
	if x.byeText != nil {
		d = min(d, 8*t1)
	}
	x.next = now.Add(d)
	c.send(b)
}

func field(b []byte, name string) (l []string) {
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte(name+": ")); ok {
			l = append(l, strings.TrimSpace(string(v)))
		}
	}
	return l
}

// response is what the caller gets.
func (c *caller) response(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, cseq := field(b, "Call-ID"), field(b, "CSeq")
	if len(id) != 1 || len(cseq) != 1 || len(b) < 12 || !bytes.HasPrefix(b, []byte("SIP/2.0 ")) {
		c.strays++ // a BYE that the callee would send, for instance
		return
	}
	n, err := strconv.Atoi(strings.TrimPrefix(id[0], "call-"))
	code, err2 := strconv.Atoi(string(b[8:11]))
	if err != nil || err2 != nil || n >= len(c.calls) {
		c.strays++
		return
	}
	x := c.calls[n]
	invite := strings.HasSuffix(cseq[0], "INVITE")
	if invite == (x.byeText == nil) {
		x.waits = false
	}
	switch {
	case !invite:
		if code >= 200 && x.byeCode == 0 {
			x.byeCode = code
			c.byes[code]++
		}
	case code < 200:
		if code > 100 && !x.rings && x.code == 0 && !x.stands {
			x.rings = true
			c.rang++
		}
	case code < 300:
		c.answered(n, x, b)
	default:
		tag := ""
		if _, t, ok := strings.Cut(field(b, "To")[0], "tag="); ok {
			tag = t
		}
		uri, _, _ := bytes.Cut(x.invite[len("INVITE "):], []byte(" "))
		c.send(c.make("ACK", n, string(uri), tag, 1, "i", nil, ""))
		if x.code != 0 {
			return
		}
		x.code = code
		if x.rings {
			c.late[code]++
		} else {
			c.final[code]++
		}
	}
}

// answered acknowledges a 200 and keeps what the BYE needs.
func (c *caller) answered(n int, x *call, b []byte) {
	x.code, x.up = 200, x.stands
	if !x.stands {
		c.final[200]++
	}
	x.routes = field(b, "Record-Route")
	slices.Reverse(x.routes)
	_, x.tag, _ = strings.Cut(field(b, "To")[0], "tag=")
	x.target = strings.Trim(field(b, "Contact")[0], "<>")
	c.send(c.make("ACK", n, x.target, x.tag, 1, "a", x.routes, ""))
}

// request is what the callee gets.
func (c *caller) request(b []byte, from *net.UDPAddr) {
	method, rest, _ := bytes.Cut(b, []byte(" "))
	answer := func(code int, reason, more string) {
		var r bytes.Buffer
		fmt.Fprintf(&r, "SIP/2.0 %d %s\r\n", code, reason)
		for _, h := range []string{"Via", "Record-Route", "From"} {
			for _, v := range field(b, h) {
				fmt.Fprintf(&r, "%s: %s\r\n", h, v)
			}
		}
		to := field(b, "To")[0]
		if !strings.Contains(to, "tag=") {
			to += ";tag=callee"
		}
		fmt.Fprintf(&r, "To: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n", to, field(b, "Call-ID")[0], field(b, "CSeq")[0], more)
		if _, err := c.to.WriteToUDP(r.Bytes(), from); err != nil {
			c.mu.Lock()
			c.errs = append(c.errs, err)
			c.mu.Unlock()
		}
	}
	switch string(method) {
	case "INVITE":
		answer(180, "Ringing", "")
		if bytes.HasPrefix(rest, []byte("sip:stand@")) {
			answer(200, "OK", fmt.Sprintf("Contact: <sip:callee@%s>\r\n", c.to.LocalAddr()))
		}
	case "CANCEL":
		answer(200, "OK", "")
		b = bytes.Replace(b, []byte(" CANCEL\r\n"), []byte(" INVITE\r\n"), 1)
		answer(487, "Request Terminated", "")
	case "BYE":
		answer(200, "OK", "")
	}
}

func (c *caller) count(f func(x *call) bool) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.calls {
		if f(x) {
			n++
		}
	}
	return n
}

func (c *caller) standing() int { return c.count(func(x *call) bool { return x.up }) }

// byesOpen are BYEs without an answer that are still sent again.
func (c *caller) byesOpen() int {
	return c.count(func(x *call) bool { return x.byeText != nil && x.byeCode == 0 && !x.given })
}

// silent are INVITEs that got nothing at all: that are given up, or that are still sent again.
func (c *caller) silent(given bool) int {
	return c.count(func(x *call) bool { return !x.stands && (given && x.given || !given && x.waits) })
}

func (c *caller) report() string {
	silent := c.silent(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("new calls: %d; %d rang, refused %s, silence %d; %d retransmissions\nBYEs of standing calls: %s",
		c.sent, c.rang, codes(c.final), silent, c.again, codes(c.byes))
}

// ended says how the calls that rang have ended.
func (c *caller) ended() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return codes(c.late)
}

func codes(m map[int]int) string {
	var l []string
	for _, code := range slices.Sorted(maps.Keys(m)) {
		l = append(l, fmt.Sprintf("%d with %d", m[code], code))
	}
	if l == nil {
		return "0"
	}
	return strings.Join(l, ", ")
}

// verdict is what must not have happened.
func (c *caller) verdict(standing int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := c.errs
	for code, n := range c.final {
		if code != 503 {
			errs = append(errs, fmt.Errorf("%d new calls got %d", n, code))
		}
	}
	if c.byes[200] != standing {
		errs = append(errs, fmt.Errorf("%d of %d BYEs passed", c.byes[200], standing))
	}
	return errors.Join(errs...)
}
