// Command exhaust floods a server of little shared memory with calls that ring and are never answered, and ends calls that stood before, one after the other,
// meanwhile. It fails when a BYE of those does not pass, when a new INVITE gets a final response other than 503 while memory is short, and when afterwards memory,
// processes or the heap are not as they were.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"kahea/modules"
	"kahea/modules/lib/rpc"
	"kahea/perf/proctree"
	"kahea/perf/serve"
)

type options struct {
	Time    time.Duration
	Rate    int
	Calls   int
	Kahea   string
	Config  string
	Shm     int
	Workers int
	Settle  time.Duration
}

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "exhaust:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o := options{}
	f := pflag.NewFlagSet("exhaust", pflag.ContinueOnError)
	f.SortFlags = false
	f.DurationVarP(&o.Time, "time", "t", 10*time.Minute, "how long new calls are started")
	f.IntVarP(&o.Rate, "rate", "r", 200, "new calls a second")
	f.IntVarP(&o.Calls, "calls", "c", 200, "calls that stand before, and end meanwhile")
	f.StringVar(&o.Kahea, "kahea", "bin/kahea", "kahea's binary")
	f.StringVar(&o.Config, "config", "perf/testdata/exhaust.cfg", "configuration")
	f.IntVarP(&o.Shm, "shm", "m", 8, "shared memory in MB")
	f.IntVarP(&o.Workers, "workers", "n", 2, "UDP workers")
	f.DurationVar(&o.Settle, "settle", 5*time.Minute, "how long the server may take to be as it was, at the end")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("argument %q: options only", f.Arg(0))
	}
	path, err := filepath.Abs(o.Kahea)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kahea-exhaust-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	so := serve.Options{Workers: o.Workers, Allocator: "qm", Shm: o.Shm, Pkg: 16}
	p, err := so.Start(serve.Server{Name: "kahea", Path: path}, o.Config, dir, nil)
	if err != nil {
		return err
	}
	return errors.Join(o.exhaust(p), p.Stop())
}

// exhaust runs it against a server.
func (o *options) exhaust(p *serve.Process) error {
	c, err := newCaller(p.Addr)
	if err != nil {
		return err
	}
	defer c.close()
	s := &server{p}
	for i := range o.Calls {
		c.start(i, true)
		if i%50 == 49 { // so that no socket's buffer overflows
			if err := wait(10*time.Second, func() (bool, error) { return c.standing() > i, nil }); err != nil {
				return fmt.Errorf("%d of %d calls stand: %w", c.standing(), o.Calls, err)
			}
		}
	}
	if err := wait(10*time.Second, func() (bool, error) { return c.standing() == o.Calls, nil }); err != nil {
		return fmt.Errorf("%d of %d calls stand: %w", c.standing(), o.Calls, err)
	}
	if err := wait(time.Minute, s.idle); err != nil {
		return fmt.Errorf("transactions of the standing calls: %w", err)
	}
	base, err := s.look()
	if err != nil {
		return err
	}
	fmt.Printf("%d calls stand; %d of %d bytes of shared memory in use, %d of the rest are the reserve\n", o.Calls, base.used, base.total, base.reserve)

	began := time.Now()
	period := time.Second / time.Duration(o.Rate)
	full := min(20*time.Second, o.Time/4) // memory is full by then
	byes, low := 0, base.free
	look := began
	for n := o.Calls; ; n++ {
		if d := time.Until(began.Add(time.Duration(n-o.Calls) * period)); d > 0 {
			time.Sleep(d)
		}
		now := time.Now()
		if now.Sub(began) >= o.Time {
			break
		}
		c.start(n, false)
		for byes < o.Calls && now.Sub(began) >= full+time.Duration(byes)*(o.Time-full)*9/10/time.Duration(o.Calls) {
			c.bye(byes)
			byes++
		}
		if now.Sub(look) > time.Second {
			look = now
			u, err := s.look()
			if err != nil {
				return err
			}
			low = min(low, u.free)
		}
	}
	last, err := s.look()
	if err != nil {
		return err
	}
	errs := []error{wait(40*time.Second, func() (bool, error) { return c.byesOpen() == 0, nil })}
	errs = append(errs, wait(40*time.Second, func() (bool, error) { return c.silent(false) == 0, nil }))
	fmt.Println(c.report())
	fmt.Printf("at least %d bytes were free; %d requests for memory were refused\n", low, last.refused-base.refused)
	errs = append(errs, c.verdict(o.Calls), wait(o.Settle, s.idle))
	fmt.Println("those that rang ended:", c.ended())
	end, err := s.look()
	fmt.Printf("%v later: %d bytes in use, %d at the start; %d processes, %d at the start\n", time.Since(began.Add(o.Time)).Round(time.Second), end.used, base.used, len(end.pids), len(base.pids))
	if err == nil && (end.used != base.used || !slices.Equal(end.pids, base.pids)) {
		err = fmt.Errorf("not as it was: at the start %+v, at the end %+v", base, end)
	}
	if last.refused == base.refused {
		errs = append(errs, errors.New("memory was never short: this run proves nothing"))
	}
	_, verify := s.call("kahea.verify")
	return errors.Join(append(errs, err, verify)...)
}

var errWaited = errors.New("is not so in time")

// wait asks until f is true; it is for states that nobody announces.
func wait(within time.Duration, f func() (bool, error)) error {
	for end := time.Now().Add(within); ; time.Sleep(200 * time.Millisecond) {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %v: %w", within, errWaited)
		}
	}
}

// server is what the control socket tells.
type server struct{ p *serve.Process }

type state struct {
	used, free, total, reserve, refused int64
	pids                                []int
}

func (s *server) call(method string) (map[string]int64, error) {
	out, err := rpc.Ask("unix", filepath.Join(s.p.Dir, "kamailio_ctl"), time.Minute, method, nil)
	if err != nil {
		return nil, err
	}
	m := map[string]int64{}
	for _, x := range out {
		for i, n := range x.Names {
			if x.Members[i].Kind == modules.KindInt {
				m[n] = x.Members[i].Int
			}
		}
	}
	return m, nil
}

func (s *server) look() (st state, err error) {
	m, err := s.call("kahea.mem")
	if err != nil {
		return st, err
	}
	st = state{used: m["real_used"], free: m["free"], total: m["total"], reserve: m["reserve"], refused: m["refused"]}
	st.pids, err = proctree.Tree(s.p.Cmd.Process.Pid)
	return st, err
}

// idle says that no transaction is left.
func (s *server) idle() (bool, error) {
	m, err := s.call("tm.stats")
	return err == nil && m["current"] == 0, err
}
