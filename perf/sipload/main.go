// Command sipload sends SIP to a server and says what came back: scenarios, saturated or paced, over UDP or TCP.
package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"kahea/perf/load"
	"kahea/perf/proctree"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sipload:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var (
		c        load.Config
		server   string
		local    []string
		scenario string
		pid      int
	)
	f := pflag.NewFlagSet("sipload", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVarP(&server, "server", "s", "127.0.0.1:5060", "address and port of the server")
	f.StringVarP(&scenario, "scenario", "S", "options", fmt.Sprint(load.Scenarios()))
	f.BoolVarP(&c.TCP, "tcp", "t", false, "TCP instead of UDP")
	f.IntVar(&c.Sources, "sources", 32, "sockets of the UAC, over TCP connections")
	f.IntVar(&c.UASes, "uas", 8, "sockets of the UAS")
	f.StringSliceVar(&local, "local", nil, "addresses of the sources, in turn (default 127.0.0.1)")
	f.IntVarP(&c.Window, "window", "w", 200, "saturated: transactions outstanding at most")
	f.Float64VarP(&c.Rate, "rate", "r", 0, "paced: transactions a second; 0: saturated")
	f.IntVarP(&c.Count, "count", "c", 0, "transactions; 0: no bound")
	f.DurationVarP(&c.Duration, "duration", "d", 0, "how long transactions are started; 0: no bound")
	f.IntVar(&c.Users, "users", 10000, "register: addresses of record")
	f.IntVar(&c.Expires, "expires", 3600, "register: seconds")
	f.DurationVar(&c.T1, "t1", 500*time.Millisecond, "first retransmission over UDP; negative: none")
	f.DurationVar(&c.Timeout, "timeout", 8*time.Second, "after which a transaction is lost")
	f.IntVarP(&pid, "pid", "p", 0, "main process of the server: measure the CPU of its process tree")
	if err := f.Parse(args); err != nil {
		return err
	}
	a, err := netip.ParseAddrPort(server)
	if err != nil {
		return fmt.Errorf("-s %s: %w", server, err)
	}
	for _, l := range local {
		a, err := netip.ParseAddr(l)
		if err != nil {
			return fmt.Errorf("--local %s: %w", l, err)
		}
		c.Local = append(c.Local, a)
	}
	c.Server, c.Scenario = a, load.Scenario(scenario)
	var before proctree.Use
	if pid != 0 {
		if before, err = proctree.Measure(pid); err != nil {
			return err
		}
	}
	r, err := load.Run(c, nil)
	if err != nil {
		return err
	}
	fmt.Println(summary(r))
	if pid == 0 {
		return nil
	}
	after, err := proctree.Measure(pid)
	if err != nil {
		return err
	}
	u, err := after.Since(before)
	if err != nil {
		return err
	}
	n := max(1, float64(r.Done))
	fmt.Printf("cpu: %.2f us a transaction, user %.2f, system %.2f; %d processes\n",
		us(u.Total)/n, us(u.User)/n, us(u.System)/n, len(after.PIDs))
	return nil
}

func us(d time.Duration) float64 { return float64(d) / 1e3 }

func summary(r *load.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d started, %d done, %d failed, %d lost in %v: %.0f/s; retransmits %d, strays %d, refused %d\n",
		r.Started, r.Done, r.Failed, r.Lost, r.Elapsed.Round(time.Millisecond), r.Throughput(), r.Retransmits, r.Strays, r.Refused)
	fmt.Fprintf(&b, "latency: p50 %v, p90 %v, p99 %v, p99.9 %v, max %v; status:",
		r.Latency.Quantile(.5), r.Latency.Quantile(.9), r.Latency.Quantile(.99), r.Latency.Quantile(.999), r.Latency.Max)
	for code, n := range r.Status {
		if n > 0 {
			fmt.Fprintf(&b, " %d=%d", code, n)
		}
	}
	return b.String()
}
