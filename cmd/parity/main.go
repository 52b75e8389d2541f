package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/spf13/pflag"
)

// options is the command line.
type options struct {
	Run         *regexp.Regexp
	List        bool
	Verbose     bool
	Keep        bool
	Jobs        int
	Host        string
	Port        int
	Kahea       string
	Kamailio    string
	Dir         string
	Differences string
}

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "parity:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var o options
	var pattern string
	f := pflag.NewFlagSet("parity", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVarP(&pattern, "run", "r", "", "only cases whose FILE/CASE matches this regular expression")
	f.BoolVar(&o.List, "list", false, "list the cases")
	f.BoolVarP(&o.Verbose, "verbose", "v", false, "print what Kamailio sent in every case")
	f.BoolVar(&o.Keep, "keep", false, "keep the servers' files and logs and say where")
	f.IntVarP(&o.Jobs, "jobs", "j", 4, "files that run at the same time")
	f.StringVar(&o.Host, "host", ownAddress(), "loopback address of all sockets; the default is this process's own")
	f.IntVar(&o.Port, "port", 21000, "first port to use; each file has a hundred")
	f.StringVar(&o.Kahea, "kahea", "bin/kahea", "kahea's binary")
	f.StringVar(&o.Kamailio, "kamailio", "kamailio", "Kamailio's binary")
	f.StringVar(&o.Dir, "dir", "cmd/parity/testdata", "where the cases are")
	f.StringVar(&o.Differences, "differences", "docs/differences.md", "page that names the differences that stay")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if o.Run, err = regexp.Compile(pattern); err != nil {
		return fmt.Errorf("-r %s: %w", pattern, err)
	}
	groups, err := loadGroups(o.Dir, o.Host, o.Port)
	if err != nil {
		return err
	}
	groups = selectCases(groups, o.Run)
	if o.List {
		for _, g := range groups {
			for _, c := range g.Cases {
				fmt.Println(c.ID())
			}
		}
		return nil
	}
	known, err := loadDifferences(o.Differences)
	if err != nil {
		return err
	}
	servers, err := o.servers()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kahea-parity-")
	if err != nil {
		return err
	}
	if o.Keep {
		fmt.Fprintln(os.Stderr, "logs are in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	return report(groups, compareGroups(groups, servers, dir, o.Jobs), known, o.Verbose, pattern == "")
}

// ownAddress is an address of 127/8 that follows from the process id, so that two runs at a time do not meet.
func ownAddress() string {
	p := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+p>>16&63, p>>8&255, 1+p&127)
}

// servers are Kamailio and kahea, in this order.
func (o *options) servers() ([]server, error) {
	kamailio, err := exec.LookPath(o.Kamailio)
	if err != nil {
		return nil, fmt.Errorf("what kahea is compared with: %w (make parity-deps)", err)
	}
	kahea, err := filepath.Abs(o.Kahea)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(kahea); err != nil {
		return nil, fmt.Errorf("kahea's binary: %w (make build)", err)
	}
	return []server{{"kamailio", kamailio}, {"kahea", kahea}}, nil
}

// compareGroups runs all groups, jobs at a time; the result is by group and case.
func compareGroups(groups []*group, servers []server, dir string, jobs int) [][]verdict {
	out := make([][]verdict, len(groups))
	slot := make(chan struct{}, max(1, jobs))
	var wg sync.WaitGroup
	for i, g := range groups {
		wg.Go(func() {
			slot <- struct{}{}
			defer func() { <-slot }()
			out[i] = g.compare(servers, filepath.Join(dir, g.Name))
		})
	}
	wg.Wait()
	return out
}

// errParity is that there are differences; they were printed.
var errParity = errors.New("differences that docs/differences.md does not name, or names without there being any")

func report(groups []*group, verdicts [][]verdict, known map[string]bool, verbose, all bool) error {
	cases, differences, named, bad := 0, 0, 0, 0
	seen := map[string]bool{}
	for i, g := range groups {
		last := verdict{}
		for k, c := range g.Cases {
			v := verdicts[i][k]
			cases++
			seen[c.ID()] = true
			if v.Broken != nil && v.Broken == last.Broken {
				fmt.Printf("--- BROKEN %s: as the case before\n", c.ID())
				bad++
				continue
			}
			if verbose && v.Expected != "" {
				fmt.Printf("=== %s\n%s\n", c.ID(), v.Expected)
			}
			switch {
			case v.Broken != nil:
				bad++
				fmt.Printf("--- BROKEN %s: %v\n", c.ID(), v.Broken)
			case v.Text != "" && known[c.ID()]:
				named++
				fmt.Printf("--- differs as docs/differences.md says: %s\n", c.ID())
			case v.Text != "" && v.Text == last.Text && v.Expected == "":
				differences++
				bad++
				fmt.Printf("--- DIFFERS %s: as the case before\n", c.ID())
			case v.Text != "":
				differences++
				bad++
				fmt.Printf("--- DIFFERS %s\n%s\n", c.ID(), v.Text)
			case known[c.ID()]:
				bad++
				fmt.Printf("--- EQUAL %s, although docs/differences.md names it\n", c.ID())
			}
			last = v
		}
	}
	for id := range known {
		if all && !seen[id] {
			bad++
			fmt.Printf("--- UNKNOWN %s: docs/differences.md names it, but there is no such case\n", id)
		}
	}
	fmt.Printf("%d cases, %d differences", cases, differences)
	if named > 0 {
		fmt.Printf(" (and %d that docs/differences.md names)", named)
	}
	fmt.Println()
	if bad > 0 {
		return errParity
	}
	return nil
}
