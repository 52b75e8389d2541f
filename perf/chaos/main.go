// Command chaos lets a server carry calls and registrations while its processes are killed and stopped, its configuration is changed, and its memory is filled,
// all at random. It prints what each kind of fault cost, and fails when a call is lost that retransmission should have saved, when something is left, or when the
// heap does not verify.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"kahea/perf/load"
	"kahea/perf/serve"
)

type options struct {
	Time       time.Duration
	Every      time.Duration
	Seed       uint64
	Calls      float64
	Registers  float64
	Kahea      string
	Config     string
	Shm        int
	Workers    int
	Only       []string
	Keep       bool
	SettleTime time.Duration
}

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o := options{}
	f := pflag.NewFlagSet("chaos", pflag.ContinueOnError)
	f.SortFlags = false
	f.DurationVarP(&o.Time, "time", "t", 10*time.Minute, "how long faults happen")
	f.DurationVar(&o.Every, "every", 2*time.Second, "mean time between two faults")
	f.Uint64Var(&o.Seed, "seed", 0, "of the random numbers; 0: of the clock")
	f.Float64Var(&o.Calls, "calls", 200, "calls a second over UDP, and a quarter of that over TCP")
	f.Float64Var(&o.Registers, "registers", 100, "registrations a second")
	f.StringVar(&o.Kahea, "kahea", "bin/kahea", "kahea's binary")
	f.StringVar(&o.Config, "config", "perf/testdata/proxy.cfg", "configuration")
	f.IntVarP(&o.Shm, "shm", "m", 64, "shared memory in MB")
	f.IntVarP(&o.Workers, "workers", "n", 4, "UDP workers, and TCP workers")
	f.StringSliceVar(&o.Only, "only", nil, "faults to do (default all): "+strings.Join(faultNames(), " "))
	f.DurationVar(&o.SettleTime, "settle", 3*time.Minute, "how long the server may take to be as it was, at the end")
	f.BoolVar(&o.Keep, "keep", false, "keep the server's directory and say where")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("argument %q: options only", f.Arg(0))
	}
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	chosen, err := choose(o.Only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kahea-chaos-")
	if err != nil {
		return err
	}
	if o.Keep {
		fmt.Fprintln(os.Stderr, "directory:", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	fmt.Printf("seed %d, %v, a fault each %v or so; %.0f calls/s over UDP, %.0f over TCP, %.0f registrations/s\n", o.Seed, o.Time, o.Every, o.Calls, o.Calls/4, o.Registers)
	return o.chaos(chosen, dir)
}

func (o *options) chaos(chosen []fault, dir string) error {
	path, err := filepath.Abs(o.Kahea)
	if err != nil {
		return err
	}
	s := &subject{dir: dir, file: filepath.Join(dir, "chaos.cfg"), rand: rand.New(rand.NewPCG(o.Seed, 1))}
	if s.text, err = os.ReadFile(o.Config); err != nil {
		return err
	}
	if err := s.configure(0, false); err != nil {
		return err
	}
	so := serve.Options{Workers: o.Workers, Allocator: "qm", Shm: o.Shm, Pkg: 16}
	if s.p, err = so.Start(serve.Server{Name: "kahea", Path: path}, s.file, dir, []string{"WITH_CTL"}); err != nil {
		return err
	}
	err = errors.Join(o.under(s, chosen), s.end())
	return err
}

// under does the faults under load and looks at what is left.
func (o *options) under(s *subject, chosen []fault) error {
	// once, so that what is made when it is first used is there
	if _, err := load.Run(load.Config{Server: s.p.Addr, Scenario: load.Call, Rate: 200, Count: 200}, nil); err != nil {
		return err
	}
	if _, err := load.Run(load.Config{Server: s.p.Addr, Scenario: load.Call, Rate: 200, Count: 200, TCP: true}, nil); err != nil {
		return err
	}
	if err := s.configure(maxWorkers, false); err != nil {
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
	streams := []*stream{
		{name: "calls over UDP", strict: true, c: load.Config{Scenario: load.Call, Rate: o.Calls}},
		{name: "calls over TCP", c: load.Config{Scenario: load.Call, Rate: o.Calls / 4, TCP: true}},
		{name: "registrations", strict: true, c: load.Config{Scenario: load.Register, Rate: o.Registers, Users: int(200 * o.Registers), Expires: 30}},
	}
	var wg sync.WaitGroup
	for _, x := range streams {
		x.c.Server, x.c.Duration, x.c.Timeout = s.p.Addr, o.Time, 64*time.Second
		wg.Go(func() { x.r, x.err = load.Run(x.c, nil) })
	}
	t := newTable(chosen)
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
		fmt.Printf("%8s  %-18s %-60s %v\n", time.Since(s.began()).Round(time.Millisecond), f.Name, what, time.Since(began).Round(time.Millisecond))
		if err != nil {
			fmt.Printf("          %v\n", err)
		}
		if s.gone() {
			break
		}
	}
	wg.Wait()
	fmt.Println()
	fmt.Print(t)
	var errs []error
	for _, x := range streams {
		errs = append(errs, x.report(s.squeezed))
	}
	// the contacts expire
	errs = append(errs, t.err(), s.same(base, o.SettleTime), s.verify(), s.log())
	return errors.Join(errs...)
}

// stream is one load.
type stream struct {
	name   string
	strict bool // nothing may be lost: the client retransmits
	c      load.Config
	r      *load.Result
	err    error
}

// report prints what came of it. A request that was refused for want of memory is no loss when memory was squeezed.
func (x *stream) report(squeezed bool) error {
	if x.err != nil {
		return fmt.Errorf("%s: %w", x.name, x.err)
	}
	r := x.r
	fmt.Printf("%s: %d started, %d done, %d failed, %d lost, %d retransmissions; p99 %v\n", x.name, r.Started, r.Done, r.Failed, r.Lost, r.Retransmits, r.Latency.Quantile(0.99))
	for code, n := range r.Status {
		if n > 0 && (code < 200 || code > 299) {
			fmt.Printf("    %d: %d\n", code, n)
		}
	}
	refused := 0
	if squeezed {
		refused = r.Status[500] + r.Status[503]
	}
	if x.strict && r.Done+refused != r.Started {
		return fmt.Errorf("%s: %d failed, %d lost", x.name, r.Failed, r.Lost)
	}
	return nil
}

// log looks for what must not be in the server's log.
func (s *subject) log() error {
	f, err := os.Open(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer f.Close()
	var errs []error
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<22)
	for sc.Scan() {
		if l := sc.Text(); strings.Contains(l, "panic") || strings.Contains(l, "fatal error") || strings.Contains(l, "BUG") {
			errs = append(errs, fmt.Errorf("in the log: %s", l))
		}
	}
	return errors.Join(append(errs, sc.Err())...)
}
