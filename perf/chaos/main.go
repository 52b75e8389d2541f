// Command chaos lets a server carry calls and registrations while its processes are killed and stopped, its configuration is changed, and its memory is filled,
// all at random. It prints what each kind of fault cost, and fails when a call is lost that retransmission should have saved, when something is left, or when the
// heap does not verify.
//
// Two more ways to use it go through something in order instead: --kills hits each kind of process (kills.go), --reloads reloads at most of the server's capacity (reloads.go).
//
// The load is that of kahea/perf/load and, where it is installed, of SIPp (phones.go).
package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"kahea/perf/serve"
)

type options struct {
	Time       time.Duration
	Every      time.Duration
	Seed       uint64
	Calls      float64
	Registers  float64
	SIPp       float64
	Kahea      string
	Config     string
	Shm        int
	Workers    int
	Only       []string
	Keep       bool
	SettleTime time.Duration
	Minutes    string
	Kills      int
	Reloads    int
	Capacity   float64
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
	f.Float64Var(&o.SIPp, "sipp", 0.5, "share of the calls over UDP that SIPp makes, where it is installed")
	f.StringVar(&o.Kahea, "kahea", "bin/kahea", "kahea's binary")
	f.StringVar(&o.Config, "config", "perf/testdata/proxy.cfg", "configuration")
	f.IntVarP(&o.Shm, "shm", "m", 64, "shared memory in MB")
	f.IntVarP(&o.Workers, "workers", "n", 4, "UDP workers, and TCP workers")
	f.StringSliceVar(&o.Only, "only", nil, "faults to do (default all): "+strings.Join(names(faults(), fault.name), " ")+"; with --kills: "+strings.Join(names(kills(), kill.name, plainPart, mainPart), " "))
	f.DurationVar(&o.SettleTime, "settle", 3*time.Minute, "how long the server may take to be as it was, at the end")
	f.BoolVar(&o.Keep, "keep", false, "keep the server's directory and say where")
	f.StringVar(&o.Minutes, "minutes", "", "write a line a minute to this file: what was done, and how large the server is")
	f.IntVar(&o.Kills, "kills", 0, "instead: kill each kind of process so often, one after the other, then main")
	f.IntVar(&o.Reloads, "reloads", 0, "instead: reload so often at 80 % of capacity, without retransmission; every third configuration is broken")
	f.Float64Var(&o.Capacity, "capacity", 0, "--reloads: calls a second that the server can carry; 0: measure it")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("argument %q: options only", f.Arg(0))
	}
	if o.SIPp < 0 || o.SIPp > 1 {
		return fmt.Errorf("--sipp %v: want 0 to 1", o.SIPp)
	}
	if o.Kills > 0 && o.Reloads > 0 {
		return errors.New("--kills, --reloads: want one of them")
	}
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	all := names(faults(), fault.name)
	if o.Kills > 0 {
		all = names(kills(), kill.name, plainPart, mainPart)
	}
	var err error
	if o.Only, err = chosen(o.Only, all); err != nil {
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
	path, err := filepath.Abs(o.Kahea)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(o.Config)
	if err != nil {
		return err
	}
	s := &subject{
		dir: dir, file: filepath.Join(dir, "chaos.cfg"), text: text, rand: rand.New(rand.NewPCG(o.Seed, 1)),
		server: serve.Server{Name: "kahea", Path: path}, o: serve.Options{Workers: o.Workers, Allocator: "qm", Shm: o.Shm, Pkg: 16},
	}
	mode := func() error { return o.chaos(s, choose(faults(), fault.name, o.Only)) }
	switch {
	case o.Kills > 0:
		mode = func() error { return o.kill(s) }
	case o.Reloads > 0:
		s.o.Workers, s.first = 0, variant{Children: children} // reloads change it
		s.o.Shm = max(s.o.Shm, reloadShm)
		mode = func() error { return o.reload(s) }
	}
	if err := s.begin(); err != nil {
		return err
	}
	return errors.Join(mode(), s.end())
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
