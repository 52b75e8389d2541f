package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"kahea/perf/load"
	"kahea/perf/proctree"
	"kahea/perf/serve"
)

// kind is what a case measures.
type kind int

const (
	cpu      kind = iota // CPU a transaction, throughput, loss, latency
	ringing              // shared memory of a held INVITE
	contacts             // shared memory of a contact
	starting             // time from exec to the first answer
	idle                 // CPU of a second without traffic
)

// benchCase is one line of the table.
type benchCase struct {
	Name     string
	Doc      string
	Kind     kind
	Scenario load.Scenario
	TCP      bool
	Paced    bool
	Stock    bool // runs the stock configuration
}

func cases() []benchCase {
	return []benchCase{
		{Name: "options-udp", Scenario: load.Options, Doc: "OPTIONS to the server, saturated"},
		{Name: "options-tcp", Scenario: load.Options, TCP: true, Doc: "the same over TCP"},
		{Name: "options-paced", Scenario: load.Options, Paced: true, Doc: "OPTIONS to the server at --rate a second"},
		{Name: "register-udp", Scenario: load.Register, Doc: "REGISTER of 10,000 addresses of record in turn"},
		{Name: "register-tcp", Scenario: load.Register, TCP: true, Doc: "the same over TCP"},
		{Name: "message-udp", Scenario: load.Message, Doc: "MESSAGE relayed statefully to a UAS"},
		{Name: "message-tcp", Scenario: load.Message, TCP: true, Doc: "the same over TCP on both sides"},
		{Name: "call-udp", Scenario: load.Call, Doc: "INVITE 100 180 200 ACK BYE 200 by Record-Route; a transaction is a call"},
		{Name: "call-tcp", Scenario: load.Call, TCP: true, Doc: "the same over TCP on both sides"},
		{Name: "call-paced", Scenario: load.Call, Paced: true, Doc: "the same over UDP at a tenth of --rate a second"},
		{Name: "lookup-udp", Scenario: load.Lookup, Doc: "calls to a registered address of record"},
		{Name: "stock-options", Scenario: load.Options, Stock: true, Doc: "OPTIONS, stock configuration"},
		{Name: "stock-register", Scenario: load.Register, Stock: true, Doc: "REGISTER, stock configuration"},
		{Name: "stock-call", Scenario: load.Lookup, Stock: true, Doc: "calls to a registered address of record, stock configuration"},
		{Name: "memory-ringing", Kind: ringing, Scenario: load.Ring, Doc: "shared memory of an INVITE that rings"},
		{Name: "memory-contact", Kind: contacts, Scenario: load.Register, Doc: "shared memory of a contact"},
		{Name: "idle", Kind: idle, Doc: "CPU of a second without traffic"},
		{Name: "start", Kind: starting, Stock: true, Doc: "from exec to the first answered OPTIONS, stock configuration"},
	}
}

// result is one round of one case with one server.
type result struct {
	Err error

	Use  proctree.Use
	Load *load.Result

	Bytes float64       // ringing, contacts: of shared memory, each
	Start time.Duration // starting
	Idle  time.Duration // idle: a second
}

// perTransaction is d divided by the transactions done, in microseconds.
func (r *result) perTransaction(d time.Duration) float64 {
	if r.Load == nil || r.Load.Done == 0 {
		return 0
	}
	return float64(d) / 1e3 / float64(r.Load.Done)
}

func (r result) String() string {
	switch {
	case r.Err != nil:
		return "FAILED: " + r.Err.Error()
	case r.Start > 0:
		return fmt.Sprintf("%.0f ms to the first answer", r.Start.Seconds()*1e3)
	case r.Idle > 0:
		return fmt.Sprintf("%.3f ms of CPU a second", r.Idle.Seconds()*1e3)
	case r.Bytes > 0:
		return fmt.Sprintf("%.0f bytes each", r.Bytes)
	}
	return fmt.Sprintf("%.2f us (user %.2f, system %.2f)  %.0f/s  lost %d failed %d again %d  p50 %v p99 %v",
		r.perTransaction(r.Use.Total), r.perTransaction(r.Use.User), r.perTransaction(r.Use.System), r.Load.Throughput(),
		r.Load.Lost, r.Load.Failed, r.Load.Retransmits, r.Load.Latency.Quantile(.5), r.Load.Latency.Quantile(.99))
}

