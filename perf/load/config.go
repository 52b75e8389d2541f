package load

import (
	"fmt"
	"net/netip"
	"time"
)

// Scenario is what one transaction consists of.
type Scenario string

const (
	Options  Scenario = "options"  // OPTIONS to the server itself, one response
	Register Scenario = "register" // REGISTER of one of Users addresses of record, one response
	Message  Scenario = "message"  // MESSAGE through the server to the UAS
	Call     Scenario = "call"     // INVITE, 180, 200, ACK, BYE, 200 through the server, by its Record-Route
	Ring     Scenario = "ring"     // INVITE through the server; the UAS answers 180 and nothing more
	Lookup   Scenario = "lookup"   // Call to a registered address of record: the UAS registers User first
)

// Scenarios lists all of them.
func Scenarios() []Scenario { return []Scenario{Options, Register, Message, Call, Ring, Lookup} }

// Config describes one run.
type Config struct {
	Server   netip.AddrPort
	TCP      bool
	Scenario Scenario

	Sources int          // sockets of the UAC, each with a port of its own; over TCP connections (default 32)
	UASes   int          // sockets of the UAS, one after the other for each source (default 8)
	Local   []netip.Addr // addresses of the sources, in turn (default 127.0.0.1)

	Window int     // saturated: transactions outstanding at most (default 200)
	Rate   float64 // paced: transactions a second; 0: saturated

	Count    int           // transactions to start; 0: no bound
	Duration time.Duration // how long transactions are started; 0: no bound

	Users   int           // register: addresses of record, each with one contact (default 10000)
	Expires int           // register: seconds (default 3600)
	T1      time.Duration // first retransmission over UDP (default 500 ms); negative: none
	Timeout time.Duration // after which a transaction is lost (default 8 s)

	// Second, if there is one, is called on the run's own thread once a second with what there is so far, which stays the run's; false: start nothing more. It must not wait.
	Second func(r *Result) (more bool)
}

const (
	maxSlots   = 1 << 18 // transactions outstanding at once
	maxMessage = 4096    // bytes of a message that is sent or received
)

func (c *Config) defaults() error {
	if !c.Server.IsValid() || !c.Server.Addr().Is4() {
		return fmt.Errorf("server %v: want an IPv4 address and a port", c.Server)
	}
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&c.Sources, 32)
	def(&c.UASes, 8)
	def(&c.Window, 200)
	def(&c.Users, 10000)
	def(&c.Expires, 3600)
	if len(c.Local) == 0 {
		c.Local = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	if c.T1 == 0 {
		c.T1 = 500 * time.Millisecond
	}
	if c.Timeout == 0 {
		c.Timeout = 8 * time.Second
	}
	if c.Count == 0 && c.Duration == 0 && c.Second == nil {
		return fmt.Errorf("a run without a bound: want a count, a duration or a function that ends it")
	}
	if c.Window > maxSlots || c.Sources > 4096 || c.UASes > 4096 || c.Window < 1 || c.Sources < 1 || c.UASes < 1 {
		return fmt.Errorf("window %d, sources %d, UAS %d: want 1 to %d, 1 to 4096, 1 to 4096", c.Window, c.Sources, c.UASes, maxSlots)
	}
	for _, s := range Scenarios() {
		if s == c.Scenario {
			return nil
		}
	}
	return fmt.Errorf("scenario %q: want one of %v", c.Scenario, Scenarios())
}

// uas tells if the scenario needs a UAS.
func (c *Config) uas() bool {
	return c.Scenario == Message || c.Scenario == Call || c.Scenario == Ring || c.Scenario == Lookup
}

// Result is what a run measured. Done + Failed + Lost = Started.
type Result struct {
	Started     int
	Done        int // ended as the scenario wants it
	Failed      int // ended with another final response
	Lost        int // no final response within Config.Timeout
	Retransmits int // requests that were sent again
	Strays      int // responses that belong to no transaction that waits for one: retransmissions, late ones
	Refused     int // datagrams that the kernel refused (nobody listens there)
	Status      [700]int
	Elapsed     time.Duration // from the first start to the last final response
	Latency     Histogram     // first request to the final response; for a call to the 200 of its INVITE
}

// Throughput is transactions done a second.
func (r *Result) Throughput() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Done) / r.Elapsed.Seconds()
}

// LossShare is the share of started transactions that did not end as wanted.
func (r *Result) LossShare() float64 {
	if r.Started == 0 {
		return 0
	}
	return float64(r.Started-r.Done) / float64(r.Started)
}
