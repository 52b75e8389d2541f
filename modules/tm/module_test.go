package tm_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "kahea/modules/corex"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sl"
	_ "kahea/modules/textops"
	_ "kahea/modules/tm"
)

// load is in front of every configuration of these tests; auto_inv_100 stays on.
const load = `
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "corex.so"
`

// plain relays everything as a proxy does.
const plain = load + `
request_route { t_relay(); }
`

// Where the tests send to: bob, carol and dave have a port each.
const (
	bob   = "127.0.0.1:6001"
	carol = "127.0.0.1:6002"
	dave  = "127.0.0.1:6003"
)

var names = map[string]string{modtest.Peer.String(): "alice", bob: "bob", carol: "carol", dave: "dave"}

// phone plays the parties around one server.
type phone struct {
	*modtest.Server
	t    *testing.T
	used uint64            // shared memory before the first message
	last map[string]string // newest request to each party, by name
	up   []modtest.Sent    // what alice got
	rest []modtest.Sent    // what left beside an answer that was asked for (goOn)
}

func start(t *testing.T, cfg string) *phone {
	t.Helper()
	s := modtest.Start(t, cfg)
	return &phone{Server: s, t: t, used: s.Arena.Usage().Used, last: map[string]string{}}
}

// sent names what left since the last call: "bob INVITE", "alice 180".
func (p *phone) sent() string {
	p.t.Helper()
	var l []string
	for _, m := range p.Sent() {
		who, ok := names[m.To.String()]
		if !ok {
			p.t.Errorf("message to %s: %q", m.To, m.Text)
		}
		first, _, _ := strings.Cut(m.Text, "\r\n")
		f := strings.Fields(first)
		what := f[0]
		if what == "SIP/2.0" {
			what = f[1]
		} else if what != "ACK" && what != "CANCEL" {
			p.last[who] = m.Text
		}
		if who == "alice" {
			p.up = append(p.up, m)
		}
		l = append(l, who+" "+what)
	}
	if *carry {
		p.Carry()
	}
	return strings.Join(l, ", ")
}

// want compares what left with a list as sent makes it.
func (p *phone) want(list string) {
	p.t.Helper()
	if got := p.sent(); got != list {
		p.t.Fatalf("sent %q, want %q", got, list)
	}
}

// tick is the grain of tm's timers.
const tick = time.Second / 16

// after moves the clock by d; nothing may leave before its last tick.
func (p *phone) after(d time.Duration, list string) {
	p.t.Helper()
	p.Advance(d - tick)
	if got := p.sent(); got != "" {
		p.t.Fatalf("sent %q too early, want %q after %v", got, list, d)
	}
	p.Advance(tick)
	p.want(list)
}

// ask sends a request of alice's.
func (p *phone) ask(method string, lines ...string) {
	p.Receive(request(method, "sip:bob@"+bob, lines...))
}

// request is a request from alice; for CANCEL and ACK the CSeq number and branch of the INVITE.
func request(method, uri string, lines ...string) string {
	return modtest.Request(method, uri, lines...)
}

// ack is alice's ACK to the newest final reply that she got.
func (p *phone) ack() {
	p.t.Helper()
	if len(p.up) == 0 {
		p.t.Fatal("there is no reply to acknowledge")
	}
	to := header(p.up[len(p.up)-1].Text, "To")
	p.Receive(strings.Replace(request("ACK", "sip:bob@"+bob), "To: <sip:bob@example.com>", "To: "+to, 1))
}

// ack2 is alice's ACK to the 2xx that she got: with a branch of its own.
func (p *phone) ack2() {
	p.t.Helper()
	to := header(p.up[len(p.up)-1].Text, "To")
	m := strings.Replace(request("ACK", "sip:bob@"+bob), "To: <sip:bob@example.com>", "To: "+to, 1)
	p.Receive(strings.Replace(m, "z9hG4bK-1", "z9hG4bK-2", 1))
}

var nameLine = regexp.MustCompile(`(?m)^([A-Za-z-]+): (.*)\r$`)

func header(msg, name string) string {
	for _, m := range nameLine.FindAllStringSubmatch(msg, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	return ""
}

// answer sends a reply of a party to the newest request that it got.
func (p *phone) answer(who string, code int, lines ...string) { p.answerTo(who, "", code, lines...) }

func (p *phone) answerTo(who, method string, code int, lines ...string) {
	p.t.Helper()
	req := p.last[who]
	if req == "" {
		p.t.Fatalf("%s has no request", who)
	}
	p.Receive(replyTo(req, who, method, code, lines...))
}

func replyTo(req, who, method string, code int, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d Text\r\n", code)
	vias := 0
	for _, m := range nameLine.FindAllStringSubmatch(req, -1) {
		if m[1] == "CSeq" && method != "" {
			m[2] = "1 " + method
		}
		switch m[1] {
		case "Via":
			if vias++; method == "CANCEL" && vias > 1 {
				continue
			}
			fmt.Fprintf(&b, "Via: %s\r\n", m[2])
		case "From", "Call-ID", "CSeq":
			fmt.Fprintf(&b, "%s: %s\r\n", m[1], m[2])
		case "To":
			to := m[2]
			if code > 100 && !strings.Contains(to, ";tag=") {
				to += ";tag=" + who
			}
			fmt.Fprintf(&b, "To: %s\r\n", to)
		}
	}
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String()
}

// gone checks that nothing of the transactions is left once all timers have run out.
func (p *phone) gone() {
	p.t.Helper()
	p.Advance(10 * time.Minute)
	p.sent()
	if got := p.Arena.Usage().Used; got != p.used {
		p.t.Errorf("%d bytes of shared memory in use, want %d as before the first message", got, p.used)
	}
	if errs := p.Arena.Verify(); len(errs) > 0 {
		p.t.Errorf("the heap is damaged: %v", errs)
	}
	out, err := p.RPC("tm.stats")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, zero := range []string{"current: 0\n", "waiting: 0\n"} {
		if !strings.Contains(out, zero) {
			p.t.Errorf("tm.stats lacks %q:\n%s", zero, out)
		}
	}
}

// fill takes all shared memory but at most rest bytes in one piece; the result gives it back.
func (p *phone) fill(rest uint64) (free func()) {
	p.t.Helper()
	tag := p.Arena.TagFor("test", "fill")
	l := []func(){}
	for {
		n := p.Arena.Usage().LargestFree
		if n <= rest {
			break
		}
		take := n - rest
		if rest == 0 {
			take = n
		}
		o, err := p.Arena.Alloc(int(max(take, 16)), tag)
		if err != nil {
			break
		}
		l = append(l, func() { p.Arena.Free(o) })
	}
	return func() {
		for _, f := range l {
			f()
		}
	}
}
