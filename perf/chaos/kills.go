package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"kahea/modules/lib/rpc"
	"kahea/perf/load"
)

// kill is one way for one kind of process to die.
type kill struct {
	Name   string
	Title  string
	Signal syscall.Signal
}

func kills() []kill {
	return []kill{
		{"UDP worker", udpWorker, syscall.SIGKILL},
		{"TCP worker", tcpWorker, syscall.SIGKILL},
		{"TCP main", tcpMain, syscall.SIGKILL},
		{"timer", timer, syscall.SIGKILL},
		{"slow timer", slowTimer, syscall.SIGKILL},
		{"secondary timer", secondTimer, syscall.SIGKILL},
		{"ctl", ctl, syscall.SIGKILL},
		{"UDP worker, SEGV", udpWorker, syscall.SIGSEGV},
		{"UDP worker, BUS", udpWorker, syscall.SIGBUS},
		{"UDP worker, STOP", udpWorker, syscall.SIGSTOP},
	}
}

// parts of --kills besides the kinds
const (
	plainPart = "plain" // without retransmission
	mainPart  = "main"
)

// within is how soon after the signal everything has to be served again.
func (k *kill) within() time.Duration {
	if k.Signal == syscall.SIGSTOP {
		return heartbeat
	}
	return time.Second
}

const (
	messages     = 2000                   // OPTIONS a second in the part without retransmission
	mainTimes    = 20 * time.Second       // how long a supervisor tries to start main
	betweenMains = 3 * time.Second        // the load goes on for so long between two deaths of main
	stopEach     = 4                      // it takes ten seconds until a stopped process is noticed, so one comes in every fourth round
	callTime     = 100 * time.Millisecond // of SIPp's calls
)

// kill hits each kind of process --kills times, in turn: under calls that are retransmitted none may fail; then UDP workers under requests that are not; then main.
func (o *options) kill(s *subject) error {
	if err := s.warm(); err != nil {
		return err
	}
	base, err := s.quiet(o.SettleTime)
	if err != nil {
		return err
	}
	var errs []error
	if l := choose(kills(), kill.name, o.Only); len(l) > 0 {
		errs = append(errs, o.killEach(s, l))
	}
	if slices.Contains(o.Only, plainPart) {
		errs = append(errs, o.killPlain(s))
	}
	errs = append(errs, s.same(base, o.SettleTime), s.verify(), s.log())
	if slices.Contains(o.Only, mainPart) {
		errs = append(errs, o.killMain(s))
	}
	return errors.Join(errs...)
}

// killEach is the part with retransmission.
func (o *options) killEach(s *subject, kinds []kill) error {
	share := o.sippShare()
	if share > 0 {
		share = 1
	}
	m := &mix{c: []*stream{
		{name: "calls over TCP", strict: true, c: load.Config{Scenario: load.Call, Rate: o.Calls / 10, TCP: true}},
		{name: "registrations", strict: true, c: load.Config{Scenario: load.Register, Rate: o.Registers, Users: int(200 * o.Registers), Expires: 30}},
	}}
	if share == 0 {
		m.c = append(m.c, &stream{name: "calls over UDP", strict: true, c: load.Config{Scenario: load.Call, Rate: o.Calls}})
	}
	fmt.Printf("each kind %d times, %v between two: %.0f calls/s over UDP, %.0f of them SIPp's, %.0f over TCP, %.0f registrations/s\n\n", o.Kills, o.Every, o.Calls, o.Calls*share, o.Calls/10, o.Registers)
	if err := m.start(s, o.Calls*share); err != nil {
		return err
	}
	t := &killTable{}
	err := o.killInTurn(s, kinds, t, m)
	errs := []error{err, m.end()}
	c, err := m.count()
	errs = append(errs, err)
	t.rest(c)
	fmt.Print(t, "\n")
	return errors.Join(append(errs, m.report(false), t.err())...)
}

// killPlain is the part without: at most the message in hand is lost at each death.
func (o *options) killPlain(s *subject) error {
	m := &mix{c: []*stream{
		{name: "OPTIONS without retransmission", c: load.Config{Scenario: load.Options, Rate: messages, T1: -1, Timeout: 10 * time.Second}},
		{name: "calls without retransmission", c: load.Config{Scenario: load.Call, Rate: o.Calls / 2, T1: -1, Timeout: 10 * time.Second}},
	}}
	fmt.Printf("\nUDP workers %d times, %d OPTIONS/s and %.0f calls/s that are not retransmitted\n\n", o.Kills, messages, o.Calls/2)
	if err := m.start(s, 0); err != nil {
		return err
	}
	t := &killTable{}
	err := o.killInTurn(s, kills()[:1], t, m)
	errs := []error{err, m.end()}
	c, err := m.count()
	errs = append(errs, err)
	t.rest(c)
	fmt.Print(t, "\n")
	errs = append(errs, m.report(false), t.err())
	if bad := c.Failed + c.Lost; bad > o.Kills {
		errs = append(errs, fmt.Errorf("%d deaths, and %d requests without an answer: %w", o.Kills, bad, errLost))
	}
	return errors.Join(errs...)
}

