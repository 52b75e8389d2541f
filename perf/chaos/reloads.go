package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"kahea/perf/load"
)

const (
	measureFor    = 8 * time.Second // capacity
	part          = 0.8             // of capacity
	children      = 4               // UDP workers at the start
	moreSockets   = 3               // at most
	addedAnswers  = 5 * time.Second
	reloadShm     = 1024             // MB at least: the transactions of wt_timer at capacity
	reloadTimeout = 10 * time.Second // of a request, no request is sent again
)

// reload loads a new configuration --reloads times while the server does most of what it can, for a client that sends nothing again.
func (o *options) reload(s *subject) error {
	if err := s.warm(); err != nil {
		return err
	}
	if o.Capacity == 0 {
		r, err := load.Run(load.Config{Server: s.p.Addr, Scenario: load.Call, Duration: measureFor}, nil)
		if err != nil {
			return err
		}
		if r.Failed+r.Lost > 0 {
			return fmt.Errorf("capacity: of %d calls %d failed, %d were lost", r.Started, r.Failed, r.Lost)
		}
		o.Capacity = r.Throughput()
		fmt.Printf("capacity: %.0f calls/s (%d done, %d retransmissions in %v)\n", o.Capacity, r.Done, r.Retransmits, r.Elapsed.Round(time.Millisecond))
	}
	// once with as much as there will be, then as at the start
	if err := s.change(s.most()); err != nil {
		return err
	}
	if err := s.back(); err != nil {
		return err
	}
	base, err := s.quiet(o.SettleTime)
	if err != nil {
		return err
	}
	small, err := s.size()
	if err != nil {
		return err
	}
	dropped, err := kernelDrops(s.p.Addr.Port())
	if err != nil {
		return err
	}
	x := &stream{name: "calls", c: load.Config{Scenario: load.Call, Rate: part * o.Capacity, T1: -1, Timeout: reloadTimeout}}
	m := &mix{c: []*stream{x}}
	fmt.Printf("%d reloads, %v between two, seed %d; %.0f calls/s over UDP, nothing is sent again\n\n", o.Reloads, o.Every, o.Seed, part*o.Capacity)
	if err := m.start(s, 0); err != nil {
		return err
	}
	refused, longest, err := o.reloads(s)
	errs := []error{err, m.end()}
	after, err := kernelDrops(s.p.Addr.Port())
	errs = append(errs, err, m.report(false))
	c := x.count()
	fmt.Printf("%d reloads: %d served, the longest after %v; %d refused for their mistakes. %d datagrams were dropped by the kernel because a socket's buffer was full\n",
		o.Reloads, o.Reloads-refused, longest.Round(time.Millisecond), refused, after-dropped)
	if c.Failed+c.Lost > 0 {
		errs = append(errs, fmt.Errorf("of %d calls %d failed, %d were lost: %w", c.Started, c.Failed, c.Lost, errLost))
	}
	errs = append(errs, s.same(base, o.SettleTime), s.verify(), s.log())
	z, err := s.size()
	errs = append(errs, err)
	fmt.Printf("private memory of all processes: %d kB before the first reload, %d kB after the last; of main: %d kB, %d kB\n", small.Private>>10, z.Private>>10, small.Main>>10, z.Main>>10)
	if z.Private > small.most() {
		errs = append(errs, fmt.Errorf("private memory of all processes %w: %d bytes, then %d", errGrown, small.Private, z.Private))
	}
	return errors.Join(errs...)
}

// most is the largest configuration.
func (s *subject) most() variant {
	v := variant{Children: children + 2}
	for i := range moreSockets {
		v.More = append(v.More, s.spare(i))
	}
	return v
}

func (o *options) reloads(s *subject) (refused int, longest time.Duration, err error) {
	for i := range o.Reloads {
		time.Sleep(o.Every)
		v := variant{Children: children - 2 + s.rand.IntN(5), Broken: i%3 == 2}
		for k := range moreSockets {
			if s.rand.IntN(2) == 0 {
				v.More = append(v.More, s.spare(k))
			}
		}
		began := time.Now()
		if err := s.change(v); err != nil {
			return refused, longest, fmt.Errorf("reload %d, %+v: %w", i, v, err)
		}
		if v.Broken {
			refused++
		} else {
			longest = max(longest, time.Since(began))
		}
	}
	return refused, longest, nil
}

// change reloads with a variant of the configuration: one with a mistake has to be refused, and after any other each of its sockets answers.
func (s *subject) change(v variant) error {
	if err := s.configure(v); err != nil {
		return err
	}
	err := s.rpc("kahea.reload")
	if v.Broken {
		if err == nil || !strings.Contains(err.Error(), "refused") {
			return fmt.Errorf("a broken configuration: %w", errors.Join(errAccepted, err))
		}
		return nil
	}
	if err != nil {
		return err
	}
	for _, a := range append([]netip.AddrPort{}, v.More...) {
		if err := ask("udp4", a, time.Now().Add(addedAnswers)); err != nil {
			return err
		}
	}
	return nil
}

// kernelDrops is how many datagrams found the buffer of a socket at this port full, of the sockets that there are (/proc/net/udp).
func kernelDrops(port uint16) (n int, err error) {
	f, err := os.Open("/proc/net/udp")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		w := strings.Fields(sc.Text())
		if len(w) < 13 || !strings.HasSuffix(w[1], fmt.Sprintf(":%04X", port)) {
			continue
		}
		d, err := strconv.Atoi(w[12])
		if err != nil {
			return 0, fmt.Errorf("/proc/net/udp: %w", err)
		}
		n += d
	}
	return n, sc.Err()
}
