package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// What a configuration or a client compares is Kamailio's number; what a person reads is kahea's name.
const (
	versionMajor = 6
	versionMinor = 2
	versionPatch = 0
)

func versionText() string { return fmt.Sprintf("%d.%d.%d", versionMajor, versionMinor, versionPatch) }

// fullVersion is "6.2.0 (x86_64/linux)".
func fullVersion() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x86_64"
	}
	return fmt.Sprintf("%s (%s/%s)", versionText(), arch, runtime.GOOS)
}

func revision() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return "unknown"
}

func compileFlags() string {
	return "USE_TCP, SHM_MEMFD, PKG_MMAP, Q_MALLOC, F_MALLOC, TLSF_MALLOC, USE_FUTEX, RESTART_CHILDREN, GNET, REUSEPORT_CBPF"
}

func printVersion(w io.Writer) {
	fmt.Fprintf(w, "version: kahea %s\n", fullVersion())
	fmt.Fprintf(w, "flags: %s\n", compileFlags())
	fmt.Fprintf(w, "MAX_RECV_BUFFER_SIZE %d, MAX_URI_SIZE 1024, BUF_SIZE 65535, DEFAULT PKG_SIZE %dMB\n", 262144, defaultPkgMB)
	fmt.Fprintf(w, "poll method support: epoll_lt, epoll_et.\n")
	fmt.Fprintf(w, "id: %s\n", revision())
	fmt.Fprintf(w, "compiled with %s\n", runtime.Version())
}

// printInternals is -I.
func printInternals(w io.Writer) {
	fmt.Fprintf(w, "Print out of kahea internals\n  Version: kahea %s\n  Default config: %s\n  Default run dir: %s\n  Modules: built in\n", fullVersion(), defaultFile, defaultRunDir)
	fmt.Fprintf(w, "  Compile flags: %s\n  MAX_RECV_BUFFER_SIZE=262144\n  MAX_URI_SIZE=1024\n  BUF_SIZE=65535\n", compileFlags())
	fmt.Fprintf(w, "  DEFAULT PKG_SIZE=%dMB\n  DEFAULT SHM_SIZE=%dMB\n  TCP poll methods: epoll_lt, epoll_et\n", defaultPkgMB, defaultShmMB)
	fmt.Fprintf(w, "  Source code revision ID: %s\n  Compiled with: %s\n  Compiled architecture: %s\n", revision(), runtime.Version(), runtime.GOARCH)
}

func printHelp(w io.Writer, o *options) {
	fmt.Fprintf(w, "version: kahea %s\nUsage: kahea [options]\nOptions:\n", fullVersion())
	fmt.Fprint(w, o.flags().FlagUsagesWrapped(100))
}

// knownRevision is the revision for clients, "" when the build does not know it.
func knownRevision() string {
	if r := revision(); r != "unknown" {
		return r
	}
	return ""
}
