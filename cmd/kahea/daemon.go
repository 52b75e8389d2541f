package main

import (
	"errors"
	"os"

	"kahea/procmgr"
)

var errWorkerOne = errors.New("event_route[core:worker-one-init] dropped: start aborted")

type daemonOptions struct {
	Foreground, NoFork                                      bool // -DD, -D
	Chroot, Workdir, PidFile, PgidFile, User, Group, RunDir string
	DisableCoreDump                                         bool
	OpenFilesLimit                                          int
	LogStderr                                               bool
	Name                                                    string
}

func (s *server) daemonOptions() daemonOptions {
	o, p := s.Options, s.par
	return daemonOptions{Foreground: o.Fork == 2, NoFork: !p.Fork, Chroot: p.Chroot, Workdir: p.Workdir, PidFile: o.PidFile, PgidFile: o.PgidFile,
		User: p.User, Group: p.Group, RunDir: p.RunDir, DisableCoreDump: p.DisableCore, OpenFilesLimit: p.OpenFiles, LogStderr: p.LogStderr, Name: "kahea"}
}

func daemonize(daemonOptions) (int, bool, error)           { return 0, false, nil }
func tellParent(error)                                     {}
func dropPrivileges(*procmgr.Manager, daemonOptions) error { return nil }
func makeRunDir(dir string, uid, gid int) error            { return os.MkdirAll(dir, 0o700) }
func removePidFiles(daemonOptions)                         {}
func (s *server) ids() error                               { return nil }
