package reactor

import (
	"kahea/shm"

	"github.com/panjf2000/gnet/v2"
)

type tcpWorker struct{ eng *engine }

func (t *tcpWorker) turn()                           {}
func (t *tcpWorker) tick()                           {}
func (t *tcpWorker) close()                          {}
func (t *tcpWorker) linger(e *engine)                {}
func (t *tcpWorker) traffic(c gnet.Conn) gnet.Action { return gnet.None }
func (t *tcpWorker) closed(c gnet.Conn, err error)   {}
func (t *tcpWorker) opened(c gnet.Conn) gnet.Action  { return gnet.None }
func (w *Worker) runTCPMain() error                  { panic("todo") }
func (w *Worker) bootTCPWorker() error               { panic("todo") }

type conns struct{}

func makeConns(a *shm.Arena, o Options, procs int, t shm.Tag) (shm.Off, error) { panic("todo") }
func openConns(a *shm.Arena, o shm.Off) *conns                                 { panic("todo") }
