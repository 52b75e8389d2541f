package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/profile"
)

// startProfile profiles this process as --profile asks for: cpu, mem, mutex or trace, with =DIR where to. Each process writes into a folder
// of its own below DIR, named by its description and pid.
func startProfile(what, desc string) (stop func()) {
	if what == "" {
		return func() {}
	}
	kind, dir, _ := strings.Cut(what, "=")
	name := strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' || r == ':' {
			return '_'
		}
		return r
	}, desc)
	opts := []func(*profile.Profile){profile.ProfilePath(filepath.Join(dir, fmt.Sprintf("%s.%d", name, os.Getpid()))), profile.NoShutdownHook, profile.Quiet}
	switch kind {
	case "cpu":
		opts = append(opts, profile.CPUProfile)
	case "mem":
		opts = append(opts, profile.MemProfileAllocs)
	case "mutex":
		opts = append(opts, profile.MutexProfile)
	case "trace":
		opts = append(opts, profile.TraceProfile)
	}
	return profile.Start(opts...).Stop
}

// profileKinds are what --profile knows.
func validProfile(what string) bool {
	switch kind, _, _ := strings.Cut(what, "="); kind {
	case "", "cpu", "mem", "mutex", "trace":
		return true
	}
	return false
}
