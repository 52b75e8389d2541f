package main

import (
	"fmt"
	"io"

	"kahea/cfglang/diag"
	"kahea/cfglang/syntax"
)

// printConfig is --cfg-print: the configuration after includes and conditional parts. Modules are not loaded; their defines are made. It returns the exit code.
func printConfig(o *options, out, errOut io.Writer) int {
	sl, d := sealed{Options: o}, &diag.List{}
	err := sl.readConfig(d)
	if err == nil && sl.broken {
		err = errConfig
	}
	if err != nil {
		d.Write(errOut, colourTerminal())
		if err != errConfig { //nolint:errorlint // it is not wrapped
			fmt.Fprintf(errOut, "ERROR: kahea: %v\n", err)
		}
		return exitError
	}
	if _, err := out.Write(syntax.WithoutMarks(sl.Text)); err != nil {
		fmt.Fprintf(errOut, "ERROR: kahea: %v\n", err)
		return exitError
	}
	return 0
}
