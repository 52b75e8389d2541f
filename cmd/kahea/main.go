package main

import (
	"fmt"
	"os"

	_ "kahea/modules/all"
	"kahea/procmgr"
)

// exitError is Kamailio's code for every error at start (-1).
const exitError = 255

func main() { os.Exit(run()) }

func run() int {
	if procmgr.IsChild() {
		return runChild()
	}
	if len(os.Args) > 1 && os.Args[1] == "replay" {
		return runReplay(os.Args[2:])
	}
	o, err := parseArgs(os.Args[1:], os.Stderr)
	if err != nil {
		return exitError
	}
	switch {
	case o.Help:
		printHelp(os.Stdout, o)
		return 0
	case o.Version:
		printVersion(os.Stdout)
		return 0
	}
	code, err := runMain(o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ERROR: kahea: %v\n", err)
	}
	return code
}
