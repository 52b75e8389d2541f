package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// serverBinary is the server that every test of this package runs; TestMain builds it.
var serverBinary string

// oracle runs the cases against a Kamailio: what they expect is then checked against it, without what only kahea's tests look at (processes, memory, runs).
var oracle = flag.String("oracle", "", "path of a kamailio that TestServer's cases run against")

// keepDir keeps the directories of servers for inspection.
var keepDir = flag.Bool("keep", false, "keep the directories of the servers that tests start")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withBinary(m.Run))
}

func withBinary(run func() int) int {
	dir, err := os.MkdirTemp("", "kahea-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if *oracle != "" {
		serverBinary = *oracle
		return run()
	}
	serverBinary = filepath.Join(dir, "kahea")
	build := exec.Command("go", "build", "-o", serverBinary, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "build of the server: %v\n", err)
		return 1
	}
	return run()
}

// TestServer runs the cases of testdata/e2e against whole servers: testdata/e2e/README.md describes their language.
func TestServer(t *testing.T) {
	files, err := filepath.Glob("testdata/e2e/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/e2e: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runCase(t, f)
		})
	}
}
