package main

import (
	"fmt"
	"os"
	"strconv"

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
	if fd, err := strconv.Atoi(os.Getenv(upgradeEnv)); err == nil {
		return runUpgraded(fd)
	}
	if len(os.Args) == 2 && os.Args[1] == "--upgrade-check" {
		if err := runUpgradeCheck(); err != nil {
			fmt.Fprintf(os.Stderr, "ERROR: kahea: %v\n", err)
			return exitError
		}
		return 0
	}
	if len(os.Args) > 1 {
		if f := commands()[os.Args[1]]; f != nil {
			return f(os.Args[2:])
		}
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
	case o.Internals:
		printInternals(os.Stdout)
		return 0
	case o.CfgPrint:
		return printConfig(o, os.Stdout, os.Stderr)
	}
	code, err := runMain(o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ERROR: kahea: %v\n", err)
	}
	return code
}

// commands are the words that stand in the place of the server's options.
func commands() map[string]func(args []string) int {
	return map[string]func([]string) int{"replay": runReplay, "check": stdCheck, "doc": stdDoc, "fmt": stdFmt}
}
