// Command script measures what a compiled script costs beside Kamailio's: the same statements, run 100,000 times in a route by one worker of each server, in turn. The
// cases are in statements.txt. CPU is that of all processes of the server, exact to the nanosecond; only one of them works.
package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"kahea/perf/proctree"
	"kahea/perf/serve"
)

//go:embed statements.txt
var statements string

// kind is one kind of statement.
type kind struct {
	name   string
	before string // run once
	body   string // run each turn
}

type options struct {
	kahea, kamailio string
	turns, rounds   int
	only, allocator string
}

func main() {
	var o options
	flag.StringVar(&o.kahea, "kahea", "bin/kahea", "kahea's binary")
	flag.StringVar(&o.kamailio, "kamailio", "kamailio", "Kamailio's binary, looked up in PATH")
	flag.IntVar(&o.turns, "turns", 100000, "turns of the loop")
	flag.IntVar(&o.rounds, "r", 5, "rounds; the median counts")
	flag.StringVar(&o.allocator, "x", "tlsf", "allocator of both servers; with Debian's default, qm, Kamailio spends nine tenths of the time in it")
	flag.StringVar(&o.only, "s", "", "only kinds whose name has this in it")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "script:", err)
		os.Exit(1)
	}
}

// kinds reads statements.txt: "--- NAME", statements that run each turn; those above a line of "===" run once before.
func kinds(text string) (l []kind) {
	for _, blk := range strings.Split("\n"+text, "\n--- ")[1:] {
		name, body, _ := strings.Cut(blk, "\n")
		k := kind{name: name, body: body}
		if before, after, ok := strings.Cut(body, "===\n"); ok {
			k.before, k.body = before, after
		}
		l = append(l, k)
	}
	return l
}

// config has a route for each kind, chosen by the user of the R-URI.
func config(l []kind, turns int) string {
	var b strings.Builder
	b.WriteString("children=1\ntcp_children=1\nmax_while_loops=0\nloadmodule \"pv.so\"\nloadmodule \"sl.so\"\nloadmodule \"textops.so\"\n" +
		"request_route {\n\tswitch ($rU) {\n")
	for i := range l {
		fmt.Fprintf(&b, "\tcase \"k%d\":\n\t\troute(K%d);\n\t\tbreak;\n", i, i)
	}
	b.WriteString("\t}\n\tsl_send_reply(\"200\", \"OK\");\n}\n")
	for i, k := range l {
		fmt.Fprintf(&b, "route[K%d] {\n%s\t$var(i) = 0;\n\twhile ($var(i) < %d) {\n%s\t$var(i) = $var(i) + 1;\n\t}\n}\n", i, k.before, turns, k.body)
	}
	return b.String()
}

func run(o options) error {
	all := kinds(statements)
	dir, err := os.MkdirTemp("", "kahea-script-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := filepath.Join(dir, "script.cfg")
	if err := os.WriteFile(cfg, []byte(config(all, o.turns)), 0o600); err != nil {
		return err
	}
	servers := []serve.Server{{Name: "kahea", Path: o.kahea}}
	if path, err := exec.LookPath(o.kamailio); err == nil {
		servers = append(servers, serve.Server{Name: "kamailio", Path: path})
	} else {
		fmt.Fprintln(os.Stderr, "script: without Kamailio:", err)
	}
	var procs []*serve.Process
	for _, s := range servers {
		p, err := serve.Options{Allocator: o.allocator, Shm: 64, Pkg: 8}.Start(s, cfg, filepath.Join(dir, s.Name), nil)
		if err != nil {
			return fmt.Errorf("start %s: %w", s.Name, err)
		}
		defer func() {
			if err := p.Stop(); err != nil {
				fmt.Fprintf(os.Stderr, "script: stop %s: %v\n", p.Name, err)
			}
		}()
		procs = append(procs, p)
	}
	fmt.Printf("# What a script costs\n\n- Command: `make bench-script`; %d turns, median of %d rounds in turn, -x %s\n- Machine: %d CPUs, %s; %s\n"+
		"- A turn is the statements and the loop around them; \"alone\" is without the loop (the kind \"nothing\")\n\n", o.turns, o.rounds, o.allocator, runtime.NumCPU(), runtime.GOARCH, runtime.Version())
	fmt.Println("| statements | kahea ns/turn | kamailio ns/turn | ratio | kahea alone | kamailio alone |\n|---|---|---|---|---|---|")
	var empty []time.Duration
	for i, k := range all {
		if !strings.Contains(k.name, o.only) && i > 0 {
			continue
		}
		costs := make([][]time.Duration, len(procs))
		for range o.rounds {
			for j, p := range procs {
				d, err := measure(p, fmt.Sprintf("k%d", i))
				if err != nil {
					return fmt.Errorf("%s: %s: %w", p.Name, k.name, err)
				}
				costs[j] = append(costs[j], d/time.Duration(o.turns))
			}
		}
		var med []time.Duration
		for _, c := range costs {
			slices.Sort(c)
			med = append(med, c[len(c)/2])
		}
		if i == 0 {
			empty = med
		}
		row := fmt.Sprintf("| %s | %d |", k.name, med[0].Nanoseconds())
		if len(med) > 1 {
			row += fmt.Sprintf(" %d | %.2f | %d | %d |", med[1].Nanoseconds(), float64(med[0])/float64(med[1]), (med[0] - empty[0]).Nanoseconds(), (med[1] - empty[1]).Nanoseconds())
		} else {
			row += fmt.Sprintf(" | | %d | |", (med[0] - empty[0]).Nanoseconds())
		}
		fmt.Println(row)
	}
	return nil
}

var errReply = errors.New("the answer is no 200")

// measure sends one request and waits for its answer.
func measure(p *serve.Process, user string) (time.Duration, error) {
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(p.Addr))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	before, err := proctree.Measure(p.Cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(c, "OPTIONS sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKscript\r\nMax-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.com>;tag=p\r\n"+
		"To: <sip:01234567@example.com>\r\nCall-ID: script-1@example.com\r\nCSeq: 1 OPTIONS\r\nUser-Agent: bench 1.0\r\nX-Number: 0123456789\r\nContent-Length: 0\r\n\r\n", user, p.Addr, c.LocalAddr())
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	var b [4096]byte
	n, err := c.Read(b[:])
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(string(b[:n]), "SIP/2.0 200 ") {
		return 0, fmt.Errorf("%w: %.60q", errReply, b[:n])
	}
	after, err := proctree.Measure(p.Cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	use, err := after.Since(before)
	return use.Total, err
}
