// Command kaheactl runs commands of a running server: any RPC command by its name, as kamcmd does, and short names for what operators type most.
//
// It speaks binrpc to module ctl's socket. main.go is the command line, address.go and call.go the way to the server and back, param.go and reply.go what goes there and
// what comes back.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"kahea/modules"

	"github.com/spf13/pflag"
)

const usage = `usage: kaheactl [OPTIONS] COMMAND [PARAMETER...]

COMMAND is an RPC command of the server (system.listMethods lists them), or one of

  reload                       read the configuration again (kahea.reload)
  upgrade [BINARY [check]]     go on with another binary, by default the one on disk; check: only say what it would do (kahea.upgrade)
  mem                          who uses the memory (kahea.mem)
  quarantine [list]            messages that are dropped because they killed workers (kahea.quarantine)
  quarantine release DIGEST    have one handled again, or all (kahea.quarantine.release)

Whole numbers are sent as numbers, other numbers as doubles, everything else as strings; s:TEXT is a string always, and so is a number of more than 32 bits.

Options:
%s
The exit code is 0 when the command succeeded and 1 otherwise; what went wrong is on standard error.
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	f := pflag.NewFlagSet("kaheactl", pflag.ContinueOnError)
	f.SortFlags = false
	f.SetInterspersed(false) // what stands behind the command is its own
	f.SetOutput(io.Discard)
	server := f.StringP("server", "s", defaultAddress, "the server's control socket, [unixs:]PATH, tcp:HOST[:PORT] or udp:HOST[:PORT]")
	timeout := f.DurationP("timeout", "t", time.Minute, "how long the command may take")
	asJSON := f.BoolP("json", "j", false, "print the reply as JSON: an array of its values")
	help := f.BoolP("help", "h", false, "this help")
	err := f.Parse(args)
	if err == nil && *help {
		fmt.Fprintf(stdout, usage, f.FlagUsages())
		return 0
	}
	fail := func(err error) int {
		fmt.Fprintf(stderr, "error: %v\n", err)
		return 1
	}
	if err != nil {
		return fail(fmt.Errorf("%w (see -h)", err))
	}
	method, params, err := command(f.Args())
	if err != nil {
		return fail(fmt.Errorf("%w (see -h)", err))
	}
	out, err := call(*server, *timeout, method, params)
	var fault *modules.Fault
	if errors.As(err, &fault) {
		return fail(fmt.Errorf("%d - %s", fault.Code, fault.Text))
	}
	if err != nil {
		return fail(err)
	}
	print := appendText
	if *asJSON {
		print = appendJSON
	}
	if _, err := stdout.Write(print(nil, out)); err != nil {
		return fail(err)
	}
	return 0
}

var (
	errNoCommand  = errors.New("no command")
	errQuarantine = errors.New("quarantine: want list, or release and a digest")
)

// command is the RPC command that the words ask for.
func command(words []string) (method string, params []*modules.Node, err error) {
	if len(words) == 0 {
		return "", nil, errNoCommand
	}
	name, words := words[0], words[1:]
	most := 0
	switch name {
	case "reload", "mem":
	case "upgrade":
		most = 2
	case "quarantine":
		switch {
		case len(words) == 0 || len(words) == 1 && words[0] == "list":
			return "kahea.quarantine", nil, nil
		case len(words) == 2 && words[0] == "release":
			return "kahea.quarantine.release", []*modules.Node{text(words[1])}, nil
		}
		return "", nil, errQuarantine
	default:
		for _, w := range words {
			params = append(params, param(w))
		}
		return name, params, nil
	}
	if len(words) > most {
		return "", nil, fmt.Errorf("%s: unexpected parameter %q", name, words[most])
	}
	for _, w := range words {
		params = append(params, text(w))
	}
	return "kahea." + name, params, nil
}