// measure runs one round.
func (o *options) measure(c benchCase, s serve.Server, dir string) (r result) {
	defines := []string(nil)
	if c.Kind == ringing || c.Kind == contacts {
		defines = []string{"WITH_CTL"}
	}
	cfg := o.Config
	if c.Stock {
		cfg = o.Stock
	}
	p, err := o.serving().Start(s, cfg, dir, defines)
	if err != nil {
		return result{Err: err}
	}
	defer func() {
		switch err := p.Stop(); {
		case err == nil:
		case s.Name != "kahea" && !errors.Is(err, serve.ErrEnded):
			fmt.Fprintln(os.Stderr, err) // Kamailio overlooks SIGTERM now and then, and was killed; what was measured is good
		case r.Err == nil:
			r.Err = err
		}
	}()
	r.Start = p.Ready
	if c.Kind == starting {
		p.Young = true
		return r
	}
	r.Start = 0
	lc := load.Config{Server: p.Addr, TCP: c.TCP, Scenario: c.Scenario, Window: o.Window, Duration: o.Duration}
	if c.Paced {
		lc.Rate = o.Rate
		if c.Scenario == load.Call {
			lc.Rate /= 10
		}
	}
	switch c.Kind {
	case ringing:
		r.Bytes, r.Err = memory(p, lc, o.Held, true)
	case contacts:
		r.Bytes, r.Err = memory(p, lc, o.Contacts, false)
	case idle:
		r.Idle, r.Err = idleCPU(p, o.Warmup, o.Duration)
	default:
		warm := lc
		warm.Duration = o.Warmup
		if _, r.Err = load.Run(warm, nil); r.Err == nil {
			r.Use, r.Load, r.Err = use(p, lc)
		}
	}
	return r
}

// use runs the load and measures the server meanwhile.
func use(p *serve.Process, lc load.Config) (proctree.Use, *load.Result, error) {
	before, err := proctree.Measure(p.Cmd.Process.Pid)
	if err != nil {
		return proctree.Use{}, nil, err
	}
	l, err := load.Run(lc, nil)
	if err != nil {
		return proctree.Use{}, nil, err
	}
	after, err := proctree.Measure(p.Cmd.Process.Pid)
	if err != nil {
		return proctree.Use{}, nil, err
	}
	u, err := after.Since(before)
	if err == nil && l.Done == 0 {
		err = fmt.Errorf("no transaction of %d was done", l.Started)
	}
	return u, l, err
}

// idle is the CPU that the server uses a second when nothing is sent to it, measured for d after it has settled.
func idleCPU(p *serve.Process, settle, d time.Duration) (time.Duration, error) {
	time.Sleep(settle)
	before, err := proctree.Measure(p.Cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := proctree.Measure(p.Cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	u, err := after.Since(before)
	return time.Duration(float64(u.Total) / d.Seconds()), err
}

// memory is how much shared memory each of count transactions holds, while they ring or after they are done.
func memory(p *serve.Process, lc load.Config, count int, ring bool) (float64, error) {
	lc.Duration, lc.Count, lc.Users = 0, count, count
	before, err := p.ShmUsed()
	if err != nil {
		return 0, err
	}
	var after int
	look := func() (err error) {
		after, err = p.ShmUsed()
		return err
	}
	var hold func() error
	if ring {
		hold = look
	}
	l, err := load.Run(lc, hold)
	if err != nil {
		return 0, err
	}
	if !ring {
		if err := look(); err != nil {
			return 0, err
		}
	}
	if l.Done != count {
		return 0, fmt.Errorf("%d of %d were done, %d lost, %d failed", l.Done, count, l.Lost, l.Failed)
	}
	return float64(after-before) / float64(count), nil
}
