package main

import (
	"errors"

	"kahea/procmgr"
)

var (
	errWorkerOne = errors.New("event_route[core:worker-one-init] dropped: start aborted")
	errStdin     = errors.New("a configuration on standard input can not be daemonized: use -DD, or a file")
)

// daemonOptions are what a daemon is started with: ids, directories, limits, pid files.
func (s *server) daemonOptions() procmgr.DaemonOptions {
	o, p := s.Options, s.par
	return procmgr.DaemonOptions{
		Foreground: o.Fork == 2, NoFork: !p.Fork, Chroot: p.Chroot, Workdir: p.Workdir, PidFile: o.PidFile, PgidFile: o.PgidFile,
		User: p.User, Group: p.Group, RunDir: p.RunDir, DisableCoreDump: p.DisableCore, OpenFilesLimit: max(0, p.OpenFiles), LogStderr: p.LogStderr, Name: "kahea",
	}
}