// killInTurn goes through the kinds --kills times.
func (o *options) killInTurn(s *subject, kinds []kill, t *killTable, m *mix) error {
	for round := range o.Kills {
		for i := range kinds {
			if kinds[i].Signal == syscall.SIGSTOP && round%stopEach != 0 {
				continue
			}
			time.Sleep(o.Every)
			c, err := m.count()
			if err != nil {
				return err
			}
			t.begin(kinds[i].Name, c)
			d, err := s.hit(&kinds[i])
			t.end(d, err)
			if s.gone() {
				return fmt.Errorf("after %s: %w", kinds[i].Name, errBack)
			}
		}
	}
	return nil
}

// hit sends the signal to one process of the kind and waits until its successor is ready and every socket answers.
func (s *subject) hit(k *kill) (time.Duration, error) {
	all, err := s.processes()
	if err != nil {
		return 0, err
	}
	var pids []int
	for _, pid := range slices.SortedFunc(maps.Keys(all), func(a, b int) int { return strings.Compare(all[a], all[b]) }) {
		if strings.HasPrefix(all[pid], k.Title) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return 0, fmt.Errorf("no process %q", k.Title)
	}
	pid := pids[s.hits%len(pids)] // in turn: what dies again and again is kept back
	s.hits++
	desc := strings.TrimPrefix(all[pid], "kahea ")
	began := time.Now()
	if err := syscall.Kill(pid, k.Signal); err != nil {
		return 0, err
	}
	end := began.Add(k.within() + backWithin)
	for !s.ready(desc, pid) {
		if time.Now().After(end) {
			return time.Since(began), fmt.Errorf("%s %w after %v", desc, errBack, time.Since(began))
		}
		time.Sleep(2 * time.Millisecond)
	}
	if err := errors.Join(answers(s.p.Addr, time.Until(end)), ask("tcp4", s.p.Addr, end)); err != nil {
		return time.Since(began), err
	}
	d := time.Since(began)
	if d > k.within() {
		err = fmt.Errorf("%s %w after %v, but after %v", desc, errBack, k.within(), d)
	}
	return d, err
}

// ready says whether a process with this description, and another pid, has said that it is.
func (s *subject) ready(desc string, old int) bool {
	out, err := rpc.Ask("unix", s.control(), time.Second, "core.psa", nil)
	if err != nil {
		return false // the process that answers may be the one that was killed
	}
	for _, p := range out {
		var pid, status int64
		var d string
		for i, n := range p.Names {
			switch n {
			case "pid":
				pid = p.Members[i].Int
			case "status":
				status = p.Members[i].Int
			case "description":
				d = p.Members[i].Str
			}
		}
		if d == desc && status == 1 && int(pid) != old {
			return true
		}
	}
	return false
}

// killMain kills main, whose memory goes with it, and starts it again as a service manager does.
func (o *options) killMain(s *subject) error {
	share := o.sippShare()
	if share == 0 {
		return nil
	}
	fmt.Printf("\nmain %d times, started again at once; %.0f calls/s of SIPp, each of %v\n\n", o.Kills, o.Calls, callTime)
	s.o.Addr = s.p.Addr
	m := &mix{}
	if err := m.start(s, o.Calls); err != nil {
		return err
	}
	var longest, total time.Duration
	tries := 0
	for range o.Kills {
		time.Sleep(betweenMains)
		if err := s.log(); err != nil {
			return errors.Join(err, m.end())
		}
		began := time.Now()
		if err := s.p.Kill(); err != nil {
			return errors.Join(err, m.end())
		}
		for {
			tries++
			p, err := s.o.Start(s.server, s.file, s.dir, []string{"WITH_CTL"})
			if err == nil {
				s.p = p
				break
			}
			if time.Since(began) > mainTimes {
				return errors.Join(err, m.end())
			}
		}
		d := time.Since(began)
		longest, total = max(longest, d), total+d
	}
	time.Sleep(betweenMains)
	errs := []error{m.end()}
	c, err := m.count()
	errs = append(errs, err)
	fmt.Printf("| kind             | kills | starts |  calls | failed, lost | retransmissions | mean until it serves | longest |\n"+
		"|------------------|------:|-------:|-------:|-------------:|----------------:|---------------------:|--------:|\n"+
		"| %-16s | %5d | %6d | %6d | %12d | %15d | %20v | %7v |\n\n", "main", o.Kills, tries, c.Started, c.Failed+c.Lost, c.Retransmits,
		(total / time.Duration(o.Kills)).Round(time.Millisecond), longest.Round(time.Millisecond))
	return errors.Join(append(errs, s.verify(), s.log())...)
}
