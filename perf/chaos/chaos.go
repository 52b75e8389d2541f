package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"kahea/perf/load"
)

// chaos does faults at random under load and looks at what is left.
func (o *options) chaos(s *subject, chosen []fault) error {
	share := o.sippShare()
	fmt.Printf("seed %d, %v, a fault each %v or so; %.0f calls/s over UDP, %.0f of them SIPp's, %.0f over TCP, %.0f registrations/s\n",
		o.Seed, o.Time, o.Every, o.Calls, o.Calls*share, o.Calls/4, o.Registers)
	if err := s.warm(); err != nil {
		return err
	}
	if err := s.configure(variant{Workers: maxWorkers}); err != nil {
		return err
	}
	if err := s.rpc("kahea.reload"); err != nil {
		return err
	}
	if err := s.back(); err != nil {
		return err
	}
	base, err := s.quiet(o.SettleTime)
	if err != nil {
		return fmt.Errorf("before the first fault: %w", err)
	}
	m := &mix{c: []*stream{
		{name: "calls over TCP", c: load.Config{Scenario: load.Call, Rate: o.Calls / 4, TCP: true}},
		{name: "registrations", strict: true, c: load.Config{Scenario: load.Register, Rate: o.Registers, Users: int(200 * o.Registers), Expires: 30}},
	}}
	if share < 1 {
		m.c = append(m.c, &stream{name: "calls over UDP", strict: true, c: load.Config{Scenario: load.Call, Rate: o.Calls * (1 - share)}})
	}
	if err := m.start(s, o.Calls*share); err != nil {
		return err
	}
	t := newTable(chosen)
	mi, err := o.minutes(s, m, t)
	if err != nil {
		return errors.Join(err, m.end())
	}
	for end := time.Now().Add(o.Time - 15*time.Second); time.Now().Before(end); {
		time.Sleep(time.Duration(s.rand.ExpFloat64() * float64(o.Every)))
		f := &chosen[s.rand.IntN(len(chosen))]
		if f.rare() && len(chosen) > 1 {
			if last := time.Since(s.rare); last < rarely {
				continue
			}
			s.rare = time.Now()
		}
		began := time.Now()
		what, err := f.Do(s)
		t.add(f.Name, time.Since(began), err)
		fmt.Printf("%8s  %-18s %-60s %v\n", time.Since(m.began).Round(time.Millisecond), f.Name, what, time.Since(began).Round(time.Millisecond))
		if err != nil {
			fmt.Printf("          %v\n", err)
		}
		if s.gone() {
			break
		}
	}
	errs := []error{m.end(), mi.end()}
	fmt.Println()
	fmt.Print(t)
	errs = append(errs, m.report(s.squeezed))
	// the contacts expire
	errs = append(errs, t.err(), s.same(base, o.SettleTime), s.verify(), s.log())
	return errors.Join(errs...)
}

// mix is all load at once.
type mix struct {
	c      []*stream
	phones *phones // nil: none
	began  time.Time
	wg     sync.WaitGroup
	over   chan struct{}
}

// start begins with everything; sipp are calls a second.
func (m *mix) start(s *subject, sipp float64) (err error) {
	m.began, m.over = time.Now(), make(chan struct{})
	if sipp > 0 {
		if m.phones, err = startPhones(s.dir, s.p.Addr, sipp); err != nil {
			return err
		}
	}
	for _, x := range m.c {
		x.start(&m.wg, s, m.over)
	}
	return nil
}

// end starts no more and waits for what has begun.
func (m *mix) end() error {
	close(m.over)
	m.wg.Wait()
	if m.phones == nil {
		return nil
	}
	return m.phones.end()
}

// count is everything so far, SIPp's calls included.
func (m *mix) count() (c count, err error) {
	for _, x := range m.c {
		c = c.plus(x.count())
	}
	if m.phones != nil {
		p, err := m.phones.count()
		if err != nil {
			return c, err
		}
		c = c.plus(p)
	}
	return c, nil
}

// report prints what came of it all, after the end.
func (m *mix) report(squeezed bool) error {
	var errs []error
	for _, x := range m.c {
		errs = append(errs, x.report(squeezed))
	}
	if m.phones != nil {
		errs = append(errs, m.phones.report(squeezed))
	}
	return errors.Join(errs...)
}
