package main

import (
	"errors"
	"net/netip"
	"time"

	"kahea/cfglang/route"
)

var errMain = errors.New("the main process sends no messages")

// noHost is main's route.Host: main runs event routes before there are sockets, and sends nothing.
type noHost struct{}

func (noHost) Buffer() []byte                { return make([]byte, 0, 65535) }
func (noHost) Send(route.Dest, []byte) error { return errMain }
func (noHost) Await(func(), func())          {}
func (noHost) CloseConn(uint32) error        { return errMain }
func (noHost) HasConn(uint32) bool           { return false }

func (noHost) AddAlias(uint32, uint16) error { return errMain }
func (noHost) Now() int64                    { return time.Now().UnixNano() }
func (noHost) Ticks() uint64                 { return 0 }

func (noHost) Resolve(route.Name) (route.Place, bool, func() (route.Place, error)) {
	return route.Place{}, true, nil
}

func (noHost) HasName(netip.Addr, string) bool { return false }

// eventInMain runs an event route of the core in main.
func (s *server) eventInMain(name string) {
	if r := s.proc.Prog.Find(route.InEvent, name); r != nil {
		c := s.proc.Get() // not in a coroutine: nothing can be awaited here
		c.Faked = true
		c.RunTop(r, route.InEvent)
		s.proc.Put(c)
	}
}
