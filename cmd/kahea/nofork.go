package main

import (
	"errors"

	"kahea/cfglang/log"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/shm"
	"kahea/sipparse"
)

var errNoUDP = errors.New("-D serves the first UDP socket only, and there is none")

// onlyFirstUDP leaves what -D (fork=no) serves: the first UDP socket.
func (s *server) onlyFirstUDP() error {
	for _, e := range s.Endpoints {
		if e.Proto == sipparse.UDP {
			e.Workers = 1
			s.Endpoints = s.Endpoints[:0:0]
			s.Endpoints = append(s.Endpoints, e)
			n := makeNet(s.Endpoints, nil, s.proc.Par.Grammar)
			s.proc.Net.Sockets, s.proc.Net.Known = n.Sockets, n.Known
			return nil
		}
	}
	return errNoUDP
}

// workInMain runs the UDP worker of -D in the main process, as rank 1. stop ends it.
func (s *server) workInMain(ls []reactor.Listener, ro reactor.Options, bell int, bells []int) (stop func(), err error) {
	if err := s.wheel(); err != nil {
		return nil, err
	}
	h, err := newWire(s)
	if err != nil {
		return nil, err
	}
	w, err := reactor.NewWorker(reactor.Config{
		Role: reactor.RoleUDP, Group: 1, Listeners: ls, Options: ro, Arena: s.arena, Shared: shm.Off(s.Shared), Bell: bell, Doorbells: bells,
		Log: func(text string) { s.proc.Log.Printf(log.Warn, "<core>: ", "%s", text) },
	}, h)
	if err != nil {
		return nil, err
	}
	h.w = w
	h.serve(s)
	s.loop = w.Post
	if err := s.initWorker(procmgr.RankSIPInit); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(); err != nil {
			s.proc.Log.Printf(log.Crit, "<core>: ", "%v", err)
		}
	}()
	return func() { w.Stop(); <-done }, nil
}
