// Command bench runs the same load against kahea and, where it is installed, Kamailio, in alternation, and prints what each costs.
//
// For each scenario (cases.go) and round a server is started afresh (package serve), warmed up, and measured: CPU of its process tree a
// transaction, throughput, loss, latency; for some scenarios shared memory or the time to start. The table (table.go) shows medians over the rounds.
package main

import (
	"errors"
	"fmt"
	"kahea/perf/serve"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// options is the command line.
type options struct {
	Scenarios []string
	List      bool
	Rounds    int
	Duration  time.Duration
	Warmup    time.Duration
	Window    int
	Rate      float64
	Held      int
	Contacts  int
	Workers   int
	Allocator string
	Shm, Pkg  int
	Kahea     string
	Kamailio  string
	Only      string
	Extra     []string
	Config    string
	Stock     string
	Out       string
	Keep      bool
}

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var o options
	f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringSliceVarP(&o.Scenarios, "scenario", "s", []string{"*"}, "scenarios to run, as patterns (see --list)")
	f.BoolVar(&o.List, "list", false, "list the scenarios")
	f.IntVarP(&o.Rounds, "rounds", "r", 3, "rounds of each scenario")
	f.DurationVarP(&o.Duration, "duration", "d", 4*time.Second, "how long a round measures")
	f.DurationVar(&o.Warmup, "warmup", 1500*time.Millisecond, "load before that")
	f.IntVarP(&o.Window, "window", "w", 200, "saturated: transactions outstanding at most")
	f.Float64Var(&o.Rate, "rate", 5000, "paced: transactions a second")
	f.IntVar(&o.Held, "held", 20000, "ringing INVITEs that are held to measure their memory")
	f.IntVar(&o.Contacts, "contacts", 100000, "contacts that are registered to measure their memory")
	f.IntVarP(&o.Workers, "workers", "n", 4, "UDP workers, and TCP workers (-n)")
	f.StringVarP(&o.Allocator, "allocator", "x", "tlsf", "allocator of shared memory (-x)")
	f.IntVarP(&o.Shm, "shm", "m", 2048, "shared memory in megabytes (-m)")
	f.IntVarP(&o.Pkg, "pkg", "M", 16, "private memory of each process in megabytes (-M)")
	f.StringVar(&o.Kahea, "kahea", "bin/kahea", "kahea's binary")
	f.StringVar(&o.Kamailio, "kamailio", "kamailio", "Kamailio's binary")
	f.StringVar(&o.Only, "only", "", "kahea or kamailio: run only this one")
	f.StringArrayVar(&o.Extra, "arg", nil, "further argument for kahea; may be repeated")
	f.StringVar(&o.Config, "config", "perf/testdata/proxy.cfg", "configuration of the scenarios that are not stock-*")
	f.StringVar(&o.Stock, "stock", "/etc/kamailio/kamailio.cfg", "Kamailio's stock configuration; stock-* and start are left out where it is not there")
	f.StringVarP(&o.Out, "out", "o", "", "write the result to perf/results/NAME.md too")
	f.BoolVar(&o.Keep, "keep", false, "keep the servers' logs and say where")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("argument %q: scenarios are chosen with -s", f.Arg(0))
	}
	if o.List {
		for _, c := range cases() {
			fmt.Printf("%-16s %s\n", c.Name, c.Doc)
		}
		return nil
	}
	chosen, err := choose(o.Scenarios)
	if err != nil {
		return err
	}
	servers, err := o.servers()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kahea-bench-")
	if err != nil {
		return err
	}
	if o.Keep {
		fmt.Fprintln(os.Stderr, "logs are in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	t := table{Servers: servers, Stock: o.Stock}
	for _, c := range chosen {
		if _, err := os.Stat(o.Stock); c.Stock && err != nil {
			fmt.Fprintf(os.Stderr, "%s: left out: %v\n", c.Name, err)
			continue
		}
		row := row{Case: c, Results: make([][]result, len(servers))}
		for round := range o.Rounds {
			for k := range servers {
				i := (k + round) % len(servers) // who begins changes from round to round
				r := o.measure(c, servers[i], filepath.Join(dir, fmt.Sprintf("%s-%d-%s", c.Name, round, servers[i].Name)))
				row.Results[i] = append(row.Results[i], r)
				fmt.Fprintf(os.Stderr, "%-16s round %d  %-9s %s\n", c.Name, round+1, servers[i].Name, r)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	text := t.String()
	fmt.Println(text)
	if o.Out != "" {
		file := filepath.Join("perf", "results", strings.TrimSuffix(path.Base(o.Out), ".md")+".md")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(heading(o, args, servers)+"\n"+text), 0o644); err != nil {
			return err
		}
	}
	return t.Err()
}

// choose finds the cases that the patterns name.
func choose(patterns []string) (out []benchCase, err error) {
	for _, p := range patterns {
		n := 0
		for _, c := range cases() {
			ok, err := path.Match(p, c.Name)
			if err != nil {
				return nil, fmt.Errorf("-s %s: %w", p, err)
			}
			if ok {
				out = append(out, c)
				n++
			}
		}
		if n == 0 {
			return nil, fmt.Errorf("-s %s: no such scenario (see --list)", p)
		}
	}
	return out, nil
}

func (o *options) serving() serve.Options {
	return serve.Options{Workers: o.Workers, Allocator: o.Allocator, Shm: o.Shm, Pkg: o.Pkg}
}

// servers are those that are to be compared: kahea first.
func (o *options) servers() (out []serve.Server, err error) {
	switch o.Only {
	case "", "kahea", "kamailio":
	default:
		return nil, fmt.Errorf("--only %s: want kahea or kamailio", o.Only)
	}
	if o.Only != "kamailio" {
		p, err := filepath.Abs(o.Kahea)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(p); err != nil {
			return nil, fmt.Errorf("kahea's binary: %w (make build)", err)
		}
		out = append(out, serve.Server{Name: "kahea", Path: p, Args: o.Extra})
	}
	if o.Only != "kahea" {
		p, err := exec.LookPath(o.Kamailio)
		if err != nil && o.Only == "kamailio" {
			return nil, err
		}
		if err == nil {
			out = append(out, serve.Server{Name: "kamailio", Path: p})
		} else {
			fmt.Fprintln(os.Stderr, "Kamailio is not installed: kahea alone")
		}
	}
	return out, nil
}
